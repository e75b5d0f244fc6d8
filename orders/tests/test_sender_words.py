from django.utils import translation

from orders import sender_words


class TestReason:
    def test_tells_a_known_code_in_words(self):
        assert sender_words.reason("defective") == "The goods are faulty"
        with translation.override("ko"):
            assert sender_words.reason("Change_of_mind ") == "단순 변심"

    def test_leaves_what_a_buyer_wrote(self):
        assert sender_words.reason("주둥이가 깨져 있어요") == "주둥이가 깨져 있어요"
        assert sender_words.reason("") == ""


class TestSource:
    def test_tells_made_up_orders_from_those_of_a_sender(self):
        assert sender_words.source("simulation") == "Demonstration data"
        assert sender_words.source("shop") == "shop"
