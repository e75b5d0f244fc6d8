"""What a letter to a seller says, notice by notice, in the language in use.

Everything comes loaded: nothing here asks the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from marketplace import money
from marketplace.models import Marketplace
from settlements import hold_words, percents, rule_words
from settlements.disputed import Disputed
from settlements.models import (
    FeeScheduleVersion,
    Hold,
    Payout,
    PayoutItem,
    SellerContract,
    Statement,
    TaxInvoice,
)
from settlements.schedule_comparison import Difference

MOST_RATES = 30  # of one change of fees, and
MOST_STATEMENTS = 10  # of one payout, that a letter names


@dataclass(frozen=True, slots=True)
class Section:
    """A notice in words: what it is called, what it says line by line, and where to see more."""

    title: str
    lines: tuple[str, ...]
    address: str


class Words:
    """The words of one marketplace."""

    def __init__(self, marketplace: Marketplace, components: dict[str, str]):
        self._market = marketplace
        self._components = components

    def address(self, name: str, *parts: str) -> str:
        """Where a page of the seller centre is found from outside."""
        return settings.SITE_ADDRESS + reverse(name, args=[self._market.slug, *parts])

    def statement(self, row: Statement, hold: Hold | None) -> Section:
        told = {"day": row.due_on.isoformat(), "amount": self._amount(row.payout)}
        if row.payout:
            title = _("%(amount)s will be paid: statement due on %(day)s") % told
            lines = [_("%(amount)s will be paid to you, due on %(day)s.") % told]
        else:
            title = _("Statement due on %(day)s: nothing is paid") % told
            lines = [_("The statement due on %(day)s is closed. Nothing is paid for it.") % told]
        if hold is not None and row.payout:
            why = {"reason": hold.get_reason_display(), "until": hold_words.way_out(hold)}
            lines.append(
                _("A hold keeps it from being paid for now (%(reason)s). Until: %(until)s") % why
            )
        figures = self._figures(row)
        return Section(
            title,
            (*lines, "", *figures, *_seal(row.seal)),
            self.address("shop_statement", row.public_id),
        )

    def debt(self, row: Statement) -> Section:
        told = {"day": row.due_on.isoformat(), "amount": self._amount(row.debt_invoiced)}
        if row.debt_invoiced:
            title = _("You owe %(amount)s") % told
            text = _(
                "The statement due on %(day)s ended below zero. %(amount)s is invoiced to you: "
                "please pay it to the marketplace. It is not taken off your next statements."
            )
        else:
            told["amount"] = self._amount(-row.carry_out)
            title = _("%(amount)s is taken off your next statements") % told
            text = _(
                "The statement due on %(day)s ended below zero. %(amount)s is carried on and taken "
                "off your next statements."
            )
        return Section(title, (text % told,), self.address("shop_debts"))

    def payout(self, row: Payout, items: Iterable[PayoutItem], on: date) -> Section:
        told = {
            "amount": self._amount(row.amount),
            "day": on.isoformat(),
            "bank": row.get_bank_display(),
            "number": row.masked,
            "payee": row.payee,
        }
        if row.payee:
            text = _(
                "%(amount)s was paid on %(day)s to %(payee)s, to whom your claims are assigned."
            )
        else:
            text = _("%(amount)s was paid on %(day)s to your account %(bank)s %(number)s.")
        paid = [
            _("Statement due on %(day)s: %(amount)s")
            % {"day": item.statement.due_on.isoformat(), "amount": self._amount(item.amount)}
            for item in items
        ]
        return Section(
            _("%(amount)s was paid") % told,
            (text % told, *_first(paid, MOST_STATEMENTS)),
            self.address("shop_payout", row.public_id),
        )

    def hold_placed(self, row: Hold, disputed: Disputed | None) -> Section:
        lines = [
            self._kept(row, disputed),
            _("Reason: %(reason)s") % {"reason": row.get_reason_display()},
            row.note,
            _("Until: %(until)s") % {"until": hold_words.way_out(row)},
            _("What you can do: %(remedy)s") % {"remedy": hold_words.remedy(row)},
            _("Number of this hold: %(number)s") % {"number": row.public_id},
        ]
        title = _("%(kind)s: %(about)s") % {
            "kind": row.get_kind_display(),
            "about": hold_words.about(row),
        }
        return Section(title, tuple(line for line in lines if line), self.address("shop_holds"))

    def hold_released(self, row: Hold) -> Section:
        if row.kind == Hold.Kind.LINE:
            text = _("What was held back enters your next statement.")
        else:
            text = _("What it kept from being paid goes into the next payout.")
        number = _("Number of this hold: %(number)s") % {"number": row.public_id}
        title = _("A hold has ended: %(about)s") % {"about": hold_words.about(row)}
        return Section(title, (text, number), self.address("shop_holds"))

    def tax_invoice(self, row: TaxInvoice) -> Section:
        told = {
            "number": row.number,
            "month": f"{row.month:%Y-%m}",
            "original": f"{row.original_month:%Y-%m}",
            "reason": row.get_reason_code_display(),
            "supply": self._amount(row.supply),
            "vat": self._amount(row.vat),
            "all": self._amount(row.supply + row.vat),
        }
        lines = [_("For %(month)s: supply %(supply)s, VAT %(vat)s, together %(all)s.") % told]
        title = _("Tax invoice %(number)s was issued") % told
        if row.is_correction:
            title = _("Corrected tax invoice %(number)s was issued") % told
            lines.append(_("It corrects what %(original)s was charged: %(reason)s.") % told)
        return Section(title, tuple(lines), self.address("shop_tax_invoice", row.public_id))

    def contract(self, row: SellerContract) -> Section:
        told = {"number": row.number, "day": row.valid_from.isoformat()}
        lines = (
            _("Version %(number)s of your contract is in force from %(day)s.") % told,
            _("What it says, and your fees by it, are on the page of your fees."),
        )
        title = _("Your contract changes on %(day)s") % told
        return Section(title, lines, self.address("shop_fees"))

    def fees(
        self, row: FeeScheduleVersion, before: FeeScheduleVersion, changed: list[Difference]
    ) -> Section:
        told = {
            "day": row.valid_from.isoformat(),
            "schedule": row.schedule.name,
            "number": row.number,
        }
        lines = [
            _(
                "Version %(number)s of “%(schedule)s” holds for what buyers pay from %(day)s on. "
                "This changes in your categories:"
            )
            % told,
            *(self._vat(before, row) if row.vat_rate_ppm != before.vat_rate_ppm else ()),
            *_first([self._rate(pair, before, row) for pair in changed], MOST_RATES),
            _("Where your contract agrees on something else, that stays as it is."),
        ]
        title = _("Your fees change on %(day)s") % told
        return Section(title, tuple(lines), self.address("shop_fees"))

    def _vat(self, before: FeeScheduleVersion, after: FeeScheduleVersion) -> tuple[str]:
        told = {
            "before": percents.show(before.vat_rate_ppm),
            "after": percents.show(after.vat_rate_ppm),
        }
        return (_("- VAT on fees: from %(before)s to %(after)s") % told,)

    def _rate(self, pair: Difference, before: FeeScheduleVersion, after: FeeScheduleVersion) -> str:
        code = pair.rule.component
        name = self._components.get(code, code)
        where = ", ".join(rule_words.conditions(pair.rule)) or _("all lines")
        was = pair.before and _says(pair.before, before)
        now = pair.after and _says(pair.after, after)
        told = {"name": name, "where": where, "before": was, "after": now}
        if not was:
            return _("- %(name)s, %(where)s: %(after)s (new)") % told
        if not now:
            return _("- %(name)s, %(where)s: %(before)s no longer applies") % told
        return _("- %(name)s, %(where)s: from %(before)s to %(after)s") % told

    def _kept(self, row: Hold, disputed: Disputed | None) -> str:
        if row.kind == Hold.Kind.EXCLUSION:
            return _("Nothing of it is paid out.")
        if row.kind == Hold.Kind.PAYMENT:
            return _("It is not paid out as long as the hold lasts.")
        if row.amount is not None:
            return _("At most %(amount)s is held back.") % {"amount": self._amount(row.amount)}
        if disputed is not None:
            told = {"units": disputed.units, "amount": self._amount(disputed.worth)}
            return _("Units of the claim that are held back: %(units)s, worth %(amount)s.") % told
        if row.claim_id:
            return _("What the units of the claim are worth to you is held back.")
        if row.invoice_month:
            return _("What no invoice covers is held back.")
        return _("What is left to you of this order line is held back.")

    def _figures(self, row: Statement) -> list[str]:
        """The sum that ends with the payout, without what is nothing in it."""
        withheld = row.withholding_income + row.withholding_local
        parts = [
            (_("Lines: %(amount)s"), row.net),
            (_("Carried in: %(amount)s"), row.carry_in),
            (_("Given back from holds: %(amount)s"), row.released_holds),
            (_("Held back: %(amount)s"), -row.hold_taken),
            (_("Into the reserve: %(amount)s"), -row.reserve),
            (_("Given back from the reserve: %(amount)s"), row.reserve_released),
            (_("Tax withheld: %(amount)s"), -withheld),
            (_("Invoiced to you: %(amount)s"), row.debt_invoiced),
            (_("Carried on to the next statement: %(amount)s"), row.carry_out),
        ]
        return [text % {"amount": self._amount(amount)} for text, amount in parts if amount]

    def _amount(self, amount: int) -> str:
        return money.format_amount(
            amount,
            currency=self._market.currency,
            exponent=self._market.currency_exponent,
            locale=get_language() or self._market.locale,
        )


def _says(rule, version: FeeScheduleVersion) -> str:
    charge = rule_words.charge(rule, version.vat_rate_ppm)
    if rule.date_from is None and rule.date_to is None:
        return charge
    return f"{charge} ({rule_words.days(rule)})"


def _seal(seal: dict | None) -> tuple[str, ...]:
    """The proof of a statement: the seal as seals.with_seal() gives it."""
    if seal is None:
        return ()
    return (
        "",
        _("Proof of this statement. Keep this letter: a bundle made anew later does not fit it."),
        _("Number in the chain: %(number)s") % seal,
        _("Head: %(head)s") % seal,
        _("Signature (Ed25519): %(signature)s") % seal,
        _("Signing key: %(key)s") % seal,
    )


def _first(lines: list[str], most: int) -> list[str]:
    """As many lines as a letter should have, and how many there are beside them."""
    if len(lines) <= most:
        return lines
    more = _("- and %(count)s more, see the page") % {"count": len(lines) - most}
    return [*lines[:most], more]
