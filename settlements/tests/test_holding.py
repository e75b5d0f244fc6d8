"""Holds from claim to statement: what is kept back, what comes back, and what is not paid."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connections

from marketplace import approvals, reasons, states, tenancy
from marketplace.models import Approval, AuditEntry, Change
from marketplace.tests import make as people
from orders import arbitrating, claims, exchanging, verdicts
from orders.models import Claim
from settlements import holding, nights, positions, sentinels, statements, verification
from settlements.holding import Asked, Terms
from settlements.models import Hold, HoldMovement, LedgerEntry, SellerBalance, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8, DUE = date(2026, 9, 8), date(2026, 9, 11)
AT = datetime(2026, 9, 9, 3, tzinfo=UTC)
NET = 96_700  # of 100,000 in gold


def _close(market, on):
    nights.close_day(market.pk, on, at=AT)


def _claim(line, **given):
    given = {"type": "return", "quantity": 1, "fault": "buyer", "by": None, "at": AT, **given}
    return claims.request(line, **given)


def _terms(**given):
    return Terms(**{"reason": "manual", "note": "확인 중", "condition": "확인 후", **given})


def _figures(statement):
    names = ("released_holds", "new_holds", "hold_taken", "payable", "payout", "carry_out")
    return tuple(getattr(statement, name) for name in names)


def _agrees(on):
    assert [str(difference) for difference in verification.verify(on=on)] == []
    found = {name for name, count in sentinels.watch(on, at=make.AT).items() if count}
    assert found <= {sentinels.CLAIMS}  # some wait for their answer longer than they should


@pytest.fixture
def market():
    return make.market(first_open_on=SEP_8)


@pytest.fixture
def world(market):
    """Two lines of one seller: one for 96,700 and one for 48,350."""
    with tenancy.use(market.pk):
        seller = make.seller()
        disputed = make.sold(seller, unit_price=100_000, category="gold")
        other = make.sold(seller, number="O2", unit_price=50_000, category="gold")
    return market, seller, disputed, other


class TestOpenClaim:
    def test_holds_its_line_and_nothing_else(self, world):
        market, seller, disputed, _other = world
        with tenancy.use(market.pk):
            claim = _claim(disputed)
        _close(market, DUE)
        with tenancy.use(market.pk):
            [hold] = Hold.objects.all()
            assert (hold.claim, hold.order_line, hold.taken) == (claim, disputed, NET)
            assert (hold.kind, hold.reason, hold.state) == ("line", "claim", "placed")
            statement = Statement.objects.get()
            assert _figures(statement) == (0, NET, NET, 48_350, 48_350, 0)
            position = positions.of_seller(seller, on=DUE)
            assert (position.held_back, position.held, position.confirmed) == (NET, NET, 48_350)
            assert Change.objects.filter(type="hold.placed", object_id=hold.public_id).count() == 1
            _agrees(DUE)

    def test_lets_go_by_itself_once_it_is_rejected(self, world):
        market, seller, disputed, _other = world
        with tenancy.use(market.pk):
            claim = _claim(disputed)
        _close(market, DUE)
        with tenancy.use(market.pk):
            claims.reject(claim, by=None, at=AT, reason="하자 없음")
        _close(market, DUE + timedelta(days=3))  # a Monday: 12 and 13 September are a weekend
        with tenancy.use(market.pk):
            hold = Hold.objects.get()
            assert (hold.state, hold.taken) == ("released", 0)
            last = Statement.objects.latest("due_on")
            assert (last.lines, last.due_on) == (0, date(2026, 9, 14))
            assert _figures(last) == (NET, 0, 0, NET, NET, 0)
            assert positions.of_seller(seller, on=last.due_on).confirmed == NET + 48_350
            assert Change.objects.filter(type="hold.released").count() == 1
            _agrees(last.due_on)

    def test_stays_through_arbitration_and_follows_its_decision(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            claim = _claim(disputed)
        _close(market, DUE)
        with tenancy.use(market.pk):
            before = Hold.objects.values("state", "reason", "taken").get()
            told = {"side": "seller", "reason": "사용 흔적", "by": None, "at": AT}
            claim = arbitrating.begin(claim, **told)
        _close(market, DUE + timedelta(days=3))
        with tenancy.use(market.pk):
            hold = Hold.objects.values("state", "reason", "taken").get()
            assert hold == before
            assert (hold["state"], hold["reason"], hold["taken"]) == ("placed", "claim", NET)
            chief = people.user("chief@example.org")
            decided = {"outcome": "rejected", "reason": "하자 없음", "by": chief, "at": AT}
            arbitrating.decide(claim, **decided)
        _close(market, DUE + timedelta(days=4))
        with tenancy.use(market.pk):
            assert Hold.objects.values_list("state", "taken").get() == ("released", 0)
            assert Statement.objects.latest("due_on").payout == NET

    def test_lets_go_of_a_sale_that_an_exchange_leaves_as_it_is(self, world):
        """Held until the replacement has arrived, and paid by the next statement: 96,700."""
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            claim = claims.approve(_claim(disputed, type="exchange"), by=None, at=AT)
            exchanging.collect(claim, by=None, at=AT)
        _close(market, DUE)
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == NET
            parcel = {"carrier": "cj", "tracking_number": "689123456784"}
            claim = exchanging.resend(claim, **parcel, by=None, at=AT)
        _close(market, DUE + timedelta(days=3))
        with tenancy.use(market.pk):
            assert Hold.objects.get().state == "placed"
            claims.complete(claim, by=None, at=datetime(2026, 9, 15, 3, tzinfo=UTC))
        _close(market, date(2026, 9, 15))
        with tenancy.use(market.pk):
            assert Hold.objects.get().state == "released"
            last = Statement.objects.latest("due_on")
            assert (last.lines, *_figures(last)) == (0, NET, 0, 0, NET, NET, 0)
            _agrees(last.due_on)

    def test_waits_for_no_reversal_of_an_exchange(self, world):
        """Let go by the next night, though the statement with the sale is still open."""
        market, _seller, disputed, _other = world
        told = {"by": None, "at": AT}
        with tenancy.use(market.pk):
            claim = exchanging.collect(
                claims.approve(_claim(disputed, type="exchange"), **told), **told
            )
        _close(market, SEP_8)
        with tenancy.use(market.pk):
            assert Hold.objects.get().state == "placed"
            parcel = {"carrier": "cj", "tracking_number": "689123456784"}
            claims.complete(exchanging.resend(claim, **parcel, **told), **told)
        _close(market, SEP_8 + timedelta(days=1))
        with tenancy.use(market.pk):
            assert (Hold.objects.get().state, Statement.objects.get().state) == (
                "released",
                "open",
            )

    def test_meets_what_its_completion_takes_back(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            claim = _claim(disputed)
        _close(market, DUE)
        with tenancy.use(market.pk):
            claim = claims.approve(claim, by=None, at=AT)
            claims.complete(claim, by=None, at=datetime(2026, 9, 14, 3, tzinfo=UTC))
        _close(market, date(2026, 9, 16))
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == NET  # not paid out before the return is settled
            assert Statement.objects.latest("due_on").state == "open"
        _close(market, date(2026, 9, 17))
        with tenancy.use(market.pk):
            hold = Hold.objects.get()
            assert (hold.state, hold.taken) == ("released", 0)
            last = Statement.objects.latest("due_on")
            assert (last.net, *_figures(last)) == (-NET, NET, 0, 0, 0, 0, 0)
            _agrees(date(2026, 9, 17))

    def test_of_a_paid_line_takes_from_later_statements_what_they_have(self, world):
        market, seller, disputed, _other = world
        _close(market, DUE)
        with tenancy.use(market.pk):
            _claim(disputed)
            make.sold(seller, number="O3", unit_price=50_000, category="gold", confirmed_on=DUE)
            make.sold(
                seller,
                number="O4",
                unit_price=100_000,
                category="gold",
                confirmed_on=date(2026, 9, 14),
            )
        _close(market, date(2026, 9, 17))
        with tenancy.use(market.pk):
            _paid, second, third = Statement.objects.order_by("due_on")
            assert _figures(second) == (0, NET, 48_350, 0, 0, 0)
            assert second.hold_unfilled == 48_350
            assert _figures(third) == (0, 48_350, 48_350, 48_350, 48_350, 0)
            _agrees(date(2026, 9, 17))

    def test_takes_nothing_before_its_line_is_due(self, world):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk):
            late = make.sold(seller, number="O3", unit_price=70_000, confirmed_on=date(2026, 9, 10))
            _claim(late)
        _close(market, DUE)
        with tenancy.use(market.pk):
            assert Hold.objects.get().taken == 0
            assert Statement.objects.get(due_on=DUE).payout == NET + 48_350

    def test_holds_no_line_that_is_not_confirmed(self, market):
        with tenancy.use(market.pk):
            line = make.placed(make.seller(), status="delivered", delivered_on=SEP_8)
            _claim(line)
        _close(market, SEP_8)
        with tenancy.use(market.pk):
            assert not Hold.objects.exists()


class TestHoldLine:
    def test_holds_once_what_several_hold_and_until_the_last_ends(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            claim = _claim(disputed)
            second = holding.hold_line(disputed, _terms(reason="document"), by=None, at=AT)
        _close(market, DUE)
        with tenancy.use(market.pk):
            assert SellerBalance.objects.get().held == NET
            claims.reject(claim, by=None, at=AT, reason="아님")
        _close(market, date(2026, 9, 14))
        with tenancy.use(market.pk):
            second.refresh_from_db()
            assert (second.taken, SellerBalance.objects.get().held) == (NET, NET)
            holding.release(second, reason="서류 확인", by=None, at=AT)
        _close(market, date(2026, 9, 15))
        with tenancy.use(market.pk):
            assert SellerBalance.objects.get().held == 0
            assert Statement.objects.latest("due_on").payout == NET
            moved = HoldMovement.objects.order_by("pk").values_list("taken", "released")
            assert list(moved) == [(NET, 0), (0, NET)]
            _agrees(date(2026, 9, 15))

    def test_holds_at_most_the_amount(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            holding.hold_line(disputed, _terms(), amount=10_000, by=None, at=AT)
        _close(market, DUE)
        with tenancy.use(market.pk):
            assert Statement.objects.get().hold_taken == 10_000


class TestHoldAmount:
    def test_ends_on_its_day_by_itself(self, world):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk):
            terms = _terms(condition="", release_on=date(2026, 9, 15))
            hold = holding.hold_amount(seller, 20_000, terms, by=None, at=AT)
        _close(market, date(2026, 9, 14))
        with tenancy.use(market.pk):
            hold.refresh_from_db()
            assert (hold.state, hold.taken) == ("placed", 20_000)
        _close(market, date(2026, 9, 15))
        with tenancy.use(market.pk):
            hold.refresh_from_db()
            assert (hold.state, hold.taken, hold.released_by) == ("released", 0, None)
            assert Statement.objects.latest("due_on").payout == 20_000
            entry = AuditEntry.objects.get(action="hold.released")
            assert (entry.actor, entry.object_key) == (None, str(hold.pk))

    def test_posts_what_it_keeps_beside_what_is_owed(self, world):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk):
            holding.hold_amount(seller, 20_000, _terms(), by=None, at=AT)
        _close(market, DUE)
        with tenancy.use(market.pk):
            held = LedgerEntry.objects.filter(seller_id=seller.pk, credit=20_000, debit=0)
            assert held.count() == 1

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"condition": ""}, holding.WayOutMissing),
            ({"release_on": date(2026, 9, 9)}, holding.EndsBeforeItBegins),
            ({"reason": "attachment"}, holding.CreditorMissing),
            ({"note": " "}, reasons.ReasonMissing),
        ],
    )
    def test_refuses_a_hold_without_reason_or_end(self, world, given, refusal):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk), pytest.raises(refusal):
            holding.hold_amount(seller, 1, _terms(**given), by=None, at=AT)

    def test_refuses_an_amount_of_nothing(self, world):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk), pytest.raises(verdicts.NotBetween):
            holding.hold_amount(seller, 0, _terms(), by=None, at=AT)


class TestPlace:
    def test_knows_the_seller_from_what_is_named(self, world):
        market, seller, disputed, _other = world
        with tenancy.use(market.pk):
            hold = holding.place(Asked(kind="line", terms=_terms(), line=disputed), by=None, at=AT)
            assert hold.seller == seller

    def test_refuses_what_is_another_sellers(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            asked = Asked(kind="line", terms=_terms(), line=disputed, seller=make.seller("B"))
            with pytest.raises(holding.NotOfSeller):
                holding.place(asked, by=None, at=AT)

    @pytest.mark.parametrize(
        ("kind", "names_seller", "refusal"),
        [
            ("line", False, holding.SellerMissing),
            ("line", True, holding.NothingNamed),
            ("exclusion", True, holding.StatementMissing),
        ],
    )
    def test_refuses_to_hold_nothing(self, world, kind, names_seller, refusal):
        market, seller, _disputed, _other = world
        asked = Asked(kind=kind, terms=_terms(), seller=seller if names_seller else None)
        with tenancy.use(market.pk), pytest.raises(refusal):
            holding.place(asked, by=None, at=AT)


class TestRelease:
    def test_leaves_a_claim_to_be_decided(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            _claim(disputed)
        _close(market, SEP_8)
        with tenancy.use(market.pk), pytest.raises(holding.OfOpenClaim):
            holding.release(Hold.objects.get(), reason="그냥", by=None, at=AT)

    def test_happens_once(self, world):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk):
            hold = holding.hold_amount(seller, 5, _terms(), by=None, at=AT)
            holding.release(hold, reason="확인", by=None, at=AT)
            with pytest.raises(states.IllegalMove):
                holding.release(hold, reason="확인", by=None, at=AT)
            assert Claim.objects.count() == 0


class TestPaymentBlocks:
    @pytest.fixture
    def payable(self, world):
        market, seller, _disputed, _other = world
        _close(market, DUE)
        with tenancy.use(market.pk):
            yield seller, Statement.objects.get()

    def test_names_nothing_where_nothing_is_held(self, payable):
        _seller, statement = payable
        assert holding.payment_blocks([statement.pk]) == {}
        assert holding.payment_blocks([]) == {}

    def test_names_the_hold_of_the_statement_or_of_its_seller(self, payable):
        seller, statement = payable
        of_seller = holding.hold_payment(seller, _terms(reason="bank"), by=None, at=AT)
        assert holding.payment_blocks([statement.pk]) == {statement.pk: of_seller}
        holding.hold_payment(seller, _terms(), statement=statement, by=None, at=AT)
        holding.release(of_seller, reason="계좌 확인", by=None, at=AT)
        [(_key, left)] = holding.payment_blocks([statement.pk]).items()
        assert left.statement == statement
        statement.refresh_from_db()
        assert (statement.state, statement.payout) == ("payable", NET + 48_350)

    def test_leaves_another_seller_alone(self, payable):
        _seller, statement = payable
        holding.hold_payment(make.seller("B"), _terms(), by=None, at=AT)
        assert holding.payment_blocks([statement.pk]) == {}

    def test_takes_two_people_to_exclude_and_to_come_back(self, payable):
        _seller, statement = payable
        first, second = people.user("a@example.org"), people.user("b@example.org")
        asked = Asked(kind="exclusion", terms=_terms(condition=""), statement=statement)
        assert holding.place(asked, by=first, at=AT) is None
        assert holding.payment_blocks([statement.pk]) == {}
        request = Approval.objects.get()
        with pytest.raises(approvals.SamePerson):
            approvals.approve(request, by=first, at=AT)
        approvals.approve(request, by=second, at=AT)
        exclusion = Hold.objects.get()
        assert holding.payment_blocks([statement.pk]) == {statement.pk: exclusion}
        with pytest.raises(holding.ByTwoPeople):
            holding.release(exclusion, reason="다시", by=first, at=AT)
        holding.ask_to_reverse(exclusion, reason="착오", by=second, at=AT)
        approvals.approve(Approval.objects.waiting().get(), by=first, at=AT)
        assert holding.payment_blocks([statement.pk]) == {}
        _agrees(DUE)

    def test_excludes_no_statement_that_pays_nothing(self, payable):
        _seller, statement = payable
        Statement.objects.filter(pk=statement.pk).update(state="closed")
        statement.refresh_from_db()
        with pytest.raises(holding.NotToBePaid):
            holding.ask_to_exclude(statement, reason="legal", note="소송", by=None, at=AT)


class TestSentinel:
    def test_counts_holds_without_an_end(self, world):
        market, seller, _disputed, _other = world
        with tenancy.use(market.pk):
            hold = holding.hold_amount(seller, 5, _terms(), by=None, at=AT)
            assert sentinels.watch(DUE, at=make.AT)[sentinels.HOLDS_STUCK] == 0
            Hold.objects.filter(pk=hold.pk).update(condition="")
            assert sentinels.watch(DUE, at=make.AT)[sentinels.HOLDS_STUCK] == 1
            Hold.objects.filter(pk=hold.pk).update(release_on=DUE)
            assert sentinels.watch(DUE - timedelta(days=1), at=make.AT)[sentinels.HOLDS_STUCK] == 0
            assert sentinels.watch(DUE, at=make.AT)[sentinels.HOLDS_STUCK] == 1

    def test_counts_statements_that_differ_from_their_holds(self, world):
        market, _seller, disputed, _other = world
        with tenancy.use(market.pk):
            _claim(disputed)
        _close(market, DUE)
        with tenancy.use(market.pk):
            assert sentinels.watch(DUE, at=make.AT)[sentinels.HOLDS_DIFFER] == 0
            Statement.objects.update(hold_taken=NET - 1, payable=48_351, payout=48_351)
            assert sentinels.watch(DUE, at=make.AT)[sentinels.HOLDS_DIFFER] == 1


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_a_release_waits_for_the_statement_that_is_closing(self):
        market = make.market(first_open_on=SEP_8)
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), unit_price=100_000, category="gold")
            first = holding.hold_line(line, _terms(), by=None, at=AT)
            second = holding.hold_line(line, _terms(reason="document"), by=None, at=AT)
        _close(market, DUE - timedelta(days=1))

        def release():
            try:
                with tenancy.use(market.pk):
                    holding.release(first, reason="확인", by=None, at=AT)
            finally:
                connections.close_all()

        thread = threading.Thread(target=release)
        with tenancy.use(market.pk):
            nights._open_months(DUE)
            statements.close_due(on=DUE, first_seller=0, end_seller=2**62, at=AT)
            thread.start()
            thread.join(timeout=0.5)
            assert thread.is_alive()
        thread.join(timeout=10)
        with tenancy.use(market.pk):
            found = {hold.pk: (hold.state, hold.taken) for hold in Hold.objects.all()}
            assert found == {first.pk: ("released", 0), second.pk: ("placed", NET)}
            assert SellerBalance.objects.get().held == NET
