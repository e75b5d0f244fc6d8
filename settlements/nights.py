"""The night: one business date of one marketplace, closed step by step, each step once.

What has been done stands in job rows, written in the transaction of the work itself. Whoever
calls `advance()`, as often and as many at once as may be, takes the night on from there: steps
that are one transaction are done in place, and of a step that is cut into shards the shards
still to do are returned, for workers to serve with `serve_shard()`. A night that was missed is
closed before the one after it. One seller who cannot be served is reported and left waiting; the
others are served.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import psycopg
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import BigIntegerField, Count, Sum
from django.db.models.functions import Cast

from marketplace import audit, changes, jobs, outbox, tenancy
from marketplace.jobs import NIGHT
from marketplace.models import JobRow, JobRun, Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import confirming, performance
from orders.models import OutcomeToSettle
from sellers import grades
from sellers.models import Seller
from settlements import (
    adjusting,
    advancing,
    charging_interest,
    clearing,
    commissions,
    day_closing,
    holding,
    ledger,
    ledger_matching,
    lost_lines,
    missing_files,
    month_ends,
    payouts,
    reconciliation_report,
    reconciling,
    return_costs,
    runs,
    sentinels,
    sharing,
    statements,
    tax_drawing,
)
from settlements.models import Statement

SEALED_AS_FAST = 100  # lines, as a statement without any is closed
_OBJECTS = 50_000  # more than before, between two looks for garbage in a shard
FAILED = "failed"  # head of the reported sellers that could not be served

# The database is gone or busy: nobody's fault. Streams and COPY raise the driver's own.
UNREACHABLE = (OperationalError, psycopg.OperationalError)

Counts = dict[str, int]


class NotTheNextNight(Refused):
    code = "not_the_next_night"
    message = gettext_noop("%(on)s cannot be closed now: the next day to close is %(next)s.")


class Archived(Refused):
    code = "marketplace_archived"
    message = gettext_noop("“%(marketplace)s” is archived: its nights are over.")


class NightBusy(Refused):
    code = "night_busy"
    message = gettext_noop("Somebody else is closing %(on)s right now.")


class NightFailed(Refused):
    code = "night_failed"
    message = gettext_noop("The night of %(on)s stopped at the step “%(step)s”: %(error)s")


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the night. `cut` names sellers and their weights where it is done in shards."""

    name: str
    whole: Callable[[date, datetime], Counts] | None = None
    shard: Callable[[date, datetime, int, int], Counts] | None = None
    cut: Callable[[date], list[tuple[int, int]]] | None = None  # (seller id, weight), ascending
    shard_weight: int = 1
    before: Callable[[date], None] = lambda on: None  # what it needs before it is cut

    @property
    def kind(self) -> str:
        """The kind of the step's job."""
        return f"night.{self.name}"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a night stands: closed, or at a step whose shards are still to be served."""

    is_closed: bool
    step: str = ""
    shards: tuple[int, ...] = ()


def next_on(marketplace: Marketplace) -> date:
    """The business date that has to be closed next."""
    if marketplace.last_closed_on is None:
        return marketplace.first_open_on
    return marketplace.last_closed_on + timedelta(days=1)


def last_closed(marketplace: Marketplace) -> date:
    """The business date before the next one to close, whether or not it was ever open."""
    return next_on(marketplace) - timedelta(days=1)


def due_on(marketplace: Marketplace, *, at: datetime) -> date | None:
    """The next date to close, once its closing hour has passed in the marketplace's zone."""
    on = next_on(marketplace)
    closes_at = datetime.combine(
        on + timedelta(days=1), time(marketplace.closing_hour), marketplace.tz
    )
    return on if closes_at <= at else None


def last_over(marketplace: Marketplace, *, at: datetime) -> date:
    """The last business date whose closing hour has passed in the marketplace's zone."""
    local = at.astimezone(marketplace.tz) - timedelta(hours=marketplace.closing_hour)
    return local.date() - timedelta(days=1)


def advance(marketplace_id: int, on: date, *, at: datetime) -> Progress:
    """Take the night of `on` as far as one process can alone.

    Raises NotTheNextNight out of order, NightBusy while another process does the same step, and
    NightFailed when a step cannot be done; it can then be tried again.
    """
    key = on.isoformat()
    with tenancy.use(marketplace_id, durable=True) as marketplace:
        if marketplace.last_closed_on is not None and on <= marketplace.last_closed_on:
            return Progress(is_closed=True)
        if marketplace.state == Marketplace.State.ARCHIVED:
            raise Archived(marketplace=marketplace.slug)
        if on != next_on(marketplace):
            raise NotTheNextNight(on=on, next=next_on(marketplace))
        # No rule is published for this day from here on (marketplace.versions locks the same).
        Marketplace.objects.select_for_update(no_key=True).get(pk=marketplace_id)
        jobs.begin(NIGHT, key, at=at, on=on, total=len(STEPS))
        done = set(
            JobRun.objects.filter(key=key, state=JobRun.State.DONE).values_list("kind", flat=True)
        )
        remaining = [number for number, step in enumerate(STEPS) if step.kind not in done]
        if remaining:
            jobs.begin(STEPS[remaining[0]].kind, key, at=at, on=on)
    for number in remaining:
        if number == remaining[0]:
            _count_attempt(marketplace, STEPS[number], on, at)
        if shards := _advance_step(marketplace, number, on, at):
            return Progress(is_closed=False, step=STEPS[number].name, shards=shards)
    return Progress(is_closed=True)


def serve_shard(marketplace_id: int, shard_id: int, *, at: datetime) -> bool:
    """Do one shard whole, or nothing of it. False when it is done, parked or in other hands."""
    with tenancy.use(marketplace_id, durable=True) as marketplace:
        if not jobs.attempt(shard_id):
            return False
    with tenancy.use(row=marketplace, durable=True):
        shard = jobs.claim_shard(shard_id)
        if shard is None:
            return False
        job = shard.job
        step = _BY_KIND[job.kind]
        with _garbage_seldom_looked_for():
            counts = _serve(step, job, at, shard.first_key, shard.end_key)
        jobs.finish_shard(shard, counts=counts)
    return True


def close_day(
    marketplace_id: int,
    on: date,
    *,
    at: datetime,
    tell: Callable[[date, str], None] = lambda on, step: None,
) -> None:
    """Close every night up to and with `on`, in order, in this process alone."""
    while True:
        marketplace = Marketplace.objects.get(pk=marketplace_id)
        night = next_on(marketplace)
        if night > on:
            return
        tell(night, "")
        while not (progress := advance(marketplace_id, night, at=at)).is_closed:
            tell(night, progress.step)
            for shard_id in progress.shards:
                serve_shard(marketplace_id, shard_id, at=at)


def release(marketplace_id: int, on: date) -> int:
    """Let shards that had failed too often be tried again; returns how many there were."""
    with tenancy.use(marketplace_id):
        unfinished = JobRun.objects.unfinished().filter(kind__in=_BY_KIND, key=on.isoformat())
        return sum(jobs.release_parked(job) for job in unfinished)


def has_failed(marketplace_id: int, on: date) -> bool:
    """Whether the night of `on` stopped at a step that could not be done."""
    with tenancy.use(marketplace_id):
        return JobRun.objects.filter(
            kind=NIGHT, key=on.isoformat(), state=JobRun.State.FAILED
        ).exists()


def can_advance(marketplace_id: int, on: date) -> bool:
    """Whether no shard is left to serve of the step that the night is at."""
    with tenancy.use(marketplace_id):
        running = JobRun.objects.filter(key=on.isoformat(), state=JobRun.State.RUNNING)
        job = running.filter(kind__in=_BY_KIND).first()
        return job is None or not jobs.undone(job)


def rehearse(marketplace_id: int, on: date, *, at: datetime, only: str = "") -> dict[str, Counts]:
    """Do the next night and undo it all: what each step would do. Nothing is kept."""
    results: dict[str, Counts] = {}
    with tenancy.use(marketplace_id) as marketplace:
        if on != next_on(marketplace):
            raise NotTheNextNight(on=on, next=next_on(marketplace))
        for step in STEPS:
            results[step.name] = _done_at_once(step, on, at)
            if step.name == only:
                break
        transaction.set_rollback(True)
    return results


def _done_at_once(step: Step, on: date, at: datetime) -> Counts:
    if step.whole:
        return step.whole(on, at)
    step.before(on)
    sums: Counts = {}
    for first, end, _ in ranges(step.cut(on), step.shard_weight):
        for name, count in step.shard(on, at, first, end).items():
            sums[name] = sums.get(name, 0) + count
    return sums


def _count_attempt(marketplace: Marketplace, step: Step, on: date, at: datetime) -> None:
    """Count an attempt at the step that a night is taken up at, if it is done whole.

    Those after it are counted where they are begun, by the same process.
    """
    if not step.whole:
        return
    with _recording_failure(marketplace, step, on, at), tenancy.use(row=marketplace, durable=True):
        job = _claimed(step, on)
        if job.state != JobRun.State.DONE and not jobs.count_attempt(job, at=at):
            raise NeverEnds()


def _advance_step(marketplace: Marketplace, number: int, on: date, at: datetime) -> tuple[int, ...]:
    """Do a step, or cut it and return the shards that are left of it; empty when it is done.

    The end of a step and the beginning of the next are one transaction, so the step at hand can
    always be seen running.
    """
    step = STEPS[number]
    with _recording_failure(marketplace, step, on, at), tenancy.use(row=marketplace, durable=True):
        job = _claimed(step, on)
        if job.state == JobRun.State.DONE:
            return ()
        if step.whole:
            jobs.finish(job, at=at, counts=step.whole(on, at))
        elif shards := _shards_left(job, step, on, at):
            return shards
        _begin_next(number + 1, on, at)
    return ()


@contextmanager
def _recording_failure(
    marketplace: Marketplace, step: Step, on: date, at: datetime
) -> Iterator[None]:
    """Write down why a step failed, which must outlive its being undone; raises NightFailed."""
    try:
        yield
    except (NightBusy, *UNREACHABLE):
        raise  # a lost database records nothing
    except Exception as error:
        _record_failure(marketplace.pk, step, str(error), on, at)
        raise NightFailed(on=on, step=step.name, error=error) from error


def _claimed(step: Step, on: date) -> JobRun:
    job = jobs.claim(step.kind, on.isoformat())
    if job is None:
        raise NightBusy(on=on)
    return job


def _begin_next(number: int, on: date, at: datetime) -> None:
    """Begin the next step, its first attempt counted; after the last one the day is closed."""
    nights = JobRun.objects.filter(kind=NIGHT, key=on.isoformat())
    if number < len(STEPS):
        nights.update(done=number)
        step = STEPS[number]
        attempts = 1 if step.whole else 0
        jobs.begin_next(step.kind, on.isoformat(), at=at, on=on, attempts=attempts)
        return
    Marketplace.objects.filter(pk=tenancy.current_id()).update(last_closed_on=on)
    jobs.finish(nights.get(), at=at)
    audit.record("marketplace.day_closed", by=None, at=at, data={"on": on.isoformat()})


def _shards_left(job: JobRun, step: Step, on: date, at: datetime) -> tuple[int, ...]:
    """Cut a step into shards the first time; finish it when none of them is left."""
    if "shards" not in job.counts:
        step.before(on)
        parts = ranges(step.cut(on), step.shard_weight)
        jobs.cut(job, parts)
        if not parts:
            jobs.finish(job, at=at)
            return ()
    if shards := jobs.undone(job):
        jobs.refresh(job)
        return tuple(shards)
    if jobs.is_parked(job):
        raise Parked()
    jobs.finish(job, at=at, counts=jobs.totals(job))
    return ()


class Parked(Refused):
    code = "shard_parked"
    message = gettext_noop(
        "A part of the work has failed too often. See the job's shards, mend the cause, and "
        "release them."
    )


class NeverEnds(Refused):
    code = "step_never_ends"
    message = gettext_noop(
        "It was begun too often and never came to its end: its worker was killed, or its database "
        "went away."
    )


def _record_failure(marketplace_id: int, step: Step, error: str, on: date, at: datetime) -> None:
    with tenancy.use(marketplace_id, durable=True):
        jobs_of_night = JobRun.objects.filter(key=on.isoformat(), kind__in=[step.kind, NIGHT])
        for job in jobs_of_night.filter(state=JobRun.State.RUNNING):
            jobs.fail(job, error, at=at)


def _serve(step: Step, job: JobRun, at: datetime, first: int, end: int) -> Counts:
    """Serve a range of sellers; where that fails, its halves, down to the one who cannot be."""
    try:
        with transaction.atomic():
            return step.shard(job.on, at, first, end)
    except OperationalError:
        raise  # the database is gone or busy: nobody's fault
    except Exception as error:  # noqa: BLE001 (one seller's trouble must not stop the others)
        failure = error
    sellers = [seller for seller, _ in step.cut(job.on) if first <= seller < end]
    if len(sellers) <= 1:
        _report_failed(job, sellers, failure)
        return {FAILED: len(sellers)}
    middle = sellers[len(sellers) // 2]
    counts = _serve(step, job, at, first, middle)
    for name, count in _serve(step, job, at, middle, end).items():
        counts[name] = counts.get(name, 0) + count
    return counts


@contextmanager
def _garbage_seldom_looked_for() -> Iterator[None]:
    """Thousands of objects a moment are all freed by themselves; looking through them costs."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _report_failed(job: JobRun, sellers: list[int], error: Exception) -> None:
    code = getattr(error, "code", type(error).__name__)
    names = dict(Seller.objects.filter(pk__in=sellers).values_list("pk", "code"))
    jobs.report(
        job,
        [
            JobRow(
                job=job,
                head=FAILED,
                key=names.get(seller, str(seller)),
                code=str(code)[:60],
                reason=str(error)[:500],
            )
            for seller in sellers
        ],
    )


def ranges(weights: Iterable[tuple[int, int]], limit: int) -> list[tuple[int, int, int]]:
    """Cut sellers in ascending order into half-open ranges of ids that weigh about `limit`."""
    found: list[tuple[int, int, int]] = []
    first, last, weight = 0, 0, 0
    for seller_id, more in weights:
        if weight and weight + more > limit:
            found.append((first, seller_id, weight))
            weight = 0
        if not weight:
            first = seller_id
        weight += more
        last = seller_id
    if weight:
        found.append((first, last + 1, weight))
    return found


def _open_months(on: date) -> None:
    """Make sure that the bulk tables have the months that this night writes to."""
    months = set(OutcomeToSettle.objects.filter(basis_on__lte=on).dates("basis_on", "month"))
    adjusting.open_months(on)
    months |= sharing.months(on)
    with connection.cursor() as cursor:
        for month in sorted(months):
            cursor.execute("SELECT open_settlement_month('settlement_line', %s)", [month])
    ledger.open_month(on)


def _hold(on: date, at: datetime) -> Counts:
    swept = holding.sweep(on=on, at=at)
    return {"placed": swept.placed, "released": swept.released, "opened": swept.statements}


def _confirm(on: date, at: datetime) -> Counts:
    return {"lines": confirming.confirm_due(on, at=at)}


def _perform(on: date, at: datetime) -> Counts:
    return {"days": len(performance.record_days(on))}


def _grade(on: date, at: datetime) -> Counts:
    return {
        "projected": grades.project(on, at=at),
        "official": grades.make_official(on, at=at),
    }


def _charge_monthly(on: date, at: datetime) -> Counts:
    return {"adjustments": adjusting.charge_monthly(on, at=at)}


def _charge_returns(on: date, at: datetime) -> Counts:
    return {"adjustments": return_costs.charge(on, at=at)}


def _pay_ahead(on: date, at: datetime) -> Counts:
    return advancing.night(on, at=at)


def _waiting(on: date) -> list[tuple[int, int]]:
    rows = OutcomeToSettle.objects.filter(basis_on__lte=on).values_list("seller_id")
    weights = Counter(dict(rows.annotate(Count("pk")))) + Counter(adjusting.waiting(on))
    weights += Counter(sharing.waiting(on))
    return sorted(weights.items())


def _settle(on: date, at: datetime, first: int, end: int) -> Counts:
    settled = runs.settle(on=on, first_seller=first, end_seller=end)
    shared = sharing.share(on=on, first_seller=first, end_seller=end, at=at)
    adjusted = adjusting.settle(on=on, first_seller=first, end_seller=end, at=at)
    return {
        "lines": settled.lines,
        "reversals": settled.reversals,
        "reports": shared,
        "adjustments": adjusted,
    }


def _credit(on: date, at: datetime, first: int, end: int) -> Counts:
    credited = commissions.credit(on=on, first_seller=first, end_seller=end, at=at)
    return {
        "lines": credited.lines,
        "reports": credited.reports,
        "adjustments": credited.adjustments,
    }


def _end_month(on: date, at: datetime) -> Counts:
    return {
        "adjustments": month_ends.settle_night(on, at=at),
        "interest": charging_interest.charge(on, at=at),
    }


def _due(on: date) -> list[tuple[int, int]]:
    rows = Statement.objects.due_on(on).values_list("seller_id")
    weight = Count("pk") + Sum("lines") / SEALED_AS_FAST
    return list(rows.annotate(weight=Cast(weight, BigIntegerField())).order_by("seller_id"))


def _close_due(on: date, at: datetime, first: int, end: int) -> Counts:
    closed = statements.close_due(on=on, first_seller=first, end_seller=end, at=at)
    return {"statements": closed.statements, "payout": closed.payout}


def _prepare_payouts(on: date, at: datetime) -> Counts:
    batches = payouts.prepare(on=on, at=at)
    return {
        "payouts": sum(batch.payouts for batch in batches),
        "amount": sum(batch.amount for batch in batches),
    }


def _reconcile(on: date, at: datetime) -> Counts:
    day_closing.begin(on)
    found = reconciling.rematch(on=on, at=at)
    found["explained"] += ledger_matching.look(on=on, at=at)
    found["explained"] += missing_files.look(on=on, at=at)
    return {**found, **reconciliation_report.counts(on)}


def _prove_clearing(on: date, at: datetime) -> Counts:
    return clearing.night(on, at=at)


def _draw_invoices(on: date, at: datetime) -> Counts:
    return {"tax_invoices": tax_drawing.draw_night(on, at=at)}


def _check(on: date, at: datetime) -> Counts:
    counts = sentinels.watch(on, at=at)
    lost_lines.remember(on)
    for sentinel, count in counts.items():
        if count:
            raised = {"on": on.isoformat(), "sentinel": sentinel, "count": count}
            outbox.add("sentinel.raised", **raised)
            changes.announce("sentinel.raised", at=at, **raised)
    return counts


def _notify(on: date, at: datetime) -> Counts:
    outbox.add("night.closed", on=on.isoformat())
    changes.announce("night.closed", on.isoformat(), at=at)
    return {}


STEPS = (
    Step("holds", whole=_hold),
    Step("confirm", whole=_confirm),
    Step("performance", whole=_perform),
    Step("grades", whole=_grade),
    Step("monthly_fees", whole=_charge_monthly),
    Step("return_costs", whole=_charge_returns),
    Step("fast_settlement", whole=_pay_ahead),
    Step(
        "settle",
        shard=_settle,
        cut=_waiting,
        shard_weight=settings.LINES_A_SHARD,
        before=_open_months,
    ),
    Step(
        "commissions",
        shard=_credit,
        cut=commissions.waiting,
        shard_weight=settings.LINES_A_SHARD,
        before=commissions.open_months,
    ),
    Step("month_end", whole=_end_month),
    Step("statements", shard=_close_due, cut=_due, shard_weight=settings.STATEMENTS_A_SHARD),
    Step("payouts", whole=_prepare_payouts),
    Step("reconcile", whole=_reconcile),
    Step("clearing", whole=_prove_clearing),
    Step("tax_invoices", whole=_draw_invoices),
    Step("check", whole=_check),
    Step("notify", whole=_notify),
)
_BY_KIND = {step.kind: step for step in STEPS}
