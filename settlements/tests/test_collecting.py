"""Reserves and debts over statements: released, covered, invoiced, paid, written off."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from marketplace import approvals, reasons, tenancy
from marketplace.models import Approval
from marketplace.tests import make as people
from orders import verdicts
from sellers.models import Seller, SellerMember
from settlements import collecting, deposits, ledger_reading, nights, positions, verification
from settlements.models import DebtMovement, Journal, SellerBalance, SettlementTerms, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8, DUE, BACK = date(2026, 9, 8), date(2026, 9, 11), date(2026, 9, 14)
LATER = date(2026, 9, 17)  # the day on which what came back on the 14th falls due
AT = datetime(2026, 9, 20, 3, tzinfo=UTC)
PAID_IN = date(2026, 9, 19)  # when the bank has a deposit that is recorded at AT
NET = 96_700  # of 100,000 in gold


def _market(**terms):
    """A market whose payout terms say something else than the preset's."""
    market = make.market(first_open_on=SEP_8)
    with tenancy.use(market.pk):
        now = SettlementTerms.objects.get()
        kept = ("lag_days", "lag_kind", "cycle", "cycle_arg", "holiday", "minimum_payout")
        given = {name: getattr(now, name) for name in kept} | terms
        SettlementTerms.objects.create(
            number=2, valid_from=date(2026, 9, 1), state="published", published_at=AT, **given
        )
    return market


def _close(market, on):
    nights.close_day(market.pk, on, at=AT)


def _agrees(on):
    assert [str(difference) for difference in verification.verify(on=on)] == []


def _account(code, on=date(2026, 12, 31)):
    rows, _total = ledger_reading.trial_balance(on)
    return next((row.debit - row.credit for row in rows if row.code == code), 0)


@pytest.fixture
def users(db):
    return people.user("a@example.org"), people.user("b@example.org")


class TestReserve:
    def test_comes_back_after_its_days_and_is_not_reserved_again(self):
        market = _market(reserve_ppm=300_000, reserve_days=10)
        with tenancy.use(market.pk):
            make.sold(make.seller(), unit_price=100_000, category="gold")
        _close(market, DUE)
        with tenancy.use(market.pk):
            first = Statement.objects.get()
            assert (first.payable, first.reserve, first.payout) == (NET, 29_010, 67_690)
            assert first.reserve_due_on == date(2026, 9, 21)
        _close(market, date(2026, 9, 20))
        with tenancy.use(market.pk):
            assert Statement.objects.count() == 1
        _close(market, date(2026, 9, 21))
        with tenancy.use(market.pk):
            last = Statement.objects.latest("due_on")
            assert (last.due_on, last.lines) == (date(2026, 9, 21), 0)
            assert (last.payable, last.reserve_released, last.reserve) == (0, 29_010, 0)
            assert last.payout == 29_010
            assert positions.of_seller(last.seller, on=last.due_on).reserve == 0
            _agrees(last.due_on)

    def test_covers_a_debt_where_the_policy_says_so(self):
        market = _market(reserve_ppm=300_000, reserve_days=90, debt_policy="deduct_from_reserve")
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), unit_price=100_000, category="gold")
        _close(market, DUE)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=BACK)
        _close(market, LATER)
        with tenancy.use(market.pk):
            last = Statement.objects.latest("due_on")
            assert (last.reserve_released, last.carry_out) == (29_010, 29_010 - NET)
            balance = SellerBalance.objects.get()
            assert (balance.reserve, balance.reserve_released) == (0, -29_010)
            _agrees(LATER)

    def test_stays_reserved_beside_a_debt_that_is_carried(self):
        market = _market(reserve_ppm=300_000)
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), unit_price=100_000, category="gold")
        _close(market, DUE)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=BACK)
        _close(market, LATER)
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.get()
            assert (balance.reserve, balance.carry) == (29_010, -NET)
            _agrees(LATER)


def _indebted(**terms):
    """A seller who was paid for a sale that came back."""
    market = _market(**terms)
    with tenancy.use(market.pk):
        line = make.sold(make.seller(), unit_price=100_000, category="gold")
    _close(market, DUE)
    with tenancy.use(market.pk):
        make.returned(line, left=0, on=BACK)
    _close(market, LATER)
    return market


class TestInvoicedDebt:
    def test_is_owed_apart_and_takes_nothing_off_later_sales(self):
        market = _indebted(debt_policy="invoice_seller")
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.select_related("seller").get()
            assert (balance.carry, balance.receivable) == (0, NET)
            last = Statement.objects.latest("due_on")
            assert (last.debt_invoiced, last.carry_out) == (NET, 0)
            assert _account("seller_receivable") == NET
            make.sold(balance.seller, number="O2", unit_price=50_000, confirmed_on=LATER)
            _agrees(LATER)
        _close(market, date(2026, 9, 22))
        with tenancy.use(market.pk):
            last = Statement.objects.latest("due_on")
            assert (last.carry_in, last.payout) == (0, last.net)

    def test_shrinks_by_deposits(self, users):
        market = _indebted(debt_policy="invoice_seller")
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.get()
            [made] = collecting.record_deposit(
                balance, amount=90_000, evidence=" 국민  0919-7", on=PAID_IN, by=users[0], at=AT
            )
            assert (made.statement, made.on, made.part) == (None, PAID_IN, 1)
            assert made.evidence == "국민 0919-7"
            journal = Journal.objects.get(template="debt")
            assert (journal.reference, journal.basis_on) == (made.public_id, PAID_IN)
            balance.refresh_from_db()
            assert balance.receivable == 6_700
            assert (_account("bank"), _account("seller_receivable")) == (90_000, 6_700)
            _agrees(LATER)


class TestCarriedDebt:
    def test_shrinks_by_deposits_and_goes_on_from_there(self, users):
        market = _indebted()
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.select_related("seller").get()
            assert balance.carry == -NET
            collecting.record_deposit(
                balance, amount=NET, evidence="1", on=PAID_IN, by=users[0], at=AT
            )
            balance.refresh_from_db()
            assert balance.carry == 0
            _agrees(LATER)
            make.sold(
                balance.seller,
                number="O2",
                unit_price=100_000,
                category="gold",
                confirmed_on=date(2026, 9, 18),
            )
        _close(market, date(2026, 9, 23))
        with tenancy.use(market.pk):
            last = Statement.objects.latest("due_on")
            assert (last.carry_in, last.payout) == (0, NET)
            _agrees(date(2026, 9, 23))

    def test_is_written_off_by_two_people(self, users):
        market = _indebted()
        first, second = users
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.get()
            collecting.ask_to_write_off(balance, amount=NET, reason="폐업", by=first, at=AT)
            assert not DebtMovement.objects.exists()
            request = Approval.objects.get()
            with pytest.raises(approvals.SamePerson):
                approvals.approve(request, by=first, at=AT)
            approvals.approve(request, by=second, at=AT)
            balance.refresh_from_db()
            assert (balance.carry, _account("bad_debt"), _account("seller_payable")) == (0, NET, 0)
            _agrees(LATER)

    def test_refuses_what_is_not_owed_and_what_says_nothing(self, users):
        market = _indebted()
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.get()
            asked = {"by": users[0], "at": AT}
            paid = asked | {"on": PAID_IN}
            with pytest.raises(collecting.MoreThanOwed):
                collecting.record_deposit(balance, amount=NET + 1, evidence="1", **paid)
            with pytest.raises(deposits.EvidenceMissing):
                collecting.record_deposit(balance, amount=1, evidence=" ", **paid)
            with pytest.raises(verdicts.NotBetween):
                collecting.record_deposit(balance, amount=0, evidence="1", **paid)
            paid["on"] = AT.date() + timedelta(days=1)
            with pytest.raises(deposits.DepositInFuture):
                collecting.record_deposit(balance, amount=1, evidence="1", **paid)
            with pytest.raises(verdicts.NotBetween):
                collecting.ask_to_write_off(balance, amount=0, reason="폐업", **asked)
            with pytest.raises(reasons.ReasonMissing):
                collecting.ask_to_write_off(balance, amount=1, reason="", **asked)
            assert SellerBalance.objects.get().carry == -NET


class TestDeposit:
    """What settles a debt once, and of two debts the older one first."""

    BOTH_ON = date(2026, 10, 7)

    @pytest.fixture
    def both(self):
        """A seller who owes NET that was invoiced, and since later NET that is carried."""
        market = _indebted(debt_policy="invoice_seller")
        with tenancy.use(market.pk):
            now = SettlementTerms.objects.latest("number")
            now.pk, now.number, now.valid_from = None, 3, date(2026, 9, 25)
            now.debt_policy = "carry_forward"
            now.save(force_insert=True)
            seller = SellerBalance.objects.get().seller
            line = make.sold(
                seller, number="O2", unit_price=100_000, category="gold", confirmed_on=LATER
            )
        _close(market, date(2026, 9, 27))
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=date(2026, 9, 28))
        _close(market, self.BOTH_ON)
        return market

    def test_settles_the_older_of_two_debts_first(self, both, users):
        at = datetime(2026, 10, 8, 3, tzinfo=UTC)
        paid = {"on": date(2026, 10, 8), "by": users[0], "at": at}
        with tenancy.use(both.pk):
            balance = SellerBalance.objects.get()
            assert (balance.receivable, balance.carry) == (NET, -NET)
            made = collecting.record_deposit(balance, amount=NET + 1_000, evidence="7", **paid)
            assert [(each.amount, each.is_of_invoiced, each.part) for each in made] == [
                (NET, True, 1),
                (1_000, False, 2),
            ]
            balance.refresh_from_db()
            assert (balance.receivable, balance.carry) == (0, 1_000 - NET)
            assert (_account("bank"), _account("seller_receivable")) == (97_700, 0)
            _agrees(self.BOTH_ON)
            [rest] = collecting.record_deposit(balance, amount=NET - 1_000, evidence="8", **paid)
            assert (rest.amount, rest.is_of_invoiced) == (95_700, False)
            balance.refresh_from_db()
            assert collecting.owed(balance) == 0
            _agrees(self.BOTH_ON)

    def test_takes_all_that_is_owed_as_the_form_proposes_it(self, both, users):
        at = datetime(2026, 10, 8, 3, tzinfo=UTC)
        with tenancy.use(both.pk):
            balance = SellerBalance.objects.get()
            collecting.ask_to_write_off(
                balance, amount=collecting.owed(balance), reason="폐업", by=users[0], at=at
            )
            approvals.approve(Approval.objects.get(), by=users[1], at=at)
            balance.refresh_from_db()
            assert (balance.receivable, balance.carry) == (0, 0)
            assert _account("bad_debt") == 2 * NET
            _agrees(self.BOTH_ON)

    def test_is_recorded_once_whoever_it_is_of(self, users):
        market = _indebted()
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.get()
            paid = {"on": PAID_IN, "by": users[0], "at": AT}
            collecting.record_deposit(balance, amount=1_000, evidence="국민 0919-7", **paid)
            other = SellerBalance.objects.create(seller=make.seller("B"), receivable=1_000)
            for again in (balance, other):
                with pytest.raises(deposits.EvidenceUsed):
                    collecting.record_deposit(
                        again, amount=1_000, evidence="국민 0919-7 ", **(paid | {"by": users[1]})
                    )
            balance.refresh_from_db()
            assert (balance.carry, DebtMovement.objects.count()) == (1_000 - NET, 1)
            row = DebtMovement.objects.get()
            row.pk, row.public_id = None, "dbt_other"
            with pytest.raises(IntegrityError), transaction.atomic():
                row.save(force_insert=True)

    @pytest.mark.django_db(transaction=True)
    def test_is_recorded_once_by_two_people_at_once(self, users):
        market = make.market(first_open_on=SEP_8)
        with tenancy.use(market.pk):
            owing = [
                SellerBalance.objects.create(seller=make.seller(code), receivable=1_000).pk
                for code in "AB"
            ]
        both_there = threading.Barrier(2, timeout=30)
        results = {}

        def record(key, by):
            try:
                both_there.wait()
                with tenancy.use(market.pk):
                    balance = SellerBalance.objects.get(pk=key)
                    collecting.record_deposit(
                        balance, amount=1_000, evidence="7", on=PAID_IN, by=by, at=AT
                    )
                results[key] = "recorded"
            except deposits.EvidenceUsed as refused:
                results[key] = refused.code
            finally:
                connection.close()

        threads = [
            threading.Thread(target=record, args=each) for each in zip(owing, users, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(results.values()) == ["deposit_recorded_before", "recorded"]
        with tenancy.use(market.pk):
            assert DebtMovement.objects.count() == 1


class TestDebts:
    @pytest.mark.parametrize("policy", ["carry_forward", "invoice_seller"])
    def test_lists_what_is_owed_since_when(self, policy, users, django_assert_num_queries):
        market = _indebted(debt_policy=policy)
        with tenancy.use(market.pk):
            with django_assert_num_queries(4):
                [debt] = collecting.debts(on=LATER + timedelta(days=61))
            assert (debt.amount, debt.since, debt.age_class) == (NET, LATER, 2)
            collecting.record_deposit(
                debt.balance, amount=NET, evidence="1", on=PAID_IN, by=users[0], at=AT
            )
            assert collecting.debts(on=LATER) == []


class TestAdmin:
    @pytest.fixture
    def browser(self, client):
        market = _indebted()
        user = people.user("finance@example.org")
        people.membership(market, user, "finance")
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        return client

    def test_lists_debts_by_age_and_records_a_deposit(self, browser):
        pages = "/admin/settlements/sellerbalance/"
        listed = browser.get(f"{pages}debts/").content.decode()
        assert "₩96,700" in listed
        with tenancy.use(code="jangteo"):
            row = SellerBalance.objects.get()
        address = f"{pages}{row.pk}/decide/deposit/"
        sent = {"on": "2026-09-19", "evidence": "7"}
        refused = browser.post(address, sent | {"amount": "100,000"})
        assert "The seller owes" in refused.content.decode()
        assert browser.post(address, sent | {"amount": "96,700"}).status_code == 302
        with tenancy.use(code="jangteo"):
            assert SellerBalance.objects.get().carry == 0
        story = browser.get(f"{pages}{row.pk}/change/").content.decode()
        assert "Deposit" in story
        assert "No seller owes anything." in browser.get(f"{pages}debts/").content.decode()


class TestShop:
    """A seller's page and API: their own deposits and write-offs, and nobody else's."""

    @pytest.fixture
    def market(self, users):
        market = _indebted()
        with tenancy.use(market.pk):
            balance = SellerBalance.objects.get()
            paid = {"on": PAID_IN, "by": users[0], "at": AT}
            collecting.record_deposit(balance, amount=1_700, evidence="국민 0919-7", **paid)
            collecting.write_off(balance, amount=5_000, reason="폐업", by=users[0], at=AT)
            make.seller("B")
        return market

    def enter(self, client, market, code):
        user = people.user(f"{code.lower()}@shop.example.org")
        with tenancy.use(market.pk):
            seller = Seller.objects.get(code=code)
            SellerMember.objects.create(user=user, marketplace=market, seller=seller)
        client.force_login(user)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        return client.get(f"/s/{market.slug}/debts/").content.decode()

    def test_shows_what_is_owed_and_how_it_became_less(self, client, market):
        page = self.enter(client, market, "A")
        assert "₩90,000" in page  # 96,700 less both
        assert "₩1,700" in page
        assert "국민 0919-7" in page
        assert "₩5,000" in page
        assert "폐업" not in page  # what the people of the marketplace wrote for each other

    def test_shows_another_seller_nothing_of_it(self, client, market):
        page = self.enter(client, market, "B")
        assert "No deposit and no write-off" in page
        assert "1,700" not in page

    def test_is_told_by_the_api(self, market):
        with tenancy.use(market.pk):
            sellers = {row.code: row.public_id for row in Seller.objects.all()}
        own = people.ApiClient(people.api_key(market, seller=sellers["A"]))
        written_off, deposit = own.read("debt-movements/").json()["data"]
        assert deposit["amount"] == {"amount": 1_700, "currency": "KRW"}
        assert (deposit["kind"], deposit["on"]) == ("deposit", "2026-09-19")
        assert (deposit["is_of_invoiced"], deposit["evidence"]) == (False, "국민 0919-7")
        assert written_off["kind"] == "write_off"
        other = people.ApiClient(people.api_key(market, seller=sellers["B"]))
        assert other.read("debt-movements/").json()["data"] == []
        shop = people.ApiClient(people.api_key(market))
        assert len(shop.read("debt-movements/?kind=deposit").json()["data"]) == 1
