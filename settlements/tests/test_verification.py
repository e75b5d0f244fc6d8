"""What is settled can be recomputed; whoever edits it behind our back is found and named."""

import json
from contextlib import contextmanager
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, connections
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from sellers.models import Seller
from settlements import holding, nights, verification
from settlements.models import SettlementLine, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

FIRST_ON, SECOND_ON = date(2026, 9, 8), date(2026, 9, 9)
HOSTS = {
    "income_kind": "service",
    "lag_days": 1,
    "lag_kind": "calendar",
    "cycle": "daily",
    "holiday": "next",
}
CLOSED_ON, LATER_ON = date(2026, 9, 11), date(2026, 9, 16)
HELD = "held back by its holds"
PAYS_THE_REST = {"payout": "payout + hold_taken - 1"}


@pytest.fixture
def market():
    market = make.market(first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        line = make.sold(make.seller(), unit_price=50_000, quantity=2, category="gold")
        make.returned(line, left=1, on=date(2026, 9, 8))
    nights.close_day(market.pk, CLOSED_ON, at=make.AT)
    return market


def _found(market, statement=None):
    with tenancy.use(market.pk):
        return [
            (difference.subject, difference.field)
            for difference in verification.verify(on=CLOSED_ON, statement=statement)
        ]


@pytest.fixture
def closed():
    """Two closed statements of a host: held, reserved and taxed; the one at hand is the second."""
    market = make.market(first_open_on=FIRST_ON)
    with tenancy.use(market.pk):
        host = make.seller()
        make.contract(host, valid_from=FIRST_ON, reserve_ppm=100_000, **HOSTS)
        terms = holding.Terms(reason="manual", note="확인 중", condition="확인 후")
        holding.hold_amount(host, 60_000, terms, by=None, at=make.AT)
        for number, on in (("O1", FIRST_ON), ("O2", SECOND_ON)):
            make.sold(host, number=number, unit_price=50_000, paid_on=on, confirmed_on=on)
    nights.close_day(market.pk, CLOSED_ON, at=make.AT)
    with tenancy.use(market.pk):
        first, second = Statement.objects.order_by("due_on")
        assert 0 < first.hold_taken < first.new_holds
        assert 0 < second.hold_taken == second.new_holds
        assert 0 not in (second.reserve, second.withholding_income, second.withholding_local)
        return market, second


@contextmanager
def _edited(statement, edit):
    """A statement with some columns set behind our back, and then set back."""
    columns = ", ".join(edit)
    with connections["owner"].cursor() as cursor:
        table = "settlements_statement WHERE id = %s"
        cursor.execute(f"SELECT {columns} FROM {table}", [statement.pk])
        before = [json.dumps(v) if isinstance(v, dict) else v for v in cursor.fetchone()]
    _edit(_setting(f"{name} = {value}" for name, value in edit.items()), statement.pk)
    yield
    _edit(_setting(f"{name} = %s" for name in edit), *before, statement.pk)


def _setting(assignments):
    return f"UPDATE settlements_statement SET {', '.join(assignments)} WHERE id = %s"


def _edit(statement, *parameters):
    """What only the owner of the tables could do; the app role is refused."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_entry DISABLE TRIGGER USER")
        cursor.execute(statement, parameters)
        edited = cursor.rowcount
        cursor.execute("ALTER TABLE ledger_entry ENABLE TRIGGER USER")
    return edited


class TestVerify:
    def test_finds_nothing_where_nothing_was_touched(self, market, capsys):
        assert _found(market) == []
        call_command("verify", market.slug)
        assert "everything agrees" in capsys.readouterr().out

    def test_names_an_edited_fee(self, market):
        assert _edit("UPDATE settlement_line SET fee = fee + 1 WHERE sequence = 0") == 1
        assert ("settlement line", "fee") in _found(market)
        assert ("statement", "fee") in _found(market)

    def test_names_an_edited_proof_of_a_reversal(self, market):
        _edit("UPDATE settlement_line SET charges[2] = charges[2] + 1 WHERE sequence = 1")
        assert _found(market) == [
            ("settlement line", "charges"),
            ("statement", "component sales"),
            ("settlement line", "digest"),
            ("sealed statement", "digest of lines"),
        ]

    def test_names_the_line_whose_digest_was_edited(self, market, capsys):
        _edit("UPDATE settlement_line SET digest = set_byte(digest, 0, get_byte(digest, 0) # 1)")
        assert _found(market) == [("settlement line", "digest")] * 2
        with pytest.raises(CommandError):
            call_command("verify", market.slug)
        told = capsys.readouterr().out
        assert "settlement line O1/1#0: digest should be" in told
        assert "settlement line O1/1#1: digest should be" in told

    def test_names_the_line_whose_order_was_edited(self, market):
        _edit("UPDATE orders_orderline SET seller_discount = seller_discount + 1")
        assert ("settlement line", "digest") in _found(market)

    def test_names_other_terms_than_the_rules_give(self, market):
        _edit(
            "UPDATE settlements_lineterms "
            "SET key = jsonb_set(key, '{2,0,1}', '5000')"  # 0.5 points off that no grade gave
        )
        assert ("settlement line", "terms") in _found(market)

    def test_names_a_line_that_was_removed(self, market):
        _edit("DELETE FROM settlement_line WHERE sequence = 1")
        assert ("outcome", "settled or waiting") in _found(market)

    def test_names_an_edited_payout(self, market):
        _edit("UPDATE settlements_statement SET payout = payout - 1, carry_out = carry_out + 1")
        assert ("statement", "payout") in _found(market)
        assert ("journal of statement", "payout") in _found(market)

    def test_names_an_edited_ledger(self, market):
        _edit("UPDATE ledger_entry SET debit = debit + 1 WHERE debit > 0")
        assert ("ledger", "debit - credit") in _found(market)

    def test_finds_no_way_to_edit_the_ledger_that_leaves_its_triggers_in_force(self, market):
        for statement in (
            "UPDATE ledger_entry SET debit = debit + 1 WHERE debit > 0",
            "DELETE FROM ledger_entry",
            "UPDATE settlements_journal SET reference = ''",
            "DELETE FROM settlements_journal",
        ):
            with (
                pytest.raises(IntegrityError, match="rows are only added"),
                connections["owner"].cursor() as cursor,
            ):
                cursor.execute(statement)

    def test_names_an_orphaned_line(self, market):
        _edit("UPDATE settlement_line SET statement_id = statement_id + 1000 WHERE sequence = 1")
        assert ("settlement line", "references") in _found(market)

    def test_checks_one_statement_alone(self, market):
        with tenancy.use(market.pk):
            statement = Statement.objects.get()
            assert list(verification.verify(on=CLOSED_ON, statement=statement)) == []
        _edit("UPDATE settlement_line SET vat = vat + 1 WHERE sequence = 0")
        with pytest.raises(CommandError):
            call_command("verify", market.slug, "--statement", statement.public_id)
        assert _found(market, statement) == [
            ("settlement line", "vat"),
            ("statement", "vat"),
            ("settlement line", "digest"),
            ("sealed statement", "digest of lines"),
        ]

    def test_fails_as_a_command_when_something_differs(self, market, capsys):
        _edit("UPDATE settlement_line SET net = net + 1 WHERE sequence = 0")
        with pytest.raises(CommandError):
            call_command("verify", market.slug)
        assert "O1/1#0: net should be 96700, is 96701" in capsys.readouterr().out

    def test_says_that_a_marketplace_is_unknown(self):
        with pytest.raises(CommandError, match="no marketplace “nowhere”"):
            call_command("verify", "nowhere")


EDITS = (  # of a closed statement, each with a figure that has to be named
    ("carry_in", {"carry_in": "carry_in + 1", "payable": "payable + 1", "payout": "payout + 1"}),
    ("hold_taken", {"new_holds": "new_holds + 1"}),
    ("payable", {"hold_taken": "1", "payable": "payable + hold_taken - 1", **PAYS_THE_REST}),
    (HELD, {"hold_taken": "1", "payable": "payable + hold_taken - 1", **PAYS_THE_REST}),
    ("reserve", {"reserve": "reserve - 1", "payout": "payout + 1"}),
    ("reserve_due_on", {"reserve_due_on": "reserve_due_on - 1"}),
    ("reserve_released", {"reserve_released": "1", "payout": "payout + 1"}),
    ("withholding_income", {"withholding_income": "0", "payout": "payout + withholding_income"}),
    ("withholding_local", {"withholding_local": "0", "payout": "payout + withholding_local"}),
    ("payout", {"payout": "0", "carry_out": "carry_out + payout"}),
    ("carry_out", {"payout": "payout - 1", "carry_out": "carry_out + 1"}),
    ("debt_invoiced", {"debt_invoiced": "1", "carry_out": "carry_out + 1"}),
    ("service_net", {"service_net": "service_net - 1"}),
    ("component sales", {"components": "jsonb_set(components, '{sales,0}', '1')"}),
    ("component sales", {"components": "'{}'"}),
    ("first_basis_on", {"first_basis_on": "first_basis_on - 1"}),
    ("last_basis_on", {"last_basis_on": "NULL"}),
    ("state", {"state": "'closed'"}),
)


class TestClosedStatements:
    def test_name_each_figure_that_was_edited(self, closed):
        market, statement = closed
        assert _found(market) == _found(market, statement) == []
        for named, edit in EDITS:
            with _edited(statement, edit):
                assert ("statement", named) in _found(market), edit
                assert ("statement", named) in _found(market, statement), edit
        assert _found(market) == []

    def test_name_every_line_of_one_that_was_moved_to_another_day(self, closed):
        market, statement = closed
        _edit("UPDATE settlements_statement SET due_on = due_on + 1 WHERE id = %s", statement.pk)
        assert ("settlement line", "due_on") in _found(market)
        assert ("settlement line", "due_on") in _found(market, statement)

    def test_name_the_one_that_was_closed_on_another_day(self, closed):
        market, statement = closed
        edit = "UPDATE settlements_statement SET closed_on = closed_on + 1 WHERE id = %s"
        _edit(edit, statement.pk)
        assert ("journal of statement", "day") in _found(market)
        assert ("journal of statement", "day") in _found(market, statement)

    def test_name_an_edited_journal_of_one(self, closed):
        market, statement = closed
        _edit("UPDATE ledger_entry SET debit = debit + 1 WHERE debit > 0")
        assert ("journal of statement", "buyers' money") in _found(market, statement)

    def test_name_what_its_seller_carries_of_the_base_of_tax(self, closed):
        market, _ = closed
        _edit("UPDATE settlements_sellerbalance SET withholding_base = 5")
        assert ("seller", "withholding base") in _found(market)

    def test_tell_a_wrong_carry_once(self, closed):
        market, _ = closed
        _edit(
            "UPDATE settlements_statement SET carry_in = 7, payable = payable + 7,"
            " carry_out = carry_out + 7 WHERE due_on = (SELECT min(due_on)"
            " FROM settlements_statement)"
        )
        told = [found for found in _found(market) if found == ("statement", "carry_in")]
        assert len(told) == 2  # where it was made up, and where it was not carried on

    def test_are_checked_with_as_many_queries_however_many_there_are(self, closed):
        market, _ = closed
        with tenancy.use(market.pk):
            before = _queries()
            for number, on in enumerate((date(2026, 9, 12), date(2026, 9, 13)), 3):
                for seller in (Seller.objects.get(code="A"), make.seller(f"N{number}")):
                    make.sold(seller, number=f"O{number}{seller.code}", confirmed_on=on, paid_on=on)
        nights.close_day(market.pk, LATER_ON, at=make.AT)
        with tenancy.use(market.pk):
            assert Statement.objects.exclude(state="open").count() == 5
            assert _queries() == before


def _queries():
    with CaptureQueriesContext(connection) as queries:
        found = list(verification.verify(on=LATER_ON))
    assert found == []
    return len(queries)


class TestRights:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE settlement_line SET fee = 0",
            "DELETE FROM settlement_line",
            "UPDATE ledger_entry SET debit = 0",
            "DELETE FROM ledger_entry",
            "UPDATE settlements_journal SET reference = ''",
            "UPDATE settlements_lineterms SET key = '[]'",
            "UPDATE orders_outcome SET quantity = 0",
        ],
    )
    def test_refuses_the_app_role_to_rewrite_what_is_settled(self, market, statement):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            tenancy.use(market.pk),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        with tenancy.use(market.pk):
            assert SettlementLine.objects.count() == 2
