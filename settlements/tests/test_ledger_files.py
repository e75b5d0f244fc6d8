"""The trial balance and account cards as files: the rows of their pages, for exporters alone."""

import copy
import csv
import io
from datetime import date

import openpyxl
import pytest

from marketplace import tenancy
from marketplace.models import AuditEntry
from marketplace.tests import make as people
from settlements import ledger_files, ledger_reading, nights
from settlements.models import Account, LedgerEntry
from settlements.tests import make

pytestmark = pytest.mark.django_db

ACCOUNTS = "/admin/settlements/account/"
DAYS = "first=2026-09-01&last=2026-09-30"


@pytest.fixture(scope="module")
def settled(rows_of_module):
    market = make.market("ours", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        make.sold(make.seller("=A"), unit_price=50_000, quantity=2, category="gold")
        make.sold(make.seller("B"), number="O2")
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


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


@pytest.fixture
def payable(market):
    with tenancy.use(market.pk):
        return Account.objects.get(code="seller_payable")


def rows_of(answer):
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def card_of(account):
    return f"{ACCOUNTS}{account.pk}/change/?{DAYS}"


class TestTrialBalance:
    def test_has_the_rows_of_the_page_and_their_sums(self, enter, market):
        client = enter()
        page = client.get(f"{ACCOUNTS}trial-balance/?on=2026-09-30")
        head, *rows, total = rows_of(client.get(f"{ACCOUNTS}trial-balance/?on=2026-09-30&file=csv"))
        assert head == [
            *("Code", "Account", "Debits", "Credits", "Debit balance", "Credit balance")
        ]
        assert rows == [
            [
                row.code,
                row.name,
                *(str(figure) for figure in (row.debit, row.credit)),
                *(str(figure) for figure in (row.debit_balance, row.credit_balance)),
            ]
            for row in page.context["rows"]
        ]
        assert total[2] == total[3] == str(page.context["total"].debit)
        assert total[4] == total[5] == str(sum(int(row[4]) for row in rows))
        assert int(total[4]) > 0
        with tenancy.use(market.pk):
            entry = AuditEntry.objects.get(action="ledger.downloaded")
        assert (entry.actor.email, entry.data) == (
            "finance@example.org",
            {"on": "2026-09-30", "type": "csv"},
        )

    def test_has_the_accounts_of_a_figure_alone_where_the_page_has(self, enter):
        rows = rows_of(enter().get(f"{ACCOUNTS}trial-balance/?figure=clearing&file=csv"))
        assert [row[0] for row in rows[1:-1]] == ["clearing"]


class TestCard:
    def test_has_the_entries_of_the_page_with_the_balance_after_each(self, enter, payable, market):
        client = enter()
        card = client.get(card_of(payable)).context["card"]
        head, opening, *rows, closing = rows_of(client.get(card_of(payable) + "&file=csv"))
        assert head[0] == "Effective on"
        assert opening == ["2026-09-01", "At the beginning", "", "", "", "", str(card.opening)]
        told = [
            (
                leg.entry.basis_on.isoformat(),
                leg.journal.reference,
                *(str(figure) for figure in (leg.entry.debit, leg.entry.credit, leg.balance)),
            )
            for leg in list(card.page)[::-1]
        ]
        assert [(row[0], row[1], *row[4:]) for row in rows] == told
        assert len(rows) == 4
        assert {row[2] for row in rows} == {"'=A", "B"}
        assert closing == [
            *("2026-09-30", "At the end", "", ""),
            *(str(figure) for figure in (card.debit, card.credit, card.closing)),
        ]
        with tenancy.use(market.pk):
            entry = AuditEntry.objects.get(action="ledger.downloaded")
        assert entry.object_key == str(payable.pk)

    def test_reads_on_where_a_batch_ends(self, market, payable, monkeypatch):
        monkeypatch.setattr(ledger_reading, "_BATCH", 1)
        with tenancy.use(market.pk):
            days = {"first": date(2026, 9, 1), "last": date(2026, 9, 30)}
            legs = list(ledger_reading.in_order(ledger_reading.span(payable, **days)))
            entries = LedgerEntry.objects.filter(account_id=payable.pk).order_by("pk")
            assert [leg.entry.pk for leg in legs] == list(entries.values_list("pk", flat=True))

    def test_of_a_seller_has_its_entries_as_typed_cells(self, enter, payable):
        answer = enter().get(card_of(payable) + "&seller=B&file=xlsx")
        book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
        _head, *rows = book.active.iter_rows()
        assert [row[2].value for row in rows[1:-1]] == ["B", "B"]
        for row in rows:
            assert row[0].is_date
            assert row[6].number_format == "#,##0"
            assert all(cell.data_type != "f" for cell in row)

    def test_of_too_many_entries_is_refused_with_a_remedy(self, enter, payable, monkeypatch):
        monkeypatch.setattr(ledger_files, "MOST_ENTRIES", 3)
        answer = enter().get(card_of(payable) + "&file=csv", follow=True)
        assert "Choose fewer days or one seller" in answer.content.decode()
        assert answer.redirect_chain == [(card_of(payable), 302)]


class TestAccess:
    @pytest.mark.parametrize("kind", ["trial-balance", "card"])
    def test_is_for_exporters_alone(self, enter, payable, kind):
        page = f"{ACCOUNTS}trial-balance/?on=2026-09-30" if kind != "card" else card_of(payable)
        client = enter("viewer")
        assert "file=csv" not in client.get(page).content.decode()
        assert client.get(f"{page}&file=csv").status_code == 403
        client = enter("finance")
        assert "file=csv" in client.get(page).content.decode()
        assert client.get(f"{page}&file=exe").status_code == 404

    def test_gives_a_stranger_nothing_of_ours(self, enter, payable):
        theirs = make.market("theirs")
        client = enter("owner", theirs)
        assert client.get(card_of(payable) + "&file=csv").status_code == 404
        rows = rows_of(client.get(f"{ACCOUNTS}trial-balance/?file=csv"))
        assert {figure for row in rows[1:] for figure in row[2:]} == {"0"}
