from dataclasses import asdict

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from marketplace import paging
from marketplace.admin import (
    COLOURS,
    HIDDEN,
    RangeDateTimeFilter,
    ReadOnlyAdmin,
    SimpleListFilter,
    TextInput,
    VersionedRuleAdmin,
    chip,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.amount_fields import AmountField
from marketplace.story_pages import Decision, ReasonForm, RemarkForm, StoryAdmin
from orders import (
    carriers,
    claim_deadlines,
    claims,
    confirming,
    exchanging,
    folding,
    goodwill,
    import_pages,
    models,
    order_summaries,
    reductions,
    remainders,
    returning,
    sender_words,
    story,
    tender_words,
    verdicts,
)
from sellers.models import Seller

ClaimState = models.Claim.State
OPEN_STATES = [str(state) for state in models.Claim.OPEN_STATES]
_GOODWILL = _(
    "The buyer keeps the goods and gets some of the money back, once a second person approves; at "
    "once where the confirmation policy lets one person grant as little."
)
_ASKED = _(
    "Goodwill was asked for. It is granted once a second person approves, or already where one "
    "person may grant as little."
)
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


class GoodwillForm(ReasonForm):
    """How much a buyer is granted for goods that stay, and at whose cost."""

    amount = AmountField(
        label=_("amount"), widget=TextInput, help_text=_("With VAT, as the buyer gets it.")
    )
    funder = forms.ChoiceField(
        label=_("borne by"),
        choices=[
            (remainders.PLATFORM, _("the marketplace")),
            (remainders.SELLER, _("the seller")),
        ],
        help_text=_("The seller bears it on the next statement; the marketplace as its expense."),
    )


class OrdersGoodwillForm(GoodwillForm):
    line = forms.TypedChoiceField(label=_("line"), coerce=int)
    field_order = ["line"]

    def __init__(self, *args, order, **kwargs):
        super().__init__(*args, **kwargs)
        kept = order.lines.filter(units_left__gt=0, status=models.OrderLine.Status.CONFIRMED)
        self.fields["line"].choices = _named_lines(kept.exclude(stream__in=folding.NOT_GOODS))


def _named_lines(lines) -> list[tuple[int, str]]:
    return [
        (line.number, f"{line.number}. {line.title or line.sku} × {line.units_left}")
        for line in lines.order_by("number")[: story.MOST]
    ]


class NewClaimForm(forms.Form):
    """What a buyer wishes to undo, as an operator was told it."""

    line = forms.TypedChoiceField(label=_("line"), coerce=int)
    type = forms.ChoiceField(
        label=_("type"),
        choices=models.Claim.Type,
        help_text=_(
            "A cancellation before the goods have left, a return or an exchange afterwards."
        ),
    )
    quantity = forms.IntegerField(
        label=_("units"), min_value=1, max_value=verdicts.LARGEST_QUANTITY, initial=1
    )
    fault = forms.ChoiceField(
        label=_("at fault"),
        choices=models.Claim.Fault,
        help_text=_("As it looks now; whoever decides may find otherwise."),
    )
    reason = forms.CharField(
        label=_("reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("In the buyer's words. The seller reads it."),
    )

    def __init__(self, *args, order, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["line"].choices = _named_lines(order.lines.filter(units_left__gt=0))


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
            explanation=_GOODWILL,
            process=goodwill.ask,
            form=OrdersGoodwillForm,
            offered=lambda order: True,
            done=_ASKED,
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


class ReturnShippingForm(forms.Form):
    """What the ways of goods cost, and how it is paid."""

    return_cost = AmountField(
        label=_("cost of return shipping"),
        required=False,
        widget=TextInput,
        help_text=_("With VAT. 0: nothing is charged for the way back."),
    )
    outbound_cost = AmountField(
        label=_("cost of shipping to the buyer"),
        required=False,
        widget=TextInput,
        help_text=_(
            "Only where the buyer is at fault: if it had been free; in an exchange, what sending"
            " the replacement costs."
        ),
    )
    paid = forms.ChoiceField(
        label=_("how shipping is paid"),
        choices=[("", _("Nothing to pay")), *models.Claim.ShippingPaid.choices],
        required=False,
        help_text=_("A buyer at fault pays in one of the first three ways."),
    )
    is_advanced = forms.BooleanField(
        label=_("carrier paid by the marketplace"),
        required=False,
        help_text=_("For the way back. The seller gives it back, unless we are at fault."),
    )

    def clean(self):
        given = super().clean()
        return given | {name: given.get(name) or 0 for name in ("return_cost", "outbound_cost")}


class ApprovalForm(ReturnShippingForm, RemarkForm):
    """What whoever decides has found: who is at fault, how many units, and who pays shipping."""

    fault = forms.ChoiceField(
        label=_("at fault"),
        choices=models.Claim.Fault,
        help_text=_("Whoever is at fault bears the cost; it counts in the seller's grade."),
    )
    quantity = forms.IntegerField(
        label=_("units"),
        min_value=1,
        max_value=verdicts.LARGEST_QUANTITY,
        help_text=_("Fewer than were asked for, where only some are due."),
    )
    field_order = ["reason", "fault", "quantity"]


class ConversionForm(ReturnShippingForm, ReasonForm):
    """Why the buyer gets money instead of a replacement, and how the way back is paid then."""

    field_order = ["reason"]


class ParcelForm(forms.Form):
    """The parcel of a replacement."""

    carrier = forms.ChoiceField(label=_("carrier"))
    tracking_number = forms.CharField(
        label=_("tracking number"), required=False, max_length=60, widget=TextInput
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["carrier"].choices = [
            (carrier.code, gettext(carrier.name)) for carrier in carriers.CARRIERS
        ]


def _as_asked(claim):
    terms = asdict(claim.shipping_terms)
    return {"fault": claim.fault, "quantity": claim.quantity, **terms}


def _without_a_replacement(claim):
    return asdict(claim.shipping_terms) | {"outbound_cost": 0}


def _is_asked(claim):
    return claim.state == ClaimState.REQUESTED


class QueueFilter(SimpleListFilter):
    """Without any choice the list is the queue of open claims, the longest wait first."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request, model_admin):
        return [("open", _("Open")), ("all", _("All"))]

    def choices(self, changelist):
        return list(super().choices(changelist))[1:]  # without Django's own "all"

    def queryset(self, request, queryset):
        if _shows_queue(request):
            return queryset.filter(state__in=OPEN_STATES)
        return queryset


def _shows_queue(request) -> bool:
    chosen = request.GET.get("queue")
    if chosen is not None:
        return chosen == "open"
    return not request.GET.keys() - {"p", "o"}


def _shows_open_ones(request) -> bool:
    asked = request.GET.get("state__exact") or request.GET.get("state__in") or ""
    return _shows_queue(request) or asked in (*OPEN_STATES, ",".join(OPEN_STATES))


@register(models.Claim)
class ClaimAdmin(StoryAdmin):
    """Claims to decide on: who is at fault, how many units, and what it does to the money."""

    comes_from = _("Claims come in through the API.")
    place = 20
    story_template = "orders/admin/claim.html"
    list_display = [
        "type",
        state_column(),
        "waited",
        "deadline",
        "seller",
        "line_title",
        "quantity",
        "fault",
    ]
    list_filter = [QueueFilter, "state", "type"]
    list_select_related = ["line", "seller"]
    search_fields = ["public_id__exact"]
    decisions = {
        "approve": Decision(
            name=_("Approve"),
            explanation=_("Goods or money may go back. Units are taken back on completion."),
            process=claims.approve,
            form=ApprovalForm,
            initial=_as_asked,
            offered=_is_asked,
            done=_("The claim is approved."),
        ),
        "collect": Decision(
            name=_("The goods are back"),
            explanation=_("The seller may now send the replacement."),
            process=exchanging.collect,
            form=RemarkForm,
            offered=lambda claim: claim.may_become(ClaimState.COLLECTED),
            done=_("The goods are back. The replacement is to be sent."),
        ),
        "resend": Decision(
            name=_("Replacement sent"),
            explanation=_("The parcel that is on its way to the buyer; its number may be mended."),
            process=exchanging.resend,
            form=ParcelForm,
            initial=lambda claim: {
                "carrier": claim.resent_carrier,
                "tracking_number": claim.resent_number,
            },
            offered=lambda claim: claim.state in (ClaimState.COLLECTED, ClaimState.REDELIVERING),
            done=_("The parcel of the replacement is recorded."),
        ),
        "arrived": Decision(
            name=_("Complete"),
            explanation=_(
                "The buyer has the replacement. The sale stays as it is; what the buyer pays of "
                "the shipping is settled."
            ),
            process=claims.complete,
            form=RemarkForm,
            offered=lambda claim: claim.state == ClaimState.REDELIVERING,
            done=_("The claim is completed."),
        ),
        "convert": Decision(
            name=_("Make it a return"),
            explanation=_(
                "No replacement is sent: the buyer gets the money back. Who is at fault, and how "
                "far the goods are, stays as it is."
            ),
            process=exchanging.convert,
            form=ConversionForm,
            initial=_without_a_replacement,
            offered=lambda claim: claim.is_exchange and claim.state in exchanging.CONVERTIBLE,
            is_grave=True,
            done=_("The exchange is a return now."),
        ),
        "complete": Decision(
            name=_("Complete"),
            explanation=_(
                "Goods and money are where they belong: the units are taken back, and a sale "
                "that was settled is reversed by the next night."
            ),
            process=claims.complete,
            form=RemarkForm,
            offered=lambda claim: (
                claim.state == ClaimState.APPROVED and claim.may_become(ClaimState.COMPLETED)
            ),
            done=_("The claim is completed."),
        ),
        "reject": Decision(
            name=_("Reject"),
            explanation=_("The line stays as it is. The buyer is told the reason."),
            process=claims.reject,
            form=ReasonForm,
            offered=lambda claim: claim.may_become(ClaimState.REJECTED),
            is_grave=True,
            done=_("The claim is rejected."),
        ),
        "withdraw": Decision(
            name=_("Withdraw for the buyer"),
            explanation=_("The buyer has taken the claim back. The line stays as it is."),
            process=claims.withdraw,
            form=RemarkForm,
            offered=_is_asked,
            done=_("The claim is withdrawn."),
        ),
        "goodwill": Decision(
            name=_("Ask for goodwill"),
            explanation=_GOODWILL,
            process=goodwill.ask_for_claim,
            form=GoodwillForm,
            offered=lambda claim: claim.line.status == models.OrderLine.Status.CONFIRMED,
            done=_ASKED,
        ),
    }

    def get_ordering(self, request):
        return ["requested_at", "id"] if _shows_open_ones(request) else ["-id"]

    def add_to_rows(self, rows):
        claim_deadlines.add_to(rows, at=timezone.now())

    @display(description=_("waits for"))
    def waited(self, claim):
        if claim.waited_days is None:
            return "-"
        days = claim.waited_days
        return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}

    @display(description=_("due"))
    def deadline(self, claim):
        """Until when it is to be answered; of an exchange whose goods are back, to be sent anew."""
        due = claim.resend_by or claim.answer_by
        if due is None:
            return "-"
        return chip(due.isoformat(), "bad" if claim.is_overdue else "")

    @display(description=_("line"))
    def line_title(self, claim):
        return claim.line.title or claim.line.sku or "-"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("line__order", "seller")

    def tell(self, request, row):
        claim_deadlines.add_to([row], at=timezone.now())
        return {
            "claimable": claims.claimable(row.line),
            "shipping": row.shipping_effect,
            "goodwill": goodwill.of_line(row.line),
        }


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
