"""Journals of the double-entry ledger, each from a named template that balances for any input.

All legs of a batch of journals are inserted by one statement, which the database checks for
balance. Debit and credit are two columns; an amount below zero goes to the other side.
"""

from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from django.db import IntegrityError, connection
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import bulk, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from settlements import adjustments, chart, ledger_balances
from settlements.adjustments import PURCHASE_REASONS
from settlements.chart import (  # noqa: F401 (as whoever posts says them)
    AD_PREPAYMENT,
    BAD_DEBT,
    BANK,
    CLEARING,
    FEE_REVENUE,
    INPUT_VAT,
    INTEREST_INCOME,
    PARTNER_FUNDING,
    PAYOUT_IN_TRANSIT,
    PAYOUT_PAYABLE,
    PER_SELLER,
    PLATFORM_FUNDING,
    PROVIDER_FEE,
    PURCHASE,
    REFUNDS_DUE,
    ROUNDING,
    SALE_VAT_PAYABLE,
    SELLER_ADVANCE,
    SELLER_HELD,
    SELLER_PAYABLE,
    SELLER_RECEIVABLE,
    SELLER_RESERVE,
    SUSPENSE,
    VAT_PAYABLE,
    WITHHOLDING_INCOME,
    WITHHOLDING_LOCAL,
)
from settlements.fee_rules import SALE_VAT
from settlements.models import Account, Adjustment, DayClose, Journal, LedgerEntry, Period

REVERSAL = "reversal"  # template of a counter-entry
BY_HAND = "manual"  # template of what people enter
BY_ORDER = "clearing_item"  # template of what people enter about one order's item of clearing

PURCHASES: Final[Mapping[str, str]] = {  # accounts of what sellers supply, by its component
    component: PURCHASE + component for component in map(adjustments.component, PURCHASE_REASONS)
}
NO_REVENUE: Final[Mapping[str, str]] = {  # accounts of all components that are no fee revenue
    **PURCHASES,
    adjustments.component(adjustments.VAT_ROUNDING): ROUNDING,
    adjustments.component(adjustments.FUNDING_OFFSET): PLATFORM_FUNDING,
    **dict.fromkeys(map(adjustments.component, adjustments.FAST), SELLER_ADVANCE),
    **dict.fromkeys(map(adjustments.component, adjustments.PREPAID), AD_PREPAYMENT),
    SALE_VAT: SALE_VAT_PAYABLE,
}


class DayLocked(Refused):
    code = "ledger_day_locked"
    message = gettext_noop(
        "Nothing can be posted on %(on)s any more: the day is signed, or its month or a later one "
        "is closed. Take a day that is open."
    )


class AlreadyReversed(Refused):
    code = "journal_already_reversed"
    message = gettext_noop("The journal %(journal)s has its counter-entry already.")


class CannotReverse(Refused):
    code = "journal_is_a_reversal"
    message = gettext_noop(
        "The journal %(journal)s is a counter-entry itself. Enter what is right as a new journal."
    )


@dataclass(slots=True)
class Draft:
    """A journal to be posted: its template, what it refers to, and its legs."""

    template: str
    reference: str
    basis_on: date
    seller_id: int | None = None
    reverses_id: int | None = None
    occurred_on: date | None = None  # where basis_on is not the day itself
    legs: list[tuple[str, int, int]] = field(default_factory=list)  # account code, debit, credit

    def debit(self, code: str, amount: int) -> None:
        """Put an amount on the debit side; below zero it is a credit, and nothing is no leg."""
        if amount > 0:
            self.legs.append((code, amount, 0))
        elif amount < 0:
            self.legs.append((code, 0, -amount))

    def credit(self, code: str, amount: int) -> None:
        self.debit(code, -amount)


def component_names() -> dict[str, str]:
    """What the marketplace in use calls each fee component, by its code."""
    is_component = Q(code__startswith=chart.FEE_REVENUE) | Q(code__startswith=chart.PURCHASE)
    accounts = Account.objects.filter(is_component)
    shared = NO_REVENUE.keys() - PURCHASES.keys()  # these have no account of their own
    named = {adjustments.component(code): label for code, label in Adjustment.Reason.choices}
    named[SALE_VAT] = _("VAT of the sale")
    return {row.code.partition(":")[2]: row.label for row in accounts} | {
        component: str(named[component]) for component in sorted(shared)
    }


def fee_names() -> dict[str, str]:
    """What the components of fee schedules are called; without what stands beside sales."""
    return {
        code: name
        for code, name in component_names().items()
        if code != SALE_VAT and not code.startswith(adjustments.COMPONENT)
    }


def account_of(component: str) -> str:
    """The code of the account that a component of statements is booked to."""
    return NO_REVENUE.get(component, chart.FEE_REVENUE + component)


def post(drafts: Iterable[Draft]) -> list[Journal]:
    """Write journals with all their legs. One that was posted before is an IntegrityError.

    Raises DayLocked where a day is signed or its month closed.
    """
    drafts = list(drafts)
    accounts = _accounts({code for draft in drafts for code, _, _ in draft.legs})
    with _told_what_is_locked():
        journals = Journal.objects.bulk_create([_journal(d) for d in drafts], batch_size=2000)
    columns: tuple[list, ...] = ([], [], [], [], [], [])
    for draft, journal in zip(drafts, journals, strict=True):
        for code, debit, credit in draft.legs:
            seller_id = draft.seller_id if code in chart.PER_SELLER else None
            leg = (draft.basis_on, journal.pk, accounts[code], seller_id, debit, credit)
            for column, value in zip(columns, leg, strict=True):
                column.append(value)
    if columns[0]:
        with _told_what_is_locked(), connection.wrap_database_errors, bulk.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ledger_entry (marketplace_id, basis_on, journal_id, account_id, "
                "seller_id, debit, credit) SELECT %s, leg.* FROM unnest(%b::date[], %b::bigint[], "
                "%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[]) AS leg",
                [tenancy.current_id(), *columns],
            )
    return journals


def post_on_open_day(draft: Draft) -> Journal:
    """Post a journal on its day, or on an open one where that takes none any more.

    For what happens when it happens and cannot be refused: the answer of a bank, a deposit, a row
    of a provider's file. The journal then keeps the day on which it happened.
    """
    on = open_day(draft.basis_on)
    if on != draft.basis_on:
        draft.basis_on, draft.occurred_on = on, draft.basis_on
    open_month(on)
    [journal] = post([draft])
    return journal


def open_day(wanted: date) -> date:
    """The day itself where journals may still be posted on it, else the first one that no night
    has closed. Nobody closes the month of the day itself before this transaction has ended."""
    month = ledger_balances.first_of(wanted)
    with connection.cursor() as cursor:
        cursor.execute("SELECT lock_ledger_month(%s, %s, true)", [tenancy.current_id(), month])
    locked = (
        Period.objects.filter(month__gte=month, state=Period.State.CLOSED),
        DayClose.objects.filter(day=wanted, state=DayClose.State.SIGNED),
    )
    if not any(rows.exists() for rows in locked):
        return wanted
    market = Marketplace.objects.get(pk=tenancy.current_id())
    return (market.last_closed_on or wanted) + timedelta(days=1)


def reverse(journal: Journal, *, on: date) -> Journal:
    """Post the counter-entry of a journal, leg by leg, on a day that is open.

    Nothing is taken away: both stand. Raises AlreadyReversed, CannotReverse or DayLocked. Who may,
    and why, is for the caller to say.
    """
    if journal.reverses_id is not None:
        raise CannotReverse(journal=journal.reference)
    if Journal.objects.filter(reverses=journal).exists():
        raise AlreadyReversed(journal=journal.reference)
    entries = LedgerEntry.objects.filter(journal_id=journal.pk, basis_on=journal.basis_on)
    rows = list(entries.order_by("pk").values_list("account_id", "seller_id", "debit", "credit"))
    accounts = Account.objects.in_bulk({row[0] for row in rows})
    sellers = {seller_id for _, seller_id, _, _ in rows if seller_id is not None}
    reference = f"{journal.template}:{journal.reference}"
    draft = Draft(REVERSAL, reference[:60], on, next(iter(sellers), None), journal.pk)
    draft.legs = [
        (accounts[account_id].code, credit, debit) for account_id, _, debit, credit in rows
    ]
    [posted] = post([draft])
    return posted


def open_month(on: date) -> None:
    """Make sure that the ledger has the month of a day. Nights do it by themselves."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT open_settlement_month('ledger_entry', %s)", [on])


def _journal(draft: Draft) -> Journal:
    return Journal(
        template=draft.template,
        reference=draft.reference,
        basis_on=draft.basis_on,
        reverses_id=draft.reverses_id,
        occurred_on=draft.occurred_on,
    )


@contextmanager
def _told_what_is_locked():
    """Turn the database's refusal of a closed month or signed day into words."""
    try:
        yield
    except IntegrityError as error:
        if getattr(error.__cause__, "diag", None) and (
            error.__cause__.diag.constraint_name == "ledger_day_is_open"
        ):
            raise DayLocked(on=error.__cause__.diag.message_detail) from error
        raise


def account(code: str) -> Account:
    """A row of the system's chart, unsaved: as it stands in a marketplace that changed nothing."""
    entry = chart.of(code)
    return Account(
        code=code,
        kind=entry.kind,
        normal_side=entry.side,
        name=entry.korean,
        name_english=entry.english,
        is_per_seller=entry.is_per_seller,
        place=chart.place(code),
    )


def _accounts(codes: set[str]) -> dict[str, int]:
    """Ids by code. One that nothing was posted on before may have to be opened first."""
    known = dict(Account.objects.filter(code__in=codes).values_list("code", "pk"))
    missing = sorted(codes - known.keys())
    if missing:
        Account.objects.bulk_create([account(code) for code in missing], ignore_conflicts=True)
        known = dict(Account.objects.filter(code__in=codes).values_list("code", "pk"))
    return known
