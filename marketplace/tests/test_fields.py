"""Documents that read one request after the other keep nothing of the one before."""

import threading
from types import SimpleNamespace

import pytest
from django.utils import translation
from rest_framework.exceptions import ValidationError

from marketplace.api import fields


class Goods(fields.Document):
    title = fields.Text(max_length=3)
    price = fields.Money(required=False)


class Basket(fields.Document):
    goods = Goods(many=True, max_length=2)


def trading_in(currency):
    marketplace = SimpleNamespace(currency=currency)
    return {"request": SimpleNamespace(auth=SimpleNamespace(marketplace=marketplace))}


def read(data, currency="KRW"):
    with Basket.reading(trading_in(currency)) as basket:
        return basket.run_validation(data)


def complaint(data, **words):
    with pytest.raises(ValidationError) as raised:
        read(data, **words)
    return raised.value.detail


def basket(title="tea", **price):
    return {"goods": [{"title": title} | ({"price": price} if price else {})]}


class TestReading:
    def test_reads_one_after_the_other(self):
        assert read(basket("a")) == basket("a")
        complaint(basket("long"))
        complaint({})
        assert read(basket("b")) == basket("b")

    def test_reads_each_in_its_own_context(self):
        for currency in ("KRW", "BRL"):
            given = basket(amount=1, currency=currency)
            assert read(given, currency=currency)["goods"][0]["price"] == 1
            other = {"KRW": "BRL", "BRL": "KRW"}[currency]
            [wrong] = complaint(given, currency=other)["goods"][0]["price"]
            assert other in wrong

    def test_complains_in_the_language_in_use(self):
        told = []
        for language in ("en", "ko", "en", "ko"):
            with translation.override(language):
                [text] = complaint(basket("long"))["goods"][0]["title"]
                told.append(str(text))
        assert told[0] == told[2] == "Ensure this field has no more than 3 characters."
        assert told[1] == told[3] != told[0]

    def test_keeps_no_request(self):
        read(basket())
        assert all(document.context == {} for document in fields._kept.values())

    def test_is_nobody_elses_while_it_is_in_use(self):
        with Basket.reading(trading_in("KRW")) as own:
            others = []

            def work():
                with Basket.reading(trading_in("BRL")) as other:
                    others.append(other)

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert others[0] is not own
            assert own.context["request"].auth.marketplace.currency == "KRW"
