"""The operators' pages for asking a second person and for deciding. Called by marketplace.admin."""

from typing import NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals
from marketplace.fresh_log_in import fresh_log_in
from marketplace.models import ApiKey, AuditEntry, VersionedRule
from marketplace.refusals import Refused

SHOWN_PROBLEMS = 50
DETAILS = {  # what a request may say, by name
    "amount": _("amount"),
    "claim": _("claim"),
    "evidence": _("evidence"),
    "funder": _("borne by"),
    "kind": _("kind"),
    "line": _("line"),
    "payee": _("payee"),
    "payouts": _("payouts"),
    "until_on": _("due before"),
    "refuses_terms": _("Refuses terms that pay too late"),
    "waive_notice": _("Waives the notice to sellers"),
}
ANSWERS = {True: _("yes"), False: _("no")}
PARTIES = {"platform": _("the marketplace"), "seller": _("the seller")}


class Problem(NamedTuple):
    """Something about a draft that both people should know."""

    text: str
    forbids: bool


class ReasonForm(forms.Form):
    """Why something is asked for or decided. Kept in the audit trail."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_("It is kept in the audit trail."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def ask_for_publication(model_admin, request, queryset):
    """Show drafts with what is wrong with them, and ask for their publication with a reason."""
    drafts = queryset.filter(state=VersionedRule.State.DRAFT).order_by("valid_from", "pk")
    drafts = list(drafts[: model_admin.list_per_page])
    form = model_admin.asking_form(request.POST if "reason" in request.POST else None)
    if form.is_valid():
        kind = approvals.publishing(model_admin.model)
        data = dict(form.cleaned_data)
        asked = {"by": request.user, "at": timezone.now(), "reason": data.pop("reason")}
        asked["data"] = {name: value for name, value in data.items() if value}
        model_admin.ask_for_each(
            request, drafts, lambda version: approvals.ask(kind, version, **asked)
        )
        return HttpResponseRedirect(model_admin.list_url())
    return model_admin.page(
        request,
        "marketplace/ask_for_publication.html",
        title=gettext("Ask for publication"),
        versions=[
            {"version": version, "problems": model_admin.problems(version)[:SHOWN_PROBLEMS]}
            for version in drafts
        ],
        form=form,
        checkbox=ACTION_CHECKBOX_NAME,
        needs_second_person=request.marketplace.needs_second_person,
    )


def show(model_admin, request, approval, state):
    """One request: what, who, why; and for whoever may decide, the decision."""
    kind = approvals.KINDS[approval.kind]
    is_waiting = approval.state == approval.State.ASKED
    may_decide = is_waiting and request.user.has_perm(kind.permission)
    page = fresh_log_in(_show) if may_decide and kind.needs_fresh_log_in else _show
    return page(request, model_admin, approval, state)


def _show(request, model_admin, approval, state):
    form = ReasonForm(request.POST or None)
    form.fields["reason"].required = request.POST.get("decision") == "refuse"
    if request.method == "POST" and form.is_valid():
        _decide(request, approval, form.cleaned_data["reason"])
        return HttpResponseRedirect(request.path)
    kind = approvals.KINDS[approval.kind]
    is_waiting = approval.state == approval.State.ASKED
    is_mine = approval.asked_by_id == request.user.pk
    has_right = request.user.has_perm(kind.permission)
    return model_admin.page(
        request,
        "marketplace/approval.html",
        title=kind.name,
        approval=approval,
        key_name=_key_name(approval),
        details=[
            (DETAILS.get(name, name), _told(value))
            for name, value in approval.data.items()
            if name != "reason" and value != ""  # the reason is said already
        ],
        state=state,
        object_url=_object_url(approval, request),
        is_waiting=is_waiting,
        may_decide=is_waiting and has_right and not is_mine,
        may_withdraw=is_waiting and has_right and is_mine,
        form=form,
    )


def _key_name(approval) -> str:
    """The name of the API key by which a program asked; empty where a person did."""
    about = {"object_type": approval._meta.label_lower, "object_key": str(approval.pk)}
    asked = AuditEntry.objects.filter(action="approval.asked", **about).first()
    code = asked.data.get("through", "").removeprefix("api_key:") if asked else ""
    found = ApiKey.objects.filter(marketplace=approval.marketplace_id, code=code)
    return found.values_list("name", flat=True).first() or ""


def _told(value):
    if isinstance(value, bool):
        return ANSWERS[value]
    return PARTIES.get(value, value) if isinstance(value, str) else value


_DECISIONS = {
    "approve": (approvals.approve, _("Approved and done.")),
    "refuse": (approvals.refuse, _("Refused. Nothing was done.")),
    "withdraw": (approvals.withdraw, _("Withdrawn. Nothing was done.")),
}


def _decide(request, approval, reason):
    choice = request.POST.get("decision")
    has_right = request.user.has_perm(approvals.KINDS[approval.kind].permission)
    if choice not in _DECISIONS or not has_right:
        raise PermissionDenied
    decide, done = _DECISIONS[choice]
    try:
        decide(approval, by=request.user, at=timezone.now(), reason=reason)
    except Refused as refused:
        messages.warning(request, refused.text(gettext))
    else:
        messages.success(request, done)


def _object_url(approval, request) -> str:
    """The page of what the request is about, where there is one that the reader may see."""
    app, model = approval.object_type.split(".")
    if not request.user.has_perm(f"{app}.view_{model}"):
        return ""
    try:
        return reverse(f"admin:{app}_{model}_change", args=[approval.object_key])
    except NoReverseMatch:
        return ""
