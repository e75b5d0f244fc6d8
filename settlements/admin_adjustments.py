"""Adjustments in the admin: asked for from a seller's page, told whole; and monthly fees."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import tenancy, versions
from marketplace.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    VersionedRuleAdmin,
    action,
    money_column,
    register,
    state_column,
    usual_start,
)
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from sellers.models import Seller
from settlements import adjusting, admin_forms, models, shop_prepayments, shop_statements

_REQUESTED = models.Adjustment.State.REQUESTED


@register(models.Adjustment)
class AdjustmentAdmin(StoryAdmin):
    place = 25
    comes_from = _("Adjustments are requested on the page of a seller.")
    story_template = "settlements/admin/adjustment.html"
    list_display = [
        "public_id",
        "seller",
        state_column(),
        "reason_code",
        money_column("amount", _("amount before VAT")),
        "basis_on",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("reason_code", ChoicesDropdownFilter),
        ("seller", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["public_id__exact"]
    decisions = {
        "ask": Decision(
            name=_("Ask again"),
            explanation=_("A second person is asked once more to approve it."),
            process=adjusting.ask,
            offered=lambda row: row.state == _REQUESTED,
            done=_("A second person was asked."),
        ),
        "withdraw": Decision(
            name=_("Withdraw"),
            explanation=_("The adjustment is given up. Nothing is settled."),
            process=adjusting.withdraw,
            offered=lambda row: row.state == _REQUESTED,
            done=_("The adjustment was withdrawn."),
        ),
        "take-back": Decision(
            name=_("Take the charge back"),
            explanation=_(
                "The whole charge of advertising is given back today, once a second person "
                "approves: to the prepayment what it has paid, the rest on the next statement."
            ),
            process=adjusting.take_back,
            offered=adjusting.is_charge,
            is_grave=True,
            done=_("It was asked for. It takes effect once a second person approves."),
        ),
    }

    def get_queryset(self, request):
        related = (
            "seller",
            "charge",
            "claim",
            "statement",
            "monthly_fee",
            "requested_by",
            "approved_by",
        )
        return super().get_queryset(request).select_related(*related)

    def tell(self, request, row):
        [shown] = shop_statements.adjusted([row])
        return {"line": shown.line, "paid": shop_prepayments.paid(row, shown.line)}

    def get_urls(self):
        view = self.admin_site.admin_view(self.request_view)
        name = "settlements_adjustment_request"
        return [path("request/<int:seller>/", view, name=name), *super().get_urls()]

    def request_view(self, request, seller):
        if not self.has_decide_permission(request):
            raise PermissionDenied
        seller = get_object_or_404(Seller, pk=seller)
        now = timezone.now()
        today = timezone.localdate(now, timezone=tenancy.current().tz)
        form = admin_forms.AdjustmentForm(request.POST or None, initial={"basis_on": today})
        if form.is_valid() and (row := self._requested(request, seller, form, now)):
            return HttpResponseRedirect(self.address(row))
        return self.page(
            request,
            "settlements/admin_request_adjustment.html",
            title=gettext("Request an adjustment"),
            seller=seller,
            form=form,
            needs_second_person=request.marketplace.needs_second_person,
        )

    def _requested(self, request, seller, form, now):
        names = ("tax_kind", "reason_code", "reason", "document", "basis_on")
        try:
            return adjusting.request(
                seller,
                amount=form.amount,
                by=request.user,
                at=now,
                **{name: form.cleaned_data[name] for name in names},
            )
        except Refused as refused:
            form.add_error(None, refused.text(gettext))
            return None


@register(models.MonthlyFee)
class MonthlyFeeAdmin(VersionedRuleAdmin):
    place = 38
    form = admin_forms.MonthlyFeeForm
    list_display = [
        *VersionedRuleAdmin.list_display,
        money_column("threshold", _("from sales of")),
        money_column("amount", _("fee without VAT")),
    ]
    actions_list = ["draft_next"]

    @action(description=_("Draft a monthly fee"), url_path="draft", permissions=["ask"])
    def draft_next(self, request):
        if request.method != "POST":
            return self.page(
                request,
                "settlements/admin_draft_monthly_fee.html",
                title=gettext("Draft a monthly fee"),
            )
        newest = models.MonthlyFee.objects.published().order_by("valid_from").last()
        new = {"valid_from": usual_start(), "by": request.user, "at": timezone.now()}
        if newest is not None:
            drafted = versions.revise(newest, **new)
        else:
            drafted = versions.draft(models.MonthlyFee, threshold=0, amount=0, **new)
        name = "admin:settlements_monthlyfee_change"
        return HttpResponseRedirect(reverse(name, args=[drafted.pk]))
