"""Admin pages that tell one row's whole story, and the decisions that are made on them.

A page shows what its own app knows and, below, what the floors above add. Those are named by
string, as handlers of messages are, because they are not imported here: `SECTIONS` maps a page
to functions `(request, row) -> Section | None`.

A decision has a page of its own with a form (a reason, mostly), calls one process, and shows why
it was refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace import tenancy
from marketplace.admin import ReadOnlyAdmin
from marketplace.fresh_log_in import fresh_log_in
from marketplace.models import Marketplace
from marketplace.reasons import LONGEST
from marketplace.refusals import Refused

SECTIONS: dict[str, tuple[str, ...]] = {
    "orders.claim": ("settlements.stories.of_claim",),
    "orders.order": ("settlements.stories.of_order",),
    "sellers.seller": (
        "settlements.stories.of_seller",
        "settlements.stories.contract_of_seller",
        "settlements.stories.adjustments_of_seller",
        "orders.stories.of_seller",
        "listings.stories.of_seller",
    ),
}
SHOWN: Final = 50  # rows of a part of a page; beyond them a list is linked


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: a template that gets `context` beside what every page has."""

    title: str | Promise
    template: str
    context: dict[str, Any] = field(default_factory=dict)


class ReasonForm(forms.Form):
    """Why. What harms somebody cannot be decided without."""

    reason = forms.CharField(
        label=_("reason"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The seller reads this, and it stays in the audit trail."),
    )


class RemarkForm(ReasonForm):
    """Why, where somebody wants to say so."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something that is decided about a row.

    Called as `process(row, by=…, at=…, **what the form says)`. `offered` says from the row alone
    whether it is worth showing; the process has the last word.
    """

    name: str | Promise
    explanation: str | Promise
    process: Callable
    form: type[forms.Form] = ReasonForm
    offered: Callable[[Any], bool]
    initial: Callable[[Any], dict] = lambda row: {}
    is_grave: bool = False
    needs_fresh_log_in: bool = False  # whoever decides proves once more who it is
    ends_row: bool = False  # there is nothing to come back to
    done: str | Promise


class StoryAdmin(ReadOnlyAdmin):
    """A model whose rows each have a page that tells, and decisions made by processes."""

    story_template = ""
    decisions: dict[str, Decision] = {}

    def get_urls(self):
        named = f"{self.opts.app_label}_{self.opts.model_name}_decide"
        address = "<path:object_id>/decide/<slug:decision>/"
        decide = self.admin_site.admin_view(self.decide_view)
        return [path(address, decide, name=named), *super().get_urls()]

    def tell(self, request, row) -> dict[str, Any]:
        """What the template of the page shows beside the row itself."""
        return {}

    def has_decide_permission(self, request) -> bool:
        """Whoever may change such a row; what may be changed is for the processes."""
        market = request.marketplace
        if market is None or market.state == Marketplace.State.ARCHIVED:
            return False
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self._row(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        may_decide = self.has_decide_permission(request)
        context = {
            **self._context(request, row),
            "decisions": self._offered(row) if may_decide else [],
            "sections": list(self._sections(request, row)),
            **self.tell(request, row),
        }
        return TemplateResponse(request, self.story_template, context)

    def decide_view(self, request, object_id, decision):
        row = self._row(request, object_id)
        if not self.has_decide_permission(request):
            raise PermissionDenied
        if decision not in self.decisions:
            raise Http404
        wanted = self.decisions[decision]
        page = fresh_log_in(self._decide) if wanted.needs_fresh_log_in else self._decide
        return page(request, row, wanted)

    def _decide(self, request, row, wanted: Decision):
        is_sent = request.method == "POST"
        sent = (request.POST, request.FILES) if is_sent else (None, None)
        form = self.decision_form(wanted, row, *sent)
        if form.is_valid() and self._decided(request, row, wanted, form):
            return redirect(self.list_address() if wanted.ends_row else self.address(row))
        context = self._context(request, row) | {"decision": wanted, "form": form}
        return TemplateResponse(request, "admin/decide.html", context, status=refusals.status(form))

    def decision_form(self, decision: Decision, row, data, files=None):
        return decision.form(data, files, initial=decision.initial(row))

    def address(self, row) -> str:
        named = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(named, args=[quote(row.pk)])

    def list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _row(self, request, object_id):
        """The row, for who may see it; one of another marketplace does not exist."""
        row = self.get_object(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404
        return row

    def _decided(self, request, row, wanted: Decision, form) -> bool:
        try:
            wanted.process(row, by=request.user, at=timezone.now(), **form.cleaned_data)
        except Refused as refused:
            refusals.show(form, refused)
            return False
        self.message_user(request, str(wanted.done), messages.SUCCESS)
        return True

    def _offered(self, row) -> list[tuple[str, Decision]]:
        return [(code, each) for code, each in self.decisions.items() if each.offered(row)]

    def _sections(self, request, row):
        for named in SECTIONS.get(self.opts.label_lower, ()):
            if section := import_string(named)(request, row):
                yield section

    def _context(self, request, row) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "row": row,
            "title": str(row),
            "address": self.address(row),
            "decide_at": self.address(row).removesuffix("change/") + "decide/",
            "market": tenancy.current(),
            "has_view_permission": True,
        }
