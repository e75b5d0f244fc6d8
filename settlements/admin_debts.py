"""What sellers carry, and their debts by age, in the admin; deposits and write-offs."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import tenancy
from marketplace.admin import HIDDEN, ReadOnlyAdmin, action, money_column, register
from marketplace.amount_fields import AmountField
from marketplace.story_pages import SHOWN, Decision, ReasonForm, RemarkForm, StoryAdmin
from settlements import collecting, models

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
        return {
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


@register(models.DebtMovement)
class DebtMovementAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["public_id", "seller", "kind", money_column("amount", _("amount")), "on"]
    list_select_related = ["seller"]
    ordering = ["-id"]
