"""The cast of the settlement tests: an open marketplace, its sellers, and lines that were sold."""

import functools
from datetime import UTC, date, datetime
from types import SimpleNamespace

from django.db import connection
from django.db.models import Sum

from listings.models import Category
from marketplace import sealing, versions
from marketplace.models import LegalIdentity
from orders import outcomes
from orders.folding import Reversal, Sale
from orders.models import Order, OrderLine, Referral
from sellers import bank_accounts
from sellers.models import GradePolicy, OfficialGrade, Seller, SellerProfile
from settlements import (
    contracting,
    invoicing,
    ledger,
    opening,
    presets,
    statements,
    tax_invoices,
)
from settlements.models import (
    Account,
    BankFile,
    BankRow,
    FeeRule,
    LedgerEntry,
    ResidentNumber,
    SellerContract,
    Statement,
    TaxInvoice,
)

AT = datetime(2026, 9, 1, 3, tzinfo=UTC)
FIRST_OPEN_ON = date(2026, 9, 1)

_preset = functools.cache(presets.load)


def market(slug="jangteo", preset="open-market", **given):
    """A marketplace opened from a preset."""
    given.setdefault("first_open_on", FIRST_OPEN_ON)
    if isinstance(preset, str):
        preset = _preset(preset)
    return opening.open_marketplace(preset, slug, at=AT, **given)


def seller(code="A", **fields):
    fields.setdefault("joined_on", date(2026, 1, 1))
    return Seller.objects.create(
        code=code, name=f"상점 {code}", state=Seller.State.ACTIVE, **fields
    )


def placed(
    seller,
    *,
    number="O1",
    line=1,
    unit_price=10_000,
    quantity=1,
    category="beauty",
    stream="goods",
    status="paid",
    paid_on=date(2026, 9, 1),
    title="",
    brought_by=None,
    **fields,
):
    """A line of an order, in any status before confirmation; a host may have brought its sale."""
    order, _ = Order.objects.get_or_create(
        number=number, defaults={"source": "test", "placed_at": AT}
    )
    row = OrderLine.objects.create(
        order=order,
        number=line,
        seller=seller,
        stream=stream,
        category=Category.objects.get(code=category) if category else None,
        listing_kind="goods",
        seller_type=seller.seller_type,
        title=title,
        unit_price=unit_price,
        quantity=quantity,
        list_amount=unit_price * quantity,
        status=status,
        units_left=quantity,
        paid_on=paid_on,
        **fields,
    )
    if brought_by:
        Referral.objects.create(line=row, seller=brought_by, stream="host")
    return row


def sold(
    seller,
    *,
    quantity=1,
    paid_on=date(2026, 9, 1),
    confirmed_on=date(2026, 9, 8),
    **fields,
):
    """A line that was paid and confirmed, with the outcome that settlement waits for."""
    row = placed(
        seller,
        quantity=quantity,
        status=OrderLine.Status.CONFIRMED,
        paid_on=paid_on,
        confirmed_on=confirmed_on,
        **fields,
    )
    outcomes.record([Sale(_named(row), quantity, paid_on, confirmed_on, "confirmed")], [])
    return row


def returned(line, *, left, on=date(2026, 9, 20)):
    """Units of a sold line are taken back; `left` of them remain."""
    outcomes.record([], [Reversal(_named(line), left, on, "returned")])


def graded(seller, grade, *, effective_from=date(2026, 8, 1)):
    """A seller's official grade by the policy in force."""
    OfficialGrade.objects.create(
        seller=seller,
        policy=GradePolicy.objects.published().latest("valid_from"),
        effective_from=effective_from,
        evaluated_on=effective_from,
        grade=grade,
        explanation={},
    )


def contract(seller, *, valid_from=FIRST_OPEN_ON, rules=(), at=AT, **said):
    """A published version of a seller's contract; its rules are on sales unless they say else."""
    version = drafted_contract(seller, valid_from=valid_from, rules=rules, **said)
    return contracting.publish(version, by=None, at=at)


def drafted_contract(seller, *, valid_from=FIRST_OPEN_ON, rules=(), **said):
    version = versions.draft(
        SellerContract, valid_from=valid_from, by=None, at=AT, seller=seller, **said
    )
    usual = {"component": "sales", "base": "after_seller_discount", "vat_kind": "exclusive"}
    for rank, rule in enumerate(rules, 1):
        FeeRule.objects.create(contract=version, rank=rank, **{**usual, **rule})
    return version


def account(seller, *, ending="1234", holder="김상인", at=AT):
    """The account that a seller is paid to. The sandbox bank goes by its ending."""
    given = bank_accounts.Account(bank="088", holder=holder, number=f"11012345{ending}")
    return bank_accounts.register(seller, given, by=None, at=at)


def bank_row(amount, *, on=FIRST_OPEN_ON, text="", account="은행 1", **fields):
    """A transaction that the bank lists after those that it has listed."""
    file, _ = BankFile.objects.get_or_create(
        account=account,
        defaults={"rows": 1, "known_rows": 0, "first_on": on, "last_on": on, "imported_at": AT},
    )
    last = BankRow.objects.filter(account=account).order_by("place").last()
    if fields.get("state", "open") != "open":
        fields.setdefault("explained_at", AT)
    return BankRow.objects.create(
        file=file,
        number=2,
        account=account,
        place=last.place + 1 if last else 1,
        on=on,
        amount=amount,
        balance=(last.balance if last else 0) + amount,
        memo=text,
        **fields,
    )


def payable(seller, amount=96_700, *, due_on=FIRST_OPEN_ON):
    """A closed statement with its journal, as a night leaves it; only its lines are missing."""
    statement = Statement.objects.create(
        seller=seller,
        due_on=due_on,
        closed_on=due_on,
        state=Statement.State.PAYABLE,
        list_amount=amount,
        net=amount,
        payable=amount,
        payout=amount,
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT open_settlement_month('ledger_entry', %s)", [due_on])
    ledger.post([statements.journal(statement, due_on)])
    return statement


def balances():
    """What each account of the ledger holds, credit less debit; those at nothing are left out."""
    rows = LedgerEntry.objects.values_list("account_id").annotate(Sum("credit"), Sum("debit"))
    codes = dict(Account.objects.values_list("pk", "code"))
    return {codes[key]: credit - debit for key, credit, debit in rows if credit != debit}


def _named(row):
    """A line as orders.outcomes wants it: by its id alone."""
    return SimpleNamespace(id=row.pk)


def withheld(seller, *, on=FIRST_OPEN_ON, net=100_000):
    """A closed statement of personal services with its journal; only its lines are missing."""
    income = net * 3 // 100
    statement = Statement.objects.create(
        seller=seller,
        due_on=on,
        closed_on=on,
        state=Statement.State.PAYABLE,
        list_amount=net,
        net=net,
        service_net=net,
        payable=net,
        withholding_income=income,
        withholding_local=income // 10,
        payout=net - income - income // 10,
    )
    ledger.open_month(on)
    ledger.post([statements.journal(statement, on)])
    return statement


def resident_number(seller, text="9001011234568", *, by, at=AT, **fields):
    """A number as entering leaves it, whether it was asked for or not."""
    row = ResidentNumber(
        seller=seller,
        purpose="withholding",
        legal_basis="kr_income_tax_164",
        entered_at=at,
        entered_by=by,
    )
    for name, value in fields.items():
        setattr(row, name, value)
    sealing.seal(row, number=text)
    row.save(force_insert=True)
    return row


def tax_parties(*sellers, at=AT):
    """What has to stand on tax invoices: the operator's legal identity, and the sellers'."""
    identity = LegalIdentity.objects.get()
    identity.company, identity.representative = "장터 주식회사", "김대표"
    identity.business_number, identity.address = "220-81-62517", "서울특별시 강남구 테헤란로 1"
    identity.business_type, identity.business_item = "서비스업", "통신판매중개"
    identity.save()
    versions.publish(identity, by=None, at=at)
    for row in sellers:
        row.business_number = "1208800767"
        row.save(update_fields=["business_number"])
        SellerProfile.objects.create(
            seller=row, company=f"{row.name} 주식회사", representative="이상인", address="부산"
        )


def tax_invoice(seller, *, supply=12_000, month=date(2026, 8, 1), at=AT, **fields):
    """A tax invoice as issuing leaves it."""
    row = TaxInvoice(
        number=f"{month:%Y%m}-{TaxInvoice.objects.count() + 1:06d}",
        seller=seller,
        month=month,
        kind="taxable",
        leg="invoice",
        original_month=month,
        components={"sales": [supply, supply // 10]},
        supply=supply,
        vat=supply // 10,
        written_on=tax_invoices.end_of(month),
        deadline_on=tax_invoices.deadline(month),
        state="issued",
        issuer=LegalIdentity.objects.first(),
        issued_at=at,
        transmit_by=at.date(),
    )
    for name, value in fields.items():
        setattr(row, name, value)
    invoicing.seal_receiver(row, SellerProfile.objects.filter(seller=seller).first())
    row.save()
    return row
