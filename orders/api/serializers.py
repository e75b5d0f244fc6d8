"""Orders, what happened to them, parcels and claims, as JSON."""

from rest_framework import serializers

from marketplace.api.fields import Document, Flag, Moment, Money, Text, Whole
from orders import (
    arbitrating,
    claim_decisions,
    goodwill,
    pricing,
    remainders,
    submissions,
    verdicts,
)
from orders.models import Arbitration, Claim, OrderEvent, OrderLine, Shipment

BATCH = 100  # orders in one request
EVENTS = 500  # events in one request
LINES = 200  # lines, payments or discounts of one order

Funder = [(funder, funder) for funder in remainders.FUNDERS]
TaxKind = [(kind, kind) for kind in (pricing.TAXABLE, pricing.EXEMPT)]
Result = [(r, r) for r in (verdicts.ACCEPTED, verdicts.REPEATED, verdicts.REFUSED)]


class ReferralDocument(Document):
    """The seller that brought a sale, and the stream that its commission is of."""

    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    stream = serializers.CharField(read_only=True)


class LineDocument(Document):
    """A line of an order. Who brought the sale is told to the marketplace's own keys alone."""

    number = serializers.IntegerField(read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    stream = serializers.CharField(read_only=True)
    listing = serializers.CharField(
        source="listing.public_id", default=None, allow_null=True, read_only=True
    )
    category_code = serializers.CharField(
        source="category.code", default=None, allow_null=True, read_only=True
    )
    listing_kind = serializers.CharField(read_only=True)
    channel = serializers.CharField(read_only=True)
    sku = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    delivery_group = serializers.CharField(read_only=True)
    tax_kind = serializers.ChoiceField(OrderLine.TaxKind.choices, read_only=True)
    status = serializers.ChoiceField(OrderLine.Status.choices, read_only=True)
    quantity = serializers.IntegerField(read_only=True)
    units_left = serializers.IntegerField(read_only=True)
    unit_price = Money(read_only=True)
    list_amount = Money(read_only=True)
    seller_discount = Money(read_only=True)
    platform_discount = Money(read_only=True)
    partner_discount = Money(read_only=True)
    paid_on = serializers.DateField(read_only=True, allow_null=True)
    shipped_on = serializers.DateField(read_only=True, allow_null=True)
    delivered_on = serializers.DateField(read_only=True, allow_null=True)
    confirm_due_on = serializers.DateField(read_only=True, allow_null=True)
    confirmed_on = serializers.DateField(read_only=True, allow_null=True)
    cancelled_on = serializers.DateField(read_only=True, allow_null=True)
    referral = serializers.SerializerMethodField()

    def get_referral(self, line) -> ReferralDocument(allow_null=True):
        [referral] = getattr(line, "shown_referrals", ()) or [None]
        return referral and ReferralDocument(referral, context=self.context).data


class PaymentDocument(Document):
    sequence = serializers.IntegerField(read_only=True)
    kind = serializers.CharField(read_only=True)
    amount = Money(read_only=True)
    tax_free_amount = Money(read_only=True)
    provider_id = serializers.CharField(read_only=True)
    approved_at = Moment(read_only=True, allow_null=True)
    cash_receipt = serializers.CharField(read_only=True)


class OrderDocument(Document):
    """An order. A seller's key sees its own lines alone, and neither buyer nor payments."""

    id = serializers.CharField(source="public_id", read_only=True)
    number = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)
    placed_at = Moment(read_only=True)
    buyer_reference = serializers.SerializerMethodField()
    lines = LineDocument(source="shown_lines", many=True, read_only=True)
    payments = serializers.SerializerMethodField()

    def get_buyer_reference(self, order) -> str:
        return "" if self._for_seller else order.buyer_reference

    def get_payments(self, order) -> PaymentDocument(many=True):
        rows = [] if self._for_seller else order.payments.all()
        return PaymentDocument(rows, many=True, context=self.context).data

    @property
    def _for_seller(self) -> bool:
        return bool(self.context["request"].auth.seller)


class NewReferralDocument(Document):
    """The seller that brought a sale, by code, and as what."""

    seller_code = Text(max_length=64)
    stream = serializers.ChoiceField([(name, name) for name in submissions.REFERRAL_STREAMS])


class NewLineDocument(Document):
    """Goods of one seller; or a shipping charge (stream “shipping”), or another stream."""

    number = Whole(min_value=1, max_value=verdicts.LARGEST_NUMBER)
    seller_code = Text(max_length=64)
    unit_price = Money()
    quantity = Whole(min_value=1, max_value=verdicts.LARGEST_QUANTITY)
    stream = Text(max_length=30, default="goods")
    sku = Text(max_length=100, allow_blank=True, default="")
    title = Text(max_length=300, allow_blank=True, default="")
    category_code = Text(max_length=300, allow_null=True, default=None)
    listing_code = Text(max_length=100, allow_null=True, default=None)
    listing_kind = Text(max_length=30, allow_blank=True, default="")
    delivery_group = Text(max_length=60, allow_blank=True, default="")
    tax_kind = serializers.ChoiceField(TaxKind, default=pricing.TAXABLE)
    seller_discount = Money(default=0)
    platform_discount = Money(default=0)
    partner_discount = Money(default=0)
    referral = NewReferralDocument(allow_null=True, default=None)


class NewPaymentDocument(Document):
    sequence = Whole(max_value=2**15 - 1)
    kind = Text(max_length=40)
    amount = Money()
    tax_free_amount = Money(default=0)
    provider_id = Text(max_length=100, allow_blank=True, default="")
    approved_at = Moment(allow_null=True, default=None)
    cash_receipt = Text(max_length=60, allow_blank=True, default="")


class CartDiscountDocument(Document):
    """A discount over several lines. Without a seller it lies over those of all sellers."""

    funder = serializers.ChoiceField(Funder)
    amount = Money()
    seller = Text(max_length=64, allow_null=True, default=None)


class NewOrderDocument(Document):
    number = Text(max_length=100)
    source = Text(max_length=40, default="api")
    placed_at = Moment()
    buyer_reference = Text(max_length=100, allow_blank=True, default="")
    channel = Text(max_length=30, allow_blank=True, default="")
    lines = NewLineDocument(many=True, min_length=1, max_length=LINES)
    payments = NewPaymentDocument(many=True, max_length=LINES, default=list)
    cart_discounts = CartDiscountDocument(many=True, max_length=LINES, default=list)


class ErrorDocument(Document):
    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class VerdictDocument(Document):
    """What became of one thing sent: accepted, repeated or refused; a code says what to look at."""

    index = serializers.IntegerField()
    order_number = serializers.CharField()
    id = serializers.CharField(allow_null=True)
    result = serializers.ChoiceField(Result)
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    errors = ErrorDocument(many=True)


class VerdictsDocument(Document):
    data = VerdictDocument(many=True)


class OrderBatchDocument(Document):
    orders = NewOrderDocument(many=True, min_length=1, max_length=BATCH)


class EventDocument(Document):
    source = serializers.CharField(read_only=True)
    source_id = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(OrderEvent.Kind.choices, read_only=True)
    order_number = serializers.CharField(read_only=True)
    line_number = serializers.IntegerField(read_only=True, allow_null=True)
    seller_code = serializers.CharField(read_only=True)
    quantity = serializers.IntegerField(read_only=True, allow_null=True)
    by_seller = serializers.BooleanField(read_only=True)
    occurred_at = Moment(read_only=True)
    received_at = Moment(read_only=True)


class NewEventDocument(Document):
    """Something that happened. Without a line it concerns all lines, with a seller all of his."""

    source = Text(max_length=40, default="api")
    source_id = Text(max_length=120)
    kind = serializers.ChoiceField(OrderEvent.Kind.choices)
    order_number = Text(max_length=100)
    occurred_at = Moment()
    line_number = Whole(
        min_value=1, max_value=verdicts.LARGEST_NUMBER, allow_null=True, default=None
    )
    seller_code = Text(max_length=64, allow_null=True, default=None)
    quantity = Whole(
        min_value=1, max_value=verdicts.LARGEST_QUANTITY, allow_null=True, default=None
    )
    by_seller = Flag(default=False)


class EventBatchDocument(Document):
    events = NewEventDocument(many=True, min_length=1, max_length=EVENTS)


class ParcelUnitsDocument(Document):
    line_number = Whole(min_value=1, max_value=verdicts.LARGEST_NUMBER)
    quantity = Whole(min_value=1, max_value=verdicts.LARGEST_QUANTITY)


class NewShipmentDocument(Document):
    """A parcel; without units, everything that still has to be shipped is in it."""

    carrier = Text(max_length=20)
    tracking_number = Text(max_length=40, allow_blank=True, default="")
    units = ParcelUnitsDocument(many=True, allow_null=True, max_length=LINES, default=None)


class ShipmentDocument(Document):
    id = serializers.CharField(source="public_id", read_only=True)
    order = serializers.CharField(source="order.public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    carrier = serializers.CharField(read_only=True)
    tracking_number = serializers.CharField(read_only=True)
    shipped_at = Moment(read_only=True)
    units = serializers.SerializerMethodField()

    def get_units(self, shipment: Shipment) -> ParcelUnitsDocument(many=True):
        return [
            {"line_number": packed.line.number, "quantity": packed.quantity}
            for packed in shipment.lines.all()
        ]


class ReturnShippingDocument(Document):
    """Who bears the shipping of what comes back, in amounts with VAT, and what of it is settled.

    `borne_by` follows from who is at fault. In an exchange `outbound_cost` is the way of the
    replacement. `line_number` is that of the order line by which the seller is given what the
    buyer paid, once the claim is completed.
    """

    borne_by = serializers.CharField(source="shipping_effect.bearer", read_only=True)
    return_cost = Money(read_only=True)
    outbound_cost = Money(read_only=True)
    paid = serializers.CharField(source="shipping_paid", read_only=True)
    is_advanced = serializers.BooleanField(source="is_shipping_advanced", read_only=True)
    to_seller = Money(source="shipping_effect.to_seller", read_only=True)
    from_seller = Money(source="shipping_effect.back_to_us", read_only=True)
    line_number = serializers.IntegerField(
        source="shipping_line.number", read_only=True, allow_null=True, default=None
    )


class NewReturnShippingDocument(Document):
    """What shipping costs in a claim, with VAT, and how it is paid; see docs/returns.md."""

    return_cost = Money(default=0)
    outbound_cost = Money(default=0)
    paid = serializers.ChoiceField(Claim.ShippingPaid.choices, allow_blank=True, default="")
    is_advanced = Flag(default=False)


class ReplacementDocument(Document):
    """The parcel with which an exchange was sent anew."""

    carrier = serializers.CharField(source="resent_carrier", read_only=True)
    tracking_number = serializers.CharField(source="resent_number", read_only=True)
    sent_at = Moment(source="resent_at", read_only=True)


class ClaimDocument(Document):
    """A claim. An exchange that was converted some time is a return from then on."""

    id = serializers.CharField(source="public_id", read_only=True)
    order = serializers.CharField(source="line.order.public_id", read_only=True)
    order_number = serializers.CharField(source="line.order.number", read_only=True)
    line_number = serializers.IntegerField(source="line.number", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    type = serializers.ChoiceField(Claim.Type.choices, read_only=True)
    fault = serializers.ChoiceField(Claim.Fault.choices, read_only=True)
    quantity = serializers.IntegerField(read_only=True)
    reason = serializers.CharField(read_only=True)
    answer = serializers.CharField(read_only=True)
    shipping = ReturnShippingDocument(source="*", read_only=True)
    state = serializers.ChoiceField(Claim.State.choices, read_only=True)
    requested_at = Moment(read_only=True)
    decided_at = Moment(read_only=True, allow_null=True)
    completed_on = serializers.DateField(read_only=True, allow_null=True)
    collected_at = Moment(read_only=True, allow_null=True)
    replacement = serializers.SerializerMethodField()
    converted_at = Moment(read_only=True, allow_null=True)

    def get_replacement(self, claim: Claim) -> ReplacementDocument(allow_null=True):
        return ReplacementDocument(claim, context=self.context).data if claim.resent_at else None


class NewReplacementDocument(Document):
    """The parcel of a replacement; some carriers need no number."""

    carrier = Text(max_length=20)
    tracking_number = Text(max_length=40, allow_blank=True, default="")


class NewClaimDocument(Document):
    """A claim. Without a fault it follows from the reason, where that is a code that is known."""

    order = Text(max_length=40)
    line_number = Whole(min_value=1, max_value=verdicts.LARGEST_NUMBER)
    type = serializers.ChoiceField(Claim.Type.choices)
    fault = serializers.ChoiceField(Claim.Fault.choices, required=False)
    quantity = Whole(min_value=1, max_value=verdicts.LARGEST_QUANTITY)
    shipping = NewReturnShippingDocument(allow_null=True, default=None)
    reason = Text(max_length=500, allow_blank=True, default="")
    source = Text(max_length=40, default="api")
    source_id = Text(max_length=120, allow_null=True, default=None)


class DecisionDocument(Document):
    """What is decided. A seller's key does not withdraw; its rejection says why.

    With an approval the marketplace may say who is at fault after all, and how shipping is paid.
    Of an exchange: `collect` when the goods are back, `resend` with the parcel of the replacement,
    `complete` when it has arrived, and `convert`, with a reason, to make it a return.
    """

    decision = serializers.ChoiceField([(name, name) for name in claim_decisions.DECISIONS])
    parcel = NewReplacementDocument(allow_null=True, default=None)
    fault = serializers.ChoiceField(Claim.Fault.choices, allow_null=True, default=None)
    shipping = NewReturnShippingDocument(allow_null=True, default=None)
    reason = Text(max_length=500, allow_blank=True, default="")


class EvidenceDocument(Document):
    """A file that was sent in; people fetch it from their pages."""

    id = serializers.CharField(source="public_id", read_only=True)
    name = serializers.CharField(read_only=True)
    kind = serializers.CharField(read_only=True)
    size = serializers.IntegerField(read_only=True)


class ArbitrationStatementDocument(Document):
    """What one side says in an arbitration."""

    side = serializers.ChoiceField(Arbitration.Side.choices, read_only=True)
    text = serializers.CharField(read_only=True)
    said_at = Moment(read_only=True)
    files = EvidenceDocument(source="files.all", many=True, read_only=True)


class ArbitrationDocument(Document):
    """The last arbitration of a claim. Its outcome is empty as long as it is not decided."""

    side = serializers.ChoiceField(Arbitration.Side.choices, read_only=True)
    reason = serializers.CharField(read_only=True)
    state_before = serializers.ChoiceField(Claim.State.choices, read_only=True)
    opened_at = Moment(read_only=True)
    outcome = serializers.ChoiceField(Arbitration.Outcome.choices, allow_blank=True, read_only=True)
    decision = serializers.CharField(read_only=True)
    decided_at = Moment(read_only=True, allow_null=True)
    statements = ArbitrationStatementDocument(source="statements.all", many=True, read_only=True)


class NewArbitrationDocument(Document):
    """Why a claim is taken to arbitration. A seller's key speaks for the seller alone."""

    side = serializers.ChoiceField(Arbitration.Side.choices, default=None, allow_null=True)
    reason = Text(max_length=500)


class NewArbitrationStatementDocument(Document):
    """What a side says. A seller's key speaks for the seller alone; files are for pages."""

    side = serializers.ChoiceField(Arbitration.Side.choices, default=None, allow_null=True)
    text = Text(max_length=arbitrating.LONGEST_STATEMENT)


class NewGoodwillDocument(Document):
    """Money for a buyer who keeps the goods, with VAT; see docs/returns.md."""

    line_number = Whole(min_value=1, max_value=verdicts.LARGEST_NUMBER)
    amount = Money()
    borne_by = serializers.ChoiceField([(name, name) for name in goodwill.FUNDERS])
    reason = Text(max_length=500)
    claim = Text(max_length=40, allow_null=True, default=None)


class GrantedDocument(Document):
    """What was granted on a line on a day, and who bears it; the amount is with VAT."""

    line_number = serializers.IntegerField(source="line", read_only=True)
    on = serializers.DateField(read_only=True)
    borne_by = serializers.CharField(source="funder", read_only=True)
    amount = Money(read_only=True)


class AskedGoodwillDocument(Document):
    """What waits for a second person."""

    line_number = serializers.IntegerField(source="data.line", read_only=True)
    borne_by = serializers.CharField(source="data.funder", read_only=True)
    amount = Money(source="data.amount", read_only=True)
    reason = serializers.CharField(read_only=True)
    asked_at = Moment(read_only=True)


class GoodwillDocument(Document):
    """Goodwill of an order. A seller's key sees what was granted on its own lines."""

    granted = GrantedDocument(many=True, read_only=True)
    asked = AskedGoodwillDocument(allow_null=True, read_only=True)
