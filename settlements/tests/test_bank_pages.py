"""The bank account in the admin: finance takes in and explains, viewers read, no stranger sees."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace import tenancy
from marketplace.models import Approval
from marketplace.tests import desks
from settlements import chart, ledger
from settlements.models import BankFile, BankRow, ManualJournal
from settlements.tests import make

ON = date(2026, 9, 8)
BOOKS = "/admin/settlements"
HEADER = "date,paid_in,paid_out,balance,counterparty,memo,reference\n"
ROWS = "2026-09-08,1000,,1000,결제대행,정산,\n2026-09-08,55,,1055,홍길동,,\n"


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        draft = ledger.Draft("provider_deposit", "psf_1:2026-09-08", ON)
        draft.debit(chart.BANK, 1_000)
        draft.credit(chart.CLEARING, 1_000)
        ledger.post_on_open_day(draft)
    return market


@pytest.fixture
def finance(market):
    return desks.operator(market, "finance")[0]


def take(client, rows=ROWS, **given):
    file = SimpleUploadedFile("list.csv", (HEADER + rows).encode())
    given = {"format": "standard", "new_account": "은행 1", "file": file} | given
    return client.post(f"{BOOKS}/bankfile/take/", given)


def row(market, amount=55):
    with tenancy.use(market.pk):
        return BankRow.objects.get(amount=amount)


class TestTakeIn:
    def test_keeps_the_rows_and_offers_the_account_again(self, market, finance):
        assert take(finance).status_code == 302
        listed = finance.get(f"{BOOKS}/bankrow/?state__exact=open")
        assert listed.context["cl"].result_count == 2
        again = take(finance, account="은행 1", new_account="")
        assert again.status_code == 302
        with tenancy.use(market.pk):
            assert (BankRow.objects.count(), BankFile.objects.count()) == (2, 1)

    def test_names_each_mistake_and_keeps_nothing(self, market, finance):
        answer = take(finance, ROWS + "2026-09-09,,10,1050,,,\n")
        assert answer.status_code == 422
        [problem] = answer.context["problems"]
        assert problem == {
            "row": 4,
            "column": "balance",
            "reason": "After row 3 the balance comes to 1,045, but it is 1,050. Rows are missing, "
            "or an amount was changed: download the list from the bank anew.",
        }
        with tenancy.use(market.pk):
            assert not BankRow.objects.exists()

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"new_account": ""}, "Choose a bank account, or name a new one."),
            ({"account": "은행 1"}, "Choose a bank account or name a new one, not both."),
        ],
    )
    def test_needs_one_account(self, market, finance, given, error):
        take(finance)
        answer = take(finance, **given)
        assert answer.context["form"].errors["new_account"] == [error]

    @pytest.mark.parametrize("role", ["viewer", "support", "reviewer"])
    def test_is_for_finance_only(self, market, role):
        client = desks.operator(market, role)[0]
        assert take(client).status_code == 403
        assert client.get(f"{BOOKS}/bankfile/").status_code == 200


class TestRows:
    @pytest.fixture(autouse=True)
    def taken(self, finance):
        take(finance)

    def test_are_confirmed_all_at_once_where_exact(self, market, finance):
        page = finance.get(f"{BOOKS}/bankrow/balance/")
        assert page.context["exact_count"] == 1
        standing = page.context["standing"]
        assert (standing.bank, standing.ledger, standing.waiting) == (1_055, 1_000, 1_055)
        assert finance.post(f"{BOOKS}/bankrow/balance/").status_code == 302
        assert row(market, 1_000).state == "explained"
        page = finance.get(f"{BOOKS}/bankrow/balance/?on=2026-09-08")
        standing = page.context["standing"]
        assert (standing.difference, standing.rows, standing.waiting) == (55, 1, 55)
        text = desks.text(finance.get(f"{BOOKS}/bankrow/{row(market, 1_000).pk}/change/"))
        assert "psf_1:2026-09-08" in text

    def test_are_confirmed_one_by_one(self, market, finance):
        address = f"{BOOKS}/bankrow/{row(market, 1_000).pk}/decide"
        wrong = finance.post(f"{address}/confirm/", {"proposal": "movement:other"})
        assert wrong.status_code == 422
        chosen = {"proposal": "movement:provider_deposit:psf_1:2026-09-08"}
        assert finance.post(f"{address}/confirm/", chosen).status_code == 302
        assert row(market, 1_000).state == "explained"
        assert finance.post(f"{address}/undo/", {"reason": "착오"}).status_code == 302
        assert row(market, 1_000).state == "open"
        [(key, _name)] = finance.get(f"{address}/match/").context["form"].fields["journals"].choices
        chosen = {"journals": [key], "reason": "확인"}
        assert finance.post(f"{address}/match/", chosen).status_code == 302
        assert row(market, 1_000).state == "explained"

    def test_go_to_suspense_by_a_second_person(self, market, finance):
        address = f"{BOOKS}/bankrow/{row(market).pk}"
        page = finance.get(f"{address}/decide/book/")
        assert page.context["form"].fields["account"].initial == chart.SUSPENSE
        sent = {"account": chart.SUSPENSE, "reason": "미상 입금"}
        assert finance.post(f"{address}/decide/book/", sent).status_code == 302
        with tenancy.use(market.pk):
            asked = Approval.objects.waiting().get()
            manual = ManualJournal.objects.get()
        assert (asked.kind, row(market).state) == ("post_manual_journal", "open")
        assert manual.public_id in desks.text(finance.get(f"{address}/change/"))
        again = finance.post(f"{address}/decide/book/", sent)
        assert again.status_code == 422
        assert manual.public_id in desks.text(again)

    def test_become_an_advertising_prepayment(self, market, finance):
        with tenancy.use(market.pk):
            make.seller("A12")
        address = f"{BOOKS}/bankrow/{row(market).pk}/decide/prepay/"
        wrong = finance.post(address, {"seller": "nobody"})
        assert wrong.status_code == 422
        assert "There is no seller with this code." in desks.text(wrong)
        assert finance.post(address, {"seller": " A12 "}).status_code == 302
        assert row(market).state == "explained"

    def test_are_read_by_viewers(self, market):
        viewer = desks.operator(market, "viewer")[0]
        key = row(market).pk
        assert viewer.get(f"{BOOKS}/bankrow/{key}/change/").status_code == 200
        page = viewer.get(f"{BOOKS}/bankrow/balance/")
        assert (page.status_code, page.context["may_decide"]) == (200, False)
        assert viewer.post(f"{BOOKS}/bankrow/balance/").status_code == 403
        assert viewer.get(f"{BOOKS}/bankrow/{key}/decide/book/").status_code == 403
        assert row(market, 1_000).state == "open"

    def test_are_nothing_to_a_stranger(self, market):
        stranger = desks.operator(make.market("theirs"), "owner")[0]
        for what in ("change", "decide/book", "decide/confirm"):
            answer = stranger.get(f"{BOOKS}/bankrow/{row(market).pk}/{what}/")
            assert answer.status_code == 404
        assert stranger.get(f"{BOOKS}/bankrow/").context["cl"].result_count == 0
        page = stranger.get(f"{BOOKS}/bankrow/balance/")
        assert (page.context["standing"], page.context["exact_count"]) == (None, 0)
        assert stranger.post(f"{BOOKS}/bankrow/balance/").status_code == 302
        assert row(market, 1_000).state == "open"

    def test_are_harmless_whatever_the_bank_writes(self, market, finance):
        with tenancy.use(market.pk):
            BankRow.objects.filter(amount=55).update(counterparty=desks.HOSTILE)
        key = row(market).pk
        assert desks.is_inert(finance.get(f"{BOOKS}/bankrow/{key}/change/"))
        assert desks.is_inert(finance.get(f"{BOOKS}/bankrow/"))
