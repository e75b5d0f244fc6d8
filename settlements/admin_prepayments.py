"""Advertising prepayments in the admin: what is left of each, its movements, deposits, refunds."""

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import HIDDEN, ReadOnlyAdmin, money_column, register
from marketplace.amount_fields import AmountField
from marketplace.refusals import Refused
from marketplace.story_pages import SHOWN, Decision, ReasonForm, StoryAdmin
from sellers.models import Seller
from settlements import models, prepaying
from settlements.admin_debts import DepositForm


class PrepaymentForm(DepositForm):
    """A deposit for advertising that the bank's statement shows."""

    evidence = forms.CharField(
        label=_("evidence"),
        max_length=200,
        help_text=_(
            "Bank, day and number of the entry in the bank's statement. Each is recorded once."
        ),
    )


class RefundForm(ReasonForm):
    amount = AmountField(label=_("amount"))
    field_order = ["amount", "reason"]


def _deposit(row: models.AdPrepayment, **said) -> models.AdPrepaymentMovement:
    return prepaying.record_deposit(row.seller, **said)


@register(models.AdPrepayment)
class AdPrepaymentAdmin(StoryAdmin):
    """What sellers have paid in advance for advertising, and what is left of it."""

    comes_from = _("Prepayments are recorded on the page of a seller.")
    place = 31
    story_template = "settlements/admin/ad_prepayment.html"
    list_display = ["seller", money_column("balance", _("what is left"))]
    list_select_related = ["seller"]
    ordering = ["-id"]
    decisions = {
        "deposit": Decision(
            name=_("Record a deposit"),
            explanation=_(
                "The seller has paid for advertising in advance, into the marketplace's bank "
                "account. What is charged and on no statement yet is drawn from it at once."
            ),
            process=_deposit,
            form=PrepaymentForm,
            offered=lambda row: True,
            done=_("The deposit is recorded."),
        ),
        "refund": Decision(
            name=_("Ask for a refund"),
            explanation=_(
                "It is given to the seller on the next statement, outside the scope of VAT, once a "
                "second person approves."
            ),
            process=prepaying.ask_to_refund,
            form=RefundForm,
            offered=lambda row: row.balance > 0,
            initial=lambda row: {"amount": row.balance},
            done=_("The refund was asked for. It takes effect once a second person approves."),
        ),
    }

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller")

    def tell(self, request, row):
        movements = models.AdPrepaymentMovement.objects.filter(seller=row.seller_id)
        related = movements.select_related("by", "adjustment__charge")
        return {"movements": list(related.order_by("-pk")[:SHOWN])}

    def get_urls(self):
        view = self.admin_site.admin_view(self.pay_in_view)
        name = "settlements_adprepayment_pay_in"
        return [path("pay-in/<int:seller>/", view, name=name), *super().get_urls()]

    def pay_in_view(self, request, seller):
        """A seller's first deposit, from the seller's page; later ones are recorded there too."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        seller = get_object_or_404(Seller, pk=seller)
        form = PrepaymentForm(request.POST or None)
        if form.is_valid() and (row := self._paid_in(request, seller, form)):
            return HttpResponseRedirect(self.address(row))
        return self.page(
            request,
            "settlements/admin_pay_in.html",
            title=gettext("Record an advertising prepayment"),
            seller=seller,
            form=form,
        )

    def _paid_in(self, request, seller, form):
        said = {"by": request.user, "at": timezone.now(), **form.cleaned_data}
        try:
            prepaying.record_deposit(seller, **said)
        except Refused as refused:
            refusals.show(form, refused)
            return None
        return models.AdPrepayment.objects.get(seller=seller)


@register(models.AdPrepaymentMovement)
class AdPrepaymentMovementAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["public_id", "seller", "kind", money_column("amount", _("amount")), "on"]
    list_select_related = ["seller"]
    ordering = ["-id"]
