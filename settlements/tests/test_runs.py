"""The night's settlement on real rows: lines, statements, ledger, reversals, shards."""

from datetime import date
from fractions import Fraction

import pytest
from django.db import connection
from django.utils import translation

from marketplace import tenancy
from marketplace.models import Change
from orders.models import OutcomeToSettle
from settlements import explanations, line_words, nights, runs, verification
from settlements.models import LedgerEntry, LineTerms, SettlementLine, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
DUE = date(2026, 9, 11)  # three business days after 8 September 2026


@pytest.fixture
def market():
    return make.market()


def _settle(on=SEP_8):
    nights._open_months(on)
    return runs.settle(on=on, first_seller=0, end_seller=2**62)


def _close(market, on):
    nights.close_day(market.pk, on, at=make.AT)


class TestSettle:
    def test_makes_a_line_with_its_proof(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            line = make.sold(seller, unit_price=33_333, category="gold", seller_discount=333)
            assert _settle() == runs.Settled(lines=1, reversals=0, statements=1)
            made = SettlementLine.objects.get()
            # 3 % of 33,000 is 990, VAT on it 99.
            assert made.charges == [33_000, 990, 99]
            assert (made.fee, made.vat, made.net) == (990, 99, 31_911)
            assert (made.list_amount, made.seller_discount) == (33_333, 333)
            assert (made.order_line_id, made.sequence, made.kind) == (line.pk, 0, 1)
            assert (made.rate_on, made.basis_on, made.run_on) == (date(2026, 9, 1), SEP_8, SEP_8)
            statement = Statement.objects.get(pk=made.statement_id)
            assert (statement.due_on, statement.lines, statement.net) == (DUE, 1, 31_911)
            assert statement.components == {"sales": [990, 99, 99]}
            assert LineTerms.objects.get(pk=made.terms_id).key[1] == 100_000
            assert not OutcomeToSettle.objects.exists()

    def test_finds_nothing_when_repeated(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller())
            _settle()
            assert _settle() == runs.Settled(0, 0, 0)
            assert SettlementLine.objects.count() == 1

    def test_leaves_what_is_confirmed_later(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=date(2026, 9, 9))
            assert _settle().lines == 0
            assert OutcomeToSettle.objects.count() == 1

    def test_puts_lines_of_one_due_date_on_one_statement(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, number="O1", confirmed_on=date(2026, 9, 7))
            _settle(date(2026, 9, 7))
            make.sold(seller, number="O2", confirmed_on=date(2026, 9, 7))
            _settle(date(2026, 9, 8))
            statement = Statement.objects.get()
            assert (statement.due_on, statement.lines) == (date(2026, 9, 10), 2)

    def test_reverses_by_the_terms_of_the_sale_to_the_won(self, market):
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), unit_price=11_111, quantity=3, category="auto")
            _settle()
            make.returned(line, left=2, on=date(2026, 9, 9))
            make.returned(line, left=1, on=date(2026, 9, 9))
            make.returned(line, left=0, on=date(2026, 9, 9))
            assert _settle(date(2026, 9, 9)) == runs.Settled(3, 3, 1)
            lines = list(SettlementLine.objects.order_by("sequence"))
            assert sum(row.net for row in lines) == 0
            assert sum(row.fee for row in lines) == 0
            assert sum(row.vat for row in lines) == 0
            assert sum(row.quantity for row in lines) == 0
            assert {row.terms_id for row in lines} == {lines[0].terms_id}
            assert all(row.net < 0 for row in lines[1:])

    def test_settles_sale_and_reversal_of_one_night(self, market):
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), quantity=2)
            make.returned(line, left=0, on=SEP_8)
            assert _settle() == runs.Settled(2, 1, 1)
            assert Statement.objects.get().net == 0

    def test_gives_a_late_line_to_a_statement_that_is_still_open(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, number="late", confirmed_on=date(2026, 9, 1))
            _settle(date(2026, 9, 30))
            assert Statement.objects.get().due_on == date(2026, 9, 30)

    def test_serves_only_its_own_sellers(self, market):
        with tenancy.use(market.pk):
            a, b = make.seller("A"), make.seller("B")
            make.sold(a, number="O1")
            make.sold(b, number="O2")
            nights._open_months(SEP_8)
            runs.settle(on=SEP_8, first_seller=a.pk, end_seller=a.pk + 1)
            assert SettlementLine.objects.get().seller_id == a.pk
            assert OutcomeToSettle.objects.get().seller_id == b.pk

    def test_takes_a_grades_benefit_off_the_rate(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.graded(seller, "power")
            make.sold(seller, unit_price=100_000, category="gold")
            _settle()
            # 3 % less 0.2 points.
            assert SettlementLine.objects.get().charges == [100_000, 2_800, 280]

    def test_keeps_the_grade_of_the_day_of_payment(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.graded(seller, "power", effective_from=date(2026, 9, 2))
            make.sold(seller, unit_price=100_000, category="gold", paid_on=date(2026, 9, 1))
            _settle()
            assert SettlementLine.objects.get().fee == 3_000

    def test_explains_a_line_by_the_figures_it_shows(self, market):
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), unit_price=33_333, quantity=2, category="gold")
            make.returned(line, left=1, on=SEP_8)
            _settle()
            sale, reversal = SettlementLine.objects.order_by("sequence")
            [part] = explanations.explain(sale)
            assert (part.code, part.schedule, part.version) == ("sales", "standard", 1)
            assert part.after.exact == Fraction(66_666 * 3, 100)
            assert (part.fee, part.vat) == (1_999, 200)
            [part] = explanations.explain(reversal)
            assert (part.before.fee, part.after.fee, part.fee) == (1_999, 999, -1_000)
            with translation.override("en"):
                assert line_words.describe(part, {"sales": "Sales fee"}) == [
                    "Sales fee: rule 1 of 기본 수수료, version 1",
                    "before: 66,666 × 3 % = 1,999.98, rounded (cut) to 1,999; "
                    "VAT on top 199.9, rounded (half up) to 200",
                    "after: 33,333 × 3 % = 999.99, rounded (cut) to 999; "
                    "VAT on top 99.9, rounded (half up) to 100",
                    "difference: fee -1,000, VAT -100",
                ]
            sale.charges[1] += 1
            with pytest.raises(explanations.LineDiffers):
                explanations.explain(sale)

    def test_sees_no_row_of_a_stranger(self, market):
        stranger = make.market("stranger")
        with tenancy.use(stranger.pk):
            make.sold(make.seller())
        with tenancy.use(market.pk):
            assert _settle().lines == 0
        with tenancy.use(stranger.pk):
            assert OutcomeToSettle.objects.count() == 1


class TestCloseDay:
    def test_pays_what_is_due_and_balances_the_ledger(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, unit_price=100_000, category="gold", platform_discount=5_000)
        _close(market, DUE)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert statement.state == Statement.State.PAYABLE
            change = Change.objects.get(type="statement.payable")
            assert (change.object_id, change.seller_id) == (
                statement.public_id,
                statement.seller_id,
            )
            assert (statement.net, statement.payout, statement.carry_out) == (96_700, 96_700, 0)
            assert statement.closed_on == DUE
            assert _balances() == {
                "clearing": 95_000,
                "platform_funding": 5_000,
                "fee_revenue:sales": -3_000,
                "vat_payable": -300,
                "payout_payable": -96_700,
            }
            assert list(verification.verify(on=DUE)) == []

    def test_carries_a_debt_to_the_next_statement(self, market):
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), number="O1", unit_price=100_000, category="gold")
        _close(market, DUE)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=date(2026, 9, 14))
            make.sold(
                line.seller,
                number="O2",
                unit_price=300_000,
                category="gold",
                confirmed_on=date(2026, 9, 15),
            )
        _close(market, date(2026, 9, 18))
        with tenancy.use(market.pk):
            first, second, third = Statement.objects.order_by("due_on")
            assert first.payout == 96_700
            assert (second.net, second.payout, second.carry_out) == (-96_700, 0, -96_700)
            assert second.state == Statement.State.CLOSED
            assert (third.carry_in, third.net, third.payout) == (-96_700, 290_100, 193_400)
            assert list(verification.verify(on=date(2026, 9, 18))) == []

    def test_changes_nothing_when_repeated(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller())
        _close(market, DUE)
        before = _counts(market)
        _close(market, DUE)
        assert _counts(market) == before

    def test_refuses_a_night_out_of_turn(self, market):
        with pytest.raises(nights.NotTheNextNight):
            nights.advance(market.pk, date(2026, 9, 5), at=make.AT)

    def test_closes_missed_nights_in_order(self, market):
        _close(market, date(2026, 9, 3))
        market.refresh_from_db()
        assert market.last_closed_on == date(2026, 9, 3)
        assert nights.next_on(market) == date(2026, 9, 4)

    def test_settles_the_others_when_one_seller_cannot_be(self, market, monkeypatch):
        with tenancy.use(market.pk):
            sellers = [make.seller(code) for code in "ABC"]
            for seller in sellers:
                make.sold(seller, number=f"O-{seller.code}")
        settle = runs.settle

        def fails_for_b(*, on, first_seller, end_seller):
            if first_seller <= sellers[1].pk < end_seller:
                raise ValueError("B cannot be served")
            return settle(on=on, first_seller=first_seller, end_seller=end_seller)

        monkeypatch.setattr(runs, "settle", fails_for_b)
        _close(market, SEP_8)
        with tenancy.use(market.pk):
            settled = set(SettlementLine.objects.values_list("seller_id", flat=True))
            assert settled == {sellers[0].pk, sellers[2].pk}
            assert OutcomeToSettle.objects.get().seller_id == sellers[1].pk

    def test_rehearses_without_keeping_anything(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=make.FIRST_OPEN_ON)
        results = nights.rehearse(market.pk, make.FIRST_OPEN_ON, at=make.AT)
        assert results["settle"] == {"lines": 1, "reversals": 0, "reports": 0, "adjustments": 0}
        with tenancy.use(market.pk):
            assert OutcomeToSettle.objects.count() == 1
            assert not SettlementLine.objects.exists()


def _balances():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, sum(e.debit - e.credit)::bigint FROM ledger_entry e "
            "JOIN settlements_account a ON a.id = e.account_id GROUP BY 1 "
            "HAVING sum(e.debit - e.credit) <> 0"
        )
        return dict(cursor.fetchall())


def _counts(market):
    with tenancy.use(market.pk):
        return [
            model.objects.count() for model in (SettlementLine, Statement, LedgerEntry, LineTerms)
        ]
