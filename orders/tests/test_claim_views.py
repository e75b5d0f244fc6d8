"""The seller centre's pages about claims: what waits, and the seller's answer to it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from marketplace import tenancy
from marketplace.models import AuditEntry
from marketplace.tests.make import another_connection
from orders import claims, returning
from orders.models import Claim, Evidence
from orders.return_shipping import Terms
from orders.tests import make, shops

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(client):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return shops.cast()


@pytest.fixture
def owner(client, cast):
    client.force_login(cast.owner)
    return client


def answer(client, cast, claim, answer, **given):
    return client.post(cast.url(f"claims/{claim.public_id}/"), {"answer": answer, **given})


def state(cast, claim) -> str:
    with tenancy.use(cast.market.pk):
        return Claim.objects.get(pk=claim.pk).state


class TestOthers:
    @pytest.mark.parametrize("who", ["stranger", "neighbour"])
    def test_find_and_decide_nothing(self, client, cast, who):
        claim = cast.claim()
        client.force_login(getattr(cast, who))
        assert client.get(cast.url(f"claims/{claim.public_id}/")).status_code == 404
        for verb in ("agree", "refuse", "complete"):
            assert answer(client, cast, claim, verb, reason="x").status_code == 404
        listed = client.get(cast.url("claims/?tab=all"))
        assert listed.status_code == (404 if who == "stranger" else 200)
        assert claim.public_id not in listed.content.decode()
        if who == "stranger":
            other = client.post(f"/s/other/claims/{claim.public_id}/", {"answer": "agree"})
            assert other.status_code == 404
        assert state(cast, claim) == "requested"

    def test_staff_answer_as_owners_do(self, client, cast):
        claim = cast.claim()
        client.force_login(cast.staff)
        answer(client, cast, claim, "agree")
        assert state(cast, claim) == "completed"
        with tenancy.use(cast.market.pk):
            assert AuditEntry.objects.get(action="claim.approved").actor == cast.staff

    def test_a_suspended_seller_still_answers(self, owner, cast):
        claim = cast.claim()
        shops.suspend(cast.market)
        answer(owner, cast, claim, "agree")
        assert state(cast, claim) == "completed"


class TestClaimsList:
    def test_shows_what_waits_with_the_day_it_is_due(self, owner, cast):
        claim = cast.claim(reason="<img src=x onerror=alert(1)>")
        page = owner.get(cast.url("claims/")).content.decode()
        assert claim.public_id in page
        assert "Late: was to answer by 03-06" in page
        answer(owner, cast, claim, "agree")
        assert claim.public_id not in owner.get(cast.url("claims/")).content.decode()
        assert claim.public_id in owner.get(cast.url("claims/?tab=all")).content.decode()

    def test_says_what_comes_next_when_there_is_none(self, owner, cast):
        assert "Nothing to answer" in owner.get(cast.url("claims/")).content.decode()
        assert "No claim yet" in owner.get(cast.url("claims/?tab=all")).content.decode()

    @pytest.mark.parametrize("address", ["claims/", "claims/?tab=all"])
    def test_costs_the_same_however_many_there_are(self, owner, cast, address):
        counted = []
        for line in (1, 2):
            cast.claim(line)
            owner.get(cast.url(address))
            with CaptureQueriesContext(connection) as queries:
                owner.get(cast.url(address))
            counted.append(len(queries))
        assert counted[0] == counted[1]
        assert counted[0] <= 22


class TestClaim:
    def test_hostile_reasons_are_text(self, owner, cast):
        claim = cast.claim(reason="<img src=x onerror=alert(1)>")
        page = owner.get(cast.url(f"claims/{claim.public_id}/")).content.decode()
        assert "<img" not in page
        assert "&lt;img src=x" in page

    def test_agreeing_to_cancel_what_never_left_completes_it(self, owner, cast):
        claim = cast.claim(1, 2)
        answer(owner, cast, claim, "agree")
        assert (state(cast, claim), cast.status()) == ("completed", "cancelled")

    def test_a_return_is_completed_when_the_goods_are_back(self, owner, cast):
        cast.told("shipped", day=1)
        cast.told("delivered", day=2)
        claim = cast.claim(1, 2, kind="return", day=3)
        answer(owner, cast, claim, "agree")
        assert (state(cast, claim), cast.status()) == ("approved", "delivered")
        answer(owner, cast, claim, "complete")
        assert (state(cast, claim), cast.status()) == ("completed", "returned")

    def test_turning_it_down_wants_a_reason_and_loses_nothing(self, owner, cast):
        claim = cast.claim()
        missing = answer(owner, cast, claim, "refuse", reason=" ")
        assert missing.status_code == 422
        assert "The reason is missing." in missing.content.decode()
        long = answer(owner, cast, claim, "refuse", reason="x" * 501)
        assert long.status_code == 422
        assert "x" * 501 in long.content.decode()
        answer(owner, cast, claim, "refuse", reason="Already packed")
        with tenancy.use(cast.market.pk):
            row = Claim.objects.get()
            assert (row.state, row.answer) == ("rejected", "Already packed")

    def test_is_not_answered_twice(self, owner, cast):
        claim = cast.claim()
        answer(owner, cast, claim, "refuse", reason="Packed")
        for verb in ("agree", "refuse", "complete"):
            again = owner.post(
                cast.url(f"claims/{claim.public_id}/"),
                {"answer": verb, "reason": "x"},
                follow=True,
            )
            assert "This claim was answered already" in again.content.decode()
        assert state(cast, claim) == "rejected"

    def test_completes_nothing_that_was_not_agreed_to(self, owner, cast):
        claim = cast.claim()
        answer(owner, cast, claim, "complete")
        assert (state(cast, claim), cast.status()) == ("requested", "paid")

    def test_knows_no_other_answer_and_no_other_field(self, owner, cast):
        claim = cast.claim()
        assert answer(owner, cast, claim, "withdraw").status_code == 404
        answer(owner, cast, claim, "agree", fault="seller", quantity=9, state="completed")
        with tenancy.use(cast.market.pk):
            row = Claim.objects.get()
            assert (row.fault, row.quantity) == ("buyer", 1)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_one_of_two_answers_at_once_is_refused(self):
        cast = shops.cast()
        claim = cast.claim()
        said = []

        def elsewhere():
            client = Client(HTTP_ACCEPT_LANGUAGE="en")
            client.force_login(cast.staff)
            address = cast.url(f"claims/{claim.public_id}/")
            found = client.post(address, {"answer": "refuse", "reason": "x"}, follow=True)
            said.append("was answered already" in found.content.decode())

        with tenancy.use(cast.market.pk):
            claims.agree(Claim.objects.get(), by=None, at=make.day(2))
            thread = another_connection(elsewhere)
            thread.start()
            thread.join(0.7)
            assert thread.is_alive()
        thread.join(10)
        assert said == [True]
        assert state(cast, claim) == "completed"


class TestReturnShipping:
    @pytest.mark.parametrize(
        ("fault", "terms", "told"),
        [
            (
                "buyer",
                Terms(3_000, 0, "deducted", True),
                [
                    "Return shipping is borne by the buyer",
                    "₩3,000 of return shipping is added for you as a line of its own",
                    "₩3,000 that the marketplace pays the carrier is taken off",
                ],
            ),
            ("buyer", Terms(3_000, 2_500, "enclosed"), ["₩2,500", "it is yours"]),
            ("seller", Terms(3_000, 0, "charged"), ["is borne by you", "is given back as well"]),
        ],
    )
    def test_is_told_with_what_it_means_for_the_money(self, owner, cast, fault, terms, told):
        claim = cast.claim()
        with tenancy.use(cast.market.pk):
            Claim.objects.filter(pk=claim.pk).update(fault=fault, **returning.columns(terms))
        page = owner.get(cast.url(f"claims/{claim.public_id}/")).content.decode()
        text = " ".join(strip_tags(page.replace("<", " <")).split())
        assert [words for words in told if words not in text] == []


class TestExchange:
    NUMBER = "689123456784"

    @pytest.fixture
    def claim(self, cast):
        cast.told("shipped", day=1)
        cast.told("delivered", day=2)
        return cast.claim(1, 2, kind="exchange", day=3)

    def page(self, owner, cast, claim) -> str:
        return owner.get(cast.url(f"claims/{claim.public_id}/")).content.decode()

    def test_is_walked_to_its_end(self, owner, cast, claim):
        assert "Agree to the exchange" in self.page(owner, cast, claim)
        answer(owner, cast, claim, "agree")
        answer(owner, cast, claim, "collect")
        assert state(cast, claim) == "collected"
        assert "Send the replacement" in owner.get(cast.url("claims/")).content.decode()
        wrong = answer(owner, cast, claim, "resend", carrier="cj", tracking_number="12")
        assert wrong.status_code == 422
        assert 'value="12"' in wrong.content.decode()
        answer(owner, cast, claim, "resend", carrier="cj", tracking_number=self.NUMBER)
        page = self.page(owner, cast, claim)
        assert self.NUMBER in page
        assert "Turn it down" not in page
        answer(owner, cast, claim, "complete")
        assert (state(cast, claim), cast.status()) == ("completed", "delivered")
        assert "The sale stays as it was." in self.page(owner, cast, claim)

    @pytest.mark.parametrize("is_confirmed", [False, True])
    @pytest.mark.parametrize(
        ("state", "told"),
        [
            ("requested", "Until it is completed"),
            ("redelivering", "Until it is completed"),
            ("completed", "It took nothing back"),
            ("rejected", "Nothing changes"),
            ("withdrawn", "Nothing changes"),
        ],
    )
    def test_says_what_it_means_for_the_money(self, owner, cast, claim, state, told, is_confirmed):
        if is_confirmed:
            cast.told("paid", day=1)
            cast.told("confirmed", day=4)
        with tenancy.use(cast.market.pk):
            sent = {"resent_at": make.day(5), "resent_carrier": "cj"}
            Claim.objects.filter(pk=claim.pk).update(
                state=state,
                decided_at=make.day(5),
                completed_on=make.on(5) if state == "completed" else None,
                **(sent if state in ("redelivering", "completed") else {}),
            )
        page = self.page(owner, cast, claim)
        card = page[page.index('id="effect"') :]
        words = "Until it is completed", "It took nothing back", "Nothing changes", "is confirmed"
        assert [each for each in words if each in card] == [told]

    def test_becomes_a_return_with_a_reason(self, owner, cast, claim):
        assert answer(owner, cast, claim, "convert").status_code == 422
        assert answer(owner, cast, claim, "convert", why="None left").status_code == 302
        page = self.page(owner, cast, claim)
        assert "Agree to the return" in page
        assert "Was an exchange until" in page

    def test_pressed_twice_is_said_to_be_answered(self, owner, cast, claim):
        answer(owner, cast, claim, "agree")
        answer(owner, cast, claim, "collect")
        assert answer(owner, cast, claim, "collect").status_code == 302
        assert "answered already" in self.page(owner, cast, claim)

    @pytest.mark.parametrize("who", ["stranger", "neighbour"])
    def test_is_not_for_others(self, client, cast, claim, who):
        client.force_login(getattr(cast, who))
        for verb in ("agree", "collect", "resend", "convert", "complete"):
            given = {"why": "x", "carrier": "cj", "tracking_number": self.NUMBER}
            assert answer(client, cast, claim, verb, **given).status_code == 404
        assert state(cast, claim) == "requested"


class TestArbitration:
    def test_is_asked_for_and_argued_by_the_seller(self, owner, client, cast):
        claim = cast.claim()
        assert answer(owner, cast, claim, "arbitrate", reason="").status_code == 422
        assert answer(owner, cast, claim, "arbitrate", reason="It was worn").status_code == 302
        assert state(cast, claim) == "arbitration"
        files = SimpleUploadedFile("worn.png", b"\x89PNG\r\n\x1a\nworn")
        bad = SimpleUploadedFile("worn.html", b"<script>")
        assert answer(owner, cast, claim, "state", text="Look", files=[bad]).status_code == 422
        assert answer(owner, cast, claim, "state", text="Look", files=[files]).status_code == 302
        page = owner.get(cast.url(f"claims/{claim.public_id}/")).content.decode()
        assert "It was worn" in page
        assert 'value="agree"' not in page
        with tenancy.use(cast.market.pk):
            file = Evidence.objects.get().public_id
        address = cast.url(f"claims/{claim.public_id}/evidence/{file}/")
        assert address in page
        sent = owner.get(address)
        assert sent.content == b"\x89PNG\r\n\x1a\nworn"
        assert sent["Content-Disposition"] == 'attachment; filename="worn.png"'
        for verb in ("agree", "refuse", "complete", "arbitrate"):
            answer(owner, cast, claim, verb, reason="x")
            assert state(cast, claim) == "arbitration"
        for other in (cast.stranger, cast.neighbour):
            client.force_login(other)
            assert client.get(address).status_code == 404
