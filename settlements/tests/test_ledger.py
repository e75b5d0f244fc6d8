"""Journals balance by the database's own word, and are posted once."""

from datetime import date

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace import tenancy
from settlements import chart, ledger, nights, statements
from settlements.models import Journal, LedgerEntry, Statement
from settlements.tests import make

DAY = date(2026, 9, 8)
amounts = st.integers(-(10**12), 10**12)


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        nights._open_months(DAY)
        yield market


class TestPost:
    def test_writes_both_sides(self, market):
        seller = make.seller()
        draft = ledger.Draft("statement", "stm_1", DAY, seller.pk)
        draft.debit(chart.CLEARING, 100)
        draft.credit(chart.SELLER_PAYABLE, 100)
        [journal] = ledger.post([draft])
        legs = LedgerEntry.objects.filter(journal_id=journal.pk).order_by("pk")
        assert list(legs.values_list("debit", "credit", "seller_id")) == [
            (100, 0, None),
            (0, 100, seller.pk),
        ]

    def test_puts_an_amount_below_zero_on_the_other_side(self, market):
        draft = ledger.Draft("statement", "stm_1", DAY)
        draft.debit(chart.CLEARING, -100)
        draft.credit(chart.VAT_PAYABLE, -100)
        draft.credit(chart.PARTNER_FUNDING, 0)
        assert draft.legs == [("clearing", 0, 100), ("vat_payable", 100, 0)]

    def test_is_refused_when_a_journal_does_not_balance(self, market):
        good = ledger.Draft("statement", "stm_1", DAY)
        good.debit(chart.CLEARING, 1)
        good.credit(chart.VAT_PAYABLE, 1)
        bad = ledger.Draft("statement", "stm_2", DAY)
        bad.debit(chart.CLEARING, 100)
        bad.credit(chart.VAT_PAYABLE, 99)
        with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
            ledger.post([good, bad])
        assert not LedgerEntry.objects.exists()

    def test_is_refused_a_second_time(self, market):
        draft = ledger.Draft("statement", "stm_1", DAY)
        ledger.post([draft])
        with pytest.raises(IntegrityError), transaction.atomic():
            ledger.post([draft])
        assert Journal.objects.count() == 1

    def test_opens_the_account_of_a_new_component(self, market):
        draft = ledger.Draft("statement", "stm_1", DAY)
        draft.debit(chart.CLEARING, 5)
        draft.credit(chart.FEE_REVENUE + "gift_wrap", 5)
        ledger.post([draft])
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM settlements_account WHERE code LIKE '%gift_wrap'")
            assert cursor.fetchone() == (1,)


class TestJournalOfAStatement:
    @settings(max_examples=200)
    @given(amounts, amounts, amounts, amounts, st.lists(st.tuples(amounts, amounts)), amounts)
    def test_balances_for_any_figures(self, listed, by_seller, by_platform, by_partner, fees, kept):
        """Net follows from the parts; reserve, tax and payout are whatever they are."""
        components = {
            f"c{number}": [fee, vat, vat if number % 2 else 0]
            for number, (fee, vat) in enumerate(fees)
        }
        on_top = sum(top for _, _, top in components.values())
        fee = sum(fee for fee, _, _ in components.values())
        statement = Statement(
            marketplace_id=1,
            seller_id=1,
            due_on=DAY,
            list_amount=listed,
            seller_discount=by_seller,
            platform_discount=by_platform,
            partner_discount=by_partner,
            components=components,
            fee=fee,
            vat=sum(vat for _, vat, _ in components.values()),
            net=listed - by_seller - fee - on_top,
            reserve=kept,
            withholding_income=kept // 7,
            withholding_local=kept // 70,
            payout=kept // 2,
        )
        legs = statements.journal(statement, DAY).legs
        assert sum(debit - credit for _, debit, credit in legs) == 0
        assert all((debit > 0) != (credit > 0) for _, debit, credit in legs)
