"""Fees in the admin: edited as percentages, compared, tried out, imported, asked for."""

import re
from datetime import date
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace import tenancy, versions
from marketplace.models import Approval
from marketplace.tests import make as people
from settlements import rule_checks, rule_words, schedule_comparison
from settlements.models import FeeRule, FeeScheduleVersion
from settlements.tests import make

pytestmark = pytest.mark.django_db

VERSIONS = "/admin/settlements/feescheduleversion/"
RULES = "/admin/settlements/feerule/"
NEXT = date(2026, 11, 1)


@pytest.fixture
def market(db):
    return make.market("ours")


@pytest.fixture
def theirs(db):
    return make.market("theirs")


@pytest.fixture
def live(market):
    with tenancy.use(market.pk):
        return FeeScheduleVersion.objects.published().get()


@pytest.fixture
def draft(market, live):
    with tenancy.use(market.pk):
        return versions.revise(live, valid_from=NEXT, by=None, at=make.AT)


@pytest.fixture
def enter(client, market):
    def enter(role="finance", into=market):
        user = people.user(f"{role}@example.org")
        people.membership(into, user, role)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": into.slug})
        return client

    return enter


def rule_of(market, version, **conditions):
    with tenancy.use(market.pk):
        return FeeRule.objects.filter(version=version, **conditions).order_by("rank").first()


def change(market, rule, **values):
    with tenancy.use(market.pk):
        FeeRule.objects.filter(pk=rule.pk).update(**values)


def text(answer):
    return " ".join(answer.content.decode().split())


PAGES = ["change", "rules", "compare", "check", "try", "rehearse", "ask"]


class TestStrangers:
    @pytest.mark.parametrize("page", PAGES)
    def test_find_no_version_of_ours(self, enter, theirs, draft, page):
        client = enter("owner", theirs)
        address = f"{VERSIONS}{draft.pk}/{page}/"
        answers = [client.get(address), client.post(address, {"reason": "x"})]
        if page == "change":  # as Django's own pages say that a row is not there
            assert [answer.url for answer in answers] == ["/admin/", "/admin/"]
        else:
            assert [answer.status_code for answer in answers] == [404, 404]

    def test_change_no_rule_of_ours(self, enter, theirs, market, draft):
        rule = rule_of(market, draft)
        client = enter("owner", theirs)
        client.post(f"{RULES}{rule.pk}/change/", {"rate_ppm": "99 %"})
        assert rule_of(market, draft).rate_ppm == rule.rate_ppm
        assert str(draft) not in text(client.get(f"{RULES}?version__id__exact={draft.pk}"))

    def test_import_into_no_schedule_of_ours(self, enter, theirs, market):
        with tenancy.use(theirs.pk):
            theirs_before = FeeScheduleVersion.objects.count()
        client = enter("owner", market)
        with tenancy.use(market.pk):
            before = FeeScheduleVersion.objects.count()
        upload(client, "section,group\n")
        with tenancy.use(theirs.pk):
            assert FeeScheduleVersion.objects.count() == theirs_before
        with tenancy.use(market.pk):
            assert FeeScheduleVersion.objects.count() == before


class TestRoles:
    @pytest.mark.parametrize("page", ["compare", "check", "try", "rehearse"])
    @pytest.mark.parametrize("role", ["support", "viewer"])
    def test_let_everybody_look(self, enter, draft, page, role):
        assert enter(role).get(f"{VERSIONS}{draft.pk}/{page}/").status_code == 200

    @pytest.mark.parametrize("role", ["reviewer", "support", "viewer"])
    def test_let_only_owner_and_finance_change(self, enter, market, draft, role):
        client = enter(role)
        rule = rule_of(market, draft)
        assert client.post(f"{RULES}{rule.pk}/change/", {"rate_ppm": "1"}).status_code == 403
        assert client.post(f"{VERSIONS}{draft.pk}/ask/", {"reason": "x"}).status_code == 403
        assert client.get(f"{VERSIONS}import/").status_code == 403

    def test_let_finance_ask_and_the_owner_approve(self, enter, market, draft):
        asked = {"reason": "Autumn", "waive_notice": "on"}
        enter("finance").post(f"{VERSIONS}{draft.pk}/ask/", asked)
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
        page = f"/admin/marketplace/approval/{approval.pk}/change/"
        enter("owner").post(page, {"decision": "approve", "reason": "Yes"})
        with tenancy.use(market.pk):
            draft.refresh_from_db()
        assert (draft.state, draft.published_by.email) == ("published", "owner@example.org")


class TestRules:
    def test_are_typed_and_shown_as_percentages(self, enter, market, draft):
        rule = rule_of(market, draft, bands__isnull=True, rate_ppm__gt=0)
        client = enter()
        form = client.get(f"{RULES}{rule.pk}/change/").context["adminform"].form
        with tenancy.use(market.pk):  # whose currency amounts are written in
            values = {
                name: form[name].value() if form[name].value() is not None else ""
                for name in form.fields
            }
        assert form["rate_ppm"].field.prepare_value(rule.rate_ppm).endswith(" %")
        values |= {"rate_ppm": "7.7 %", "bands": ""}
        if not values.get("per_unit"):
            values.pop("per_unit", None)
        if not values.get("keep_on_refund"):
            values.pop("keep_on_refund", None)
        client.post(f"{RULES}{rule.pk}/change/", values)
        assert rule_of(market, draft, pk=rule.pk).rate_ppm == 77_000
        answer = client.get(f"{RULES}?version__id__exact={draft.pk}")
        assert "7.7 % (8.47 % with VAT)" in text(answer)

    def test_are_no_part_of_the_page_of_their_version(self, enter, draft):
        answer = enter().get(f"{VERSIONS}{draft.pk}/change/")
        assert answer.status_code == 200
        assert not answer.context["inline_admin_formsets"]

    def test_ask_the_same_for_many_rows(self, enter, market, draft, django_assert_num_queries):
        client = enter()
        address = f"{RULES}?version__id__exact={draft.pk}"
        client.get(address)
        with django_assert_num_queries(15):
            client.get(address)
        more(market, draft, 300)
        with django_assert_num_queries(15):
            client.get(address)


class TestCompare:
    def test_finds_nothing_between_a_version_and_its_copy(self, enter, live, draft):
        answer = enter().get(f"{VERSIONS}{draft.pk}/compare/")
        assert answer.context["live"] == live
        assert {count for _, _, count in answer.context["kinds"]} == {0}

    def test_shows_rates_and_days_before_and_after(self, enter, market, live, draft):
        rule = rule_of(market, draft, category__code="gold")
        change(market, rule, rate_ppm=45_000, date_to=date(2027, 1, 1))
        [row] = enter().get(f"{VERSIONS}{draft.pk}/compare/").context["rows"]
        assert row["before"]["charge"] == "3 % (3.3 % with VAT)"
        assert row["after"]["charge"] == "4.5 % (4.95 % with VAT)"
        assert (row["before"]["days"], row["after"]["days"]) == ("always", "… – 2027-01-01")
        assert row["conditions"][0].startswith("category: ")

    def test_tells_added_removed_and_moved_apart(self, market, live, draft):
        gold = rule_of(market, draft, category__code="gold")
        with tenancy.use(market.pk):
            last = FeeRule.objects.filter(version=draft).order_by("-rank").first()
            FeeRule.objects.filter(pk=gold.pk).delete()
            FeeRule.objects.filter(pk=last.pk).update(rank=last.rank + 500)
            added = rule_of(market, draft)
            added.pk, added.rank, added.grade = None, 900, "gold"
            added.save(force_insert=True)
            counts = schedule_comparison.counts(live, draft)
            rows = {
                what: schedule_comparison.page(live, draft, what)[0]
                for what in schedule_comparison.KINDS
            }
        assert counts == {"changed": 0, "added": 1, "removed": 1, "moved": 1}
        assert rows["added"][0].after == added
        assert rows["removed"][0].before.category_id == gold.category_id
        assert rows["moved"][0].after == last

    def test_asks_the_same_for_many_rows(
        self, enter, market, live, draft, django_assert_num_queries
    ):
        client = enter()
        address = f"{VERSIONS}{draft.pk}/compare/?what=added"
        more(market, draft, 1)
        client.get(address)
        with django_assert_num_queries(18):
            client.get(address)
        more(market, draft, 119, first=1)
        with django_assert_num_queries(18):
            answer = client.get(address)
        assert len(answer.context["rows"]) == 50
        last = client.get(address + "&page=3")
        assert (len(last.context["rows"]), last.context["is_more"]) == (20, False)

    @pytest.mark.parametrize("query", ["what=x", "page=0", "page=-1", "page=x", "page=99999"])
    def test_bears_an_address_that_makes_no_sense(self, enter, draft, query):
        assert enter().get(f"{VERSIONS}{draft.pk}/compare/?{query}").status_code == 200


class TestCheck:
    def test_names_problems_by_rank_and_whether_they_forbid(self, enter, market, draft):
        rule = rule_of(market, draft, category__code="gold")
        change(market, rule, date_from=date(2027, 1, 2), date_to=date(2027, 1, 1))
        client = enter()
        [problem] = client.get(f"{VERSIONS}{draft.pk}/check/").context["problems"]
        assert problem.forbids
        assert problem.text == f"판매 수수료 #{rule.rank}: A rule ends before it begins."
        assert problem.text in text(client.get(f"{VERSIONS}{draft.pk}/ask/"))

    def test_has_words_for_everything_that_may_be_found(self):
        source = Path(rule_checks.__file__).read_text(encoding="utf-8")
        codes = set(re.findall(r'(?:yield|Finding\()\s*"([a-z_]+)"', source))
        assert len(codes) > 15
        assert codes <= set(rule_words.FINDINGS)


class TestTryOut:
    def test_charges_a_line_under_both_versions(self, enter, market, draft):
        change(market, rule_of(market, draft, category__code="gold"), rate_ppm=45_000)
        line = {
            "unit_price": 50_000,
            "quantity": 2,
            "seller_discount": 0,
            "platform_discount": 0,
            "on": "2026-11-02",
            "category": "gold",
            "stream": "goods",
        }
        answer = enter().get(f"{VERSIONS}{draft.pk}/try/", line)
        before, after = (side["trial"] for side in answer.context["trials"])
        assert (before.fee, before.vat, before.net) == (3_000, 300, 96_700)
        assert (after.fee, after.vat, after.net) == (4_500, 450, 95_050)
        assert answer.context["difference"] == -1_650

    @pytest.mark.parametrize(
        ("field", "value"),
        [("category", "none"), ("seller", "none"), ("seller_discount", 99_999), ("on", "x")],
    )
    def test_names_the_field_that_is_wrong(self, enter, draft, field, value):
        line = {
            "unit_price": 100,
            "quantity": 1,
            "seller_discount": 0,
            "platform_discount": 0,
            "on": "2026-11-02",
            "stream": "goods",
            field: value,
        }
        answer = enter().get(f"{VERSIONS}{draft.pk}/try/", line)
        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert answer.context["trials"] == []


HEADER = "section,group,kind,royalty_percent,price_from_incl,price_to_excl\n"


def upload(client, content, **given):
    if isinstance(content, str):
        content = content.encode()
    data = {
        "schedule": "standard",
        "valid_from": "2026-11-01",
        "mapping": "category-bands",
        "file": SimpleUploadedFile("fees.csv", content),
        **given,
    }
    return client.post(f"{VERSIONS}import/", data)


class TestImport:
    def test_drafts_a_version_and_leads_to_the_comparison(self, enter, market):
        answer = upload(enter(), HEADER + "food,fruit,apple,7.7,0,9999999999999.99\n")
        with tenancy.use(market.pk):
            version = FeeScheduleVersion.objects.latest("pk")
            rules = FeeRule.objects.filter(version=version, component="sales")
            assert [rule.rate_ppm for rule in rules] == [77_000]
        assert version.state == "draft"
        assert answer.url == f"{VERSIONS}{version.pk}/compare/"

    def test_reports_every_problem_and_leaves_nothing(self, enter, market):
        with tenancy.use(market.pk):
            before = FeeScheduleVersion.objects.count()
        answer = upload(enter(), HEADER + "food,fruit,apple,x,0,100\nfood,fruit,pear,7,5,5\n")
        assert {row["row"] for row in answer.context["problems"]} == {2, 3}
        assert answer.context["problems"][0]["column"] == "royalty_percent"
        with tenancy.use(market.pk):
            assert FeeScheduleVersion.objects.count() == before

    @pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00", b"\xff\xfe\x00"])
    def test_takes_no_file_that_is_not_text(self, enter, content):
        answer = upload(enter(), content)
        assert answer.status_code == 422
        assert answer.context["form"].errors["file"] == ["The file is not CSV in UTF-8."]

    def test_knows_the_schedules_of_the_marketplace_alone(self, enter):
        answer = upload(enter(), HEADER, schedule="unknown")
        assert "schedule" in answer.context["form"].errors


def more(market, version, count, first=0):
    with tenancy.use(market.pk):
        rule = rule_of(market, version)
        rules = []
        for number in range(first, first + count):
            rules.append(
                FeeRule(
                    version=version,
                    component=rule.component,
                    rank=10_000 + number,
                    grade=f"g{number}",
                    base=rule.base,
                    rate_ppm=number,
                    vat_kind=rule.vat_kind,
                )
            )
        FeeRule.objects.bulk_create(rules)
