"""Claims that the marketplace decides: who may, what stops meanwhile, and what comes of them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace import approvals, reasons, states
from marketplace.models import Approval, AuditEntry, Change, Marketplace
from orders import (
    arbitrating,
    claim_deadlines,
    claims,
    evidence,
    exchanging,
    goodwill,
)
from orders.models import Arbitration, Claim, Evidence, OrderLine, Outcome
from orders.tests import make
from orders.tests.test_exchanging import sent, walked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]
State, Status = Claim.State, OrderLine.Status
STEPS = ("approve", "collect", "resend", "reject", "withdraw", "complete", "begin")
STEPS += ("completed", "rejected", "resumed")
PNG = b"\x89PNG\r\n\x1a\nwhat it shows"


@pytest.fixture
def clerk():
    return make.user("clerk@example.org")


@pytest.fixture
def chief():
    return make.user("chief@example.org")


def asked(quantity=1, kind="return", lines=3, **fields):
    [line] = make.delivered(make.line(quantity=lines))
    fields = {"fault": "buyer", "by": None, **fields}
    return claims.request(line, type=kind, quantity=quantity, at=make.day(5), **fields)


def begin(claim, by, *, day=6, **said):
    said = {"side": "seller", "reason": "worn for days", **said}
    return arbitrating.begin(claim, by=by, at=make.day(day), **said)


def decide(claim, by, outcome, *, day=9, **said):
    said = {"reason": "the pictures show it", **said}
    return arbitrating.decide(claim, outcome=outcome, by=by, at=make.day(day), **said)


def file(name="a.png", content=PNG):
    return SimpleUploadedFile(name, content)


class TestBegin:
    def test_stops_the_claim_and_tells(self, clerk):
        claim = begin(asked(), clerk)
        assert Claim.objects.get().state == claim.state == State.ARBITRATION
        row = Arbitration.objects.get()
        assert (row.claim, row.state_before, row.side) == (claim, "requested", "seller")
        assert (row.reason, row.opened_by, row.opened_at) == ("worn for days", clerk, make.day(6))
        [change] = Change.objects.filter(type="claim.arbitration")
        assert (change.object_id, change.seller_id) == (claim.public_id, claim.seller_id)
        entry = AuditEntry.objects.get(action="claim.arbitration")
        assert (entry.actor, entry.reason) == (clerk, "worn for days")

    def test_keeps_the_units_and_the_clock_of_the_line(self, clerk):
        claim = begin(asked(2), clerk)
        assert claims.claimable(claim.line) == 1
        assert not OrderLine.objects.due_for_confirmation(make.on(30)).exists()

    def test_says_why(self, clerk):
        with pytest.raises(reasons.ReasonMissing):
            begin(asked(), clerk, reason=" ")

    def test_is_refused_of_what_is_decided_or_in_arbitration(self, clerk):
        claim = begin(asked(), clerk)
        with pytest.raises(states.IllegalMove):
            begin(claim, clerk)
        claim = decide(claim, make.user("chief@example.org"), "rejected")
        with pytest.raises(states.IllegalMove):
            begin(claim, clerk)
        assert Arbitration.objects.count() == 1

    def test_leaves_no_deadline(self, clerk):
        claim = begin(asked(), clerk)
        claim_deadlines.add_to([claim], at=make.day(30))
        assert (claim.answer_by, claim.is_overdue, claim.waited_days) == (None, False, 25)


class TestSay:
    def test_keeps_words_and_sealed_files_of_both_sides(self, clerk):
        claim = begin(asked(), clerk)
        for side in ("seller", "buyer"):
            words = {"side": side, "text": f" {side} ", "files": [file("사진.png")]}
            arbitrating.say(claim, **words, by=clerk, at=make.day(7))
        [row] = arbitrating.of_claim(claim)
        said = [(one.side, one.text) for one in row.statements.all()]
        assert said == [("seller", "seller"), ("buyer", "buyer")]
        kept = Evidence.objects.first()
        assert (kept.name, kept.kind, kept.size) == ("사진.png", "image/png", len(PNG))
        assert b"what it shows" not in bytes(kept.content)
        assert evidence.content(kept) == PNG
        assert Change.objects.filter(type="claim.statement_added").count() == 2

    @pytest.mark.parametrize(
        ("files", "refusal"),
        [
            ([file("a.html", b"<script>")], evidence.NoEvidence),
            ([file("a.png", PNG + b"0" * 5_000_000)], evidence.FileTooLarge),
            ([file()] * 6, evidence.TooManyFiles),
        ],
    )
    def test_refuses_files_that_nobody_can_look_at(self, clerk, files, refusal):
        claim = begin(asked(), clerk)
        with pytest.raises(refusal) as refused, transaction.atomic():
            arbitrating.say(claim, side="buyer", text="look", files=files, by=clerk, at=make.day(7))
        assert refused.value.params["field"] == "files"
        assert not Evidence.objects.exists()

    def test_has_a_limit_of_files_in_all(self, clerk):
        claim = begin(asked(), clerk)
        said = {"side": "buyer", "text": "look", "by": clerk, "at": make.day(7)}
        for _ in range(4):
            arbitrating.say(claim, files=[file() for _ in range(5)], **said)
        with pytest.raises(evidence.TooManyFiles):
            arbitrating.say(claim, files=[file()], **said)

    def test_is_refused_where_nothing_is_disputed(self, clerk):
        with pytest.raises(arbitrating.NotInArbitration):
            arbitrating.say(asked(), side="buyer", text="x", by=clerk, at=make.day(7))


class TestDecide:
    def test_is_for_somebody_else_than_who_opened_it(self, clerk, chief):
        claim = begin(asked(), clerk)
        with pytest.raises(arbitrating.OpenedByYourself), transaction.atomic():
            decide(claim, clerk, "rejected")
        assert decide(claim, chief, "rejected").state == State.REJECTED
        row = Arbitration.objects.get()
        assert (row.outcome, row.decided_by, row.decided_at) == ("rejected", chief, make.day(9))

    def test_is_for_one_where_the_marketplace_does_without_a_second_person(self, market, clerk):
        Marketplace.objects.filter(pk=market.pk).update(needs_second_person=False)
        market.refresh_from_db()
        claim = begin(asked(), clerk)
        assert decide(claim, clerk, "resumed").state == State.REQUESTED

    def test_says_why(self, clerk, chief):
        with pytest.raises(reasons.ReasonMissing):
            decide(begin(asked(), clerk), chief, "rejected", reason="")

    def test_is_made_once(self, clerk, chief):
        claim = begin(asked(), clerk)
        decide(claim, chief, "resumed")
        with pytest.raises(arbitrating.NotInArbitration):
            decide(claim, chief, "rejected")

    @pytest.mark.parametrize("is_agreed", [False, True])
    def test_takes_units_back_as_any_completion_does(self, clerk, chief, is_agreed):
        claim = asked(2)
        if is_agreed:
            claim = claims.approve(claim, by=None, at=make.day(6))
        make.told(make.event("confirmed", 7))
        said = {"fault": "seller", "quantity": 1, "return_cost": 3_000, "paid": "charged"}
        claim = decide(begin(claim, clerk), chief, "completed", **said)
        claim.refresh_from_db()
        assert (claim.state, claim.fault, claim.quantity) == ("completed", "seller", 1)
        assert (claim.return_cost, claim.shipping_paid) == (3_000, "charged")
        assert (claim.completed_on, OrderLine.objects.get().units_left) == (make.on(9), 2)
        assert Outcome.objects.get(sequence=1).cause == "return"
        assert Change.objects.filter(type="claim.completed").count() == 1
        assert Change.objects.filter(type="claim.arbitrated").count() == 1

    def test_rejected_leaves_the_line_as_it_was(self, clerk, chief):
        claim = asked(2)
        before = OrderLine.objects.values().get()
        claim = decide(begin(claim, clerk), chief, "rejected")
        assert (claim.state, claim.answer) == ("rejected", "the pictures show it")
        after = OrderLine.objects.values().get()
        assert after | {"confirm_due_on": None} == before | {"confirm_due_on": None}
        assert after["confirm_due_on"] is not None

    def test_resumed_goes_on_where_it_stood_with_its_days_anew(self, clerk, chief):
        claim = decide(begin(asked(), clerk), chief, "resumed", day=20)
        claim_deadlines.add_to([claim], at=make.day(20))
        fresh = claims.request(
            claim.line, type="return", quantity=1, fault="buyer", by=None, at=make.day(20)
        )
        claim_deadlines.add_to([fresh], at=make.day(20))
        assert (claim.state, claim.is_overdue) == ("requested", False)
        assert claim.answer_by == fresh.answer_by

    def test_grants_goodwill_by_a_second_person_for_goods_that_stay(self, clerk, chief):
        claim = asked()
        make.told(make.event("confirmed", 7))
        said = {"amount": 1_000, "funder": "seller"}
        claim = decide(begin(claim, clerk), chief, "goodwill", **said)
        assert (claim.state, goodwill.of_line(claim.line)) == ("rejected", [])
        approvals.approve(Approval.objects.get(), by=clerk, at=make.day(10))
        [granted] = goodwill.of_line(claim.line)
        assert (granted.amount, granted.funder) == (1_000, "seller")

    def test_of_goodwill_needs_an_amount_and_a_sale(self, clerk, chief):
        claim = begin(asked(), clerk)
        with pytest.raises(arbitrating.AmountMissing), transaction.atomic():
            decide(claim, chief, "goodwill")
        with pytest.raises(goodwill.NothingToReduce), transaction.atomic():
            decide(claim, chief, "goodwill", amount=1_000, funder="seller")
        claim.refresh_from_db()
        assert claim.state == State.ARBITRATION

    @pytest.mark.parametrize("before", [State.REQUESTED, State.APPROVED, State.COLLECTED])
    def test_makes_a_return_of_an_exchange_and_completes_it(self, clerk, chief, before):
        [line] = make.delivered(make.line(quantity=3))
        claim = decide(begin(walked(line, before), clerk, day=8), chief, "completed")
        assert (claim.type, claim.state) == ("return", "completed")
        assert OrderLine.objects.get().units_left == 2

    def test_completes_an_exchange_whose_replacement_was_sent(self, clerk, chief):
        [line] = make.delivered(make.line(quantity=3))
        claim = begin(walked(line, State.REDELIVERING), clerk, day=8)
        with pytest.raises(states.IllegalMove), transaction.atomic():
            decide(claim, chief, "rejected")
        claim = decide(claim, chief, "completed", fault="carrier")
        claim.refresh_from_db()
        assert (claim.type, claim.state, claim.fault) == ("exchange", "completed", "carrier")
        assert OrderLine.objects.get().units_left == 3

    @settings(max_examples=25, deadline=None)
    @given(
        kind=st.sampled_from(["return", "exchange"]),
        steps=st.lists(
            st.sampled_from(STEPS),
            max_size=9,
        ),
    )
    def test_however_mixed_never_take_more_than_there_is(self, kind, steps):
        """Nothing but a decision leads out of an arbitration, and back it leads where it was."""
        with transaction.atomic():
            clerk, chief = make.user("clerk@example.org"), make.user("chief@example.org")
            claim = asked(1, kind, lines=2)
            told = {"by": clerk, "at": make.day(8)}
            step_of = {
                "approve": lambda: claims.approve(claim, **told),
                "collect": lambda: exchanging.collect(claim, **told),
                "resend": lambda: sent(claim),
                "reject": lambda: claims.reject(claim, **told),
                "withdraw": lambda: claims.withdraw(claim, **told),
                "complete": lambda: claims.complete(claim, **told),
                "begin": lambda: begin(claim, clerk),
            }
            for step in steps:
                before = Claim.objects.get()
                try:
                    with transaction.atomic():
                        if step in step_of:
                            step_of[step]()
                        else:
                            decide(claim, chief, step)
                except (states.IllegalMove, arbitrating.NotInArbitration):
                    assert Claim.objects.get().state == before.state
                    continue
                is_decided = step in ("completed", "rejected", "resumed")
                assert (before.state == State.ARBITRATION) == is_decided
                if step == "resumed":
                    last = Arbitration.objects.latest("pk")
                    assert Claim.objects.get().state == last.state_before
            claim, line = Claim.objects.get(), OrderLine.objects.get()
            is_taken_back = (claim.type, claim.state) == ("return", "completed")
            assert line.units_left == 2 - is_taken_back
            kept = claim.quantity if claim.state in Claim.OPEN_STATES else 0
            assert claims.claimable(line) == line.units_left - kept
            is_open = Arbitration.objects.open().exists()
            assert is_open == (claim.state == State.ARBITRATION)
            transaction.set_rollback(True)
