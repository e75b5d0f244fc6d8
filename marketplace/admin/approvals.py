"""The page of what waits for a second person."""

from django.contrib.admin import register
from django.db.models import Case, When
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from marketplace import approval_pages, approvals, models
from marketplace.admin.cells import state_column
from marketplace.admin.pages import ReadOnlyAdmin


@register(models.Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """What waits for a second person, and what was decided. Opening one leads to the decision."""

    comes_from = _("What needs a second person waits here: fees, policies, suspensions.")
    list_display = ["subject", "named_kind", state_column(), "asked_by", "asked_at", "decided_by"]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_select_related = ["asked_by", "decided_by"]
    ordering = [
        Case(When(state=models.Approval.State.ASKED, then=0), default=1),
        "-asked_at",
        "-id",
    ]

    @display(description=_("kind"))
    def named_kind(self, approval):
        return approvals.KINDS[approval.kind].name

    def change_view(self, request, object_id, form_url="", extra_context=None):
        approval = self.found(request, object_id)
        return approval_pages.show(self, request, approval, state_column()(approval))
