"""Assignments of claims in the admin: who is paid instead of a seller, decided by two people."""

from django import forms
from django.contrib import messages
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    TextInput,
    action,
    display,
    register,
    state_column,
)
from marketplace.fresh_log_in import fresh_log_in
from marketplace.models import Approval
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from sellers.bank_accounts import Account
from sellers.banks import Bank
from sellers.models import Seller
from settlements import assigning, models, payout_forms

State = models.Assignment.State
COLOURS = {State.PROPOSED: "care", State.IN_FORCE: "good"}
_DAY = {"widget": forms.DateInput(attrs={"type": "date"})}


class AssignmentForm(payout_forms.InnerReasonForm):
    """Whose claims, to whom, from when, and where the money goes then."""

    seller = forms.CharField(label=_("seller's code"), max_length=64, widget=TextInput)
    assignee = forms.CharField(
        label=_("assignee"),
        max_length=200,
        widget=TextInput,
        help_text=_("As the notice of assignment names them. The seller reads this."),
    )
    from_on = forms.DateField(
        label=_("due from"),
        help_text=_("Statements that fall due on this day or later go to the assignee."),
        **_DAY,
    )
    until_on = forms.DateField(
        label=_("due before"),
        required=False,
        help_text=_("Those that fall due on this day or later go to the seller again."),
        **_DAY,
    )
    bank = forms.ChoiceField(label=_("bank"), choices=Bank.choices)
    number = forms.CharField(label=_("account number"), max_length=20, widget=TextInput)
    holder = forms.CharField(label=_("account holder"), max_length=100, widget=TextInput)
    evidence = forms.CharField(
        label=_("evidence"),
        max_length=200,
        widget=TextInput,
        help_text=_("Where the notice of assignment is kept: a file number."),
    )
    field_order = [
        *("seller", "assignee", "from_on", "until_on"),
        *("bank", "number", "holder", "evidence", "reason"),
    ]

    def clean_seller(self):
        seller = Seller.objects.filter(code=self.cleaned_data["seller"].strip()).first()
        if seller is None:
            raise forms.ValidationError(_("There is no seller with this code."), code="unknown")
        return seller

    def terms(self) -> assigning.Terms:
        given = self.cleaned_data
        account = Account(bank=given["bank"], holder=given["holder"], number=given["number"])
        named = {name: given[name] for name in ("assignee", "from_on", "until_on", "evidence")}
        return assigning.Terms(account=account, **named)


class EndForm(payout_forms.InnerReasonForm):
    until_on = forms.DateField(
        label=_("due before"),
        help_text=_("Those that fall due on this day or later go to the seller again."),
        **_DAY,
    )
    field_order = ["until_on", "reason"]


@register(models.Assignment)
class AssignmentAdmin(StoryAdmin):
    """Assignments of claims; one opens with whom it pays, for which days, and what to decide."""

    comes_from = _("Where a seller has assigned its claims, the assignment is entered here.")
    place = 17
    story_template = "settlements/admin/assignment.html"
    list_display = [
        "public_id",
        "seller",
        "assignee",
        state_column(colours=COLOURS),
        "from_on",
        "until_on",
        "masked_account",
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("seller", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["public_id__exact"]
    actions_list = ["enter"]
    decisions = {
        "discard": Decision(
            name=_("Discard"),
            explanation=_("It is given up before it was in force."),
            process=assigning.discard,
            form=payout_forms.InnerReasonForm,
            offered=lambda row: row.state == State.PROPOSED,
            done=_("The assignment was discarded."),
        ),
        "end": Decision(
            name=_("End the assignment"),
            explanation=_("From a day on the seller is paid again, once a second person agrees."),
            process=assigning.ask_to_end,
            form=EndForm,
            offered=lambda row: row.state == State.IN_FORCE,
            needs_fresh_log_in=True,
            is_grave=True,
            done=_("A second person was asked."),
        ),
    }

    @display(description=_("bank account"))
    def masked_account(self, row):
        return f"{row.get_bank_display()} {row.masked}"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "entered_by")

    def tell(self, request, row):
        waiting = Approval.objects.waiting().about(row).select_related("asked_by")
        return {"state": state_column(colours=COLOURS)(row), "approval": waiting.first()}

    @action(description=_("Enter an assignment"), url_path="enter", permissions=["decide"])
    def enter(self, request):
        return fresh_log_in(self._enter)(request)

    def _enter(self, request):
        form = AssignmentForm(request.POST or None)
        if form.is_valid() and (row := self._entered(request, form)):
            return HttpResponseRedirect(self.address(row))
        return self.page(
            request,
            "settlements/admin_enter_assignment.html",
            title=gettext("Enter an assignment"),
            form=form,
        )

    def _entered(self, request, form):
        given = form.cleaned_data
        try:
            row = assigning.enter(
                given["seller"],
                form.terms(),
                by=request.user,
                at=timezone.now(),
                reason=given["reason"],
            )
        except Refused as refused:
            refusals.show(form, refused)
            return None
        if row.state == State.IN_FORCE:
            messages.success(request, gettext("The assignment is in force."))
        else:
            messages.success(request, gettext("A second person was asked."))
        return row
