"""Reports of revenue by day: taken in, held against what was said before, and restated.

A report is known by its seller, stream, mini-app and day; who sends it counts its versions. Sent
again it is repeated. Once it is final a night settles the share of it (settlements.sharing); what
a later version says differently is settled as a difference, on the day that it arrives. What orders
say themselves nobody reports (settlements.commissions).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from orders.verdicts import ACCEPTED, REPEATED, Verdict
from sellers.models import Seller
from settlements.contracts import Contracts
from settlements.models import RevenueReport
from settlements.revenue_book import Key, RevenueBook

REACH = timedelta(days=366)  # how old the day of a first report may be


class UnknownSeller(Refused):
    code = "revenue_seller_unknown"
    message = gettext_noop("There is no seller with the code “%(seller)s”.")


class StreamNotCharged(Refused):
    code = "revenue_stream_not_charged"
    message = gettext_noop(
        "No fee rule names the stream “%(stream)s”, so nobody has said what the seller's share is."
        " Rules name: %(named)s."
    )


class DayNotUsable(Refused):
    code = "revenue_day_not_usable"
    message = gettext_noop(
        "%(on)s cannot be reported: a day must be over or at hand, of the last year, and not from "
        "before the marketplace opened."
    )


class VersionDiffers(Refused):
    code = "revenue_version_differs"
    message = gettext_noop(
        "Version %(version)s was reported with another amount or state. Send what is new as "
        "version %(next)s."
    )


class VersionTooOld(Refused):
    code = "revenue_version_too_old"
    message = gettext_noop(
        "Version %(newest)s is known already, so version %(version)s is too old. Send what is new "
        "as version %(next)s."
    )


class KnownFromOrders(Refused):
    code = "revenue_known_from_orders"
    message = gettext_noop(
        "What “%(seller)s” brought as “%(stream)s” on %(on)s is known from orders that name it, so "
        "nobody reports it. Report other sales under an app of their own."
    )


class FinalAlready(Refused):
    code = "revenue_report_final"
    message = gettext_noop("The report is final. It can be restated, again as final.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReport:
    """A report as somebody sends it. `amount` in minor units, VAT and fees not yet taken off."""

    seller_code: str
    stream: str
    on: date
    amount: int
    version: int
    is_final: bool
    app: str = ""

    def __str__(self) -> str:
        return "/".join([self.seller_code, self.stream, self.app, self.on.isoformat()])


@transaction.atomic
def accept_many(reports: Sequence[NewReport], *, source: str, at: datetime) -> list[Verdict]:
    """Take reports in, each for itself; returns what became of each, in the order given.

    Reports of the same seller are taken in by one sender at a time. `source` is one of
    RevenueVersion.Source.
    """
    intake = _Intake(reports, source=source, at=at)
    given = [intake.accept(report) for report in reports]
    intake.save()
    return given


class _Intake:
    """The reports of one request against what is stored; written together at the end."""

    def __init__(self, reports: Iterable[NewReport], *, source: str, at: datetime):
        market = Marketplace.objects.get(pk=tenancy.current_id())
        self._source = source
        self._today = verdicts.business_date(at, market.tz)
        self._first_open_on = market.first_open_on
        codes = {report.seller_code for report in reports}
        sellers = Seller.objects.filter(code__in=codes).order_by("pk")
        self._sellers = {row.code: row for row in sellers.select_for_update(no_key=True)}
        ids = [seller.pk for seller in self._sellers.values()]
        self._contracts = Contracts(
            first_seller=min(ids, default=0), end_seller=max(ids, default=0) + 1, only=ids
        )
        days = {report.on for report in reports}
        self._book = RevenueBook(RevenueReport.Source.REPORTED, sellers=ids, days=days, at=at)
        of_orders = RevenueReport.objects.filter(source=RevenueReport.Source.ORDERS)
        known = of_orders.filter(seller__in=ids, on__in=days)
        self._from_orders = set(known.values_list("seller_id", "stream", "app", "on"))

    def accept(self, report: NewReport) -> Verdict:
        """What becomes of one report; it sees what those before it said."""
        try:
            return self._accepted(report)
        except Refused as refused:
            return verdicts.refused(report, refused)

    def save(self) -> None:
        self._book.save()

    def _accepted(self, report: NewReport) -> Verdict:
        seller = self._checked(report)
        key = (seller.pk, report.stream, report.app, report.on)
        row = self._book.row(key)
        said = self._book.said(key, report.version)
        if said is not None:
            if said != (report.amount, report.is_final):
                raise VersionDiffers(version=report.version, next=row.version + 1, field="version")
            return Verdict(str(report), REPEATED, public_id=row.public_id)
        if row is None:
            self._check_first(report, seller, key)
        elif report.version < row.version:
            told = {"version": report.version, "newest": row.version, "next": row.version + 1}
            raise VersionTooOld(**told, field="version")
        elif not report.is_final and self._book.is_final(key):
            raise FinalAlready(field="state")
        row = self._book.take(
            key,
            version=report.version,
            amount=report.amount,
            is_final=report.is_final,
            source=self._source,
            restated_on=self._today,
        )
        return Verdict(str(report), ACCEPTED, public_id=row.public_id)

    def _checked(self, report: NewReport) -> Seller:
        """The seller of a report whose fields can be stored."""
        verdicts.check_text("seller_code", report.seller_code, 64, needed=True)
        verdicts.check_text("stream", report.stream, 30, needed=True)
        verdicts.check_text("app", report.app, 100)
        verdicts.check_between("amount", report.amount, 0, verdicts.LARGEST_AMOUNT)
        verdicts.check_between("version", report.version, 1, verdicts.LARGEST_NUMBER)
        seller = self._sellers.get(report.seller_code)
        if seller is None:
            raise UnknownSeller(seller=report.seller_code, field="seller_code")
        return seller

    def _check_first(self, report: NewReport, seller: Seller, key: Key) -> None:
        if key in self._from_orders:
            told = {"seller": report.seller_code, "stream": report.stream, "on": report.on}
            raise KnownFromOrders(**told, field="stream")
        oldest = max(self._first_open_on, self._today - REACH)
        if not oldest <= report.on <= self._today:
            raise DayNotUsable(on=report.on, field="on")
        named = self._contracts.schedule(seller.pk, report.on).named("stream")
        if report.stream not in named:
            streams = ", ".join(sorted(named))
            raise StreamNotCharged(stream=report.stream, named=streams, field="stream")
