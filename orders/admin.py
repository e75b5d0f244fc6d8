from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import paging
from marketplace.admin import (
    COLOURS,
    HIDDEN,
    AutocompleteSelectFilter,
    RangeDateTimeFilter,
    ReadOnlyAdmin,
    SimpleListFilter,
    VersionedRuleAdmin,
    chip,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.story_pages import Decision, StoryAdmin
from orders import (
    carriers,
    claim_deadlines,
    claims,
    confirming,
    goodwill,
    import_pages,
    models,
    order_summaries,
    reductions,
    returning,
    sender_words,
    story,
    tender_words,
)
from orders.admin_claims import GOODWILL, GOODWILL_ASKED
from orders.claim_forms import NewClaimForm, OrdersGoodwillForm
from sellers.models import Seller

CAUSES = {  # of outcomes: events, claims, and what we do ourselves
    **dict(models.OrderEvent.Kind.choices),
    **dict(models.Claim.Type.choices),
    confirming.CAUSE: _("Confirmed by itself"),
    reductions.CAUSE: _("Price reduced"),
    goodwill.CAUSE: _("Goodwill"),
    returning.CAUSE: _("Return shipping"),
    returning.GIVEN_BACK: _("Shipping given back"),
}


@register(models.ConfirmationPolicy)
class ConfirmationPolicyAdmin(VersionedRuleAdmin):
    pass


class LineStatusFilter(SimpleListFilter):
    """Orders with a line of a status, among the newest such lines."""

    title = _("status of a line")
    parameter_name = "line_status"

    def lookups(self, request, model_admin):
        return models.OrderLine.Status.choices

    def queryset(self, request, queryset):
        if self.value() not in models.OrderLine.Status.values:
            return queryset
        return _of_newest(queryset, models.OrderLine.objects.filter(status=self.value()), "-pk")


def _of_order(rows, term: str, column: str) -> tuple:
    """Rows of the order of this number, or with the term in a column: each found by its index.

    One condition over both tables would be found by reading all rows.
    """
    term = term.strip()
    if not term:
        return rows, False
    orders = list(models.Order.objects.filter(number=term).values_list("pk", flat=True))
    return rows.filter(Q(order_id__in=orders) | Q(**{column: term})), False


def _of_newest(orders, lines, newest: str):
    """The orders of the newest of some lines: as many as anybody leafs through."""
    return orders.filter(pk__in=lines.order_by(newest).values("order")[: paging.MOST_COUNTED])


@register(models.Order)
class OrderAdmin(StoryAdmin):
    """Orders with their whole story: lines, payments, events, parcels, claims and money."""

    comes_from = _("Orders come in through the API or from files, under Import profiles.")
    place = 10
    story_template = "orders/admin/order.html"
    decisions = {
        "claim": Decision(
            name=_("Open a claim"),
            explanation=_(
                "For a buyer who called or wrote. The seller is asked for an answer, as for any "
                "other claim."
            ),
            process=claims.request_for_buyer,
            form=NewClaimForm,
            offered=lambda order: True,
            done=_("The claim is made. It stands below, and in the queue of open claims."),
        ),
        "goodwill": Decision(
            name=_("Ask for goodwill"),
            explanation=GOODWILL,
            process=goodwill.ask,
            form=OrdersGoodwillForm,
            offered=lambda order: True,
            done=GOODWILL_ASKED,
        ),
    }
    list_display = [
        "number",
        "placed_at",
        "sold_by",
        "standing",
        money_column("charged", _("charged"), is_sortable=False),
        money_column("tender_difference", _("tenders less charges")),
    ]
    list_filter = [("placed_at", RangeDateTimeFilter), LineStatusFilter]
    ordering = ["-placed_at", "-id"]
    search_fields = ["number__exact", "public_id__exact"]
    search_help_text = _("Exact order number or public id, or a seller's exact code.")

    def decision_form(self, decision, row, data, files=None):
        return decision.form(data, order=row)  # both ask for a line of it

    def add_to_rows(self, rows):
        order_summaries.add_to(rows)

    @display(description=_("sellers"))
    def sold_by(self, order):
        return ", ".join(order.sellers) or "-"

    @display(description=_("status of its lines"))
    def standing(self, order):
        return format_html_join(
            " ", "{}", ((chip(status.label, COLOURS.get(status, "")),) for status in order.statuses)
        )

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        found, many = super().get_search_results(request, queryset, term)
        if not term or found.exists():
            return found, many
        sellers = list(Seller.objects.filter(code=term).values_list("pk", flat=True))
        lines = models.OrderLine.objects.filter(seller__in=sellers)
        return _of_newest(queryset, lines, "-order"), False

    def tell(self, request, row):
        told = story.of(row)
        claim_deadlines.add_to(told.claims, at=timezone.now())
        for shipment in told.shipments:
            shipment.carrier_name = gettext(carriers.find(shipment.carrier).name)
        for outcome in told.outcomes:
            outcome.cause_name = CAUSES.get(outcome.cause, outcome.cause)
        for payment in told.payments:
            payment.kind_name = tender_words.name(payment.kind)
        for event in told.events:
            event.source_name = sender_words.source(event.source)
        return {"story": told, "source": sender_words.source(row.source)}


@register(models.OrderLine)
class OrderLineAdmin(ReadOnlyAdmin):
    comes_from = _("Lines come in with their orders.")
    place = 30
    list_display = [
        "order",
        "number",
        "seller",
        "title",
        "quantity",
        "units_left",
        money_column("list_amount", _("list amount")),
        state_column("status", description=_("status")),
        "paid_on",
        "confirmed_on",
    ]
    list_filter = ["status"]
    list_select_related = ["order", "seller"]
    ordering = ["-id"]
    search_fields = ["order__number__exact", "sku__exact"]

    def get_search_results(self, request, queryset, search_term):
        return _of_order(queryset, search_term, "sku")


@register(models.Payment)
class PaymentAdmin(ReadOnlyAdmin):
    comes_from = _("Payments come in with their orders.")
    place = 45
    list_display = [
        "order",
        "sequence",
        "named_kind",
        money_column("amount", _("amount")),
        "approved_at",
    ]
    list_select_related = ["order"]
    ordering = ["-id"]
    search_fields = ["order__number__exact"]

    @display(description=_("kind"))
    def named_kind(self, payment):
        return tender_words.name(payment.kind)


@register(models.OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    comes_from = _("What happens to order lines is told through the API, by sellers, or by files.")
    list_display = ["order_number", "line_number", "kind", "quantity", "occurred_at", "received_at"]
    list_filter = ["kind"]
    ordering = ["-id"]
    search_fields = ["order_number__exact"]


@register(models.Shipment)
class ShipmentAdmin(ReadOnlyAdmin):
    comes_from = _("Sellers ship on the seller centre or through the API.")
    place = 40
    list_display = [
        "order",
        "seller",
        "named_carrier",
        "tracking_number",
        "shipped_at",
        "public_id",
    ]
    list_select_related = ["order", "seller"]
    ordering = ["-id"]
    search_fields = ["public_id__exact", "order__number__exact"]

    def get_search_results(self, request, queryset, search_term):
        return _of_order(queryset, search_term, "public_id")

    @display(description=_("carrier"))
    def named_carrier(self, shipment):
        return gettext(carriers.find(shipment.carrier).name)


@register(models.Outcome)
class OutcomeAdmin(ReadOnlyAdmin):
    comes_from = _(
        "A purchase that is confirmed, and each cancellation after that, becomes an outcome."
    )
    list_display = ["basis_on", "kind", "named_cause", "sold", "seller", "sequence", "quantity"]
    list_filter = ["kind"]
    list_select_related = ["line__order", "seller"]
    ordering = ["-id"]

    @display(description=_("cause"))
    def named_cause(self, outcome):
        return CAUSES.get(outcome.cause, outcome.cause)

    @display(description=_("line"))
    def sold(self, outcome):
        return f"{outcome.line.order.number} / {outcome.line.number}"


@register(models.OutcomeToSettle)
class OutcomeToSettleAdmin(ReadOnlyAdmin):
    comes_from = _("All outcomes are settled. New ones wait here for the next nightly close.")
    section = HIDDEN
    list_display = ["outcome", "seller", "basis_on"]
    list_select_related = ["outcome", "seller"]
    ordering = ["-id"]


@register(models.Referral)
class ReferralAdmin(ReadOnlyAdmin):
    comes_from = _("Orders tell with a line who brought its sale, as a host or an affiliate.")
    section = HIDDEN
    list_display = ["line_of", "seller", "named_stream"]
    list_filter = [("seller", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_select_related = ["line__order", "seller"]
    ordering = ["-line"]

    @display(description=_("line"))
    def line_of(self, referral):
        return f"{referral.line.order.number} / {referral.line.number}"

    @display(description=_("revenue stream"))
    def named_stream(self, referral):
        return referral.stream_name


@register(models.OutcomeToCredit)
class OutcomeToCreditAdmin(ReadOnlyAdmin):
    comes_from = _(
        "All commissions are settled. Sales that somebody brought wait here for the next nightly "
        "close."
    )
    section = HIDDEN
    list_display = ["outcome", "seller", "basis_on"]
    list_select_related = ["outcome", "seller"]
    ordering = ["-id"]


@register(models.PerformanceTouch)
class PerformanceTouchAdmin(ReadOnlyAdmin):
    comes_from = _(
        "All days are up to date. Days that change later wait here for the next nightly close."
    )
    section = HIDDEN
    list_display = ["seller", "on"]
    list_select_related = ["seller"]
    ordering = ["-id"]


register(models.ImportProfile)(import_pages.ImportProfileAdmin)
