import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from marketplace import audit, jobs, outbox, paging, tenancy, versions
from marketplace.admin import HIDDEN, TenantAdmin, money_column, state_column
from marketplace.middleware import SESSION_KEY
from marketplace.models import (
    AuditEntry,
    JobRow,
    JobRun,
    LegalIdentity,
    Marketplace,
    OutboxMessage,
)
from marketplace.tests import make

pytestmark = pytest.mark.django_db

CHOOSE = "/admin/choose-marketplace/"
SETTINGS = {
    "name": "Renamed",
    "locale": "ko",
    "closing_hour": 2,
    "provider_file_days": 7,
    "resident_number_years": 5,
}
JOBS = "/admin/marketplace/jobrun/"
USERS = "/admin/marketplace/user/"
IDENTITIES = "/admin/marketplace/legalidentity/"
TENANT_ADMINS = [a for a in admin.site._registry.values() if isinstance(a, TenantAdmin)]


@pytest.fixture
def markets(db):
    ours, theirs = make.marketplace("ours"), make.marketplace("theirs")
    for market in (ours, theirs):
        with tenancy.use(market.pk):
            JobRun.objects.create(kind="import", key=f"{market.slug}-job")
    return ours, theirs


@pytest.fixture
def operator(markets):
    user = make.user()
    make.membership(markets[0], user)
    return user


@pytest.fixture
def at_work(client, operator, markets):
    client.force_login(operator)
    client.post(CHOOSE, {"marketplace": "ours"})
    return client


@pytest.fixture
def root(client, markets):
    client.force_login(make.user("root@example.org", is_superuser=True))
    return client


class TestChoosing:
    def test_offers_only_what_one_works_for(self, client, operator, markets):
        client.force_login(operator)
        answer = client.get(CHOOSE)
        assert list(answer.context["marketplaces"]) == [markets[0]]

    def test_is_recorded_in_the_marketplace(self, at_work, operator, markets):
        with tenancy.use(markets[0].pk):
            [entry] = AuditEntry.objects.all()
        assert (entry.action, entry.actor) == ("marketplace.entered", operator)

    def test_refuses_another_marketplace(self, client, operator, markets):
        client.force_login(operator)
        assert client.post(CHOOSE, {"marketplace": "theirs"}).status_code == 404
        assert SESSION_KEY not in client.session

    def test_needs_staff(self, client, markets):
        client.force_login(make.user("seller@example.org", is_staff=False))
        assert client.get(CHOOSE).status_code == 302

    def test_is_not_asked_of_whoever_works_for_one(self, client, operator, markets):
        client.force_login(operator)
        assert client.get("/admin/").url == "/admin/"
        assert client.session[SESSION_KEY] == markets[0].pk
        assert client.get("/admin/").context["request"].marketplace == markets[0]
        with tenancy.use(markets[0].pk):
            assert AuditEntry.objects.get().actor == operator

    def test_is_asked_of_whoever_works_for_several(self, client, operator, markets):
        make.membership(markets[1], operator)
        client.force_login(operator)
        answer = client.get("/admin/")
        assert answer.status_code == 200
        assert answer.context["request"].marketplace is None
        assert SESSION_KEY not in client.session

    def test_is_not_offered_to_whoever_works_for_none(self, client, markets):
        client.force_login(make.user("new@example.org"))
        assert client.get("/admin/").status_code == 200
        assert SESSION_KEY not in client.session


class TestSwitching:
    """From any page, by the list at its top."""

    @pytest.fixture
    def in_both(self, at_work, operator, markets):
        make.membership(markets[1], operator, "viewer")
        return at_work

    def _switch(self, client, section):
        return client.post(CHOOSE, {"marketplace": "theirs", "section": section})

    @pytest.mark.parametrize("page", ["/admin/", JOBS, "{change}"])
    def test_is_offered_on_every_page(self, in_both, markets, page):
        page = page.format(change=f"/admin/marketplace/marketplace/{markets[0].pk}/change/")
        answer = in_both.get(page)
        assert answer.content.decode().count('name="marketplace"') == 2
        assert set(answer.context["own_marketplaces"]) == set(markets)

    def test_stays_in_the_section(self, in_both):
        assert self._switch(in_both, "marketplace.jobrun").url == JOBS
        assert "theirs-job" in in_both.get(JOBS).content.decode()

    @pytest.mark.parametrize(
        "section", ["", "marketplace.user", "no.such", "https://elsewhere.example/"]
    )
    def test_ends_on_the_front_page_where_the_section_is_not_to_be_seen(self, in_both, section):
        assert self._switch(in_both, section).url == "/admin/"


class TestSidebar:
    def _links(self, client):
        groups = client.get("/admin/").context["sidebar_navigation"]
        return [item["link"] for group in groups for item in group["items"]]

    def test_shows_lists_by_what_people_do(self, at_work):
        assert {JOBS, IDENTITIES, "/admin/orders/order/"} <= set(self._links(at_work))

    def test_shows_nothing_of_a_marketplace_that_is_not_chosen(self, root):
        links = self._links(root)
        assert USERS in links
        assert JOBS not in links

    def test_keeps_users_from_operators(self, at_work):
        assert USERS not in self._links(at_work)

    def test_is_searched_for_the_user_at_hand(self, at_work):
        def found(word):
            return at_work.get(f"/admin/search/?s={word}", HTTP_ACCEPT_LANGUAGE="en").content

        assert b"/admin/marketplace/jobrun/" in found("job")
        assert b"/admin/marketplace/user/" not in found("user")


class TestWithoutAMarketplace:
    def test_a_superuser_sees_no_tenant_model(self, root):
        assert root.get(JOBS).status_code == 403
        assert b"jobrun" not in root.get("/admin/").content

    def test_a_superuser_sees_what_is_global(self, root):
        assert root.get(USERS).status_code == 200

    @pytest.mark.parametrize("page", TENANT_ADMINS, ids=lambda a: a.opts.label_lower)
    def test_every_tenant_page_is_refused(self, root, page):
        assert root.get(_list(page)).status_code == 403


class TestWithAMarketplace:
    def test_only_its_rows_are_listed(self, at_work):
        content = at_work.get(JOBS).content.decode()
        assert "ours-job" in content
        assert "theirs-job" not in content

    def test_a_row_of_another_one_does_not_exist(self, at_work, markets):
        with tenancy.use(markets[1].pk):
            theirs = JobRun.objects.get()
        answer = at_work.get(f"{JOBS}{theirs.pk}/change/", follow=True)
        assert answer.redirect_chain == [("/admin/", 302)]
        assert "theirs-job" not in answer.content.decode()

    def test_the_superuser_sees_only_the_chosen_one(self, root):
        root.post(CHOOSE, {"marketplace": "theirs"})
        content = root.get(JOBS).content.decode()
        assert "theirs-job" in content
        assert "ours-job" not in content

    def test_the_registry_shows_itself_alone(self, at_work, markets):
        answer = at_work.get("/admin/marketplace/marketplace/")
        assert list(answer.context["cl"].queryset) == [markets[0]]

    @pytest.mark.parametrize("page", TENANT_ADMINS, ids=lambda a: a.opts.label_lower)
    def test_every_list_opens_in_few_queries(self, root, page, django_assert_max_num_queries):
        root.post(CHOOSE, {"marketplace": "ours"})
        with django_assert_max_num_queries(15):
            assert root.get(_list(page)).status_code == 200

    def test_a_list_counts_some_pages_ahead(self, at_work, markets, monkeypatch):
        monkeypatch.setattr(paging, "MOST_COUNTED", 100)
        with tenancy.use(markets[0].pk):
            JobRun.objects.bulk_create(JobRun(kind="many", key=str(n)) for n in range(180))
        first = at_work.get(JOBS)
        assert (first.context["cl"].result_count, "150+" in first.content.decode()) == (150, True)
        third = at_work.get(f"{JOBS}?p=3")
        found = third.context["cl"].result_count
        assert (found >= 180, f"{found}+" in third.content.decode()) == (True, False)
        for odd in ("x", "0", "99999999999999999999", "²"):
            assert at_work.get(f"{JOBS}?p={odd}").status_code in {200, 302}

    def test_a_list_asks_the_same_for_many_rows(self, at_work, markets, django_assert_num_queries):
        with django_assert_num_queries(12):
            at_work.get(JOBS)
        with tenancy.use(markets[0].pk):
            JobRun.objects.bulk_create(JobRun(kind="many", key=str(n)) for n in range(200))
        with django_assert_num_queries(12):
            at_work.get(JOBS)


class TestEmptyLists:
    @pytest.fixture
    def korean(self, at_work):
        at_work.defaults["HTTP_ACCEPT_LANGUAGE"] = "ko"
        return at_work

    def test_say_what_fills_them(self, korean):
        page = korean.get("/admin/orders/order/").content.decode()
        assert "아직 아무것도 없습니다." in page
        assert "주문은 API로 들어오거나" in page
        assert "전체 보기" not in page

    def test_offer_the_way_back_from_a_search(self, korean):
        page = korean.get("/admin/orders/order/?q=nobody").content.decode()
        assert "찾은 항목이 없습니다." in page
        assert "전체 보기" in page
        assert "주문은 API로 들어오거나" not in page

    @pytest.mark.parametrize("page", TENANT_ADMINS, ids=lambda page: page.opts.label)
    def test_are_never_without_a_word(self, page):
        assert page.comes_from or page.section == HIDDEN


class TestMembership:
    def test_is_asked_at_every_request(self, at_work, operator):
        assert at_work.get(JOBS).status_code == 200
        operator.memberships.all().delete()
        assert at_work.get(JOBS).status_code == 403
        assert at_work.get(CHOOSE).status_code == 200

    def test_makes_a_tampered_session_useless(self, at_work, markets):
        session = at_work.session
        session[SESSION_KEY] = markets[1].pk
        session.save()
        assert at_work.get(JOBS).status_code == 403

    def test_must_be_of_a_marketplace_that_exists(self, root):
        session = root.session
        session[SESSION_KEY] = 10**9
        session.save()
        assert root.get(JOBS).status_code == 403


class TestRights:
    @pytest.mark.parametrize(
        ("role", "may_edit"),
        [("owner", True), ("finance", False), ("support", False), ("viewer", False)],
    )
    def test_follow_the_role(self, client, markets, role, may_edit):
        user = make.user()
        make.membership(markets[0], user, role)
        client.force_login(user)
        client.post(CHOOSE, {"marketplace": "ours"})
        page = f"/admin/marketplace/marketplace/{markets[0].pk}/change/"
        answer = client.post(page, SETTINGS)
        assert answer.status_code == (302 if may_edit else 403)
        markets[0].refresh_from_db()
        assert (markets[0].name == "Renamed") is may_edit

    def test_never_reach_users(self, at_work):
        assert at_work.get(USERS).status_code == 403

    def test_leave_no_status_to_a_form(self, root):
        for page in TENANT_ADMINS:
            for name in ("state", "status"):
                if any(field.name == name for field in page.opts.get_fields()):
                    assert name in page.readonly_fields or not page.has_change_permission(
                        _request()
                    ), page

    def test_cover_every_model(self):
        ours = {"marketplace", "sellers", "listings", "orders", "settlements"}
        shown_elsewhere = {
            "BankAccount",
            "Change",
            "SellerProfile",
            "ApiKey",
            "AuditSealMember",
            "ClosedDay",
            "IdempotencyKey",
            "Shipment",
            "ShipmentLine",
            "WebhookAttempt",
            "WebhookDelivery",
            "WebhookEndpoint",
        }
        registered = set(admin.site._registry)
        missing = {
            model.__name__
            for model in apps.get_models()
            if model._meta.app_label in ours and model not in registered
        }
        assert missing <= shown_elsewhere


class TestChanges:
    def test_are_recorded_in_the_audit_trail_only(self, at_work, operator, markets):
        page = f"/admin/marketplace/marketplace/{markets[0].pk}/change/"
        at_work.post(page, SETTINGS | {"needs_second_person": "on"})
        with tenancy.use(markets[0].pk):
            entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.actor) == ("marketplace.changed", operator)
        assert entry.data == {"fields": ["name"]}
        assert not LogEntry.objects.exists()

    def test_that_cannot_be_read_are_no_success(self, at_work, markets):
        page = f"/admin/marketplace/marketplace/{markets[0].pk}/change/"
        answer = at_work.post(page, SETTINGS | {"name": ""})
        assert answer.status_code == 422
        assert "name" in answer.context["adminform"].form.errors
        answer = at_work.post("/admin/marketplace/apikey/add/", {"name": "checkout"})
        assert (answer.status_code, [*answer.context["form"].errors]) == (422, ["scopes", "days"])
        assert at_work.get("/admin/marketplace/apikey/add/").status_code == 200

    def test_history_leads_to_the_audit_trail(self, at_work, markets):
        page = f"/admin/marketplace/marketplace/{markets[0].pk}/history/"
        answer = at_work.get(page, follow=True)
        assert answer.status_code == 200
        assert [e.action for e in answer.context["cl"].result_list] == ["marketplace.entered"]


class TestVersionedRules:
    @pytest.fixture
    def version(self, markets):
        with tenancy.use(markets[0].pk):
            return versions.draft(
                LegalIdentity, valid_from=make.FIRST_OPEN_ON, by=None, company="장터"
            )

    def test_are_edited_as_drafts_only(self, at_work, version, markets):
        page = f"{IDENTITIES}{version.pk}/change/"
        assert at_work.get(page).context["has_change_permission"]
        with tenancy.use(markets[0].pk):
            versions.publish(version, by=None, at=make.NOON)
        assert not at_work.get(page).context["has_change_permission"]


class TestOutbox:
    def test_replays_by_an_action(self, at_work, markets):
        with tenancy.use(markets[0].pk):
            key = outbox.add("night.closed")
        outbox.park(key)
        data = {"action": "replay", "_selected_action": [str(key)]}
        at_work.post("/admin/marketplace/outboxmessage/", data)
        with tenancy.use(markets[0].pk):
            assert OutboxMessage.objects.get().attempts == 0


def _list(page):
    return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")


def _request():
    class Request:
        class user:  # noqa: N801
            is_superuser = True

            @staticmethod
            def has_perm(*_):
                return True

    return Request()


def test_the_registry_is_writable_by_its_owner_alone(markets):
    ours, theirs = markets
    with tenancy.use(ours.pk):
        assert Marketplace.objects.filter(pk=theirs.pk).update(name="x") == 0
        assert Marketplace.objects.filter(pk=ours.pk).update(name="x") == 1


class TestMoneyColumn:
    @pytest.mark.parametrize(
        ("currency", "exponent", "shown"),
        [("KRW", 0, "₩1,234,567"), ("BRL", 2, "R$12,345.67")],
    )
    def test_writes_in_the_currency_of_the_marketplace(self, db, currency, exponent, shown):
        market = make.marketplace(currency=currency, exponent=exponent)
        with tenancy.use(market.pk):
            column = money_column("amount", "amount")(JobRow(amount=1_234_567))
        assert column == f'<span class="money">{shown}</span>'

    def test_shows_a_dash_for_no_amount(self, db):
        with tenancy.use(make.marketplace().pk):
            assert money_column("amount", "amount")(JobRow()) == "-"

    def test_sorts_by_its_field(self):
        assert money_column("amount", "amount").admin_order_field == "amount"


class TestStateColumn:
    def test_says_in_words_what_the_colour_says(self):
        column = state_column()(JobRun(state="failed"))
        assert column == '<span class="chip chip-bad">Failed</span>'


class TestJobs:
    @pytest.fixture
    def job(self, markets):
        with tenancy.use(markets[0].pk):
            job = jobs.begin("night.settle", "2026-03-01", at=make.NOON, total=8)
            jobs.cut(job, [(0, 5, 3), (5, 9, 5)])
            jobs.report(
                job, [JobRow(job=job, head="failed", key="hanok", code="gone", reason="No rule.")]
            )
            jobs.progress(job, 3, counts={"shards": 2})
        return job

    def _page(self, client, job):
        return client.get(f"{JOBS}{job.pk}/change/", HTTP_ACCEPT_LANGUAGE="en")

    def test_show_their_progress_parts_and_rows(self, at_work, job):
        content = self._page(at_work, job).content.decode()
        assert "Night: settlement lines" in content
        assert '<progress max="8" value="3">' in content
        assert content.count("Waiting or running") == 2
        assert "No rule." in content

    def test_are_loaded_again_only_while_they_run(self, at_work, job, markets):
        assert self._page(at_work, job)["Refresh"] == "5"
        with tenancy.use(markets[0].pk):
            jobs.finish(job, at=make.NOON)
        assert "Refresh" not in self._page(at_work, job)

    def test_lead_to_rows_of_one_job(self, at_work, job, markets):
        with tenancy.use(markets[0].pk):
            other = jobs.begin("import", "x", at=make.NOON)
            jobs.report(other, [JobRow(job=other, head="failed", code="x", reason="x")])
        answer = at_work.get(f"/admin/marketplace/jobrow/?job__id__exact={job.pk}")
        assert [row.key for row in answer.context["cl"].result_list] == ["hanok"]


class TestAuditTrail:
    def test_leads_to_what_an_entry_is_about(self, at_work, markets):
        with tenancy.use(markets[0].pk):
            job = JobRun.objects.get()
            audit.record("job.looked_at", by=None, at=make.NOON, obj=job)
        content = at_work.get("/admin/marketplace/auditentry/").content.decode()
        assert f'href="/admin/marketplace/jobrun/{job.pk}/change/"' in content

    def test_is_filtered_by_colleagues_alone(self, at_work, operator, markets):
        make.membership(markets[1], make.user("stranger@example.org"))
        page = at_work.get("/admin/marketplace/auditentry/")
        assert "stranger@example.org" not in page.content.decode()
        found = at_work.get(f"/admin/marketplace/auditentry/?actor={operator.pk}")
        assert [e.action for e in found.context["cl"].result_list] == ["marketplace.entered"]
        for unknown in ("x", "0"):
            page = at_work.get(f"/admin/marketplace/auditentry/?actor={unknown}")
            assert page.status_code == 200


@pytest.mark.parametrize("query", ["q=%00", "state__in=%00", "trouble=a%00b"])
def test_a_nul_in_an_address_is_a_bad_request(at_work, query):
    assert at_work.get(f"{JOBS}?{query}").status_code == 400
