"""An order and its events that arrive in two transactions at once."""

import threading

import pytest
from django.db import connections

from marketplace import tenancy
from orders import intake
from orders.models import OrderLine
from orders.tests import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def own():
    own = make.marketplace()
    with tenancy.use(own.pk):
        make.seller()
    return own


def elsewhere(own, deed):
    def run():
        try:
            with tenancy.use(own.pk):
                deed()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=0.5)
    return thread


class TestArrivals:
    def test_an_event_waits_for_its_order_and_acts_on_it(self, own):
        with tenancy.use(own.pk):
            make.accepted()
            thread = elsewhere(own, lambda: make.told(make.event("paid", 0)))
            assert thread.is_alive()
        thread.join(timeout=10)
        with tenancy.use(own.pk):
            assert OrderLine.objects.get().status == "paid"

    def test_an_order_waits_for_its_events_and_is_changed_by_them(self, own):
        with tenancy.use(own.pk):
            make.told(make.event("paid", 0))
            thread = elsewhere(own, make.accepted)
            assert thread.is_alive()
        thread.join(timeout=10)
        with tenancy.use(own.pk):
            assert OrderLine.objects.get().status == "paid"

    def test_the_same_order_twice_is_accepted_once(self, own):
        with tenancy.use(own.pk):
            make.accepted()
            thread = elsewhere(own, lambda: intake.accept_many([make.order()], at=make.NIGHT))
            assert thread.is_alive()
        thread.join(timeout=10)
        with tenancy.use(own.pk):
            assert OrderLine.objects.count() == 1

    def test_events_do_not_wait_for_each_other(self, own):
        with tenancy.use(own.pk):
            make.told(make.event("paid", 0))
            thread = elsewhere(own, lambda: make.told(make.event("shipped", 1)))
            thread.join(timeout=10)
            assert not thread.is_alive()

    def test_marketplaces_do_not_wait_for_each_other(self, own):
        stranger = make.marketplace("stranger")
        with tenancy.use(stranger.pk):
            make.seller()
        with tenancy.use(own.pk):
            make.accepted()
            thread = elsewhere(stranger, lambda: make.told(make.event("paid", 0)))
            thread.join(timeout=10)
            assert not thread.is_alive()
        with tenancy.use(own.pk):
            assert OrderLine.objects.get().status == "pending_payment"
