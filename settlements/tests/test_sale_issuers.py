"""Sales that the marketplace issues: their VAT is taken off sellers, and owed, and is no fee."""

import csv
import importlib.util
import io
import random
import sys
from datetime import date, timedelta
from fractions import Fraction

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from marketplace import tenancy, versions
from marketplace.models import Marketplace
from orders import remainders
from settlements import (
    bundles,
    contract_words,
    day_figures,
    downloads,
    estimates,
    explanations,
    exports,
    fees,
    forecasts,
    ledger,
    line_words,
    reversals,
    simulator,
    statement_pdf,
    statement_sums,
    statutory,
    tax_ties,
    vat_view,
)
from settlements.estimates import Item
from settlements.fee_rules import SALE_VAT, SALE_VAT_RULE, Benefit, Rule
from settlements.fees import Charge, Terms
from settlements.line_story import Story
from settlements.models import (
    LineTerms,
    SellerContract,
    SettlementLine,
    SettlementTerms,
    Statement,
    TaxInvoice,
)
from settlements.schedules import Sale, Schedule
from settlements.tests import closing, make

AT = make.AT
OPEN, SEPTEMBER = date(2026, 9, 8), date(2026, 9, 1)
PAID_OUT = date(2026, 10, 7)  # all of September is closed
PLATFORM = SellerContract.Issuer.PLATFORM
SALES = Rule(
    id=7, rank=1, component="sales", base="after_seller_discount", rate_ppm=120_000,
    vat_kind="exclusive",
)  # fmt: skip
VAT_RATES = st.sampled_from([0, 77_000, 100_000, 250_000])


def _program():
    """The program of the documents, which shares no code with ours."""
    path = settings.BASE_DIR / "docs" / "verify_statement.py"
    spec = importlib.util.spec_from_file_location("verify_statement", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["verify_statement"] = module
    spec.loader.exec_module(module)
    return module


def terms(*charges, vat_rate_ppm=100_000):
    return Terms(1, vat_rate_ppm, (*charges, Charge(SALE_VAT_RULE)))


@pytest.fixture
def market(db):
    return make.market(first_open_on=OPEN)


@pytest.fixture
def issued(market):
    """A seller whose sales the marketplace issues."""
    with tenancy.use(market.pk):
        seller = make.seller("A")
        make.contract(seller, sale_issuer=PLATFORM)
        return seller


@pytest.fixture
def close(market):
    def close(on=PAID_OUT):
        closing.close_and_check(market, on, month=SEPTEMBER)

    return close


def sold(seller, number="O1", unit_price=11_000, **fields):
    return make.sold(seller, number=number, unit_price=unit_price, paid_on=OPEN, **fields)


def figures(line):
    return (line.fee, line.vat, line.sale_vat, line.net)


def lines():
    return [figures(line) for line in SettlementLine.objects.order_by("order_line_id", "sequence")]


class TestFigures:
    def test_take_the_vat_contained_in_what_the_buyer_paid(self):
        """11,000 × 10 % ÷ 110 % = 1,000; 12 % and its VAT are 1,320 and 132."""
        charged, fee, vat, net = fees.figures(terms(Charge(SALES)), 1, 11_000)
        assert charged == ((11_000, 1_320, 132), (11_000, 1_000, 0))
        assert (fee, vat, net) == (1_320, 132, 8_548)

    def test_go_by_what_the_buyer_paid_whoever_funds_the_discount(self):
        """13,000 less 500, 1,100 and 400 is 11,000."""
        charged = fees.charge(terms(Charge(SALES)), 1, 13_000, 500, 1_100, 400)
        assert charged == ((12_500, 1_500, 150), (11_000, 1_000, 0))

    @pytest.mark.parametrize(("paid", "vat"), [(5, 0), (6, 1), (10, 1), (16, 1), (17, 2)])
    def test_round_half_up(self, paid, vat):
        assert fees.charge(terms(), 1, paid) == ((paid, vat, 0),)

    def test_are_not_touched_by_a_waiver_of_everything(self):
        benefit = Benefit(frozenset({"sales", SALE_VAT}), points_off_ppm=1_000_000)
        schedule = Schedule(
            version_id=1, components=("sales",), rules=(SALES,), vat_rate_ppm=100_000
        ).with_own_rules((), takes_sale_vat=True)
        sale = Sale(stream="goods", rate_on=OPEN, unit_price=11_000, is_taxed=True)
        assert fees.figures(schedule.select(sale, [benefit]), 1, 11_000)[1:] == (0, 0, 10_000)

    def test_are_those_of_everybody_for_what_is_exempt(self):
        schedule = Schedule(
            version_id=1, components=("sales",), rules=(SALES,), vat_rate_ppm=100_000
        )
        own = schedule.with_own_rules((), takes_sale_vat=True)
        sale = Sale(stream="goods", rate_on=OPEN, unit_price=11_000)
        assert own.select(sale) == schedule.select(sale)

    @given(
        st.integers(0, 10**9),
        st.integers(1, 9),
        st.lists(st.integers(0, 10**6), min_size=3, max_size=3),
        VAT_RATES,
        st.sampled_from(["exclusive", "inclusive", "exempt"]),
    )
    def test_leave_nothing_of_the_price_unexplained(self, price, units, discounts, rate, kind):
        listed = price * units
        discounts = [min(each, listed // 3) for each in discounts]
        rule = Rule(id=7, rank=1, component="sales", rate_ppm=120_000, vat_kind=kind)
        with_it = terms(Charge(rule), vat_rate_ppm=rate)
        charged, fee, vat, net = fees.figures(with_it, units, listed, *discounts)
        without = fees.figures(Terms(1, rate, (Charge(rule),)), units, listed, *discounts)
        paid = listed - sum(discounts)
        taken = int(Fraction(paid * rate, 1_000_000 + rate) + Fraction(1, 2))
        assert charged == (*without[0], (paid, taken, 0))
        assert (fee, vat, net) == (without[1], without[2], without[3] - taken)
        assert with_it.sums(charged) == (fee, vat)

    @given(
        st.integers(0, 10**6),
        st.integers(2, 6),
        st.lists(st.integers(0, 1_000), min_size=3, max_size=3),
        st.data(),
    )
    def test_give_back_exactly_what_was_taken(self, price, units, discounts, data):
        discounts = [min(each, price * units // 3) for each in discounts]
        of_line = (price, units, *discounts)
        charges = terms(Charge(SALES))
        original = before = remainders.remaining(*of_line, left=units)
        value = reversals.value(charges, original)
        back = net = 0
        while before.quantity:
            left = data.draw(st.integers(0, before.quantity - 1))
            after = remainders.remaining(*of_line, left=left)
            part = reversals.reversed_between(charges, original, before, after)
            back, net, before = back + part.charged[-1][1], net + part.net, after
        assert (back, net) == (value.charged[-1][1], value.net)


class TestTerms:
    def test_are_rebuilt_from_their_key(self):
        one = terms(Charge(SALES))
        assert Terms.from_key(one.key(), {7: SALES, 0: SALE_VAT_RULE}) == one


class TestNight:
    def test_takes_the_vat_off_and_books_it_as_owed(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
            sold(make.seller("B"), "O2")
        close()
        with tenancy.use(market.pk):
            assert lines() == [(1_320, 132, 1_000, 8_548), (1_320, 132, 0, 9_548)]
            statement = Statement.objects.get(seller=issued)
            assert statement.components == {"sales": [1_320, 132, 132], "sale_vat": [1_000, 0, 0]}
            sums = (statement.fee, statement.vat, statement.sale_vat, statement.net)
            assert sums == (1_320, 132, 1_000, 8_548)
            assert statement.charged == 2_452
            booked = make.balances()
            assert booked["sale_vat_payable"] == 1_000
            assert (booked["fee_revenue:sales"], booked["vat_payable"]) == (2_640, 264)
            assert booked["clearing"] == -22_000
            assert sum(booked.values()) == 0
            assert "fee_revenue:sale_vat" not in booked

    def test_takes_nothing_off_what_is_exempt_in_the_same_order(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued, line=1)
            sold(issued, line=2, tax_kind="exempt")
            sold(issued, line=3, stream="shipping", category=None, unit_price=3_300)
        close()
        with tenancy.use(market.pk):
            assert [found[2] for found in lines()] == [1_000, 0, 300]

    def test_gives_partial_returns_back_to_the_won(self, market, issued, close):
        """Of 10,005 it is 910 (909.5…), of 6,670 606, of 3,335 303."""
        with tenancy.use(market.pk):
            line = sold(issued, unit_price=3_335, quantity=3)
            for day, left in enumerate((2, 1, 0), 20):
                make.returned(line, left=left, on=date(2026, 9, day))
        close()
        with tenancy.use(market.pk):
            found = lines()
            assert [each[2] for each in found] == [910, -304, -303, -303]
            assert [sum(column) for column in zip(*found, strict=True)] == [0, 0, 0, 0]
            booked = make.balances()  # what is left is the first payout, and the debt of it
            assert booked == {"payout_payable": 7_775, "seller_payable": -7_775}

    def test_is_printed_where_a_sale_and_its_return_come_to_nothing(self, market, issued, close):
        with tenancy.use(market.pk):
            make.returned(sold(issued), left=0, on=OPEN)
        close()
        with tenancy.use(market.pk), translation.override("en"):
            statement = Statement.objects.select_related("seller").get()
            assert statement.sale_vat == 0
            page = statement_pdf.html(downloads.lines(statement, market))
        assert "VAT of sales" in page
        assert page.count(">1,000<") == page.count(">-1,000<") == 1

    def test_goes_by_the_contract_of_the_day_of_payment(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller("A")
            since = OPEN + timedelta(days=2)
            make.contract(seller, valid_from=since, sale_issuer=PLATFORM)
            make.contract(seller, valid_from=date(2026, 9, 12), at=AT + timedelta(days=11))
            back = []
            for at, day in enumerate((9, 10, 11, 12)):
                paid_on = date(2026, 9, day)
                given = {"paid_on": paid_on, "confirmed_on": date(2026, 9, 14)}
                back.append(make.sold(seller, number=f"O{at}", unit_price=11_000, **given))
            make.returned(back[1], left=0, on=date(2026, 9, 20))
        close()
        with tenancy.use(market.pk):
            assert [each[2] for each in lines()] == [0, 1_000, -1_000, 1_000, 0]

    def test_invoices_the_fees_alone(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
        close()
        with tenancy.use(market.pk):
            [invoice] = TaxInvoice.objects.filter(month=SEPTEMBER)
            assert (invoice.components, invoice.kind) == ({"sales": [1_320, 132]}, "taxable")
            tie = tax_ties.of_month(SEPTEMBER)
            assert tie.lines == (1_320, 132)

    def test_computes_the_months_vat_from_the_fees_alone(self, market, close):
        """Three times 1.4 of VAT: 1 each by lines, 4 by the invoice."""
        with tenancy.use(market.pk):
            seller = make.seller("A")
            make.contract(seller, sale_issuer=PLATFORM, vat_level="invoice")
            for at in range(3):
                sold(seller, f"O{at}", 117)
        close()
        with tenancy.use(market.pk):
            [invoice] = TaxInvoice.objects.filter(month=SEPTEMBER)
            assert (invoice.supply, invoice.vat) == (42, 4)

    def test_withholds_from_what_is_left(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller("A")
            make.contract(seller, sale_issuer=PLATFORM, income_kind="service")
            sold(seller, unit_price=1_100_000)
        close()
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert statement.service_net == statement.net == 1_100_000 - 145_200 - 100_000

    def test_says_the_same_on_the_sheet_of_the_day(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
        close()
        with tenancy.use(market.pk):
            closed_on = Statement.objects.get().closed_on
            assert day_figures.live(closed_on).differing == ()

    def test_proves_itself_to_a_program_that_shares_no_code(self, market, issued, close, tmp_path):
        with tenancy.use(market.pk):
            line = sold(issued, unit_price=3_335, quantity=3, platform_discount=500)
            make.returned(line, left=2, on=date(2026, 9, 9))
            sold(issued, "O2", tax_kind="exempt")
        close()
        with tenancy.use(market.pk):
            path = tmp_path / "bundle.zip"
            for statement in Statement.objects.filter(seller=issued):
                path.write_bytes(bundles.make(statement))
                found = _program().check(path)
                assert [str(each) for each in found.findings] == []

    @pytest.mark.parametrize("seed", range(3))
    def test_keeps_every_identity_in_a_random_history(self, market, issued, close, tmp_path, seed):
        chance = random.Random(seed)
        with tenancy.use(market.pk):
            switching = make.seller("B")
            make.contract(switching, valid_from=OPEN + timedelta(2), sale_issuer=PLATFORM)
            for number in range(18):
                price, quantity = chance.randint(1, 99_999), chance.randint(1, 4)
                discounts = (chance.randint(0, price * quantity // 3) for _ in range(3))
                names = ("seller_discount", "platform_discount", "partner_discount")
                paid_on = OPEN + timedelta(chance.randint(0, 4))
                line = make.sold(
                    chance.choice([issued, switching]),
                    number=f"N{number}",
                    unit_price=price,
                    quantity=quantity,
                    tax_kind=chance.choice(["taxable", "taxable", "exempt"]),
                    paid_on=paid_on,
                    confirmed_on=paid_on + timedelta(chance.randint(1, 9)),
                    **dict(zip(names, discounts, strict=True)),
                )
                left = quantity
                while left and chance.random() < 0.4:
                    left = chance.randint(0, left - 1)
                    make.returned(line, left=left, on=OPEN + timedelta(chance.randint(15, 20)))
        close(date(2026, 10, 15))
        with tenancy.use(market.pk):
            statements = list(Statement.objects.exclude(state="open"))
            assert sum(statement.sale_vat for statement in statements) > 0
            for statement in statements:
                sold_for = statement.list_amount - statement.seller_discount
                assert sold_for == statement.net + statement.charged
                own = SettlementLine.objects.all_of_statement(statement)
                assert statement.sale_vat == sum(line.sale_vat for line in own)
            booked = make.balances()
            assert sum(booked.values()) == 0
            assert booked["sale_vat_payable"] == sum(row.sale_vat for row in statements)
            assert booked["fee_revenue:sales"] == sum(row.fee for row in statements)
            assert booked["vat_payable"] == sum(row.vat for row in statements)
            path = tmp_path / "bundle.zip"
            for statement in statements:
                path.write_bytes(bundles.make(statement))
                assert [str(each) for each in _program().check(path).findings] == []


class TestTold:
    def test_in_words_that_can_be_computed_again(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued, unit_price=3_335, platform_discount=35)
        close()
        with tenancy.use(market.pk):
            line = SettlementLine.objects.get()
            found = explanations.explain(line)
            assert [part.code for part in found] == ["sales", "sale_vat"]
            names = ledger.component_names()
            with translation.override("en"):
                assert line_words.describe(found[1], names) == [
                    "VAT of the sale: the marketplace issues the sale and owes its VAT, by "
                    "version 1 of the seller's contract",
                    "paid by the buyer 3,300 × 10 % ÷ 110 % = 300, rounded (half up) to 300",
                ]
                story = Story(Marketplace.objects.get(pk=market.pk), ledger.component_names())
                entries = story.entries(line, 3_335, found)
                assert entries[-1].label == "VAT of the sale"
                assert entries[-1].workings[-1] == "₩3,300 × 10% ÷ 110% = ₩300"
            assert sum(entry.amount for entry in entries) == line.net

    def test_of_a_reversal_as_before_and_after(self, market, issued, close):
        with tenancy.use(market.pk):
            line = sold(issued, quantity=2)
            make.returned(line, left=1, on=date(2026, 9, 20))
        close()
        with tenancy.use(market.pk):
            back = SettlementLine.objects.get(sequence=1)
            part = explanations.explain(back)[1]
            assert (part.base, part.fee, part.vat) == (-11_000, -1_000, 0)
            with translation.override("en"):
                assert line_words.describe(part, {})[-1] == "difference: -1,000"

    def test_as_a_step_of_the_statement_that_is_no_fee(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
        close()
        with tenancy.use(market.pk), translation.override("en"):
            steps = statement_sums.steps(Statement.objects.get(), ledger.component_names())
            told = {step.label: step.amount for step in steps}
            assert told["VAT of the sale"] == -1_000
            assert told["Net of its lines"] == 8_548

    def test_in_files(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
        close()
        with tenancy.use(market.pk) as market, translation.override("en"):
            table = downloads.lines(Statement.objects.get(), market)
            at = table.columns.index("VAT of sales")
            assert [row[at] for row in table.rows] == [1_000]
            out = io.StringIO()
            exports.write("settlement_lines", out)
            [row] = csv.DictReader(out.getvalue().splitlines())
            assert row["charges"].endswith("sale_vat#- base=11000 fee=1000 vat=0")
            assert row["sale_vat"] == "1000"

    def test_as_a_term_of_the_contract(self, market, issued):
        with tenancy.use(market.pk), translation.override("en"):
            told, _ = contract_words.of_seller(issued.pk, on=OPEN)
            [fact] = [fact for fact in told.facts if fact.label == "Sales are issued by"]
            assert fact.text == "the marketplace; the VAT in what buyers pay is taken off"
            assert fact.is_own


class TestBefore:
    def test_estimates_what_will_be_settled(self, market, issued):
        with tenancy.use(market.pk):
            found = estimates.of_item(issued, Item(unit_price=11_000), on=OPEN)
            assert (found.fee, found.vat, found.net) == (1_320, 132, 8_548)
            assert found.components[-1].component == "sale_vat"
            item = Item(unit_price=11_000, tax_kind="exempt")
            assert estimates.of_item(issued, item, on=OPEN).net == 9_548

    def test_expects_and_forecasts_it(self, market, issued):
        with tenancy.use(market.pk):
            make.placed(issued, unit_price=11_000, paid_on=OPEN)
            line = sold(issued, "O2", quantity=2, confirmed_on=OPEN)
            make.returned(line, left=1, on=OPEN)
            found = estimates.expected(issued, on=OPEN)
            assert found.stages[estimates.PAID].net == 8_548
            confirmed = found.stages[estimates.CONFIRMED]
            assert (confirmed.fee, confirmed.vat, confirmed.net) == (1_320, 132, 8_548)
            days = forecasts.of_seller(issued, on=OPEN).days
            assert sum(day.net for day in days) == 17_096

    def test_finds_the_price_that_leaves_an_amount(self, market, issued):
        with tenancy.use(market.pk):
            item = Item(unit_price=0)
            found = simulator.price_for(issued, item, 8_548, on=OPEN)
            assert (found.item.unit_price, found.net) == (10_999, 8_548)


class TestReports:
    def test_leave_such_sales_out_of_what_a_seller_declares(self, market, issued, close):
        with tenancy.use(market.pk):
            line = sold(issued, quantity=2, seller_discount=1_000, platform_discount=2_200)
            sold(issued, "O2", unit_price=5_000, tax_kind="exempt")
            make.returned(line, left=1, on=date(2026, 9, 20))
        close()
        with tenancy.use(market.pk):
            view = vat_view.of_month(issued, SEPTEMBER).confirmation
            assert (view.total.sales, view.lines) == (0, 0)
            taken = sum(row.sale_vat for row in SettlementLine.objects.all())
            assert (view.by_platform.sales, view.by_platform.vat) == (15_500, taken)
            assert taken == 855  # of 22,000 − 1,000 − 2,200 it is 1,709; of the half left 855

    def test_report_no_sales_of_the_marketplaces_own_as_sellers(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
            sold(make.seller("B"), "O2", unit_price=7_000)
        close()
        with tenancy.use(market.pk):
            out = io.StringIO()
            exports.write("sales_by_month", out)
            assert [row.split(",")[2] for row in out.getvalue().split("\n")[1:-1]] == ["B"]
            tie = statutory.quarter(SEPTEMBER).sales
            assert (tie.reported, tie.by_platform, tie.unexplained) == (7_000, 11_000, 0)

    def test_tie_the_marketplaces_own_sales_to_what_it_owes(self, market, issued, close):
        """Paid in September, closed in October: the VAT is of the third quarter, booked in the
        fourth."""
        with tenancy.use(market.pk):
            line = sold(issued, quantity=2, confirmed_on=date(2026, 9, 30))
            sold(issued, "O2", unit_price=5_000, tax_kind="exempt", confirmed_on=OPEN)
            make.returned(line, left=1, on=date(2026, 10, 2))
        close(date(2026, 10, 15))
        with tenancy.use(market.pk):
            third = statutory.quarter(SEPTEMBER).own
            assert (third.taxable, third.exempt, third.vat) == (22_000, 5_000, 2_000)
            assert (third.closed_elsewhere, third.booked) == (2_000, 0)
            fourth = statutory.quarter(date(2026, 10, 1)).own
            assert (fourth.taxable, fourth.vat, fourth.of_other_quarters) == (
                -11_000,
                -1_000,
                2_000,
            )
            assert fourth.booked == 1_000
            assert (third.unexplained, fourth.unexplained) == (0, 0)

    def test_tell_of_no_own_sales_where_sellers_issue_all(self, market, close):
        with tenancy.use(market.pk):
            sold(make.seller("B"))
        close()
        with tenancy.use(market.pk):
            assert statutory.quarter(SEPTEMBER).own.is_empty

    def test_cut_only_fees_by_what_the_marketplace_funds(self, market, issued, close):
        """Of 3,000 on 11,000 the fees of 1,452 are cut, and not the VAT of the sale, 727."""
        with tenancy.use(market.pk):
            before = SettlementTerms.objects.published().latest("valid_from")
            draft = versions.revise(before, valid_from=date(2026, 9, 9), by=None, at=AT)
            draft.funding_as = "fee_cut"
            draft.save()
            versions.publish(draft, by=None, at=AT)
            sold(issued, platform_discount=3_000)
        close()
        with tenancy.use(market.pk):
            rows = SettlementLine.objects.filter(kind=3).order_by("pk")
            assert [row.net for row in rows] == [1_452, -1_452]
            [line] = SettlementLine.objects.exclude(kind=3)
            assert figures(line) == (1_320, 132, 727, 8_821)


class TestStoredTerms:
    def test_name_the_vat_of_the_sale_last(self, market, issued, close):
        with tenancy.use(market.pk):
            sold(issued)
            sold(make.seller("B"), "O2")
        close()
        with tenancy.use(market.pk):
            keys = sorted(row.key[2][-1][0] for row in LineTerms.objects.all())
            assert keys[0] == 0
            assert keys[1] > 0
