import copy

from marketplace.refusals import Refused, gettext_noop


class TooTall(Refused):
    code = "too_tall"
    message = gettext_noop("%(height)s is too tall.")


class TestRefused:
    def test_says_its_message_with_its_parameters(self):
        assert str(TooTall(height=3)) == "3 is too tall."

    def test_is_translated_before_the_parameters_go_in(self):
        korean = {"%(height)s is too tall.": "%(height)s은(는) 너무 큽니다."}
        assert TooTall(height=3).text(korean.__getitem__) == "3은(는) 너무 큽니다."

    def test_survives_the_way_through_a_broker(self):
        sent = copy.copy(TooTall(height=3))  # copies as pickle does
        assert (type(sent), sent.params) == (TooTall, {"height": 3})
