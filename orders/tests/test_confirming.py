"""Which lines a night confirms, with which date, and what holds them back."""

import threading
from datetime import date

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from marketplace.models import AuditEntry
from orders import claims, confirming
from orders.models import OrderLine, Outcome
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]

DUE = 10  # delivered on day 2; the policy waits for 8 days, withdrawal ends on day 9


def confirm(day, **options):
    return confirming.confirm_due(make.on(day), at=make.NIGHT, **options)


def statuses():
    return list(OrderLine.objects.order_by("pk").values_list("status", flat=True))


class TestConfirmDue:
    def test_confirms_in_the_night_of_its_day_and_not_before(self):
        [line] = make.delivered(make.line(quantity=2))
        assert line.confirm_due_on == make.on(DUE)
        assert confirm(DUE - 1) == 0
        assert statuses() == ["delivered"]
        assert confirm(DUE) == 1
        line.refresh_from_db()
        assert (line.status, line.confirmed_on) == ("confirmed", make.on(DUE))
        [sale] = Outcome.objects.all()
        assert (sale.kind, sale.cause, sale.quantity) == ("sale", "confirmed_by_itself", 2)
        assert (sale.rate_on, sale.basis_on) == (make.on(0), make.on(DUE))

    def test_confirms_nothing_when_repeated(self):
        make.delivered()
        assert confirm(DUE) == 1
        assert confirm(DUE) == confirm(DUE + 1) == 0
        assert Outcome.objects.count() == 1

    def test_gives_each_line_the_date_of_its_own_night(self):
        make.delivered(number="A-1")
        make.accepted(make.order("A-2"))
        make.told(make.event("paid", 0, order="A-2"), make.event("delivered", 3, order="A-2"))
        assert [confirm(day) for day in (DUE, DUE + 1, DUE + 2)] == [1, 1, 0]
        dates = OrderLine.objects.order_by("pk").values_list("confirmed_on", flat=True)
        assert list(dates) == [make.on(DUE), make.on(DUE + 1)]

    def test_gives_a_line_that_waited_longer_the_date_of_the_night(self):
        make.delivered()
        assert confirm(DUE + 5) == 1
        assert OrderLine.objects.get().confirmed_on == make.on(DUE + 5)

    def test_confirms_shipping_with_its_goods(self):
        make.delivered(make.line(), make.shipping(2))
        assert confirm(DUE) == 1
        assert statuses() == ["confirmed", "confirmed"]
        assert sorted(Outcome.objects.values_list("list_amount", "basis_on")) == [
            (3_000, make.on(DUE)),
            (10_000, make.on(DUE)),
        ]

    def test_leaves_lines_that_are_not_paid_delivered_or_left(self):
        make.accepted(*(make.order(f"A-{number}") for number in range(4)))
        make.told(
            make.event("delivered", 2, order="A-0"),  # never paid
            make.event("paid", 0, order="A-1"),
            make.event("shipped", 1, order="A-1"),  # never delivered
            make.event("paid", 0, order="A-2"),
            make.event("delivered", 2, order="A-2"),
            make.event("cancelled", 3, order="A-2"),
        )
        assert confirm(DUE + 20) == 0
        assert statuses() == ["delivered", "shipped", "cancelled", "pending_payment"]
        assert not Outcome.objects.exists()

    def test_waits_for_open_claims_and_goes_on_afterwards(self):
        [line] = make.delivered(make.line(quantity=2))
        claim = claims.request(
            line, type="return", quantity=1, fault="buyer", by=None, at=make.day(5)
        )
        assert confirm(DUE) == 0
        claims.withdraw(claim, by=None, at=make.day(11))  # six days were lost
        assert confirm(DUE + 5) == 0
        assert confirm(DUE + 6) == 1

    def test_confirms_only_the_sellers_of_its_range(self):
        make.seller("gabe")
        [mine] = make.delivered(number="A-1")
        [other] = make.delivered(make.line(1, "gabe"), number="A-2")
        first, end = other.seller_id, other.seller_id + 1
        assert confirm(DUE, first_seller=first, end_seller=end) == 1
        mine.refresh_from_db()
        other.refresh_from_db()
        assert (mine.status, other.status) == ("delivered", "confirmed")
        assert confirm(DUE, first_seller=0, end_seller=first) == 1

    def test_leaves_one_audit_entry_for_many_lines(self):
        for number in range(3):
            make.delivered(number=f"A-{number}")
        assert confirm(DUE) == 3
        [entry] = AuditEntry.objects.filter(action="orderline.confirmed")
        assert (entry.data["count"], entry.reason) == (3, "confirmed_by_itself")

    def test_asks_the_database_as_often_for_many_lines_as_for_one(self):
        def queries():
            with CaptureQueriesContext(connection) as captured:
                confirm(DUE)
            return len(captured)

        make.delivered(number="one")
        one = queries()
        make.accepted(*(make.order(f"A-{number}") for number in range(30)))
        for kind, day in (("paid", 0), ("delivered", 2)):
            make.told(*(make.event(kind, day, order=f"A-{number}") for number in range(30)))
        assert queries() == one
        assert set(statuses()) == {"confirmed"}


class TestWithoutRules:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """A marketplace whose rules are published only later."""
        with tenancy.use(make.marketplace().pk):
            make.seller()
            yield

    def test_waits_until_rules_are_published(self):
        make.delivered()
        assert confirm(DUE) == 0
        assert OrderLine.objects.get().confirm_due_on is None
        make.calendar()
        assert confirm(DUE) == 0
        make.policy()
        assert confirm(DUE) == 1

    def test_waits_until_the_calendar_covers_the_day(self):
        make.calendar(last=date(2026, 3, 8))
        make.policy()
        make.delivered()
        assert confirm(DUE) == 0
        assert OrderLine.objects.get().confirm_due_on is None

    def test_takes_the_first_rules_for_history_from_before_them(self):
        make.calendar(first=date(2026, 3, 2), last=date(2026, 12, 31))
        make.policy(valid_from=date(2026, 3, 2))
        make.accepted(make.order(placed_at=make.day(-60)))
        make.told(make.event("paid", -60), make.event("delivered", -50))
        assert OrderLine.objects.get().confirm_due_on == make.on(-42)  # 12 to 20 January


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """Ours and a stranger's marketplace, each with a line that is due."""
        self.own, self.strangers = make.marketplace(), make.marketplace("stranger")
        for marketplace in (self.own, self.strangers):
            with tenancy.use(marketplace.pk):
                make.calendar()
                make.policy()
                make.seller()
                make.delivered()

    def test_confirms_nothing_of_ours(self):
        with tenancy.use(self.strangers.pk):
            assert confirm(DUE) == 1
        with tenancy.use(self.own.pk):
            assert statuses() == ["delivered"]
            assert not Outcome.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    @pytest.fixture(autouse=True)
    def market(self, transactional_db):
        """Committed, so that a second connection sees it."""
        self.own = make.opened()
        with tenancy.use(self.own.pk):
            [self.line] = make.delivered()

    def test_does_not_confirm_a_line_on_which_a_claim_is_just_being_made(self):
        confirmed = []

        def night():
            try:
                with tenancy.use(self.own.pk):
                    confirmed.append(confirm(DUE))
            finally:
                connections.close_all()

        thread = threading.Thread(target=night)
        with tenancy.use(self.own.pk):
            claims.request(
                self.line, type="return", quantity=1, fault="buyer", by=None, at=make.day(9)
            )
            thread.start()
            thread.join(timeout=0.5)
            assert thread.is_alive()  # it waits for the line
        thread.join(timeout=10)
        assert confirmed == [0]
        with tenancy.use(self.own.pk):
            assert statuses() == ["delivered"]
