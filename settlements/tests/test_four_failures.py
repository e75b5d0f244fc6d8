"""Four failures that other systems were seen to make, from the order to the money.

Each goes through the processes that people and workers use: the shop's order and events, nights, a
batch that two people let go, the sandbox bank, a claim, a file of results.
"""

from datetime import date, datetime, timedelta

import pytest

from marketplace import approvals, tenancy
from marketplace.models import Approval
from marketplace.tests import make as people
from orders import claims
from orders.models import Order, OrderLine
from orders.tests import make as shop
from settlements import (
    nights,
    payout_sending,
    payouts,
    positions,
    sentinels,
    tasks,
    transfer_files,
    verification,
)
from settlements.gateways import sandbox
from settlements.models import (
    Hold,
    Payout,
    PayoutAttempt,
    PayoutBatch,
    PayoutException,
    SandboxTransfer,
    SettlementLine,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
FIRST = make.FIRST_OPEN_ON
DUE = date(2026, 9, 11)  # three business days after the 8th, when the buyer confirms
NET = 96_700  # of 100,000: 3 % fee and the VAT on it


def moment(on: date) -> datetime:
    """Noon in Seoul of a day."""
    return AT + (on - FIRST)


@pytest.fixture
def market():
    return make.market()


@pytest.fixture
def operators(market):
    """Two people of the marketplace."""
    return [people.user(f"{name}@example.org") for name in ("asks", "approves")]


def bought(market, *, ending="1234", number="A-1", price=100_000):
    """A seller with an account, and an order of theirs that the buyer has confirmed on the 8th."""
    with tenancy.use(market.pk):
        seller = make.seller()
        make.account(seller, ending=ending)
        line = shop.line(seller_code=seller.code, unit_price=price, category_code="gold")
        shop.accepted(shop.order(number, [line], placed_at=AT), at=AT)
        for kind, days in (("paid", 0), ("shipped", 1), ("delivered", 2), ("confirmed", 7)):
            at = moment(FIRST + timedelta(days=days))
            shop.told(shop.event(kind, order=number, occurred_at=at), at=at)
        return seller


def let_go(market, operators, *, at):
    """The batch that waits is approved by the second person, executed, and served by workers."""
    asker, decider = operators
    with tenancy.use(market.pk):
        batch = PayoutBatch.objects.to_approve().get()
        asked = payouts.ask_for_approval(batch, by=asker, at=at, reason="정기 지급")
        approvals.approve(Approval.objects.get(pk=asked.pk), by=decider, at=at)
        batch.refresh_from_db()
        payouts.execute(batch, by=decider, at=at)
        ids = list(batch.rows.order_by("pk").values_list("pk", flat=True))
    for payout_id in ids:
        payout_sending.serve(market.pk, payout_id, now=lambda: at)
    return ids


def paid_out(market, operators, *, ending="1234"):
    """From the order to the bank's answer; the id of the one payout."""
    seller = bought(market, ending=ending)
    nights.close_day(market.pk, DUE, at=moment(DUE))
    [payout_id] = let_go(market, operators, at=moment(DUE))
    return seller, payout_id


def ledger(market):
    with tenancy.use(market.pk):
        return make.balances()


def exceptions(market):
    with tenancy.use(market.pk):
        rows = PayoutException.objects.order_by("pk")
        return list(rows.values_list("kind", "expected", "found"))


def prove(market, on=DUE):
    """Every statement can be computed again, and nothing is stuck."""
    with tenancy.use(market.pk):
        assert list(verification.verify(on=on)) == []
        watched = sentinels.watch(on, at=moment(on))
        assert watched[sentinels.UNPAID] == 0


class TestPayingTwiceOnASecondCall:
    def test_every_call_may_come_again(self, market, operators):
        seller, payout_id = paid_out(market, operators)
        for _ in range(2):
            tasks.serve_payout(marketplace_id=market.pk, payout_id=payout_id)
            tasks.take_up_payouts()
            nights.close_day(market.pk, DUE, at=moment(DUE))
            with tenancy.use(market.pk):
                tasks.begin_batch(market, at=AT, batch_id=PayoutBatch.objects.get().pk)
                assert payouts.prepare(on=DUE, at=moment(DUE)) == []
        with tenancy.use(market.pk):
            assert SandboxTransfer.objects.get().received == 1
            assert PayoutAttempt.objects.filter(kind="send").count() == 1
            assert positions.of_seller(seller, on=DUE).paid == NET
            assert Statement.objects.get(payout=NET).state == "paid"
        assert ledger(market)["bank"] == NET
        prove(market)

    def test_also_when_the_answer_was_lost(self, market, operators):
        _, payout_id = paid_out(market, operators, ending=sandbox.LOSES_ITS_ANSWER)
        with tenancy.use(market.pk):
            assert Payout.objects.get().state == "unknown"
            assert payouts.prepare(on=DUE, at=moment(DUE)) == []
        for _ in range(2):
            tasks.serve_payout(marketplace_id=market.pk, payout_id=payout_id)
        with tenancy.use(market.pk):
            assert Payout.objects.get().state == "paid"
            assert SandboxTransfer.objects.get().received == 1
        assert ledger(market)["bank"] == NET


class TestRefundAfterPayoutLost:
    def test_takes_the_refund_off_what_comes_next(self, market, operators):
        seller, _ = paid_out(market, operators)
        back_on = DUE + timedelta(days=3)
        with tenancy.use(market.pk):
            line = OrderLine.objects.get()
            claim = claims.request(
                line, type="return", quantity=1, fault="buyer", by=None, at=moment(back_on)
            )
            claims.approve(claim, by=None, at=moment(back_on))
            claims.complete(claim, by=None, at=moment(back_on))
        owed_on = back_on + timedelta(days=7)
        nights.close_day(market.pk, owed_on, at=moment(owed_on))
        with tenancy.use(market.pk):
            nets = SettlementLine.objects.order_by("sequence").values_list("net", flat=True)
            assert list(nets) == [NET, -NET]
            position = positions.of_seller(seller, on=owed_on)
            assert (position.paid, position.debt, position.confirmed) == (NET, NET, 0)
            # Two sales later the debt is taken off, and what is left is paid.
            make.sold(
                seller,
                number="A-2",
                unit_price=100_000,
                quantity=2,
                category="gold",
                paid_on=owed_on,
                confirmed_on=owed_on + timedelta(days=1),
            )
        paid_on = owed_on + timedelta(days=14)
        nights.close_day(market.pk, paid_on, at=moment(paid_on))
        let_go(market, operators, at=moment(paid_on))
        with tenancy.use(market.pk):
            position = positions.of_seller(seller, on=paid_on)
            assert (position.paid, position.debt) == (2 * NET, 0)
        books = ledger(market)
        assert (books["bank"], "seller_payable" in books) == (2 * NET, False)
        prove(market, paid_on)

    def test_holds_the_line_while_the_claim_is_open(self, market):
        bought(market)
        claimed_on = FIRST + timedelta(days=8)
        with tenancy.use(market.pk):
            claims.request(
                OrderLine.objects.get(),
                type="return",
                quantity=1,
                fault="buyer",
                by=None,
                at=moment(claimed_on),
            )
        nights.close_day(market.pk, DUE, at=moment(DUE))
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == NET
            assert not PayoutBatch.objects.exists()


class TestWonWithDecimalsOrAHundredTimesOff:
    @pytest.mark.parametrize(
        "price",
        [
            {"amount": 100_000.5, "currency": "KRW"},
            {"amount": "100000.50", "currency": "KRW"},
            {"amount": 100_000, "currency": "USD"},
            {"amount": "1e5", "currency": "KRW"},
            100_000,
        ],
    )
    def test_no_order_with_such_a_price_is_taken(self, market, price):
        with tenancy.use(market.pk):
            seller = make.seller()
        body = {
            "number": "A-1",
            "placed_at": "2026-09-01T12:00:00+09:00",
            "lines": [
                {"number": 1, "seller_code": seller.code, "unit_price": price, "quantity": 1}
            ],
            "payments": [],
        }
        answer = people.ApiClient(people.api_key(market)).send("orders/", body)
        assert answer.status_code == 400
        found = [error["pointer"] for error in answer.json()["errors"]]
        assert all(pointer.startswith("/lines/0/unit_price") for pointer in found), found
        with tenancy.use(market.pk):
            assert not Order.objects.exists()

    def test_won_go_to_the_bank_as_they_stand(self, market, operators):
        paid_out(market, operators)
        with tenancy.use(market.pk):
            assert SandboxTransfer.objects.get().amount == NET
            payout = Payout.objects.select_related("batch__policy").get()
            transfer = payout_sending.transfer_of(payout)
        fixed = transfer_files.write(transfer_files.FIXED, [transfer], exponent=0)
        written = transfer_files.write(transfer_files.CSV, [transfer], exponent=0)
        assert f"{NET:013d}".encode() in fixed
        assert f",{NET},".encode() in written

    @pytest.mark.parametrize("amount", [NET * 100, NET // 100, NET + 1])
    def test_no_result_with_another_amount_is_believed(self, market, operators, amount):
        _, payout_id = paid_out(market, operators, ending=sandbox.DELAYS)
        with tenancy.use(market.pk):
            SandboxTransfer.objects.update(amount=amount)
        tasks.serve_payout(marketplace_id=market.pk, payout_id=payout_id)
        with tenancy.use(market.pk):
            assert Payout.objects.get().state == "sent"
            assert Statement.objects.get(payout=NET).state == "in_payout"
        assert exceptions(market) == [("amount_differs", NET, amount)]
        books = ledger(market)
        assert (books["payout_in_transit"], "bank" in books) == (NET, False)

    @pytest.mark.parametrize("cell", [f"{NET}.50", f"{NET}.5", "967,00", "9.67E+04"])
    def test_no_file_of_results_brings_decimals(self, cell):
        content = f'지급번호,금액,결과코드\npay_1,"{cell}",0000\n'.encode("cp949")
        [result] = transfer_files.read(transfer_files.CSV, content, exponent=0)
        assert result.problem is not None
        assert result.amount == 0

    def test_trailing_zeros_are_no_decimals(self):
        content = f"지급번호,금액,결과코드\npay_1,{NET}.00,0000\n".encode("cp949")
        [result] = transfer_files.read(transfer_files.CSV, content, exponent=0)
        assert (result.problem, result.amount) == (None, NET)


class TestFailedThenPaid:
    def test_books_the_payment_and_pays_no_second_time(self, market, operators):
        seller, payout_id = paid_out(market, operators, ending=sandbox.TAKES_ITS_WORD_BACK)
        with tenancy.use(market.pk):
            assert Payout.objects.get().state == "failed"
            assert Statement.objects.get(payout=NET).state == "payable"
        tasks.serve_payout(marketplace_id=market.pk, payout_id=payout_id)
        with tenancy.use(market.pk):
            assert Payout.objects.get().state == "paid"
            assert Statement.objects.get(payout=NET).state == "paid"
            make.account(seller, ending="7777", at=moment(DUE))
            assert payouts.prepare(on=DUE, at=moment(DUE + timedelta(days=4))) == []
        assert exceptions(market) == [("paid_after_failed", NET, NET)]
        assert ledger(market)["bank"] == NET
        prove(market)

    def test_shows_where_it_had_been_paid_again(self, market, operators):
        seller, payout_id = paid_out(market, operators, ending=sandbox.TAKES_ITS_WORD_BACK)
        with tenancy.use(market.pk):
            make.account(seller, ending="7777", at=moment(DUE))
        later = DUE + timedelta(days=4)
        nights.close_day(market.pk, later, at=moment(later))
        let_go(market, operators, at=moment(later))
        tasks.serve_payout(marketplace_id=market.pk, payout_id=payout_id)
        assert exceptions(market) == [("paid_twice", 0, NET)]
        books = ledger(market)
        assert (books["bank"], books["suspense"]) == (2 * NET, -NET)
        with tenancy.use(market.pk):
            assert Statement.objects.get(payout=NET).state == "paid"
