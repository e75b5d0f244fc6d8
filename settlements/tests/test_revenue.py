"""Revenue reports on real rows: taken in, settled when final, restated, booked, verified."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connections

from marketplace import tenancy
from marketplace.models import Change
from orders.verdicts import ACCEPTED, REFUSED, REPEATED
from settlements import nights, revenue_reporting, sharing, tax_lines, tax_ties, verification
from settlements.models import (
    Account,
    Adjustment,
    RevenueReport,
    RevenueShare,
    SettlementLine,
    Statement,
)
from settlements.revenue_reporting import NewReport
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
AT = datetime(2026, 9, 8, 3, tzinfo=UTC)


@pytest.fixture
def market(db):
    return make.market("ours", preset="app-in-app", first_open_on=SEP_8)


def report(**said):
    usual = {"seller_code": "A", "stream": "ads", "on": SEP_8, "amount": 100_000}
    return NewReport(**{**usual, "version": 1, "is_final": True, **said})


def sent(*reports, at=AT):
    return revenue_reporting.accept_many(reports, source="api", at=at)


def accepted(**said):
    at = said.pop("at", AT)
    [verdict] = sent(report(**said), at=at)
    assert verdict.result == ACCEPTED, verdict
    return RevenueReport.objects.get(public_id=verdict.public_id)


def codes(*reports, at=AT):
    return [(verdict.result, verdict.code) for verdict in sent(*reports, at=at)]


def paid_share(seller, rate_ppm=150_000):
    """The marketplace keeps a part of the seller's advertising, and pays the rest at once."""
    rule = {"component": "ad_share", "stream": "ads", "base": "amount", "rate_ppm": rate_ppm}
    daily = {"cycle": "daily", "lag_days": 0, "lag_kind": "calendar", "holiday": "none"}
    return make.contract(seller, valid_from=SEP_8, rules=[rule], at=AT, **daily)


def close(market, on):
    nights.close_day(market.pk, on, at=AT)


class TestAccept:
    def test_keeps_what_was_said_and_tells_of_it(self, market):
        with tenancy.use(market.pk):
            make.seller()
            row = accepted(app="game-1", is_final=False)
            assert (row.state, row.amount, row.version, row.basis_on) == (
                "provisional",
                100_000,
                1,
                None,
            )
            row = accepted(app="game-1", amount=90_000, version=2)
            assert (row.state, row.amount, row.version, row.basis_on) == ("final", 90_000, 2, SEP_8)
            assert list(row.versions.order_by("number").values_list("amount", "is_final")) == [
                (100_000, False),
                (90_000, True),
            ]
            told = Change.objects.filter(type="revenue_report.recorded").order_by("id")
            assert [change.data for change in told] == [
                {"version": 1, "final": False},
                {"version": 2, "final": True},
            ]

    def test_repeats_what_is_known_whatever_came_after(self, market):
        with tenancy.use(market.pk):
            make.seller()
            given = [report(), report(amount=90_000, version=3)]
            assert codes(*given) == [(ACCEPTED, ""), (ACCEPTED, "")]
            assert codes(*given) == [(REPEATED, ""), (REPEATED, "")]
            assert RevenueReport.objects.get().amount == 90_000

    def test_judges_each_by_itself(self, market):
        with tenancy.use(market.pk):
            make.seller()
            assert codes(
                report(),
                report(amount=1),
                report(seller_code="X"),
                report(stream="goodies"),
                report(amount=-1),
                report(version=0),
                report(on=SEP_8 + timedelta(1)),
                report(on=SEP_8 - timedelta(1)),
                report(version=3, amount=5),
                report(version=2),
                report(version=4, is_final=False),
                report(app="other"),
            ) == [
                (ACCEPTED, ""),
                (REFUSED, "revenue_version_differs"),
                (REFUSED, "revenue_seller_unknown"),
                (REFUSED, "revenue_stream_not_charged"),
                (REFUSED, "not_between"),
                (REFUSED, "not_between"),
                (REFUSED, "revenue_day_not_usable"),
                (REFUSED, "revenue_day_not_usable"),
                (ACCEPTED, ""),
                (REFUSED, "revenue_version_too_old"),
                (REFUSED, "revenue_report_final"),
                (ACCEPTED, ""),
            ]
            assert RevenueReport.objects.count() == 2

    def test_knows_no_seller_of_another_marketplace(self, market):
        other = make.market("theirs", preset="app-in-app", first_open_on=SEP_8)
        with tenancy.use(other.pk):
            make.seller("B")
        with tenancy.use(market.pk):
            assert codes(report(seller_code="B")) == [(REFUSED, "revenue_seller_unknown")]


@pytest.mark.django_db(transaction=True)
def test_two_senders_of_one_report_make_one_row(market):
    with tenancy.use(market.pk):
        make.seller()

    def send(_):
        try:
            with tenancy.use(market.pk):
                return sent(report())[0].result
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, range(2))) == [ACCEPTED, REPEATED]
    with tenancy.use(market.pk):
        assert RevenueReport.objects.get().versions.count() == 1


class TestShare:
    def test_waits_until_the_report_is_final(self, market):
        with tenancy.use(market.pk):
            make.seller()
            accepted(is_final=False)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert not SettlementLine.objects.exists()
            assert RevenueReport.objects.get().state == "provisional"

    def test_is_all_of_it_while_the_beta_waives_the_fee(self, market):
        with tenancy.use(market.pk):
            make.seller(seller_type="individual")
            accepted()
        close(market, SEP_8)
        with tenancy.use(market.pk):
            line = SettlementLine.objects.get()
            assert (line.fee, line.vat, line.net) == (-100_000, 0, 100_000)

    def test_is_settled_with_the_partners_vat(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_share(seller)
            row = accepted()
        close(market, SEP_8)
        with tenancy.use(market.pk):
            row.refresh_from_db()
            assert (row.state, row.settled_amount, row.share) == ("settled", 100_000, 85_000)
            line = SettlementLine.objects.get()
            assert (line.fee, line.vat, line.net) == (-85_000, -8_500, 93_500)
            assert tax_lines.owed(date(2026, 9, 1)) == {}  # the seller invoices it
            assert tax_ties.of_month(date(2026, 9, 1)).is_tied
            assert line.basis_on == SEP_8
            made = Adjustment.objects.get()
            assert (made.state, made.reason_code) == ("settled", "revenue_share")
            assert made.reason == "광고 2026-09-08 수익 배분, 1차 보고"
            assert Statement.objects.get().components == {
                "adj_revenue_share": [-85_000, -8_500, -8_500]
            }
            told = sharing.explained(row)
            assert (told.share, told.components[0].fee) == (85_000, 15_000)
            assert list(verification.verify(on=SEP_8)) == []

    def test_is_booked_as_a_purchase_with_input_vat(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_share(seller)
            accepted()
        close(market, SEP_8)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            # The share waits for the seller's invoice.
            assert (statement.state, statement.net, statement.payout) == ("closed", 93_500, 0)
            assert make.balances() == {
                "purchase:adj_revenue_share": -85_000,
                "input_vat": -8_500,
                "seller_held": 93_500,
            }
            assert Account.objects.get(code="purchase:adj_revenue_share").name == "수익 배분"

    def test_of_a_restated_report_is_a_difference_in_its_own_period(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_share(seller, 77_000)
            accepted(amount=33_333)
        close(market, SEP_8)
        october = datetime(2026, 10, 2, 3, tzinfo=UTC)
        with tenancy.use(market.pk):
            # Another rate from October on changes nothing about a report of September.
            rule = {"component": "ad_share", "stream": "ads", "base": "amount"}
            make.contract(
                seller,
                valid_from=date(2026, 10, 1),
                rules=[{**rule, "rate_ppm": 500_000}],
                at=AT,
            )
        close(market, date(2026, 10, 1))
        with tenancy.use(market.pk):
            row = accepted(amount=22_222, version=2, at=october)
            assert (row.state, row.basis_on) == ("final", date(2026, 10, 2))
        close(market, date(2026, 10, 2))
        with tenancy.use(market.pk):
            first, second = SettlementLine.objects.order_by("basis_on")
            assert (first.fee, first.net) == (-30_767, 30_767 + 3_077)
            # kept 2,566 of 33,333 and 1,711 of 22,222: the share falls by 11,111 − 855
            assert (second.fee, second.vat, second.net) == (10_256, 1_026, -11_282)
            assert second.basis_on == date(2026, 10, 2)
            row.refresh_from_db()
            assert (row.state, row.share) == ("settled", 22_222 - 1_711)
            assert list(verification.verify(on=date(2026, 10, 2))) == []

    def test_of_a_report_restated_before_its_night_is_settled_once(self, market):
        with tenancy.use(market.pk):
            make.seller()
            accepted()
            accepted(amount=70_000, version=2)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert [line.fee for line in SettlementLine.objects.all()] == [-70_000]
            assert RevenueShare.objects.get().version == 2

    def test_of_the_same_amount_again_makes_no_line(self, market):
        with tenancy.use(market.pk):
            make.seller()
            accepted()
        close(market, SEP_8)
        later = AT + timedelta(1)
        with tenancy.use(market.pk):
            assert accepted(version=2, at=later).state == "settled"
            assert accepted(version=3, amount=5, at=later).state == "final"
            assert accepted(version=4, at=later).state == "final"
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            assert SettlementLine.objects.count() == 1
            assert RevenueReport.objects.get().state == "settled"
            assert RevenueShare.objects.get(version=4).adjustment is None
            assert list(verification.verify(on=SEP_8)) == []

    def test_found_wrong_when_somebody_changes_it(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid_share(seller)
            row = accepted()
        close(market, SEP_8)
        with tenancy.use(market.pk):
            RevenueReport.objects.filter(pk=row.pk).update(share=84_999)
            [found] = verification.verify(on=SEP_8)
            assert str(found) == (
                f"revenue report {row.public_id}: settled share should be 85000, is 84999"
            )
