"""Statements, lines, ledger, nights and exports in the admin: what they show, to whom, how fast."""

import copy
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from marketplace.models import JobRun, OutboxMessage
from marketplace.tests import make as people
from orders.models import OutcomeToSettle
from settlements import nights, table_files, tasks
from settlements.models import (
    Account,
    Journal,
    LedgerEntry,
    SettlementLine,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

STATEMENTS = "/admin/settlements/statement/"
LINES = "/admin/settlements/settlementline/"
JOURNALS = "/admin/settlements/journal/"
ACCOUNTS = "/admin/settlements/account/"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(scope="module")
def settled(rows_of_module):
    """A sale of two, one of them taken back, and a second seller; closed up to their payday."""
    market = make.market("ours", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        line = make.sold(
            make.seller("A"),
            unit_price=50_000,
            quantity=2,
            category="gold",
            partner_discount=1_000,
        )
        make.returned(line, left=1, on=date(2026, 9, 8))
        make.sold(make.seller("B"), number="O2")
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


@pytest.fixture
def theirs(db):
    return make.market("theirs")


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
def rows(market):
    """One row of each kind, by name."""
    with tenancy.use(market.pk):
        statement = Statement.objects.get(seller__code="A")
        return {
            "statement": statement,
            "sale": SettlementLine.objects.get(statement_id=statement.pk, sequence=0),
            "reversal": SettlementLine.objects.get(statement_id=statement.pk, sequence=1),
            "journal": Journal.objects.get(reference=statement.public_id),
            "account": Account.objects.get(code="payout_payable"),
        }


def page_of(rows, name):
    row = rows[name]
    if name in ("sale", "reversal"):
        return f"{LINES}{row.basis_on}.{row.pk}/change/"
    kind = {"statement": STATEMENTS, "journal": JOURNALS, "account": ACCOUNTS}[name]
    return f"{kind}{row.pk}/change/"


def text(answer):
    return " ".join(answer.content.decode().split())


ROWS = ["statement", "sale", "reversal", "journal", "account"]
OTHERS = [f"{STATEMENTS}nights", f"{STATEMENTS}exports", f"{ACCOUNTS}trial-balance"]


class TestStrangers:
    @pytest.mark.parametrize("name", ROWS)
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_find_no_row_of_ours(self, enter, theirs, rows, name, method):
        client = enter("owner", theirs)
        assert getattr(client, method)(page_of(rows, name)).status_code == 404

    def test_see_none_of_ours_in_any_list(self, enter, theirs, rows):
        client = enter("owner", theirs)
        for page in [STATEMENTS, LINES, JOURNALS, *OTHERS]:
            answer = client.get(page, follow=True)
            assert answer.status_code == 200
            assert rows["statement"].public_id not in text(answer)
        on = client.get(f"{ACCOUNTS}trial-balance/?on=2026-12-31", follow=True)
        assert on.context["total"].debit == 0

    def test_get_no_file_of_ours(self, enter, theirs, market, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            enter("finance").post(
                f"{STATEMENTS}exports/", {"kind": "journal", "file_type": "csv"}, follow=True
            )
        with tenancy.use(market.pk):
            job = JobRun.objects.get(kind="export.journal")
        client = enter("owner", theirs)
        assert client.get(f"{STATEMENTS}exports/?file={job.pk}").status_code == 404

    @pytest.mark.parametrize("name", ["statement", "sale", "journal", "account"])
    def test_are_refused_without_a_marketplace(self, client, rows, name):
        client.force_login(people.user("root@example.org", is_superuser=True))
        assert client.get(page_of(rows, name)).status_code == 403

    @pytest.mark.parametrize("page", ["yesterday.1", "2026-09-08.x", "1", "2026-09-08.99999999"])
    def test_find_no_line_that_is_not_there(self, enter, page):
        assert enter().get(f"{LINES}{page}/change/").status_code == 404


class TestStatement:
    def test_reads_as_a_sum_from_sales_to_payout(self, enter, rows):
        answer = enter().get(page_of(rows, "statement"))
        steps = [(step.label, step.amount) for step in answer.context["steps"]]
        assert steps == [
            ("Sales at list price", 50_000),
            ("of it discounts that partners pay", 500),
            ("Discounts that the seller pays", 0),
            ("Fee: 판매 수수료", -1_500),
            ("VAT on top: 판매 수수료", -150),
            ("Net of its lines", 48_350),
            ("Carried in from the statement before", 0),
            ("Payable", 48_350),
            ("Payout", 48_350),
        ]

    def test_adds_up_between_its_totals(self, enter, rows):
        answer = enter().get(page_of(rows, "statement"))
        sum_so_far = 0
        for step in answer.context["steps"]:
            if step.is_total:
                assert step.amount == sum_so_far
            elif not step.is_aside:
                sum_so_far += step.amount

    def test_links_to_its_lines_and_its_journal(self, enter, rows):
        content = text(enter().get(page_of(rows, "statement")))
        for name in ("sale", "reversal", "journal"):
            assert page_of(rows, name) in content

    def test_is_verified_on_the_spot(self, enter, rows):
        answer = enter().post(page_of(rows, "statement"))
        assert answer.context["differences"] == []
        assert "Every line follows from its inputs." in text(answer)

    def test_names_what_does_not_follow(self, enter, rows, monkeypatch):
        from settlements import fees

        right = fees.figures

        def wrong(*given):
            charged, fee, vat, net = right(*given)
            return charged, fee, vat, net + 1

        monkeypatch.setattr(fees, "figures", wrong)
        answer = enter().post(page_of(rows, "statement"))
        [difference] = answer.context["differences"]
        assert (difference.key, difference.field) == ("O1/1#0", "net")
        assert "O1/1#0, net: should be 96701, is 96700" in text(answer)

    @pytest.mark.parametrize("role", ["owner", "finance", "reviewer", "support", "viewer"])
    def test_is_there_for_every_operator(self, enter, rows, role):
        assert enter(role).get(page_of(rows, "statement")).status_code == 200

    def test_asks_the_same_for_many_lines(self, enter, market, rows, django_assert_num_queries):
        client = enter()
        client.get(page_of(rows, "statement"))
        with django_assert_num_queries(21):
            client.get(page_of(rows, "statement"))
        many(market, rows, 120)
        with django_assert_num_queries(21):
            answer = client.get(page_of(rows, "statement"))
        assert len(answer.context["rows"]) == 50
        older = client.get(page_of(rows, "statement"), {"before": answer.context["page"].older})
        keys = {row["line"].pk for page in (answer, older) for row in page.context["rows"]}
        assert len(keys) == 100


class TestLine:
    def test_shows_order_rules_inputs_and_figures(self, enter, rows):
        answer = enter().get(page_of(rows, "sale"))
        content = text(answer)
        assert "100,000 × 3 % = 3,000, rounded (cut) to 3,000" in content
        assert answer.context["on_top"] == 300
        assert [row.sequence for row in answer.context["inputs"]] == [0]
        line = rows["sale"]
        for found in ("O1", "₩96,700", str(line.terms_id), page_of(rows, "statement")):
            assert found in content
        assert page_of(rows, "journal") in content

    def test_shows_a_reversal_as_a_difference(self, enter, rows):
        answer = enter().get(page_of(rows, "reversal"))
        assert "difference: fee -1,500, VAT -150" in text(answer)
        assert [row.sequence for row in answer.context["inputs"]] == [0, 1]

    def test_says_so_when_its_figures_do_not_follow(self, enter, rows, monkeypatch):
        from settlements import explanations

        def refuse(line):
            raise explanations.LineDiffers()

        monkeypatch.setattr(explanations, "explain", refuse)
        answer = enter().get(page_of(rows, "sale"))
        assert answer.status_code == 200
        assert "do not follow from its inputs any more" in text(answer)

    def test_is_told_in_few_queries(self, enter, rows, django_assert_max_num_queries):
        client = enter()
        with django_assert_max_num_queries(22):
            client.get(page_of(rows, "sale"))


class TestLedger:
    def test_shows_a_journal_with_its_legs(self, enter, rows):
        answer = enter().get(page_of(rows, "journal"))
        assert (answer.context["debit"], answer.context["credit"]) == (98_350, 98_350)
        legs = {(leg.account.code, leg.entry.debit) for leg in answer.context["legs"]}
        assert ("clearing", 49_500) in legs
        assert ("seller_payable", 48_350) in legs

    def test_balances_at_a_day(self, enter, market):
        client = enter()
        after = client.get(f"{ACCOUNTS}trial-balance/?on=2026-09-11", follow=True)
        total = after.context["total"]
        assert total.debit == total.credit > 0
        balances = {row.code: row.credit - row.debit for row in after.context["rows"]}
        with tenancy.use(market.pk):
            payouts = list(Statement.objects.values_list("payout", flat=True))
        assert len(payouts) == 2
        assert balances["payout_payable"] == sum(payouts) > 48_350
        before = client.get(f"{ACCOUNTS}trial-balance/?on=2026-09-10", follow=True)
        assert before.context["total"].debit == 0

    def test_runs_a_balance_through_an_account_card(self, enter, rows):
        days = {"first": "2026-09-01", "last": "2026-09-30"}
        answer = enter().get(page_of(rows, "account"), days)
        card = answer.context["card"]
        newest, oldest = card.page.rows
        assert card.opening == 0
        assert oldest.balance == -oldest.entry.credit
        assert newest.balance == card.closing == -card.credit

    def test_shows_the_card_of_one_seller(self, enter, rows):
        days = {"first": "2026-09-01", "last": "2026-09-30", "seller": "A"}
        card = enter().get(page_of(rows, "account"), days).context["card"]
        assert [leg.seller.code for leg in card.page] == ["A"]
        assert card.closing == -48_350

    def test_begins_with_what_was_before(self, enter, rows):
        days = {"first": "2026-09-12", "last": "2026-09-30", "seller": "A"}
        card = enter().get(page_of(rows, "account"), days).context["card"]
        assert (card.opening, card.closing, list(card.page)) == (-48_350, -48_350, [])

    @pytest.mark.parametrize(
        "days",
        [
            {"first": "x"},
            {"first": "2026-09-30", "last": "2026-09-01"},
            {"first": "2020-01-01", "last": "2026-09-01"},
            {"seller": "nobody"},
        ],
    )
    def test_says_what_is_wrong_with_the_days_asked_for(self, enter, rows, days):
        answer = enter().get(page_of(rows, "account"), days)
        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert answer.context["card"] is None

    def test_reads_only_the_months_asked_for(self, enter, rows, django_assert_max_num_queries):
        client = enter()
        days = {"first": "2026-09-01", "last": "2026-09-30"}
        with django_assert_max_num_queries(19) as asked:
            client.get(page_of(rows, "account"), days)
        ledger = [q["sql"] for q in asked.captured_queries if '"ledger_entry"' in q["sql"]]
        assert ledger
        assert all("basis_on" in query for query in ledger)

    def test_finds_the_same_balance_from_any_page(self, enter, market, rows):
        with tenancy.use(market.pk):
            entry = LedgerEntry.objects.filter(account_id=rows["account"].pk).first()
            clearing = Account.objects.get(code="clearing")
            LedgerEntry.objects.bulk_create(
                LedgerEntry(
                    basis_on=entry.basis_on,
                    journal_id=entry.journal_id,
                    account_id=account_id,
                    debit=debit,
                    credit=credit,
                )
                for _ in range(60)
                for account_id, debit, credit in (
                    (rows["account"].pk, 0, 10),
                    (clearing.pk, 10, 0),
                )
            )
        client = enter()
        days = {"first": "2026-09-01", "last": "2026-09-30"}
        first = client.get(page_of(rows, "account"), days).context["card"]
        older = client.get(page_of(rows, "account"), {**days, "before": first.page.older}).context[
            "card"
        ]
        assert (len(first.page), len(older.page)) == (50, 12)
        assert first.page.rows[0].balance == first.closing
        at_edge = first.page.rows[-1]
        assert older.page.rows[0].balance == at_edge.balance + at_edge.entry.credit


class TestNights:
    def test_tell_what_every_sentinel_means(self, enter):
        answer = enter().get(f"{STATEMENTS}nights", follow=True)
        assert [row.is_quiet for row in answer.context["sentinels"]] == [True] * 36
        assert [night["counts"] for night in answer.context["nights"]] == [[0] * 36] * 4

    @pytest.mark.parametrize(("lost", "looks"), [(0, 0), (1, 1)])
    def test_look_for_lost_lines_only_where_the_night_lost_some(self, enter, market, lost, looks):
        with tenancy.use(market.pk):
            check = JobRun.objects.filter(kind="night.check").order_by("-key").first()
            check.counts["outcomes_without_line"] = lost
            check.save()
        client = enter()
        with CaptureQueriesContext(connection) as asked:
            client.get(f"{STATEMENTS}nights", follow=True)
        found = [query for query in asked if "FROM orders_outcome o" in query["sql"]]
        assert len(found) == looks

    def test_show_the_rows_that_a_sentinel_is_about(self, enter, market):
        with tenancy.use(market.pk):
            line = make.sold(make.seller("C"), number="O9", confirmed_on=date(2026, 9, 9))
            Statement.objects.create(seller=line.seller, due_on=date(2026, 9, 10))
            assert OutcomeToSettle.objects.count() == 1
        answer = enter().get(f"{STATEMENTS}nights", follow=True)
        loud = [told for told in answer.context["sentinels"] if not told.is_quiet]
        waiting, overdue = loud
        assert [(row.name, row.of, row.since) for row in waiting.rows] == [
            ("O9/1", line.seller, date(2026, 9, 9))
        ]
        assert waiting.rows[0].address == f"/admin/orders/order/{line.order_id}/change/"
        assert [row.of for row in overdue.rows] == [line.seller]
        assert "O9/1" in text(answer)

    def test_ask_the_same_for_many_rows(self, enter, market, django_assert_num_queries):
        client = enter()
        client.get(f"{STATEMENTS}nights", follow=True)
        with django_assert_num_queries(63):
            client.get(f"{STATEMENTS}nights/")
        with tenancy.use(market.pk):
            seller = make.seller("C")
            for number in range(12):
                make.sold(seller, number=f"P{number}", confirmed_on=date(2026, 9, 9))
        with django_assert_num_queries(63):
            client.get(f"{STATEMENTS}nights/")


class TestExports:
    def test_are_written_and_fetched(self, enter, market):
        client = enter()
        client.post(f"{STATEMENTS}exports/", {"kind": "statements", "file_type": "csv"})
        with tenancy.use(market.pk):
            [asked] = OutboxMessage.objects.filter(topic="export.asked")
        tasks.begin_export(market, at=make.AT, **asked.payload)  # as the outbox has it done
        page = client.get(f"{STATEMENTS}exports/")
        [row] = page.context["rows"]
        assert row["is_there"]
        file = client.get(f"{STATEMENTS}exports/?file={row['job'].pk}")
        content = b"".join(file.streaming_content).decode("utf-8-sig")
        assert content.splitlines()[0].startswith("seller,due_on,state")
        assert "attachment" in file["Content-Disposition"]

    def test_are_written_as_xlsx_where_that_is_chosen(self, enter, market):
        client = enter()
        wrong = client.post(f"{STATEMENTS}exports/", {"kind": "statements", "file_type": "pdf"})
        assert wrong.status_code == 422
        client.post(f"{STATEMENTS}exports/", {"kind": "statements", "file_type": "xlsx"})
        with tenancy.use(market.pk):
            [asked] = OutboxMessage.objects.filter(topic="export.asked")
        tasks.begin_export(market, at=make.AT, **asked.payload)
        [row] = client.get(f"{STATEMENTS}exports/").context["rows"]
        file = client.get(f"{STATEMENTS}exports/?file={row['job'].pk}")
        assert file["Content-Type"] == table_files.TYPES["xlsx"]
        assert b"".join(file.streaming_content).startswith(b"PK")

    def test_say_when_a_file_is_gone(self, enter):
        client = enter()
        client.post(f"{STATEMENTS}exports/", {"kind": "statements", "file_type": "csv"})
        [row] = client.get(f"{STATEMENTS}exports/").context["rows"]
        answer = client.get(f"{STATEMENTS}exports/?file={row['job'].pk}", follow=True)
        assert "no longer kept" in text(answer)

    @pytest.mark.parametrize("kind", ["", "passwords", "../x"])
    def test_know_their_kinds(self, enter, kind):
        assert enter().post(f"{STATEMENTS}exports/", {"kind": kind}).status_code == 404

    @pytest.mark.parametrize("role", ["reviewer", "support", "viewer"])
    def test_are_for_owner_and_finance_alone(self, enter, market, role):
        client = enter(role)
        assert client.get(f"{STATEMENTS}exports/").status_code == 403
        assert client.post(f"{STATEMENTS}exports/", {"kind": "journal"}).status_code == 403
        with tenancy.use(market.pk):
            assert not JobRun.objects.filter(kind__startswith="export.").exists()


def many(market, rows, count):
    """Further lines on a statement, as the night would write them; their figures do not matter."""
    line = rows["sale"]
    with tenancy.use(market.pk):
        SettlementLine.objects.bulk_create(
            SettlementLine(
                **{
                    field.attname: getattr(line, field.attname)
                    for field in SettlementLine._meta.concrete_fields
                    if field.attname not in ("id", "sequence")
                },
                sequence=number,
            )
            for number in range(100, 100 + count)
        )
