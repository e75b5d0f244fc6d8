"""Random histories of sales, returns, claims and holds: whatever happens, all figures agree."""

from datetime import date, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import tenancy
from marketplace.refusals import Refused
from orders import claims
from orders.models import Claim, OrderLine
from settlements import debts, holding, nights, sentinels, verification
from settlements.holding import Terms
from settlements.models import Hold, SellerBalance, SettlementTerms, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

FIRST, DAYS = date(2026, 9, 1), 24

deeds = st.lists(
    st.tuples(
        st.integers(0, DAYS - 6),  # the day
        st.sampled_from(["sell", "claim", "decide", "hold", "hold line", "release"]),
        st.integers(0, 7),  # which row
        st.integers(1, 200_000),  # an amount
    ),
    min_size=4,
    max_size=30,
)


@pytest.fixture
def market():
    return make.market(first_open_on=FIRST)


class TestRandomHistories:
    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(deeds, st.sampled_from(debts.POLICIES), st.sampled_from([0, 300_000]))
    def test_lose_and_make_nothing(self, market, deeds, policy, reserve_ppm):
        with tenancy.use(market.pk):
            terms = {"debt_policy": policy, "reserve_ppm": reserve_ppm, "reserve_days": 3}
            with transaction.atomic():
                _publish(terms)
                _live(market, sorted(deeds, key=lambda deed: deed[0]))
                transaction.set_rollback(True)  # the next example begins anew


def _publish(terms):
    now = SettlementTerms.objects.get()
    kept = ("lag_days", "lag_kind", "cycle", "cycle_arg", "holiday", "minimum_payout")
    given = {name: getattr(now, name) for name in kept} | terms
    SettlementTerms.objects.create(
        number=2, valid_from=FIRST, state="published", published_at=make.AT, **given
    )


def _live(market, deeds):
    seller = make.seller()
    sold = []
    for day in range(DAYS):
        on = FIRST + timedelta(days=day)
        at = make.AT + timedelta(days=day)
        for _day, deed, row, amount in (deed for deed in deeds if deed[0] == day):
            try:
                with transaction.atomic():
                    _do(deed, seller, sold, row, amount, on, at)
            except Refused:
                pass  # a random deed that this moment does not allow
        for step in nights.STEPS[:-2]:  # whose check is told below, by name
            nights._done_at_once(step, on, at)
        found = {name for name, count in sentinels.watch(on, at=make.AT).items() if count}
        assert found <= {sentinels.CLAIMS}  # random people do not answer in time
    assert [str(difference) for difference in verification.verify(on=on)] == []
    for statement in Statement.objects.exclude(state="open"):
        assert statement.hold_taken <= max(statement.payable + statement.hold_taken, 0)
    for balance in SellerBalance.objects.all():
        assert balance.held == sum(Hold.objects.values_list("taken", flat=True))


def _do(deed, seller, sold, row, amount, on, at):
    lines = OrderLine.objects.order_by("pk")
    asked = {"by": None, "at": at}
    terms = Terms(reason="manual", note="무작위", condition="끝", release_on=on + timedelta(days=4))
    if deed == "sell":
        number = f"N{lines.count()}"
        sold = {"unit_price": amount, "quantity": 1 + row % 3, "seller_discount": amount % 1_000}
        sold["seller_discount"] = min(sold["seller_discount"], amount)
        make.sold(seller, number=number, paid_on=on, confirmed_on=on, **sold)
    elif deed == "claim" and lines:
        line = lines[row % len(lines)]
        claims.request(line, type="return", quantity=1 + amount % 3, fault="buyer", **asked)
    elif deed == "decide":
        claim = Claim.objects.filter(state__in=Claim.OPEN_STATES).first()
        if claim and row % 2:
            claims.reject(claim, reason="아님", **asked)
        elif claim:
            claims.complete(claims.approve(claim, **asked), **asked)
    elif deed == "hold":
        holding.hold_amount(seller, amount, terms, **asked)
    elif deed == "hold line" and lines:
        holding.hold_line(lines[row % len(lines)], terms, **asked)
    elif deed == "release" and Hold.objects.placed():
        holding.release(Hold.objects.placed().order_by("pk").first(), reason="끝", **asked)
