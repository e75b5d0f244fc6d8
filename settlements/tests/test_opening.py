"""Opening a marketplace: presets in, published rules out."""

from datetime import UTC, date, datetime

import pytest
from django.core.management import CommandError, call_command

from listings.models import Category, PolicyPack
from marketplace import calendar_days, tenancy, versions
from marketplace.models import AuditEntry, CalendarVersion, Marketplace
from orders.models import ConfirmationPolicy
from sellers.models import GradePolicy
from settlements import chart, fee_publishing, opening, presets, rate_cards
from settlements.fees import charge
from settlements.models import (
    Account,
    FeeRule,
    FeeScheduleVersion,
    SentinelPolicy,
    SettlementTerms,
)
from settlements.schedules import Sale, Unpublishable

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIRST = date(2026, 3, 2)

pytestmark = pytest.mark.django_db


def open_one(preset="open-market", slug="jangteo", **options):
    options.setdefault("first_open_on", FIRST)
    return opening.open_marketplace(preset, slug, at=AT, **options)


def fee(stream, rate_on, *, component, amount=100_000, category=None, **conditions):
    """The fee and VAT of one component on a line of one unit."""
    path = tuple(Category.objects.get(code=category).path) if category else ()
    sale = Sale(stream=stream, rate_on=rate_on, unit_price=amount, category_path=path, **conditions)
    terms = rate_cards.schedules().on(rate_on).select(sale)
    charged = charge(terms, 1, amount)
    by_component = dict(zip(terms.components, charged, strict=True))
    return by_component[component][1:] if component in by_component else None


class TestOpenMarketplace:
    @pytest.mark.parametrize("preset", presets.available())
    def test_publishes_the_first_version_of_every_rule(self, preset):
        marketplace = open_one(preset)
        with tenancy.use(marketplace.pk):
            for model in (
                CalendarVersion,
                FeeScheduleVersion,
                GradePolicy,
                PolicyPack,
                SettlementTerms,
                ConfirmationPolicy,
                SentinelPolicy,
            ):
                version = model.objects.get()
                assert (version.number, version.state) == (1, "published"), model
                assert version.valid_from == date(2025, 3, 1)
                assert model.objects.all().on(FIRST) == version
            assert set(
                Account.objects.filter(is_per_seller=True).values_list("code", flat=True)
            ) == set(chart.PER_SELLER)
            opened = set(Account.objects.values_list("code", flat=True))
            assert chart.BY_CODE.keys() - opened == {chart.HOST_PAYABLE}  # nothing is posted there
            components = FeeScheduleVersion.objects.get().components
            revenue = Account.objects.filter(code__startswith="fee_revenue:")
            assert sorted(revenue.values_list("code", flat=True)) == sorted(
                f"fee_revenue:{component}" for component in components
            )
            assert calendar_days.load(FIRST).closed >= {date(2026, 3, 1), date(2026, 5, 1)}
            assert AuditEntry.objects.filter(action="marketplace.opened").count() == 1

    def test_takes_what_is_given_over_the_preset(self):
        marketplace = open_one(
            name="Feira", currency="BRL", exponent=2, zone="America/Sao_Paulo", country="BR-SP"
        )
        marketplace.refresh_from_db()
        assert (marketplace.name, marketplace.currency) == ("Feira", "BRL")
        assert (marketplace.currency_exponent, marketplace.zone) == (2, "America/Sao_Paulo")
        with tenancy.use(marketplace.pk):
            assert CalendarVersion.objects.get().country == "BR-SP"

    def test_begins_on_the_day_it_is_opened_in_its_own_zone(self):
        late = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # the third of March in Seoul
        assert opening.open_marketplace("open-market", "a", at=late).first_open_on == date(
            2026, 3, 3
        )

    def test_refuses_a_code_that_is_taken_and_changes_nothing(self):
        open_one()
        with pytest.raises(opening.SlugTaken):
            open_one("live-commerce")
        assert Marketplace.objects.count() == 1

    def test_refuses_an_unknown_zone_before_anything_is_written(self):
        with pytest.raises(opening.BadMarketplace) as refused:
            open_one(zone="Asia/Pyongyeong")
        assert refused.value.params["field"] == "zone"
        assert not Marketplace.objects.exists()

    def test_keeps_marketplaces_apart(self):
        own, strange = open_one(), open_one("app-in-app", "stranger")
        with tenancy.use(own.pk):
            assert not Category.objects.filter(code="game").exists()
            assert FeeRule.objects.filter(component="entry").count() == 0
        with tenancy.use(strange.pk):
            assert not Category.objects.filter(code="fashion").exists()
            assert FeeRule.objects.filter(component="sales").count() == 0


class TestFeesOfThePresets:
    def test_charge_by_category_of_the_whole_subtree(self):
        with tenancy.use(open_one().pk):
            assert fee("goods", FIRST, component="sales", category="gold") == (3_000, 300)
            assert fee("goods", FIRST, component="sales", category="jewelry") == (12_000, 1_200)
            assert fee("goods", FIRST, component="sales", category="rice") == (6_000, 600)
            assert fee("goods", FIRST, component="sales", category="fruit") == (8_000, 800)
            assert fee("goods", FIRST, component="sales") == (12_000, 1_200)
            assert fee("shipping", FIRST, component="shipping", amount=3_000) == (99, 9)
            assert fee("goods", FIRST, component="shipping") is None

    def test_add_the_live_surcharge_to_live_orders_only(self):
        with tenancy.use(open_one("live-commerce").pk):
            assert fee("goods", FIRST, component="live", channel="live") == (5_000, 500)
            assert fee("goods", FIRST, component="live", channel="app") is None
            assert fee("goods", FIRST, component="payment") == (3_000, 300)

    def test_end_the_beta_waiver_by_itself_on_its_date(self):
        last, after = date(2026, 8, 28), date(2026, 8, 29)  # 180 days after the second of March
        with tenancy.use(open_one("app-in-app").pk):
            for component, stream, full in (
                ("entry", "goods", (5_000, 455)),
                ("ad_share", "ads", (15_000, 1_364)),
            ):
                assert fee(stream, FIRST, component=component) == (0, 0)
                assert fee(stream, last, component=component) == (0, 0)
                assert fee(stream, after, component=component) == full
            assert fee("iap", FIRST, component="store") == (30_000, 2_727)
            assert fee("iap", FIRST, component="entry") is None


class TestCommand:
    def test_opens_a_marketplace(self, capsys):
        call_command("open_marketplace", "open-market", "shop", "--first-open-on", "2026-03-02")
        assert Marketplace.objects.get(slug="shop").first_open_on == FIRST
        assert capsys.readouterr().out == "shop\t오픈마켓\t2026-03-02\n"

    def test_refuses_an_unknown_preset_by_naming_those_there_are(self):
        with pytest.raises(CommandError, match="app-in-app, live-commerce, open-market"):
            call_command("open_marketplace", "flea-market", "shop")


class TestPublishingFees:
    def test_is_refused_when_a_rule_cannot_be_charged(self):
        market = open_one()
        with tenancy.use(market.pk):
            version = FeeScheduleVersion.objects.get()
            draft = versions.revise(version, valid_from=date(2026, 6, 1), by=None, at=AT)
            FeeRule.objects.filter(version=draft, component="sales").update(base="fee:shipping")
            with pytest.raises(Unpublishable):
                fee_publishing.publish(draft, by=None, at=AT)
            draft.refresh_from_db()
            assert draft.state == "draft"

    def test_changes_a_preset_from_a_day_on(self):
        market = open_one()
        with tenancy.use(market.pk):
            version = FeeScheduleVersion.objects.get()
            draft = versions.revise(version, valid_from=date(2026, 6, 1), by=None, at=AT)
            assert draft.rules.count() == version.rules.count()
            FeeRule.objects.filter(version=draft, category__code="gold").update(rate_ppm=20_000)
            fee_publishing.publish(draft, by=None, at=AT)
            gold = {"component": "sales", "category": "gold"}
            assert fee("goods", date(2026, 5, 31), **gold) == (3_000, 300)
            assert fee("goods", date(2026, 6, 1), **gold) == (2_000, 200)
