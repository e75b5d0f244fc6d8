"""A made-up market: believable, repeatable, and accepted at every door."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from marketplace import tenancy
from marketplace.models import Marketplace
from orders.models import Claim, Order, OrderEvent, OrderLine, Payment, Referral, Shipment
from sellers.models import Seller, SellerProfile
from settlements import opening, simulating, simulation

AT = datetime(2026, 3, 21, 9, 0, tzinfo=UTC)
FIRST = date(2026, 3, 2)


def play(marketplace, *, days=19, seed=7, until=AT):
    with tenancy.use(marketplace.pk):
        wanted = simulating.days_to_play(marketplace, days, at=until)
        market = simulating.prepare(
            marketplace, seed=seed, shops=6, orders_a_day=12, opened_on=FIRST, by=None, at=AT
        )
        return list(simulating.play(market, wanted, by=None))


def told(marketplace):
    """Everything about orders that the outside world could see."""
    with tenancy.use(marketplace.pk):
        return [
            list(Order.objects.order_by("number").values_list("number", "placed_at")),
            list(
                OrderLine.objects.order_by("order__number", "number").values_list(
                    "order__number", "number", "list_amount", "seller_discount", "status"
                )
            ),
            list(OrderEvent.objects.order_by("source_id").values_list("source_id", "kind")),
            list(Claim.objects.order_by("source_id").values_list("source_id", "state")),
        ]


@pytest.mark.django_db
class TestPlay:
    @pytest.mark.parametrize("preset", ["open-market", "live-commerce", "app-in-app"])
    def test_is_accepted_and_tells_of_all_that_may_happen(self, preset):
        marketplace = opening.open_marketplace(preset, "shop", first_open_on=FIRST, at=AT)
        played = play(marketplace)
        assert [day.on for day in played] == [date(2026, 3, day) for day in range(2, 21)]
        with tenancy.use(marketplace.pk):
            hosts = Seller.objects.filter(seller_type="individual", code__contains="-H")
            assert Seller.objects.count() - hosts.count() == 6
            brought = Referral.objects.values_list("seller", flat=True)
            assert set(brought) == set(hosts.values_list("pk", flat=True))
            assert hosts.count() == (2 if preset == "live-commerce" else 0)
            assert Order.objects.count() == sum(day.orders for day in played) > 150
            statuses = set(OrderLine.objects.values_list("status", flat=True))
            assert statuses >= {"paid", "delivered", "cancelled"}
            assert Payment.objects.filter(kind="points").exists()
            assert OrderLine.objects.filter(platform_discount__gt=0).exists()
            streams = set(OrderLine.objects.values_list("stream", flat=True))
            streams.discard("return_shipping")
            if preset == "app-in-app":
                assert streams == {"goods", "shipping", "iap", "ads"}
            else:
                assert streams == {"goods", "shipping"}
                assert Claim.objects.filter(return_cost=3_000).exists()
            assert not OrderEvent.objects.filter(occurred_at__gte=AT).exists()

    def test_tells_the_same_story_for_the_same_seed(self):
        first, second, other = (
            opening.open_marketplace("open-market", slug, first_open_on=FIRST, at=AT)
            for slug in ("first", "second", "other")
        )
        for marketplace, seed in ((first, 7), (second, 7), (other, 8)):
            play(marketplace, days=6, seed=seed)
        assert told(first) == told(second)
        assert told(first) != told(other)

    def test_sends_the_last_days_in_parcels_with_numbers(self):
        marketplace = opening.open_marketplace("open-market", "shop", first_open_on=FIRST, at=AT)
        for _ in range(2):
            [*_] = simulating.run(
                "shop", days=8, seed=7, orders_a_day=12, shops=6, tracked_days=3, at=AT
            )
            with tenancy.use(marketplace.pk):
                parcels = Shipment.objects.values_list("shipped_at", "tracking_number")
                sent = sorted(set(parcels))
                assert len(sent) == Shipment.objects.count() > 10
                assert sent[0][0] >= datetime(2026, 3, 17, 15, tzinfo=UTC)
                assert all(len(number) in (12, 13) for _, number in sent)
                shipped = OrderLine.objects.filter(status="shipped").exclude(stream="shipping")
                assert shipped.filter(shipped__isnull=False).exists()
        with tenancy.use(marketplace.pk):
            assert Shipment.objects.count() == len(sent)
            shop = SellerProfile.objects.order_by("pk").first()
            assert shop.contact_email == "sim7-0001@shops.example"

    def test_changes_nothing_when_repeated(self):
        marketplace = opening.open_marketplace("open-market", "shop", first_open_on=FIRST, at=AT)
        play(marketplace)
        before = told(marketplace)
        again = play(marketplace)
        assert told(marketplace) == before
        assert sum(day.claims for day in again) == 0

    def test_goes_on_with_what_an_earlier_call_began(self):
        whole, parts = (
            opening.open_marketplace("open-market", slug, first_open_on=FIRST, at=AT)
            for slug in ("whole", "parts")
        )
        play(whole)
        play(parts, days=8, until=datetime(2026, 3, 10, 9, 0, tzinfo=UTC))
        play(parts, days=11)
        assert told(parts) == told(whole)

    def test_leaves_closed_days_alone(self):
        marketplace = opening.open_marketplace("open-market", "shop", first_open_on=FIRST, at=AT)
        marketplace.last_closed_on = date(2026, 3, 19)
        assert simulating.days_to_play(marketplace, 19, at=AT) == [date(2026, 3, 20)]
        marketplace.last_closed_on = date(2026, 3, 20)
        with pytest.raises(simulating.NothingToSimulate):
            simulating.days_to_play(marketplace, 19, at=AT)

    def test_is_a_command(self, capsys):
        opening.open_marketplace("open-market", "shop", first_open_on=FIRST, at=AT)
        call_command("simulate", "shop", days=2, seed=1, orders=5, shops=3)
        assert capsys.readouterr().out.startswith("shop\t2 days\t")
        assert Marketplace.objects.get().last_closed_on is None


class TestDay:
    market = simulation.market(
        seed=3,
        zone=ZoneInfo("Asia/Seoul"),
        categories=[("fruit", "과일"), ("kitchen", "주방"), ("mystery", "수수께끼")],
        shops=30,
        orders_a_day=200,
        channels=["live"],
        streams=["goods", "shipping"],
    )

    def test_does_not_depend_on_the_days_before(self):
        once = self.market.day(FIRST)
        self.market.day(date(2026, 3, 1))
        assert self.market.day(FIRST) == once

    def test_pays_exactly_what_is_charged(self):
        for order in self.market.day(FIRST).orders:
            charged = sum(
                line.unit_price * line.quantity - line.seller_discount for line in order.lines
            ) - sum(discount.amount for discount in order.cart_discounts)
            assert sum(payment.amount for payment in order.payments) == charged

    def test_ends_every_story_in_time(self):
        story = self.market.day(FIRST)
        latest = max(
            [event.occurred_at for event in story.events] + [claim.at for claim in story.claims]
        )
        assert latest.date() - FIRST < simulation.LONGEST_STORY

    def test_sells_most_in_the_most_popular_shops(self):
        sold = {}
        for order in self.market.day(FIRST).orders:
            for code in {line.seller_code for line in order.lines}:
                sold[code] = sold.get(code, 0) + 1
        assert sold["SIM3-0001"] > 3 * sold.get("SIM3-0020", 0)
