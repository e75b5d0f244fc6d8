"""Money given back for a confirmed line whose units stay."""

import pytest

from marketplace import tenancy
from marketplace.models import AuditEntry, Change
from orders import outcomes, reductions
from orders.models import OrderLine, Outcome, OutcomeToSettle
from orders.remainders import ReductionExceedsPaid
from orders.tests import make
from orders.verdicts import NotBetween

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]


def confirmed(**fields):
    [line] = make.accepted(make.order(lines=[make.line(quantity=3, **fields)]))
    make.told(make.event("paid", 0), make.event("confirmed", 9))
    return line


class TestReducePrice:
    @pytest.mark.parametrize(
        ("funder", "discounts"),
        [("seller", (500, 0, 0)), ("platform", (0, 500, 0)), ("partner", (0, 0, 500))],
    )
    def test_adds_to_what_the_funder_gives(self, funder, discounts):
        line, operator = confirmed(), make.user()
        reductions.reduce_price(line, 500, funder, by=operator, at=make.day(12), reason="scratch")
        reversal = Outcome.objects.get(sequence=1)
        assert (reversal.kind, reversal.cause) == ("reversal", "price_reduced")
        assert (reversal.rate_on, reversal.basis_on) == (make.on(0), make.on(12))
        assert (reversal.quantity, reversal.list_amount) == (3, 30_000)
        assert discounts == (
            reversal.seller_discount,
            reversal.platform_discount,
            reversal.partner_discount,
        )
        assert OutcomeToSettle.objects.count() == 2
        [entry] = AuditEntry.objects.filter(action="orderline.price_reduced")
        assert (entry.actor, entry.reason) == (operator, "scratch")
        assert entry.data == {"amount": 500, "funder": funder}
        [change] = Change.objects.filter(type="order.price_reduced")
        assert (change.object_id, change.data) == (line.order.public_id, {"lines": [1]})
        line.refresh_from_db()
        assert (line.status, line.units_left, line.seller_discount) == ("confirmed", 3, 0)

    def test_is_followed_by_exact_reversals(self):
        line = confirmed(platform_discount=1_000)
        reductions.reduce_price(line, 1_000, "seller", by=None, at=make.day(12))
        make.told(make.event("cancelled", 13, 1, quantity=2))
        last = Outcome.objects.get(sequence=2)
        # Units were paid 9,666, 9,667 and 9,667; the reduction gives 333, 334 and 333.
        assert (last.quantity, last.seller_discount, last.platform_discount) == (1, 333, 334)

    def test_refuses_more_than_the_buyer_pays(self):
        line = confirmed(platform_discount=1_000)
        with pytest.raises(ReductionExceedsPaid):
            reductions.reduce_price(line, 29_001, "seller", by=None, at=make.day(12))
        reductions.reduce_price(line, 29_000, "seller", by=None, at=make.day(12))

    def test_refuses_a_line_that_is_not_confirmed(self):
        [line] = make.accepted()
        with pytest.raises(outcomes.NothingSold):
            reductions.reduce_price(line, 1, "seller", by=None, at=make.day(12))
        assert not AuditEntry.objects.filter(action="orderline.price_reduced").exists()

    @pytest.mark.parametrize("amount", [0, -5])
    def test_refuses_what_is_no_amount(self, amount):
        line = confirmed()
        with pytest.raises(NotBetween):
            reductions.reduce_price(line, amount, "seller", by=None, at=make.day(12))


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """Instead of the marketplace in use: ours and a stranger's."""

    def test_cannot_reduce_our_prices(self):
        own, strangers = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(own.pk):
            make.seller()
            line = confirmed()
        with tenancy.use(strangers.pk), pytest.raises(OrderLine.DoesNotExist):
            reductions.reduce_price(line, 500, "seller", by=None, at=make.day(12))
        with tenancy.use(own.pk):
            assert Outcome.objects.count() == 1
