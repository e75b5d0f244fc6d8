"""What sellers carry, and their debts by age, in the admin; deposits and write-offs."""

from django import forms
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import tenancy, versions
from marketplace.admin import (
    HIDDEN,
    ReadOnlyAdmin,
    VersionedRuleAdmin,
    action,
    display,
    money_column,
    register,
    usual_start,
)
from marketplace.amount_fields import AmountField
from marketplace.story_pages import SHOWN, Decision, ReasonForm, RemarkForm, StoryAdmin
from settlements import admin_forms, charging_interest, collecting, models, percents

# In the order of debt_ages.AGES.
_CLASSES = (_("up to 30 days"), _("31 to 60 days"), _("61 to 90 days"), _("more than 90 days"))


class DepositForm(RemarkForm):
    """A deposit that the bank's statement shows."""

    amount = AmountField(label=_("amount"))
    on = forms.DateField(
        label=_("paid in on"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("The day on which the bank has it."),
    )
    evidence = forms.CharField(
        label=_("evidence"),
        max_length=200,
        help_text=_(
            "Bank, day and number of the entry in the bank's statement. Each settles debts once."
        ),
    )
    field_order = ["amount", "on", "evidence", "reason"]


class WriteOffForm(ReasonForm):
    amount = AmountField(label=_("amount"))


def _owes(balance) -> bool:
    return collecting.owed(balance) > 0


@register(models.SellerBalance)
class SellerBalanceAdmin(StoryAdmin):
    """What sellers carry from one statement to the next; debts by age stand above the list."""

    comes_from = _("Balances appear when the first statements are closed.")
    place = 30
    story_template = "settlements/admin/balance.html"
    list_display = [
        "seller",
        money_column("carry", _("carried on")),
        money_column("held", _("held back")),
        money_column("reserve", _("reserve")),
        money_column("receivable", _("invoiced debt")),
        money_column("withholding_base", _("withholding base carried")),
    ]
    list_select_related = ["seller"]
    ordering = ["-id"]
    actions_list = ["debts"]
    decisions = {
        "deposit": Decision(
            name=_("Record a deposit"),
            explanation=_(
                "The seller has paid into the marketplace's bank account. The debt shrinks by it; "
                "where the seller owes what was invoiced and what is carried, the older first."
            ),
            process=collecting.record_deposit,
            form=DepositForm,
            offered=_owes,
            initial=lambda balance: {"amount": collecting.owed(balance)},
            done=_("The deposit is recorded."),
        ),
        "write-off": Decision(
            name=_("Ask for a write-off"),
            explanation=_("The debt is given up as a bad debt, once a second person approves."),
            process=collecting.ask_to_write_off,
            form=WriteOffForm,
            offered=_owes,
            initial=lambda balance: {"amount": collecting.owed(balance)},
            is_grave=True,
            done=_("The write-off was asked for. It takes effect once a second person approves."),
        ),
    }

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller")

    def tell(self, request, row):
        movements = models.DebtMovement.objects.filter(seller=row.seller_id)
        on = timezone.localdate(timezone=tenancy.current().tz)
        return {
            "counted": charging_interest.coming(row.seller_id, on=on),
            "owed": collecting.owed(row),
            "movements": list(movements.select_related("by").order_by("-pk")[:SHOWN]),
        }

    @action(description=_("Debts by age"), url_path="debts", permissions=["view"])
    def debts(self, request):
        on = timezone.localdate(timezone=tenancy.current().tz)
        found = collecting.debts(on=on)
        sums = [0] * len(_CLASSES)
        for debt in found:
            sums[debt.age_class] += debt.amount
        return self.page(
            request,
            "settlements/admin_debts.html",
            title=gettext("Debts of sellers by age"),
            on=on,
            classes=list(zip(_CLASSES, sums, strict=True)),
            total=sum(sums),
            debts=[(debt, _CLASSES[debt.age_class]) for debt in found],
        )


@register(models.InterestTerms)
class InterestTermsAdmin(VersionedRuleAdmin):
    """Versions of the interest on overdue debts; without a published one none is charged."""

    place = 39
    form = admin_forms.InterestTermsForm
    list_display = [*VersionedRuleAdmin.list_display, "rate", "grace_days"]
    actions_list = ["draft_next"]

    @display(description=_("rate a year"))
    def rate(self, version):
        return percents.show(version.rate_ppm)

    @action(description=_("Draft interest on debts"), url_path="draft", permissions=["ask"])
    def draft_next(self, request):
        if request.method != "POST":
            title = gettext("Draft interest on debts")
            return self.page(request, "settlements/admin_draft_interest.html", title=title)
        newest = models.InterestTerms.objects.published().order_by("valid_from").last()
        new = {"valid_from": usual_start(), "by": request.user, "at": timezone.now()}
        if newest is not None:
            drafted = versions.revise(newest, **new)
        else:
            drafted = versions.draft(models.InterestTerms, **new)
        name = "admin:settlements_interestterms_change"
        return HttpResponseRedirect(reverse(name, args=[drafted.pk]))


@register(models.DebtMovement)
class DebtMovementAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["public_id", "seller", "kind", money_column("amount", _("amount")), "on"]
    list_select_related = ["seller"]
    ordering = ["-id"]
