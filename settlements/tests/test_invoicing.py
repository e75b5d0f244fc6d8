"""Tax invoices on real rows: drawn from lines, tied to the ledger, issued, corrected, answered."""

import threading
from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from marketplace import states, tenancy
from marketplace.models import AuditEntry, Change
from marketplace.tests import make as people
from sellers.models import Seller
from settlements import (
    adjusting,
    invoicing,
    ledger,
    nights,
    sentinels,
    tax_drawing,
    tax_results,
    tax_ties,
)
from settlements.ledger import Draft
from settlements.models import TaxInvoice
from settlements.tests import make

pytestmark = pytest.mark.django_db

AUG, SEP, OCT = date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1)
OPEN_ON = date(2026, 9, 28)
END = date(2026, 9, 30)
ISSUED_AT = datetime(2026, 10, 2, 3, tzinfo=UTC)
APPROVAL = "20261002410000960000000a"


@pytest.fixture
def market(db):
    return make.market(first_open_on=OPEN_ON)


@pytest.fixture
def operator(db):
    return people.user("operator@example.org")


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        return make.seller()


def sold(seller, *, on=date(2026, 9, 29), **fields):
    fields.setdefault("unit_price", 100_000)
    return make.sold(seller, paid_on=OPEN_ON, confirmed_on=on, **fields)


def close(market, on):
    nights.close_day(market.pk, on, at=make.AT)


def adjusted(seller, operator, amount, tax_kind, reason_code="service", on=OPEN_ON):
    at = datetime(2026, 9, 28, 3, tzinfo=UTC)
    row = adjusting.request(
        seller,
        amount=amount,
        tax_kind=tax_kind,
        reason_code=reason_code,
        reason="이용료",
        basis_on=on,
        by=operator,
        at=at,
    )
    return adjusting.approve(row, by=None, at=at)


def said(**filters):
    rows = TaxInvoice.objects.filter(**filters).order_by("number")
    return [(row.kind, row.leg, row.supply, row.vat, row.state) for row in rows]


class TestDrawNight:
    def test_draws_the_month_up_on_its_last_day_from_basis_dates(self, market, seller):
        with tenancy.use(market.pk):
            sold(seller, number="A")  # 12 % of 100,000, and VAT
            sold(seller, number="B", on=date(2026, 10, 1))
        close(market, date(2026, 9, 29))
        with tenancy.use(market.pk):
            assert TaxInvoice.objects.count() == 0
        close(market, END)
        with tenancy.use(market.pk):
            row = TaxInvoice.objects.get()
            assert (row.number, row.month, row.written_on) == ("202609-000001", SEP, END)
            assert (row.supply, row.vat, row.components) == (
                12_000,
                1_200,
                {"sales": [12_000, 1_200]},
            )
            assert (row.state, row.deadline_on) == ("draft", date(2026, 10, 10))
            assert Change.objects.filter(type__startswith="tax_invoice").count() == 0

    def test_follows_lines_that_come_late_while_it_is_a_draft(self, market, seller):
        with tenancy.use(market.pk):
            sold(seller, number="A")
        close(market, END)
        with tenancy.use(market.pk):
            sold(seller, number="B", unit_price=50_000)
        close(market, date(2026, 10, 1))
        with tenancy.use(market.pk):
            row = TaxInvoice.objects.get()
            assert (row.number, row.supply, row.vat) == ("202609-000001", 18_000, 1_800)

    def test_is_for_marketplaces_under_korean_law_alone(self, seller):
        other = make.market("brasil", currency="BRL", exponent=2, first_open_on=END)
        with tenancy.use(other.pk):
            sold(make.seller("B"), on=END)
        close(other, END)
        with tenancy.use(other.pk):
            assert not TaxInvoice.objects.exists()


class TestDraw:
    def test_nets_reversals_of_the_same_month(self, market, seller):
        with tenancy.use(market.pk):
            line = sold(seller, quantity=2, on=OPEN_ON)
            make.returned(line, left=1, on=END)
        close(market, END)
        with tenancy.use(market.pk):
            assert said() == [("taxable", "invoice", 12_000, 1_200, "draft")]

    def test_corrects_the_month_of_the_sale_in_the_month_of_the_reversal(self, market, seller):
        with tenancy.use(market.pk):
            line = sold(seller, quantity=2)
        close(market, END)
        with tenancy.use(market.pk):
            make.returned(line, left=1, on=date(2026, 10, 5))
            sold(seller, number="B", on=date(2026, 10, 6))
        close(market, date(2026, 10, 31))
        with tenancy.use(market.pk):
            [september] = TaxInvoice.objects.filter(month=SEP)
            assert (september.supply, september.vat) == (24_000, 2_400)
            assert said(month=OCT) == [
                ("taxable", "change", -12_000, -1_200, "draft"),
                ("taxable", "invoice", 12_000, 1_200, "draft"),
            ]
            change = TaxInvoice.objects.get(leg="change")
            assert (change.original_month, change.reason_code) == (SEP, "02")
            assert change.written_on == date(2026, 10, 5)

    def test_splits_exempt_supplies_off_and_leaves_penalties_out(self, market, seller, operator):
        with tenancy.use(market.pk):
            sold(seller)
            adjusted(seller, operator, -30_000, "exempt")
            adjusted(seller, operator, -7_000, "outside_scope", "penalty")
            adjusted(seller, operator, -20_000, "taxable")
        close(market, END)
        with tenancy.use(market.pk):
            assert sorted(said()) == [
                ("exempt", "invoice", 30_000, 0, "draft"),
                ("taxable", "invoice", 32_000, 3_200, "draft"),
            ]

    def test_takes_contained_vat_out_of_the_supply(self, market):
        with tenancy.use(market.pk):
            seller = make.seller("C")
            rule = {"rate_ppm": 110_000, "vat_kind": "inclusive"}
            make.contract(seller, valid_from=OPEN_ON, rules=[rule])
            sold(seller)
        close(market, END)
        with tenancy.use(market.pk):
            assert said() == [("taxable", "invoice", 10_000, 1_000, "draft")]

    def test_twice_changes_nothing(self, market, seller):
        with tenancy.use(market.pk):
            sold(seller)
        close(market, END)
        with tenancy.use(market.pk):
            before = list(TaxInvoice.objects.values())
            entries = AuditEntry.objects.count()
            assert tax_drawing.draw(SEP, at=ISSUED_AT) == tax_drawing.Drawn(drafts=1, changed=0)
            assert list(TaxInvoice.objects.values()) == before
            assert AuditEntry.objects.count() == entries

    def test_writes_an_issued_one_anew_when_a_line_comes_late(self, market, seller, operator):
        with tenancy.use(market.pk):
            sold(seller, number="A")
        close(market, END)
        with tenancy.use(market.pk):
            make.tax_parties(seller)
            first = invoicing.issue(TaxInvoice.objects.get(), by=operator, at=ISSUED_AT)
            invoicing.accept(first, by=operator, at=ISSUED_AT, approval_number=APPROVAL)
            sold(seller, number="B", unit_price=50_000)
        close(market, date(2026, 10, 1))
        with tenancy.use(market.pk):
            assert said(month=SEP) == [
                ("taxable", "invoice", 12_000, 1_200, "accepted"),
                ("taxable", "anew", 18_000, 1_800, "draft"),
                ("taxable", "taken_back", -12_000, -1_200, "draft"),
            ]
            sent = invoicing.issue_many(TaxInvoice.objects.all(), by=operator, at=ISSUED_AT)
            assert (sent.issued, sent.refused) == (2, [])
            corrections = TaxInvoice.objects.exclude(leg="invoice")
            assert {row.original_id for row in corrections} == {first.pk}
            assert tax_ties.of_month(SEP).is_tied

    def test_removes_a_draft_that_nothing_is_left_of(self, market, seller):
        with tenancy.use(market.pk):
            line = sold(seller)
        close(market, END)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=END)
        close(market, date(2026, 10, 1))
        with tenancy.use(market.pk):
            assert said() == []


@pytest.fixture
def drafted(market, seller):
    with tenancy.use(market.pk):
        sold(seller)
    close(market, END)
    with tenancy.use(market.pk):
        make.tax_parties(seller)
        return TaxInvoice.objects.select_related("seller").get()


class TestIssue:
    def test_freezes_both_parties_and_says_so(self, market, drafted, operator):
        with tenancy.use(market.pk):
            row = invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            assert (row.state, row.transmit_by) == ("issued", date(2026, 10, 3))
            assert row.issuer.company == "장터 주식회사"
            Seller.objects.update(name="새 이름")
            assert invoicing.receiver(row) == {
                "number": "1208800767",
                "is_person": False,
                "name": "상점 A 주식회사",
                "representative": "이상인",
                "address": "부산",
                "email": "",
            }
            told = Change.objects.get(type="tax_invoice.issued")
            assert (told.object_id, told.seller_id) == (row.public_id, row.seller_id)
            with pytest.raises(states.IllegalMove):
                invoicing.issue(row, by=operator, at=ISSUED_AT)

    def test_leaves_what_was_handed_out_as_it_is(self, market, drafted, operator):
        with tenancy.use(market.pk):
            row = invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            rows = TaxInvoice.objects.filter(pk=row.pk)
            for change in ({"supply": 1}, {"components": {}}, {"written_on": OPEN_ON}):
                with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
                    rows.update(**change)
            with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
                rows.delete()

    def test_wants_the_nights_of_the_month_closed(self, market, drafted, operator):
        with tenancy.use(market.pk):
            type(market).objects.filter(pk=market.pk).update(last_closed_on=date(2026, 9, 29))
            with pytest.raises(invoicing.MonthNotOver):
                invoicing.issue(drafted, by=operator, at=ISSUED_AT)

    def test_wants_the_operators_legal_identity(self, market, seller, operator):
        with tenancy.use(market.pk):
            sold(seller)
        close(market, END)
        with tenancy.use(market.pk), pytest.raises(invoicing.IdentityIncomplete):
            invoicing.issue(TaxInvoice.objects.get(), by=operator, at=ISSUED_AT)

    def test_wants_the_sellers_registration(self, market, drafted, operator):
        with tenancy.use(market.pk):
            Seller.objects.update(business_number="")
            with pytest.raises(invoicing.ReceiverIncomplete):
                invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            drafted.refresh_from_db()
            assert (drafted.state, drafted.receiver) == ("draft", None)

    def test_is_for_persons_without_a_registration_too(self, market, drafted, operator):
        with tenancy.use(market.pk):
            Seller.objects.update(business_number="", seller_type="individual")
            row = invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            assert invoicing.receiver(row)["is_person"] is True

    def test_wants_the_original_of_a_correction(self, market, drafted, operator):
        with tenancy.use(market.pk):
            change = TaxInvoice.objects.create(
                number="202610-000001",
                seller=drafted.seller,
                month=SEP,
                kind="taxable",
                leg="change",
                reason_code="02",
                original_month=AUG,
                supply=-1,
                vat=0,
                written_on=END,
                deadline_on=END,
            )
            with pytest.raises(invoicing.OriginalMissing):
                invoicing.issue(change, by=operator, at=ISSUED_AT)
            invoicing.name_original(change, by=operator, at=ISSUED_AT, approval_number=APPROVAL)
            row = invoicing.issue(change, by=operator, at=ISSUED_AT)
            assert (row.state, row.original_number) == ("issued", APPROVAL)


class TestAnswers:
    def test_are_recorded_by_hand(self, market, drafted, operator):
        with tenancy.use(market.pk):
            row = invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            invoicing.transmit(row, by=operator, at=ISSUED_AT)
            invoicing.fail(row, by=operator, at=ISSUED_AT, reason="사업자번호 오류")
            assert (row.state, row.failure) == ("failed", "사업자번호 오류")
            invoicing.accept(
                row, by=operator, at=ISSUED_AT, approval_number="20261002-41000096-0000000A"
            )
            row.refresh_from_db()
            assert (row.state, row.approval_number, row.failure) == ("accepted", APPROVAL, "")
            with pytest.raises(states.IllegalMove):
                invoicing.fail(row, by=operator, at=ISSUED_AT, reason="x")

    def test_keep_approval_numbers_apart(self, market, drafted, operator):
        with tenancy.use(market.pk):
            row = invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            invoicing.accept(row, by=operator, at=ISSUED_AT, approval_number=APPROVAL)
            row.pk, row.public_id, row.number, row.state = None, "tax_other", "202609-9", "issued"
            row.approval_number, row.accepted_at = None, None
            row.save()
            with pytest.raises(invoicing.ApprovalNumberTaken):
                invoicing.accept(row, by=operator, at=ISSUED_AT, approval_number=APPROVAL)
            with pytest.raises(IntegrityError), transaction.atomic():
                TaxInvoice.objects.filter(pk=row.pk).update(approval_number=APPROVAL)

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
    def test_are_taken_from_a_file_row_by_row(self, market, drafted, operator, encoding):
        file = (
            "결과,관리번호,승인번호,사유\r\n"
            f"성공,202609-000001,{APPROVAL},\r\n"
            f"성공,202609-000009,{APPROVAL},\r\n"
            "글쎄,202609-000001,,\r\n"
            ",,,\r\n"
        ).encode(encoding)
        with tenancy.use(market.pk):
            invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            taken = invoicing.take_results(file, by=operator, at=ISSUED_AT)
            assert (taken.accepted, taken.failed) == (1, 0)
            assert [(line, type(why)) for line, _, why in taken.refused] == [
                (3, invoicing.UnknownInvoice),
                (4, tax_results.UnknownOutcome),
            ]
            assert TaxInvoice.objects.get().approval_number == APPROVAL
            again = invoicing.take_results(file, by=operator, at=ISSUED_AT)
            assert (again.accepted, len(again.refused)) == (1, 2)
            assert Change.objects.filter(type="tax_invoice.accepted").count() == 1

    def test_say_what_failed(self, market, drafted, operator):
        file = b"number,result,message\n202609-000001,failed,ERR-7\n"
        with tenancy.use(market.pk):
            invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            assert invoicing.take_results(file, by=operator, at=ISSUED_AT).failed == 1
            assert TaxInvoice.objects.get().failure == "ERR-7"

    @pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b'number,result\n"x', b"\xff\xfe\x00"])
    def test_refuse_a_file_that_is_none(self, market, content):
        with tenancy.use(market.pk), pytest.raises(tax_results.ResultsUnreadable):
            invoicing.take_results(content, by=None, at=ISSUED_AT)


class TestStates:
    def test_go_no_other_way(self, market, drafted):
        with tenancy.use(market.pk):
            for old in TaxInvoice.State:
                for new in set(TaxInvoice.State) - set(TaxInvoice.MOVES[old]):
                    row = TaxInvoice(pk=drafted.pk, state=old)
                    with pytest.raises(states.IllegalMove):
                        states.move(row, new, by=None, at=ISSUED_AT)


class TestTie:
    def test_names_what_lies_between_invoices_and_ledger(self, market, seller, operator):
        with tenancy.use(market.pk):
            sold(seller, number="A", on=OPEN_ON)  # due on 2 October
            adjusted(seller, operator, -7_000, "outside_scope", "penalty")
        close(market, END)
        with tenancy.use(market.pk):
            tie = tax_ties.of_month(SEP)
            assert tie.invoiced == (12_000, 1_200)
            assert tie.outside_scope == (7_000, 0)
            assert tie.lines == tie.closed_elsewhere == (19_000, 1_200)
            assert tie.booked == tie.expected == (0, 0)
            assert tie.is_tied
        close(market, date(2026, 10, 31))
        with tenancy.use(market.pk):
            assert tax_ties.of_month(SEP).is_tied
            tie = tax_ties.of_month(OCT)
            assert tie.of_other_months == tie.booked == (19_000, 1_200)
            assert (tie.lines, tie.is_tied) == ((0, 0), True)

    def test_shows_lines_that_no_invoice_says(self, market, seller):
        with tenancy.use(market.pk):
            sold(seller)
        close(market, END)
        with tenancy.use(market.pk):
            TaxInvoice.objects.all().delete()
            tie = tax_ties.of_month(SEP)
            assert (tie.not_invoiced, tie.is_tied) == ((12_000, 1_200), False)
            tax_drawing.draw(SEP, at=ISSUED_AT)
            assert tax_ties.of_month(SEP).is_tied

    def test_shows_what_the_ledger_has_beside(self, market, seller):
        with tenancy.use(market.pk):
            sold(seller)
        close(market, date(2026, 10, 31))
        with tenancy.use(market.pk):
            for template in ("stray", "statement"):
                stray = Draft(template, "x", date(2026, 10, 5))
                stray.debit("clearing", 5)
                stray.credit("fee_revenue:sales", 5)
                ledger.post([stray])
            tie = tax_ties.of_month(OCT)
            assert tie.by_other_journals == (5, 0)
            assert (tie.unexplained, tie.is_tied) == ((5, 0), False)


class TestLate:
    def test_is_a_sentinel_once_the_tenth_is_over(self, market, drafted, operator):
        late = date(2026, 10, 10)
        with tenancy.use(market.pk):
            assert sentinels.watch(late, at=ISSUED_AT)[sentinels.TAX_LATE] == 0  # only a test
            type(market).objects.filter(pk=market.pk).update(state="live")
        with tenancy.use(market.pk):
            for on, count in ((date(2026, 10, 9), 0), (date(2026, 10, 10), 1)):
                assert sentinels.watch(on, at=ISSUED_AT)[sentinels.TAX_LATE] == count
            row = invoicing.issue(drafted, by=operator, at=ISSUED_AT)
            for on, count in ((date(2026, 10, 2), 0), (date(2026, 10, 3), 1)):
                assert sentinels.watch(on, at=ISSUED_AT)[sentinels.TAX_LATE] == count
            invoicing.transmit(row, by=operator, at=ISSUED_AT)
            assert sentinels.watch(date(2026, 10, 30), at=ISSUED_AT)[sentinels.TAX_LATE] == 0


class TestOthers:
    def test_do_not_exist_for_another_marketplace(self, market, drafted, operator):
        other = make.market("other")
        with tenancy.use(other.pk):
            assert TaxInvoice.objects.count() == 0
            file = b"number,result,message\n202609-000001,failed,x\n"
            taken = invoicing.take_results(file, by=operator, at=ISSUED_AT)
            assert [type(why) for _, _, why in taken.refused] == [invoicing.UnknownInvoice]
            assert tax_drawing.draw(SEP, at=ISSUED_AT).drafts == 0
        with tenancy.use(market.pk):
            assert TaxInvoice.objects.get().state == "draft"


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_draw_a_month_up_once(self, market, seller):
        with tenancy.use(market.pk):
            sold(seller)
        close(market, END)
        with tenancy.use(market.pk):
            TaxInvoice.objects.all().delete()
        ready, failures = threading.Barrier(2), []

        def draw():
            try:
                ready.wait(5)
                with tenancy.use(market.pk):
                    tax_drawing.draw(SEP, at=ISSUED_AT)
            except Exception as error:  # noqa: BLE001 (told by the test)
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=draw) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert failures == []
        with tenancy.use(market.pk):
            assert said() == [("taxable", "invoice", 12_000, 1_200, "draft")]
