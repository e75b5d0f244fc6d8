"""Holds: money of a seller is kept back, and let go again.

A hold changes no statement that is closed: what is held or let go enters the next one that closes
(settlements.statements), and payouts ask payment_blocks() before they take a statement up. What
the units of an open claim are worth is held by itself, and let go once the claim is decided.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from marketplace import approvals, audit, calendar_days, changes, reasons, states, tenancy
from marketplace.calendars import Calendar
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from orders.models import Claim, OrderLine, OutcomeToSettle
from sellers.models import Seller
from settlements import due_dates
from settlements.contracts import Contracts
from settlements.hold_book import HoldBook
from settlements.models import Hold, SellerBalance, Statement
from settlements.rate_cards import PayoutTerms

Kind, Reason, State = Hold.Kind, Hold.Reason, Hold.State

EXCLUDABLE = (Statement.State.OPEN, Statement.State.PAYABLE)

# Lines of order lines that stand on statements which the night of a day does not close yet.
_STILL_OPEN = """
SELECT DISTINCT o.line_id
FROM orders_outcome o
CROSS JOIN LATERAL (
    SELECT statement_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = o.line_id
      AND sequence = o.sequence AND basis_on = o.basis_on
    LIMIT 1
) l
JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
WHERE o.marketplace_id = %(marketplace)s AND o.line_id = ANY(%(lines)s)
  AND s.state = 'open' AND s.due_on > %(on)s
"""


class WayOutMissing(Refused):
    code = "hold_way_out_missing"
    message = gettext_noop("Say when the hold ends: a day, or what has to happen first.")


class EndsBeforeItBegins(Refused):
    code = "hold_ends_before_it_begins"
    message = gettext_noop("%(day)s is no later day. A hold ends after the day it is placed on.")


class CreditorMissing(Refused):
    code = "hold_creditor_missing"
    message = gettext_noop("Name the creditor of the attachment, as the court's order does.")


class NothingNamed(Refused):
    code = "hold_names_nothing"
    message = gettext_noop("Name an order line or an amount to be held.")


class SellerMissing(Refused):
    code = "hold_seller_missing"
    message = gettext_noop("Name the seller whose money is held.")


class StatementMissing(Refused):
    code = "hold_statement_missing"
    message = gettext_noop("Name the statement that is excluded from payment.")


class NotOfSeller(Refused):
    code = "hold_not_of_seller"
    message = gettext_noop("“%(name)s” is not of the seller “%(seller)s”.")


class NotToBePaid(Refused):
    code = "statement_not_to_be_paid"
    message = gettext_noop(
        "Statement %(statement)s is closed with nothing to pay, or is paid: there is nothing to"
        " hold."
    )


class ByTwoPeople(Refused):
    code = "hold_by_two_people"
    message = gettext_noop("An exclusion is placed and reversed by two people: ask for it.")


class NoCondition(Refused):
    code = "hold_without_condition"
    message = gettext_noop("This hold does not end by a condition that people look at.")


class OfOpenClaim(Refused):
    code = "hold_of_open_claim"
    message = gettext_noop("The claim is still open. Decide it: its hold then ends by itself.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Why something is held and what ends it: a day, or a condition that people judge.

    `note` is what the seller reads. `creditor` is named by an attachment (압류).
    """

    reason: str
    note: str
    release_on: date | None = None
    condition: str = ""
    evidence: str = ""
    creditor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A hold as somebody asks for it: its kind says which of the rest has to be named."""

    kind: str
    terms: Terms
    seller: Seller | None = None
    statement: Statement | None = None
    line: OrderLine | None = None
    amount: int | None = None

    @property
    def of_seller(self) -> Seller:
        """Whom it is about, which a line and a statement say, too. Raises SellerMissing."""
        if self.seller is not None:
            return self.seller
        named = self.line or self.statement
        if named is None:
            raise SellerMissing(field="seller")
        return named.seller


def place(asked: Asked, *, by, at: datetime) -> Hold | None:
    """Place a hold of any kind, or ask for an exclusion; nothing is returned for that.

    Raises SellerMissing, NothingNamed, NotOfSeller, and what the kind's own process does.
    """
    seller, terms = asked.of_seller, asked.terms
    for name, row in (("statement", asked.statement), ("order", asked.line)):
        if row is not None and row.seller_id != seller.pk:
            raise NotOfSeller(name=str(row), seller=seller, field=name)
    if asked.kind == Kind.PAYMENT:
        return hold_payment(seller, terms, statement=asked.statement, by=by, at=at)
    if asked.kind == Kind.EXCLUSION:
        if asked.statement is None:
            raise StatementMissing(field="statement")
        named = {"reason": terms.reason, "note": terms.note, "evidence": terms.evidence}
        ask_to_exclude(asked.statement, **named, by=by, at=at)
        return None
    if asked.line is not None:
        return hold_line(asked.line, terms, amount=asked.amount, by=by, at=at)
    if asked.amount is None:
        raise NothingNamed(field="order")
    return hold_amount(seller, asked.amount, terms, by=by, at=at)


@transaction.atomic
def hold_amount(seller: Seller, amount: int, terms: Terms, *, by, at: datetime) -> Hold:
    """Keep an amount of a seller's coming statements back.

    Raises WayOutMissing, EndsBeforeItBegins, CreditorMissing, reasons.ReasonMissing, and
    verdicts.OutOfRange for an amount that is none.
    """
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    return _place(Hold(kind=Kind.LINE, seller=seller, amount=amount), terms, by=by, at=at)


@transaction.atomic
def hold_line(
    line: OrderLine, terms: Terms, *, by, at: datetime, amount: int | None = None
) -> Hold:
    """Keep back what an order line is worth to its seller, or at most an amount of it.

    Raises as hold_amount does.
    """
    if amount is not None:
        verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    hold = Hold(kind=Kind.LINE, seller_id=line.seller_id, order_line=line, amount=amount)
    return _place(hold, terms, by=by, at=at)


def hold_supplies(seller_id: int, month: date, terms: Terms, *, at: datetime) -> Hold:
    """Keep back what a seller supplied in a month and no invoice covers, by the night.

    The caller holds the transaction, and knows that no such hold is in force.
    """
    hold = Hold(kind=Kind.LINE, seller_id=seller_id, invoice_month=month)
    return _written(hold, terms, by=None, at=at)


@transaction.atomic
def hold_payment(
    seller: Seller, terms: Terms, *, by, at: datetime, statement: Statement | None = None
) -> Hold:
    """Pay nothing of a statement, or of all statements of a seller, while the hold is in force.

    Raises as hold_amount does, and NotToBePaid for a statement without a payment.
    """
    if statement is not None:
        statement = Statement.objects.select_for_update(no_key=True).get(pk=statement.pk)
        _refuse_unpayable(statement)
    hold = Hold(kind=Kind.PAYMENT, seller=seller, statement=statement)
    return _place(hold, terms, by=by, at=at)


def ask_to_exclude(
    statement: Statement, *, reason: str, note: str, evidence: str = "", by, at: datetime
) -> Statement:
    """Ask a second person to let a statement never be paid.

    Raises NotToBePaid, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    _refuse_unpayable(statement)
    note = reasons.given(note)
    data = {"reason": Reason(reason).value, "note": note, "evidence": evidence}
    approvals.ask("exclude_statement", statement, by=by, at=at, reason=note, data=data)
    return statement


@transaction.atomic
def exclude(
    statement: Statement, *, reason: str, note: str, evidence: str = "", by, at: datetime
) -> Hold:
    """Let a statement never be paid; the process of an approval. Raises NotToBePaid."""
    _refuse_unpayable(statement)
    hold = Hold(kind=Kind.EXCLUSION, seller_id=statement.seller_id, statement=statement)
    return _written(hold, Terms(reason=reason, note=note, evidence=evidence), by=by, at=at)


def ask_to_reverse(hold: Hold, *, reason: str, by, at: datetime) -> Hold:
    """Ask a second person to let an excluded statement be paid after all.

    Raises states.IllegalMove, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    reason = reasons.given(reason)
    if hold.state != State.PLACED:
        raise states.IllegalMove(old=hold.state, new=State.RELEASED)
    approvals.ask("reverse_exclusion", hold, by=by, at=at, reason=reason, data={"reason": reason})
    return hold


@transaction.atomic
def reverse(hold: Hold, *, reason: str, by, at: datetime) -> Hold:
    """End an exclusion; the process of an approval. Raises states.IllegalMove."""
    [hold] = _locked([hold.pk])
    _release([hold], note=reason, by=by, at=at)
    return hold


@transaction.atomic
def release(hold: Hold, *, reason: str, by, at: datetime) -> Hold:
    """Let go what a hold keeps: it enters the next statement that closes, or may be paid.

    Raises states.IllegalMove, reasons.ReasonMissing, ByTwoPeople for an exclusion, and
    OfOpenClaim for the line of a claim that is not decided.
    """
    reason = reasons.given(reason)
    [hold] = _locked([hold.pk])
    if hold.kind == Kind.EXCLUSION:
        raise ByTwoPeople()
    if hold.claim_id and Claim.objects.get(pk=hold.claim_id).state in Claim.OPEN_STATES:
        raise OfOpenClaim()
    _release([hold], note=reason, by=by, at=at)
    return hold


@transaction.atomic
def keep(hold: Hold, *, reason: str, by, at: datetime) -> Hold:
    """Say that the condition of a hold was looked at and is not met yet; it stays in force.

    Raises states.IllegalMove for one that has ended, NoCondition, reasons.ReasonMissing.
    """
    reason = reasons.given(reason)
    [hold] = _locked([hold.pk])
    if hold.state != State.PLACED:
        raise states.IllegalMove(old=hold.state, new=State.PLACED)
    if not hold.condition:
        raise NoCondition()
    hold.reviewed_at = at
    hold.save(update_fields=["reviewed_at"])
    audit.record("hold.kept", by=by, at=at, obj=hold, reason=reason)
    return hold


@dataclass(frozen=True, slots=True)
class Swept:
    """What a night's sweep did, in holds and statements."""

    placed: int
    released: int
    statements: int


def sweep(*, on: date, at: datetime) -> Swept:
    """Place and release what days and claims decide, as the night of `on` begins.

    Units of open claims are held; holds whose day has come, or whose claim is decided, end. What
    a completed claim takes back meets its hold on the same statement. A seller who gets
    something back and has no open statement is given one. The caller holds the transaction.
    """
    over = Hold.objects.past_date(on).exclude(kind=Kind.EXCLUSION)
    ended = [*over.values_list("pk", flat=True), *_of_decided_claims(on)]
    released = [hold for hold in _locked(sorted(set(ended))) if hold.state == State.PLACED]
    _release(released, note="", by=None, at=at)
    placed = _hold_claimed_lines(at)
    return Swept(len(placed), len(released), _open_statements(on))


def payment_blocks(statement_ids: Collection[int]) -> dict[int, Hold]:
    """What keeps statements from being paid: by statement id, a hold or exclusion in force.

    It may be of the statement or of its seller; where there are several an exclusion is named
    before a hold, and then the oldest. A statement that may be paid is not in the answer.
    """
    sellers = dict(Statement.objects.filter(pk__in=statement_ids).values_list("pk", "seller_id"))
    holds = (
        Hold.objects.placed()
        .of_payment()
        .filter(Q(statement__in=sellers) | Q(statement=None, seller__in=set(sellers.values())))
    )
    of_statement: dict[int, Hold] = {}
    of_seller: dict[int, Hold] = {}
    for hold in sorted(holds, key=_rank):
        if hold.statement_id is not None:
            of_statement.setdefault(hold.statement_id, hold)
        else:
            of_seller.setdefault(hold.seller_id, hold)
    blocks = {}
    for statement_id, seller_id in sellers.items():
        found = [of_statement.get(statement_id), of_seller.get(seller_id)]
        if named := [hold for hold in found if hold is not None]:
            blocks[statement_id] = min(named, key=_rank)
    return blocks


def _rank(hold: Hold) -> tuple[bool, int]:
    return (hold.kind != Kind.EXCLUSION, hold.pk)


def _refuse_unpayable(statement: Statement) -> None:
    if statement.state not in EXCLUDABLE:
        raise NotToBePaid(statement=statement.public_id)


def _place(hold: Hold, terms: Terms, *, by, at: datetime) -> Hold:
    if terms.release_on is None and not terms.condition.strip():
        raise WayOutMissing(field="release_on")
    today = verdicts.business_date(at, tenancy.current().tz)
    if terms.release_on is not None and terms.release_on <= today:
        raise EndsBeforeItBegins(day=terms.release_on, field="release_on")
    if terms.reason == Reason.ATTACHMENT and not terms.creditor.strip():
        raise CreditorMissing(field="creditor")
    return _written(hold, terms, by=by, at=at)


def _written(hold: Hold, terms: Terms, *, by, at: datetime) -> Hold:
    hold.reason = Reason(terms.reason)
    hold.note = reasons.given(terms.note)
    hold.release_on, hold.condition = terms.release_on, terms.condition.strip()
    hold.evidence, hold.creditor = terms.evidence.strip(), terms.creditor.strip()
    hold.placed_at, hold.placed_by = at, by
    hold.save()
    data = {"kind": str(hold.kind), "reason": str(hold.reason), "seller": hold.seller_id}
    audit.record("hold.placed", by=by, at=at, obj=hold, reason=hold.note, data=data)
    _announce("placed", [hold], at)
    return hold


def _release(holds: list[Hold], *, note: str, by, at: datetime) -> None:
    """Move holds to their end. What another hold on the same line keeps, it keeps from now on."""
    ended = {"released_at": at, "released_by": by, "release_note": note}
    if len(holds) == 1:
        states.move(holds[0], State.RELEASED, by=by, at=at, reason=note, changes=ended)
    else:
        rows = Hold.objects.filter(pk__in=[hold.pk for hold in holds])
        states.move_many(rows, State.RELEASED, by=by, at=at, reason=note, changes=ended)
    _hand_over(holds)
    _announce("released", holds, at)


def _hand_over(released: list[Hold]) -> None:
    lines = {hold.order_line_id for hold in released if hold.order_line_id and hold.taken}
    staying = Hold.objects.placed().filter(order_line__in=lines) if lines else ()
    if sellers := {hold.seller_id for hold in staying}:
        book = HoldBook(sellers)
        book.hand_over()
        book.save()


def _locked(keys: Collection[int]) -> list[Hold]:
    """Holds, with all others of their sellers locked beside them and in the order of a night."""
    sellers = Hold.objects.filter(pk__in=keys).values("seller_id")
    rows = Hold.objects.filter(
        Q(pk__in=keys) | Q(pk__in=Hold.objects.at_work().filter(seller_id__in=sellers))
    )
    wanted = set(keys)
    return [
        hold for hold in rows.select_for_update(no_key=True).order_by("pk") if hold.pk in wanted
    ]


def _announce(deed: str, holds: list[Hold], at: datetime) -> None:
    rows = [
        (hold.public_id, hold.seller_id, {"kind": str(hold.kind), "reason": str(hold.reason)})
        for hold in holds
    ]
    changes.announce_many(f"hold.{deed}", rows, at=at)


def _of_decided_claims(on: date) -> set[int]:
    """Holds whose claim is decided; of a completed one once what it takes back is being settled.

    An exchange takes nothing back.
    """
    decided = Hold.objects.placed().filter(claim__isnull=False)
    found = list(
        decided.exclude(claim__state__in=Claim.OPEN_STATES).values_list(
            "pk", "order_line_id", "claim__state", "claim__type"
        )
    )
    taken_back = {
        pk: line
        for pk, line, state, kind in found
        if state == Claim.State.COMPLETED and kind != Claim.Type.EXCHANGE
    }
    underway = _underway(list(taken_back.values()), on) if taken_back else set()
    return {pk for pk, *_ in found if taken_back.get(pk) not in underway}


def _underway(lines: list[int], on: date) -> set[int]:
    """Order lines of which something waits for a statement that this night does not close."""
    queued = OutcomeToSettle.objects.filter(outcome__line__in=lines)
    with connection.cursor() as cursor:
        parameters = {"marketplace": tenancy.current_id(), "lines": lines, "on": on}
        cursor.execute(_STILL_OPEN, parameters)
        still_open = {line_id for (line_id,) in cursor.fetchall()}
    return still_open | set(queued.values_list("outcome__line_id", flat=True))


def _hold_claimed_lines(at: datetime) -> list[Hold]:
    """Hold what open claims are about, where it was confirmed: before that nothing is settled."""
    held = Hold.objects.filter(claim=OuterRef("pk"))
    claims = Claim.objects.filter(
        ~Exists(held), state__in=Claim.OPEN_STATES, line__status=OrderLine.Status.CONFIRMED
    )
    holds = [
        Hold(
            kind=Kind.LINE,
            reason=Reason.CLAIM,
            seller_id=claim.seller_id,
            order_line_id=claim.line_id,
            claim=claim,
            placed_at=at,
        )
        for claim in claims.order_by("pk")
    ]
    Hold.objects.bulk_create(holds, batch_size=2000)
    if holds:
        sample = [str(hold.pk) for hold in holds[: states.SAMPLE]]
        data = {"reason": str(Reason.CLAIM), "count": len(holds), "sample": sample}
        audit.record("hold.placed", by=None, at=at, obj=Hold, data=data)
        _announce("placed", holds, at)
    return holds


def _open_statements(on: date) -> int:
    """Give a statement to each seller who gets something back and has none open."""
    due = Statement.objects.reserve_due(on).values("seller_id")
    coming = Hold.objects.filter(state=State.RELEASED, taken__gt=0).values("seller_id")
    has_open = Statement.objects.open().filter(seller=OuterRef("seller_id"))
    rows = SellerBalance.objects.filter(
        Q(seller_id__in=due) | Q(seller_id__in=coming) | Q(seller_id__in=_with_less_disputed()),
        ~Exists(has_open),
    )
    sellers = sorted(rows.values_list("seller_id", flat=True))
    if sellers:
        calendar = calendar_days.load(on)
        contracts = Contracts(first_seller=sellers[0], end_seller=sellers[-1] + 1, only=sellers)
        opened = (
            Statement(
                seller_id=seller_id,
                due_on=_next_due_on(on, contracts.payout_terms(seller_id, on), calendar),
            )
            for seller_id in sellers
        )
        Statement.objects.bulk_create(opened, batch_size=2000)
    return len(sellers)


def _with_less_disputed() -> set[int]:
    """Sellers of whom more is held for claims than the claimed units are worth by now."""
    held = Hold.objects.placed().filter(claim__isnull=False, taken__gt=0)
    return HoldBook(set(held.values_list("seller_id", flat=True)), is_locking=False).surpluses()


def _next_due_on(on: date, terms: PayoutTerms, calendar: Calendar) -> date:
    """A seller's next day of settlement, from a day on."""
    try:
        return due_dates.due_on(on, replace(terms.due, lag_days=0), calendar)
    except due_dates.NoDueDateLeft:
        return on
