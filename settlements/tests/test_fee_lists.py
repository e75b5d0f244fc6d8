"""A seller's fees by category, and from when on they differ."""

from datetime import date

import pytest

from marketplace import tenancy, versions
from settlements import estimates, fee_lists, fee_publishing
from settlements.estimates import Item
from settlements.models import FeeRule, FeeSchedule, FeeScheduleVersion
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_1 = date(2026, 9, 1)


@pytest.fixture
def market():
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def _rates(section):
    return {
        row.category.code if row.category else None: row.charge and row.charge.bands()[0].rate_ppm
        for row in section.rows
    }


def _announce(day, **changed_rates):
    """Publish a version in which the named categories' rates differ."""
    schedule = FeeSchedule.objects.get()
    last = FeeScheduleVersion.objects.published().latest("valid_from")
    draft = versions.draft(
        FeeScheduleVersion,
        valid_from=day,
        by=None,
        schedule=schedule,
        components=last.components,
        vat_rate_ppm=last.vat_rate_ppm,
    )
    for rule in FeeRule.objects.filter(version=last).select_related("category"):
        rule.pk, rule.version = None, draft
        code = rule.category.code if rule.category else "rest"
        if rule.component == "sales":
            rule.rate_ppm = changed_rates.get(code, rule.rate_ppm)
        rule.save(force_insert=True)
    return fee_publishing.publish(draft, by=None, at=make.AT)


class TestOfSeller:
    def test_lists_a_category_only_where_it_differs_from_the_one_above(self, market):
        today, announced = fee_lists.of_seller(make.seller(), on=SEP_1)
        sales = today.sections[0]
        assert (sales.component, sales.stream, sales.channel) == ("sales", "goods", "")
        rates = _rates(sales)
        assert rates[None] == 120_000
        assert (rates["food"], rates["fresh_food"], rates["rice"]) == (100_000, 80_000, 60_000)
        assert "fashion" not in rates  # as all others
        assert "fruit" not in rates  # as fresh food
        assert announced == []

    def test_names_a_component_of_a_channel_once(self, market):
        today, _ = fee_lists.of_seller(make.seller(), on=SEP_1)
        about = [(s.component, s.stream, s.channel, len(s.rows)) for s in today.sections]
        assert about[1:] == [("live", "goods", "live", 1), ("shipping", "shipping", "", 1)]

    def test_takes_the_benefit_of_the_grade_off(self, market):
        seller = make.seller()
        make.graded(seller, "power")
        today, _ = fee_lists.of_seller(seller, on=SEP_1)
        assert today.grade == "power"
        assert _rates(today.sections[0])[None] == 118_000

    def test_tells_what_was_announced(self, market):
        day = date(2027, 1, 1)
        _announce(day, rest=130_000, food=90_000)
        today, [following] = fee_lists.of_seller(make.seller(), on=SEP_1)
        assert (today.number, following.number, following.on) == (1, 2, day)
        [section] = fee_lists.changed(today, following)
        assert _rates(section) == {None: 130_000, "food": 90_000}

    def test_keeps_quiet_about_a_version_that_changes_nothing(self, market):
        _announce(date(2027, 1, 1))
        assert fee_lists.of_seller(make.seller(), on=SEP_1)[1] == []

    def test_says_what_an_item_is_charged(self, market):
        seller = make.seller()
        make.graded(seller, "premium")
        today, _ = fee_lists.of_seller(seller, on=SEP_1)
        for row in today.sections[0].rows:
            key = row.category.pk if row.category else None
            item = Item(unit_price=1_000_000, category_id=key)
            found = estimates.of_item(seller, item, on=SEP_1)
            assert found.fee == row.charge.bands()[0].rate_ppm

    def test_asks_of_no_other_sellers_rules(self, market):
        a, b = make.seller("A"), make.seller("B")
        version = FeeScheduleVersion.objects.published().get()
        draft = versions.draft(
            FeeScheduleVersion,
            valid_from=date(2026, 10, 1),
            by=None,
            schedule=version.schedule,
            components=["sales"],
            vat_rate_ppm=100_000,
        )
        about = {"component": "sales", "base": "list_amount", "vat_kind": "exclusive"}
        FeeRule.objects.create(version=draft, rank=1, seller=b, rate_ppm=10_000, **about)
        FeeRule.objects.create(version=draft, rank=2, rate_ppm=50_000, **about)
        fee_publishing.publish(draft, by=None, at=make.AT)
        on = date(2026, 10, 1)
        for seller, rate in ((a, 50_000), (b, 10_000)):
            today, _ = fee_lists.of_seller(seller, on=on)
            assert _rates(today.sections[0]) == {None: rate}
