"""Commissions that orders tell of: counted, settled, restated by reversals, verified."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from marketplace import tenancy
from marketplace.models import JobRun
from orders import importing, intake, outcomes
from orders.folding import Sale
from orders.models import ImportProfile, OutcomeToCredit, Referral
from orders.submissions import NewLine, NewOrder, NewPayment, NewReferral
from sellers.models import Seller
from settlements import (
    commissions,
    fees,
    nights,
    revenue_reporting,
    runs,
    shares,
    sharing,
    verification,
)
from settlements.fee_rules import Rule
from settlements.fees import Charge, Terms
from settlements.models import (
    Account,
    Adjustment,
    LedgerEntry,
    RevenueLine,
    RevenueReport,
    SettlementLine,
    Statement,
)
from settlements.revenue_reporting import NewReport
from settlements.tests import make

SEP_8 = date(2026, 9, 8)
OCT_2 = date(2026, 10, 2)
AT = make.AT
DAILY = {"cycle": "daily", "lag_days": 0, "lag_kind": "calendar", "holiday": "none"}


@pytest.fixture
def market(db):
    """Hosts have 10 % of what they bring; all of September up to the 7th is closed."""
    market = make.market("ours", preset="live-commerce", first_open_on=SEP_8)
    with tenancy.use(market.pk):
        make.seller("A")
    return market


def host(code="H", **said):
    """A person who is paid daily, and from whom income tax is withheld."""
    seller = make.seller(code, seller_type="individual")
    terms = {"income_kind": "service", "minimum_payout": 0, **DAILY, **said}
    make.contract(seller, valid_from=SEP_8, at=AT, **terms)
    return seller


def seller_a():
    return Seller.objects.get(code="A")


def close(market, on):
    nights.close_day(market.pk, on, at=AT)


def lines_of(seller):
    """Basis date, share and net of the settlement lines of a seller."""
    rows = SettlementLine.objects.filter(seller_id=seller.pk).order_by("basis_on")
    return [(row.basis_on, -row.fee, row.net) for row in rows]


def clean(on):
    return [str(found) for found in verification.verify(on=on)]


class TestCredit:
    def test_pays_the_host_of_a_sale_less_withheld_tax(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            make.sold(seller_a(), unit_price=1_000_000, brought_by=hosting)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            report = RevenueReport.objects.get()
            assert (report.seller_id, report.stream, report.on) == (hosting.pk, "host", SEP_8)
            assert (report.source, report.state, report.version) == ("orders", "settled", 1)
            assert (report.amount, report.share) == (1_000_000, 100_000)
            assert lines_of(hosting) == [(SEP_8, 100_000, 100_000)]
            assert Adjustment.objects.get().reason_code == "host_commission"
            paid = Statement.objects.get(seller=hosting)
            assert (paid.withholding_income, paid.withholding_local) == (3_000, 300)
            assert paid.payout == 96_700
            assert clean(SEP_8) == []

    def test_owes_the_host_on_its_own_accounts_as_every_seller(self, market):
        """No account of hosts beside them: what is not paid out is held for its invoice."""
        with tenancy.use(market.pk):
            registered = make.seller("R")
            make.contract(registered, valid_from=SEP_8, at=AT, **DAILY)
            for number, hosting in (("O1", host()), ("O2", registered)):
                make.sold(seller_a(), number=number, unit_price=1_000_000, brought_by=hosting)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert make.balances() == {
                "purchase:adj_host_commission": -200_000,
                "input_vat": -10_000,
                "withholding_income": 3_000,
                "withholding_local": 300,
                "payout_payable": 96_700,
                "seller_held": 110_000,
            }
            accounts = dict(Account.objects.values_list("pk", "code"))
            owed = LedgerEntry.objects.exclude(seller_id=None).order_by("seller_id")
            sums: dict[tuple[str, str], int] = {}
            codes = dict(Seller.objects.values_list("pk", "code"))
            for entry in owed:
                key = (codes[entry.seller_id], accounts[entry.account_id])
                sums[key] = sums.get(key, 0) + entry.credit - entry.debit
            assert {key: amount for key, amount in sums.items() if amount} == {
                ("H", "payout_payable"): 96_700,
                ("R", "seller_held"): 110_000,
            }
            assert clean(SEP_8) == []

    def test_gives_a_registered_host_its_own_vat(self, market):
        with tenancy.use(market.pk):
            hosting = make.seller("H")
            make.contract(hosting, valid_from=SEP_8, at=AT, **DAILY)
            make.sold(seller_a(), unit_price=1_000_000, brought_by=hosting)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert lines_of(hosting) == [(SEP_8, 100_000, 110_000)]

    def test_counts_what_the_seller_asked_and_not_what_others_gave(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            discounts = {"seller_discount": 100_000, "platform_discount": 50_000}
            make.sold(seller_a(), unit_price=1_000_000, brought_by=hosting, **discounts)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert RevenueReport.objects.get().amount == 900_000
            assert lines_of(hosting) == [(SEP_8, 90_000, 90_000)]

    def test_takes_back_what_is_returned_on_the_day_of_the_return(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            line = make.sold(seller_a(), unit_price=250_000, quantity=4, brought_by=hosting)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            make.returned(line, left=3, on=OCT_2)
        close(market, OCT_2)
        with tenancy.use(market.pk):
            assert lines_of(hosting) == [(SEP_8, 100_000, 100_000), (OCT_2, -25_000, -25_000)]
            report = RevenueReport.objects.get()
            assert (report.on, report.version, report.amount) == (SEP_8, 2, 750_000)
            told = list(report.lines.order_by("pk").values_list("sequence", "basis_on", "amount"))
            assert told == [(0, SEP_8, 1_000_000), (1, OCT_2, -250_000)]
            make.returned(line, left=0, on=OCT_2 + timedelta(1))
        close(market, OCT_2 + timedelta(1))
        with tenancy.use(market.pk):
            assert sum(share for _, share, _ in lines_of(hosting)) == 0
            assert RevenueReport.objects.get().share == 0
            assert clean(OCT_2) == []

    def test_keeps_the_terms_of_the_first_settlement(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            line = make.sold(seller_a(), unit_price=250_000, quantity=4, brought_by=hosting)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            rule = {"component": "host_kept", "stream": "host", "base": "amount"}
            rules = [{**rule, "rate_ppm": 500_000}]
            later = {"valid_from": date(2026, 10, 1), "at": AT + timedelta(20)}
            make.contract(hosting, rules=rules, **later, **DAILY)
            make.returned(line, left=3, on=OCT_2)
        close(market, OCT_2)
        with tenancy.use(market.pk):
            assert lines_of(hosting)[-1] == (OCT_2, -25_000, -25_000)

    def test_takes_one_share_of_what_a_day_brought(self, market):
        with tenancy.use(market.pk):
            hosting, other = host(), make.seller("B")
            make.sold(seller_a(), number="O1", unit_price=333, brought_by=hosting)
            make.sold(other, number="O2", unit_price=333, brought_by=hosting)
            make.sold(other, number="O3", unit_price=5_000)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            # 599 of 666 is kept; of each line by itself 299, which would leave one more.
            assert RevenueReport.objects.get().amount == 666
            assert lines_of(hosting) == [(SEP_8, 67, 67)]
            assert RevenueLine.objects.count() == 2

    def test_keeps_hosts_days_and_streams_apart(self, market):
        with tenancy.use(market.pk):
            rules = [
                {"component": "host_kept", "stream": stream, "base": "amount", "rate_ppm": 800_000}
                for stream in ("host", "affiliate")
            ]
            one, two = host("H1"), host("H2", rules=rules)
            next_day = {"confirmed_on": SEP_8 + timedelta(1)}
            make.sold(seller_a(), number="O1", brought_by=one)
            make.sold(seller_a(), number="O2", brought_by=one, **next_day)
            make.sold(seller_a(), number="O3", brought_by=two)
            link = make.placed(seller_a(), number="O4")
            Referral.objects.create(line=link, seller=two, stream="affiliate")
            outcomes.record(
                [Sale(SimpleNamespace(id=link.pk), 1, date(2026, 9, 1), SEP_8, "confirmed")], []
            )
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            rows = RevenueReport.objects.order_by("seller__code", "on", "stream")
            assert list(rows.values_list("seller__code", "stream", "on", "share")) == [
                ("H1", "host", SEP_8, 1_000),
                ("H1", "host", SEP_8 + timedelta(1), 1_000),
                ("H2", "affiliate", SEP_8, 2_000),
                ("H2", "host", SEP_8, 2_000),
            ]
            reasons = Adjustment.objects.values_list("reason_code", flat=True)
            assert sorted(set(reasons)) == ["affiliate_commission", "host_commission"]
            assert clean(SEP_8) == []

    def test_dates_what_comes_late_as_nights_in_time_would_have(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            make.sold(seller_a(), number="O1", unit_price=100_000, brought_by=hosting)
        close(market, OCT_2)
        with tenancy.use(market.pk):
            # Sold in September and given back in October, and told after both.
            line = make.sold(
                seller_a(), number="O2", unit_price=50_000, quantity=2, brought_by=hosting
            )
            make.returned(line, left=1, on=OCT_2)
        close(market, OCT_2 + timedelta(1))
        with tenancy.use(market.pk):
            assert lines_of(hosting) == [
                (SEP_8, 10_000, 10_000),
                (SEP_8, 10_000, 10_000),
                (OCT_2, -5_000, -5_000),
            ]
            assert RevenueReport.objects.get().amount == 150_000
            assert clean(OCT_2) == []

    def test_waits_until_the_sale_itself_is_settled(self, market, monkeypatch):
        with tenancy.use(market.pk):
            hosting = host()
            make.sold(seller_a(), brought_by=hosting)

        def cannot_be_served(**_):
            raise ValueError("no rule")

        monkeypatch.setattr(runs, "settle", cannot_be_served)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert not RevenueReport.objects.exists()
            assert OutcomeToCredit.objects.count() == 1
        monkeypatch.undo()
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            assert not OutcomeToCredit.objects.exists()
            assert lines_of(hosting) == [(SEP_8, 1_000, 1_000)]

    def test_fails_for_one_referrer_alone_and_is_watched(self, market, monkeypatch):
        with tenancy.use(market.pk):
            one, two = host("H1"), host("H2")
            make.sold(seller_a(), number="O1", brought_by=one)
            make.sold(seller_a(), number="O2", brought_by=two)
        restate = commissions._restate

        def cannot_serve_one(gains, *given):
            if any(gain.key[0] == one.pk for gain in gains):
                raise ValueError("no rule")
            return restate(gains, *given)

        monkeypatch.setattr(commissions, "_restate", cannot_serve_one)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            told = JobRun.objects.get(kind="night.commissions").rows.get()
            assert (told.head, told.key, told.code) == ("failed", "H1", "ValueError")
            assert lines_of(one) == []
            assert lines_of(two) == [(SEP_8, 1_000, 1_000)]
            check = JobRun.objects.get(kind="night.check")
            assert check.counts["waiting_commissions"] == 1
            assert clean(SEP_8) == []
        monkeypatch.undo()
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            assert lines_of(one) == [(SEP_8, 1_000, 1_000)]

    def test_makes_nothing_of_a_reduction_that_others_fund(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            line = make.sold(seller_a(), unit_price=100_000, brought_by=hosting)
        close(market, SEP_8)
        with tenancy.use(market.pk):
            reduced = outcomes.Reduced
            outcomes.record([], [reduced(line.pk, 10_000, "platform", OCT_2, "goodwill")])
        close(market, OCT_2)
        with tenancy.use(market.pk):
            assert lines_of(hosting) == [(SEP_8, 10_000, 10_000)]
            outcomes.record(
                [], [reduced(line.pk, 10_000, "seller", OCT_2 + timedelta(1), "goodwill")]
            )
        close(market, OCT_2 + timedelta(1))
        with tenancy.use(market.pk):
            assert lines_of(hosting)[-1] == (OCT_2 + timedelta(1), -1_000, -1_000)
            assert RevenueReport.objects.get().state == "settled"
            assert clean(OCT_2) == []

    def test_changes_nothing_a_second_time(self, market):
        with tenancy.use(market.pk):
            make.sold(seller_a(), brought_by=host())
        close(market, SEP_8)
        with tenancy.use(market.pk):
            every = {"on": SEP_8, "first_seller": 0, "end_seller": 2**62, "at": AT}
            assert commissions.credit(**every) == commissions.Counted(0, 0, 0)
            assert RevenueReport.objects.get().version == 1
            job = JobRun.objects.get(kind="night.commissions")
            assert job.counts["lines"] == job.counts["reports"] == job.counts["adjustments"] == 1

    def test_serves_the_sellers_of_its_range_alone(self, market):
        with tenancy.use(market.pk):
            one, two = host("H1"), host("H2")
            make.sold(seller_a(), number="O1", brought_by=one)
            make.sold(seller_a(), number="O2", brought_by=two)
            nights._open_months(SEP_8)
            commissions.open_months(SEP_8)
            runs.settle(on=SEP_8, first_seller=0, end_seller=2**62)
            assert commissions.waiting(SEP_8) == [(one.pk, 1), (two.pk, 1)]
            own = {"first_seller": two.pk, "end_seller": two.pk + 1}
            assert commissions.credit(on=SEP_8, **own, at=AT) == commissions.Counted(1, 1, 1)
            assert RevenueReport.objects.get().seller_id == two.pk
            assert commissions.waiting(SEP_8) == [(one.pk, 1)]

    def test_asks_no_more_of_many_lines_than_of_few(self, market):
        def asked(number, count):
            with tenancy.use(market.pk):
                for n in range(count):
                    make.sold(seller_a(), number=f"{number}-{n}", brought_by=hosting)
                runs.settle(on=SEP_8, first_seller=0, end_seller=2**62)
                with CaptureQueriesContext(connection) as asked:
                    commissions.credit(on=SEP_8, first_seller=0, end_seller=2**62, at=AT)
                return len(asked)

        with tenancy.use(market.pk):
            hosting = host()
            nights._open_months(SEP_8)
            make.sold(seller_a(), number="first", brought_by=hosting)
            commissions.open_months(SEP_8)
        asked("warm", 1)
        assert asked("few", 2) == asked("many", 20)

    def test_settles_nothing_that_no_rule_names_any_more(self, market):
        other = make.market("goods", preset="open-market", first_open_on=SEP_8)
        with tenancy.use(other.pk):
            hosting = make.seller("H")
            make.sold(make.seller("A"), brought_by=hosting)
        close(other, SEP_8)
        with tenancy.use(other.pk):
            report = RevenueReport.objects.get()
            assert (report.state, report.amount, report.share) == ("provisional", 10_000, 0)
            assert lines_of(hosting) == []
            assert clean(SEP_8) == []

    def test_found_wrong_when_somebody_changes_it(self, market):
        with tenancy.use(market.pk):
            make.sold(seller_a(), brought_by=host())
        close(market, SEP_8)
        with tenancy.use(market.pk):
            report = RevenueReport.objects.get()
            RevenueReport.objects.update(amount=9_999)
            assert f"revenue report {report.public_id}: amount should be 10000, is 9999" in clean(
                SEP_8
            )
            RevenueReport.objects.update(amount=10_000, on=date(2026, 9, 7))
            [found] = clean(SEP_8)
            assert found == (
                "referred line O1/1#0: referrer, stream, day, basis date, amount should be "
                "H, host, 2026-09-08, 2026-09-08, 10000, is H, host, 2026-09-07, 2026-09-08, 10000"
            )

    def test_found_missing_when_it_is_lost_from_the_queue(self, market):
        with tenancy.use(market.pk):
            make.sold(seller_a(), brought_by=host())
            OutcomeToCredit.objects.all().delete()
        close(market, SEP_8)
        with tenancy.use(market.pk):
            assert clean(SEP_8) == ["referred line O1/1#0: counted or waiting should be 1, is 0"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_count_a_sale_once(market):
    with tenancy.use(market.pk):
        make.sold(seller_a(), brought_by=host())
        nights._open_months(SEP_8)
        commissions.open_months(SEP_8)
        runs.settle(on=SEP_8, first_seller=0, end_seller=2**62)

    def work(_):
        try:
            with tenancy.use(market.pk):
                every = {"on": SEP_8, "first_seller": 0, "end_seller": 2**62, "at": AT}
                return commissions.credit(**every).lines
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, range(2))) == [0, 1]
    with tenancy.use(market.pk):
        assert RevenueReport.objects.get().version == 1
        assert SettlementLine.objects.filter(kind=SettlementLine.Kind.ADJUSTMENT).count() == 1


class TestReported:
    def report(self, **said):
        usual = {"seller_code": "H", "stream": "host", "on": SEP_8, "amount": 500_000}
        new = NewReport(**{**usual, "version": 1, "is_final": True, **said})
        at = datetime(2026, 9, 9, 3, tzinfo=UTC)
        [verdict] = revenue_reporting.accept_many([new], source="api", at=at)
        return verdict

    def test_is_refused_where_orders_tell_of_it(self, market):
        with tenancy.use(market.pk):
            make.sold(seller_a(), unit_price=1_000_000, brought_by=host())
        close(market, SEP_8)
        with tenancy.use(market.pk):
            verdict = self.report(version=2)
            assert (verdict.code, verdict.field) == ("revenue_known_from_orders", "stream")
            assert RevenueReport.objects.get().amount == 1_000_000
            assert self.report(app="other-shop").result == "accepted"
            assert self.report(on=date(2026, 9, 9)).result == "accepted"

    def test_stands_beside_what_orders_tell_later(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            make.sold(seller_a(), unit_price=1_000_000, brought_by=hosting)
            assert self.report().result == "accepted"
        close(market, SEP_8)
        with tenancy.use(market.pk):
            rows = RevenueReport.objects.order_by("source").values_list("source", "share")
            assert list(rows) == [("orders", 100_000), ("reported", 50_000)]
            # What was reported twice its sender takes back.
            assert self.report(amount=0, version=2).result == "accepted"
        close(market, SEP_8 + timedelta(1))
        with tenancy.use(market.pk):
            assert sum(share for _, share, _ in lines_of(hosting)) == 100_000
            assert clean(SEP_8) == []

    def test_is_explained_by_the_rule_that_kept_its_part(self, market):
        with tenancy.use(market.pk):
            make.sold(seller_a(), unit_price=1_000_000, brought_by=host())
        close(market, SEP_8)
        with tenancy.use(market.pk):
            told = sharing.explained(RevenueReport.objects.get())
            assert (told.components[0].component, told.components[0].fee) == ("host_kept", 900_000)


class TestIntake:
    def order(self, referral, number="O1", **fields):
        line = NewLine(1, "A", 10_000, 1, referral=referral, **fields)
        paid = (NewPayment(1, "card", 10_000),)
        return NewOrder(number, "shop", AT + timedelta(7), (line,), paid)

    def verdict(self, referral, **fields):
        order = self.order(referral, **fields)
        [verdict] = intake.accept_many([order], at=AT + timedelta(8))
        return (verdict.result, verdict.code, verdict.field)

    def test_keeps_who_brought_the_sale(self, market):
        with tenancy.use(market.pk):
            hosting = host()
            said = NewReferral("H", "host")
            assert self.verdict(said) == ("accepted", "", "")
            kept = Referral.objects.get()
            assert (kept.seller_id, kept.stream, kept.line.number) == (hosting.pk, "host", 1)
            assert self.verdict(said) == ("repeated", "", "")
            assert self.verdict(None)[:2] == ("refused", "order_differs")
            assert self.verdict(None, number="O2") == ("accepted", "", "")
            assert self.verdict(said, number="O2")[:2] == ("refused", "order_differs")
            assert Referral.objects.count() == 1

    @pytest.mark.parametrize(
        ("referral", "code", "field"),
        [
            (NewReferral("X", "host"), "unknown_referrer", "seller_code"),
            (NewReferral("A", "host"), "own_referral", "seller_code"),
            (NewReferral("", "host"), "field_missing", "seller_code"),
            (NewReferral("H", "goods"), "not_one_of", "stream"),
            (NewReferral("H", "affiliate"), "referral_not_charged", "stream"),
        ],
    )
    def test_refuses_what_nobody_could_be_paid_for(self, market, referral, code, field):
        with tenancy.use(market.pk):
            host()
            assert self.verdict(referral) == ("refused", code, f"lines[0].referral.{field}")
            assert not Referral.objects.exists()

    def test_refuses_a_host_of_another_marketplace(self, market):
        other = make.market("theirs", preset="live-commerce", first_open_on=SEP_8)
        with tenancy.use(other.pk):
            host("T")
        with tenancy.use(market.pk):
            assert self.verdict(NewReferral("T", "host"))[:2] == ("refused", "unknown_referrer")

    def test_refuses_shipping_that_somebody_brought(self, market):
        with tenancy.use(market.pk):
            host()
            given = self.verdict(NewReferral("H", "host"), stream="shipping")
            assert given == ("refused", "shipping_referred", "lines[0].referral")


class TestImport:
    def test_reads_who_brought_a_line_from_a_file(self, market, tmp_path):
        fields = {
            "order": "order",
            "seller": "seller",
            "unit_price": "price",
            "quantity": "units",
            "referrer": "host",
            "referral_stream": {"constant": "host"},
        }
        body = {
            "name": "Shop",
            "source": "shop",
            "currency": "KRW",
            "zone": "Asia/Seoul",
            "orders": {"fields": {"number": "order", "placed_at": "at"}},
            "lines": {"files": ["rows*"], "fields": fields},
            "total_paid_by": "card",
            "events": {"paid": "at"},
        }
        with tenancy.use(market.pk):
            hosting = host()
            ImportProfile.objects.create(code="shop", name="Shop", body=body)
        rows = tmp_path / "rows.csv"
        rows.write_text(
            "order,at,seller,price,units,host\n"
            "O1,2026-09-08T10:00:00,A,1000,1,H\n"
            "O2,2026-09-08T10:00:00,A,1000,1,\n"
            "O3,2026-09-08T10:00:00,A,1000,1,X\n"
        )
        at = AT + timedelta(8)
        imported = importing.import_files(market.pk, "shop", [rows], by=None, at=at)
        with tenancy.use(market.pk):
            kept = Referral.objects.get()
            assert (kept.line.order.number, kept.seller_id) == ("O1", hosting.pk)
            [told] = JobRun.objects.get(pk=imported.job_id).rows.all()
            assert (told.key, told.code) == ("O3", "unknown_referrer")


rates = st.integers(0, 1_000_000)
remains = st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=5), max_size=6)


@given(rates, remains)
def test_commissions_of_a_day_add_up_to_the_share_of_what_remains(rate_ppm, lines):
    """`lines`: what remains of each line of a day after every outcome, the largest first."""
    rule = Rule(
        id=1, rank=1, rate_ppm=rate_ppm, vat_kind="inclusive", base="amount", component="host_kept"
    )
    terms = Terms(1, 100_000, (Charge(rule),))
    lines = [sorted(line, reverse=True) for line in lines]
    paid = amount = 0
    for turn in range(5):
        gained = sum(
            line[turn] - (line[turn - 1] if turn else 0) for line in lines if turn < len(line)
        )
        paid += shares.difference(terms, amount, amount + gained)
        amount += gained
    assert amount == sum(line[-1] for line in lines)
    left = fees.figures(terms, 1 if amount else 0, amount)[1]
    assert paid == amount - left == shares.of(terms, amount).share
