from datetime import timedelta

import pytest

from marketplace import approvals, tenancy, versions
from marketplace.models import Approval, LegalIdentity, Marketplace, User
from marketplace.tests import make

pytestmark = pytest.mark.django_db

IDENTITIES = "/admin/marketplace/legalidentity/"
APPROVALS = "/admin/marketplace/approval/"
State = Approval.State


@pytest.fixture
def markets(db):
    return make.marketplace("ours"), make.marketplace("theirs")


@pytest.fixture
def enter(client, markets):
    """Log somebody in and enter a marketplace; returns the client."""

    def enter(name, role="owner", market=None):
        market = market or markets[0]
        user = User.objects.filter(email=f"{name}@example.org").first()
        if user is None:
            user = make.user(f"{name}@example.org")
            make.membership(market, user, role)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        return client

    return enter


@pytest.fixture
def version(markets):
    with tenancy.use(markets[0].pk):
        return versions.draft(LegalIdentity, valid_from=make.FIRST_OPEN_ON, by=None, company="장터")


@pytest.fixture
def asked(enter, version, markets):
    enter("asker").post(f"{IDENTITIES}{version.pk}/ask/", {"reason": "New address"})
    with tenancy.use(markets[0].pk):
        return Approval.objects.get()


def stored(market, row):
    with tenancy.use(market.pk):
        return type(row).objects.get(pk=row.pk)


def decide(client, approval, decision, reason="Looked at it"):
    page = f"{APPROVALS}{approval.pk}/change/"
    return client.post(page, {"decision": decision, "reason": reason}, follow=True)


class TestAsking:
    def test_begins_with_a_form_for_the_reason(self, enter, version, markets):
        page = enter("asker").get(f"{IDENTITIES}{version.pk}/ask/")
        assert page.status_code == 200
        assert "second person approves" in page.content.decode()
        with tenancy.use(markets[0].pk):
            assert not Approval.objects.exists()

    def test_needs_a_reason(self, enter, version, markets):
        page = enter("asker").post(f"{IDENTITIES}{version.pk}/ask/", {"reason": " "})
        assert page.status_code == 422
        assert page.context["form"].errors
        with tenancy.use(markets[0].pk):
            assert not Approval.objects.exists()

    def test_leaves_a_request(self, asked, version, markets):
        assert (asked.state, asked.reason, asked.object_key) == (
            State.ASKED,
            "New address",
            str(version.pk),
        )
        assert stored(markets[0], version).state == "draft"

    def test_works_for_a_selection(self, enter, version, markets):
        client = enter("asker")
        selection = {"action": "ask", "_selected_action": [version.pk]}
        form = client.post(IDENTITIES, selection)
        assert [row["version"] for row in form.context["versions"]] == [version]
        client.post(IDENTITIES, {**selection, "reason": "New address"})
        with tenancy.use(markets[0].pk):
            assert Approval.objects.get().subject == str(version)

    def test_says_why_it_is_refused(self, enter, asked, version):
        page = f"{IDENTITIES}{version.pk}/ask/"
        answer = enter("another").post(page, {"reason": "Again"}, follow=True)
        *_, message = answer.context["messages"]
        assert "already waits" in str(message)

    @pytest.mark.parametrize("role", ["finance", "reviewer", "support", "viewer"])
    def test_needs_the_right_to_change_the_rule(self, enter, version, markets, role):
        client = enter(role, role)
        assert client.get(f"{IDENTITIES}{version.pk}/ask/").status_code == 403
        answer = client.post(f"{IDENTITIES}{version.pk}/ask/", {"reason": "Mine"})
        assert answer.status_code == 403
        with tenancy.use(markets[0].pk):
            assert not Approval.objects.exists()

    def test_finds_nothing_of_another_marketplace(self, enter, version, markets):
        client = enter("stranger", market=markets[1])
        page = f"{IDENTITIES}{version.pk}/ask/"
        assert client.get(page).status_code == 404
        assert client.post(page, {"reason": "Mine"}).status_code == 404
        client.post(
            IDENTITIES, {"action": "ask", "_selected_action": [version.pk], "reason": "Mine"}
        )
        with tenancy.use(markets[0].pk):
            assert not Approval.objects.exists()


class TestDeciding:
    def test_publishes_when_another_person_approves(self, enter, asked, version, markets):
        decide(enter("decider"), asked, "approve")
        assert stored(markets[0], asked).state == State.APPROVED
        assert stored(markets[0], version).state == "published"

    def test_offers_nothing_to_decide_to_the_person_who_asked(self, enter, asked, markets):
        client = enter("asker")
        page = client.get(f"{APPROVALS}{asked.pk}/change/")
        assert (page.context["may_decide"], page.context["may_withdraw"]) == (False, True)
        answer = decide(client, asked, "approve")
        [message] = answer.context["messages"]
        assert "Another person has to" in str(message)
        assert stored(markets[0], asked).state == State.ASKED

    def test_refuses_with_a_reason_only(self, enter, asked, markets):
        client = enter("decider")
        assert decide(client, asked, "refuse", "").status_code == 422
        assert stored(markets[0], asked).state == State.ASKED
        decide(client, asked, "refuse", "Wrong company")
        approval = stored(markets[0], asked)
        assert (approval.state, approval.decision) == (State.REFUSED, "Wrong company")

    def test_withdraws_for_the_person_who_asked(self, enter, asked, markets):
        decide(enter("asker"), asked, "withdraw", "")
        assert stored(markets[0], asked).state == State.WITHDRAWN

    def test_knows_no_other_decision(self, enter, asked, markets):
        assert decide(enter("decider"), asked, "_carry_out").status_code == 403
        assert stored(markets[0], asked).state == State.ASKED

    @pytest.mark.parametrize("role", ["finance", "reviewer", "support", "viewer"])
    def test_needs_the_right_and_lets_others_look(self, enter, asked, markets, role):
        client = enter(role, role)
        page = client.get(f"{APPROVALS}{asked.pk}/change/")
        assert (page.status_code, page.context["may_decide"]) == (200, False)
        assert decide(client, asked, "approve").status_code == 403
        assert stored(markets[0], asked).state == State.ASKED

    def test_finds_nothing_of_another_marketplace(self, enter, asked, markets):
        client = enter("stranger", market=markets[1])
        assert client.get(f"{APPROVALS}{asked.pk}/change/").status_code == 404
        assert decide(client, asked, "approve").status_code == 404
        assert stored(markets[0], asked).state == State.ASKED

    def test_shows_a_reason_as_text(self, enter, markets, version):
        with tenancy.use(markets[0].pk):
            approval = approvals.ask(
                "publish_legal_identity",
                version,
                by=make.user("writer@example.org"),
                at=make.NOON,
                reason="<script>alert(1)</script>",
            )
        page = enter("decider").get(f"{APPROVALS}{approval.pk}/change/").content.decode()
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page


class TestTheList:
    def test_shows_what_waits_first(self, enter, asked, markets):
        with tenancy.use(markets[0].pk):
            later = versions.draft(
                LegalIdentity, valid_from=make.FIRST_OPEN_ON, by=None, company="둘째"
            )
            decided = approvals.ask(
                "publish_legal_identity",
                later,
                by=asked.asked_by,
                at=asked.asked_at + timedelta(hours=1),
                reason="Later",
            )
            approvals.withdraw(decided, by=asked.asked_by, at=make.NOON)
        page = enter("decider").get(APPROVALS)
        assert [row.state for row in page.context["cl"].result_list] == [
            State.ASKED,
            State.WITHDRAWN,
        ]

    def test_asks_the_same_for_many_rows(self, enter, asked, markets, django_assert_num_queries):
        client = enter("decider")
        client.get(APPROVALS)
        with django_assert_num_queries(12):
            client.get(APPROVALS)
        with tenancy.use(markets[0].pk):
            Approval.objects.bulk_create(
                Approval(
                    kind="publish_legal_identity",
                    object_type="marketplace.legalidentity",
                    object_key=str(number),
                    subject="v1",
                    reason="Many",
                    asked_by=asked.asked_by,
                    asked_at=make.NOON,
                )
                for number in range(10**6, 10**6 + 60)
            )
        with django_assert_num_queries(12):
            client.get(APPROVALS)


class TestTheMarketplace:
    def test_leaves_the_second_person_to_a_live_one(self, enter, markets):
        with tenancy.use(markets[0].pk):
            Marketplace.objects.filter(pk=markets[0].pk).update(state="live")
        page = f"/admin/marketplace/marketplace/{markets[0].pk}/change/"
        enter("asker").post(
            page,
            {
                "name": "Renamed",
                "locale": "ko",
                "closing_hour": 2,
                "provider_file_days": 7,
                "resident_number_years": 5,
            },
        )
        markets[0].refresh_from_db()
        assert (markets[0].name, markets[0].needs_second_person) == ("Renamed", True)
