import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import pricing
from orders.pricing import CartDiscount, Line, Shipping
from orders.remainders import DiscountExceedsLine


def line(number=1, seller="A", unit_price=1_000, quantity=1, **discounts):
    return Line(number=number, seller=seller, unit_price=unit_price, quantity=quantity, **discounts)


@st.composite
def carts(draw):
    """Lines in any order, and cart discounts that fit on them."""
    lines = [
        line(
            number,
            draw(st.sampled_from("AB")),
            draw(st.integers(0, 9_999)),
            draw(st.integers(1, 5)),
        )
        for number in draw(st.permutations(range(1, draw(st.integers(1, 5)) + 1)))
    ]
    discounts = []
    for funder in draw(st.lists(st.sampled_from(["seller", "platform", "partner"]), max_size=4)):
        seller = draw(st.sampled_from("AB")) if funder == "seller" else None
        priced = pricing.discounted(lines, discounts)
        left = sum(each.buyer_paid for each in priced if seller in (None, each.seller))
        discounts.append(CartDiscount(funder, draw(st.integers(0, left)), seller))
    return lines, discounts


class TestPrice:
    def test_splits_payments_in_sequence(self):
        priced = pricing.price([line(1, unit_price=1), line(2, unit_price=1)], tenders=[1, 1])
        assert priced.tender_parts == ((1, 0), (0, 1))

    def test_pays_shipping_after_the_goods_with_its_own_funding(self):
        shipping = [Shipping(seller="A", amount=3_000, platform_discount=500)]
        priced = pricing.price([line()], shipping=shipping, tenders=[3_500])
        assert (priced.charged, priced.tender_parts) == (3_500, ((1_000, 2_500),))

    @pytest.mark.parametrize("tenders", [[], [999], [1_001], [1_001, -1]])
    def test_refuses_payments_that_do_not_match(self, tenders):
        with pytest.raises(pricing.TendersDoNotMatch):
            pricing.price([line()], tenders=tenders)

    def test_takes_an_order_that_costs_nothing(self):
        priced = pricing.price([line()], [CartDiscount("platform", 1_000)])
        assert (priced.charged, priced.tender_parts) == (0, ())

    def test_refuses_shipping_with_discounts_above_it(self):
        with pytest.raises(DiscountExceedsLine):
            pricing.price([line()], shipping=[Shipping(seller="A", amount=1, seller_discount=2)])

    @given(carts(), st.lists(st.integers(0, 5_000), max_size=3), st.data())
    def test_keeps_the_identities_of_an_order(self, cart, fares, data):
        lines, discounts = cart
        shipping = [Shipping(seller="A", amount=fare, group=str(n)) for n, fare in enumerate(fares)]
        goods = pricing.discounted(lines, discounts)
        left = sum(each.buyer_paid for each in (*goods, *shipping))
        first = data.draw(st.integers(0, left))
        priced = pricing.price(lines, discounts, shipping, [first, left - first])
        assert priced.charged == left
        assert [sum(row) for row in priced.tender_parts] == [first, left - first]
        columns = [sum(column) for column in zip(*priced.tender_parts, strict=True)]
        assert columns == [each.buyer_paid for each in (*priced.lines, *priced.shipping)]

    @given(carts())
    def test_is_the_same_in_whatever_order_lines_arrive(self, cart):
        lines, discounts = cart
        arrived = pricing.discounted(lines, discounts)
        assert arrived == pricing.discounted(lines[::-1], discounts)


class TestDiscounted:
    def test_weighs_by_what_earlier_discounts_left(self):
        lines = [line(1, seller_discount=1_000), line(2)]
        priced = pricing.discounted(lines, [CartDiscount("platform", 100)])
        assert [each.platform_discount for each in priced] == [0, 100]

    def test_lays_a_sellers_discount_over_their_own_lines_only(self):
        lines = [line(1, "A"), line(2, "B")]
        priced = pricing.discounted(lines, [CartDiscount("seller", 300, "B")])
        assert [each.seller_discount for each in priced] == [0, 300]

    def test_gives_ties_to_the_lower_number_not_to_the_earlier_arrival(self):
        priced = pricing.discounted([line(2), line(1)], [CartDiscount("partner", 1)])
        assert [(each.number, each.partner_discount) for each in priced] == [(1, 1), (2, 0)]

    @pytest.mark.parametrize(
        "discount",
        [
            CartDiscount("platform", 2_001),
            CartDiscount("seller", 1_001, "A"),
            CartDiscount("seller", 1, "C"),
        ],
    )
    def test_refuses_more_than_the_lines_hold(self, discount):
        with pytest.raises(pricing.DiscountExceedsLines) as refused:
            pricing.discounted([line(1, "A"), line(2, "B")], [discount])
        assert refused.value.code == "discount_exceeds_lines"

    @pytest.mark.parametrize("discount", [CartDiscount("platform", -1), CartDiscount("bank", 1)])
    def test_refuses_what_is_no_discount(self, discount):
        with pytest.raises(pricing.DiscountNotUsable):
            pricing.discounted([line()], [discount])

    @pytest.mark.parametrize(
        "wrong", [{"quantity": 0}, {"unit_price": -1}, {"seller_discount": -1}]
    )
    def test_refuses_lines_that_cannot_be_priced(self, wrong):
        with pytest.raises(pricing.LineNotPriceable):
            pricing.discounted([line(**wrong)], [])

    def test_refuses_a_number_twice(self):
        with pytest.raises(pricing.LineRepeated):
            pricing.discounted([line(1), line(1)], [])

    @given(carts())
    def test_keeps_the_identity_of_a_line(self, cart):
        for each in pricing.discounted(*cart):
            funded = each.platform_discount + each.partner_discount
            assert each.buyer_paid >= 0
            assert each.buyer_paid + funded == each.list_amount - each.seller_discount


class TestTenderParts:
    def test_lets_a_zero_line_keep_its_place(self):
        assert pricing.tender_parts([200], [66, 67, 67, 0]) == ((66, 67, 67, 0),)


class TestSaleVat:
    @pytest.mark.parametrize(
        ("amount", "tax_kind", "vat"), [(1_000, "taxable", 91), (1_000, "exempt", 0)]
    )
    def test_is_contained_in_the_price(self, amount, tax_kind, vat):
        assert pricing.sale_vat(amount, 100_000, tax_kind) == vat
