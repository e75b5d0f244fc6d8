"""Rehearse fees: replay a version over a past period, by workers, and keep what came of it.

A rehearsal is a job of shards of sellers, each served whole in a transaction of its own, so it
can be seen going on, and goes on where a killed worker left it. It changes nothing that was
settled. How a line is replayed is settlements.replays' business.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, Greatest

from marketplace import audit, jobs, outbox, tenancy, versions
from marketplace.models import JobRun, JobShard
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller
from settlements import nights, rate_cards, replays
from settlements.fee_rules import SALE_VAT
from settlements.models import FeeRehearsal, FeeRehearsalRow, FeeScheduleVersion, Statement
from settlements.replays import Replayed

JOB: Final = "fee_rehearsal"
TOPIC: Final = "fee_rehearsal.asked"
LONGEST: Final = timedelta(days=366)
_FIGURES: Final = (
    "lines",
    "sales",
    "fee_before",
    "vat_before",
    "net_before",
    "fee_after",
    "vat_after",
    "net_after",
    "gain",
)
# How much more or less sellers keep, as a share of what they kept: up to 1 %, up to 5 %, beyond.
# A seller who kept nothing gains or loses beyond every share.
STEPS: Final = {
    "much_less": Q(scaled__lt=-5 * F("kept")),
    "less": Q(scaled__gte=-5 * F("kept"), scaled__lt=-F("kept")),
    "little_less": Q(scaled__gte=-F("kept"), gain__lt=0),
    "same": Q(gain=0),
    "little_more": Q(gain__gt=0, scaled__lte=F("kept")),
    "more": Q(scaled__gt=F("kept"), scaled__lte=5 * F("kept")),
    "much_more": Q(scaled__gt=5 * F("kept")),
}

Subject = FeeRehearsalRow.Subject
_State = JobRun.State


class BadPeriod(Refused):
    code = "bad_rehearsal_period"
    message = gettext_noop(
        "The period must end on or after its first day, be at most %(days)s days long, and end by "
        "the last closed day, %(closed_on)s."
    )


class NothingClosed(Refused):
    code = "nothing_to_rehearse"
    message = gettext_noop("No day has been closed yet: there is nothing to replay fees over.")


class UnderWay(Refused):
    code = "rehearsal_under_way"
    message = gettext_noop("A rehearsal of this version is under way. Wait for its end.")


class ChangedMeanwhile(Refused):
    code = "changed_while_rehearsed"
    message = gettext_noop("The version was changed while it was replayed. Rehearse it again.")


@dataclass(frozen=True, slots=True)
class Totals:
    """What sellers keep of the lines of a rehearsal, before and after, and what takes it."""

    lines: int
    sales: int
    fee_before: int
    vat_before: int
    net_before: int
    fee_after: int
    vat_after: int
    net_after: int
    gain: int


def ask(
    version: FeeScheduleVersion, *, first_on: date, last_on: date, by, at: datetime
) -> FeeRehearsal:
    """Ask for a version to be replayed over the lines of a period; a worker will do it.

    Raises NothingClosed, BadPeriod, UnderWay, or schedules.Unpublishable where the version could
    not charge at all.
    """
    closed_on = tenancy.current().last_closed_on
    if closed_on is None:
        raise NothingClosed()
    if not first_on <= last_on <= closed_on or last_on - first_on > LONGEST:
        raise BadPeriod(days=LONGEST.days, closed_on=closed_on)
    rate_cards.read_schedule(version).ensure_publishable()
    with transaction.atomic():
        # The lock makes the second of two who ask at once see the first one's.
        FeeScheduleVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
        if of_version(version).exclude(job__state__in=(_State.DONE, _State.FAILED)).exists():
            raise UnderWay()
        number = of_version(version).count() + 1
        job = JobRun.objects.create(kind=JOB, key=f"{version.pk}-{number}", on=last_on)
        rehearsal = FeeRehearsal.objects.create(
            version=version,
            job=job,
            fingerprint=versions.fingerprint(version),
            first_on=first_on,
            last_on=last_on,
        )
        outbox.add(TOPIC, job_id=job.pk)
        period = {"first_on": first_on.isoformat(), "last_on": last_on.isoformat()}
        audit.record("fees.rehearsed", by=by, at=at, obj=version, data=period)
    return rehearsal


def of_version(version: FeeScheduleVersion):
    """The rehearsals of a version, newest first."""
    return FeeRehearsal.objects.filter(version=version).select_related("job").order_by("-pk")


def valid(version: FeeScheduleVersion) -> FeeRehearsal | None:
    """The newest finished rehearsal of what the version says now."""
    done = of_version(version).filter(job__state=_State.DONE)
    return done.filter(fingerprint=versions.fingerprint(version)).first()


def advance(marketplace_id: int, job_id: int, *, at: datetime) -> list[int]:
    """Take a rehearsal on: begin it, or end it; returns the shards that are left to serve."""
    with tenancy.use(marketplace_id, durable=True):
        held = JobRun.objects.select_for_update(skip_locked=True, no_key=True)
        job = held.filter(pk=job_id, kind=JOB).first()
        if job is None or job.state in (_State.DONE, _State.FAILED):
            return []
        if job.state == _State.QUEUED:
            job = jobs.begin(JOB, job.key, at=at)
        rehearsal = FeeRehearsal.objects.select_related("version").get(job=job)
        if "shards" not in job.counts:
            jobs.cut(job, nights.ranges(_weights(rehearsal), settings.LINES_A_SHARD))
        if shards := jobs.undone(job):
            jobs.refresh(job)
            return shards
        _end(rehearsal, job, at)
    return []


def serve_shard(marketplace_id: int, shard_id: int, *, at: datetime) -> bool:
    """Replay one shard whole, or nothing of it; False when it is done or in other hands."""
    with tenancy.use(marketplace_id, durable=True):
        if not jobs.attempt(shard_id):
            return False
    with tenancy.use(marketplace_id, durable=True) as marketplace:
        shard = jobs.claim_shard(shard_id)
        if shard is None:
            return False
        rehearsal = FeeRehearsal.objects.select_related("version").get(job=shard.job)
        counts = _replay(rehearsal, shard, on=marketplace.last_closed_on)
        jobs.finish_shard(shard, counts=counts)
        jobs.refresh(shard.job)
    return True


def is_served(marketplace_id: int, job_id: int) -> bool:
    """Whether no shard of a rehearsal is left to serve."""
    with tenancy.use(marketplace_id):
        return not jobs.undone(JobRun.objects.get(pk=job_id))


def run(marketplace_id: int, job_id: int, *, at: datetime) -> None:
    """Do a whole rehearsal in this process alone."""
    while shards := advance(marketplace_id, job_id, at=at):
        for shard_id in shards:
            serve_shard(marketplace_id, shard_id, at=at)


def totals(rehearsal: FeeRehearsal) -> Totals:
    """The sums over all sellers."""
    names = [(name, Coalesce(Sum(name), 0)) for name in _FIGURES]
    return Totals(**rehearsal.rows.of(Subject.SELLER).aggregate(**dict(names)))


def distribution(rehearsal: FeeRehearsal) -> dict[str, int]:
    """How many sellers gain or lose how much, by the steps of STEPS."""
    rows = rehearsal.rows.of(Subject.SELLER).annotate(
        scaled=F("gain") * 100, kept=Greatest("net_before", 0)
    )
    return rows.aggregate(**{name: Count("pk", filter=step) for name, step in STEPS.items()})


def lines_of(rehearsal: FeeRehearsal, seller: Seller) -> Iterator[Replayed]:
    """The seller's lines of the period, replayed again by what the version says now."""
    return replays.replay(
        rehearsal.version,
        on=tenancy.current().last_closed_on,
        first_on=rehearsal.first_on,
        last_on=rehearsal.last_on,
        first_seller=seller.pk,
        end_seller=seller.pk + 1,
    )


def _weights(rehearsal: FeeRehearsal) -> list[tuple[int, int]]:
    """Sellers who have lines in the period, with about how many."""
    rows = (
        Statement.objects.filter(
            first_basis_on__lte=rehearsal.last_on, last_basis_on__gte=rehearsal.first_on
        )
        .values_list("seller_id")
        .annotate(Sum("lines"))
        .order_by("seller_id")
    )
    return [(seller_id, int(lines)) for seller_id, lines in rows]


def _replay(rehearsal: FeeRehearsal, shard: JobShard, *, on: date) -> dict[str, int]:
    sums: dict[tuple, list[int]] = defaultdict(lambda: [0] * len(_FIGURES))
    counts = {"lines": 0, "differing": 0}
    lines = replays.replay(
        rehearsal.version,
        on=on,
        first_on=rehearsal.first_on,
        last_on=rehearsal.last_on,
        first_seller=shard.first_key,
        end_seller=shard.end_key,
    )
    for line in lines:
        counts["lines"] += 1
        counts["differing"] += not line.agrees
        _add(sums, line)
    _store(rehearsal, sums)
    return counts


def _add(sums: dict[tuple, list[int]], line: Replayed) -> None:
    before, after = line.booked, line.after
    figures = (1, line.sales, *before[2:], *after[2:], line.gain)
    _sum(sums[Subject.SELLER, line.seller_id, None, ""], figures)
    _sum(sums[Subject.CATEGORY, None, line.category_id, ""], figures)
    named = set()
    for side, (fee_at, net_at) in ((before, (2, 4)), (after, (5, 7))):
        for (component, is_on_top), (_, fee, vat) in zip(side.parts, side.charged, strict=True):
            if component == SALE_VAT:
                continue  # no fee, and on both sides the same
            row = sums[Subject.COMPONENT, None, None, component]
            taken = fee + vat if is_on_top else fee
            row[fee_at] += fee
            row[fee_at + 1] += vat
            row[net_at] -= taken
            row[8] += taken if side is before else -taken
            if component not in named:
                named.add(component)
                row[0] += 1
                row[1] += line.sales


def _sum(row: list[int], figures: tuple[int, ...]) -> None:
    for at, figure in enumerate(figures):
        row[at] += figure


def _store(rehearsal: FeeRehearsal, sums: dict[tuple, list[int]]) -> None:
    """Add to the rows of the rehearsal; to those that shards share, one shard at a time."""
    rows = [
        FeeRehearsalRow(
            rehearsal=rehearsal,
            subject=subject,
            seller_id=seller_id,
            category_id=category_id,
            component=component,
            **dict(zip(_FIGURES, figures, strict=True)),
        )
        for (subject, seller_id, category_id, component), figures in sums.items()
    ]
    fresh = [row for row in rows if row.subject == Subject.SELLER]  # sellers are in one shard
    FeeRehearsalRow.objects.bulk_create(fresh, batch_size=2000)
    # The job's row is the lock.
    JobRun.objects.select_for_update(no_key=True).get(pk=rehearsal.job_id)
    shared = {
        (row.subject, row.category_id, row.component): row
        for row in rehearsal.rows.exclude(subject=Subject.SELLER)
    }
    new, grown = [], []
    for row in rows:
        if row.subject == Subject.SELLER:
            continue
        known = shared.get((row.subject, row.category_id, row.component))
        if known is None:
            new.append(row)
            continue
        for name in _FIGURES:
            setattr(known, name, getattr(known, name) + getattr(row, name))
        grown.append(known)
    FeeRehearsalRow.objects.bulk_update(grown, _FIGURES, batch_size=500)
    FeeRehearsalRow.objects.bulk_create(new, batch_size=2000)


def _end(rehearsal: FeeRehearsal, job: JobRun, at: datetime) -> None:
    if jobs.is_parked(job):
        jobs.fail(job, str(nights.Parked()), at=at)
        return
    if versions.fingerprint(rehearsal.version) != rehearsal.fingerprint:
        jobs.fail(job, str(ChangedMeanwhile()), at=at)
        return
    counts = jobs.totals(job)
    sellers = rehearsal.rows.of(Subject.SELLER).aggregate(
        better=Count("pk", filter=Q(gain__gt=0)), worse=Count("pk", filter=Q(gain__lt=0))
    )
    rehearsal.lines = counts.get("lines", 0)
    rehearsal.differing = counts.get("differing", 0)
    rehearsal.better_off, rehearsal.worse_off = sellers["better"], sellers["worse"]
    rehearsal.save(update_fields=["lines", "differing", "better_off", "worse_off"])
    jobs.finish(job, at=at, counts=counts)
