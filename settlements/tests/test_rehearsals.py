"""Fees replayed over what was settled: the same to the won, and otherwise the right difference."""

import random
from datetime import date, timedelta

import pytest
from django.db import connections

from listings.models import Category
from marketplace import tenancy, versions
from marketplace.models import JobRun, JobShard, OutboxMessage
from settlements import fee_publishing, nights, notice, rehearsals
from settlements.models import (
    FeeRehearsal,
    FeeRehearsalRow,
    FeeRule,
    FeeScheduleVersion,
    SellerContract,
    SettlementLine,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

SEP_1, SEP_8, CLOSED_ON = date(2026, 9, 1), date(2026, 9, 8), date(2026, 9, 11)
NEXT = date(2026, 11, 1)
SELLER, CATEGORY, COMPONENT = "seller", "category", "component"


@pytest.fixture
def market():
    return make.market(first_open_on=SEP_8)


def close(market, on=CLOSED_ON):
    nights.close_day(market.pk, on, at=make.AT)


def live():
    return FeeScheduleVersion.objects.published().get()


def draft_of(market, valid_from=NEXT, **rate_by_category):
    with tenancy.use(market.pk):
        draft = versions.revise(live(), valid_from=valid_from, by=None, at=make.AT)
        for code, rate_ppm in rate_by_category.items():
            rules = FeeRule.objects.filter(version=draft, component="sales", category__code=code)
            assert rules.update(rate_ppm=rate_ppm)
    return draft


def rehearse(market, version, first_on=SEP_1, last_on=CLOSED_ON):
    with tenancy.use(market.pk):
        asked = rehearsals.ask(version, first_on=first_on, last_on=last_on, by=None, at=make.AT)
    rehearsals.run(market.pk, asked.job_id, at=make.AT)
    with tenancy.use(market.pk):
        return FeeRehearsal.objects.select_related("job", "version").get(pk=asked.pk)


def rows(market, rehearsal, subject):
    with tenancy.use(market.pk):
        found = rehearsal.rows.of(subject).select_related("seller", "category")
        return {row.seller or row.category or row.component: row for row in found}


def random_history(market, seed, *, sellers=12, lines=6):
    """Sales of all kinds, some given back in part or whole, settled over a few nights."""
    chance = random.Random(seed)
    with tenancy.use(market.pk):
        categories = list(Category.objects.values_list("code", flat=True))
        for number in range(sellers):
            kind = chance.choice(["individual", "sole_proprietor", "corporation"])
            seller = make.seller(f"S{number}", seller_type=kind)
            if chance.random() < 0.5:
                grade = chance.choice(["power", "big_power", "platinum"])
                make.graded(seller, grade, effective_from=SEP_1 + timedelta(chance.randint(-3, 3)))
            if not number % 3:
                issuers = SellerContract.Issuer
                make.contract(seller, valid_from=SEP_8, sale_issuer=issuers.PLATFORM)
            for item in range(lines):
                price, quantity = chance.randint(1, 99_999), chance.randint(1, 5)
                sold = make.sold(
                    seller,
                    number=f"N{number}-{item}",
                    unit_price=price,
                    quantity=quantity,
                    category=chance.choice([*categories, None]),
                    channel=chance.choice(["", "live"]),
                    tax_kind=chance.choice(["taxable", "exempt"]),
                    paid_on=SEP_1 + timedelta(chance.randint(0, 8)),
                    confirmed_on=SEP_8 + timedelta(chance.randint(0, 2)),
                    seller_discount=chance.randint(0, price * quantity // 3),
                    platform_discount=chance.randint(0, price * quantity // 3),
                    partner_discount=chance.randint(0, price * quantity // 3),
                )
                left = quantity
                while left and chance.random() < 0.4:
                    left = chance.randint(0, left - 1)
                    make.returned(sold, left=left, on=SEP_8 + timedelta(chance.randint(2, 3)))
    close(market)


class TestTheCurrentVersion:
    @pytest.mark.parametrize("seed", range(3))
    def test_replayed_equals_what_was_booked_to_the_won(self, market, seed, settings):
        settings.LINES_A_SHARD = 20  # several shards
        random_history(market, seed)
        with tenancy.use(market.pk):
            version = live()
            settled = SettlementLine.objects.count()
        done = rehearse(market, version)
        assert done.job.state == JobRun.State.DONE
        assert done.job.counts["shards"] > 2
        assert (done.lines, done.differing, done.better_off, done.worse_off) == (settled, 0, 0, 0)
        with tenancy.use(market.pk):
            for row in done.rows.all():
                assert row.gain == 0
                assert (row.fee_before, row.vat_before, row.net_before) == (
                    row.fee_after,
                    row.vat_after,
                    row.net_after,
                )
            booked = SettlementLine.objects.all()
            totals = rehearsals.totals(done)
            assert totals.net_before == sum(line.net for line in booked)
            assert totals.fee_before == sum(line.fee for line in booked)
            assert totals.sales == sum(line.list_amount - line.seller_discount for line in booked)

    def test_counts_a_line_that_was_edited_behind_our_back(self, market):
        random_history(market, 1, sellers=2)
        with connections["owner"].cursor() as cursor:
            cursor.execute("UPDATE settlement_line SET fee = fee + 1, net = net - 1 WHERE kind = 1")
            edited = cursor.rowcount
        with tenancy.use(market.pk):
            version = live()
        assert rehearse(market, version).differing == edited > 0


class TestADraft:
    def test_shows_who_keeps_less_and_who_keeps_more(self, market):
        with tenancy.use(market.pk):
            a, b, c = (make.seller(code) for code in "ABC")
            make.sold(a, number="1", unit_price=100_000, category="gold")  # 3 %
            make.sold(b, number="2", unit_price=100_000, category="rice")  # 6 %
            make.sold(c, number="3", unit_price=100_000, category="books")
        close(market)
        done = rehearse(market, draft_of(market, gold=50_000, rice=40_000))
        sellers = rows(market, done, SELLER)
        assert (sellers[a].net_before, sellers[a].net_after, sellers[a].gain) == (
            96_700,
            94_500,
            -2_200,
        )
        assert (sellers[b].fee_before, sellers[b].fee_after, sellers[b].gain) == (
            6_000,
            4_000,
            2_200,
        )
        assert sellers[c].gain == 0
        assert (done.worse_off, done.better_off, done.differing) == (1, 1, 0)
        with tenancy.use(market.pk):
            categories = {
                row.category.code: row.gain
                for row in done.rows.of(CATEGORY).select_related("category")
            }
            assert categories == {"gold": -2_200, "rice": 2_200, "books": 0}
            assert rehearsals.distribution(done) == {
                "much_less": 0,
                "less": 1,
                "little_less": 0,
                "same": 1,
                "little_more": 0,
                "more": 1,
                "much_more": 0,
            }

    def test_gives_back_by_its_own_terms(self, market):
        with tenancy.use(market.pk):
            a = make.seller("A")
            line = make.sold(a, unit_price=33_333, quantity=3, category="gold")
            make.returned(line, left=1, on=SEP_8)
        close(market)
        done = rehearse(market, draft_of(market, gold=77_000))
        # One unit of 33,333 stays: 3 % is 999 and VAT 100; 7.7 % is 2,566 and VAT 257.
        row = rows(market, done, SELLER)[a]
        assert (row.lines, row.sales) == (2, 33_333)
        assert (row.fee_before, row.vat_before) == (999, 100)
        assert (row.fee_after, row.vat_after) == (2_566, 257)
        assert row.gain == (999 + 100) - (2_566 + 257)

    @pytest.mark.parametrize("seed", [7, 8])
    def test_sums_are_the_same_by_seller_category_and_component(self, market, seed, settings):
        settings.LINES_A_SHARD = 15
        random_history(market, seed)
        done = rehearse(market, draft_of(market, gold=90_000, rice=10_000, food=1))
        with tenancy.use(market.pk):
            totals = rehearsals.totals(done)
            assert totals.gain != 0
            for subject in (SELLER, CATEGORY, COMPONENT):
                found = done.rows.of(subject)
                assert sum(row.gain for row in found) == totals.gain
                assert sum(row.fee_before for row in found) == totals.fee_before
                assert sum(row.vat_after for row in found) == totals.vat_after
            assert totals.net_after - totals.net_before == totals.gain

    def test_agrees_with_the_lines_of_a_seller(self, market):
        random_history(market, 3, sellers=3)
        done = rehearse(market, draft_of(market, gold=90_000, rice=10_000))
        with tenancy.use(market.pk):
            for row in done.rows.of(SELLER).select_related("seller"):
                lines = list(rehearsals.lines_of(done, row.seller))
                assert (len(lines), sum(line.gain for line in lines)) == (row.lines, row.gain)
                assert {line.seller_id for line in lines} == {row.seller_id}

    def test_reads_dated_rules_as_of_its_first_day(self, market):
        with tenancy.use(market.pk):
            a = make.seller("A")
            make.sold(a, unit_price=100_000, category="gold")
        close(market)
        draft = draft_of(market, gold=60_000)
        with tenancy.use(market.pk):
            FeeRule.objects.filter(version=draft, category__code="gold").update(date_from=NEXT)
        assert rows(market, rehearse(market, draft), SELLER)[a].fee_after == 6_000

    def test_leaves_out_what_lies_outside_the_period(self, market):
        with tenancy.use(market.pk):
            a = make.seller("A")
            make.sold(a, number="1", category="gold", confirmed_on=SEP_8)
            make.sold(a, number="2", category="gold", confirmed_on=SEP_8 + timedelta(1))
        close(market)
        done = rehearse(market, draft_of(market), SEP_8, SEP_8)
        assert done.lines == 1


class TestAsking:
    def test_is_handed_to_a_worker_once(self, market):
        close(market)
        draft = draft_of(market)
        with tenancy.use(market.pk):
            asked = rehearsals.ask(draft, first_on=SEP_8, last_on=SEP_8, by=None, at=make.AT)
            message = OutboxMessage.objects.get(topic=rehearsals.TOPIC)
            assert message.payload == {"job_id": asked.job_id}
            with pytest.raises(rehearsals.UnderWay):
                rehearsals.ask(draft, first_on=SEP_8, last_on=SEP_8, by=None, at=make.AT)

    @pytest.mark.parametrize(
        ("first_on", "last_on"),
        [
            (SEP_8, SEP_1),
            (SEP_8, CLOSED_ON + timedelta(1)),
            (CLOSED_ON - timedelta(367), CLOSED_ON),
        ],
    )
    def test_refuses_a_period_that_is_none(self, market, first_on, last_on):
        close(market)
        draft = draft_of(market)
        with tenancy.use(market.pk), pytest.raises(rehearsals.BadPeriod):
            rehearsals.ask(draft, first_on=first_on, last_on=last_on, by=None, at=make.AT)

    def test_refuses_before_the_first_night(self, market):
        draft = draft_of(market)
        with tenancy.use(market.pk), pytest.raises(rehearsals.NothingClosed):
            rehearsals.ask(draft, first_on=SEP_8, last_on=SEP_8, by=None, at=make.AT)

    def test_refuses_the_draft_of_another_marketplace(self, market):
        other = make.market("other", first_open_on=SEP_8)
        draft = draft_of(other)
        close(market)
        with tenancy.use(market.pk), pytest.raises(FeeScheduleVersion.DoesNotExist):
            rehearsals.ask(draft, first_on=SEP_8, last_on=SEP_8, by=None, at=make.AT)


class TestWorkers:
    def test_end_it_once_however_often_they_are_told(self, market, settings):
        settings.LINES_A_SHARD = 1
        random_history(market, 5, sellers=4, lines=2)
        draft = draft_of(market, gold=50_000)
        with tenancy.use(market.pk):
            asked = rehearsals.ask(draft, first_on=SEP_8, last_on=CLOSED_ON, by=None, at=make.AT)
        shards = rehearsals.advance(market.pk, asked.job_id, at=make.AT)
        assert len(shards) == 4
        assert rehearsals.serve_shard(market.pk, shards[0], at=make.AT)
        assert not rehearsals.serve_shard(market.pk, shards[0], at=make.AT)
        assert not rehearsals.is_served(market.pk, asked.job_id)
        with tenancy.use(market.pk):
            job = JobRun.objects.get(pk=asked.job_id)
            assert 0 < job.done < job.total
        rehearsals.run(market.pk, asked.job_id, at=make.AT)
        assert rehearsals.advance(market.pk, asked.job_id, at=make.AT) == []
        with tenancy.use(market.pk):
            done = FeeRehearsal.objects.get()
            assert done.lines == SettlementLine.objects.count()
            assert done.rows.of(SELLER).count() == 4

    def test_fail_it_where_the_version_changed_meanwhile(self, market):
        random_history(market, 5, sellers=2, lines=2)
        draft = draft_of(market)
        with tenancy.use(market.pk):
            asked = rehearsals.ask(draft, first_on=SEP_8, last_on=CLOSED_ON, by=None, at=make.AT)
            FeeRule.objects.filter(version=draft, category__code="gold").update(rate_ppm=1)
        rehearsals.run(market.pk, asked.job_id, at=make.AT)
        with tenancy.use(market.pk):
            job = JobRun.objects.get(pk=asked.job_id)
            assert job.state == JobRun.State.FAILED
            assert "changed while it was replayed" in job.error
            assert rehearsals.valid(draft) is None

    def test_fail_it_once_a_part_was_tried_too_often(self, market):
        random_history(market, 5, sellers=2, lines=2)
        draft = draft_of(market)
        with tenancy.use(market.pk):
            asked = rehearsals.ask(draft, first_on=SEP_8, last_on=CLOSED_ON, by=None, at=make.AT)
        rehearsals.advance(market.pk, asked.job_id, at=make.AT)
        with tenancy.use(market.pk):
            JobShard.objects.update(attempts=5)
        rehearsals.run(market.pk, asked.job_id, at=make.AT)
        with tenancy.use(market.pk):
            assert JobRun.objects.get(pk=asked.job_id).state == JobRun.State.FAILED
            assert not FeeRehearsalRow.objects.exists()


class TestPublishing:
    """Notice is thirty days in the presets; the tests' people act on 1 September."""

    SOON = date(2026, 9, 20)

    def test_needs_notice_unless_nobody_keeps_less(self, market):
        random_history(market, 2, sellers=3)
        draft = draft_of(market, self.SOON, gold=10_000)
        with tenancy.use(market.pk), pytest.raises(notice.NoticeTooShort):
            fee_publishing.publish(draft, by=None, at=make.AT)
        rehearse(market, draft)
        with tenancy.use(market.pk):
            fee_publishing.publish(draft, by=None, at=make.AT)
            draft.refresh_from_db()
        assert draft.state == "published"

    def test_is_refused_where_a_rehearsal_shows_losers(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller(), unit_price=100_000, category="gold")
        close(market)
        draft = draft_of(market, self.SOON, gold=50_000)
        rehearse(market, draft)
        with tenancy.use(market.pk):
            with pytest.raises(notice.NoticeTooShort, match="2026-10-01"):
                fee_publishing.publish(draft, by=None, at=make.AT)
            fee_publishing.publish(draft, by=None, at=make.AT, waive_notice=True)

    def test_trusts_no_rehearsal_of_what_it_said_before(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller(), unit_price=100_000, category="gold")
        close(market)
        draft = draft_of(market, self.SOON, gold=10_000)
        rehearse(market, draft)
        with tenancy.use(market.pk):
            FeeRule.objects.filter(version=draft, category__code="gold").update(rate_ppm=90_000)
            with pytest.raises(notice.NoticeTooShort):
                fee_publishing.publish(draft, by=None, at=make.AT)

    def test_needs_no_rehearsal_with_enough_notice(self, market):
        draft = draft_of(market, date(2026, 10, 1), gold=50_000)
        with tenancy.use(market.pk):
            fee_publishing.publish(draft, by=None, at=make.AT)
            draft.refresh_from_db()
        assert draft.state == "published"
