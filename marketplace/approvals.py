"""Second-person approval: one person asks, another decides, and deciding does it.

What is approved of is carried out in the transaction of the approval, by the process that its
kind names. The database itself refuses an approval by the person who asked. Two things go without
the second person: what a published rule of the marketplace lets one person do alone, because it is
little (`is_small`, as goodwill up to the amount of the confirmation policy), and everything in a
test marketplace that has only one operator (`Marketplace.needs_second_person`). Such a request is
carried out as it is asked, and says so. Whether a person may ask or decide at all is for the edges:
`Kind.permission` names the right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.db import transaction
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from marketplace import audit, states, tenancy, versions
from marketplace.models import Approval, Marketplace, TenantModel, User, VersionedRule
from marketplace.refusals import Refused, gettext_noop

State = Approval.State


class AlreadyAsked(Refused):
    code = "already_asked"
    message = gettext_noop("“%(subject)s” already waits for a second person.")


class SamePerson(Refused):
    code = "same_person"
    message = gettext_noop("Whoever asked cannot decide. Another person has to.")


class NotYours(Refused):
    code = "not_your_request"
    message = gettext_noop("Only the person who asked can withdraw it.")


class ChangedSince(Refused):
    code = "changed_since_asked"
    message = gettext_noop(
        "“%(subject)s” was changed after it was asked for. Refuse this, look at it again, and "
        "let it be asked for anew."
    )


class Gone(Refused):
    code = "approval_object_gone"
    message = gettext_noop("“%(subject)s” is no longer there.")


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be asked for: about which model, and the process that does it once approved.

    Both are named by string, because most live on the floors above, which are not imported here.
    The process is called as `process(object, by=…, at=…, **data)`.
    """

    name: str | Promise
    model: str
    process: str
    needs_fresh_log_in: bool = False  # whoever decides proves once more who it is

    @property
    def object_model(self) -> type[TenantModel]:
        return apps.get_model(self.model)

    @property
    def permission(self) -> str:
        """The right to ask for it and, as another person, to decide on it."""
        options = self.object_model._meta
        return f"{options.app_label}.change_{options.model_name}"


KINDS: dict[str, Kind] = {
    "publish_legal_identity": Kind(
        _("Publish a legal identity"), "marketplace.LegalIdentity", "marketplace.versions.publish"
    ),
    "publish_calendar": Kind(
        _("Publish a calendar"),
        "marketplace.CalendarVersion",
        "settlements.deadlines.publish_calendar",
    ),
    "publish_grade_policy": Kind(
        _("Publish a grade policy"), "sellers.GradePolicy", "sellers.grades.publish_policy"
    ),
    "publish_policy_pack": Kind(
        _("Publish a policy pack"), "listings.PolicyPack", "listings.reviewing.publish_pack"
    ),
    "publish_confirmation_policy": Kind(
        _("Publish a confirmation policy"),
        "orders.ConfirmationPolicy",
        "marketplace.versions.publish",
    ),
    "grant_goodwill": Kind(_("Grant goodwill"), "orders.Order", "orders.goodwill.grant"),
    "suspend_seller": Kind(_("Suspend a seller"), "sellers.Seller", "sellers.deciding.suspend"),
    "reinstate_seller": Kind(
        _("Let a seller sell again"), "sellers.Seller", "sellers.deciding.reinstate"
    ),
    "verify_account_holder": Kind(
        _("Verify the holder of a bank account"),
        "sellers.BankAccount",
        "sellers.bank_accounts.verify_holder",
        needs_fresh_log_in=True,
    ),
    "terminate_seller": Kind(
        _("Begin the termination of a seller who was stopped"),
        "sellers.Seller",
        "sellers.deciding.begin_termination",
    ),
    "publish_fee_schedule": Kind(
        _("Publish fees"), "settlements.FeeScheduleVersion", "settlements.fee_publishing.publish"
    ),
    "approve_adjustment": Kind(
        _("Approve an adjustment"), "settlements.Adjustment", "settlements.adjusting.approve"
    ),
    "publish_monthly_fee": Kind(
        _("Publish a monthly fee"), "settlements.MonthlyFee", "marketplace.versions.publish"
    ),
    "publish_interest_terms": Kind(
        _("Publish interest on debts"),
        "settlements.InterestTerms",
        "settlements.charging_interest.publish",
    ),
    "publish_contract": Kind(
        _("Publish a seller's contract"),
        "settlements.SellerContract",
        "settlements.contracting.publish",
    ),
    "exclude_statement": Kind(
        _("Exclude a statement from payment"),
        "settlements.Statement",
        "settlements.holding.exclude",
    ),
    "reverse_exclusion": Kind(
        _("Reverse an exclusion from payment"), "settlements.Hold", "settlements.holding.reverse"
    ),
    "pay_attachment": Kind(
        _("Pay or deposit attached money"),
        "settlements.Hold",
        "settlements.attaching.pay",
        needs_fresh_log_in=True,
    ),
    "write_off_debt": Kind(
        _("Write off a debt"), "settlements.SellerBalance", "settlements.collecting.write_off"
    ),
    "refund_ad_prepayment": Kind(
        _("Refund an advertising prepayment"),
        "settlements.AdPrepayment",
        "settlements.prepaying.refund",
    ),
    "publish_payout_policy": Kind(
        _("Publish a payout policy"), "settlements.PayoutPolicy", "marketplace.versions.publish"
    ),
    "publish_sentinel_policy": Kind(
        _("Publish a sentinel policy"),
        "settlements.SentinelPolicy",
        "marketplace.versions.publish",
    ),
    "approve_payout_batch": Kind(
        _("Approve a payout batch"),
        "settlements.PayoutBatch",
        "settlements.payouts.approve",
        needs_fresh_log_in=True,
    ),
    "record_payout_result": Kind(
        _("Record a payout's result"),
        "settlements.Payout",
        "settlements.payout_sending.record_by_hand",
        needs_fresh_log_in=True,
    ),
    "use_payout_connection": Kind(
        _("Use a payout connection"),
        "settlements.PayoutConnection",
        "settlements.payout_connections.use",
        needs_fresh_log_in=True,
    ),
    "assign_claims": Kind(
        _("Assign a seller's claims"),
        "settlements.Assignment",
        "settlements.assigning.put_in_force",
        needs_fresh_log_in=True,
    ),
    "end_assignment": Kind(
        _("End an assignment of claims"),
        "settlements.Assignment",
        "settlements.assigning.end",
        needs_fresh_log_in=True,
    ),
    "publish_settlement_terms": Kind(
        _("Publish settlement terms"),
        "settlements.SettlementTerms",
        "settlements.deadlines.publish_terms",
    ),
    "enforce_deadline": Kind(
        _("Change what the legal deadline refuses"),
        "settlements.DeadlineGuard",
        "settlements.deadlines.enforce",
    ),
    "post_manual_journal": Kind(
        _("Post a manual journal"),
        "settlements.ManualJournal",
        "settlements.manual_journals.post",
    ),
    "sign_day": Kind(
        _("Sign a business day"), "settlements.DayClose", "settlements.day_closing.sign"
    ),
    "reopen_day": Kind(
        _("Open a signed day again"), "settlements.DayClose", "settlements.day_closing.reopen"
    ),
    "book_discrepancy": Kind(
        _("Book a discrepancy"), "settlements.Discrepancy", "settlements.reconciling.book"
    ),
    "reopen_period": Kind(
        _("Open a closed month again"), "settlements.Period", "settlements.periods.reopen"
    ),
}


def publishing(model: type[VersionedRule]) -> str:
    """The kind under which versions of a rule are published."""
    for code, kind in KINDS.items():
        if code.startswith("publish_") and kind.object_model is model:
            return code
    raise LookupError(f"no kind of approval publishes {model.__name__}")


@transaction.atomic
def ask(
    kind: str,
    obj: TenantModel,
    *,
    by: User,
    at: datetime,
    reason: str,
    data: dict | None = None,
    is_small: bool = False,
) -> Approval:
    """Ask for something to be done about `obj`; at once where no second person is needed.

    `is_small` says that a rule of the marketplace lets one person do as little as this. Raises
    AlreadyAsked while a request about it waits, versions.NotADraft for a rule in force, and where
    it is done at once whatever its process refuses.
    """
    stored = _lock(KINDS[kind], obj.pk)
    if stored is None:
        raise Gone(subject=str(obj))
    if isinstance(stored, VersionedRule) and stored.state != VersionedRule.State.DRAFT:
        raise versions.NotADraft(number=stored.number)
    if Approval.objects.waiting().about(stored).exists():
        raise AlreadyAsked(subject=str(stored))
    approval = Approval.objects.create(
        kind=kind,
        object_type=stored._meta.label_lower,
        object_key=str(stored.pk),
        subject=str(stored)[:200],
        data=data or {},
        fingerprint=_fingerprint(stored),
        asked_by=by,
        asked_at=at,
        reason=reason,
    )
    data = {"kind": kind, "about": f"{approval.object_type} {approval.object_key}"}
    audit.record("approval.asked", by=by, at=at, obj=approval, reason=reason, data=data)
    if is_small or not Marketplace.objects.get(pk=tenancy.current_id()).needs_second_person:
        _end(approval, State.ALONE, by=by, at=at, reason=reason)
        _carry_out(approval, by=by, at=at)
    return approval


@transaction.atomic
def approve(approval: Approval, *, by: User, at: datetime, reason: str = "") -> Approval:
    """Do what was asked for. Raises SamePerson, ChangedSince, Gone, or what its process refuses.

    Of two people who decide at once the second gets states.IllegalMove.
    """
    _refuse_asker(approval, by)
    _end(approval, State.APPROVED, by=by, at=at, reason=reason)
    _carry_out(approval, by=by, at=at)
    return approval


@transaction.atomic
def refuse(approval: Approval, *, by: User, at: datetime, reason: str) -> Approval:
    """Turn a request down; nothing is done. Raises SamePerson or states.IllegalMove."""
    _refuse_asker(approval, by)
    return _end(approval, State.REFUSED, by=by, at=at, reason=reason)


@transaction.atomic
def withdraw(approval: Approval, *, by: User, at: datetime, reason: str = "") -> Approval:
    """Take one's own request back. Raises NotYours or states.IllegalMove."""
    if approval.asked_by_id != by.pk:
        raise NotYours()
    return _end(approval, State.WITHDRAWN, by=by, at=at, reason=reason)


@transaction.atomic
def give_up(obj: TenantModel, *, by: User | None, at: datetime, reason: str) -> None:
    """Take back what was asked about an object that is itself given up."""
    for approval in Approval.objects.waiting().about(obj):
        _end(approval, State.WITHDRAWN, by=by, at=at, reason=reason)


def _lock(kind: Kind, pk) -> TenantModel | None:
    return kind.object_model._base_manager.select_for_update(no_key=True).filter(pk=pk).first()


def _refuse_asker(approval: Approval, by: User) -> None:
    if approval.asked_by_id == by.pk:
        raise SamePerson()


def _end(approval: Approval, state: str, *, by: User | None, at: datetime, reason: str) -> Approval:
    changes = {"decided_by": by, "decided_at": at, "decision": reason}
    states.move(approval, state, by=by, at=at, reason=reason, changes=changes)
    return approval


def _carry_out(approval: Approval, *, by: User, at: datetime) -> None:
    kind = KINDS[approval.kind]
    obj = _lock(kind, approval.object_key)
    if obj is None:
        raise Gone(subject=approval.subject)
    if _fingerprint(obj) != approval.fingerprint:
        raise ChangedSince(subject=approval.subject)
    process: Callable = import_string(kind.process)
    process(obj, by=by, at=at, **approval.data)


def _fingerprint(obj: TenantModel) -> str:
    """What a rule says with all its parts; other objects may change while they wait."""
    return versions.fingerprint(obj) if isinstance(obj, VersionedRule) else ""
