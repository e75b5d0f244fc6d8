"""Two marketplaces and their people, with something of everything in the first.

`alpha` has sellers with a past: orders, claims, statements. Its first seller is the victim. `beta`
has an operator, a seller and a key, who are strangers to alpha.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import connection

from listings.models import Finding, PolicyPack, Revision
from marketplace import approvals, audit, tenancy, versions
from marketplace.models import (
    ApiKey,
    InboxMessage,
    JobRow,
    JobRun,
    Marketplace,
    Membership,
    TenantModel,
    User,
)
from marketplace.tests import make
from marketplace.webhooks import deliveries, endpoints
from orders import evidence
from orders.models import (
    Arbitration,
    ArbitrationStatement,
    Claim,
    ImportProfile,
    Order,
    OrderLine,
    Outcome,
    OutcomeToCredit,
    OutcomeToSettle,
    PerformanceTouch,
    Referral,
    Shipment,
)
from sellers import bank_accounts
from sellers.models import (
    BusinessStatus,
    Invitation,
    OfficialGrade,
    ProjectedGrade,
    Seller,
    SellerMember,
)
from settlements import (
    adjusting,
    assigning,
    bank_files,
    bank_matching,
    bank_rows,
    chart,
    contracting,
    day_figures,
    deadlines,
    demonstration,
    forecasts,
    holding,
    keeping_windows,
    letter_gathering,
    manual_journals,
    nights,
    payout_connections,
    payouts,
    periods,
    provider_files,
    reconciling,
    rehearsals,
)
from settlements.models import (
    Account,
    Adjustment,
    AdPrepayment,
    AdPrepaymentMovement,
    AttachmentPayment,
    DayClose,
    DebtMovement,
    FastSettlement,
    FeeRule,
    FeeScheduleVersion,
    Hold,
    HoldMovement,
    InterestTerms,
    LedgerDifference,
    LetterChoice,
    MissingFile,
    MonthBalance,
    MonthlyFee,
    PayeeInvoice,
    Payout,
    PayoutAttempt,
    PayoutException,
    Period,
    PeriodClosing,
    RevenueLine,
    RevenueReport,
    RevenueShare,
    RevenueVersion,
    SandboxTransfer,
    SellerBalance,
    SellerLetter,
    SellerNotice,
    SettlementLine,
    SettlementTerms,
    SignedSheet,
    Statement,
)
from settlements.tests import make as settled

AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAYS = 12
_ALPHA = replace(demonstration.EXHIBITS[0], slug="alpha", name="알파", shops=3, orders_a_day=4)
_BETA = replace(demonstration.EXHIBITS[0], slug="beta", name="베타", shops=2, orders_a_day=1)


@dataclass
class World:
    alpha: Marketplace
    beta: Marketplace
    operator: User  # of alpha
    victim: Seller  # of alpha, with `owner`
    owner: User
    neighbour: Seller  # another seller of alpha, with `neighbour_owner`
    neighbour_owner: User
    foreign_operator: User  # of beta
    foreign_owner: User  # of a seller of beta

    def first(self, model, **filters):
        """A row of alpha; the victim's where rows belong to sellers.

        A settlement line is one of an order: those of adjustments have no page of their own.
        """
        if model is Marketplace:
            return self.alpha
        if model is SettlementLine:
            filters["kind"] = SettlementLine.Kind.SALE
        with tenancy.use(self.alpha.pk):
            rows = model.objects.filter(marketplace=self.alpha, **filters).order_by("pk")
            if _has_seller(model):
                rows = rows.filter(seller=self.victim.pk)
            return rows.first()

    def key(self) -> ApiKey:
        """The victim's key for the API."""
        return ApiKey.objects.of(self.alpha, self.victim.public_id).get()

    def order(self) -> Order:
        """An order of the victim alone."""
        with tenancy.use(self.alpha.pk):
            others = OrderLine.objects.exclude(seller=self.victim.pk).values("order_id")
            own = OrderLine.objects.filter(seller=self.victim.pk).exclude(order_id__in=others)
            return own.order_by("pk").first().order

    def rows(self, *, of_victim: bool = False) -> dict[str, tuple]:
        """A digest of every table of alpha, or of what in it is the victim's."""
        digests = {}
        with tenancy.use(self.alpha.pk, even_archived=True), connection.cursor() as cursor:
            for model in apps.get_models():
                if not issubclass(model, TenantModel) or (of_victim and not _has_seller(model)):
                    continue
                where = f"WHERE seller_id = {self.victim.pk}" if of_victim else ""
                cursor.execute(
                    "SELECT count(*), sum(hashtextextended(t::text, 0)) "
                    f'FROM "{model._meta.db_table}" t {where}'
                )
                digests[model._meta.label] = cursor.fetchone()
        return digests


def make_world() -> World:
    for exhibit in (_ALPHA, _BETA):
        days = DAYS if exhibit is _ALPHA else 2
        list(demonstration.fill(exhibit, days=days, at=AT))
    alpha, beta = (Marketplace.objects.get(slug=e.slug) for e in (_ALPHA, _BETA))
    nights.close_day(alpha.pk, (AT - timedelta(days=1)).date(), at=AT)
    operator = _operator(alpha, "operator@alpha.example")
    _rehearse_fees(alpha, operator)
    with tenancy.use(alpha.pk):
        deadlines.watch(pack="kr-intermediary-20", warning_days=5, by=operator, at=AT)
    forecasts.keep_night(alpha.pk, (AT - timedelta(days=1)).date())
    with tenancy.use(alpha.pk):
        victim, neighbour = Seller.objects.order_by("code")[:2]
        _fill_gaps(victim, operator)
        _send_webhooks(victim, operator)
    for seller in ("", victim.public_id):
        make.api_key(alpha, "orders:read", seller=seller)
    with tenancy.use(beta.pk):
        foreign = Seller.objects.order_by("code").first()
    return World(
        alpha=alpha,
        beta=beta,
        operator=operator,
        victim=victim,
        owner=_owner(alpha, victim, "owner@alpha.example"),
        neighbour=neighbour,
        neighbour_owner=_owner(alpha, neighbour, "neighbour@alpha.example"),
        foreign_operator=_operator(beta, "operator@beta.example"),
        foreign_owner=_owner(beta, foreign, "owner@beta.example"),
    )


def _fill_gaps(victim: Seller, operator: User) -> None:
    """Rows of what a fortnight of nights leaves none of."""
    audit.seal(at=AT)
    job = JobRun.objects.order_by("pk").first()
    JobRow.objects.create(job=job, head="failed", reason="비밀 사유")
    InboxMessage.objects.create(consumer="비밀", message="1")
    ImportProfile.objects.create(code="secret", name="비밀 양식", body={})
    projected = ProjectedGrade.objects.get(seller=victim)
    OfficialGrade.objects.create(
        seller=victim,
        policy=projected.policy,
        effective_from=AT.date(),
        evaluated_on=AT.date(),
        grade=projected.grade,
        explanation=projected.explanation,
    )
    PerformanceTouch.objects.create(seller=victim, on=AT.date())
    outcome = Outcome.objects.filter(seller=victim).first()
    OutcomeToSettle.objects.create(outcome=outcome, seller=victim, basis_on=AT.date())
    OutcomeToCredit.objects.create(outcome=outcome, seller=victim, basis_on=AT.date())
    Invitation.objects.create(
        seller=victim,
        email="helper@alpha.example",
        role="staff",
        invited_by=operator,
        expires_at=AT + timedelta(days=7),
    )
    line = OrderLine.objects.filter(seller=victim).first()
    Shipment.objects.create(
        order=line.order, seller=victim, carrier="cj", tracking_number="1", shipped_at=AT
    )
    _dispute(victim, operator)
    revision = Revision.objects.filter(listing__seller=victim).first()
    Finding.objects.create(
        revision=revision,
        pack=PolicyPack.objects.first(),
        rule="tobacco",
        severity=Finding.Severity.WARN,
        field="title",
        start=0,
        end=2,
        evidence=revision.title[:2],
    )
    contract = contracting.draft(victim, valid_from=date(2026, 4, 1), by=operator, at=AT)
    FeeRule.objects.create(
        contract=contract,
        rank=1,
        component="sales",
        base="after_seller_discount",
        rate_ppm=50_000,
        vat_kind="exclusive",
    )
    contracting.publish(contract, by=operator, at=AT)
    contracting.draft(victim, valid_from=date(2026, 5, 1), by=operator, at=AT)
    held = holding.Terms(reason="document", note="비밀 사유", condition="서류 제출")
    hold = holding.hold_amount(victim, 5_000, held, by=operator, at=AT)
    AttachmentPayment.objects.create(
        hold=hold,
        seller=victim,
        kind="deposited",
        payee="비밀",
        amount=1,
        on=AT.date(),
        evidence="비밀",
        reason="비밀",
        by=operator,
        at=AT,
    )
    closed = Statement.objects.filter(seller=victim).exclude(state="open").first()
    HoldMovement.objects.create(hold=hold, statement=closed, taken=1)
    SellerBalance.objects.filter(seller=victim).update(receivable=1)
    DebtMovement.objects.create(
        seller=victim, kind="deposit", amount=1, on=AT.date(), reason="비밀", by=operator, at=AT
    )
    AdPrepayment.objects.create(seller=victim, balance=1)
    AdPrepaymentMovement.objects.create(
        seller=victim,
        kind="deposit",
        amount=1,
        balance=1,
        on=AT.date(),
        evidence="비밀",
        by=operator,
        at=AT,
    )
    adjustment = adjusting.request(
        victim,
        amount=-10_000,
        tax_kind="outside_scope",
        reason_code="penalty",
        reason="비밀 사유",
        document="2026-3",
        basis_on=AT.date(),
        by=operator,
        at=AT,
    )
    adjusting.approve(adjustment, by=None, at=AT)
    _bring_a_sale(victim, adjustment)
    _report_revenue(victim)
    FastSettlement.objects.create(
        seller=victim, order_line=line, on=AT.date(), units=1, units_left=1, advanced=1
    )
    PayeeInvoice.objects.create(
        seller=victim,
        month=AT.date().replace(day=1),
        number="비밀-1",
        issued_on=AT.date(),
        supply=1,
        vat=0,
        recorded_at=AT,
    )
    versions.draft(
        MonthlyFee,
        valid_from=date(2026, 4, 1),
        by=operator,
        at=AT,
        threshold=1_000_000,
        amount=50_000,
    )
    versions.draft(InterestTerms, valid_from=date(2026, 4, 1), by=operator, at=AT, rate_ppm=60_000)
    _pay(victim, operator)
    _fill_ledger(operator)
    settled.tax_parties()
    settled.tax_invoice(victim, month=date(2026, 2, 1))
    _fail_letter(victim)
    settled.resident_number(victim, by=operator)
    terms = SettlementTerms.objects.first()
    draft = versions.revise(terms, valid_from=date(2027, 1, 1), by=operator, at=AT)
    kind = approvals.publishing(SettlementTerms)
    approvals.ask(kind, draft, by=operator, at=AT, reason="비밀 사유")


def _dispute(victim: Seller, operator: User) -> None:
    """An arbitration that was decided some time, with what was sent in."""
    arbitration = Arbitration.objects.create(
        claim=Claim.objects.filter(seller=victim).order_by("pk").first(),
        state_before="requested",
        side="seller",
        reason="비밀 사유",
        opened_by=operator,
        opened_at=AT,
        outcome="resumed",
        decision="비밀 사유",
        decided_by=operator,
        decided_at=AT,
    )
    statement = ArbitrationStatement.objects.create(
        arbitration=arbitration, side="buyer", text="비밀 진술", said_at=AT
    )
    evidence.keep(statement, [evidence.File("비밀.png", "image/png", b"x")])


def _fail_letter(victim: Seller) -> None:
    """A letter that did not go out, what it was to tell, and who wants which."""
    letter_gathering.desk()
    LetterChoice.objects.create(seller=victim, off=["tax"])
    letter = SellerLetter.objects.create(
        seller=victim, state="failed", attempts=6, due_at=AT, error="gone"
    )
    hold = Hold.objects.filter(seller=victim).first()
    SellerNotice.objects.create(
        seller=victim,
        kind="hold",
        event="hold.placed",
        about=hold.public_id,
        happened_at=AT,
        letter=letter,
    )


def _report_revenue(victim: Seller) -> None:
    """A day's report of advertising."""
    report = RevenueReport.objects.create(
        seller=victim,
        stream="ads",
        app="비밀 앱",
        on=AT.date(),
        version=1,
        amount=1,
        reported_at=AT,
    )
    RevenueVersion.objects.create(
        report=report, number=1, amount=1, is_final=False, reported_at=AT, source="api"
    )


def _bring_a_sale(victim: Seller, adjustment: Adjustment) -> None:
    """A neighbour's sale that the victim brought, what it added to a report, and a share of it."""
    line = OrderLine.objects.exclude(seller=victim).order_by("pk").first()
    Referral.objects.create(line=line, seller=victim, stream="host")
    amount = line.list_amount
    report = RevenueReport.objects.create(
        seller=victim,
        stream="host",
        on=AT.date(),
        source="orders",
        version=1,
        amount=amount,
        reported_at=AT,
    )
    RevenueVersion.objects.create(
        report=report, number=1, amount=amount, is_final=True, reported_at=AT, source="orders"
    )
    RevenueLine.objects.create(
        report=report,
        version=1,
        order_line=line,
        sequence=0,
        basis_on=AT.date(),
        amount=amount,
    )
    RevenueShare.objects.create(
        report=report,
        version=1,
        amount_before=0,
        amount=amount,
        share=1,
        basis_on=AT.date(),
        adjustment=adjustment,
    )


def _rehearse_fees(alpha: Marketplace, operator: User) -> None:
    with tenancy.use(alpha.pk):
        version = FeeScheduleVersion.objects.order_by("pk").first()
        period = {"first_on": alpha.first_open_on, "last_on": (AT - timedelta(days=1)).date()}
        asked = rehearsals.ask(version, **period, by=operator, at=AT)
    rehearsals.run(alpha.pk, asked.job_id, at=AT)


def _pay(victim: Seller, operator: User) -> None:
    """A payout that waits, with what a bank once said of it, and the tax office of the business."""
    BusinessStatus.objects.create(
        seller=victim, number="1208800767", status="closed", since=AT, answered_at=AT
    )
    settled.account(victim, holder="비밀", at=AT - timedelta(days=9))
    settled.payable(victim, due_on=AT.date() - timedelta(days=60))
    payouts.prepare(on=AT.date(), at=AT)
    payout = Payout.objects.filter(seller=victim).first()
    PayoutAttempt.objects.create(payout=payout, kind="ask", began_at=AT, said="비밀")
    PayoutException.objects.create(
        payout=payout, kind="not_sent", reference=payout.public_id, raised_at=AT, source="비밀"
    )
    assigning.enter(
        victim,
        assigning.Terms(
            assignee="비밀",
            account=bank_accounts.Account(bank="088", holder="비밀", number="110123450001"),
            from_on=AT.date() + timedelta(days=900),
            evidence="비밀",
        ),
        by=operator,
        at=AT,
        reason="비밀 사유",
    )
    payout_connections.enter(
        url="https://api.example.com/v2",
        secret_key="live_sk_0001",
        security_key="0f" * 32,
        by=operator,
        at=AT,
        reason="비밀 사유",
    )
    span = {"begins_at": AT + timedelta(days=900), "ends_at": AT + timedelta(days=901)}
    keeping_windows.announce(**span, note="비밀", by=operator, at=AT)
    SandboxTransfer.objects.create(
        reference=payout.public_id, amount=payout.amount, outcome="paid", later="paid"
    )


def _fill_ledger(operator: User) -> None:
    """A month before the first night that was closed, and a journal that waits."""
    period = Period.objects.create(month=date(2026, 2, 1), state=Period.State.CLOSED, version=1)
    PeriodClosing.objects.create(
        period=period,
        version=1,
        closed_at=AT,
        closed_by=operator,
        entries=0,
        trial_balance=[],
        previous_hash=periods.GENESIS,
        hash="0" * 64,
    )
    MonthBalance.objects.create(
        month=period.month, account=Account.objects.get(code=chart.CLEARING), debit=0, credit=0
    )
    day = DayClose.objects.order_by("pk").first()
    SignedSheet.objects.create(
        day_close=day,
        version=1,
        sheet=day_figures.live(day.day).said(),
        remark="비밀 비고",
        signed_first_by=operator,
        signed_first_at=AT,
        signed_by=operator,
        signed_at=AT,
        previous_hash=periods.GENESIS,
        hash="0" * 64,
    )
    rows = "P-비밀,payment,2026-03-18,2026-03-19,1000,30,3,967\n"
    reconciling.import_file(
        f"payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit\n{rows}".encode(),
        name="비밀.csv",
        format=provider_files.load_format("standard"),
        by=operator,
        at=AT,
    )
    bank_rows.import_file(
        "date,paid_in,paid_out,balance,counterparty,memo,reference\n"
        "2026-03-19,967,,1967,비밀 상대,비밀 적요,비밀 번호\n"
        "2026-03-19,500,,2467,비밀 상대,비밀 적요,비밀 번호\n".encode(),
        account="비밀 계좌",
        name="비밀.csv",
        format=bank_files.load_format("standard"),
        by=operator,
        at=AT,
    )
    bank_matching.confirm_exact(by=operator, at=AT)
    LedgerDifference.objects.create(
        statement=Statement.objects.order_by("pk").first(),
        account=chart.SELLER_PAYABLE,
        expected=0,
        found=1_000,
        difference=1_000,
        found_on=AT.date(),
    )
    MissingFile.objects.create(
        provider="standard",
        day=AT.date() - timedelta(days=30),
        payments=2,
        amount=20_000,
        found_on=AT.date(),
        reason="비밀 사유",
    )
    manual_journals.enter(
        on=AT.date(),
        legs=[(chart.PROVIDER_FEE, 1_000, 0), (chart.BANK, 0, 1_000)],
        reason="비밀 사유",
        document="비밀 문서",
        by=operator,
        at=AT,
    )


def _send_webhooks(victim: Seller, operator: User) -> None:
    words = {"by": operator, "at": AT}
    made = endpoints.create("https://secret.example/", seller_id=victim.pk, **words)
    deliveries.send_test(made.endpoint, **words)


def _operator(marketplace, email) -> User:
    user = make.user(email)
    make.membership(marketplace, user, Membership.Role.OWNER)
    return user


def _owner(marketplace, seller, email) -> User:
    user = make.user(email, is_staff=False)
    with tenancy.use(marketplace.pk):
        SellerMember.objects.create(
            user=user, marketplace=marketplace, seller=seller, role=SellerMember.Role.OWNER
        )
    return user


def _has_seller(model) -> bool:
    """Whether each row is of a seller, and not only some."""
    try:
        field = model._meta.get_field("seller")
    except FieldDoesNotExist:
        return False
    return field.related_model is Seller and not field.null
