"""Contracts of sellers in the admin: drafted from a seller's page, edited, compared, asked for."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.admin import (
    Problem,
    VersionedRuleAdmin,
    action,
    display,
    register,
    usual_start,
)
from marketplace.refusals import Refused
from sellers.models import Seller
from settlements import (
    admin_forms,
    contract_words,
    contracting,
    ledger,
    models,
    rate_cards,
    rule_words,
)


@register(models.SellerContract)
class SellerContractAdmin(VersionedRuleAdmin):
    """Versions of contracts. Fee rules of a draft are a list of their own, as of a schedule."""

    place = 15
    form = admin_forms.SellerContractForm
    list_display = ["seller", *VersionedRuleAdmin.list_display]
    list_select_related = ["seller"]
    search_fields = ["seller__name", "seller__code", "reference"]
    readonly_fields = ["seller", *VersionedRuleAdmin.readonly_fields]
    actions_detail = ["add_rule", "rules", "compare", "ask_for_one"]

    def get_urls(self):
        draft = self.admin_site.admin_view(self.draft_view)
        name = "settlements_sellercontract_draft"
        return [path("of/<int:seller>/draft/", draft, name=name), *super().get_urls()]

    def draft_view(self, request, seller):
        if not self.has_change_permission(request):
            raise PermissionDenied
        seller = get_object_or_404(Seller, pk=seller)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        contract = contracting.draft(
            seller, valid_from=usual_start(), by=request.user, at=timezone.now()
        )
        name = "admin:settlements_sellercontract_change"
        return HttpResponseRedirect(reverse(name, args=[contract.pk]))

    def get_readonly_fields(self, request, obj=None):
        names = super().get_readonly_fields(request, obj)
        return names if self.has_change_permission(request, obj) else [*names, "days_of_cycle"]

    def get_fields(self, request, obj=None):
        names = super().get_fields(request, obj)
        if self.has_change_permission(request, obj):
            return names
        return [name for name in names if name != "cycle_arg"]

    @display(description=_("days of the cycle"))
    def days_of_cycle(self, contract):
        return contract_words.due(rate_cards.read_due_terms(contract)) if contract.cycle else "-"

    def problems(self, contract) -> list[Problem]:
        try:
            schedule = contracting.schedule_of(contract)
        except Refused as refused:
            return [Problem(refused.text(gettext), forbids=True)]
        rules = models.FeeRule.objects.filter(contract=contract)
        ranks = dict(rules.values_list("pk", "rank"))
        names = ledger.component_names()
        return [
            Problem(rule_words.finding(found, ranks, names), found.forbids)
            for found in schedule.check()
        ]

    @action(description=_("Fee rules of this contract"), url_path="rules", permissions=["view"])
    def rules(self, request, object_id):
        contract = self.found(request, object_id)
        address = reverse("admin:settlements_feerule_changelist")
        return HttpResponseRedirect(f"{address}?contract__id__exact={contract.pk}")

    @action(description=_("Add a fee rule"), url_path="add-rule", permissions=["ask"])
    def add_rule(self, request, object_id):
        contract = self.found(request, object_id)
        return HttpResponseRedirect(
            f"{reverse('admin:settlements_feerule_add')}?contract={contract.pk}&rank=1"
        )

    @action(
        description=_("Compare with what holds before"), url_path="compare", permissions=["view"]
    )
    def compare(self, request, object_id):
        contract = self.found(request, object_id)
        before = contracting.before(contract)
        on = contract.valid_from
        after_told = contract_words.tell(contract, on=on)
        before_told = contract_words.tell(before, on=on) if before else None
        return self.page(
            request,
            "settlements/admin_contract.html",
            title=gettext("Compare contracts"),
            contract=contract,
            seller=contract.seller,
            before=before_told,
            rows=_side_by_side(before_told, after_told),
            sides=[(gettext("Fee rules before"), before_told), (gettext("After"), after_told)],
            problems=self.problems(contract),
        )


def _side_by_side(before, after) -> list[dict]:
    """The terms of two versions, row by row; without a version before, only those after."""
    known = {fact.label: fact.text for fact in before.facts} if before else {}
    return [
        {
            "label": fact.label,
            "before": known.get(fact.label, ""),
            "after": fact.text,
            "differs": before is not None and known.get(fact.label) != fact.text,
        }
        for fact in after.facts
    ]
