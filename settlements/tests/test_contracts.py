"""Contracts of sellers: what they say over the standard, in night, estimate and verification."""

from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from marketplace import approvals, tenancy, versions
from marketplace.models import Change
from marketplace.tests import make as people
from settlements import (
    contracting,
    contracts,
    estimates,
    explanations,
    fee_lists,
    nights,
    runs,
    statements,
    verification,
)
from settlements.due_dates import BadDueTerms
from settlements.estimates import Item
from settlements.models import (
    FeeRule,
    FeeSchedule,
    FeeScheduleVersion,
    SellerContract,
    SettlementLine,
    Statement,
)
from settlements.schedules import Unpublishable
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_1, SEP_8 = date(2026, 9, 1), date(2026, 9, 8)
WEEKLY = {
    "lag_days": 1,
    "lag_kind": "calendar",
    "cycle": "weekly",
    "cycle_arg": 0,
    "holiday": "next",
}
MONTHLY = {
    "lag_days": 2,
    "lag_kind": "calendar",
    "cycle": "monthly",
    "cycle_arg": 31,
    "holiday": "previous",
}
TEN_PERCENT = {"rate_ppm": 100_000}
# "0 % until 2026-12-31, then 5 % by itself"
WAIVER = (
    {"rate_ppm": 0, "date_to": date(2027, 1, 1)},
    {"rate_ppm": 50_000, "date_from": date(2027, 1, 1)},
)


@pytest.fixture
def market():
    with tenancy.use(make.market(first_open_on=SEP_8).pk) as market:
        yield market


def settle(on=SEP_8):
    nights._open_months(on)
    return runs.settle(on=on, first_seller=0, end_seller=2**62)


def line_of(seller) -> SettlementLine:
    return SettlementLine.objects.get(seller_id=seller.pk)


def due_of(seller) -> date:
    return Statement.objects.get(seller=seller).due_on


def found(on=SEP_8):
    return list(verification.verify(on=on))


class TestFees:
    def test_charges_the_contracts_rate_in_place_of_the_schedules(self, market):
        own, other = make.seller("own"), make.seller("other")
        make.contract(own, rules=[TEN_PERCENT])
        make.sold(own, number="O1", unit_price=10_000)
        make.sold(other, number="O2", unit_price=10_000)
        settle()
        # 10 % fee and VAT on it: 8,900; everybody else pays 12 %.
        assert (line_of(own).fee, line_of(own).vat, line_of(own).net) == (1_000, 100, 8_900)
        assert (line_of(other).fee, line_of(other).vat, line_of(other).net) == (1_200, 120, 8_680)
        assert found() == []

    def test_leaves_to_the_schedule_what_no_rule_of_its_own_is_about(self, market):
        own = make.seller("own")
        make.contract(own, rules=[{**TEN_PERCENT, "channel": "live"}])
        make.sold(own, number="O1", unit_price=10_000, category="gold")
        settle()
        assert line_of(own).fee == 300

    @pytest.mark.parametrize(("paid_on", "fee"), [(date(2026, 12, 31), 0), (date(2027, 1, 1), 500)])
    def test_ends_a_beta_waiver_by_itself(self, market, paid_on, fee):
        own = make.seller("own")
        make.contract(own, rules=WAIVER)
        confirmed_on = date(2027, 1, 8)
        make.sold(own, unit_price=10_000, paid_on=paid_on, confirmed_on=confirmed_on)
        settle(confirmed_on)
        assert (line_of(own).fee, line_of(own).vat) == (fee, fee // 10)
        assert found(confirmed_on) == []

    def test_names_another_fee_schedule(self, market):
        schedule = FeeSchedule.objects.create(code="beta", name="베타")
        version = versions.draft(
            FeeScheduleVersion,
            valid_from=date(2026, 1, 1),
            by=None,
            schedule=schedule,
            components=["sales"],
        )
        FeeRule.objects.create(
            version=version,
            rank=1,
            component="sales",
            base="list_amount",
            rate_ppm=20_000,
            vat_kind="inclusive",
        )
        versions.publish(version, by=None, at=make.AT)
        own = make.seller("own")
        make.contract(own, schedule=schedule)
        make.sold(own, unit_price=55_000)
        settle()
        # 2 % of 55,000 with VAT contained: 1,100, of which 100.
        assert (line_of(own).fee, line_of(own).vat, line_of(own).net) == (1_100, 100, 53_900)
        assert found() == []

    def test_reverses_by_the_contract_of_the_sale(self, market):
        own = make.seller("own")
        make.contract(own, rules=[TEN_PERCENT])
        line = make.sold(own, unit_price=5_000, quantity=2)
        settle()
        coming = make.drafted_contract(own, valid_from=date(2026, 9, 9), rules=[WAIVER[0]])
        contracting.publish(coming, by=None, at=make.AT)
        make.returned(line, left=1, on=date(2026, 9, 10))
        settle(date(2026, 9, 10))
        back = SettlementLine.objects.get(sequence=1)
        # A cancel of 5,000 takes back −(5,000 − 500 − 50).
        assert (back.fee, back.vat, back.net) == (-500, -50, -4_450)
        assert found(date(2026, 9, 10)) == []

    def test_is_the_estimate_the_explanation_and_the_fee_list(self, market):
        own = make.seller("own")
        make.contract(own, rules=[{"rate_ppm": 77_000, "vat_kind": "exempt"}])
        line = make.sold(own, unit_price=33_333)
        estimate = estimates.of_item(
            own, Item(unit_price=33_333, category_id=line.category_id), on=SEP_1
        )
        settle()
        made = line_of(own)
        assert (made.fee, made.vat, made.net) == (2_566, 0, 30_767)
        assert (estimate.fee, estimate.vat, estimate.net) == (2_566, 0, 30_767)
        assert estimate.contract == 1
        [part] = explanations.explain(made)
        assert (part.contract.number, part.rank, part.fee) == (1, 1, 2_566)
        today, coming = fee_lists.of_seller(own, on=SEP_8)
        assert today.contract == 1
        [row] = today.sections[0].rows
        assert (row.category, row.charge.rule.rate_ppm) == (None, 77_000)
        assert coming == []

    def test_announces_the_day_on_which_a_waiver_ends(self, market):
        own = make.seller("own")
        make.contract(own, rules=WAIVER)
        today, [coming] = fee_lists.of_seller(own, on=SEP_8)
        assert today.sections[0].rows[0].charge.rule.rate_ppm == 0
        assert coming.on == date(2027, 1, 1)
        assert coming.sections[0].rows[0].charge.rule.rate_ppm == 50_000


class TestDueDates:
    def test_pays_sellers_of_one_night_by_their_own_cycles(self, market):
        standard, weekly, monthly = (make.seller(code) for code in "SWM")
        make.contract(weekly, **WEEKLY)
        make.contract(monthly, **MONTHLY)
        for seller in (standard, weekly, monthly):
            make.sold(seller, number=seller.code)
        settle()
        assert due_of(standard) == date(2026, 9, 11)
        assert due_of(weekly) == date(2026, 9, 14)
        assert due_of(monthly) == date(2026, 9, 30)

    def test_goes_by_the_rate_date(self, market):
        seller = make.seller()
        make.contract(seller, **WEEKLY)
        contracting.publish(
            make.drafted_contract(seller, valid_from=date(2026, 9, 5), **MONTHLY),
            by=None,
            at=make.AT,
        )
        make.sold(seller, number="before", paid_on=date(2026, 9, 4))
        make.sold(seller, number="after", paid_on=date(2026, 9, 5))
        settle()
        dues = Statement.objects.order_by("due_on").values_list("due_on", flat=True)
        assert list(dues) == [date(2026, 9, 14), date(2026, 9, 30)]

    def test_returns_to_the_standard_with_a_version_that_says_nothing(self, market):
        seller = make.seller()
        make.contract(seller, rules=[TEN_PERCENT], **WEEKLY)
        contracting.publish(
            make.drafted_contract(seller, valid_from=date(2026, 9, 3)), by=None, at=make.AT
        )
        make.sold(seller, paid_on=date(2026, 9, 3), unit_price=10_000)
        settle()
        assert due_of(seller) == date(2026, 9, 11)
        assert line_of(seller).fee == 1_200


class TestClosing:
    def close(self, seller, net, **said):
        """The statement of a sale of `net` without fees, closed on its due date."""
        make.contract(seller, rules=[{"rate_ppm": 0}], **said)
        make.sold(seller, unit_price=net)
        settle()
        statements.close_due(on=date(2026, 9, 11), first_seller=0, end_seller=2**62, at=make.AT)
        return Statement.objects.get(seller=seller)

    def test_keeps_the_contracts_reserve(self, market):
        statement = self.close(make.seller(), 91_234, reserve_ppm=300_000)
        assert (statement.reserve, statement.payout) == (27_370, 63_864)
        assert found(date(2026, 9, 11)) == []

    def test_carries_what_is_below_the_contracts_minimum(self, market):
        statement = self.close(make.seller(), 49_999, minimum_payout=50_000)
        assert (statement.state, statement.payout, statement.carry_out) == ("closed", 0, 49_999)

    def test_withholds_from_personal_services(self, market):
        statement = self.close(make.seller(), 1_000_000, income_kind="service")
        assert statement.service_net == 1_000_000
        assert (statement.withholding_income, statement.withholding_local) == (30_000, 3_000)
        assert statement.payout == 967_000
        assert found(date(2026, 9, 11)) == []

    def test_withholds_nothing_from_goods(self, market):
        statement = self.close(make.seller(), 1_000_000)
        assert (statement.service_net, statement.payout) == (0, 1_000_000)


class TestPublish:
    def test_is_frozen_with_its_rules(self, market):
        contract = make.contract(make.seller(), rules=[TEN_PERCENT])
        rule = contract.rules.get()
        for change in (
            lambda: SellerContract.objects.filter(pk=contract.pk).update(reserve_ppm=1),
            lambda: FeeRule.objects.filter(pk=rule.pk).update(rate_ppm=1),
            lambda: FeeRule.objects.filter(pk=rule.pk).delete(),
            lambda: FeeRule.objects.create(
                contract=contract, rank=9, component="sales", base="amount", vat_kind="exempt"
            ),
        ):
            with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
                change()

    def test_tells_its_seller(self, market):
        seller = make.seller()
        make.contract(seller)
        told = Change.objects.get(type="contract.published")
        assert (told.object_id, told.seller_id) == (seller.public_id, seller.pk)
        assert told.data == {"version": 1, "valid_from": "2026-09-01"}

    def test_refuses_a_second_coming_change(self, market):
        seller = make.seller()
        make.contract(seller, valid_from=date(2026, 10, 1))
        another = make.drafted_contract(seller, valid_from=date(2026, 11, 1))
        with pytest.raises(contracting.ChangeScheduled, match="Version 1 "):
            contracting.publish(another, by=None, at=make.AT)
        october = datetime(2026, 10, 1, 3, tzinfo=UTC)
        assert contracting.publish(another, by=None, at=october).state == "published"

    def test_refuses_even_a_first_contract_in_closed_days(self, market):
        seller = make.seller()
        type(market).objects.filter(pk=market.pk).update(last_closed_on=SEP_8)
        for day in (SEP_1, SEP_8):
            with pytest.raises(versions.BeginsInClosedDays):
                make.contract(seller, valid_from=day)
        assert not SellerContract.objects.published().exists()

    def test_refuses_rules_that_cannot_be_charged(self, market):
        with pytest.raises(Unpublishable):
            make.contract(make.seller(), rules=[{"rate_ppm": 1_000_001}])
        with pytest.raises(Unpublishable):
            make.contract(make.seller("B"), rules=[{"rate_ppm": 1, "min_amount": -1}])

    def test_refuses_payment_days_that_mean_none(self, market):
        with pytest.raises(BadDueTerms):
            make.contract(make.seller(), **{**WEEKLY, "cycle_arg": 7})

    def test_needs_all_of_the_payment_dates_or_none(self, market):
        with pytest.raises(DatabaseError, match="all_of_its_payment_dates"), transaction.atomic():
            make.drafted_contract(make.seller(), cycle="daily")

    def test_is_done_by_a_second_person(self, market):
        asker, other = people.user("asker@example.org"), people.user("other@example.org")
        contract = make.drafted_contract(make.seller(), rules=[TEN_PERCENT])
        type(market).objects.filter(pk=market.pk).update(state="live")
        asked = approvals.ask("publish_contract", contract, by=asker, at=make.AT, reason="새 계약")
        contract.refresh_from_db()
        assert contract.state == "draft"
        with pytest.raises(approvals.SamePerson):
            approvals.approve(asked, by=asker, at=make.AT)
        approvals.approve(asked, by=other, at=make.AT)
        contract.refresh_from_db()
        assert (contract.state, contract.published_by) == ("published", other)

    def test_is_forbidden_when_a_rule_changed_after_it_was_asked_for(self, market):
        asker, other = people.user("asker@example.org"), people.user("other@example.org")
        contract = make.drafted_contract(make.seller(), rules=[TEN_PERCENT])
        type(market).objects.filter(pk=market.pk).update(state="live")
        asked = approvals.ask("publish_contract", contract, by=asker, at=make.AT, reason="새 계약")
        FeeRule.objects.filter(contract=contract).update(rate_ppm=1)
        with pytest.raises(approvals.ChangedSince):
            approvals.approve(asked, by=other, at=make.AT)


class TestDraft:
    def test_copies_the_newest_version_with_its_rules(self, market):
        seller = make.seller()
        make.contract(seller, rules=WAIVER, **WEEKLY)
        drafted = contracting.draft(seller, valid_from=date(2026, 10, 1), by=None, at=make.AT)
        assert (drafted.number, drafted.state, drafted.cycle) == (2, "draft", "weekly")
        assert list(drafted.rules.order_by("rank").values_list("rate_ppm", flat=True)) == [
            0,
            50_000,
        ]

    def test_says_nothing_the_first_time(self, market):
        drafted = contracting.draft(make.seller(), valid_from=SEP_8, by=None, at=make.AT)
        assert (drafted.number, drafted.cycle, drafted.schedule) == (1, "", None)


def test_keeps_one_marketplaces_contracts_from_another():
    with tenancy.use(make.market("ours").pk):
        seller = make.seller("own")
        make.contract(seller, rules=[TEN_PERCENT])
    with tenancy.use(make.market("theirs").pk):
        assert contracts.of_seller(seller.pk).on(seller.pk, SEP_8) is None
        assert not SellerContract.objects.exists()


class TestCost:
    def test_asks_as_often_for_twenty_contracts_as_for_two(self, market):
        def queries(sellers):
            for seller in sellers:
                make.contract(seller, rules=[TEN_PERCENT], **WEEKLY)
                for day in (1, 2, 3):
                    number = f"{seller.code}-{day}"
                    make.sold(seller, number=number, paid_on=date(2026, 9, day))
            with CaptureQueriesContext(
                connection,
            ) as asked:
                settle()
            return len(asked)

        queries([make.seller("warm")])  # published schedules are remembered from here on
        few = queries([make.seller(f"A{n}") for n in range(2)])
        many = queries([make.seller(f"B{n}") for n in range(20)])
        assert many == few
