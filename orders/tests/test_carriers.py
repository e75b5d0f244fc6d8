"""Carriers by the names that sellers write, and numbers that a carrier may have given."""

import pytest

from orders import carriers


class TestFind:
    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("cj", "cj"),
            ("CJ 대한통운", "cj"),
            ("CJ Logistics", "cj"),
            ("우체국 택배", "epost"),
            ("ＣＪ대한통운", "cj"),
            ("직접전달", "direct"),
        ],
    )
    def test_knows_codes_and_names(self, written, code):
        assert carriers.find(written).code == code

    def test_refuses_what_nobody_knows(self):
        with pytest.raises(carriers.UnknownCarrier) as refused:
            carriers.find("비둘기")
        assert refused.value.params == {"value": "비둘기", "field": "carrier"}

    def test_no_name_means_two_carriers(self):
        names = [name for carrier in carriers.CARRIERS for name in carrier.names]
        assert len(names) == len(set(names))


class TestTrackingNumber:
    def test_drops_spaces_and_dashes(self):
        cj = carriers.find("cj")
        assert carriers.tracking_number(cj, " 6891-2345 6784 ") == "689123456784"
        assert carriers.tracking_number(cj, "６８９１２３４５６７８４") == "689123456784"

    @pytest.mark.parametrize("value", ["12345", "68912345678", "6891234567A4", "=HYPERLINK(1)"])
    def test_refuses_another_form_and_says_which_it_should_have(self, value):
        with pytest.raises(carriers.TrackingNumberNotUsable) as refused:
            carriers.tracking_number(carriers.find("cj"), value)
        assert "10, 12 digits" in str(refused.value)

    @pytest.mark.parametrize("value", ["", "  ", "-"])
    def test_refuses_none_but_for_direct_delivery(self, value):
        with pytest.raises(carriers.TrackingNumberMissing):
            carriers.tracking_number(carriers.find("hanjin"), value)
        assert carriers.tracking_number(carriers.find("direct"), value) == ""

    @pytest.mark.parametrize("value", ["000000000000", "1111111111", "1234567890", "012345678901"])
    def test_refuses_what_looks_made_up(self, value):
        with pytest.raises(carriers.TrackingNumberMadeUp):
            carriers.tracking_number(carriers.find("cj"), value)

    def test_takes_letters_from_other_carriers_only(self):
        other = carriers.find("other")
        assert carriers.tracking_number(other, "EE 123 456 785 KR") == "EE123456785KR"
        with pytest.raises(carriers.TrackingNumberOdd):
            carriers.tracking_number(other, "<script>alert(1)</script>")
