"""The night in Celery: a tick, one orchestrator per marketplace, and shards of sellers; payouts.

A task that is lost or runs twice does no harm: what has been done stands in the database, and
every night that is not finished is taken up from there.
"""

import logging
from datetime import date, datetime, timedelta
from smtplib import SMTPException

from celery import shared_task
from django.utils import timezone

from marketplace import jobs, tenancy
from marketplace.models import Marketplace, User
from marketplace.refusals import Refused
from settlements import (
    business_checks,
    export_jobs,
    forecasts,
    letter_sending,
    nights,
    operator_letters,
    payout_results,
    payout_sending,
    payouts,
    rehearsals,
    resident_numbers,
)
from settlements.models import Payout, PayoutBatch

logger = logging.getLogger(__name__)

LETTERS_FOR = timedelta(minutes=5)  # in which a task begins batches; the next one goes on


@shared_task
def tick() -> None:
    """Start or take up the night of every marketplace that has one due, failed ones too."""
    now = timezone.now()
    for marketplace in Marketplace.objects.open():
        if (on := nights.due_on(marketplace, at=now)) is not None:
            close_day.delay(marketplace_id=marketplace.pk, on=on.isoformat(), again=True)


@shared_task
def resume() -> None:
    """Take up the nights that are due and have not failed.

    A worker may have died with what it had in hand, or between two of several missed nights.
    """
    now = timezone.now()
    for marketplace in Marketplace.objects.open():
        on = nights.due_on(marketplace, at=now)
        if on is not None and not nights.has_failed(marketplace.pk, on):
            close_day.delay(marketplace_id=marketplace.pk, on=on.isoformat())


@shared_task
def close_day(*, marketplace_id: int, on: str, again: bool = False) -> None:
    """Take a night on: do what one process can, hand out the shards of the step it is at.

    One that failed is tried `again` only by the tick, not by whatever was still on its way.
    """
    if not again and nights.has_failed(marketplace_id, date.fromisoformat(on)):
        return
    try:
        progress = _advance(marketplace_id, date.fromisoformat(on))
    except (nights.NightBusy, nights.NotTheNextNight):
        return  # another orchestrator is at it, or has long been done with it
    for shard_id in progress.shards:
        serve_shard.delay(marketplace_id=marketplace_id, on=on, shard_id=shard_id)
    if progress.is_closed:
        marketplace = Marketplace.objects.get(pk=marketplace_id)
        if (missed := nights.due_on(marketplace, at=timezone.now())) is not None:
            close_day.delay(marketplace_id=marketplace_id, on=missed.isoformat())


def _advance(marketplace_id: int, on: date) -> nights.Progress:
    """Take a night on to where there is work for several; a shard that is alone is served here."""
    while True:
        progress = nights.advance(marketplace_id, on, at=timezone.now())
        alone = progress.shards[0] if len(progress.shards) == 1 else None
        if alone is None or not nights.serve_shard(marketplace_id, alone, at=timezone.now()):
            return progress


@shared_task
def serve_shard(*, marketplace_id: int, on: str, shard_id: int) -> None:
    """Serve one shard; whoever finds that it was the last one takes the night on.

    A task that comes twice finds its shard done and starts nothing, or tasks would multiply.
    """
    is_done = nights.serve_shard(marketplace_id, shard_id, at=timezone.now())
    if is_done and nights.can_advance(marketplace_id, date.fromisoformat(on)):
        close_day.delay(marketplace_id=marketplace_id, on=on)


def begin_export(marketplace: Marketplace, *, at, job_id: int) -> None:
    """Have a worker write an export that was asked for; a handler of the outbox."""
    write_export.delay(marketplace_id=marketplace.pk, job_id=job_id)


@shared_task(autoretry_for=(Exception,), retry_backoff=10, max_retries=None)
def write_export(*, marketplace_id: int, job_id: int) -> None:
    """Write the file of an export. A second delivery finds it done; its attempts are counted."""
    export_jobs.write(marketplace_id, job_id, at=timezone.now())


@shared_task
def take_up_exports() -> None:
    """Begin again the exports that a worker left, or that the broker lost."""
    now = timezone.now()
    for marketplace in Marketplace.objects.open():
        with tenancy.use(marketplace.pk):
            left = jobs.abandoned(export_jobs.JOBS, export_jobs.TOPIC, at=now)
        for job_id in left:
            write_export.delay(marketplace_id=marketplace.pk, job_id=job_id)


@shared_task
def drop_old_exports() -> None:
    """Remove the files of exports that were kept long enough."""
    export_jobs.drop_old(at=timezone.now())


@shared_task
def erase_resident_numbers(*, marketplace_id: int) -> None:
    """Erase the numbers that the law no longer asks for, of an archived marketplace too."""
    with tenancy.use(marketplace_id, even_archived=True):
        resident_numbers.erase_due(at=timezone.now())


@shared_task
def erase_resident_numbers_everywhere() -> None:
    """One task per marketplace, so that one failing market holds up no other."""
    for marketplace in Marketplace.objects.all():
        erase_resident_numbers.delay(marketplace_id=marketplace.pk)


def begin_rehearsal(marketplace: Marketplace, *, at, job_id: int) -> None:
    """Have workers replay fees that were asked for; a handler of the outbox."""
    rehearse_fees.delay(marketplace_id=marketplace.pk, job_id=job_id)


@shared_task
def rehearse_fees(*, marketplace_id: int, job_id: int) -> None:
    """Take a rehearsal of fees on, and hand out the shards that are left of it."""
    for shard_id in rehearsals.advance(marketplace_id, job_id, at=timezone.now()):
        replay_shard.delay(marketplace_id=marketplace_id, job_id=job_id, shard_id=shard_id)


@shared_task(autoretry_for=(Exception,), retry_backoff=10, max_retries=None)
def replay_shard(*, marketplace_id: int, job_id: int, shard_id: int) -> None:
    """Replay a shard of a rehearsal, up to its last attempt; after the last one it is ended."""
    rehearsals.serve_shard(marketplace_id, shard_id, at=timezone.now())
    if rehearsals.is_served(marketplace_id, job_id):
        rehearse_fees.delay(marketplace_id=marketplace_id, job_id=job_id)


@shared_task
def take_up_rehearsals() -> None:
    """Go on with the rehearsals that a worker left, or that the broker lost."""
    now = timezone.now()
    for marketplace in Marketplace.objects.open():
        with tenancy.use(marketplace.pk):
            left = jobs.abandoned([rehearsals.JOB], rehearsals.TOPIC, at=now)
        for job_id in left:
            rehearse_fees.delay(marketplace_id=marketplace.pk, job_id=job_id)


def begin_forecasts(marketplace: Marketplace, *, at, on: str) -> None:
    """After a night, keep what sellers can expect; a handler of the outbox."""
    keep_forecasts.delay(marketplace_id=marketplace.pk, on=on)


@shared_task
def keep_forecasts(*, marketplace_id: int, on: str) -> None:
    """Keep what every seller can expect after a night. A second delivery keeps the same."""
    forecasts.keep_night(marketplace_id, date.fromisoformat(on))


def begin_morning(marketplace: Marketplace, *, at, on: str) -> None:
    """Have a worker tell operators what a night found; a handler of the outbox."""
    tell_operators.delay_on_commit(marketplace_id=marketplace.pk, on=on)


@shared_task(autoretry_for=(OSError, SMTPException), retry_backoff=60, max_retries=10)
def tell_operators(*, marketplace_id: int, on: str) -> None:
    """Tell operators by mail what a night found. A second delivery tells nobody again."""
    operator_letters.tell(marketplace_id, date.fromisoformat(on), now=timezone.now)


@shared_task
def send_letters_everywhere() -> None:
    """One task per marketplace, so that one failing market holds up no other."""
    for marketplace in Marketplace.objects.open():
        # The next minute sends it anew: what waits behind a slow mail server does not pile up.
        send_letters.apply_async(kwargs={"marketplace_id": marketplace.pk}, expires=60)


@shared_task
def send_letters(*, marketplace_id: int) -> None:
    """Tell sellers by letter what happened. Two at once, or one that died, send nothing twice."""
    until = timezone.now() + LETTERS_FOR
    letter_sending.serve(marketplace_id, now=timezone.now, until=until)


def begin_batch(marketplace: Marketplace, *, at, batch_id: int) -> None:
    """Have workers send the payouts of a batch, one task each; a handler of the outbox."""
    rows = Payout.objects.filter(batch=batch_id, state=Payout.State.PREPARED)
    for payout_id in rows.order_by("pk").values_list("pk", flat=True):
        serve_payout.delay(marketplace_id=marketplace.pk, payout_id=payout_id)


@shared_task
def serve_payout(*, marketplace_id: int, payout_id: int) -> None:
    """Send a payout. A second delivery finds that it was sent, and asks what came of it."""
    payout_sending.serve(marketplace_id, payout_id, now=timezone.now)


def begin_asking(marketplace: Marketplace, *, at, payout_id: int) -> None:
    """Have a worker ask about a payout whose bank says that it changed; a handler of the outbox."""
    ask_about_payout.delay(marketplace_id=marketplace.pk, payout_id=payout_id)


@shared_task
def ask_about_payout(*, marketplace_id: int, payout_id: int) -> None:
    """Ask what became of a payout. A second delivery hears the same."""
    payout_sending.ask(marketplace_id, payout_id, now=timezone.now)


@shared_task
def check_businesses_everywhere() -> None:
    """Ask about the businesses of whoever has money coming and was not asked about lately."""
    for marketplace in Marketplace.objects.open():
        check_businesses.delay(marketplace_id=marketplace.pk)


@shared_task
def check_businesses(*, marketplace_id: int) -> None:
    """Ask about the businesses of one marketplace. A second delivery finds them asked about."""
    business_checks.recheck(marketplace_id, now=timezone.now)


def begin_business_check(marketplace: Marketplace, *, at, seller_id: int) -> None:
    """Have a worker ask about a seller's business at once; a handler of the outbox."""
    check_business.delay(marketplace_id=marketplace.pk, seller_id=seller_id)


@shared_task
def check_business(*, marketplace_id: int, seller_id: int) -> None:
    """Ask about one seller's business, however fresh the last answer is."""
    business_checks.ask_about(marketplace_id, seller_id, now=timezone.now)


def begin_results(marketplace: Marketplace, *, at, job_id: int, user_id: int | None) -> None:
    """Have a worker take a long file of results; a handler of the outbox."""
    take_results.delay(marketplace_id=marketplace.pk, job_id=job_id, user_id=user_id)


@shared_task(autoretry_for=(Exception,), retry_backoff=10, max_retries=None)
def take_results(*, marketplace_id: int, job_id: int, user_id: int | None) -> None:
    """Take a long file of results. A second delivery goes on where the first one stopped."""
    by = User.objects.filter(pk=user_id).first()
    payout_results.run(marketplace_id, job_id, by=by, at=timezone.now())


@shared_task
def take_up_payouts() -> None:
    """Execute the batches whose moment has come, and take up payouts that were left behind.

    A worker may have died with one in hand, the broker may have lost it, a bank may owe a result.
    """
    for marketplace in Marketplace.objects.open():
        now = timezone.now()
        with tenancy.use(marketplace.pk):
            _execute_scheduled(now)
            left = payout_sending.left_behind(at=now)
            files = jobs.abandoned([payout_results.KIND], payout_results.TOPIC, at=now)
        for payout_id in left:
            serve_payout.delay(marketplace_id=marketplace.pk, payout_id=payout_id)
        for job_id in files:
            take_results.delay(marketplace_id=marketplace.pk, job_id=job_id, user_id=None)


def _execute_scheduled(now: datetime) -> None:
    for batch in PayoutBatch.objects.scheduled_by(now).order_by("scheduled_at"):
        try:
            payouts.execute(batch, by=None, at=now)
        except Refused as refused:  # another one is at it; the next tick tries again
            logger.warning("payout batch not executed: %s", refused.code)
