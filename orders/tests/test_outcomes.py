"""What lines came to, in exact figures, after any history of cancellations and reductions."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import tenancy
from orders import outcomes, reductions, remainders
from orders.models import OrderLine, Outcome, OutcomeToSettle
from orders.outcomes import Reduced
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]


def confirmed(number="A-1", **fields):
    """A confirmed line of three units at 10,000, unless told otherwise."""
    [line] = make.accepted(make.order(number, [make.line(**{"quantity": 3, **fields})]))
    make.told(make.event("paid", 0, order=number), make.event("confirmed", 9, order=number))
    line.refresh_from_db()
    return line


def figures(line):
    return [
        (found.quantity, found.list_amount, *discounts(found))
        for found in Outcome.objects.filter(line=line).order_by("sequence")
    ]


def discounts(outcome):
    return outcome.seller_discount, outcome.platform_discount, outcome.partner_discount


class TestRecord:
    def test_takes_units_back_from_the_last_with_their_share_of_discounts(self):
        line = confirmed(seller_discount=1_000, platform_discount=500, partner_discount=100)
        make.told(make.event("cancelled", 10, 1, quantity=1))
        make.told(make.event("cancelled", 11, 1, quantity=1))
        make.told(make.event("cancelled", 12, 1, quantity=1))
        assert figures(line) == [
            (3, 30_000, 1_000, 500, 100),
            (2, 20_000, 667, 333, 67),
            (1, 10_000, 334, 166, 34),
            (0, 0, 0, 0, 0),
        ]

    def test_writes_several_reversals_of_one_line_at_once(self):
        line = confirmed(platform_discount=1_000)
        make.told(*(make.event("cancelled", 10 + n, 1, quantity=1) for n in range(3)))
        assert figures(line) == [
            (3, 30_000, 0, 1_000, 0),
            (2, 20_000, 0, 667, 0),
            (1, 10_000, 0, 334, 0),
            (0, 0, 0, 0, 0),
        ]

    def test_queues_every_outcome(self):
        confirmed()
        make.told(make.event("cancelled", 10, 1, quantity=1))
        queued = OutcomeToSettle.objects.values_list("outcome_id", "seller_id", "basis_on")
        written = Outcome.objects.values_list("pk", "seller_id", "basis_on")
        assert sorted(queued) == sorted(written)
        assert len(written) == 2

    def test_refuses_a_reversal_of_what_was_never_sold(self):
        [line] = make.accepted()
        with pytest.raises(outcomes.NothingSold):
            outcomes.record([], [Reduced(line.pk, 1, "seller", make.on(3), "test")])
        assert not Outcome.objects.exists()

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.tuples(*[st.integers(0, 3_000)] * 3),
        st.lists(
            st.one_of(
                st.integers(1, 2),
                st.tuples(st.sampled_from(remainders.FUNDERS), st.integers(1, 900)),
            ),
            max_size=5,
        ),
    )
    def test_remembers_whatever_was_done_to_a_line(self, given_discounts, deeds):
        number = f"H-{OrderLine.objects.count()}"
        names = ("seller_discount", "platform_discount", "partner_discount")
        fields = dict(zip(names, given_discounts, strict=True))
        line = confirmed(number, quantity=5, unit_price=2_000, **fields)
        units = remainders.units_of(2_000, 5, *given_discounts)
        expected = [units.remainder()]
        for at, deed in enumerate(deeds):
            try:
                if isinstance(deed, int):
                    units = remainders.take_back(units, deed)
                    sent = make.event(
                        "cancelled", 10, 1, order=number, quantity=deed, source_id=f"{number}/{at}"
                    )
                    make.told(sent)
                else:
                    units = remainders.reduce_price(units, deed[1], deed[0])
                    reductions.reduce_price(line, deed[1], deed[0], by=None, at=make.day(11))
            except (remainders.MoreThanRemains, remainders.ReductionExceedsPaid):
                break
            expected.append(units.remainder())
        found = Outcome.objects.filter(line=line).order_by("sequence")
        assert [(o.quantity, o.list_amount, *discounts(o)) for o in found] == [
            (r.quantity, r.list_amount, r.seller_discount, r.platform_discount, r.partner_discount)
            for r in expected
        ]


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """Instead of the marketplace in use: ours and a stranger's."""

    def test_cannot_reverse_our_sales(self):
        with tenancy.use(make.marketplace().pk):
            make.seller()
            line = confirmed()
        with tenancy.use(make.marketplace("stranger").pk):
            with pytest.raises(outcomes.NothingSold):
                outcomes.record([], [Reduced(line.pk, 1, "seller", make.on(10), "test")])
            assert not Outcome.objects.exists()
