"""The shares of final revenue reports: worked out by the night, and settled as adjustments.

The first settlement of a report chooses its terms, as a sale does; every later one settles the
difference by the same terms. What comes of it is an adjustment that nobody has to approve, since
a report and published rules say all of it (docs/decisions/0022).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count
from django.utils import translation
from django.utils.translation import gettext

from listings import kind_words
from marketplace import changes, states, tenancy
from settlements import adjusting, adjustments, fees, rate_cards, runs, shares
from settlements.fees import Explanation, Terms
from settlements.models import Adjustment, LineTerms, RevenueReport, RevenueShare
from settlements.rating import RateBook

State = RevenueReport.State


@dataclass(frozen=True, slots=True)
class Explained:
    """How the share of a settled report comes about: what each component keeps, and the rest."""

    amount: int
    components: tuple[Explanation, ...]
    share: int


def waiting(on: date) -> dict[int, int]:
    """How many reports of each seller the night of a day has to settle."""
    rows = RevenueReport.objects.to_settle(on).values_list("seller_id")
    return dict(rows.annotate(Count("pk")))


def months(on: date) -> set[date]:
    """The months of what the night of a day has to settle."""
    return set(RevenueReport.objects.to_settle(on).dates("basis_on", "month"))


def share(*, on: date, first_seller: int, end_seller: int, at: datetime) -> int:
    """Make adjustments of the final reports of some sellers; returns how many reports.

    The caller holds the transaction, has entered the marketplace, and settles adjustments after
    it. Repeating finds none.
    """
    rows = list(
        RevenueReport.objects.to_settle(on)
        .filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
        .select_related("seller")
        .select_for_update(of=("self",), no_key=True)
        .order_by("seller_id", "pk")
    )
    if not rows:
        return 0
    sellers = {row.seller_id for row in rows}
    book = RateBook(on=on, first_seller=first_seller, end_seller=end_seller, only=sellers)
    _choose_terms([row for row in rows if row.terms_id is None], book)
    stored = runs.StoredTerms(book)
    settled = [_settled(row, stored[row.terms_id], at) for row in rows]
    made = [row.adjustment for row in settled if row.adjustment is not None]
    Adjustment.objects.bulk_create(made, batch_size=2000)
    RevenueShare.objects.bulk_create(settled, batch_size=2000)
    changed = ["terms", "tax_kind", "settled_amount", "share"]
    RevenueReport.objects.bulk_update(rows, changed, batch_size=1000)
    moved = RevenueReport.objects.filter(pk__in=[row.pk for row in rows])
    states.move_many(moved, State.SETTLED, by=None, at=at)
    if made:
        for reason in sorted({row.reason_code for row in made}):
            adjusting.name_account(reason)
        told = [(row.public_id, row.seller_id, {}) for row in made]
        changes.announce_many("adjustment.approved", told, at=at)
    return len(rows)


def coming(
    book: RateBook, *, first_seller: int, end_seller: int
) -> Iterator[tuple[RevenueReport, int, str]]:
    """The final reports of some sellers that wait for their night.

    Each with the share that it will add, before VAT, and the tax kind of that. Changes nothing.
    """
    rows = RevenueReport.objects.filter(
        state=State.FINAL, seller_id__gte=first_seller, seller_id__lt=end_seller
    )
    stored = runs.StoredTerms(book)
    for row in rows.select_related("seller").order_by("seller_id", "pk"):
        if row.terms_id is None:
            terms, tax_kind = _terms_of(row, book), _tax_kind(row, book)
        else:
            terms, tax_kind = stored[row.terms_id], row.tax_kind
        yield row, shares.difference(terms, row.settled_amount, row.amount), tax_kind


def explained(report: RevenueReport) -> Explained | None:
    """How what was settled of a report comes about; None before its first settlement."""
    if report.terms_id is None:
        return None
    key = LineTerms.objects.values_list("key", flat=True).get(pk=report.terms_id)
    terms, amount = rate_cards.stored_terms(key), report.settled_amount
    components = fees.explain(terms, 1 if amount else 0, amount)
    return Explained(amount, components if amount else (), shares.of(terms, amount).share)


def _choose_terms(rows: list[RevenueReport], book: RateBook) -> None:
    """Give reports the terms of their day, by which they are settled from now on."""
    used: dict[int, Terms] = {}
    for row in rows:
        terms = _terms_of(row, book)
        row.terms_id = runs.terms_id_of(tenancy.current_id(), terms)
        row.tax_kind = _tax_kind(row, book)
        used[row.terms_id] = terms
    runs.store_terms(used)


def _terms_of(row: RevenueReport, book: RateBook) -> Terms:
    # What is shared no buyer paid, so it has no VAT of a sale.
    kind = (row.stream, None, "", "", row.seller.seller_type, False)
    day = book.seller_day(row.seller_id, row.on)
    return (day.plans.get(kind) or day.plan(kind, row.on)).terms(row.amount)


def _tax_kind(row: RevenueReport, book: RateBook) -> str:
    contract = book.contract(row.seller_id, row.on)
    agreed = contract.supply_tax if contract else ""
    return agreed or shares.tax_kind(row.seller.seller_type)


def _settled(row: RevenueReport, terms: Terms, at: datetime) -> RevenueShare:
    """Settle a report in memory: the share that its amount adds to what was settled before."""
    difference = shares.difference(terms, row.settled_amount, row.amount)
    settled = RevenueShare(
        report=row,
        version=row.version,
        amount_before=row.settled_amount,
        amount=row.amount,
        share=difference,
        basis_on=row.basis_on,
    )
    if difference:
        settled.adjustment = Adjustment(
            seller_id=row.seller_id,
            state=Adjustment.State.APPROVED,
            amount=difference,
            tax_kind=row.tax_kind,
            reason_code=adjustments.reason_of(row.stream),
            reason=_reason(row),
            document=row.public_id,
            basis_on=row.basis_on,
            requested_at=at,
        )
    row.settled_amount, row.share = row.amount, row.share + difference
    return settled


def _reason(row: RevenueReport) -> str:
    with translation.override(tenancy.current().locale):
        words = {
            "stream": kind_words.name(row.stream),
            "app": f" ({row.app})" if row.app else "",
            "on": row.on.isoformat(),
            "version": row.version,
        }
        if row.settled_amount or row.share:
            text = gettext("Correction of %(stream)s%(app)s of %(on)s, version %(version)s")
        else:
            text = gettext("Share of %(stream)s%(app)s of %(on)s, version %(version)s")
        return text % words
