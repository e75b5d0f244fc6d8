"""Contracts as people and programs meet them: the seller's page, the admin, the API."""

import html
from datetime import date
from types import SimpleNamespace

import pytest
from django.forms import modelform_factory
from django.test import Client

from marketplace import tenancy
from marketplace.models import Approval, User
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from sellers.models import GradePolicy, SellerMember
from settlements import contracting
from settlements.admin_forms import SettlementTermsForm
from settlements.api import contracts as contracts_api
from settlements.models import FeeRule, SellerContract, SettlementTerms
from settlements.tests import make

pytestmark = pytest.mark.django_db

CONTRACTS = "/admin/settlements/sellercontract/"
TEN_PERCENT = {"rate_ppm": 100_000}


@pytest.fixture
def market(db):
    return make.market("ours")


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        return make.seller("A")


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


def text(answer):
    return " ".join(answer.content.decode().split())


def contract_of(market, **filters):
    with tenancy.use(market.pk):
        return SellerContract.objects.filter(**filters).order_by("number").last()


class TestAdmin:
    def test_drafts_from_the_sellers_page_edits_compares_and_publishes(self, enter, market, seller):
        client = enter("finance")
        page = text(client.get(f"/admin/sellers/seller/{seller.pk}/change/"))
        assert "No contract is in force" in page
        assert f"{CONTRACTS}of/{seller.pk}/draft/" in page
        answer = client.post(f"{CONTRACTS}of/{seller.pk}/draft/")
        draft = contract_of(market)
        assert answer.url == f"{CONTRACTS}{draft.pk}/change/"

        form = client.get(answer.url).context["adminform"].form
        with tenancy.use(market.pk):  # whose currency amounts are written in
            values = {name: form[name].value() or "" for name in form.fields}
        values |= {"valid_from": "2026-10-01", "reserve_ppm": "30 %", "minimum_payout": "50,000"}
        wrong = client.post(answer.url, values | {"cycle": "weekly"})
        assert "leave all of them empty" in text(wrong)
        weekly = {
            "lag_days": "1",
            "lag_kind": "calendar",
            "cycle": "weekly",
            "cycle_arg": "0",
            "holiday": "next",
        }
        wrong = client.post(answer.url, values | weekly | {"cycle_arg": "7"})
        assert "names days from 0 to 6" in text(wrong)
        assert client.post(answer.url, values | weekly).status_code == 302
        draft = contract_of(market)
        assert (draft.reserve_ppm, draft.minimum_payout, draft.cycle_arg) == (300_000, 50_000, 0)

        to_add = client.get(f"{CONTRACTS}{draft.pk}/add-rule/").url
        form = client.get(to_add).context["adminform"].form
        with tenancy.use(market.pk):
            values = {name: form[name].value() or "" for name in form.fields}
        values |= {
            "component": "sales",
            "base": "after_seller_discount",
            "rate_ppm": "10 %",
            "fixed_amount": "0",
            "vat_kind": "exclusive",
        }
        assert str(values["contract"]) == str(draft.pk)
        assert client.post(to_add, values).status_code == 302
        listed = text(client.get(f"/admin/settlements/feerule/?contract__id__exact={draft.pk}"))
        assert "10 %, VAT apart" in listed

        compared = text(client.get(f"{CONTRACTS}{draft.pk}/compare/"))
        assert "1 days after confirmation, then every Monday" in compared
        assert "10 % (11 % with VAT)" in compared

        assert client.post(f"{CONTRACTS}{draft.pk}/ask/", {"reason": "signed"}).status_code == 302
        assert contract_of(market).state == "draft"
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
        approve = f"/admin/marketplace/approval/{approval.pk}/change/"
        enter("owner").post(approve, {"decision": "approve", "reason": "yes"})
        published = contract_of(market)
        assert (published.state, published.published_by.email) == ("published", "owner@example.org")
        page = text(client.get(f"/admin/sellers/seller/{seller.pk}/change/"))
        assert "Coming" in page or "In force" in page

    def test_compares_what_the_later_version_says_no_more(self, enter, market, seller):
        said = {"vat_level": "invoice", "fast_ppm": 900_000, "supply_tax": "exempt"}
        none = {"vat_level": "line", "fast_ppm": None, "supply_tax": ""}
        with tenancy.use(market.pk):
            make.contract(seller, **said)
            later = make.drafted_contract(seller, valid_from=date(2026, 10, 1), **none)
        compared = text(enter().get(f"{CONTRACTS}{later.pk}/compare/"))
        for before, after in (
            ("once for the month's invoice", "line by line"),
            ("90 %", "as the grade allows"),
            ("exempt", "by the type of seller"),
        ):
            assert html.escape(before) in compared
            assert after in compared

    def test_tells_the_payment_days_of_a_published_contract_in_words(self, enter, market, seller):
        weekly = {"lag_days": 1, "lag_kind": "calendar", "cycle": "weekly", "holiday": "next"}
        with tenancy.use(market.pk):
            contract = make.contract(seller, cycle_arg=0, **weekly)
        page = text(enter().get(f"{CONTRACTS}{contract.pk}/change/"))
        assert "1 days after confirmation, then every Monday" in page
        assert "cycle_arg" not in page

    def test_refuses_a_rule_of_two_wholes(self, enter, market, seller):
        with tenancy.use(market.pk):
            draft = make.drafted_contract(seller)
        client = enter()
        to_add = "/admin/settlements/feerule/add/"
        values = {
            "rank": "1",
            "component": "sales",
            "base": "amount",
            "rate_ppm": "1 %",
            "fixed_amount": "0",
            "mode": "floor",
            "vat_kind": "exempt",
            "vat_mode": "half_up",
        }
        assert "belongs either to a version" in text(client.post(to_add, values))
        assert client.post(to_add, values | {"contract": draft.pk}).status_code == 302

    def test_names_what_forbids_publication(self, enter, market, seller):
        with tenancy.use(market.pk):
            draft = make.drafted_contract(seller, rules=[{"rate_ppm": 2_000_000}])
        page = text(enter().get(f"{CONTRACTS}{draft.pk}/compare/"))
        assert "A rate is not between 0 and 100 percent." in page

    @pytest.mark.parametrize("role", ["reviewer", "support", "viewer"])
    def test_lets_others_only_look(self, enter, market, seller, role):
        with tenancy.use(market.pk):
            draft = make.drafted_contract(seller)
        client = enter(role)
        assert client.get(f"{CONTRACTS}{draft.pk}/compare/").status_code == 200
        assert client.post(f"{CONTRACTS}of/{seller.pk}/draft/").status_code == 403
        assert client.post(f"{CONTRACTS}{draft.pk}/ask/", {"reason": "x"}).status_code == 403
        assert contract_of(market).number == 1

    def test_shows_strangers_nothing(self, enter, market, seller):
        theirs = make.market("theirs")
        with tenancy.use(market.pk):
            draft = make.drafted_contract(seller)
        client = enter("owner", theirs)
        assert client.get(f"{CONTRACTS}{draft.pk}/compare/").status_code == 404
        assert client.post(f"{CONTRACTS}of/{seller.pk}/draft/").status_code == 404
        assert client.get(f"{CONTRACTS}{draft.pk}/change/").url == "/admin/"
        assert contract_of(market).number == 1


class TestSellerPage:
    @pytest.fixture
    def page(self, market, seller):
        def page(of=seller):
            user, _ = User.objects.get_or_create(email=f"{of.code}@example.org")
            SellerMember.objects.get_or_create(
                marketplace_id=of.marketplace_id, seller=of, user=user, role="owner"
            )
            client = Client(headers={"accept-language": "en"})
            client.force_login(user)
            return text(client.get("/s/ours/fees/"))

        return page

    def test_tells_the_contract_and_its_coming_change(self, market, seller, page):
        with tenancy.use(market.pk):
            make.contract(seller, rules=[TEN_PERCENT], reserve_ppm=300_000, reference="2026-17")
            coming = make.drafted_contract(seller, valid_from=date(2030, 1, 1))
            contracting.publish(coming, by=None, at=make.AT)
        shown = page()
        assert "Version 1, in force since 2026-09-01." in shown
        assert "2026-17" in shown
        assert "10 % (11 % with VAT)" in shown
        assert "30 %" in shown
        assert "Your contract from 2030-01-01" in shown

    def test_tells_no_other_seller(self, market, seller, page):
        with tenancy.use(market.pk):
            make.contract(seller, rules=[TEN_PERCENT], reference="2026-17")
            other = make.seller("B")
        shown = page(other)
        assert "Your contract" not in shown
        assert "2026-17" not in shown


class TestApi:
    @pytest.fixture(autouse=True)
    def today(self, monkeypatch):
        clock = SimpleNamespace(localdate=lambda: date(2026, 9, 8))
        monkeypatch.setattr(contracts_api, "timezone", clock)

    def read(self, market, seller, holder=""):
        client = ApiClient(api_key(market, seller=holder))
        return client.read(f"sellers/{seller.public_id}/contract/")

    def test_tells_what_the_contract_itself_says(self, market, seller):
        with tenancy.use(market.pk):
            make.contract(seller, rules=[TEN_PERCENT], minimum_payout=50_000)
            draft = make.drafted_contract(seller, valid_from=date(2026, 10, 1))
            contracting.publish(draft, by=None, at=make.AT)
        told = self.read(market, seller, seller.public_id).json()
        assert told["seller"] == seller.public_id
        in_force = told["in_force"]
        assert (in_force["version"], in_force["valid_from"]) == (1, "2026-09-01")
        assert in_force["minimum_payout"] == {"amount": 50_000, "currency": "KRW"}
        assert (in_force["reserve_ppm"], in_force["fee_schedule"]) == (None, None)
        [rule] = in_force["rules"]
        assert (rule["component"], rule["rate_ppm"], rule["category"]) == ("sales", 100_000, None)
        assert (told["coming"]["version"], told["coming"]["rules"]) == (2, [])

    def test_is_null_where_everything_is_as_for_everybody(self, market, seller):
        told = self.read(market, seller).json()
        assert (told["in_force"], told["coming"]) == (None, None)

    def test_tells_strangers_nothing(self, market, seller):
        with tenancy.use(market.pk):
            make.contract(seller)
            other = make.seller("B")
        assert self.read(market, seller, other.public_id).status_code == 404
        assert self.read(make.market("theirs"), seller).status_code == 404

    def test_hides_drafts(self, market, seller):
        with tenancy.use(market.pk):
            make.drafted_contract(seller)
            assert FeeRule.objects.filter(contract__isnull=False).count() == 0
        assert self.read(market, seller).json()["in_force"] is None


class TestTermsForm:
    @pytest.fixture
    def typed(self, market):
        fields = ["minimum_payout", "reserve_ppm", "fast_ppm", "fast_grades"]
        terms = modelform_factory(SettlementTerms, form=SettlementTermsForm, fields=fields)
        given = {"minimum_payout": "0", "reserve_ppm": "0", "fast_ppm": "90 %"}
        with tenancy.use(market.pk):
            yield lambda grades: terms(given | {"fast_grades": grades})

    def test_takes_the_grades_that_are_paid_ahead(self, typed):
        policy = GradePolicy.objects.published().latest("valid_from")
        codes = [grade["code"] for grade in policy.body["grades"]][:2]
        form = typed(",".join(codes))
        assert form.is_valid(), form.errors
        assert (form.cleaned_data["fast_ppm"], form.cleaned_data["fast_grades"]) == (900_000, codes)

    def test_refuses_a_grade_that_there_is_not(self, typed):
        assert "platinum-plus" in str(typed("platinum-plus").errors["fast_grades"])
