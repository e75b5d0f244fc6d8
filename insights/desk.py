"""What waits for the operators of a marketplace, each kind with its count, oldest, and amount.

A queue is a set of rows and the list of the admin that shows exactly these rows. All queues are
counted by one query, because every page of the admin shows the counts, and each up to a limit, so
that a backlog slows nothing down; oldest and amount are looked for on the front page alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from urllib.parse import urlencode

from django.db import connection
from django.db.models import (
    BigIntegerField,
    CharField,
    DateTimeField,
    F,
    IntegerField,
    Model,
    OuterRef,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Abs, Cast, Coalesce
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from listings.models import Revision
from marketplace import paging
from marketplace.models import Approval, AuditEntry, JobRun, Marketplace
from orders.models import Arbitration, Claim
from sellers.models import BusinessStatus, Seller
from settlements import nights, payout_exceptions, sentinels
from settlements.models import (
    BankRow,
    DayClose,
    Discrepancy,
    Hold,
    LedgerDifference,
    MissingFile,
    Payout,
    PayoutBatch,
    PayoutException,
    SellerLetter,
    Statement,
    TaxInvoice,
)

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class Queue:
    """Rows that wait, since when each of them does, and the filters that list them.

    `rows` and `filters` are told the last closed day, and depend on nothing else that changes.
    `first` orders those that are looked at, as an index holds them where they may be many.
    """

    code: str
    name: str | Promise
    model: type[Model]
    rows: Callable[[date], QuerySet]
    since: Callable[[], object]
    filters: Callable[[date], dict]
    first: str = "pk"
    amount: Callable[[], object] | None = None  # of a row, in minor units and above zero

    def address(self, on: date) -> str:
        """The list of the admin that shows these rows and no others."""
        options = self.model._meta
        page = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
        return f"{page}?{urlencode(self.filters(on))}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows of a queue there are now (paging.counted). `oldest` and `amount` only if they
    were asked for and are known, of those that were counted."""

    code: str
    name: str | Promise
    count: int
    oldest: datetime | None
    address: str
    amount: int | None = None


def waiting(market: Marketplace, user, *, with_oldest: bool = False) -> list[Waiting]:
    """Every queue whose rows the user may see, the empty ones too, so that none moves about."""
    queues = tuple(queue for queue in QUEUES if user.has_perm(_view(queue.model)))
    if not queues:
        return []
    on = nights.last_closed(market)
    names, statement, parameters = _asked(queues, market.pk, on, with_oldest)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = dict(zip(names, cursor.fetchone(), strict=True))
    return [
        Waiting(
            queue.code,
            queue.name,
            found[f"{queue.code}_count"],
            found.get(f"{queue.code}_oldest"),
            queue.address(on),
            found.get(f"{queue.code}_amount"),
        )
        for queue in queues
    ]


@lru_cache(maxsize=64)
def _asked(
    queues: tuple[Queue, ...], market_id: int, on: date, with_oldest: bool
) -> tuple[tuple[str, ...], str, tuple]:
    """What is asked of the database, by name, as one statement with its parameters.

    It stays the same until the next night, and to put it together takes longer than to answer it.
    """
    asked = {}
    for queue in queues:
        asked[f"{queue.code}_count"] = _Count(_counted(queue, on).values("pk"))
        if with_oldest:
            since = Cast(queue.since(), DateTimeField())
            rows = _counted(queue, on).annotate(waits_since=since).values("waits_since")
            asked[f"{queue.code}_oldest"] = _Oldest(rows)
            if queue.amount is not None:
                worth = _counted(queue, on).annotate(worth=queue.amount()).values("worth")
                asked[f"{queue.code}_amount"] = _Sum(worth)
    query = Marketplace.objects.filter(pk=market_id).values(**asked).query
    return tuple(asked), *query.sql_with_params()


def _counted(queue: Queue, on: date) -> QuerySet:
    return paging.up_to_the_limit(queue.rows(on).order_by(queue.first))


class _Count(Subquery):
    """How many rows a subquery has."""

    template = "(SELECT count(*) FROM (%(subquery)s) waiting)"
    output_field = IntegerField()


class _Oldest(Subquery):
    """The least `waits_since` of the rows of a subquery."""

    template = "(SELECT min(waits_since) FROM (%(subquery)s) waiting)"
    output_field = DateTimeField()


class _Sum(Subquery):
    """What `worth` of the rows of a subquery comes to."""

    template = "(SELECT coalesce(sum(worth), 0)::bigint FROM (%(subquery)s) waiting)"
    output_field = BigIntegerField()


def _view(model) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def _last_moved_at() -> Subquery:
    """A blocked revision does not say since when it is; the audit trail does."""
    entries = AuditEntry.objects.filter(
        object_type="listings.revision", object_key=Cast(OuterRef("pk"), CharField())
    )
    return Subquery(entries.order_by("-at").values("at")[:1])


def _arbitration_opened_at() -> Subquery:
    opened = Arbitration.objects.open().filter(claim=OuterRef("pk"))
    return Subquery(opened.values("opened_at")[:1])


QUEUES = (
    Queue(
        "applications",
        _("Applications to decide"),
        Seller,
        lambda on: Seller.objects.filter(state=Seller.State.ONBOARDING),
        lambda: F("joined_on"),
        lambda on: {"state__exact": Seller.State.ONBOARDING.value},
    ),
    Queue(
        "reviews",
        _("Listings waiting for review"),
        Revision,
        lambda on: Revision.objects.awaiting_review(),
        lambda: F("submitted_at"),
        lambda on: {"state__exact": Revision.State.SUBMITTED.value},
        first="submitted_at",
    ),
    Queue(
        "blocked",
        _("Listings blocked by findings"),
        Revision,
        lambda on: Revision.objects.filter(state=Revision.State.BLOCKED),
        _last_moved_at,
        lambda on: {"state__exact": Revision.State.BLOCKED.value},
    ),
    Queue(
        "claims",
        _("Claims in progress"),
        Claim,
        lambda on: Claim.objects.filter(state__in=Claim.OPEN_STATES),
        lambda: F("requested_at"),
        lambda on: {"state__in": ",".join(Claim.OPEN_STATES)},
        first="requested_at",
    ),
    Queue(
        "arbitrations",
        _("Claims to decide in arbitration"),
        Claim,
        lambda on: Claim.objects.filter(state=Claim.State.ARBITRATION),
        _arbitration_opened_at,
        lambda on: {"state__in": Claim.State.ARBITRATION.value},
    ),
    Queue(
        "statements",
        _("Statements to close next night"),
        Statement,
        lambda on: Statement.objects.due_on(on + _DAY),
        lambda: F("due_on"),
        lambda on: {
            "state__exact": Statement.State.OPEN.value,
            "due_on__lte": (on + _DAY).isoformat(),
        },
        first="due_on",
    ),
    Queue(
        "holds",
        _("Holds past their day, or without an end"),
        Hold,
        sentinels.stuck_holds,
        lambda: F("placed_at"),
        lambda on: {"end": "stuck"},
    ),
    Queue(
        "payouts",
        _("Payouts to approve"),
        PayoutBatch,
        lambda on: PayoutBatch.objects.to_approve(),
        lambda: F("prepared_at"),
        lambda on: {"state__exact": PayoutBatch.State.PREPARED.value},
        amount=lambda: F("amount"),
    ),
    Queue(
        "results",
        _("Payouts whose result is missing"),
        Payout,
        lambda on: Payout.objects.overdue(on),
        lambda: F("sent_at"),
        lambda on: {
            "state__in": ",".join(Payout.UNANSWERED),
            "result_due_on__lte": on.isoformat(),
        },
        amount=lambda: F("amount"),
    ),
    Queue(
        "businesses",
        _("Businesses that the tax office did not answer about"),
        BusinessStatus,
        lambda on: BusinessStatus.objects.not_answered(),
        lambda: F("failed_at"),
        lambda on: {"failed_at__isnull": "False"},
    ),
    Queue(
        "payout_exceptions",
        _("Payouts that do not fit the bank's word"),
        PayoutException,
        lambda on: PayoutException.objects.filter(state=PayoutException.State.OPEN),
        lambda: F("raised_at"),
        lambda on: {"state__exact": PayoutException.State.OPEN.value},
        amount=payout_exceptions.at_stake,
    ),
    Queue(
        "discrepancies",
        _("Payments that differ from the provider's"),
        Discrepancy,
        lambda on: Discrepancy.objects.open(),
        lambda: F("found_on"),
        lambda on: {"state__exact": Discrepancy.State.OPEN.value},
        amount=lambda: Abs("difference"),
    ),
    Queue(
        "missing_files",
        _("Settlement files that have not come"),
        MissingFile,
        lambda on: MissingFile.objects.open(),
        lambda: F("day"),
        lambda on: {"state__exact": MissingFile.State.OPEN.value},
        amount=lambda: F("amount"),
    ),
    Queue(
        "ledger_differences",
        _("Statements that differ from the ledger"),
        LedgerDifference,
        lambda on: LedgerDifference.objects.open(),
        lambda: F("found_on"),
        lambda on: {"state__exact": LedgerDifference.State.OPEN.value},
        amount=lambda: Abs("difference"),
    ),
    Queue(
        "bank_rows",
        _("Bank transactions to explain"),
        BankRow,
        lambda on: BankRow.objects.open(),
        lambda: F("on"),
        lambda on: {"state__exact": BankRow.State.OPEN.value},
        first="on",
        amount=lambda: Abs("amount"),
    ),
    Queue(
        "days",
        _("Business days to sign"),
        DayClose,
        lambda on: DayClose.objects.filter(state=DayClose.State.OPEN),
        lambda: F("day"),
        lambda on: {"state__exact": DayClose.State.OPEN.value},
    ),
    Queue(
        "tax_invoices",
        _("Tax invoices to issue or transmit"),
        TaxInvoice,
        lambda on: TaxInvoice.objects.to_send(),
        lambda: F("written_on"),
        lambda on: {"state__in": ",".join(TaxInvoice.UNSENT)},
        first="deadline_on",
    ),
    Queue(
        "letters",
        _("Letters to sellers that did not go out"),
        SellerLetter,
        lambda on: SellerLetter.objects.in_trouble(),
        lambda: F("due_at"),
        lambda on: {"state__in": ",".join(SellerLetter.TROUBLED)},
        first="due_at",
    ),
    Queue(
        "approvals",
        _("Requests waiting for a second person"),
        Approval,
        lambda on: Approval.objects.waiting(),
        lambda: F("asked_at"),
        lambda on: {"state__exact": Approval.State.ASKED.value},
    ),
    Queue(
        "jobs",
        _("Jobs that failed or are parked"),
        JobRun,
        lambda on: JobRun.objects.in_trouble(),
        lambda: Coalesce("finished_at", "started_at"),
        lambda on: {"trouble": "stopped"},
    ),
    Queue(
        "sentinels",
        _("Sentinels raised last night"),
        JobRun,
        lambda on: JobRun.objects.sentinels_raised(on),
        lambda: F("finished_at"),
        lambda on: {"trouble": "sentinels"},
    ),
)
