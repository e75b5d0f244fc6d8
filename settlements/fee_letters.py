"""Sellers are told of new fees: which sellers, of which rates, and how many have been told.

A seller is told what is charged otherwise in the categories of his listings. Where a seller has no
listing it is not known what he sells, so he is told all of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, OuterRef, Q, Subquery

from listings.models import Listing
from marketplace import changes, jobs, outbox
from marketplace.models import JobRun, Marketplace
from sellers.models import Seller
from settlements import letter_gathering, letter_kinds, rate_cards, schedule_comparison
from settlements.models import FeeScheduleVersion, SellerContract, SellerLetter, SellerNotice
from settlements.schedule_comparison import Difference, Scope

JOB = "fee_letters"
TOPIC = letter_kinds.FEES_PUBLISHED

# Whoever waits to be let in, or has left, is charged nothing.
TOLD_STATES = (
    Seller.State.ACTIVE,
    Seller.State.RESTRICTED,
    Seller.State.SUSPENDED,
    Seller.State.TERMINATING,
)
_ENDED = (
    SellerLetter.State.SENT,
    SellerLetter.State.UNSAID,
    SellerLetter.State.KEPT,
    *SellerLetter.TROUBLED,
)


@dataclass(frozen=True, slots=True)
class Told:
    """How many sellers were told of a version, and when."""

    sellers: int
    sent: int
    waiting: int
    in_trouble: int  # letters that failed, or of which it is not known
    unconcerned: int
    unmailed: int  # switched off by the marketplace, or written in a test one
    first_at: datetime | None
    last_at: datetime | None


def about(version: FeeScheduleVersion) -> str:
    """What a version is called in the change feed and in notices."""
    return f"{version.schedule.code}/{version.number}"


def announce(version: FeeScheduleVersion, *, at: datetime) -> None:
    """Tell of a version that was just published: everybody by the feed, sellers by letter.

    The first version of a schedule changes nothing for a seller, who is told nothing of it; the
    first fees of a marketplace are no news to anybody.
    """
    if not FeeScheduleVersion.objects.published().exclude(pk=version.pk).exists():
        return
    before = schedule_comparison.live(version)
    counts = schedule_comparison.counts(before, version) if before else {}
    changes.announce(
        "fees.published",
        about(version),
        at=at,
        schedule=version.schedule.code,
        version=version.number,
        valid_from=version.valid_from.isoformat(),
        changed=counts.get(schedule_comparison.CHANGED, 0),
        added=counts.get(schedule_comparison.ADDED, 0),
        removed=counts.get(schedule_comparison.REMOVED, 0),
    )
    if before is not None:
        outbox.add(TOPIC, version_id=version.pk, before_id=before.pk)


def begin(marketplace: Marketplace, *, at: datetime, version_id: int, before_id: int) -> None:
    """Have every seller told who is charged by a version; a handler of the outbox.

    Writing a notice twice changes nothing, so nobody is told twice.
    """
    versions = FeeScheduleVersion.objects.select_related("schedule").in_bulk(
        [version_id, before_id]
    )
    version, before = versions[version_id], versions[before_id]
    sellers = list(_charged_by(version))
    categories = _categories({seller.pk for seller in sellers})
    scopes = _Scopes(schedule_comparison.scopes(before, version))
    is_new_vat = before.vat_rate_ppm != version.vat_rate_ppm
    notices = []
    for seller in sellers:
        concerns = is_new_vat or scopes.concern(seller, categories.get(seller.pk))
        notices.append(
            SellerNotice(
                seller=seller,
                kind=letter_kinds.FEES,
                event=TOPIC,
                about=about(version),
                data={"version": version_id, "before": before_id},
                happened_at=at,
                skipped="" if concerns else letter_kinds.NOT_CONCERNED,
            )
        )
    letter_gathering.write(notices)
    concerned = sum(not notice.skipped for notice in notices)
    job = jobs.begin(JOB, about(version), at=at, on=version.valid_from, total=concerned)
    if not concerned:
        jobs.finish(job, at=at, counts={"sent": 0, "failed": 0})


def note_progress(*, at: datetime) -> None:
    """Tell how far sellers have been told of new fees."""
    # Locked, so that of two who record the last letters at once the second one sees them all.
    running = JobRun.objects.filter(kind=JOB, state=JobRun.State.RUNNING)
    for job in running.select_for_update(no_key=True).order_by("pk"):
        notices = SellerNotice.objects.filter(event=TOPIC, about=job.key, skipped="")
        ended = notices.filter(letter__state__in=_ENDED).aggregate(
            all=Count("pk"), failed=Count("pk", Q(letter__state__in=SellerLetter.TROUBLED))
        )
        counts = {"sent": ended["all"] - ended["failed"], "failed": ended["failed"]}
        if counts != job.counts:
            jobs.progress(job, ended["all"], counts=counts)
        if ended["all"] >= job.total:
            jobs.finish(job, at=at)


def told(version: FeeScheduleVersion) -> Told:
    """How many sellers have been told of a version until now; one query."""
    notices = SellerNotice.objects.filter(event=TOPIC, about=about(version))
    is_told, state = Q(skipped=""), SellerLetter.State
    found = notices.aggregate(
        sellers=Count("pk"),
        sent=Count("pk", is_told & Q(letter__state=state.SENT)),
        in_trouble=Count("pk", is_told & Q(letter__state__in=SellerLetter.TROUBLED)),
        waiting=Count(
            "pk",
            is_told & (Q(letter=None) | Q(letter__state__in=[state.WAITING, state.SENDING])),
        ),
        unconcerned=Count("pk", Q(skipped=letter_kinds.NOT_CONCERNED)),
        unmailed=Count(
            "pk", Q(skipped=letter_kinds.SWITCHED_OFF_HERE) | Q(letter__state=state.KEPT)
        ),
        first_at=Min("letter__sent_at"),
        last_at=Max("letter__sent_at"),
    )
    return Told(**found)


class Comparisons:
    """What versions of fees change, each compared once for all letters that are written by it."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], Change] = {}

    def of(self, pairs: Iterable[tuple[int, int]]) -> "dict[tuple[int, int], Change]":
        """Changes by the ids of version and version before; queries for new ones alone."""
        wanted = set(pairs)
        if new := wanted - self._found.keys():
            rows = FeeScheduleVersion.objects.select_related("schedule")
            versions = rows.in_bulk({key for pair in new for key in pair})
            for after, before in new:
                self._found[after, before] = Change(versions[after], versions[before])
        return {pair: self._found[pair] for pair in wanted}


class Change:
    """A version of fees against the one before it."""

    def __init__(self, after: FeeScheduleVersion, before: FeeScheduleVersion):
        self.after, self.before = after, before
        self._differences = schedule_comparison.charged_otherwise(before, after)
        self._by_category: dict[int | None, list[int]] = defaultdict(list)
        for place, pair in enumerate(self._differences):
            self._by_category[pair.rule.category_id].append(place)

    @property
    def is_new_vat(self) -> bool:
        """Whether the VAT on fees is another one."""
        return self.after.vat_rate_ppm != self.before.vat_rate_ppm

    def of_seller(self, seller: Seller, categories: set[int] | None) -> list[Difference]:
        """What is charged otherwise of a seller in some categories, in the order of the rules.

        Without categories it is not known what he sells, and all of it counts.
        """
        if categories is None:
            places: Iterable[int] = range(len(self._differences))
        else:
            own = (self._by_category.get(key, ()) for key in {None, *categories})
            places = sorted(place for found in own for place in found)
        return [
            pair
            for pair in (self._differences[place] for place in places)
            if _is_for(pair.rule.seller_type, pair.rule.seller_id, seller)
        ]


class Changes:
    """What some notices of new fees tell each seller; one query beside the comparisons."""

    def __init__(self, notices: Iterable[SellerNotice], comparisons: Comparisons):
        rows = list(notices)
        self._changes = comparisons.of(map(_pair, rows))
        self._categories = _categories({row.seller_id for row in rows}) if rows else {}

    def of(self, notice: SellerNotice) -> tuple[Change, list[Difference]]:
        """The change that a notice is about, and what of it concerns the seller."""
        change = self._changes[_pair(notice)]
        categories = self._categories.get(notice.seller_id)
        return change, change.of_seller(notice.seller, categories)


def _pair(notice: SellerNotice) -> tuple[int, int]:
    return notice.data["version"], notice.data["before"]


class _Scopes:
    """Whom the rules are for that differ, asked seller by seller."""

    def __init__(self, scopes: Iterable[Scope]):
        self._by_category: dict[int | None, list[Scope]] = defaultdict(list)
        for scope in scopes:
            self._by_category[scope.category_id].append(scope)

    def concern(self, seller: Seller, categories: set[int] | None) -> bool:
        keys = self._by_category if categories is None else {None, *categories}
        return any(
            _is_for(scope.seller_type, scope.seller_id, seller)
            for key in keys
            for scope in self._by_category.get(key, ())
        )


def _is_for(seller_type: str, seller_id: int | None, seller: Seller) -> bool:
    return seller_type in ("", seller.seller_type) and seller_id in (None, seller.pk)


def _charged_by(version: FeeScheduleVersion):
    """The sellers who are charged by a schedule on the first day of its version."""
    contracts = SellerContract.objects.published().filter(
        seller=OuterRef("pk"), valid_from__lte=version.valid_from
    )
    named = Subquery(contracts.order_by("-valid_from").values("schedule_id")[:1])
    is_charged = Q(named=version.schedule_id)
    if version.schedule.code == rate_cards.STANDARD:
        is_charged |= Q(named=None)
    sellers = Seller.objects.filter(state__in=TOLD_STATES).annotate(named=named)
    return sellers.filter(is_charged).order_by("pk")


def _categories(sellers: Collection[int]) -> dict[int, set[int]]:
    """The categories of sellers' listings with all above them; one query."""
    rows = Listing.objects.filter(
        seller__in=sellers, live_revision__category__isnull=False
    ).exclude(state=Listing.State.CLOSED)
    found: dict[int, set[int]] = defaultdict(set)
    paths = rows.values_list("seller_id", "live_revision__category__path").distinct().order_by()
    for seller_id, path in paths:
        found[seller_id].update(path)
    return dict(found)
