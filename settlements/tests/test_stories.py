"""The money on the admin's pages of orders, claims and sellers: the figures that were settled."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils.module_loading import import_string

from marketplace import tenancy
from marketplace.story_pages import SECTIONS
from marketplace.tests import desks
from orders import claims
from orders.models import OrderLine
from settlements import nights, stories
from settlements.models import SettlementLine
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    market = make.market(first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        make.sold(make.seller(), unit_price=50_000, quantity=2, category="gold")
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


class TestSections:
    def test_are_all_there(self):
        for named in (name for names in SECTIONS.values() for name in names):
            assert callable(import_string(named))

    def test_show_what_was_settled_and_what_a_claim_would_take(self, market):
        client, _ = desks.operator(market)
        with tenancy.use(market.pk):
            line = OrderLine.objects.select_related("seller").get()
            settled = SettlementLine.objects.get()
            claim = claims.request(
                line, type="return", quantity=2, fault="seller", by=None, at=make.AT
            )
            effect = stories._effect(claim)
        # All units come back, so all that was settled is taken.
        assert (effect.quantity, effect.net) == (2, settled.net)
        net = f"₩{settled.net:,}"
        for named, row in (
            ("orders_order", line.order_id),
            ("orders_claim", claim.pk),
            ("sellers_seller", line.seller_id),
        ):
            answer = client.get(reverse(f"admin:{named}_change", args=[row]))
            assert answer.status_code == 200
            assert net in desks.text(answer)
