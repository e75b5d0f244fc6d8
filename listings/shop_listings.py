"""A seller's own listings as the seller centre shows them: what is on sale, what is worked on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count

from listings import category_picker, finding_words, reviewing
from listings.finding_words import Segment, Told
from listings.models import Finding, Listing, Revision
from marketplace import paging
from sellers.models import Seller

ALL: Final = "all"
TO_MEND: Final = "to_mend"
IN_REVIEW: Final = "in_review"
ON_SALE: Final = "on_sale"
STOPPED: Final = "stopped"
TABS: Final = (ALL, TO_MEND, IN_REVIEW, ON_SALE, STOPPED)
AT_ONCE: Final = 200  # listings that one press may pause, resume or close
_STOPPED = (Listing.State.PAUSED_BY_SELLER, Listing.State.SUSPENDED_BY_PLATFORM)


@dataclass(frozen=True, slots=True)
class Row:
    """A listing with its live revision and the newest, which may be the same."""

    listing: Listing
    newest: Revision
    findings: int

    @property
    def shown(self) -> Revision:
        return self.listing.live_revision or self.newest

    @property
    def draft(self) -> Revision | None:
        return _draft(self.listing, self.newest)


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a page about one listing tells."""

    listing: Listing
    newest: Revision
    category: str
    title: Sequence[Segment]
    description: Sequence[Segment]
    findings: Sequence[Told]

    @property
    def draft(self) -> Revision | None:
        return _draft(self.listing, self.newest)

    @property
    def blocks(self) -> bool:
        return any(told.finding.severity == Finding.Severity.BLOCK for told in self.findings)


def listings(seller: Seller, tab: str, parameters) -> paging.Page:
    """A page of the seller's listings, newest first, as Row."""
    rows = Listing.objects.filter(seller=seller)
    revisions = Revision.objects.order_by()
    if tab == TO_MEND:
        rows = rows.filter(pk__in=revisions.to_mend().values("listing_id"))
    elif tab == IN_REVIEW:
        waiting = revisions.filter(state=Revision.State.SUBMITTED)
        rows = rows.filter(pk__in=waiting.values("listing_id"))
    elif tab == ON_SALE:
        rows = rows.filter(state=Listing.State.ON_SALE)
    elif tab == STOPPED:
        rows = rows.filter(state__in=_STOPPED)
    page = paging.page(parameters, rows.select_related("live_revision"))
    newest = _newest(page.rows)
    found = Counter(
        dict(
            Finding.objects.filter(revision__in=newest.values())
            .order_by()
            .values_list("revision_id")
            .annotate(count=Count("pk"))
        )
    )
    told = [Row(listing, newest[listing.pk], found[newest[listing.pk].pk]) for listing in page.rows]
    return paging.Page(told, page.newer, page.older)


def listing(seller: Seller, public_id: str) -> Page | None:
    """One listing with its findings in words and at their places; None for another's."""
    found = Listing.objects.filter(seller=seller, public_id=public_id)
    row = found.select_related("live_revision", "seller").first()
    if row is None:
        return None
    newest = _newest([row])[row.pk]
    newest.listing = row
    findings = list(newest.findings.select_related("pack").order_by("field", "start", "pk"))
    rules = reviewing.rules_of(findings[0].pack) if findings else {}
    ways = category_picker.ways([newest.category] if newest.category else [])
    return Page(
        listing=row,
        newest=newest,
        category=ways.get(newest.category_id, ""),
        title=_segments(newest, "title", findings),
        description=_segments(newest, "description", findings),
        findings=finding_words.tell(findings, rules),
    )


def _draft(listing: Listing, newest: Revision) -> Revision | None:
    """What is still worked on; of a closed listing nothing is."""
    is_over = listing.state == Listing.State.CLOSED or newest.state == Revision.State.APPROVED
    return None if is_over else newest


def _segments(revision: Revision, field: str, findings: Sequence[Finding]) -> list[Segment]:
    here = [finding for finding in findings if finding.field == field]
    return finding_words.segments(getattr(revision, field), here)


def _newest(rows: Sequence[Listing]) -> dict[int, Revision]:
    revisions = Revision.objects.filter(listing__in=[row.pk for row in rows])
    revisions = revisions.order_by("listing_id", "-number").distinct("listing_id")
    return {revision.listing_id: revision for revision in revisions.select_related("category")}
