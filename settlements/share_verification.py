"""The shares of revenue reports against their inputs, recomputed by the function that made them."""

from collections.abc import Iterator
from itertools import pairwise

from django.db.models import Prefetch

from settlements import rate_cards, shares
from settlements.models import LineTerms, RevenueReport, RevenueShare

_AT_ONCE = 2_000

Found = tuple[str, str, str, object, object]
"""What, which, which of its figures, what it should be, what it is."""


def differences() -> Iterator[Found]:
    """Every figure of settled reports that does not follow from what was reported."""
    parts = RevenueShare.objects.select_related("adjustment").order_by("version")
    rows = RevenueReport.objects.filter(terms__isnull=False).order_by("pk")
    rows = rows.prefetch_related(Prefetch("shares", parts, "settled_parts"), "versions")
    keys = dict(LineTerms.objects.filter(pk__in=rows.values("terms")).values_list("pk", "key"))
    terms = {pk: rate_cards.stored_terms(key) for pk, key in keys.items()}
    for report in rows.iterator(_AT_ONCE):
        for field, expected, found in _figures(report, terms[report.terms_id]):
            if expected != found:
                yield "revenue report", report.public_id, field, expected, found


def _figures(report: RevenueReport, terms) -> Iterator[tuple[str, object, object]]:
    parts = report.settled_parts
    said = {version.number: version.amount for version in report.versions.all()}
    for part in parts:
        yield "amount", said.get(part.version), part.amount
        share = shares.difference(terms, part.amount_before, part.amount)
        yield "share", share, part.share
        if (made := part.adjustment) is not None:
            right = (share, report.tax_kind, part.basis_on, report.seller_id)
            found = (made.amount, made.tax_kind, made.basis_on, made.seller_id)
            yield "adjustment", right, found
    for before, after in pairwise(parts):
        yield "settled before", before.amount, after.amount_before
    yield "settled amount", parts[-1].amount if parts else 0, report.settled_amount
    yield "settled share", sum(part.share for part in parts), report.share
