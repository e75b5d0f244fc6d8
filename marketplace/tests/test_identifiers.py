from datetime import date

import pytest

from marketplace import identifiers


class TestBusinessNumber:
    @pytest.mark.parametrize("text", ["1178178260", "220-81-62517", " 120 88 00767", "1234567891"])
    def test_finds_nothing_odd_about_a_right_one(self, text):
        assert identifiers.business_number(text).warning is None

    @pytest.mark.parametrize("text", ["1234567890", "1048123437"])
    def test_warns_of_a_wrong_check_digit(self, text):
        assert identifiers.business_number(text).warning == identifiers.WRONG_CHECK_DIGIT

    def test_is_stored_in_digits_and_shown_in_groups(self):
        number = identifiers.business_number("117-81-78260")
        assert (number.digits, number.shown) == ("1178178260", "117-81-78260")

    @pytest.mark.parametrize("text", ["", "0000000000", "000-00-00000", "117817826", "11781782601"])
    def test_refuses_what_is_none(self, text):
        with pytest.raises(identifiers.NotABusinessNumber):
            identifiers.business_number(text)

    @pytest.mark.parametrize("text", ["117817826O", "１１７８１７８２６０"])
    def test_refuses_what_only_looks_like_digits(self, text):
        with pytest.raises(identifiers.NotABusinessNumber):
            identifiers.business_number(text)


class TestResidentNumber:
    ON = date(2026, 9, 1)

    def read(self, text):
        return identifiers.resident_number(text, on=self.ON)

    @pytest.mark.parametrize(
        ("text", "is_foreigner"),
        [
            ("900101-1234568", False),
            ("9001015234561", True),
            (" 000229 3000001", False),
            ("211231-4000000", False),  # given after October 2020: no check digit
            ("251231-8000000", True),
        ],
    )
    def test_finds_nothing_odd_about_a_right_one(self, text, is_foreigner):
        number = self.read(text)
        assert number.digits == text.replace("-", "").replace(" ", "")
        assert (number.is_foreigner, number.warning) == (is_foreigner, None)

    @pytest.mark.parametrize("text", ["9001011234567", "9001015234568", "2010042000000"])
    def test_warns_of_a_last_digit_that_older_numbers_do_not_have(self, text):
        assert self.read(text).warning == identifiers.WRONG_CHECK_DIGIT

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "900101-123456",
            "900101-12345678",
            "900101-123456O",
            "９００１０１１２３４５６８",
            "901301-1234567",  # no such month
            "900230-1234567",  # no such day
            "010229-3234567",  # no leap year
            "260902-3234567",  # tomorrow
            "900101-0234567",  # of the nineteenth century
            "900101-9234567",
        ],
    )
    def test_refuses_what_is_none_and_does_not_repeat_it(self, text):
        with pytest.raises(identifiers.NotAResidentNumber) as refused:
            self.read(text)
        assert refused.value.params == {}

    def test_takes_somebody_born_today(self):
        assert self.read("260901-3234567").warning is None

    def test_is_told_by_no_print(self):
        assert "900101" not in repr(self.read("900101-1234568"))

    def test_is_written_with_a_hyphen_or_masked(self):
        assert identifiers.written_resident_number("9001011234568") == "900101-1234568"
        assert identifiers.masked_resident_number("9001011234568") == "900101-*******"


class TestCorporationNumber:
    def test_finds_nothing_odd_about_a_right_one(self):
        number = identifiers.corporation_number("110111-0062432")
        assert (number.shown, number.warning) == ("110111-0062432", None)

    def test_warns_of_a_wrong_check_digit(self):
        number = identifiers.corporation_number("1101110062433")
        assert number.warning == identifiers.WRONG_CHECK_DIGIT

    @pytest.mark.parametrize("text", ["", "0000000000000", "110111006243"])
    def test_refuses_what_is_none(self, text):
        with pytest.raises(identifiers.NotACorporationNumber):
            identifiers.corporation_number(text)


class TestPublicId:
    def test_is_a_prefix_and_26_characters(self):
        made = identifiers.public_id("ord")
        assert (made[:4], len(made)) == ("ord_", 30)

    def test_is_a_uuid_of_version_7(self, monkeypatch):
        monkeypatch.setattr(identifiers.time, "time_ns", lambda: 0x017F22E279B0 * 1_000_000)
        bits = 0xCC3 << 62 | 0x18C4DC0C0C07398F
        monkeypatch.setattr(identifiers.os, "urandom", lambda size: bits.to_bytes(size, "big"))
        # The example of RFC 9562, appendix A.6: 017f22e2-79b0-7cc3-98c4-dc0c0c07398f
        number = 0x017F22E279B07CC398C4DC0C0C07398F
        expected = "".join(
            "0123456789abcdefghjkmnpqrstvwxyz"[number >> 5 * place & 31]
            for place in range(25, -1, -1)
        )
        assert identifiers.public_id("x") == f"x_{expected}"

    def test_sorts_by_when_it_was_made(self, monkeypatch):
        clock = iter(range(0, 10**10, 10**6))
        monkeypatch.setattr(identifiers.time, "time_ns", lambda: next(clock))
        made = [identifiers.public_id("ord") for _ in range(1_000)]
        assert made == sorted(made)

    def test_does_not_repeat(self):
        assert len({identifiers.public_id("ord") for _ in range(5_000)}) == 5_000


class TestIsPublicId:
    def test_knows_its_own(self):
        assert identifiers.is_public_id(identifiers.public_id("ord"), "ord")

    @pytest.mark.parametrize(
        "text", ["", "ord_", "17", "stm_" + "0" * 26, "ord_" + "u" * 26, "ord_" + "0" * 27]
    )
    def test_refuses_what_is_none(self, text):
        assert not identifiers.is_public_id(text, "ord")
