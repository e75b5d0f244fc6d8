"""Statements, settlement lines, balances and estimates, as JSON."""

from rest_framework import serializers

from marketplace.api.fields import Document, Moment, Money, Text, Whole
from orders import pricing, verdicts
from orders.api.serializers import TaxKind
from settlements import adjustments, hold_words, statement_parties
from settlements.models import AttachmentPayment, Hold, SettlementLine, Statement

ITEMS = 50  # of one estimate

KINDS = [(kind.name.lower(), kind.label) for kind in SettlementLine.Kind]


class KindField(serializers.ChoiceField):
    """Stored as a number, told as a word."""

    def to_representation(self, value) -> str:
        return SettlementLine.Kind(value).name.lower()


class ComponentSumDocument(Document):
    """A component of the lines. `is_fee` says whether it is a fee of the marketplace."""

    component = serializers.CharField()
    is_fee = serializers.BooleanField()
    fee = Money()
    vat = Money()
    vat_on_top = Money()


class SealDocument(Document):
    """The statement's link in its seller's chain; what is signed is told in docs/proof.md."""

    number = serializers.IntegerField()
    head = serializers.CharField()
    key = serializers.CharField()
    signature = serializers.CharField()


class SigningKeyDocument(Document):
    """The public half of an Ed25519 key, in hexadecimal digits."""

    id = serializers.CharField(source="code", read_only=True)
    public_key = serializers.CharField(source="public_half", read_only=True)
    made_at = Moment(read_only=True)
    retired_at = Moment(read_only=True, allow_null=True)


class StatementDocument(Document):
    """A seller's statement.

    `fee` and `vat` sum up all that is settled as a component: fees, and amounts beside sales with
    their sign turned round. To read a statement take `marketplace_fee` and what follows it:
    `list_amount` − `seller_discount` − `marketplace_fee` − `marketplace_fee_vat_on_top` −
    `sale_vat` + `other_additions` − `other_deductions` = `net`.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    state = serializers.ChoiceField(Statement.State.choices, read_only=True)
    due_on = serializers.DateField(read_only=True)
    closed_on = serializers.DateField(read_only=True, allow_null=True)
    first_basis_on = serializers.DateField(read_only=True, allow_null=True)
    last_basis_on = serializers.DateField(read_only=True, allow_null=True)
    lines = serializers.IntegerField(read_only=True)
    list_amount = Money(read_only=True)
    seller_discount = Money(read_only=True)
    platform_discount = Money(read_only=True)
    partner_discount = Money(read_only=True)
    fee = Money(read_only=True)
    vat = Money(read_only=True)
    sale_vat = Money(
        read_only=True,
        help_text="VAT of sales that the marketplace issues. It is neither in `fee` nor in `vat`.",
    )
    marketplace_fee = Money(source="split.fee", read_only=True)
    marketplace_fee_vat = Money(source="split.vat", read_only=True)
    marketplace_fee_vat_on_top = Money(
        source="split.vat_on_top",
        read_only=True,
        help_text="What of the VAT on fees they do not contain.",
    )
    other_additions = Money(
        source="split.additions",
        read_only=True,
        help_text="What the seller gets beside sales, with its VAT: each reason that adds.",
    )
    other_deductions = Money(
        source="split.deductions",
        read_only=True,
        help_text="What is taken beside fees, with its VAT: each reason that deducts.",
    )
    net = Money(read_only=True)
    components = serializers.SerializerMethodField()
    carry_in = Money(read_only=True)
    released_holds = Money(read_only=True)
    new_holds = Money(read_only=True)
    hold_taken = Money(read_only=True)
    payable = Money(read_only=True)
    reserve = Money(read_only=True)
    reserve_due_on = serializers.DateField(read_only=True, allow_null=True)
    reserve_released = Money(read_only=True)
    withholding_income = Money(read_only=True)
    withholding_local = Money(read_only=True)
    payout = Money(read_only=True)
    debt_invoiced = Money(read_only=True)
    carry_out = Money(read_only=True)
    seal = SealDocument(read_only=True, allow_null=True)

    def get_components(self, statement) -> ComponentSumDocument(many=True):
        sums = [
            {
                "component": code,
                "is_fee": adjustments.is_fee(code),
                "fee": fee,
                "vat": vat,
                "vat_on_top": on_top,
            }
            for code, (fee, vat, on_top) in sorted(statement.components.items())
        ]
        return ComponentSumDocument(sums, many=True, context=self.context).data


class FactDocument(Document):
    """Something told of a party: `name` is always the same, the rest is in the asked language."""

    name = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)
    value = serializers.CharField(read_only=True)


class PartiesDocument(Document):
    """Who issues a statement, and to whom, as its PDF says; of the issuer maybe nothing."""

    issuer = FactDocument(many=True, read_only=True)
    seller = FactDocument(many=True, read_only=True)


class StatementWithPartiesDocument(StatementDocument):
    parties = serializers.SerializerMethodField()

    def get_parties(self, statement) -> PartiesDocument:
        return PartiesDocument(statement_parties.of(statement)).data


class SettlementLineDocument(Document):
    """What one outcome of an order line means for its seller; a reversal's figures are negative.

    An adjustment has no order: its id is that of the adjustment, its texts are empty, its line
    number is 0. Where it is no fee of the marketplace, `other` is what it adds (above zero) or
    deducts, with its VAT, and `marketplace_fee` is 0; `fee` and `vat` sum up every component.
    """

    id = serializers.CharField(source="name", read_only=True)
    statement = serializers.CharField(read_only=True)
    order = serializers.CharField(read_only=True)
    order_number = serializers.CharField(read_only=True)
    line_number = serializers.IntegerField(read_only=True)
    sequence = serializers.IntegerField(read_only=True)
    kind = KindField(KINDS, read_only=True)
    basis_on = serializers.DateField(read_only=True)
    rate_on = serializers.DateField(read_only=True)
    settled_on = serializers.DateField(source="run_on", read_only=True)
    quantity = serializers.IntegerField(read_only=True)
    list_amount = Money(read_only=True)
    seller_discount = Money(read_only=True)
    platform_discount = Money(read_only=True)
    partner_discount = Money(read_only=True)
    fee = Money(read_only=True)
    vat = Money(read_only=True)
    sale_vat = Money(
        read_only=True,
        help_text="VAT of a sale that the marketplace issues. It is neither in `fee` nor in `vat`.",
    )
    marketplace_fee = Money(source="split.fee", read_only=True)
    marketplace_fee_vat = Money(source="split.vat", read_only=True)
    other = Money(source="split.other", read_only=True)
    net = Money(read_only=True)


class ComponentDocument(Document):
    """One component of a line's fee, with sentences that let a reader compute it by hand."""

    component = serializers.CharField()
    schedule = serializers.CharField()
    schedule_version = serializers.IntegerField()
    contract_version = serializers.IntegerField(
        allow_null=True, help_text="Where the seller's contract says the charge."
    )
    rule = serializers.IntegerField()
    fee = Money()
    vat = Money()
    explanation = serializers.ListField(child=serializers.CharField())


class ExplainedLineDocument(SettlementLineDocument):
    components = ComponentDocument(many=True, read_only=True)


class AttachmentPaymentDocument(Document):
    """What of an attachment was paid to its creditor, or deposited with a court."""

    kind = serializers.ChoiceField(AttachmentPayment.Kind.choices, read_only=True)
    payee = serializers.CharField(read_only=True)
    amount = Money(read_only=True)
    on = serializers.DateField(read_only=True)


class HoldDocument(Document):
    """Money that is kept back. `taken` is what statements keep for it now.

    A line hold is of an order line, or of an amount; a payment hold and an exclusion are of a
    statement, or of all statements of the seller. `remedy` says what the seller can do. A claim
    holds `units` of its line, and what completing it would take back for these: `worth`, which
    is null before the line is settled and once the hold has ended.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    kind = serializers.ChoiceField(Hold.Kind.choices, read_only=True)
    reason = serializers.ChoiceField(Hold.Reason.choices, read_only=True)
    state = serializers.ChoiceField(Hold.State.choices, read_only=True)
    statement = serializers.CharField(
        source="statement.public_id", read_only=True, default=None, allow_null=True
    )
    order = serializers.CharField(
        source="order_line.order.public_id", read_only=True, default=None, allow_null=True
    )
    line_number = serializers.IntegerField(
        source="order_line.number", read_only=True, default=None, allow_null=True
    )
    claim = serializers.CharField(
        source="claim.public_id", read_only=True, default=None, allow_null=True
    )
    units = serializers.IntegerField(
        source="claim.quantity", read_only=True, default=None, allow_null=True
    )
    worth = Money(source="disputed.worth", read_only=True, default=None, allow_null=True)
    amount = Money(read_only=True, allow_null=True)
    taken = Money(read_only=True)
    note = serializers.CharField(read_only=True)
    creditor = serializers.CharField(read_only=True)
    payments = AttachmentPaymentDocument(many=True, read_only=True)
    remedy = serializers.SerializerMethodField()
    release_on = serializers.DateField(read_only=True, allow_null=True)
    condition = serializers.CharField(read_only=True)
    placed_at = serializers.DateTimeField(read_only=True)
    released_at = serializers.DateTimeField(read_only=True, allow_null=True)
    release_note = serializers.CharField(read_only=True)

    def get_remedy(self, hold) -> str:
        return hold_words.remedy(hold)


class BalanceDocument(Document):
    """What a seller carries from one statement to the next; below zero is a debt."""

    seller = serializers.CharField(source="public_id", read_only=True)
    seller_code = serializers.CharField(source="code", read_only=True)
    carry = Money(read_only=True)
    held = Money(read_only=True)
    reserve = Money(read_only=True)
    receivable = Money(read_only=True)


class PositionDocument(Document):
    """Where a seller's money stands. `expected` is an estimate, everything else is settled."""

    seller = serializers.CharField()
    on = serializers.DateField()
    expected = Money()
    confirmed = Money()
    held = Money()
    held_back = Money()
    paid = Money()
    reserve = Money()
    carry = Money()
    receivable = Money()
    next_due_on = serializers.DateField(allow_null=True)
    next_net = Money()


class ItemDocument(Document):
    unit_price = Money()
    quantity = Whole(min_value=1, max_value=verdicts.LARGEST_QUANTITY, default=1)
    category_code = Text(max_length=300, allow_null=True, default=None)
    stream = Text(max_length=30, default="goods")
    listing_kind = Text(max_length=30, default="goods")
    channel = Text(max_length=30, allow_blank=True, default="")
    tax_kind = serializers.ChoiceField(TaxKind, default=pricing.TAXABLE)
    seller_discount = Money(default=0)
    platform_discount = Money(default=0)
    partner_discount = Money(default=0)


class EstimateRequestDocument(Document):
    """Items that a seller might sell today. A seller's key does not name the seller."""

    seller_code = Text(max_length=64, allow_null=True, default=None)
    items = ItemDocument(many=True, min_length=1, max_length=ITEMS)


class EstimatedComponentDocument(Document):
    component = serializers.CharField()
    rate_ppm = serializers.IntegerField()
    base = Money()
    fee = Money()
    vat = Money()


class EstimateDocument(Document):
    """What one item would be charged, by the rules of the day."""

    on = serializers.DateField()
    schedule = serializers.CharField()
    schedule_version = serializers.IntegerField(source="version")
    contract_version = serializers.IntegerField(source="contract", allow_null=True)
    grade = serializers.CharField(allow_null=True)
    fee = Money()
    vat = Money()
    net = Money()
    components = EstimatedComponentDocument(many=True)


class EstimatesDocument(Document):
    data = EstimateDocument(many=True)


class UnpricedItemDocument(ItemDocument):
    unit_price = None


class PriceRequestDocument(Document):
    """What a seller wants to keep of an item. A seller's key does not name the seller."""

    seller_code = Text(max_length=64, allow_null=True, default=None)
    wanted = Money()
    grade = Text(max_length=40, allow_blank=True, default="", help_text="Supposed; else one's own.")
    item = UnpricedItemDocument()


class PriceDocument(EstimateDocument):
    """The smallest unit price that leaves at least what is wanted, and what it is charged."""

    unit_price = Money(source="item.unit_price")


class ComparisonRequestDocument(Document):
    """An item that a seller might sell today. A seller's key does not name the seller."""

    seller_code = Text(max_length=64, allow_null=True, default=None)
    grade = Text(max_length=40, allow_blank=True, default="", help_text="Supposed; else one's own.")
    item = ItemDocument()


class SupposedDocument(Document):
    """What the item would be charged with one thing different."""

    code = serializers.CharField(help_text="Of the grade, the channel (or empty), the category.")
    name = serializers.CharField()
    fee = Money()
    vat = Money()
    net = Money()


class ElsewhereDocument(Document):
    """What another marketplace was known to charge, without VAT, and what would be left."""

    marketplace = serializers.CharField(source="rate.marketplace")
    from_ppm = serializers.IntegerField(source="rate.from_ppm")
    to_ppm = serializers.IntegerField(source="rate.to_ppm")
    as_of = serializers.DateField(source="rate.as_of")
    source = serializers.CharField(source="rate.source")
    least = Money()
    most = Money()


class ComparisonDocument(Document):
    own = EstimateDocument()
    grades = SupposedDocument(many=True)
    channels = SupposedDocument(many=True)
    categories = SupposedDocument(many=True)
    elsewhere = ElsewhereDocument(many=True)
