"""Payouts in the admin: batches with their decisions and files, what waits and why, exceptions."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals, job_words, paging
from marketplace.admin import (
    HIDDEN,
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    VersionedRuleAdmin,
    action,
    chip,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.fresh_log_in import fresh_log_in
from marketplace.models import Approval, JobRow, JobRun
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import (
    admin_ledger,
    keeping_windows,
    models,
    payout_candidates,
    payout_checks,
    payout_exceptions,
    payout_forms,
    payout_journals,
    payout_results,
    payout_sending,
    payout_words,
    payouts,
    transfer_files,
)

SHOWN_ROWS = 200
BatchState, PayoutState = models.PayoutBatch.State, models.Payout.State
COLOURS = {
    **dict.fromkeys((PayoutState.PAID, BatchState.COMPLETED, BatchState.APPROVED), "good"),
    **dict.fromkeys(
        (PayoutState.SENDING, PayoutState.SENT, BatchState.EXECUTING, BatchState.AWAITING), "busy"
    ),
    **dict.fromkeys((PayoutState.PREPARED, BatchState.SCHEDULED, BatchState.PREPARING), "care"),
    **dict.fromkeys(
        (PayoutState.UNKNOWN, PayoutState.FAILED, PayoutState.RETURNED, PayoutState.STOPPED), "bad"
    ),
}


def _has_file(batch) -> bool:
    return batch.policy.writes_file


def _is_handed_over(batch) -> bool:
    return _has_file(batch) and batch.state in (BatchState.AWAITING, BatchState.COMPLETED)


def _take_results(batch, *, by, at, file) -> None:
    payout_results.take(batch, file.read(), name=file.name or "", by=by, at=at)


def _ask_for_result(payout, *, by, at, outcome, reason) -> None:
    data = {"outcome": outcome, "said": reason}
    approvals.ask("record_payout_result", payout, by=by, at=at, reason=reason, data=data)


def _ask_for_return(payout, *, by, at, reason) -> None:
    _ask_for_result(payout, by=by, at=at, outcome=PayoutState.RETURNED.value, reason=reason)


@register(models.PayoutPolicy)
class PayoutPolicyAdmin(VersionedRuleAdmin):
    list_display = ["gateway", *VersionedRuleAdmin.list_display]


@register(models.PayoutBatch)
class PayoutBatchAdmin(StoryAdmin):
    """Batches; one opens with its payouts, its file, the results that came, and what to decide."""

    comes_from = _("The nightly close prepares a batch of the statements that can be paid.")
    place = 5
    story_template = "settlements/admin/payout_batch.html"
    list_display = [
        "public_id",
        "on",
        state_column(colours=COLOURS),
        "payouts",
        money_column("amount", _("amount")),
        "scheduled_at",
        "executed_on",
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("on", RangeDateFilter)]
    list_filter_submit = True
    list_select_related = ["policy"]
    ordering = ["-id"]
    search_fields = ["public_id__exact"]
    actions_list = ["waiting"]
    decisions = {
        "ask-approval": Decision(
            name=_("Ask for approval"),
            explanation=_("A second person looks at the batch and approves it as it is now."),
            process=payouts.ask_for_approval,
            form=payout_forms.InnerReasonForm,
            offered=lambda batch: batch.state == BatchState.PREPARED,
            needs_fresh_log_in=True,
            done=_("Approval was asked for."),
        ),
        "execute": Decision(
            name=_("Execute now"),
            explanation=_("Workers send its payouts. One batch is executed at a time."),
            process=payouts.execute,
            form=payout_forms.InnerRemarkForm,
            offered=lambda batch: (
                batch.state in (BatchState.APPROVED, BatchState.SCHEDULED, BatchState.STOPPED)
            ),
            needs_fresh_log_in=True,
            done=_("The batch is being executed."),
        ),
        "schedule": Decision(
            name=_("Schedule"),
            explanation=_("It is executed by itself at a moment that you choose."),
            process=payouts.schedule,
            form=payout_forms.ScheduleForm,
            initial=payout_forms.tomorrow_morning,
            offered=lambda batch: batch.state == BatchState.APPROVED,
            needs_fresh_log_in=True,
            done=_("The batch is scheduled."),
        ),
        "unschedule": Decision(
            name=_("Take it off the schedule"),
            explanation=_("It stays approved, and is not executed by itself."),
            process=payouts.unschedule,
            form=payout_forms.InnerRemarkForm,
            offered=lambda batch: batch.state == BatchState.SCHEDULED,
            done=_("The batch is no longer scheduled."),
        ),
        "stop": Decision(
            name=_("Stop"),
            explanation=_("No further payout of it is sent. Those already sent go on."),
            process=payouts.stop,
            form=payout_forms.InnerReasonForm,
            offered=lambda batch: batch.state == BatchState.EXECUTING,
            is_grave=True,
            done=_("The batch is stopped."),
        ),
        "results": Decision(
            name=_("Upload results"),
            explanation=_("The bank's file of results: each row is told below, once taken."),
            process=_take_results,
            form=payout_forms.ResultFileForm,
            offered=_is_handed_over,
            done=_("The file was taken. What came of each row stands below, or soon will."),
        ),
        "cancel": Decision(
            name=_("Cancel"),
            explanation=_("What was not sent is given up; its statements can be paid anew."),
            process=payouts.cancel,
            form=payout_forms.InnerReasonForm,
            offered=lambda batch: BatchState.CANCELLED in models.PayoutBatch.MOVES[batch.state],
            is_grave=True,
            done=_("The batch is cancelled."),
        ),
    }

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("policy", "prepared_by")

    def get_urls(self):
        file = self.admin_site.admin_view(self.file_view)
        name = "settlements_payoutbatch_file"
        return [path("<path:object_id>/file/", file, name=name), *super().get_urls()]

    def tell(self, request, row):
        rows = models.Payout.objects.filter(batch=row).select_related("seller", "account")
        by_state = rows.order_by().values_list("state").annotate(Count("pk"), Sum("amount"))
        page = paging.page(request.GET, rows)
        page.rows[:] = [_told(payout) for payout in page.rows]
        return {
            "state": state_column(colours=COLOURS)(row),
            "page": page,
            "sums": [
                (PayoutState(state).label, count, total) for state, count, total in sorted(by_state)
            ],
            "has_file": _is_handed_over(row),
            "results": _results(row),
            "approval": _asked(row),
            "checks": payout_checks.of(row, at=timezone.now()),
            "windows": keeping_windows.of_batch(row, at=timezone.now()),
        }

    def file_view(self, request, object_id):
        batch = self._row(request, object_id)
        if not self.has_decide_permission(request):
            raise PermissionDenied
        return fresh_log_in(self._file)(request, batch)

    def _file(self, request, batch):
        try:
            content = payout_results.file_of(batch, by=request.user, at=timezone.now())
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
            return HttpResponseRedirect(self.address(batch))
        is_csv = batch.policy.gateway == transfer_files.CSV
        response = HttpResponse(content, content_type="application/octet-stream")
        name = f"{batch.public_id}.{'csv' if is_csv else 'txt'}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "no-store"
        return response

    @action(description=_("What can be paid"), url_path="waiting", permissions=["view"])
    def waiting(self, request):
        """What could be prepared now, and every statement that cannot with its reason."""
        at = timezone.now()
        on = payout_journals.business_date(at)
        if request.method == "POST":
            return self._prepare(request, on, at)
        policy = payout_candidates.policy_on(on)
        found = payout_candidates.find(on=on, at=at, policy=policy)
        return self.page(
            request,
            "settlements/admin_payable.html",
            title=gettext("What can be paid"),
            on=on,
            policy=policy,
            candidates=found.candidates[:SHOWN_ROWS],
            amount=sum(each.amount for each in found.candidates),
            count=len(found.candidates),
            waiting=[(each, payout_words.of(each.reason)) for each in found.waiting[:SHOWN_ROWS]],
            waiting_count=len(found.waiting),
            most=found.looked_at if found.looked_at >= payout_candidates.MOST else None,
            may_prepare=self.has_decide_permission(request),
        )

    def _prepare(self, request, on, at):
        if not self.has_decide_permission(request):
            raise PermissionDenied
        try:
            batches = payouts.prepare_by_hand(on=on, at=at, by=request.user)
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
            return HttpResponseRedirect(request.path)
        messages.success(request, gettext("%(count)s prepared.") % {"count": len(batches)})
        return HttpResponseRedirect(self.address(batches[0]))


def _asked(row):
    """The request that waits for a second person about a row, if there is one."""
    waiting = Approval.objects.waiting().about(row)
    return waiting.select_related("asked_by").first()


def _results(batch) -> list:
    """The files of results that were taken for a batch, with the first of their rows."""
    jobs = JobRun.objects.filter(kind=payout_results.KIND, counts__batch=batch.pk).order_by("-id")
    return [{"job": job, "rows": _lines(job), "state": state_column()(job)} for job in jobs[:10]]


def _lines(job) -> list:
    rows = JobRow.objects.filter(job=job).order_by("pk")[:SHOWN_ROWS]
    return [(row, job_words.head(row.head)) for row in rows]


def _told(payout):
    payout.state_chip = state_column(colours=COLOURS)(payout)
    payout.why = payout_words.of(payout.reason).name if payout.reason else ""
    return payout


@register(models.Payout)
class PayoutAdmin(StoryAdmin):
    """Payouts; one opens with its statements, its attempts, its journals and its exceptions."""

    comes_from = _("Payouts are prepared together, as a payout batch.")
    place = 6
    story_template = "settlements/admin/payout.html"
    list_display = [
        "public_id",
        "seller",
        state_column(colours=COLOURS),
        money_column("amount", _("amount")),
        "masked_account",
        "sent_at",
        "result_due_on",
        "ended_at",
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("seller", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["public_id__exact"]
    decisions = {
        "result": Decision(
            name=_("Record the bank's word"),
            explanation=_(
                "Only what the bank itself has said. After “failed” the money can be sent again: "
                "a second person has to agree."
            ),
            process=_ask_for_result,
            form=payout_forms.ResultForm,
            offered=payout_forms.is_unanswered,
            is_grave=True,
            needs_fresh_log_in=True,
            done=_("A second person was asked."),
        ),
        "return": Decision(
            name=_("It came back"),
            explanation=_("The bank sent the money back. A second person has to agree."),
            process=_ask_for_return,
            form=payout_forms.ReturnForm,
            offered=lambda payout: payout.state == PayoutState.PAID,
            is_grave=True,
            needs_fresh_log_in=True,
            done=_("A second person was asked."),
        ),
        "release-account": Decision(
            name=_("Pay to this account again"),
            explanation=_("For a failure that was not the account's fault."),
            process=payout_sending.release_account,
            form=payout_forms.InnerReasonForm,
            offered=lambda payout: (
                payout.state in (PayoutState.FAILED, PayoutState.RETURNED)
                and payout.released_at is None
            ),
            done=_("The account is paid to again."),
        ),
    }

    @display(description=_("bank account"))
    def masked_account(self, payout):
        return f"{payout.get_bank_display()} {payout.masked}"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "batch")

    def tell(self, request, row):
        return {
            "state": state_column(colours=COLOURS)(row),
            "why": payout_words.of(row.reason) if row.reason else None,
            "items": row.items.select_related("statement").order_by("pk"),
            "attempts": [
                (attempt, payout_words.OUTCOMES.get(attempt.outcome, attempt.outcome))
                for attempt in row.attempts.order_by("pk")[:SHOWN_ROWS]
            ],
            "journals": [
                (journal, admin_ledger.TEMPLATES.get(journal.template, journal.template))
                for journal in models.Journal.objects.filter(reference=row.public_id)
            ],
            "exceptions": row.exceptions.order_by("-pk"),
            "approval": _asked(row),
        }


@register(models.PayoutException)
class PayoutExceptionAdmin(StoryAdmin):
    """What a bank said that does not fit, until somebody has found out why."""

    comes_from = _("A bank's answer about a payout that does not fit would stand here.")
    place = 7
    story_template = "settlements/admin/payout_exception.html"
    list_display = [
        "kind",
        state_column(colours={"open": "bad", "resolved": "good"}),
        "reference",
        money_column("expected", _("expected")),
        money_column("found", _("found")),
        "source",
        "raised_at",
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["payout"]
    ordering = ["state", "-raised_at"]
    search_fields = ["reference__exact"]
    decisions = {
        "resolve": Decision(
            name=_("Resolve"),
            explanation=_("What was found out, and what was done about it. It moves no money."),
            process=payout_exceptions.resolve,
            form=payout_forms.InnerReasonForm,
            offered=lambda row: row.state == models.PayoutException.State.OPEN,
            done=_("The exception is resolved."),
        )
    }

    def tell(self, request, row):
        is_open = row.state == models.PayoutException.State.OPEN
        return {"state": chip(row.get_state_display(), "bad" if is_open else "good")}


class _PartAdmin(ReadOnlyAdmin):
    """Shown on the page of what it belongs to."""

    comes_from = _("Written when payouts are prepared and sent.")
    section = HIDDEN
    ordering = ["-id"]


@register(models.PayoutItem)
class PayoutItemAdmin(_PartAdmin):
    list_display = ["payout", "statement", money_column("amount", _("amount")), "is_live"]
    list_select_related = ["payout", "statement"]


@register(models.PayoutAttempt)
class PayoutAttemptAdmin(_PartAdmin):
    list_display = ["payout", "kind", "began_at", "ended_at", "outcome"]
    list_select_related = ["payout"]


@register(models.SandboxTransfer)
class SandboxTransferAdmin(_PartAdmin):
    list_display = ["reference", money_column("amount", _("amount")), "outcome", "received"]
