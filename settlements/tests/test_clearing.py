"""The clearing account, order by order: what has not come, what came ahead, and nothing else."""

import random
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connections

from marketplace import approvals, money, tenancy
from marketplace.models import Approval, Marketplace
from marketplace.tests import desks
from marketplace.tests import make as people
from orders.models import Order, OrderLine, Payment
from settlements import (
    chart,
    clearing,
    day_figures,
    ledger,
    manual_journals,
    nights,
    provider_files,
    reconciling,
    sentinels,
    verification,
)
from settlements.models import (
    ClearingItem,
    ClearingProof,
    DayClose,
    Discrepancy,
    Journal,
    ProviderRow,
    SettlementLine,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
FIRST = date(2026, 9, 8)
DUE = date(2026, 9, 11)  # of what is confirmed on the first day
BOOKED = date(2026, 9, 12)
HEADER = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
BOOKS = "/admin/settlements"


@pytest.fixture
def market(db):
    return make.market(first_open_on=FIRST)


@pytest.fixture
def close(market):
    def close(on):
        nights.close_day(market.pk, on, at=AT)
        with tenancy.use(market.pk):
            assert [str(found) for found in verification.verify(on=on)] == []
            return proven(on)

    return close


def sold(seller, number, *payments, confirmed_on=FIRST, quantity=1):
    """An order of one line, paid by (kind, amount, provider's id)."""
    total = sum(amount for _, amount, _ in payments)
    line = make.sold(
        seller,
        number=number,
        unit_price=total // quantity,
        quantity=quantity,
        confirmed_on=confirmed_on,
    )
    for sequence, (kind, amount, provider_id) in enumerate(payments, 1):
        Payment.objects.create(
            order=line.order,
            sequence=sequence,
            kind=kind,
            amount=amount,
            provider_id=provider_id,
        )
    return line


def row(provider_id, gross, day):
    kind = "payment" if gross > 0 else "refund"
    return f"{provider_id},{kind},2026-09-01,2026-09-{day:02},{gross},0,0,{gross}\n"


def take(*rows, at=AT):
    return reconciling.import_file(
        (HEADER + "".join(rows)).encode(),
        name="정산.csv",
        format=provider_files.load_format("standard"),
        by=None,
        at=at,
    )


def proven(on):
    """What the proof of a night names, without what is nothing."""
    proof = ClearingProof.objects.get(day=on)
    names = (*ClearingItem.Kind.values, "unknown", "by_hand", "difference", "balance")
    return {name: getattr(proof, name) for name in names if getattr(proof, name)}


def items(on):
    found = ClearingItem.objects.at(on).order_by("order__number")
    return [(i.order.number, i.kind, i.amount, i.since_on.day) for i in found]


def day(number):
    return date(2026, 9, number)


class TestNight:
    def test_lists_what_is_settled_until_a_file_names_it(self, market, close):
        with tenancy.use(market.pk):
            sold(make.seller(), "O1", ("card", 10_000, "P1"))
        assert close(day(10)) == {}
        assert close(DUE) == {"owed": 10_000, "balance": 10_000}
        with tenancy.use(market.pk):
            take(row("P1", 10_000, 12))
        assert close(day(12)) == {}
        with tenancy.use(market.pk):
            assert items(DUE) == [("O1", "owed", 10_000, 11)]
            assert items(day(12)) == []

    def test_counts_below_zero_what_comes_before_it_is_settled(self, market, close):
        with tenancy.use(market.pk):
            sold(make.seller(), "O1", ("card", 10_000, "P1"))
            take(row("P1", 10_000, 9))
        assert close(day(10)) == {"ahead": -10_000, "balance": -10_000}
        with tenancy.use(market.pk):
            assert items(day(10)) == [("O1", "ahead", -10_000, 8)]
        assert close(DUE) == {}

    def test_keeps_the_age_of_what_is_paid_in_part(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            sold(seller, "O1", ("card", 6_000, "P1"), ("card", 4_000, "P2"))
        close(DUE)
        with tenancy.use(market.pk):
            take(row("P1", 6_000, 12))
        assert close(day(13)) == {"owed": 4_000, "balance": 4_000}
        with tenancy.use(market.pk):
            assert items(day(13)) == [("O1", "owed", 4_000, 11)]
            assert ClearingItem.objects.count() == 2

    def test_moves_what_no_provider_pays_out_to_accounts_of_its_kind(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            paid = [("card", 9_000, "P1"), ("points", 700, ""), ("voucher", 300, "")]
            line = sold(seller, "O1", *paid, quantity=2)
        assert close(DUE) == {"owed": 9_000, "balance": 9_000}
        with tenancy.use(market.pk):
            booked = make.balances()
            accounts = ("clearing", "points_used", "vouchers_used")
            assert [booked[code] for code in accounts] == [-9_000, -700, -300]
            make.returned(line, left=1, on=day(14))
        assert close(day(17)) == {"owed": 4_500, "balance": 4_500}
        with tenancy.use(market.pk):
            booked = make.balances()
            assert [booked[code] for code in accounts] == [-4_500, -350, -150]
            assert Journal.objects.filter(template="tenders").count() == 2

    def test_names_what_nobody_can_wait_for(self, market, close):
        with tenancy.use(market.pk):
            sold(make.seller(), "O1", ("card", 10_000, ""))
        assert close(DUE) == {"unnamed": 10_000, "balance": 10_000}

    def test_takes_back_what_comes_back(self, market, close):
        with tenancy.use(market.pk):
            line = sold(make.seller(), "O1", ("card", 10_000, "P1"), ("points", 500, ""))
            take(row("P1", 10_000, 9))
        assert close(DUE) == {}
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=day(14))
        assert close(day(17)) == {"ahead": -10_000, "balance": -10_000}  # to be given back
        with tenancy.use(market.pk):
            take(row("P1", -10_000, 18))
        assert close(day(18)) == {}

    @pytest.mark.parametrize("is_settled_first", [True, False])
    @pytest.mark.parametrize(
        ("given_back", "points", "left"),
        [(5_000, 1_000, {}), (4_500, 500, {}), (4_000, 500, {"ahead": -500})],
    )
    def test_follows_what_the_provider_gave_back(
        self, market, close, given_back, points, left, is_settled_first
    ):
        """Of 9,000 by card and 1,000 in points half is returned; the provider says how."""
        with tenancy.use(market.pk):
            paid = [("card", 9_000, "P1"), ("points", 1_000, "")]
            line = sold(make.seller(), "O1", *paid, quantity=2)
            take(row("P1", 9_000, 9))
        if is_settled_first:
            assert close(DUE) == {}
        with tenancy.use(market.pk):
            make.returned(line, left=1, on=day(11 if not is_settled_first else 14))
            take(row("P1", -given_back, 14))
        proof = close(day(17))
        assert proof.get("balance", 0) == sum(left.values())
        assert {name: amount for name, amount in proof.items() if name != "balance"} == left
        with tenancy.use(market.pk):
            assert make.balances()["points_used"] == -points
            assert not Discrepancy.objects.exists()
        assert close(day(18)).get("balance", 0) == sum(left.values())

    def test_tells_disputes_apart_as_long_as_they_are_open(self, market, close):
        with tenancy.use(market.pk):
            seller = make.seller()
            sold(seller, "O1", ("card", 5_000, "P1"))
            sold(seller, "O2", ("card", 2_000, "P2"))
            take(row("P1", 4_000, 9), row("P2", 1_500, 9))
        assert close(DUE) == {"disputed": 1_500, "balance": 1_500}
        with tenancy.use(market.pk):
            first, second = Discrepancy.objects.order_by("provider_id")
            reconciling.resolve(first, by=None, at=AT, reason="다음 파일")
            account = chart.RECONCILIATION_DIFFERENCE
            at = datetime(2026, 9, 12, 3, tzinfo=UTC)
            reconciling.book(second, account=account, by=None, at=at, reason="절사")
        assert close(day(12)) == {"owed": 1_000, "balance": 1_000}

    def test_leaves_nothing_on_clearing_of_what_belongs_to_no_order(self, market, close):
        with tenancy.use(market.pk):
            take(row("P9", 700, 9))
        assert close(DUE) == {}
        with tenancy.use(market.pk):
            sold(make.seller(), "O9", ("card", 700, "P9"), confirmed_on=day(12))
        # The order explains the payment: what was on suspense came ahead of its settlement.
        assert close(day(12)) == {"ahead": -700, "balance": -700}
        assert close(day(17)) == {}

    def test_counts_what_was_collected_in_excess_on_suspense_alone(self, market, close):
        with tenancy.use(market.pk):
            sold(make.seller(), "O1", ("card", 5_000, "P1"))
            take(row("P1", 5_300, 9))
        assert close(DUE) == {}

    def test_names_journals_by_hand_and_what_nothing_explains(self, market, close):
        with tenancy.use(market.pk):
            ledger.open_month(FIRST)
            for template, amount in (("manual", 40), ("x", 5)):
                draft = ledger.Draft(template, "x", day(9))
                draft.debit(chart.CLEARING, amount)
                draft.credit(chart.SUSPENSE, amount)
                ledger.post([draft])
        assert close(DUE) == {"by_hand": 40, "difference": 5, "balance": 45}
        with tenancy.use(market.pk):
            found = sentinels.watch(DUE, at=AT)
            assert found[sentinels.CLEARING_DIFFERS] == 5
            sheet = day_figures.live(DUE)
            assert sheet.differing == ("standing",)

    def test_comes_to_the_same_as_every_order_added_up(self, market, close):
        """Forty orders of all kinds, in any order of settling, paying, and taking back."""
        chance = random.Random(20260908)
        waiting, back = [], []
        with tenancy.use(market.pk):
            sellers = [make.seller(code) for code in "ABC"]
            for number in range(40):
                amount = chance.randrange(1_000, 9_000) * 2
                points = chance.choice([0, 0, chance.randrange(1, amount)])
                name = f"P{number}" if chance.random() < 0.8 else ""
                payments = [("card", amount - points, name)]
                payments += [("points", points, "")] if points else []
                on = FIRST + timedelta(days=chance.randrange(4))
                line = sold(
                    chance.choice(sellers), f"O{number}", *payments, confirmed_on=on, quantity=2
                )
                if name:
                    waiting.append((name, amount - points))
                back.append(line)
        for night in range(9, 25):
            with tenancy.use(market.pk):
                chance.shuffle(waiting)
                some = [waiting.pop() for _ in range(min(len(waiting), chance.randrange(5)))]
                if some:
                    take(*[row(name, amount, night) for name, amount in some])
                if night > 12 and chance.random() < 0.5:
                    line = back.pop(chance.randrange(len(back)))
                    make.returned(line, left=chance.randrange(2), on=day(night))
            proof = close(day(night))
            with tenancy.use(market.pk):
                assert proof.get("difference", 0) == 0
                now = ClearingItem.objects.now()
                found = {i.order_id: i.amount for i in now}
                assert found == _added_up(day(night))
        with tenancy.use(market.pk):
            kinds = set(ClearingItem.objects.values_list("kind", flat=True))
            assert kinds == {"owed", "unnamed", "ahead"}


def _added_up(on):
    """What each order adds, from its settled lines, its payments and rows of files alone."""
    closed = Statement.objects.filter(closed_on__lte=on).values("pk")
    settled = Counter()
    orders = dict(OrderLine.objects.values_list("pk", "order_id"))
    for line in SettlementLine.objects.filter(statement_id__in=closed):
        settled[orders[line.order_line_id]] += line.list_amount - line.seller_discount
    found = {}
    for order in Order.objects.all():
        payments = Payment.objects.filter(order=order).order_by("kind")
        weights = [payment.amount for payment in payments]  # the card first
        own = money.split(settled[order.pk], weights)[0]
        names = [payment.provider_id for payment in payments if payment.provider_id]
        rows = ProviderRow.objects.filter(provider_id__in=names)
        if amount := own - sum(row.gross for row in rows):
            found[order.pk] = amount
    return found


@pytest.fixture
def two(market):
    return people.user("one@example.com"), people.user("other@example.com")


def booked(by, on=BOOKED, account="bad_debt", item=None):
    item = item or ClearingItem.objects.now().get()
    return manual_journals.enter_of_item(
        item, account=account, on=on, reason="폐업", document="품의 7", by=by, at=AT
    )


def approved(by):
    return approvals.approve(Approval.objects.waiting().get(), by=by, at=AT)


def settled(*payments, number="O1", code="A"):
    return sold(make.seller(code), number, *payments)


class TestBooking:
    @pytest.mark.parametrize(
        ("provider_id", "confirmed_on", "kind", "amount"),
        [
            ("P1", FIRST, "owed", 10_000),
            ("", FIRST, "unnamed", 10_000),
            ("P1", day(25), "ahead", -10_000),
        ],
    )
    def test_ends_an_item_once_two_people_agree(
        self, market, close, two, provider_id, confirmed_on, kind, amount
    ):
        with tenancy.use(market.pk):
            paid = ("card", 10_000, provider_id)
            sold(make.seller(), "O1", paid, confirmed_on=confirmed_on)
            if kind == "ahead":
                take(row("P1", 10_000, 9))
        assert close(DUE) == {kind: amount, "balance": amount}
        with tenancy.use(market.pk):
            manual = booked(two[0])
            with pytest.raises(approvals.SamePerson):
                approved(two[0])
            approved(two[1])
            assert make.balances()["bad_debt"] == -amount
            assert "clearing" not in make.balances()
            journal = manual_journals.journal_of(manual)
            assert (journal.template, journal.basis_on) == (ledger.BY_ORDER, day(12))
        assert close(day(12)) == {}
        with tenancy.use(market.pk):
            item = ClearingItem.objects.get()
            assert (item.amount, item.until_on) == (amount, day(12))
            terms = {t.code: t.amount for b in day_figures.live(day(12)).blocks for t in b.terms}
            assert terms["cleared:clearing_item"] == -amount
            assert day_figures.live(day(12)).differing == ()

    def test_comes_back_by_a_counter_entry_of_two_people(self, market, close, two):
        with tenancy.use(market.pk):
            settled(("card", 10_000, ""))
        close(DUE)
        with tenancy.use(market.pk):
            manual = booked(two[0])
            approved(two[1])
        close(day(12))
        with tenancy.use(market.pk):
            journal = manual_journals.journal_of(manual)
            manual_journals.enter_reversal(
                journal, on=day(13), reason="입금", document="통장", by=two[1], at=AT
            )
            approved(two[0])
        assert close(day(13)) == {"unnamed": 10_000, "balance": 10_000}
        with tenancy.use(market.pk):
            assert items(day(13)) == [("O1", "unnamed", 10_000, 13)]

    def test_counts_what_comes_after_all_as_ahead(self, market, close, two):
        with tenancy.use(market.pk):
            settled(("card", 10_000, "P1"))
        close(DUE)
        with tenancy.use(market.pk):
            booked(two[0])
            approved(two[1])
            take(row("P1", 10_000, 12))
        assert close(day(12)) == {"ahead": -10_000, "balance": -10_000}

    def test_refuses_what_has_moved_since_the_night(self, market, close, two):
        with tenancy.use(market.pk):
            settled(("card", 10_000, "P1"))
        close(DUE)
        with tenancy.use(market.pk):
            manual = booked(two[0])
            take(row("P1", 10_000, 12))
            with pytest.raises(clearing.ItemNotForBooking) as refused:
                approved(two[1])
            assert "O1" in str(refused.value)
            assert "10000" in str(refused.value)
            with pytest.raises(clearing.ItemNotForBooking):
                booked(two[0])
            manual.refresh_from_db()
            assert manual.state == "entered"
            assert not Journal.objects.filter(template=ledger.BY_ORDER).exists()

    def test_refuses_to_book_the_same_twice(self, market, close, two):
        with tenancy.use(market.pk):
            settled(("card", 10_000, "P1"))
        close(DUE)
        with tenancy.use(market.pk):
            booked(two[0])
            with pytest.raises(approvals.AlreadyAsked):
                booked(two[1])
            approved(two[1])
            with pytest.raises(clearing.ItemNotForBooking):  # the night has not counted it yet
                booked(two[0])

    def test_refuses_items_in_dispute_and_of_the_past(self, market, close, two):
        with tenancy.use(market.pk):
            settled(("card", 10_000, "P1"))
        close(DUE)
        with tenancy.use(market.pk):
            old = ClearingItem.objects.get()
            take(row("P1", 4_000, 12))
            assert Discrepancy.objects.open().count() == 1
        assert close(day(12)) == {"disputed": 6_000, "balance": 6_000}
        with tenancy.use(market.pk):
            for item in (old, ClearingItem.objects.now().get()):
                with pytest.raises(clearing.ItemNotForBooking):
                    booked(two[0], item=item)

    @pytest.mark.parametrize(
        ("account", "refusal"),
        [
            ("clearing", manual_journals.AccountIsTheSame),
            ("seller_payable", manual_journals.AccountOfSellers),
            ("nothing", manual_journals.AccountUnknown),
        ],
    )
    def test_refuses_accounts_that_take_no_money_of_buyers(
        self, market, close, two, account, refusal
    ):
        with tenancy.use(market.pk):
            settled(("card", 10_000, "P1"))
        close(DUE)
        with tenancy.use(market.pk), pytest.raises(refusal):
            booked(two[0], account=account)

    def test_is_asked_for_and_decided_on_pages(self, market, close):
        with tenancy.use(market.pk):
            settled(("card", 10_000, ""))
        close(DUE)
        with tenancy.use(market.pk):
            item = ClearingItem.objects.get()
        page = f"{BOOKS}/clearingitem/{item.pk}/change/"
        decide = f"{BOOKS}/clearingitem/{item.pk}/decide/book/"
        client, _ = desks.operator(market, "finance")
        assert decide in client.get(page).content.decode()
        sent = {
            "account": "suspense",
            "on": "2026-09-12",
            "document": "품의 7",
            "reason": "확인 중",
        }
        answer = client.post(decide, {**sent, "document": ""})
        assert answer.context["form"].errors.keys() == {"document"}
        assert client.post(decide, sent).status_code == 302
        with tenancy.use(market.pk):
            assert Approval.objects.waiting().get().kind == manual_journals.APPROVAL
        assert "확인 중" in client.get(page).content.decode()
        other = make.market("theirs", first_open_on=FIRST)
        stranger, _ = desks.operator(other, "owner")
        assert stranger.get(page).status_code == 404
        assert stranger.post(decide, sent).status_code == 404
        viewer, _ = desks.operator(market, "viewer")
        assert decide not in viewer.get(page).content.decode()
        assert viewer.post(decide, sent).status_code == 403


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_a_journal_by_hand_waits_for_a_proof_on_its_way(self):
        market = make.market(first_open_on=FIRST)
        with tenancy.use(market.pk):
            one, other = people.user("one@example.com"), people.user("other@example.com")
            legs = [("clearing", 40, 0), ("suspense", 0, 40)]
            manual_journals.enter(on=day(9), legs=legs, reason="r", document="d", by=one, at=AT)
        proving, posted = threading.Event(), threading.Event()
        outcome = {}

        def prove_slowly():
            try:
                with tenancy.use(market.pk, durable=True):
                    reconciling.one_at_a_time()
                    proving.set()
                    outcome["waited"] = not posted.wait(0.7)
            finally:
                connections.close_all()

        def post_meanwhile():
            try:
                proving.wait(10)
                with tenancy.use(market.pk, durable=True):
                    approved(other)
                posted.set()
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for work in (prove_slowly, post_meanwhile)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcome["waited"]
        with tenancy.use(market.pk):
            assert Journal.objects.filter(template=ledger.BY_HAND).count() == 1


class TestWaitingTooLong:
    @pytest.mark.parametrize(("age", "count"), [(31, 0), (32, 1)])
    def test_counts_what_has_not_come_in_a_month(self, market, age, count):
        on = day(30)
        with tenancy.use(market.pk):
            for kind, amount in (("owed", 5), ("ahead", -5)):
                order = Order.objects.create(number=kind, source="test", placed_at=AT)
                since = on - timedelta(days=age)
                ClearingItem.objects.create(
                    order=order, kind=kind, amount=amount, since_on=since, from_on=since
                )
            assert clearing.waiting_too_long(on).count() == 0  # a test marketplace
        with tenancy.use(market.pk):
            Marketplace.objects.filter(pk=market.pk).update(state="live")
        with tenancy.use(market.pk):
            assert clearing.waiting_too_long(on).count() == count
            assert sentinels.watch(on, at=AT)[sentinels.CLEARING_OLD] == count


class TestSheet:
    def test_proves_the_day_and_leads_to_its_rows(self, market, close):
        """Of 15,000 settled 1,000 are points; 4,000 of O2's 5,000 come late, with a stray 700."""
        with tenancy.use(market.pk):
            seller = make.seller()
            sold(seller, "O1", ("card", 9_000, "P1"), ("points", 1_000, ""))
            sold(seller, "O2", ("card", 5_000, "P2"))
            take(row("P1", 9_000, 11))
        close(day(13))
        with tenancy.use(market.pk):
            later = datetime(2026, 9, 14, 3, tzinfo=UTC)
            take(row("P2", 4_000, 11), row("P9", 700, 14), at=later)
            row_of_day = DayClose.objects.get(day=DUE)
        client, _ = desks.operator(market, "finance")
        page = client.get(f"{BOOKS}/dayclose/{row_of_day.pk}/change/")
        moved, standing = [
            (
                {str(t["name"]): t["sign"] * t["amount"] for t in block["terms"] if t["amount"]},
                block["result"]["amount"],
                block["difference"],
            )
            for block in page.context["blocks"][4:6]
        ]
        assert moved == (
            {
                "buyers' money of statements closed, less what was taken back": 15_000,
                "deposits of providers, gross": -13_000,
                "other journals: Paid by other means than a provider": -1_000,
            },
            1_000,
            0,
        )
        assert standing == (
            {
                "Settled, in no settlement file yet": 5_000,
                "posted after the night, less what it had counted of later days": -4_000,
            },
            1_000,
            0,
        )
        addresses = {
            str(term["name"]): term["address"]
            for block in page.context["blocks"][4:6]
            for term in (*block["terms"], block["result"])
        }
        for name, address in addresses.items():
            assert client.get(address).status_code == 200, name
        [item] = (
            client.get(addresses["Settled, in no settlement file yet"]).context["cl"].result_list
        )
        assert (item.order.number, item.amount) == ("O2", 5_000)
        entries = client.get(addresses["deposits of providers, gross"]).context["cl"].result_list
        assert sorted(entry.credit for entry in entries) == [4_000, 9_000]

    def test_is_nobody_elses(self, market, close):
        with tenancy.use(market.pk):
            sold(make.seller(), "O1", ("card", 10_000, "P1"))
        close(DUE)
        other = make.market("theirs", first_open_on=FIRST)
        stranger, _ = desks.operator(other, "owner")
        for model in ("clearingitem", "clearingproof"):
            page = stranger.get(f"{BOOKS}/{model}/")
            assert page.context["cl"].result_count == 0
        viewer, _ = desks.operator(market, "viewer")
        assert viewer.get(f"{BOOKS}/clearingitem/?night=now").context["cl"].result_count == 1
        assert viewer.get(f"{BOOKS}/clearingitem/?night=soon").context["cl"].result_count == 0
