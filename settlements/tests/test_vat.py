import pytest

from settlements import vat


class TestRatio:
    @pytest.mark.parametrize(
        ("kind", "ratio"),
        [
            (vat.EXCLUSIVE, (100_000, 1_000_000)),
            (vat.INCLUSIVE, (100_000, 1_100_000)),
            (vat.EXEMPT, (0, 1)),
        ],
    )
    def test_says_by_what_a_fee_is_multiplied(self, kind, ratio):
        assert vat.ratio(kind, 100_000) == ratio


class TestOnInvoice:
    @pytest.mark.parametrize(
        ("kind", "tax"), [(vat.EXCLUSIVE, 11), (vat.INCLUSIVE, 10), (vat.EXEMPT, 0)]
    )
    def test_rounds_the_sum_once(self, kind, tax):
        assert vat.on_invoice(105, kind, 100_000) == tax


class TestOfPayee:
    def test_is_added_for_a_registered_payee_only(self):
        assert vat.of_payee(15, 100_000, is_registered=True) == 2
        assert vat.of_payee(15, 100_000, is_registered=False) == 0
