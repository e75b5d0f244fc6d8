from datetime import UTC, date, datetime, timedelta

import pytest

from insights import desk
from marketplace import approvals, jobs, paging, tenancy, versions
from marketplace.models import JobRun, JobShard, LegalIdentity, Membership
from marketplace.models.jobs import MAX_ATTEMPTS
from marketplace.tests import make as floor
from orders.models import Arbitration, Claim, OrderLine
from orders.tests import make as orders
from sellers.models import BusinessStatus, Seller
from settlements.models import (
    DayClose,
    Discrepancy,
    Hold,
    LedgerDifference,
    MissingFile,
    Payout,
    PayoutBatch,
    PayoutException,
    PayoutPolicy,
    SellerLetter,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

AT = make.AT
CLOSED_ON = date(2026, 9, 14)
QUERIES = 15  # the front page with its money; session, user and rights take six of them
EXPECTED = {
    "applications": 2,
    "reviews": 1,
    "blocked": 1,
    "claims": 3,
    "arbitrations": 1,
    "statements": 2,
    "holds": 1,
    "payouts": 1,
    "results": 1,
    "businesses": 1,
    "payout_exceptions": 1,
    "discrepancies": 1,
    "missing_files": 1,
    "ledger_differences": 1,
    "bank_rows": 1,
    "days": 2,
    "tax_invoices": 1,
    "letters": 2,
    "approvals": 1,
    "jobs": 2,
    "sentinels": 1,
}


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        type(market).objects.filter(pk=market.pk).update(last_closed_on=CLOSED_ON)
    market.refresh_from_db()
    return market


@pytest.fixture
def operator(market):
    user = floor.user()
    floor.membership(market, user)
    return user


@pytest.fixture
def work(market, operator):
    """What waits in each queue, and beside each of it a row that does not."""
    with tenancy.use(market.pk):
        seller = _sellers()
        _businesses(seller)
        _listings(seller)
        _claims(seller)
        _statements(seller)
        _holds(seller)
        _payouts(seller)
        make.tax_invoice(seller)
        make.tax_invoice(seller, state="transmitted", kind="exempt", vat=0)
        for state in ("waiting", "unsaid", "failed", "unknown"):
            SellerLetter.objects.create(seller=seller, state=state, due_at=AT)
        _jobs()
        _books()
        draft = versions.draft(LegalIdentity, valid_from=date(2027, 1, 1), by=None, company="장터")
        approvals.ask("publish_legal_identity", draft, by=operator, at=AT, reason="moved")


@pytest.fixture
def at_work(client, operator, market):
    client.force_login(operator)
    client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
    return client


def _sellers():
    for number, state in enumerate(["onboarding", "onboarding", "terminated"]):
        Seller.objects.create(
            code=f"N{number}", name="New", state=state, joined_on=date(2026, 9, 10 + number)
        )
    return make.seller()


def _businesses(seller):
    BusinessStatus.objects.create(seller=seller, number="1208800767", failed_at=AT)
    answered = {"status": "operating", "since": AT, "answered_at": AT}
    BusinessStatus.objects.create(
        seller=Seller.objects.get(code="N2"), number="1208800768", **answered
    )


def _listings(seller):
    listing = orders.listing(seller)
    for number, state in enumerate(["approved", "blocked", "draft", "submitted"], 1):
        listing.revisions.create(
            number=number,
            title=state,
            unit_price=1,
            state=state,
            submitted_at=AT if state == "submitted" else None,
        )


def _claims(seller):
    line = make.placed(seller, status=OrderLine.Status.DELIVERED)
    for hours, state in enumerate(["requested", "approved", "rejected", "arbitration"]):
        claim = Claim.objects.create(
            line=line,
            seller=seller,
            type=Claim.Type.RETURN,
            fault=Claim.Fault.BUYER,
            quantity=1,
            state=state,
            requested_at=AT + timedelta(hours=hours),
        )
    Arbitration.objects.create(
        claim=claim,
        state_before="requested",
        side="seller",
        reason="포장 훼손",
        opened_at=AT + timedelta(days=1),
    )


def _statements(seller):
    for due_on in (CLOSED_ON, CLOSED_ON + timedelta(days=1), CLOSED_ON + timedelta(days=2)):
        Statement.objects.create(seller=seller, due_on=due_on)


def _holds(seller):
    held = {"kind": "line", "reason": "manual", "amount": 1, "placed_at": AT, "seller": seller}
    Hold.objects.create(**held, release_on=CLOSED_ON)
    Hold.objects.create(**held, release_on=CLOSED_ON + timedelta(days=1))
    Hold.objects.create(**held, release_on=CLOSED_ON, state="released", released_at=AT)


def _payouts(seller):
    """One batch to approve, and of three payouts one whose result is late."""
    account = make.account(seller)
    batch = PayoutBatch.objects.create(
        on=CLOSED_ON, policy=PayoutPolicy.objects.get(), state="prepared", prepared_at=AT
    )
    for state, days in (("prepared", None), ("unknown", 0), ("unknown", 1)):
        due_on = None if days is None else CLOSED_ON + timedelta(days=days)
        Payout.objects.create(
            batch=batch,
            seller=seller,
            amount=1,
            account=account,
            bank="088",
            number=b"",
            state=state,
            sent_at=due_on and AT,
            result_due_on=due_on,
        )
    batch.pk, batch.public_id, batch.state = None, "pob_2", "completed"
    batch.save()
    for state, at in (("open", None), ("resolved", AT)):
        PayoutException.objects.create(kind="unknown_id", raised_at=AT, state=state, resolved_at=at)


def _jobs():
    failed = jobs.begin("import", "broken", at=AT)
    jobs.fail(failed, "no such column", at=AT + timedelta(hours=1))
    parked = jobs.begin("night.settle", CLOSED_ON.isoformat(), at=AT, on=CLOSED_ON)
    JobShard.objects.create(
        job=parked, number=0, first_key=0, end_key=9, attempts=MAX_ATTEMPTS, weight=1
    )
    jobs.begin("import", "under way", at=AT)
    for on, found in ((CLOSED_ON, 3), (CLOSED_ON - timedelta(days=1), 3)):
        check = jobs.begin("night.check", on.isoformat(), at=AT, on=on)
        jobs.finish(check, at=AT, counts={"waiting_outcomes": 0, "overdue_statements": found})


def _books():
    for number, state in enumerate(["open", "resolved"]):
        Discrepancy.objects.create(
            kind="missing_here",
            side="payment",
            provider_id=f"P{number}",
            expected=0,
            found=1,
            difference=1,
            found_on=CLOSED_ON,
            state=state,
        )
        LedgerDifference.objects.create(
            statement=Statement.objects.first(),
            account=state,
            expected=10,
            found=7,
            difference=-3,
            found_on=CLOSED_ON,
            state=state,
        )
        make.bank_row(-900 if state == "open" else 1_000, state=state)
        MissingFile.objects.create(
            provider="standard",
            day=CLOSED_ON - timedelta(days=9 + number),
            payments=2,
            amount=700,
            found_on=CLOSED_ON,
            state=state,
        )
    for number, state in enumerate(["open", "open", "asked", "signed"]):
        DayClose.objects.create(day=CLOSED_ON - timedelta(days=number), state=state)


@pytest.fixture
def limit(monkeypatch):
    """Sets up to how many are counted."""

    def limit(most):
        monkeypatch.setattr(paging, "MOST_COUNTED", most)
        desk._asked.cache_clear()

    yield limit
    desk._asked.cache_clear()


class TestWaiting:
    def test_counts_what_waits_and_nothing_else(self, market, operator, work):
        with tenancy.use(market.pk):
            found = desk.waiting(market, operator)
        assert {row.code: row.count for row in found} == EXPECTED

    def test_tells_since_when_the_oldest_waits(self, market, operator, work):
        with tenancy.use(market.pk):
            found = {row.code: row for row in desk.waiting(market, operator, with_oldest=True)}
        assert found["claims"].oldest == AT
        assert found["arbitrations"].oldest == AT + timedelta(days=1)
        assert found["jobs"].oldest == AT
        assert found["statements"].oldest == datetime(2026, 9, 14, tzinfo=UTC)

    def test_tells_how_much_money_waits(self, market, operator, work):
        with tenancy.use(market.pk):
            found = {row.code: row for row in desk.waiting(market, operator, with_oldest=True)}
            exceptions = PayoutException.objects.filter(state="open")
            [(expected, told)] = exceptions.values_list("expected", "found")
        assert found["discrepancies"].amount == 1
        assert found["ledger_differences"].amount == 3
        assert found["missing_files"].amount == 700
        assert found["bank_rows"].amount == 900
        assert found["payout_exceptions"].amount == abs((told or 0) - (expected or 0))
        assert found["claims"].amount is None

    def test_shows_empty_queues_too(self, market, operator):
        with tenancy.use(market.pk):
            found = desk.waiting(market, operator, with_oldest=True)
        assert {row.code: (row.count, row.oldest) for row in found} == dict.fromkeys(
            EXPECTED, (0, None)
        )

    def test_is_silent_about_a_good_night(self, market):
        with tenancy.use(market.pk):
            check = jobs.begin("night.check", CLOSED_ON.isoformat(), at=AT, on=CLOSED_ON)
            jobs.finish(check, at=AT, counts={"waiting_outcomes": 0})
            assert not JobRun.objects.sentinels_raised(CLOSED_ON).exists()

    def test_asks_one_query(self, market, operator, work, django_assert_num_queries):
        with tenancy.use(market.pk):
            operator.has_perm("sellers.view_seller")
            with django_assert_num_queries(1):
                desk.waiting(market, operator, with_oldest=True)

    def test_counts_up_to_a_limit(self, market, operator, work, limit):
        limit(1)
        with tenancy.use(market.pk):
            found = {row.code: row for row in desk.waiting(market, operator, with_oldest=True)}
        assert {row.code: row.count for row in found.values()} == EXPECTED | {"claims": 2}
        assert found["claims"].oldest == AT
        limit(0)
        with tenancy.use(market.pk):
            found = {row.code: row for row in desk.waiting(market, operator, with_oldest=True)}
        assert {row.count for row in found.values()} == {1}
        assert found["claims"].oldest == AT  # the longest wait is the one that is counted

    def test_tells_a_stranger_nothing(self, market, work):
        stranger = floor.user("stranger@example.org")
        floor.membership(floor.marketplace("theirs"), stranger)
        with tenancy.use(market.pk):
            assert desk.waiting(market, stranger) == []


class TestFrontPage:
    def test_links_each_queue_to_exactly_its_rows(self, at_work, work):
        shown = at_work.get("/admin/").context["queues"]
        assert {row["queue"].code: row["queue"].count for row in shown} == EXPECTED
        for row in shown:
            listed = at_work.get(row["queue"].address)
            assert listed.status_code == 200, row["queue"].code
            assert listed.context["cl"].result_count == row["queue"].count, row["queue"].code

    def test_shows_where_it_stopped_counting(self, at_work, work, limit):
        limit(1)
        text = " ".join(at_work.get("/admin/").content.decode().split())
        assert '<strong class="figure">1+</strong>' in text
        assert '<strong class="figure">2</strong>' not in text

    def test_costs_the_same_however_much_waits(
        self, at_work, market, work, django_assert_num_queries
    ):
        at_work.get("/admin/")
        with django_assert_num_queries(QUERIES):
            at_work.get("/admin/")
        with tenancy.use(market.pk):
            Seller.objects.bulk_create(
                Seller(code=f"M{n}", name="Many", joined_on=date(2026, 9, 1)) for n in range(300)
            )
        with django_assert_num_queries(QUERIES):
            answer = at_work.get("/admin/")
        assert answer.context["queues"][0]["queue"].count == 302

    def test_says_what_comes_first_in_a_new_marketplace(self, client, operator):
        fresh = make.market("fresh")
        floor.membership(fresh, operator, Membership.Role.VIEWER)
        client.force_login(operator)
        client.post("/admin/choose-marketplace/", {"marketplace": "fresh"})
        content = client.get("/admin/", HTTP_ACCEPT_LANGUAGE="en").content.decode()
        assert "Nothing has been settled yet" in content
        assert "The first night closes Sept. 1, 2026" in content

    def test_offers_the_choice_where_no_marketplace_is_chosen(self, client, operator, market):
        other = floor.marketplace("other")
        floor.membership(other, operator)
        client.force_login(operator)
        answer = client.get("/admin/")
        assert set(answer.context["marketplaces"]) == {market, other}
        assert "queues" not in answer.context

    def test_shows_a_stranger_nothing(self, client, market, work):
        client.force_login(floor.user("stranger@example.org"))
        answer = client.get("/admin/")
        assert not answer.context["marketplaces"]
        assert "queues" not in answer.context
