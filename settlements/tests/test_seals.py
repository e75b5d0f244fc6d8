"""Closed statements are sealed in chains, the same whoever closes them and however often."""

import json
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, connections

from marketplace import tenancy
from marketplace.models import AuditEntry, Change
from settlements import (
    nights,
    proofs,
    runs,
    sealed_lines,
    seals,
    sentinels,
    signing,
    terms_documents,
    verification,
)
from settlements.models import (
    SettlementLine,
    SigningKey,
    Statement,
    StatementSeal,
    TermsDocument,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = date(2026, 9, 8)
LAST = date(2026, 9, 15)
NEXT, NEXT_DUE = date(2026, 9, 16), date(2026, 9, 21)


def _past(slug="jangteo"):
    """Two sellers; the first has sales of three days and takes one back."""
    market = make.market(slug, first_open_on=FIRST)
    with tenancy.use(market.pk):
        one, other = make.seller("A"), make.seller("B")
        line = make.sold(one, number="O1", unit_price=50_000, quantity=2, category="gold")
        make.sold(one, number="=O2", unit_price=33_333, confirmed_on=FIRST + timedelta(days=1))
        make.sold(one, number='O"3,\n', unit_price=9_990, confirmed_on=FIRST + timedelta(days=2))
        make.sold(other, number="O4", unit_price=12_345)
        make.returned(line, left=1, on=FIRST + timedelta(days=1))
    return market


@pytest.fixture
def market():
    market = _past()
    nights.close_day(market.pk, LAST, at=make.AT)
    return market


def _heads(market):
    with tenancy.use(market.pk):
        rows = StatementSeal.objects.order_by("seller__code", "number")
        return list(rows.values_list("seller__code", "number", "head"))


def _found(market, **words):
    with tenancy.use(market.pk):
        return [
            (difference.subject, difference.field)
            for difference in verification.verify(on=LAST, **words)
        ]


def _edit(statement, *parameters):
    """What only the owner of the tables could do."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount


def _forget(*, keep=0):
    """As if so many statements of each seller, and no more, had been closed with seals."""
    _edit("DELETE FROM settlements_statementseal WHERE number > %s", keep)


class TestSealClosed:
    def test_chains_the_statements_of_each_seller_in_the_order_of_their_due_dates(self, market):
        with tenancy.use(market.pk):
            closed = Statement.objects.exclude(state="open").order_by("seller__code", "due_on")
            expected, before = [], {}
            for statement in closed:
                seal = seals.of(statement)
                document = json.loads(seal.document)
                number, head = before.get(statement.seller_id, (0, "0" * 64))
                assert (seal.number, document["previous_head"]) == (number + 1, head)
                assert document["due_on"] == statement.due_on.isoformat()
                assert document["lines"]["count"] == statement.lines
                assert document["figures"]["payout"] == statement.payout
                assert signing.is_genuine(seal.head, seal.signature, seal.key.public_half)
                before[statement.seller_id] = seal.number, seal.head
                expected.append((statement.seller_id, seal.number))
            assert len(expected) == 4
            assert [number for _, number in expected] == [1, 2, 3, 1]

    def test_names_no_row_and_no_time_of_day(self, market):
        """Its digests are written out: a change of the format breaks what sellers have kept."""
        with tenancy.use(market.pk):
            seal = StatementSeal.objects.order_by("seller__code", "number").first()
            assert json.loads(seal.document) == {
                "format": "jangteo-statement-1",
                "seller": "A",
                "due_on": "2026-09-11",
                "closed_on": "2026-09-11",
                "currency": "KRW",
                "currency_exponent": 0,
                "number": 1,
                "previous_head": "0" * 64,
                "lines": {
                    "count": 1,
                    "sha256": "0eebb3096afa5c24bc1cfb8978d81eb8c915a88875e54fa633713dd83719c779",
                },
                "terms": ["4a259b114fe487d9b42144633152293c11e09ffa3382cd46b0ecd6acbcd414cf"],
                "payout_terms": {
                    "lag_days": 3,
                    "lag_kind": "business",
                    "cycle": "daily",
                    "cycle_days": [],
                    "holiday": "next",
                    "minimum_payout": 0,
                    "reserve_ppm": 0,
                },
                "figures": {
                    "list_amount": 100_000,
                    "seller_discount": 0,
                    "platform_discount": 0,
                    "partner_discount": 0,
                    "fee": 3_000,
                    "vat": 300,
                    "net": 96_700,
                    "service_net": 0,
                    "base_carry_in": 0,
                    "base_carried": 0,
                    "components": {"sales": [3_000, 300, 300]},
                    "carry_in": 0,
                    "released_holds": 0,
                    "new_holds": 0,
                    "hold_taken": 0,
                    "reserve_released": 0,
                    "debt_invoiced": 0,
                    "debt_settled": 0,
                    "payable": 96_700,
                    "reserve": 0,
                    "withholding_income": 0,
                    "withholding_local": 0,
                    "payout": 96_700,
                    "carry_out": 0,
                },
            }

    def test_comes_to_the_same_in_another_marketplace_with_the_same_past(self, market):
        other = _past("other")
        for night in range((LAST - FIRST).days + 1):
            nights.close_day(other.pk, FIRST + timedelta(days=night), at=make.AT)
        assert _heads(other) == _heads(market)
        with tenancy.use(other.pk):
            foreign = StatementSeal.objects.select_related("key").first()
        with tenancy.use(market.pk):
            assert not signing.is_genuine(foreign.head, foreign.signature, foreign.key.public_half)

    def test_chains_several_statements_that_close_in_one_night(self, market, monkeypatch):
        late = _past("late")
        with monkeypatch.context() as patched:
            patched.setattr(nights, "_due", lambda on: [])
            patched.setattr(sentinels, "watch", lambda on, at: {})
            nights.close_day(late.pk, LAST - timedelta(days=1), at=make.AT)
        nights.close_day(late.pk, LAST, at=make.AT)
        with tenancy.use(late.pk):
            rows = StatementSeal.objects.order_by("seller__code", "number")
            told = [(s.number, json.loads(s.document)["due_on"]) for s in rows]
            assert told == [
                (1, "2026-09-11"),
                (2, "2026-09-14"),
                (3, "2026-09-15"),
                (1, "2026-09-11"),
            ]
            assert list(verification.verify(on=LAST)) == []

    def test_is_the_same_over_lines_from_before_these_had_digests(self):
        market = _past()
        with tenancy.use(market.pk):
            nights._open_months(LAST)
            runs.settle(on=LAST, first_seller=0, end_seller=2**62)
            stored = [bytes(line.digest) for line in SettlementLine.objects.order_by("pk")]
            assert len(stored) == 5
            due = Statement.objects.order_by("seller__code", "due_on")
            expected = sealed_lines.digests(due, terms_documents.complete())
        _edit("UPDATE settlement_line SET digest = NULL WHERE sequence = 0")
        with tenancy.use(market.pk):
            assert sealed_lines.digests(due, terms_documents.complete()) == expected
            assert sealed_lines.digests(due, terms_documents.complete(), again=True) == expected

    def test_takes_digests_for_what_the_database_says_of_awkward_orders(self):
        """Also of those that a spreadsheet would run, and of lines that were taken back twice."""
        market = make.market(first_open_on=FIRST)
        numbers = [
            *(f"{mark}1" for mark in "=+-@\t\r\n＝＋－＠'"),
            '"',
            'a"b',
            "정산,1",
            "1\\2",
            "%s",
        ]
        with tenancy.use(market.pk):
            seller = make.seller("A")
            for number in numbers:
                line = make.sold(seller, number=number, unit_price=9_990, quantity=3)
                make.returned(line, left=2, on=FIRST + timedelta(days=1))
                make.returned(line, left=0, on=FIRST + timedelta(days=2))
            nights._open_months(LAST)
            runs.settle(on=LAST, first_seller=0, end_seller=2**62)
            assert SettlementLine.objects.exclude(digest=None).count() == 3 * len(numbers)
            assert sealed_lines.altered(terms_documents.complete()) == []

    def test_trusts_what_is_stored_beside_lines_from_before(self):
        market = _past()
        with tenancy.use(market.pk):
            nights._open_months(LAST)
            runs.settle(on=LAST, first_seller=0, end_seller=2**62)
            due = Statement.objects.order_by("seller__code", "due_on")
            expected = sealed_lines.digests(due, terms_documents.complete())
            line = SettlementLine.objects.get(statement_id=due.last().pk)
        _edit("UPDATE settlement_line SET digest = NULL WHERE sequence = 1")
        _edit("UPDATE settlement_line SET fee = fee + 1 WHERE id = %s", line.pk)
        with tenancy.use(market.pk):
            assert sealed_lines.digests(due, terms_documents.complete()) == expected

    def test_is_told_with_each_statement(self, market):
        with tenancy.use(market.pk):
            told = Change.objects.filter(type__startswith="statement.").order_by("pk")
            heads = {change.object_id: change.data["head"] for change in told}
            assert heads == {
                seal.statement.public_id: seal.head
                for seal in StatementSeal.objects.select_related("statement")
            }

    def test_goes_on_behind_what_was_closed_before_there_were_seals(self, market):
        expected = _heads(market)
        _forget(keep=1)
        with tenancy.use(market.pk):
            assert seals.unsealed().count() == 2
            assert seals.seal_all([make.Seller.objects.get(code="B").pk], at=make.AT) == 0
            assert seals.seal_all([make.Seller.objects.get(code="A").pk], at=make.AT) == 2
        assert _heads(market) == expected

    def test_is_caught_up_by_the_next_night_of_the_seller(self, market):
        expected = _heads(market)
        _forget()
        with tenancy.use(market.pk):
            seller = make.Seller.objects.get(code="A")
            make.sold(seller, number="O9", confirmed_on=NEXT)
        nights.close_day(market.pk, NEXT_DUE, at=make.AT)
        assert _heads(market)[:3] == expected[:3]
        assert [(code, number) for code, number, _ in _heads(market)] == [
            ("A", 1),
            ("A", 2),
            ("A", 3),
            ("A", 4),
        ]


class TestVerify:
    def test_finds_nothing_where_nothing_was_touched(self, market):
        assert _found(market) == []

    def test_says_what_is_not_sealed_yet_and_takes_it_for_no_fault(self, market, capsys):
        _forget()
        call_command("verify", market.slug)
        told = capsys.readouterr().out
        assert "4 statements are not sealed yet" in told
        assert "everything agrees" in told

    def test_names_what_was_edited(self, market):
        for edit, difference in (
            (
                "UPDATE settlements_statement SET carry_in = 1, payable = payable + 1, "
                "payout = payout + 1 WHERE seller_id IN "
                "(SELECT id FROM sellers_seller WHERE code = 'B')",
                ("sealed statement", "carry_in"),
            ),
            (
                "UPDATE orders_order SET number = 'O5' WHERE number = 'O4'",
                ("sealed statement", "digest of lines"),
            ),
            (
                "UPDATE settlements_statementseal SET head = repeat('1', 64) WHERE number = 3",
                ("seal of statement", "head"),
            ),
            (
                "DELETE FROM settlements_statementseal WHERE number = 2",
                ("seal of statement", "previous_head"),
            ),
            (
                "UPDATE settlements_termsdocument SET text = text || ' '",
                ("terms document", "digest"),
            ),
        ):
            assert difference not in _found(market)
            _edit(edit)
            assert difference in _found(market)

    def test_names_a_signature_that_is_not_genuine(self, market):
        _edit("UPDATE settlements_statementseal SET signature = repeat('1', 128) WHERE number = 3")
        assert _found(market) == [("seal of statement", "signature")]

    def test_checks_the_seal_of_one_statement(self, market):
        with tenancy.use(market.pk):
            statement = StatementSeal.objects.get(number=3).statement
        assert _found(market, statement=statement) == []
        _edit("UPDATE settlements_statementseal SET head = repeat('1', 64) WHERE number = 2")
        assert _found(market, statement=statement) == [("seal of statement", "previous_head")]


class TestSentinel:
    def test_is_raised_by_a_broken_chain(self, market):
        with tenancy.use(market.pk):
            last = StatementSeal.objects.get(number=3).statement
        for edit, undo in (
            ("SET document = document || ' ' WHERE number = 3", "SET document = rtrim(document)"),
            ("SET number = 9 WHERE number = 2", "SET number = 2 WHERE number = 9"),
        ):
            assert _broken(market, last) == (0, [])
            _edit(f"UPDATE settlements_statementseal {edit}")
            assert _broken(market, last) == (1, [last.pk])
            _edit(f"UPDATE settlements_statementseal {undo}")
        _edit("DELETE FROM settlements_statementseal WHERE number = 3")
        assert _broken(market, last) == (1, [last.pk])


def _broken(market, statement):
    with tenancy.use(market.pk):
        return (
            sentinels.watch(statement.closed_on, at=make.AT)[sentinels.CHAIN_BROKEN],
            sentinels.differing(statement.closed_on)[sentinels.CHAIN_BROKEN],
        )


class TestSigning:
    def test_goes_on_with_a_new_key_while_the_old_one_still_proves(self, market, capsys):
        with tenancy.use(market.pk):
            old = SigningKey.objects.get()
        call_command("rotate_signing_key", market.slug)
        with tenancy.use(market.pk):
            new = SigningKey.objects.get(retired_at__isnull=True)
            assert new.code in capsys.readouterr().out
            assert new.code != old.code
            assert AuditEntry.objects.filter(action="signing_key.made").count() == 2
            make.sold(make.Seller.objects.get(code="B"), number="O9", confirmed_on=NEXT)
        nights.close_day(market.pk, NEXT_DUE, at=make.AT)
        with tenancy.use(market.pk):
            signed = StatementSeal.objects.filter(seller__code="B").order_by("number")
            assert [seal.key_id for seal in signed] == [old.pk, new.pk]
        assert _found(market) == []

    def test_says_that_a_marketplace_is_unknown(self):
        for command in ("rotate_signing_key", "seal_statements"):
            with pytest.raises(CommandError, match="no marketplace “nowhere”"):
                call_command(command, "nowhere")

    def test_keeps_the_private_half_from_whoever_reads_the_table(self, market):
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT private_half FROM settlements_signingkey")
            [[sealed]] = cursor.fetchall()
        with tenancy.use(market.pk):
            assert len(bytes(sealed)) > 64
            signer = signing.signer(at=make.AT)
            assert signing.is_genuine("a", signer.sign("a"), signer.key.public_half)
            assert not signing.is_genuine("b", signer.sign("a"), signer.key.public_half)
            assert not signing.is_genuine("a", "no hex", signer.key.public_half)


class TestCommand:
    def test_seals_in_order_and_repeats_without_harm(self, market, capsys):
        expected = _heads(market)
        _forget()
        call_command("seal_statements", market.slug)
        assert "4 statements of 2 sellers sealed" in capsys.readouterr().out
        assert _heads(market) == expected
        call_command("seal_statements", market.slug)
        assert _heads(market) == expected


class TestTermsDocuments:
    def test_tell_the_rules_without_row_ids(self, market):
        with tenancy.use(market.pk):
            texts = list(TermsDocument.objects.values_list("text", "digest"))
        assert texts
        for text, digest in texts:
            assert proofs.digest(text) == digest
            assert not {"id", "rule_id", "version_id"} & json.loads(text).keys()

    def test_are_written_for_terms_from_before_there_were_any(self, market):
        expected = _heads(market)
        _forget()
        _edit("DELETE FROM settlements_termsdocument")
        call_command("seal_statements", market.slug)
        assert _heads(market) == expected


class TestRights:
    def test_refuse_the_app_role_to_rewrite_what_is_sealed(self, market):
        for statement in (
            "UPDATE settlements_statementseal SET head = ''",
            "DELETE FROM settlements_statementseal",
            "UPDATE settlements_termsdocument SET text = ''",
            "DELETE FROM settlements_signingkey",
        ):
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                tenancy.use(market.pk),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
