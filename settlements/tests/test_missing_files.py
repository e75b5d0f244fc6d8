"""Settlement files that do not come: each day once, in time, until it comes or is explained."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from marketplace import tenancy
from marketplace.models import AuditEntry, Marketplace
from marketplace.tests import desks
from marketplace.tests import make as people
from orders.models import Payment
from settlements import (
    missing_files,
    nights,
    provider_files,
    reconciliation_report,
    reconciling,
    sentinels,
)
from settlements.models import MissingFile
from settlements.reconciliation_report import Standing
from settlements.tests import make

AT = make.AT
HEADER = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
FIRST = date(2026, 9, 1)
BOOKS = "/admin/settlements"


@pytest.fixture
def market(db):
    market = make.market(first_open_on=FIRST)
    with tenancy.use(market.pk):
        yield market


def day(number):
    return date(2026, 9, number)


def paid(name, on, amount=10_000, *, kind="card"):
    """A payment through a provider at noon of a day in Seoul."""
    line = make.placed(make.seller(name), number=name, unit_price=amount)
    Payment.objects.create(
        order=line.order,
        sequence=1,
        kind=kind,
        amount=amount,
        provider_id=name,
        approved_at=datetime.combine(on, time(3), UTC),
    )


def take(*days, code="standard"):
    """A file that covers days of sales, from the first to the last."""
    rows = [f"X{code}{on},payment,{on},{on + timedelta(days=2)},0,0,0,0\n" for on in days]
    reconciling.import_file(
        (HEADER + "".join(rows)).encode(),
        name=f"{days}.csv",
        format=replace(provider_files.load_format("standard"), code=code),
        by=None,
        at=AT,
    )


def missing():
    rows = MissingFile.objects.order_by("day", "provider")
    return [(row.provider, row.day.day, row.payments, row.amount, row.state) for row in rows]


def look(on):
    return missing_files.look(on=on, at=AT)


class TestLook:
    def test_names_a_day_once_the_days_of_the_marketplace_are_over(self, market):
        take(day(1))
        paid("P2", day(2))
        paid("P3", day(2), 5_000)
        look(day(8))
        assert missing() == []
        look(day(9))  # seven days after the second
        assert missing() == [("standard", 2, 2, 15_000, "open")]
        look(day(9))
        assert len(missing()) == 1

    @pytest.mark.parametrize(("days", "on"), [(1, 3), (20, 22)])
    def test_waits_so_many_days_as_the_marketplace_says(self, market, days, on):
        Marketplace.objects.filter(pk=market.pk).update(provider_file_days=days)
        take(day(1))
        paid("P2", day(2))
        look(day(on - 1))
        assert missing() == []
        look(day(on))
        assert [row[1] for row in missing()] == [2]

    def test_asks_for_nothing_on_a_day_without_sales(self, market):
        take(day(1), day(3))
        paid("P2", day(2))  # between the first and the last day of a file
        look(day(20))
        assert missing() == []

    def test_counts_a_day_by_the_clock_of_the_marketplace(self, market):
        take(day(1))
        paid("P2", day(2))
        late = datetime(2026, 9, 2, 15, 30, tzinfo=UTC)  # half past midnight of the third
        Payment.objects.update(approved_at=late)
        look(day(20))
        assert [row[1] for row in missing()] == [3]

    def test_asks_a_provider_for_nothing_before_its_first_file(self, market):
        paid("P1", day(1))
        take(day(2))
        look(day(20))
        assert missing() == []

    def test_lets_another_provider_cover_what_may_be_its_own(self, market):
        take(day(1))
        take(day(1), day(3), code="korean")
        paid("P2", day(2))
        paid("P4", day(4))
        look(day(20))
        assert [row[:2] for row in missing()] == [("korean", 4), ("standard", 4)]

    def test_misses_every_day_of_a_live_marketplace_without_any_file(self, market):
        paid("P2", day(2))
        look(day(20))
        assert missing() == []  # a test marketplace has no provider perhaps
        Marketplace.objects.filter(pk=market.pk).update(state="live")
        look(day(20))
        assert missing() == [("", 2, 1, 10_000, "open")]
        take(day(1), day(3))
        assert missing() == [("", 2, 1, 10_000, "resolved")]

    def test_asks_for_no_file_of_what_no_provider_took(self, market):
        take(day(1))
        paid("P2", day(2))
        Payment.objects.update(provider_id="")
        look(day(20))
        assert missing() == []

    def test_counts_orders_that_came_late(self, market):
        take(day(1))
        paid("P2", day(2))
        look(day(9))
        paid("P3", day(2), 1)
        look(day(10))
        assert missing() == [("standard", 2, 2, 10_001, "open")]


class TestCloseCovered:
    def test_closes_a_day_by_the_file_that_comes_after_all(self, market):
        take(day(1))
        paid("P2", day(2))
        paid("P3", day(3))
        look(day(10))
        take(day(2))
        assert [row[1::3] for row in missing()] == [(2, "resolved"), (3, "open")]
        assert look(day(10)) == 0
        assert len(missing()) == 2

    def test_closes_a_day_that_a_successors_file_covers(self, market):
        """The provider was replaced: whatever was paid that day, the other one names."""
        take(day(1))
        take(day(2), code="korean")
        paid("P3", day(3))
        look(day(10))
        assert [row[:2] for row in missing()] == [("korean", 3), ("standard", 3)]
        take(day(3), code="korean")
        assert [(row[0], row[4]) for row in missing()] == [
            ("korean", "resolved"),
            ("standard", "resolved"),
        ]
        assert look(day(11)) == 0

    def test_closes_a_day_on_which_nothing_was_sold_after_all(self, market):
        take(day(1))
        paid("P2", day(2))
        look(day(9))
        Payment.objects.update(provider_id="")
        assert look(day(10)) == 1
        assert missing() == [("standard", 2, 1, 10_000, "resolved")]
        Payment.objects.update(provider_id="P2")  # and sold on it all the same
        look(day(11))
        assert missing() == [("standard", 2, 1, 10_000, "open")]


class TestExplain:
    def test_closes_with_a_reason_and_stays_closed(self, market):
        take(day(1))
        paid("P2", day(2))
        look(day(10))
        someone = people.user("a@example.com")
        missing_files.explain(MissingFile.objects.get(), by=someone, at=AT, reason="PG 변경")
        look(day(11))
        row = MissingFile.objects.get()
        assert (row.state, row.reason, row.closed_by) == ("resolved", "PG 변경", someone)
        entry = AuditEntry.objects.get(action="missingfile.resolved")
        assert (entry.actor, entry.reason) == (someone, "PG 변경")


class TestHasCome:
    def test_is_so_once_every_provider_has_gone_past_the_day(self, market):
        assert not missing_files.has_come(day(5))  # nobody has ever said anything
        take(day(1))  # paid out on the third
        assert missing_files.has_come(day(3))
        assert not missing_files.has_come(day(4))
        assert not missing_files.has_come(day(2))  # nor had it begun
        take(day(4))
        assert missing_files.has_come(day(5))
        take(day(1), code="korean")
        assert not missing_files.has_come(day(5))
        take(day(9), code="korean")
        assert missing_files.has_come(day(5))

    def test_waits_no_longer_for_one_that_has_said_nothing_for_months(self, market):
        take(day(1), code="korean")
        take(day(1), day(30))
        paid_out = date(2026, 10, 2)
        assert not missing_files.has_come(paid_out)
        take(paid_out + missing_files.LOOKS_BACK)
        assert missing_files.has_come(day(3) + missing_files.LOOKS_BACK + timedelta(days=1))


def test_reports_and_sentinels_tell_of_it(market):
    take(day(1))
    paid("P2", day(2))
    look(day(10))
    files = reconciliation_report.standing(day(12))[1]
    assert files == Standing("files", 1, 10_000, 10)
    assert reconciliation_report.counts(day(12))["files_open"] == 1
    assert sentinels.watch(day(12), at=AT)[sentinels.FILES_MISSING] == 1


class TestFaces:
    @pytest.fixture
    def market(self, db):
        market = make.market(first_open_on=FIRST)
        with tenancy.use(market.pk):
            take(day(1))
            paid("P2", day(2))
        nights.close_day(market.pk, day(9), at=AT)
        return market

    @pytest.fixture
    def late(self, market):
        with tenancy.use(market.pk):
            return MissingFile.objects.get(day=day(2))

    def test_let_finance_explain_what_the_night_has_found(self, market, late):
        address = f"{BOOKS}/missingfile/{late.pk}"
        assert desks.operator(market, "viewer")[0].get(f"{address}/change/").status_code == 200
        client = desks.operator(market, "finance")[0]
        assert client.get(f"{BOOKS}/missingfile/").context["cl"].result_count == 1
        assert client.post(f"{address}/decide/explain/", {"reason": ""}).status_code == 422
        client.post(f"{address}/decide/explain/", {"reason": "PG 해지"})
        with tenancy.use(market.pk):
            row = MissingFile.objects.get()
        assert (row.state, row.reason) == ("resolved", "PG 해지")

    def test_are_shut_to_a_stranger(self, late):
        other = make.market("theirs", first_open_on=FIRST)
        stranger = desks.operator(other, "owner")[0]
        for what in ("change", "decide/explain"):
            answer = stranger.get(f"{BOOKS}/missingfile/{late.pk}/{what}/")
            assert answer.status_code == 404
        assert stranger.get(f"{BOOKS}/missingfile/").context["cl"].result_count == 0
