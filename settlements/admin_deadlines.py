"""The legal deadline of payouts in the admin: watched, warned of, and switched on by two people."""

from itertools import islice

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals
from marketplace.admin import ReadOnlyAdmin, action, register
from marketplace.approval_pages import ReasonForm
from marketplace.refusals import Refused
from orders import verdicts
from settlements import deadline_packs, deadlines, models

SHOWN = 50  # statements whose latest day is near


class WatchForm(forms.Form):
    pack = forms.ChoiceField(label=_("Legal deadline"))
    warning_days = forms.IntegerField(
        label=_("Warn so many days ahead"), min_value=0, max_value=60, initial=5
    )

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        packs = deadline_packs.packs()
        self.fields["pack"].choices = [(pack.code, pack.name) for pack in packs]


@register(models.DeadlineGuard)
class DeadlineGuardAdmin(ReadOnlyAdmin):
    place = 36
    section = "rules"
    comes_from = _("No deadline is watched. Choose one on the page above the list.")
    list_display = ["pack", "warning_days", "refuses_terms"]
    ordering = ["-id"]
    actions_list = ["guard"]

    def has_guard_permission(self, request):
        return self.has_view_permission(request)

    @action(description=_("Legal deadline"), url_path="guard", permissions=["guard"])
    def guard(self, request):
        found = deadlines.watched()
        watch = WatchForm(request.POST if "pack" in request.POST else None, initial=_initial(found))
        ask = ReasonForm(request.POST if "reason" in request.POST else None)
        may_change = request.user.has_perm("settlements.change_deadlineguard")
        status = 200
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if watch.is_bound and watch.is_valid():
                deadlines.watch(**watch.cleaned_data, by=request.user, at=timezone.now())
                messages.success(request, gettext("The deadline is watched. It forbids nothing."))
                return HttpResponseRedirect(request.path)
            if found and ask.is_bound and ask.is_valid():
                self._ask(request, found[0], ask.cleaned_data["reason"])
                return HttpResponseRedirect(request.path)
            status = 422
        answer = self.page(
            request,
            "settlements/admin_deadline.html",
            title=gettext("Legal deadline of payouts"),
            watch_form=watch,
            ask_form=ask,
            may_change=may_change,
            **_told(found, request),
        )
        answer.status_code = status
        return answer

    def _ask(self, request, guard, reason: str) -> None:
        data = {"refuses_terms": not guard.refuses_terms}
        asked = {"by": request.user, "at": timezone.now(), "reason": reason, "data": data}
        try:
            approvals.ask("enforce_deadline", guard, **asked)
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
        else:
            messages.success(request, gettext("Asked for. It takes effect by a second person."))


def _initial(found) -> dict:
    return {"pack": found[0].pack, "warning_days": found[0].warning_days} if found else {}


def _told(found, request) -> dict:
    if found is None:
        return {"guard": None}
    guard, pack = found
    today = verdicts.business_date(timezone.now(), request.marketplace.tz)
    near = deadlines.near(today).select_related("seller").order_by("first_basis_on", "pk")
    return {
        "guard": guard,
        "pack": pack,
        "is_draft": pack.status == deadline_packs.DRAFT,
        "meter": deadlines.meter(pack),
        "late": list(islice(deadlines.late_by_terms(pack, on=today), SHOWN)),
        "late_calendars": list(deadlines.late_calendars(pack, on=today)),
        "past": deadlines.past(today)
        .select_related("seller")
        .order_by("first_basis_on", "pk")[:SHOWN],
        "held": deadlines.held_past(today)
        .select_related("seller")
        .order_by("kept_since", "pk")[:SHOWN],
        "near": [(row, pack.latest_on(row.first_basis_on)) for row in near[:SHOWN]],
    }
