"""Assignments of claims (채권양도): entered by one person, put in force and ended by a second one.

Civil Act art. 450: an assignment counts against the debtor, here the marketplace, once the seller
has given notice or the marketplace has consented. The papers of that are its evidence. Whom an
unpaid statement goes to follows from its due day (settlements.payout_candidates).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from marketplace import approvals, audit, changes, reasons, sealing, states
from marketplace.refusals import Refused, gettext_noop
from sellers import bank_accounts
from sellers.bank_accounts import NotAnAccountNumber
from sellers.models import Seller
from settlements.models import Assignment
from settlements.payout_journals import business_date

State = Assignment.State
_ENDING = 4


class AssigneeMissing(Refused):
    code = "assignee_missing"
    message = gettext_noop("Name the assignee as the notice of assignment does.")


class EvidenceMissing(Refused):
    code = "assignment_evidence_missing"
    message = gettext_noop("Say where the notice of assignment is kept, such as its file number.")


class BeginsInThePast(Refused):
    code = "assignment_begins_in_the_past"
    message = gettext_noop(
        "%(day)s has passed. An assignment is about statements that fall due from today on."
    )


class EndsBeforeItBegins(Refused):
    code = "assignment_ends_before_it_begins"
    message = gettext_noop("%(day)s is not after the first day of the assignment.")


class AssignedAlready(Refused):
    code = "claims_assigned_already"
    message = gettext_noop(
        "From %(day)s on the claims belong to %(assignee)s. End that assignment first."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who is paid, where, and for which due days; `until_on` is the first day that is not."""

    assignee: str
    account: bank_accounts.Account
    from_on: date
    until_on: date | None = None
    evidence: str = ""


@transaction.atomic
def enter(seller: Seller, terms: Terms, *, by, at: datetime, reason: str) -> Assignment:
    """Ask a second person to put an assignment in force.

    Raises AssigneeMissing, EvidenceMissing, BeginsInThePast, EndsBeforeItBegins, AssignedAlready,
    NotAnAccountNumber, reasons.ReasonMissing.
    """
    if not terms.assignee.strip():
        raise AssigneeMissing(field="assignee")
    if not terms.evidence.strip():
        raise EvidenceMissing(field="evidence")
    if terms.from_on < business_date(at):
        raise BeginsInThePast(day=terms.from_on.isoformat(), field="from_on")
    if terms.until_on is not None and terms.until_on <= terms.from_on:
        raise EndsBeforeItBegins(day=terms.until_on.isoformat(), field="until_on")
    number = re.sub(r"[\s-]", "", terms.account.number)
    if not re.fullmatch(r"[0-9]{8,16}", number):
        raise NotAnAccountNumber(field="number")
    row = Assignment(
        marketplace_id=seller.marketplace_id,
        seller=seller,
        assignee=terms.assignee.strip(),
        from_on=terms.from_on,
        until_on=terms.until_on,
        bank=terms.account.bank,
        holder=terms.account.holder.strip(),
        ending=number[-_ENDING:],
        evidence=terms.evidence.strip(),
        entered_at=at,
        entered_by=by,
    )
    _refuse_overlap(row)
    sealing.seal(row, number=number)
    row.save()
    approvals.ask("assign_claims", row, by=by, at=at, reason=reasons.given(reason))
    row.refresh_from_db(fields=["state", "usable_from"])
    return row


@transaction.atomic
def put_in_force(assignment: Assignment, *, by, at: datetime) -> None:
    """Carried out by marketplace.approvals. Raises AssignedAlready, states.IllegalMove."""
    Seller.objects.select_for_update(no_key=True).get(pk=assignment.seller_id)
    _refuse_overlap(assignment)
    states.move(assignment, State.IN_FORCE, by=by, at=at, changes={"usable_from": at})
    _announce("in_force", assignment, at)


@transaction.atomic
def discard(assignment: Assignment, *, by, at: datetime, reason: str) -> None:
    """Give up one that is not in force. Raises states.IllegalMove."""
    approvals.give_up(assignment, by=by, at=at, reason=reason)
    states.move(assignment, State.DISCARDED, by=by, at=at, reason=reason)


def ask_to_end(assignment: Assignment, *, until_on: date, by, at: datetime, reason: str) -> None:
    """Ask a second person to let what is due from a day on go to the seller again.

    Raises BeginsInThePast for a day that has passed, EndsBeforeItBegins, states.IllegalMove.
    """
    _refuse_end(assignment, until_on, at)
    data = {"until_on": until_on.isoformat(), "reason": reason}
    approvals.ask("end_assignment", assignment, by=by, at=at, reason=reason, data=data)


@transaction.atomic
def end(assignment: Assignment, *, until_on: str, reason: str, by, at: datetime) -> None:
    """Carried out by marketplace.approvals. Raises as ask_to_end does."""
    day = date.fromisoformat(until_on)
    _refuse_end(assignment, day, at)
    assignment.until_on = day
    assignment.save(update_fields=["until_on"])
    data = {"until_on": until_on, "seller": assignment.seller_id}
    audit.record("assignment.ended", by=by, at=at, obj=assignment, reason=reason, data=data)
    _announce("ended", assignment, at)


def _refuse_end(assignment: Assignment, day: date, at: datetime) -> None:
    if assignment.state != State.IN_FORCE:
        raise states.IllegalMove(old=assignment.state, new=State.DISCARDED)
    if day < business_date(at):
        raise BeginsInThePast(day=day.isoformat(), field="until_on")
    if day < assignment.from_on:
        raise EndsBeforeItBegins(day=day.isoformat(), field="until_on")


def _refuse_overlap(assignment: Assignment) -> None:
    others = Assignment.objects.in_force().filter(seller=assignment.seller_id)
    others = others.filter(Q(until_on=None) | Q(until_on__gt=assignment.from_on))
    if assignment.until_on is not None:
        others = others.filter(from_on__lt=assignment.until_on)
    for other in others.exclude(pk=assignment.pk):
        if other.until_on is None or other.until_on > other.from_on:
            raise AssignedAlready(
                day=other.from_on.isoformat(), assignee=other.assignee, field="from_on"
            )


def _announce(deed: str, assignment: Assignment, at: datetime) -> None:
    changes.announce(
        f"assignment.{deed}", assignment.public_id, at=at, seller_id=assignment.seller_id
    )
