"""What is settled can be recomputed; whoever edits it behind our back is found and named."""

from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, connections

from marketplace import tenancy
from settlements import nights, verification
from settlements.models import SettlementLine, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

CLOSED_ON = date(2026, 9, 11)


@pytest.fixture
def market():
    market = make.market(first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        line = make.sold(make.seller(), unit_price=50_000, quantity=2, category="gold")
        make.returned(line, left=1, on=date(2026, 9, 8))
    nights.close_day(market.pk, CLOSED_ON, at=make.AT)
    return market


def _found(market):
    with tenancy.use(market.pk):
        return [
            (difference.subject, difference.field)
            for difference in verification.verify(on=CLOSED_ON)
        ]


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
        assert ("statement", "lines, fee, vat, net") in _found(market)

    def test_names_an_edited_proof_of_a_reversal(self, market):
        _edit("UPDATE settlement_line SET charges[2] = charges[2] + 1 WHERE sequence = 1")
        assert _found(market) == [
            ("settlement line", "charges"),
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
        assert ("statement", "net, payout, held, reserved in its journal") in _found(market)

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
        with pytest.raises(CommandError, match="3 differences"):
            call_command("verify", market.slug, "--statement", statement.public_id)

    def test_fails_as_a_command_when_something_differs(self, market, capsys):
        _edit("UPDATE settlement_line SET net = net + 1 WHERE sequence = 0")
        with pytest.raises(CommandError):
            call_command("verify", market.slug)
        assert "O1/1#0: net should be 96700, is 96701" in capsys.readouterr().out

    def test_says_that_a_marketplace_is_unknown(self):
        with pytest.raises(CommandError, match="no marketplace “nowhere”"):
            call_command("verify", "nowhere")


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
