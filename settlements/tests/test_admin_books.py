"""Months, days, journals by hand and reconciliation on the operators' pages."""

import copy
from datetime import date, timedelta
from io import BytesIO

import pytest
from django.urls import reverse

from marketplace import tenancy
from marketplace.models import Approval
from marketplace.tests import desks
from orders.models import OutcomeToSettle
from settlements import chart, day_closing, ledger, ledger_matching, nights
from settlements.models import (
    Account,
    DayClose,
    Discrepancy,
    Journal,
    LedgerDifference,
    ManualJournal,
    Period,
    ProviderFile,
    SellerBalance,
    SignedSheet,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

FIRST = date(2026, 8, 28)
LAST = date(2026, 9, 2)
BOOKS = "/admin/settlements"
FILE = (
    "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n"
    "P1,payment,2026-09-01,2026-09-02,1000,30,3,967\n"
)


@pytest.fixture(scope="module")
def settled(rows_of_module):
    """A sale that is settled and paid in August, and nights up to the second of September."""
    market = make.market(first_open_on=FIRST)
    with tenancy.use(market.pk):
        make.sold(make.seller(), unit_price=50_000, confirmed_on=date(2026, 8, 25))
    nights.close_day(market.pk, LAST, at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


@pytest.fixture
def enter(market):
    return lambda role="finance": desks.operator(market, role)[0]


def found(market, model, **filters):
    with tenancy.use(market.pk):
        return model.objects.get(**filters)


class TestAccounts:
    def test_are_added_and_renamed_by_finance(self, enter, market):
        client = enter()
        given = {"code": "gift_cards", "kind": "liability", "normal_side": "credit"}
        given |= {"name": "상품권", "name_english": "Gift cards", "place": 300}
        assert client.post(f"{BOOKS}/account/add/", given).status_code == 302
        account = found(market, Account, code="gift_cards")
        client.post(
            f"{BOOKS}/account/{account.pk}/decide/name/",
            {"name": "상품권 선수금", "name_english": "", "place": 310},
        )
        account = found(market, Account, code="gift_cards")
        assert (account.name, account.place, account.is_per_seller) == ("상품권 선수금", 310, False)

    @pytest.mark.parametrize("code", ["bank", "fee_revenue:sales", "Bank", "a b"])
    def test_keep_the_codes_of_the_system(self, enter, market, code):
        given = {"code": code, "kind": "asset", "normal_side": "debit", "name": "x", "place": 1}
        answer = enter().post(f"{BOOKS}/account/add/", given)
        assert answer.status_code == 422
        assert answer.context["adminform"].form.errors["code"]

    def test_open_as_cards_of_any_days(self, enter, market):
        account = found(market, Account, code="seller_payable")
        client = enter("viewer")
        for first, last in (("0001-01-01", "0001-02-01"), ("9999-12-01", "9999-12-31")):
            days = f"first={first}&last={last}"
            page = client.get(f"{BOOKS}/account/{account.pk}/change/?{days}")
            assert page.context["card"].opening == page.context["card"].closing, days

    def test_are_not_the_viewers_business(self, enter):
        assert enter("viewer").get(f"{BOOKS}/account/add/").status_code == 403


class TestPeriods:
    def test_are_closed_from_above_the_list_and_opened_by_two(self, enter, market):
        client = enter()
        page = client.get(f"{BOOKS}/period/close/")
        assert (page.context["month"], page.context["is_over"]) == (date(2026, 8, 1), True)
        client.post(f"{BOOKS}/period/close/")
        period = found(market, Period, state="closed")
        story = client.get(f"{BOOKS}/period/{period.pk}/change/")
        assert [closing.version for closing in story.context["closings"]] == [1]
        client.post(f"{BOOKS}/period/{period.pk}/decide/reopen/", {"reason": "늦은 전표"})
        assert found(market, Period, pk=period.pk).state == "closed"
        assert found(market, Approval).kind == "reopen_period"
        again = client.get(f"{BOOKS}/period/close/")
        assert (again.context["month"], again.context["is_over"]) == (date(2026, 9, 1), False)

    def test_are_shut_to_viewers(self, enter):
        assert enter("viewer").get(f"{BOOKS}/period/close/").status_code == 403


class TestManualJournals:
    def test_are_entered_and_wait(self, enter, market):
        given = {"on": "2026-09-03", "document": "품의 1", "reason": "PG 수수료"}
        given |= {"account_1": "provider_fee", "debit_1": "300"}
        given |= {"account_2": "bank", "credit_2": "300"}
        answer = enter().post(f"{BOOKS}/manualjournal/enter/", given)
        manual = found(market, ManualJournal)
        assert answer.headers["Location"].endswith(f"/manualjournal/{manual.pk}/change/")
        assert manual.legs == [["provider_fee", 300, 0], ["bank", 0, 300]]
        assert manual.state == "entered"

    def test_say_what_is_wrong(self, enter, market):
        given = {"on": "2026-09-03", "document": "x", "reason": "x"}
        given |= {"account_1": "provider_fee", "debit_1": "300"}
        given |= {"account_2": "bank", "credit_2": "299"}
        answer = enter().post(f"{BOOKS}/manualjournal/enter/", given)
        assert "not credits of 299" in desks.text(answer)
        with tenancy.use(market.pk):
            assert not ManualJournal.objects.exists()


class TestDays:
    def test_show_sums_with_a_way_to_their_rows(self, enter, market):
        day = found(market, DayClose, day=date(2026, 8, 28))
        client = enter()
        page = client.get(f"{BOOKS}/dayclose/{day.pk}/change/")
        assert [block["difference"] for block in page.context["blocks"]] == [None, 0, 0, 0, 0, 0, 0]
        addresses = {
            term["address"]
            for block in page.context["blocks"]
            for term in (*block["terms"], block["result"])
        }
        for address in addresses:
            assert client.get(address).status_code == 200, address
        assert f"{BOOKS}/statement/?closed_on=2026-08-28" in addresses
        for named in page.context["unresolved"]:
            assert not named["address"] or client.get(named["address"]).status_code == 200, named
        assert {str(named["name"]) for named in page.context["unresolved"]} >= {
            "payouts without a result",
            "ledger differences",
            "payout exceptions",
        }

    def test_lead_from_each_figure_to_its_own_rows(self, enter, market):
        """What sellers are owed by five accounts, less what a debt was paid down, and no more."""
        on = date(2026, 8, 28)
        with tenancy.use(market.pk):
            day = DayClose.objects.get(day=on)
            draft = ledger.Draft("debt", "x", on, SellerBalance.objects.get().seller_id)
            draft.debit(chart.BANK, 700)
            draft.credit(chart.SELLER_RECEIVABLE, 700)
            other = ledger.Draft("manual", "x", on)
            other.debit(chart.BANK, 9)
            other.credit(chart.SUSPENSE, 9)
            ledger.post([draft, other])
            make.sold(make.seller("B"), number="O2", unit_price=300, confirmed_on=on)
            OutcomeToSettle.objects.all().delete()
        client = enter()
        page = client.get(f"{BOOKS}/dayclose/{day.pk}/change/")
        figures = {
            str(term["name"]): (term["amount"], term["address"])
            for block in page.context["blocks"]
            for term in (*block["terms"], block["result"])
        }
        amount, address = figures["other journals: Debt of a seller"]
        [entry] = client.get(address).context["cl"].result_list
        assert (amount, entry.credit) == (700, 700)
        amount, address = figures["on no line and not waiting"]
        told = client.get(address).context
        assert (amount, told["total"]) == (300, 300)
        assert [each["of"].line.order.number for each in told["outcomes"]] == ["O2"]
        amount, address = figures["owed at the end"]
        total = client.get(address).context["total"]
        assert total.credit - total.debit == amount > 700
        amount, address = figures["owed at the beginning"]
        assert (amount, client.get(address).context["total"].credit) == (0, 0)

    def test_are_signed_by_two_and_printed(self, enter, market):
        day = found(market, DayClose, day=LAST)
        client = enter()
        address = f"{BOOKS}/dayclose/{day.pk}/decide/sign/"
        assert "2026-09-02" in desks.text(client.post(address, {"reason": ""}))
        assert found(market, DayClose, pk=day.pk).state == "open"  # nobody knows what PGs paid
        client.post(address, {"reason": "PG 파일 지연"})
        assert found(market, DayClose, pk=day.pk).state == "asked"
        owner = enter("owner")
        asked = found(market, Approval)
        owner.post(f"/admin/marketplace/approval/{asked.pk}/change/", {"decision": "approve"})
        signed = found(market, SignedSheet)
        paper = desks.text(client.get(f"{BOOKS}/dayclose/{day.pk}/print/"))
        assert signed.hash in paper
        assert "<a " not in paper
        page = client.get(f"{BOOKS}/dayclose/{day.pk}/change/")
        assert page.context["signed"] == signed
        assert not page.context["changed"]

    def test_tell_what_came_after_the_signature(self, enter, market):
        with tenancy.use(market.pk):
            day = DayClose.objects.get(day=LAST)
            type(market).objects.filter(pk=market.pk).update(needs_second_person=False)
        client, user = desks.operator(market, "finance")
        with tenancy.use(market.pk):
            day_closing.sign_first(day, by=user, at=make.AT, remark="x")
            make.sold(make.seller("B"), number="O9", confirmed_on=LAST)
        assert client.get(f"{BOOKS}/dayclose/{day.pk}/change/").context["changed"]

    def test_are_another_marketplaces_secret(self, market):
        other = make.market("theirs", first_open_on=FIRST)
        client, _ = desks.operator(other, "owner")
        day = found(market, DayClose, day=LAST)
        for what in ("change", "print", "lost", "decide/sign"):
            assert client.get(f"{BOOKS}/dayclose/{day.pk}/{what}/").status_code == 404


class TestReconciliation:
    def take(self, client, content):
        file = BytesIO(content.encode())
        file.name = "정산.csv"
        return client.post(f"{BOOKS}/providerfile/take/", {"format": "standard", "file": file})

    def test_takes_a_file_in_and_shows_what_differs(self, enter, market):
        client = enter()
        assert self.take(client, FILE).status_code == 302
        row = found(market, Discrepancy)
        story = client.get(f"{BOOKS}/discrepancy/{row.pk}/change/")
        assert [journal.template for journal in story.context["journals"]] == ["reconciliation"]
        codes = [code for code, _ in story.context["decisions"]]
        assert codes == ["book"]  # there is money on suspense: a word is not enough
        given = {"account": "refunds_due", "reason": "구매자에게 환불"}
        client.post(f"{BOOKS}/discrepancy/{row.pk}/decide/book/", given)
        assert found(market, Approval).data["account"] == "refunds_due"

    def test_tells_every_mistake_of_a_file(self, enter, market):
        answer = self.take(enter(), FILE.replace("967", "968"))
        assert answer.status_code == 422
        [problem] = answer.context["problems"]
        assert (problem["row"], problem["column"]) == (2, "deposit")
        with tenancy.use(market.pk):
            assert not ProviderFile.objects.exists()
            assert not Journal.objects.filter(template="provider_deposit").exists()

    def test_reports_every_night_also_an_empty_one(self, enter, market):
        page = enter().get(f"{BOOKS}/discrepancy/reports/")
        days = [(report["job"].on, report["open"]) for report in page.context["reports"]]
        assert days == [(LAST - timedelta(days=number), 0) for number in range(6)]

    def test_shows_what_is_open_of_all_three_with_amount_and_age(self, enter, market):
        client = enter()
        self.take(client, FILE)
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            Statement.objects.filter(pk=statement.pk).update(vat=statement.vat + 5)
            ledger_matching.look(on=statement.closed_on, at=make.AT)
        page = client.get(f"{BOOKS}/discrepancy/reports/")
        told = {
            row["of"].code: (row["of"].open, row["of"].amount) for row in page.context["standing"]
        }
        assert told == {
            "provider": (1, 1_000),
            "files": (0, 0),
            "bank": (0, 0),
            "ledger": (1, 5),
        }
        for row in page.context["standing"]:
            for lists in row["lists"]:
                listed = client.get(lists["address"])
                assert listed.context["cl"].result_count == row["of"].open

    def test_lets_finance_say_why_the_ledger_differs(self, enter, market):
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            Statement.objects.filter(pk=statement.pk).update(vat=statement.vat + 5)
            ledger_matching.look(on=statement.closed_on, at=make.AT)
        row = found(market, LedgerDifference)
        address = f"{BOOKS}/ledgerdifference/{row.pk}"
        assert enter("viewer").get(f"{address}/decide/explain/").status_code == 403
        client = enter()
        journals = client.get(f"{address}/change/").context["journals"]
        assert [journal.reference for journal in journals] == [statement.public_id]
        assert client.post(f"{address}/decide/explain/", {"reason": ""}).status_code == 422
        client.post(f"{address}/decide/explain/", {"reason": "손으로 고친 값"})
        row = found(market, LedgerDifference)
        assert (row.state, row.reason) == ("resolved", "손으로 고친 값")

    def test_is_finances_business(self, enter):
        assert enter("support").get(f"{BOOKS}/providerfile/take/").status_code == 403
        assert enter("viewer").get(f"{BOOKS}/discrepancy/reports/").status_code == 200


class TestDesk:
    def test_leads_to_days_that_wait(self, enter):
        page = desks.text(enter().get(reverse("admin:index")))
        assert "/dayclose/?state__exact=open" in page
