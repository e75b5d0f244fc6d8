"""Sellers are told about their money by letter: what, whom, in which language, and only once."""

import threading
from datetime import date, timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends import locmem
from django.db import connection
from django.test.utils import CaptureQueriesContext

from listings import reviewing
from listings.models import Category, Listing
from marketplace import changes, states, tasks, tenancy, versions
from marketplace.models import Change, JobRun, Marketplace, OutboxMessage, User
from marketplace.tests import make as floor
from sellers.models import Seller, SellerMember, SellerProfile
from settlements import (
    fee_letters,
    fee_publishing,
    holding,
    letter_choices,
    letter_composing,
    letter_gathering,
    letter_kinds,
    letter_sending,
    nights,
    payout_sending,
    payouts,
    schedule_comparison,
)
from settlements.letter_choices import Choice
from settlements.models import (
    FeeRule,
    FeeScheduleVersion,
    LetterChoice,
    LetterDesk,
    PayoutBatch,
    SellerLetter,
    SellerNotice,
    Statement,
    StatementSeal,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

AT = make.AT
FIRST = date(2026, 9, 8)
DAY = date(2026, 11, 1)
SITE = "https://sellers.example.com/s/jangteo"
FOOTER = (
    f"\n--\nYou choose here which of these letters are sent, and who gets them:\n{SITE}/letters/\n"
)


@pytest.fixture(autouse=True)
def _site(settings):
    settings.SITE_ADDRESS = "https://sellers.example.com"


@pytest.fixture
def market():
    return opened()


def opened(slug="jangteo", **given):
    """A marketplace that writes in English."""
    market = make.market(slug, **{"state": Marketplace.State.LIVE, **given})
    with tenancy.use(market.pk):
        Marketplace.objects.filter(pk=market.pk).update(locale="en", name="Jangteo")
    return Marketplace.objects.get(pk=market.pk)


def shop(market, code="A", email="owner@a.example"):
    """A seller with an owner who reads letters."""
    with tenancy.use(market.pk):
        seller = make.seller(code)
        user = floor.user(email, is_staff=False)
        SellerMember.objects.create(
            marketplace=market, seller=seller, user=user, role=SellerMember.Role.OWNER
        )
    return seller


def serve(market, at=AT):
    floor.wait_until_told()
    return letter_sending.serve(market.pk, now=lambda: at, until=at + timedelta(hours=1))


def body(letter, imprint=""):
    """What a letter says, without the lines that name the page, and who runs the marketplace."""
    footer = FOOTER + imprint
    assert letter.body.endswith(footer)
    return letter.body.removesuffix(footer)


def states_of(market):
    with tenancy.use(market.pk):
        return list(SellerLetter.objects.order_by("pk").values_list("state", flat=True))


def choose(market, seller, **said):
    said = {"off": frozenset(), "readers": frozenset(), "to_contact": True, "language": "", **said}
    with tenancy.use(market.pk):
        letter_choices.change(seller, Choice(**said), by=None, at=AT)


def close_one(market, seller, amount=50_000, **said):
    """A statement that is closed and told of, as a night does it; only its lines are missing."""
    with tenancy.use(market.pk):
        row = make.payable(seller, amount)
        if said:
            Statement.objects.filter(pk=row.pk).update(**said)
        changes.announce("statement.payable", row.public_id, at=AT, seller_id=seller.pk, head="x")
    return row


class TestStatement:
    @pytest.fixture
    def closed(self):
        market = opened(first_open_on=FIRST)
        seller = shop(market)
        with tenancy.use(market.pk):
            make.sold(seller, unit_price=100_000, category="gold")
        nights.close_day(market.pk, date(2026, 9, 15), at=AT)
        return market

    def test_is_told_with_its_figures_and_its_seal(self, closed):
        assert serve(closed) == 1
        [letter] = mail.outbox
        with tenancy.use(closed.pk):
            [statement] = Statement.objects.filter(state="payable")
            seal = StatementSeal.objects.select_related("key").get(statement=statement)
        amount = f"₩{statement.payout:,}"
        day = statement.due_on
        assert letter.to == ["owner@a.example"]
        assert letter.subject == f"[Jangteo] 상점 A: {amount} will be paid: statement due on {day}"
        assert body(letter) == (
            "To “상점 A” at Jangteo\n"
            f"\n■ {amount} will be paid: statement due on {day}\n"
            f"{amount} will be paid to you, due on {day}.\n"
            f"\nLines: {amount}\n"
            "\nProof of this statement. Keep this letter: a bundle made anew later does not fit "
            "it.\n"
            "Number in the chain: 1\n"
            f"Head: {seal.head}\n"
            f"Signature (Ed25519): {seal.signature}\n"
            f"Signing key: {seal.key.code}\n"
            f"{SITE}/statements/{statement.public_id}/\n"
        )

    def test_is_told_in_the_sellers_language(self, closed):
        with tenancy.use(closed.pk):
            seller = Seller.objects.get()
        choose(closed, seller, language="ko")
        serve(closed)
        [letter] = mail.outbox
        with tenancy.use(closed.pk):
            [statement] = Statement.objects.filter(state="payable")
        amount, day = f"{statement.payout:,}원", statement.due_on
        assert letter.subject == f"[Jangteo] 상점 A: {day} 지급 예정 정산내역: {amount} 지급 예정"
        assert f"{amount}이 {day} 기준으로 지급될 예정입니다.\n" in letter.body
        assert "확인값: " in letter.body
        assert "서명(Ed25519): " in letter.body

    def test_is_told_once(self, closed):
        serve(closed)
        with tenancy.use(closed.pk):
            LetterDesk.objects.update(after_transaction=0, after_change=0)  # as if all came anew
        assert serve(closed) == 0
        assert len(mail.outbox) == 1
        assert states_of(closed) == ["sent"]

    def test_waits_for_the_end_of_the_night(self, closed):
        with tenancy.use(closed.pk):
            JobRun.objects.filter(kind="night", key="2026-09-15").update(
                state="running", finished_at=None
            )
        assert serve(closed) == 0
        with tenancy.use(closed.pk):
            JobRun.objects.filter(kind="night").update(state="done", finished_at=AT)
        assert serve(closed) == 1

    def test_of_nothing_is_not_told(self, market):
        close_one(market, shop(market), net=0, payout=0, payable=0, list_amount=0)
        assert serve(market) == 0
        with tenancy.use(market.pk):
            assert SellerNotice.objects.get().skipped == letter_kinds.NOTHING_IN_IT

    def test_of_nothing_is_told_where_the_marketplace_wants_it(self, market):
        with tenancy.use(market.pk):
            letter_gathering.desk()
            LetterDesk.objects.update(tells_empty_statements=True)
        close_one(market, shop(market), net=0, payout=0, payable=0, list_amount=0)
        assert serve(market) == 1
        assert "Statement due on 2026-09-01: nothing is paid" in mail.outbox[0].subject

    def test_that_is_held_says_so(self, market):
        seller = shop(market)
        row = close_one(market, seller)
        with tenancy.use(market.pk):
            terms = holding.Terms(reason="bank", note="account is to be checked", condition="check")
            holding.hold_payment(seller, terms, by=None, at=AT, statement=row)
        serve(market)
        [letter] = mail.outbox
        assert "A hold keeps it from being paid for now (Bank account). Until: check\n" in (
            letter.body
        )

    def test_below_zero_is_told_as_a_debt(self, market):
        seller = shop(market)
        choose(market, seller, off=frozenset(letter_kinds.OPTIONAL))
        close_one(
            market, seller, net=-7_000, payable=-7_000, payout=0, carry_out=-7_000, list_amount=0
        )
        serve(market)
        [letter] = mail.outbox
        assert letter.subject == "[Jangteo] 상점 A: ₩7,000 is taken off your next statements"
        assert (
            "The statement due on 2026-09-01 ended below zero. ₩7,000 is carried on and taken off "
            f"your next statements.\n{SITE}/debts/\n"
        ) in letter.body

    def test_invoiced_below_zero_is_to_be_paid(self, market):
        close_one(
            market,
            shop(market),
            net=-7_000,
            payable=-7_000,
            payout=0,
            debt_invoiced=7_000,
            list_amount=0,
        )
        serve(market)
        [letter] = mail.outbox
        assert letter.subject == "[Jangteo] 상점 A: You owe ₩7,000, and 1 more"


class TestOthers:
    def test_are_told_in_one_letter(self, market):
        seller = shop(market)
        stranger = opened("other")
        shop(stranger, email="stranger@other.example")
        shop(market, "B", email="neighbour@b.example")
        row = close_one(market, seller, 50_000)
        with tenancy.use(market.pk):
            terms = holding.Terms(
                reason="document", note="Send the contract.", release_on=date(2026, 9, 30)
            )
            hold = holding.hold_amount(seller, 5_000, terms, by=None, at=AT)
            make.tax_parties(seller)
            invoice = make.tax_invoice(seller, supply=12_000)
            changes.announce("tax_invoice.issued", invoice.public_id, at=AT, seller_id=seller.pk)
        assert serve(market) == 1
        serve(stranger)
        [letter] = mail.outbox
        assert letter.to == ["owner@a.example"]
        assert letter.subject == "[Jangteo] 상점 A: Settlement held: An amount of the coming " + (
            "statements, and 2 more"
        )
        imprint = (
            "\n\n--\n장터 주식회사 · representative 김대표 · business registration number "
            "220-81-62517 · address 서울특별시 강남구 테헤란로 1\n장터 주식회사 is an intermediary "
            "of mail-order sales and no party to them. Each seller is responsible for its goods, "
            "for what is said of them, and for the sale.\n"
        )
        assert body(letter, imprint) == (
            "To “상점 A” at Jangteo\n"
            "\n■ Settlement held: An amount of the coming statements\n"
            "At most ₩5,000 is held back.\n"
            "Reason: Document missing\n"
            "Send the contract.\n"
            "Until: On 2026-09-30\n"
            "What you can do: Hand in the document that is asked for. The hold ends once it has "
            "been checked.\n"
            f"Number of this hold: {hold.public_id}\n"
            f"{SITE}/holds/\n"
            "\n■ ₩50,000 will be paid: statement due on 2026-09-01\n"
            "₩50,000 will be paid to you, due on 2026-09-01.\n"
            "\nLines: ₩50,000\n"
            f"{SITE}/statements/{row.public_id}/\n"
            f"\n■ Tax invoice {invoice.number} was issued\n"
            "For 2026-08: supply ₩12,000, VAT ₩1,200, together ₩13,200.\n"
            f"{SITE}/tax/{invoice.public_id}/\n"
        )

    def test_holds_that_end_are_told(self, market):
        seller = shop(market)
        with tenancy.use(market.pk):
            terms = holding.Terms(reason="manual", note="A question.", condition="answer")
            hold = holding.hold_payment(seller, terms, by=None, at=AT)
            holding.release(hold, reason="answered", by=None, at=AT)
        serve(market)
        [letter] = mail.outbox
        assert "■ A hold has ended: All statements of the seller\n" in letter.body
        assert "What it kept from being paid goes into the next payout.\n" in letter.body

    def test_payouts_name_account_and_statements(self):
        market = opened(state="test")  # whose sandbox bank pays
        seller = shop(market)
        with tenancy.use(market.pk):
            make.account(seller, at=AT - timedelta(days=30))
            make.payable(seller, 96_700)
            [batch] = payouts.prepare(on=make.FIRST_OPEN_ON, at=AT)
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
            payouts.execute(batch, by=None, at=AT)
            payout = batch.rows.get()
        payout_sending.serve(market.pk, payout.pk, now=lambda: AT)
        with tenancy.use(market.pk):
            Marketplace.objects.update(state=Marketplace.State.LIVE)
        serve(market)
        [letter] = mail.outbox
        assert letter.subject == "[Jangteo] 상점 A: ₩96,700 was paid"
        assert body(letter) == (
            "To “상점 A” at Jangteo\n"
            "\n■ ₩96,700 was paid\n"
            "₩96,700 was paid on 2026-09-01 to your account Shinhan Bank ***-***-1234.\n"
            "Statement due on 2026-09-01: ₩96,700\n"
            f"{SITE}/payouts/{payout.public_id}/\n"
        )

    def test_of_what_is_old_only_that_is_told_which_a_seller_has_to_know(self, market):
        seller = shop(market)
        close_one(market, seller)
        with tenancy.use(market.pk):
            terms = holding.Terms(reason="manual", note="확인 중", condition="확인이 끝나면")
            holding.hold_amount(seller, 1_000, terms, by=None, at=AT)
        assert serve(market, at=AT + timedelta(days=4)) == 1
        with tenancy.use(market.pk):
            kept = SellerNotice.objects.values_list("kind", "skipped")
            assert set(kept) == {("statement", "stale"), ("hold", "")}


class TestReaders:
    def test_are_those_that_the_owner_chose(self, market):
        seller = shop(market)
        with tenancy.use(market.pk):
            helper = floor.user("helper@a.example", is_staff=False)
            SellerMember.objects.create(
                marketplace=market, seller=seller, user=helper, role=SellerMember.Role.STAFF
            )
            SellerProfile.objects.create(seller=seller, contact_email="office@a.example")
        choose(market, seller, readers=frozenset({helper.pk}))
        close_one(market, seller)
        serve(market)
        assert mail.outbox[0].to == ["helper@a.example", "office@a.example"]

    def test_of_a_reader_who_has_left_are_the_owners(self, market):
        seller = shop(market)
        with tenancy.use(market.pk):
            helper = floor.user("helper@a.example", is_staff=False)
            place = SellerMember.objects.create(
                marketplace=market, seller=seller, user=helper, role=SellerMember.Role.STAFF
            )
        choose(market, seller, readers=frozenset({helper.pk}), to_contact=False)
        place.delete()
        close_one(market, seller)
        serve(market)
        assert mail.outbox[0].to == ["owner@a.example"]

    def test_outside_the_shop_are_refused(self, market):
        seller = shop(market)
        other = floor.user("other@b.example", is_staff=False)
        with pytest.raises(letter_choices.NotOfTheShop):
            choose(market, seller, readers=frozenset({other.pk}))

    def test_cannot_do_without_what_is_required(self, market):
        seller = shop(market)
        with pytest.raises(letter_choices.LetterRequired):
            choose(market, seller, off=frozenset({letter_kinds.HOLD}))

    def test_do_not_get_what_is_switched_off(self, market):
        seller = shop(market)
        choose(market, seller, off=frozenset({letter_kinds.STATEMENT}))
        close_one(market, seller)
        assert serve(market) == 0
        with tenancy.use(market.pk):
            assert SellerNotice.objects.get().skipped == letter_kinds.SWITCHED_OFF

    def test_that_do_not_exist_leave_a_letter_in_trouble(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
        close_one(market, seller)
        serve(market)
        assert states_of(market) == ["failed"]


class TestServe:
    def test_tries_a_server_that_is_down_again_and_gives_up_after_a_day(self, market, monkeypatch):
        close_one(market, shop(market))

        def gone(*_):
            raise SMTPServerDisconnected("owner@a.example")

        with monkeypatch.context() as patch:
            patch.setattr(locmem.EmailBackend, "send_messages", gone)
            at = AT
            serve(market, at)
            for wait in letter_sending.WAITS:
                assert states_of(market) == ["waiting"]
                assert serve(market, at + wait - timedelta(seconds=1)) == 0
                at += wait
                serve(market, at)
        assert states_of(market) == ["failed"]
        with tenancy.use(market.pk):
            letter = SellerLetter.objects.get()
            assert (letter.attempts, letter.error) == (6, "gone")
            letter_sending.send_again(letter, by=None, at=at)
        assert serve(market, at) == 1
        assert len(mail.outbox) == 1

    def test_asks_a_server_that_is_gone_once_a_batch(self, market, monkeypatch):
        for code in "AB":
            close_one(market, shop(market, code, f"{code}@example.org"))
        asked = []

        def gone(_, messages):
            asked.append(messages)
            raise TimeoutError

        with monkeypatch.context() as patch:
            patch.setattr(locmem.EmailBackend, "send_messages", gone)
            serve(market)
        assert len(asked) == 1
        assert states_of(market) == ["waiting", "waiting"]

    def test_serves_others_beside_one_that_is_refused_or_cannot_be_written(
        self, market, monkeypatch
    ):
        refused, broken, well = (
            shop(market, code, f"{code.lower()}@example.org") for code in "ABC"
        )
        for seller in (refused, well):
            close_one(market, seller)
        with tenancy.use(market.pk):
            SellerNotice.objects.create(
                seller=broken, kind="tax", event="tax_invoice.issued", about="x", happened_at=AT
            )
        send = locmem.EmailBackend.send_messages

        def picky(backend, messages):
            if messages[0].to == ["a@example.org"]:
                raise SMTPRecipientsRefused({})
            return send(backend, messages)

        with monkeypatch.context() as patch:
            patch.setattr(locmem.EmailBackend, "send_messages", picky)
            assert serve(market) == 1
        assert [letter.to for letter in mail.outbox] == [["c@example.org"]]
        with tenancy.use(market.pk):
            found = SellerLetter.objects.values_list("seller__code", "state", "error")
            assert sorted(found) == [
                ("A", "waiting", "refused"),
                ("B", "failed", "unwritable"),
                ("C", "sent", ""),
            ]

    def test_never_sends_again_what_may_have_been_sent(self, market, monkeypatch):
        for code in "ABC":
            close_one(market, shop(market, code, f"{code.lower()}@example.org"))
        send = locmem.EmailBackend.send_messages

        def killed_with_the_second(backend, messages):
            if mail.outbox:
                raise KeyboardInterrupt
            return send(backend, messages)

        with monkeypatch.context() as patch:
            patch.setattr(locmem.EmailBackend, "send_messages", killed_with_the_second)
            with pytest.raises(KeyboardInterrupt):
                serve(market)
        assert states_of(market) == ["sent", "sending", "sending"]
        assert serve(market, AT + timedelta(minutes=14)) == 0
        assert serve(market, AT + timedelta(minutes=16)) == 1
        assert states_of(market) == ["sent", "unknown", "sent"]
        assert [letter.to for letter in mail.outbox] == [["a@example.org"], ["c@example.org"]]
        with tenancy.use(market.pk):
            unknown = SellerLetter.objects.get(state="unknown")
        assert (unknown.handed_at, unknown.readers, unknown.attempts) == (AT, 1, 1)

    def test_leaves_a_letter_to_whoever_claimed_it_anew(self, market, monkeypatch):
        close_one(market, shop(market))
        late = AT + timedelta(minutes=16)
        compose = letter_composing.compose

        def slowly(*given):  # so slow that another worker has served it
            with monkeypatch.context() as patch:
                patch.setattr(letter_composing, "compose", compose)
                other = threading.Thread(target=serve, args=(market, late))
                other.start()
                other.join()
            return compose(*given)

        with monkeypatch.context() as patch:
            patch.setattr(letter_composing, "compose", slowly)
            assert serve(market) == 0
        assert len(mail.outbox) == 1
        assert states_of(market) == ["sent"]

    def test_waits_where_nobody_knows_where_pages_are(self, market, settings):
        close_one(market, shop(market))
        settings.SITE_ADDRESS = ""
        assert serve(market) == 0
        assert states_of(market) == ["waiting"]
        settings.SITE_ADDRESS = "https://sellers.example.com"
        assert serve(market) == 1

    def test_asks_the_same_of_the_database_however_many_sellers(self, market):
        def queries(first, count):
            with tenancy.use(market.pk):
                sellers = Seller.objects.bulk_create(
                    [
                        Seller(
                            code=f"N{number}",
                            name=f"N{number}",
                            state="active",
                            joined_on=date(2026, 1, 1),
                        )
                        for number in range(first, first + count)
                    ]
                )
                SellerProfile.objects.bulk_create(
                    SellerProfile(seller=row, contact_email=f"{row.code}@example.org")
                    for row in sellers
                )
                letter_gathering.desk()
                rows = Statement.objects.bulk_create(
                    Statement(
                        seller=row,
                        due_on=FIRST,
                        closed_on=FIRST,
                        state="payable",
                        net=100,
                        payable=100,
                        payout=100,
                    )
                    for row in sellers
                )
                told = [(row.public_id, row.seller_id, {"head": "x"}) for row in rows]
                changes.announce_many("statement.payable", told, at=AT)
            floor.wait_until_told()
            with tenancy.use(market.pk), CaptureQueriesContext(connection) as gathered:
                assert letter_gathering.gather(at=AT) == count
            batches = -(-count // letter_sending.BATCH)
            with CaptureQueriesContext(connection) as sent:
                assert serve(market) == count
            return len(gathered), (len(sent)), batches

        queries(90, 1)  # the first letter of a process asks for what is kept from then on
        few, one, _ = queries(0, 1)
        same, three, batches = queries(1, 3)
        assert (same, batches) == (few, 1)
        many, of_many, more = queries(4, letter_sending.BATCH + 3)
        assert (many, more) == (few, 2)
        of_each = (three - one) // 2  # to mark it as handed over, and to record it
        assert of_many - one - (letter_sending.BATCH + 2) * of_each <= one


class TestSwitches:
    def switch_off(self, market, *kinds):
        with tenancy.use(market.pk):
            letter_gathering.desk()
            LetterDesk.objects.update(off=list(kinds))

    def test_of_the_marketplace_leave_out_any_kind(self, market):
        seller = shop(market)
        self.switch_off(market, "statement", "debt")
        close_one(market, seller, net=-100, payable=-100, payout=0, carry_out=-100, list_amount=0)
        assert serve(market) == 0
        assert not mail.outbox
        with tenancy.use(market.pk):
            found = SellerNotice.objects.order_by("kind").values_list("kind", "skipped")
            assert list(found) == [("debt", "off_here"), ("statement", "off_here")]

    def test_are_set_in_the_admin(self, market, client):
        with tenancy.use(market.pk):
            desk = letter_gathering.desk()
        user = floor.user("owner@example.org")
        floor.membership(market, user, "owner")
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        address = f"/admin/settlements/letterdesk/{desk.pk}/change/"
        assert client.post(address, {"off": ["tax", "nonsense"]}).status_code == 422
        assert client.post(address, {"off": ["tax", "fees"]}).status_code == 302
        with tenancy.use(market.pk):
            assert sorted(LetterDesk.objects.get().off) == ["fees", "tax"]

    def test_leave_the_other_kinds_alone(self, market):
        seller = shop(market)
        self.switch_off(market, "payout")
        close_one(market, seller)
        assert serve(market) == 1


class TestTestMarketplaces:
    def test_write_to_their_pages_and_mail_nobody(self):
        market = opened(state="test")
        close_one(market, shop(market))
        assert serve(market) == 0
        assert not mail.outbox
        assert states_of(market) == ["kept"]

    def test_mail_their_own_operators(self):
        market = opened(state="test")
        close_one(market, shop(market))
        with tenancy.use(market.pk):
            SellerProfile.objects.update_or_create(
                seller=Seller.objects.get(), defaults={"contact_email": "Operator@example.org"}
            )
        floor.membership(market, floor.user("operator@example.org"), "viewer")
        stranger = opened("other")
        floor.membership(stranger, User.objects.get(email="owner@a.example"), "owner")
        assert serve(market) == 1
        assert [letter.to for letter in mail.outbox] == [["Operator@example.org"]]


class TestTakeAsSent:
    def letter(self, market, state, **said):
        with tenancy.use(market.pk):
            return SellerLetter.objects.create(seller=make.seller(), state=state, due_at=AT, **said)

    def test_leaves_what_was_handed_over_as_sent_then(self, market):
        letter = self.letter(market, "unknown", handed_at=AT)
        with tenancy.use(market.pk):
            letter_sending.take_as_sent(letter, by=None, at=AT + timedelta(days=1))
        assert (letter.state, letter.sent_at) == ("sent", AT)
        assert serve(market) == 0

    def test_is_refused_of_one_that_failed(self, market):
        letter = self.letter(market, "failed")
        with tenancy.use(market.pk), pytest.raises(states.IllegalMove):
            letter_sending.take_as_sent(letter, by=None, at=AT)

    @pytest.mark.parametrize(
        ("action", "after"), [("send_again", "waiting"), ("take_as_sent", "sent")]
    )
    def test_and_sending_again_are_decided_of_many_at_once(self, market, client, action, after):
        with tenancy.use(market.pk):
            seller = make.seller()
            rows = [
                SellerLetter(seller=seller, state="unknown", due_at=AT, handed_at=AT)
                for _ in range(3)
            ]
            letters = SellerLetter.objects.bulk_create(rows)
        address = "/admin/settlements/sellerletter/?state__exact=unknown"
        given = {"action": action, "_selected_action": [row.pk for row in letters[:2]]}
        for role, found in (("viewer", "unknown"), ("finance", after)):
            user = floor.user(f"{role}@example.org")
            floor.membership(market, user, role)
            client.force_login(user)
            client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
            client.post(address, given)
            assert states_of(market) == [found, found, "unknown"]


class TestFees:
    @pytest.fixture
    def sellers(self, market):
        """One who sells cosmetics, one who sells gold, one of whom nothing is known."""
        found = {}
        for code in ("beauty", "gold", "unknown"):
            found[code] = shop(market, code, f"{code}@example.org")
        with tenancy.use(market.pk):
            for code in ("beauty", "gold"):
                revision = reviewing.create(
                    found[code],
                    "A-1",
                    title="물건",
                    by=None,
                    at=AT,
                    unit_price=1_000,
                    category=Category.objects.get(code=code),
                )
                Listing.objects.filter(pk=revision.listing_id).update(live_revision=revision)
        return found

    def published(self, market, **rates):
        with tenancy.use(market.pk):
            live = FeeScheduleVersion.objects.published().get()
            draft = versions.revise(live, valid_from=DAY, by=None, at=AT)
            for code, rate_ppm in rates.items():
                rules = FeeRule.objects.filter(
                    version=draft, component="sales", category__code=code
                )
                assert rules.update(rate_ppm=rate_ppm)
            return fee_publishing.publish(draft, by=None, at=AT, waive_notice=True)

    def deliver(self, market, at=AT):
        """Deliver the message about new fees, as often as it is called."""
        with tenancy.use(market.pk):
            message = OutboxMessage.objects.get(topic="fees.published")
        tasks.deliver(
            marketplace_id=market.pk,
            message_id=str(message.pk),
            topic=message.topic,
            payload=message.payload,
        )

    def test_are_announced(self, market):
        self.published(market, gold=50_000)
        with tenancy.use(market.pk):
            change = Change.objects.get(type="fees.published")
        assert change.seller_id is None
        assert changes.told(change)["data"] == {
            "id": "standard/2",
            "schedule": "standard",
            "version": 2,
            "valid_from": "2026-11-01",
            "changed": 1,
            "added": 0,
            "removed": 0,
        }

    def test_of_the_opening_are_no_news(self, market):
        with tenancy.use(market.pk):
            assert not Change.objects.filter(type="fees.published").exists()

    def test_are_told_to_those_whom_they_concern(self, market, sellers):
        version = self.published(market, gold=50_000)
        self.deliver(market)
        assert serve(market) == 2
        found = {letter.to[0]: letter for letter in mail.outbox}
        assert set(found) == {"gold@example.org", "unknown@example.org"}
        letter = found["gold@example.org"]
        assert letter.subject == "[Jangteo] 상점 gold: Your fees change on 2026-11-01"
        lines = body(letter).splitlines()
        assert lines[3] == (
            f"Version 2 of “{version.schedule.name}” holds for what buyers pay from 2026-11-01 on. "
            "This changes in your categories:"
        )
        assert lines[4] == (
            "- 판매 수수료, category: 순금·골드바, revenue stream: goods: "
            "from 3 % (3.3 % with VAT) to 5 % (5.5 % with VAT)"
        )
        assert lines[5] == "Where your contract agrees on something else, that stays as it is."
        assert lines[6] == f"{SITE}/fees/"
        with tenancy.use(market.pk):
            told = fee_letters.told(version)
            assert (told.sellers, told.sent, told.waiting, told.unconcerned) == (3, 2, 0, 1)
            assert (told.first_at, told.last_at) == (AT, AT)
            job = JobRun.objects.get(kind="fee_letters")
            assert (job.state, job.total, job.counts) == ("done", 2, {"sent": 2, "failed": 0})

    def test_are_compared_once_however_many_batches(self, market, sellers, monkeypatch):
        self.published(market, gold=50_000)
        self.deliver(market)
        compare, compared = schedule_comparison.charged_otherwise, []

        def counted(*versions):
            compared.append(versions)
            return compare(*versions)

        monkeypatch.setattr(schedule_comparison, "charged_otherwise", counted)
        monkeypatch.setattr(letter_sending, "BATCH", 1)
        assert serve(market) == 2
        assert len(compared) == 1

    def test_are_told_to_everybody_where_their_vat_changes(self, market, sellers):
        with tenancy.use(market.pk):
            live = FeeScheduleVersion.objects.published().get()
            draft = versions.revise(live, valid_from=DAY, by=None, at=AT)
            draft.vat_rate_ppm = 120_000
            draft.save()
            fee_publishing.publish(draft, by=None, at=AT, waive_notice=True)
        self.deliver(market)
        assert serve(market) == 3
        for letter in mail.outbox:
            assert "\n- VAT on fees: from 10 % to 12 %\nWhere your contract" in letter.body

    def test_are_told_once(self, market, sellers):
        version = self.published(market, gold=50_000)
        for _ in range(2):
            self.deliver(market)
            serve(market)
        with tenancy.use(market.pk):
            payload = OutboxMessage.objects.get(topic="fees.published").payload
            fee_letters.begin(market, at=AT, **payload)
        serve(market)
        assert len(mail.outbox) == 2
        with tenancy.use(market.pk):
            assert fee_letters.told(version).sent == 2

    def test_are_counted_on_the_page_of_the_version(self, market, sellers, client):
        version = self.published(market, gold=50_000)
        with tenancy.use(market.pk):
            SellerMember.objects.filter(seller=sellers["unknown"]).delete()
        self.deliver(market)
        serve(market)
        user = floor.user("finance@example.org")
        floor.membership(market, user, "finance")
        client.force_login(user)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        page = client.get(f"/admin/settlements/feescheduleversion/{version.pk}/change/").text
        for line in ("Told: 1 of 2", "Not concerned: 1", "Sent: 2026-09-01 12:00"):
            assert f"<div>{line}</div>" in page
        letters = "/admin/settlements/sellerletter/?state__in=failed,unknown"
        assert f'<a href="{letters}">Letters in trouble: 1</a>' in page
        troubled = client.get(letters).text
        assert "nobody of the shop has an address" in troubled

    def test_ask_the_same_of_the_database_however_many_sellers(self, market, sellers):
        def queries(rate_ppm, day):
            with tenancy.use(market.pk):
                live = FeeScheduleVersion.objects.published().latest("valid_from")
                draft = versions.revise(live, valid_from=day, by=None, at=AT)
                FeeRule.objects.filter(version=draft, category__code="gold").update(
                    rate_ppm=rate_ppm
                )
                fee_publishing.publish(draft, by=None, at=AT, waive_notice=True)
                payload = OutboxMessage.objects.latest("created_at").payload
                with CaptureQueriesContext(connection) as asked:
                    fee_letters.begin(market, at=AT, **payload)
            return len(asked)

        few = queries(50_000, DAY)
        with tenancy.use(market.pk):
            Seller.objects.bulk_create(
                Seller(code=f"N{n}", name=f"N{n}", state="active", joined_on=FIRST)
                for n in range(1_900)
            )
        assert queries(60_000, DAY + timedelta(days=1)) == few
        with tenancy.use(market.pk):
            assert SellerNotice.objects.filter(skipped="").count() == 2 + 1_902

    def test_of_another_schedule_are_told_to_its_sellers_alone(self, market, sellers):
        with tenancy.use(market.pk):
            live = FeeScheduleVersion.objects.published().get()
            other = type(live.schedule).objects.create(code="partners", name="Partners")
            make.contract(sellers["unknown"], valid_from=date(2026, 9, 2), schedule=live.schedule)
            assert [row.code for row in fee_letters._charged_by(live)] == [
                "beauty",
                "gold",
                "unknown",
            ]
            live.schedule = other
            live.schedule_id = other.pk
            assert not list(fee_letters._charged_by(live))


class TestPage:
    @pytest.fixture
    def people(self, market, client):
        seller = shop(market)
        with tenancy.use(market.pk):
            helper = floor.user("helper@a.example", is_staff=False)
            SellerMember.objects.create(
                marketplace=market, seller=seller, user=helper, role=SellerMember.Role.STAFF
            )
        return seller, helper

    def test_lets_an_owner_choose(self, market, client, people):
        seller, helper = people
        client.force_login(User.objects.get(email="owner@a.example"))
        page = client.get("/s/jangteo/letters/")
        assert page.status_code == 200
        given = {"wanted": ["payout"], "readers": [helper.pk], "language": "ko"}
        assert client.post("/s/jangteo/letters/", given).status_code == 302
        with tenancy.use(market.pk):
            row = LetterChoice.objects.get(seller=seller)
            assert row.off == ["claim_hold", "statement", "tax"]
            assert (row.readers, row.to_contact, row.language) == ([helper.pk], False, "ko")

    def test_shows_staff_who_gets_them_and_lets_them_change_nothing(self, market, client, people):
        client.force_login(people[1])
        page = client.get("/s/jangteo/letters/")
        assert "owner@a.example" in page.text
        assert "wanted" not in page.text
        assert client.post("/s/jangteo/letters/", {"wanted": []}).status_code == 403
        with tenancy.use(market.pk):
            assert not LetterChoice.objects.exists()

    def long_letter(self, seller, **counts):
        with tenancy.use(seller.marketplace_id):
            letter = SellerLetter.objects.create(
                seller=seller, state="unknown", due_at=AT, handed_at=AT
            )
            SellerNotice.objects.bulk_create(
                SellerNotice(
                    seller=seller,
                    kind=kind,
                    event="x",
                    about=f"{kind}-{letter.pk}-{number:03}",
                    happened_at=AT,
                    letter=letter,
                )
                for kind, count in counts.items()
                for number in range(count)
            )
        return letter

    def test_counts_by_kind_and_has_older_letters_on_further_pages(
        self, market, client, people, django_assert_max_num_queries
    ):
        self.long_letter(people[0], payout=300, tax=1)
        client.force_login(people[1])
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        with CaptureQueriesContext(connection) as one:
            page = client.get("/s/jangteo/letters/").text
        assert "Payouts (300), Tax documents</div>" in page
        assert 'rel="next"' not in page
        newest = [self.long_letter(people[0], hold=2) for _ in range(20)]
        with django_assert_max_num_queries(len(one)):
            page = client.get("/s/jangteo/letters/").text
        assert page.count("Holds (2)") == 20
        assert "Payouts (300)" not in page
        assert f"?before={newest[0].pk}" in page
        assert "Payouts (300)" in client.get(f"/s/jangteo/letters/?before={newest[0].pk}").text

    def test_of_operators_shows_the_first_of_each_kind(self, market, client, people):
        letter = self.long_letter(people[0], payout=300, tax=1)
        user = floor.user("finance@example.org")
        floor.membership(market, user, "finance")
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        page = client.get(f"/admin/settlements/sellerletter/{letter.pk}/change/").text
        assert page.count(f"payout-{letter.pk}-") == 10
        assert f"tax-{letter.pk}-000" in page
        assert f"&lt;letter-{market.pk}-{letter.pk}@sellers.example.com&gt;" in page
        rest = f"/admin/settlements/sellernotice/?letter__id__exact={letter.pk}"
        assert f"{rest}&amp;kind__exact=payout" in page
        assert page.count(rest) == 1
        assert f"payout-{letter.pk}-299" in client.get(f"{rest}&kind__exact=payout").text

    def test_takes_no_reader_of_another_shop(self, market, client, people):
        shop(market, "B", "neighbour@b.example")
        client.force_login(User.objects.get(email="owner@a.example"))
        neighbour = User.objects.get(email="neighbour@b.example")
        answer = client.post("/s/jangteo/letters/", {"readers": [neighbour.pk]})
        assert answer.status_code == 422

    def test_is_not_there_for_a_stranger(self, market, client, people):
        other = opened("other")
        shop(other, email="stranger@other.example")
        client.force_login(User.objects.get(email="stranger@other.example"))
        assert client.get("/s/jangteo/letters/").status_code == 404
