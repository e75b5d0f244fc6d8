from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import fees, schedules
from settlements.fee_rules import BAND_ON_PREVIOUS_SALES, Band, Benefit, Rule
from settlements.schedules import Sale, Schedule

FOOD, FRUIT, APPLES, BOOKS = 1, 2, 3, 4


def rule(number, rate_ppm=100_000, rank=None, component="sales", **fields):
    rank = number if rank is None else rank
    given_fields = {"vat_kind": "exclusive", "rate_ppm": rate_ppm, **fields}
    return Rule(id=number, rank=rank, component=component, **given_fields)


def schedule(*rules, components=("sales", "payment")):
    return Schedule(version_id=7, components=components, rules=rules, vat_rate_ppm=100_000)


def sale(**fields):
    given_fields = {"stream": "goods", "rate_on": date(2026, 6, 1), "unit_price": 1_000, **fields}
    return Sale(**given_fields)


def chosen(made, **fields):
    """The ids of the rules that apply to a sale."""
    return [charge.rule.id for charge in made.select(sale(**fields)).charges]


conditions = st.fixed_dictionaries(
    {},
    optional={
        "category_id": st.sampled_from([FOOD, FRUIT, APPLES]),
        "channel": st.just("live"),
        "date_from": st.just(date(2026, 6, 1)),
        "date_to": st.just(date(2026, 6, 2)),
        "price_from": st.sampled_from([0, 500, 1_000]),
        "price_to": st.sampled_from([1_000, 2_000]),
    },
)
some_rules = st.lists(st.tuples(conditions, st.sampled_from(["sales", "payment"])), max_size=4)


class TestWithOwnRules:
    @given(some_rules, some_rules, st.booleans(), st.sampled_from([1, 999, 1_000, 5_000]))
    def test_is_the_schedule_with_those_rules_ranked_first(self, own, others, is_live, price):
        def ranked(start, given_rules):
            return [
                rule(start + at, component=component, **fields)
                for at, (fields, component) in enumerate(given_rules)
            ]

        before, behind = ranked(1, own), ranked(1_000, others)
        layered = schedule(*behind).with_own_rules(before)
        for day in (date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 2)):
            line = {
                "unit_price": price,
                "rate_on": day,
                "category_path": (FOOD, FRUIT),
                "channel": "live" if is_live else None,
            }
            assert chosen(layered, **line) == chosen(schedule(*before, *behind), **line)

    def test_comes_first_whatever_the_ranks(self):
        made = schedule(rule(1, rank=1)).with_own_rules([rule(2, rank=900)])
        assert chosen(made) == [2]

    def test_leaves_a_schedule_alone_without_rules(self):
        made = schedule(rule(1))
        assert made.with_own_rules([]) is made

    def test_asks_for_sales_where_either_does(self):
        tiers = (Band(0, None, 50_000),)
        tiered = rule(1, bands=tiers, band_basis=BAND_ON_PREVIOUS_SALES)
        assert schedule(tiered).with_own_rules([rule(2)]).asks_for_sales
        assert schedule(rule(2)).with_own_rules([tiered]).asks_for_sales


class TestSelect:
    def test_takes_the_first_by_rank_whatever_order_they_are_stored_in(self):
        assert chosen(schedule(rule(1, rank=20), rule(2, rank=10))) == [2]

    def test_charges_nothing_where_no_rule_matches(self):
        assert schedule(rule(1, stream="ads")).select(sale()).charges == ()

    def test_takes_components_in_the_schedules_order(self):
        made = schedule(rule(1, component="payment"), rule(2))
        assert made.select(sale()).components == ("sales", "payment")

    def test_matches_a_category_with_its_subtree(self):
        made = schedule(rule(1, category_id=FRUIT))
        assert chosen(made, category_path=(FOOD, FRUIT, APPLES)) == [1]
        assert chosen(made, category_path=(FOOD,)) == []

    def test_lets_rank_decide_between_nodes(self):
        made = schedule(rule(1, category_id=FOOD), rule(2, category_id=APPLES))
        assert chosen(made, category_path=(FOOD, FRUIT, APPLES)) == [1]

    @pytest.mark.parametrize(
        "condition",
        [
            {"stream": "goods"},
            {"listing_kind": "digital"},
            {"channel": "live"},
            {"seller_type": "corporate"},
            {"seller_id": 9},
            {"grade": "gold"},
        ],
    )
    def test_holds_a_line_to_each_condition(self, condition):
        made = schedule(rule(1, **condition))
        assert chosen(made, **condition) == [1]
        assert chosen(made, stream="other") == []

    @pytest.mark.parametrize(
        ("day", "ids"), [("2026-05-31", []), ("2026-06-01", [1]), ("2026-06-30", [1])]
    )
    def test_takes_dates_half_open(self, day, ids):
        made = schedule(rule(1, date_from=date(2026, 6, 1), date_to=date(2026, 7, 1)))
        assert chosen(made, rate_on=date.fromisoformat(day)) == ids
        assert chosen(made, rate_on=date(2026, 7, 1)) == []

    @pytest.mark.parametrize(
        ("price", "ids"), [(99, [3]), (100, [1]), (199, [1]), (200, [2]), (999, [2]), (1_000, [3])]
    )
    def test_takes_prices_half_open(self, price, ids):
        made = schedule(
            rule(1, price_from=100, price_to=200), rule(2, price_from=200, price_to=1_000), rule(3)
        )
        assert chosen(made, unit_price=price) == ids

    def test_pins_benefits_and_the_tier_of_previous_sales(self):
        bands = (Band(0, 1_000, 120_000), Band(1_000, None, 80_000))
        made = schedule(rule(1, bands=bands, band_basis=BAND_ON_PREVIOUS_SALES))
        benefits = [Benefit(frozenset({"sales"}), 10_000), Benefit(frozenset({"payment"}), 5_000)]
        for sales, fee in ((999, 1_100), (1_000, 700)):
            terms = made.select(sale(previous_sales=sales), benefits)
            assert terms.charges[0].points_off_ppm == 10_000
            assert fees.charge(terms, 1, 10_000)[0][1] == fee

    @given(st.data())
    def test_agrees_with_reading_the_list_from_the_top(self, data):
        optional = {
            "stream": st.sampled_from(["goods", "ads"]),
            "category_id": st.sampled_from([FOOD, FRUIT, BOOKS]),
            "channel": st.sampled_from(["web", "live"]),
            "seller_id": st.sampled_from([8, 9]),
            "grade": st.sampled_from(["gold", "basic"]),
            "date_from": st.dates(date(2026, 5, 30), date(2026, 6, 3)),
            "date_to": st.dates(date(2026, 5, 30), date(2026, 6, 3)),
            "price_from": st.integers(0, 5),
            "price_to": st.integers(0, 5),
        }
        count = data.draw(st.integers(0, 8))
        ranks = data.draw(st.permutations(range(count)))
        rules = []
        for at, rank in enumerate(ranks):
            names = data.draw(st.sets(st.sampled_from(sorted(optional)), max_size=3))
            fields = {name: data.draw(optional[name]) for name in sorted(names)}
            rules.append(rule(at, rank=rank, **fields))
        made = schedule(*rules)
        for _ in range(4):
            path = data.draw(st.sampled_from([(), (FOOD,), (FOOD, FRUIT), (BOOKS,)]))
            asked = {
                "stream": data.draw(optional["stream"]),
                "channel": data.draw(optional["channel"] | st.none()),
                "seller_id": data.draw(st.sampled_from([7, 8, 9])),
                "grade": data.draw(optional["grade"] | st.none()),
                "rate_on": data.draw(optional["date_from"]),
                "unit_price": data.draw(st.integers(0, 6)),
            }
            first = next(
                (
                    each.id
                    for each in sorted(rules, key=lambda each: each.rank)
                    if all(
                        getattr(each, name) in (None, asked[name])
                        for name in ("stream", "channel", "seller_id", "grade")
                    )
                    and (each.category_id is None or each.category_id in path)
                    and (each.date_from or date.min) <= asked["rate_on"]
                    and asked["rate_on"] < (each.date_to or date.max)
                    and (each.price_from or 0) <= asked["unit_price"]
                    and (each.price_to is None or asked["unit_price"] < each.price_to)
                ),
                None,
            )
            assert chosen(made, category_path=path, **asked) == ([] if first is None else [first])


class TestPlan:
    def test_is_shared_by_sales_that_no_rule_tells_apart(self):
        made = schedule(rule(1, seller_id=9, date_to=date(2026, 7, 1)))
        one = made.plan(stream="goods", rate_on=date(2026, 6, 1), seller_id=1, grade="gold")
        other = made.plan(stream="ads", rate_on=date(2026, 6, 9), seller_id=2)
        assert one is other
        assert made.plan(stream="goods", rate_on=date(2026, 6, 1), seller_id=9) is not one

    def test_gives_one_object_for_equal_terms(self):
        made = schedule(rule(1, price_to=100), rule(2, price_from=100, price_to=200), rule(3))
        plan = made.plan(stream="goods", rate_on=date(2026, 6, 1))
        assert plan.terms(10) is plan.terms(99)
        assert plan.terms(10) is not plan.terms(100)
        assert plan.terms(200) is made.select(sale(unit_price=5_000))

    def test_finds_its_way_in_thirty_thousand_rules(self):
        rules = [rule(n, rank=n, category_id=n, rate_ppm=n) for n in range(1, 30_001)]
        made = schedule(*rules, rule(30_001))
        assert chosen(made, category_path=(40_000, 29_999)) == [29_999]
        assert chosen(made, category_path=(40_000,)) == [30_001]


class TestEnsurePublishable:
    def test_takes_a_schedule_without_findings(self):
        schedule(rule(1)).ensure_publishable()

    def test_takes_a_schedule_that_only_leaves_a_gap(self):
        schedule(rule(1, price_to=100)).ensure_publishable()

    def test_refuses_with_the_codes(self):
        made = schedule(rule(1, min_amount=2, max_amount=1), rule(2, base="fee:payment"))
        with pytest.raises(schedules.Unpublishable) as refused:
            made.ensure_publishable()
        assert refused.value.params == {
            "codes": "base_is_later, minimum_above_maximum, never_applies"
        }
