"""Holds in the admin: the queue of what is kept back, and how holds are placed and ended."""

from django import forms
from django.contrib import messages
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace import tenancy
from marketplace.admin import (
    HIDDEN,
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    SimpleListFilter,
    Textarea,
    TextInput,
    action,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.amount_fields import AmountField
from marketplace.reasons import LONGEST
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from orders.models import OrderLine
from sellers.models import Seller
from settlements import (
    attaching,
    hold_book,
    hold_words,
    holding,
    models,
    nights,
    payout_forms,
    purchases,
    sentinels,
    supply_invoices,
)

Kind, Reason, State = models.Hold.Kind, models.Hold.Reason, models.Hold.State
BY_HAND = [choice for choice in Reason.choices if choice[0] != Reason.CLAIM]


class PlaceForm(forms.Form):
    """A hold to be placed: what it keeps, why, and what ends it."""

    kind = forms.ChoiceField(label=_("kind"), choices=Kind.choices)
    seller = forms.CharField(
        label=_("seller's code"), required=False, max_length=64, widget=TextInput
    )
    statement = forms.CharField(
        label=_("statement"),
        required=False,
        max_length=40,
        widget=TextInput,
        help_text=_("Its public id. Without one, a payment hold is of the whole seller."),
    )
    order = forms.CharField(
        label=_("order line"),
        required=False,
        max_length=200,
        widget=TextInput,
        help_text=_("Order number and line, such as 20260901-17/1; all that is left of it."),
    )
    amount = AmountField(
        label=_("amount"),
        required=False,
        widget=TextInput,
        help_text=_("Of the seller's coming statements, or at most of the order line."),
    )
    reason = forms.ChoiceField(label=_("reason"), choices=BY_HAND)
    note = forms.CharField(
        label=_("explanation"),
        max_length=LONGEST,
        widget=Textarea(attrs={"rows": 3}),
        help_text=_("The seller reads this, and it stays in the audit trail."),
    )
    release_on = forms.DateField(
        label=_("ends on"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    condition = forms.CharField(
        label=_("ends when"),
        required=False,
        max_length=300,
        widget=TextInput,
        help_text=_("What has to happen first. A hold has a day, a condition, or both."),
    )
    creditor = forms.CharField(
        label=_("creditor"),
        required=False,
        max_length=200,
        widget=TextInput,
        help_text=_("Of an attachment."),
    )
    evidence = forms.CharField(
        label=_("evidence"),
        required=False,
        max_length=200,
        widget=TextInput,
        help_text=_("Where the papers are: a file number, the court's case number."),
    )

    def clean_seller(self):
        code = self.cleaned_data["seller"].strip()
        seller = Seller.objects.filter(code=code).first() if code else None
        if code and seller is None:
            raise forms.ValidationError(_("There is no seller with this code."), code="unknown")
        return seller

    def clean_statement(self):
        public_id = self.cleaned_data["statement"].strip()
        rows = models.Statement.objects.select_related("seller").filter(public_id=public_id)
        statement = rows.first() if public_id else None
        if public_id and statement is None:
            raise forms.ValidationError(_("There is no such statement."), code="unknown")
        return statement

    def clean_order(self):
        text = self.cleaned_data["order"].strip()
        if not text:
            return None
        order, _slash, number = text.rpartition("/")
        rows = OrderLine.objects.filter(order__number=order).select_related("seller")
        line = rows.filter(number=number).first() if number.isdecimal() else None
        if line is None:
            raise forms.ValidationError(_("There is no such order line."), code="unknown")
        return line

    def asked(self) -> holding.Asked:
        given = self.cleaned_data
        return holding.Asked(
            kind=given["kind"],
            seller=given["seller"],
            statement=given["statement"],
            line=given["order"],
            amount=given["amount"],
            terms=holding.Terms(
                **{
                    name: given[name]
                    for name in (
                        "reason",
                        "note",
                        "release_on",
                        "condition",
                        "creditor",
                        "evidence",
                    )
                }
            ),
        )


class AttachmentForm(payout_forms.InnerReasonForm):
    """What of an attachment has left the marketplace."""

    kind = forms.ChoiceField(label=_("kind"), choices=models.AttachmentPayment.Kind.choices)
    payee = forms.CharField(
        label=_("payee"),
        max_length=200,
        widget=TextInput,
        help_text=_("The creditor who may collect, or the court. The seller reads this."),
    )
    amount = AmountField(label=_("amount"), widget=TextInput)
    evidence = forms.CharField(
        label=_("evidence"),
        max_length=200,
        widget=TextInput,
        help_text=_("The court's case number, or that of the deposit."),
    )
    field_order = ["kind", "payee", "amount", "evidence", "reason"]


class InvoiceForm(forms.Form):
    """A seller's invoice for what it supplied in the month that a hold names."""

    number = forms.CharField(
        label=_("invoice number"),
        max_length=40,
        widget=TextInput,
        help_text=_("Of a tax invoice its approval number."),
    )
    issued_on = forms.DateField(
        label=_("issued on"), widget=forms.DateInput(attrs={"type": "date"})
    )
    supply = AmountField(label=_("supply value"), widget=TextInput)
    vat = AmountField(label=_("VAT"), widget=TextInput)


def _invoices(hold) -> list[models.PayeeInvoice]:
    """What has arrived for the month that a hold waits for."""
    if hold.invoice_month is None:
        return []
    rows = models.PayeeInvoice.objects.filter(seller=hold.seller_id, month=hold.invoice_month)
    return list(rows.order_by("pk"))


def _missing(hold) -> dict:
    """What no invoice covers of the month that a hold waits for."""
    if hold.invoice_month is None:
        return {}
    [balance] = purchases.balances([(hold.seller_id, hold.invoice_month)]).values()
    return {"supply": balance.missing_supply, "vat": balance.missing_vat}


class DoubtFilter(SimpleListFilter):
    """Holds in force that nothing ends, or whose day has passed."""

    title = _("end")
    parameter_name = "end"

    def lookups(self, request, model_admin):
        return [("stuck", _("past their day, or without an end"))]

    def queryset(self, request, queryset):
        if self.value() != "stuck":
            return queryset
        stuck = sentinels.stuck_holds(nights.last_closed(tenancy.current()))
        return queryset.filter(pk__in=stuck.values("pk"))


@register(models.Hold)
class HoldAdmin(StoryAdmin):
    """Holds; one opens with what it keeps, why, until when, and what each statement did."""

    comes_from = _(
        "What open claims on confirmed lines are about is held by itself; other holds are placed"
        " here."
    )
    place = 15
    story_template = "settlements/admin/hold.html"
    list_display = [
        "public_id",
        "seller",
        "kind",
        "reason",
        state_column(colours={"placed": "care"}),
        money_column("taken", _("kept back now")),
        "placed_at",
        "ends",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        DoubtFilter,
        ("placed_at", RangeDateFilter),
        ("seller", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["public_id__exact"]
    actions_list = ["place_new"]
    decisions = {
        "release": Decision(
            name=_("Release"),
            explanation=_(
                "What is kept back enters the next statement that closes; a statement that was "
                "held may be paid."
            ),
            process=holding.release,
            offered=lambda hold: hold.state == State.PLACED and hold.kind != Kind.EXCLUSION,
            done=_("The hold has ended."),
        ),
        "keep": Decision(
            name=_("Keep it further"),
            explanation=_(
                "You have looked at it, and its condition is not met yet. It stays in force, and "
                "the nights ask again later."
            ),
            process=holding.keep,
            offered=lambda hold: hold.state == State.PLACED and bool(hold.condition),
            done=_("The hold stays in force."),
        ),
        "pay-attachment": Decision(
            name=_("Record a payment or deposit"),
            explanation=_(
                "What was held has been paid to the creditor, or deposited with the court. It "
                "counts once a second person agrees."
            ),
            process=attaching.ask_to_pay,
            form=AttachmentForm,
            offered=attaching.is_payable,
            initial=lambda hold: {"payee": hold.creditor, "amount": hold.taken},
            is_grave=True,
            needs_fresh_log_in=True,
            done=_("A second person was asked."),
        ),
        "invoice": Decision(
            name=_("Record the invoice"),
            explanation=_(
                "The seller has issued an invoice for what was supplied in the month. Once none "
                "of it is missing, the hold ends."
            ),
            process=supply_invoices.record,
            form=InvoiceForm,
            offered=lambda hold: hold.state == State.PLACED and hold.invoice_month is not None,
            initial=_missing,
            done=_("The invoice is recorded."),
        ),
        "reverse": Decision(
            name=_("Ask for the reversal"),
            explanation=_("The statement may be paid again, once a second person approves."),
            process=holding.ask_to_reverse,
            offered=lambda hold: hold.state == State.PLACED and hold.kind == Kind.EXCLUSION,
            done=_("The reversal was asked for. It takes effect once a second person approves."),
        ),
    }

    def get_queryset(self, request):
        loaded = ("seller", "statement", "claim", "order_line__order", "placed_by", "released_by")
        return super().get_queryset(request).select_related(*loaded)

    @display(description=_("end"))
    def ends(self, hold):
        return hold_words.way_out(hold)

    def tell(self, request, row):
        movements = row.movements.select_related("statement").order_by("pk")
        return {
            "about": hold_words.about(row),
            "way_out": hold_words.way_out(row),
            "remedy": hold_words.remedy(row),
            "disputed": hold_book.disputed([row]).get(row.pk),
            "movements": list(movements),
            "payments": list(row.payments.select_related("by").order_by("pk")),
            "invoices": _invoices(row),
            "missing": _missing(row),
        }

    @action(description=_("Place a hold"), url_path="place", permissions=["decide"])
    def place_new(self, request):
        named = {name: request.GET[name] for name in PlaceForm.base_fields if name in request.GET}
        form = PlaceForm(request.POST or None, initial=named)
        if form.is_valid() and (done := self._placed(request, form)):
            return HttpResponseRedirect(done)
        return self.page(
            request, "settlements/admin_place_hold.html", title=gettext("Place a hold"), form=form
        )

    def _placed(self, request, form) -> str:
        """Where to go on once a hold was placed or asked for; nothing where it was refused."""
        try:
            hold = holding.place(form.asked(), by=request.user, at=timezone.now())
        except Refused as refused:
            refusals.show(form, refused)
            return ""
        if hold is None:
            messages.success(
                request,
                gettext(
                    "The exclusion was asked for. It takes effect once a second person approves."
                ),
            )
            return self.list_address()
        messages.success(request, gettext("The hold is in force."))
        return self.address(hold)


@register(models.AttachmentPayment)
class AttachmentPaymentAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["hold", "kind", "payee", money_column("amount", _("amount")), "on"]
    list_select_related = ["hold"]
    ordering = ["-id"]


@register(models.HoldMovement)
class HoldMovementAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = [
        "hold",
        "statement",
        money_column("taken", _("kept back")),
        money_column("released", _("given back")),
    ]
    list_select_related = ["hold", "statement"]
    ordering = ["-id"]


@register(models.PayeeInvoice)
class PayeeInvoiceAdmin(ReadOnlyAdmin):
    """Invoices of sellers; they are recorded on the page of the hold that waits for them."""

    comes_from = _("Invoices are recorded on the page of the hold that waits for them.")
    place = 28
    list_display = [
        "number",
        "seller",
        "month",
        "issued_on",
        money_column("supply", _("supply value")),
        money_column("vat", _("VAT")),
    ]
    list_filter = [("seller", AutocompleteSelectFilter), ("month", RangeDateFilter)]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["number__exact"]
