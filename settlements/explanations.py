"""Why a settlement line shows these figures: rule, base, rate, exact value, rounding, VAT.

Nothing of this is stored. It is recomputed from the line's terms and outcomes by the function
that settled it, so it cannot say anything else than the figures do.
"""

from dataclasses import dataclass
from datetime import date

from marketplace.refusals import Refused, gettext_noop
from orders.models import Outcome
from orders.remainders import NOTHING, Remainder
from settlements import contracts, fees, rate_cards
from settlements.fee_rules import SALE_VAT, Rule
from settlements.fees import Charge, Explanation, Terms
from settlements.models import FeeScheduleVersion, LineTerms, SellerContract, SettlementLine


class LineDiffers(Refused):
    code = "line_differs"
    message = gettext_noop(
        "The figures of this line do not follow from its inputs any more. Run verify."
    )


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a line. A reversal is the difference of what was left before and after.

    `contract` is the version of the seller's contract where a rule of its own says the charge, or
    where it says that the marketplace issues the sale.
    `fee` and `vat` are the line's own figures in minor units, below zero for a reversal.
    """

    code: str
    schedule: str
    schedule_name: str
    version: int
    valid_from: date
    contract: SellerContract | None
    charge: Charge
    before: Explanation | None
    after: Explanation
    fee: int
    vat: int

    @property
    def rule(self) -> Rule:
        return self.charge.rule

    @property
    def base(self) -> int:
        """What the fee was taken from; of a reversal what of it is gone, below zero."""
        return self.after.base - (self.before.base if self.before else 0)

    @property
    def rank(self) -> int:
        return self.rule.rank


def explain(line: SettlementLine) -> tuple[Component, ...]:
    """Explain each component of a line. Raises LineDiffers when the figures do not follow."""
    terms = _terms(line.terms_id)
    version = FeeScheduleVersion.objects.select_related("schedule").get(pk=terms.version_id)
    said_by = _contracts(terms, line)
    remainders = _remainders(line)
    sold = remainders[0]
    if line.sequence:
        kept = fees.charge(terms, *_amounts(sold))
        befores = fees.explain(terms, *_amounts(remainders[line.sequence - 1]), kept)
        afters = fees.explain(terms, *_amounts(remainders[line.sequence]), kept)
    else:
        befores = (None,) * len(terms.charges)
        afters = fees.explain(terms, *_amounts(sold))
    components = tuple(
        Component(
            code=after.component,
            schedule=version.schedule.code,
            schedule_name=version.schedule.name,
            version=version.number,
            valid_from=version.valid_from,
            contract=said_by.get(pinned.rule.contract_id or pinned.rule.component),
            charge=pinned,
            before=before,
            after=after,
            fee=after.fee - (before.fee if before else 0),
            vat=after.vat - (before.vat if before else 0),
        )
        for pinned, before, after in zip(terms.charges, befores, afters, strict=True)
    )
    if [(part.base, part.fee, part.vat) for part in components] != _stored(line):
        raise LineDiffers()
    return components


def _terms(terms_id: int) -> Terms:
    key = LineTerms.objects.values_list("key", flat=True).get(pk=terms_id)
    return rate_cards.stored_terms(key)


def _contracts(terms: Terms, line: SettlementLine) -> dict[int | str, SellerContract]:
    """The versions of contracts whose rules charge, and, by its component, the one that says who
    issues the sale; of most lines there are none."""
    named = {charge.rule.contract_id for charge in terms.charges} - {None}
    found: dict[int | str, SellerContract] = {}
    if named:
        found.update(SellerContract.objects.in_bulk(named))
    if terms.has_sale_vat:
        in_force, _ = contracts.standing(line.seller_id, on=line.rate_on)
        if in_force is not None:
            found[SALE_VAT] = in_force
    return found


def _remainders(line: SettlementLine) -> list[Remainder]:
    """What remained of the order line after each outcome up to this one, the sale first."""
    rows = Outcome.objects.filter(line_id=line.order_line_id, sequence__lte=line.sequence)
    found = [
        Remainder(*amounts)
        for amounts in rows.order_by("sequence").values_list(
            "quantity",
            "list_amount",
            "seller_discount",
            "platform_discount",
            "partner_discount",
        )
    ]
    return found or [NOTHING]


def _amounts(remainder: Remainder) -> tuple[int, int, int, int, int]:
    return (
        remainder.quantity,
        remainder.list_amount,
        remainder.seller_discount,
        remainder.platform_discount,
        remainder.partner_discount,
    )


def _stored(line: SettlementLine) -> list[tuple[int, int, int]]:
    charges = line.charges
    return [tuple(charges[at : at + 3]) for at in range(0, len(charges), 3)]
