"""The edge of tax invoices: what was issued to a seller for the fees of a month."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer

from marketplace.api.fields import Document, Money
from marketplace.api.views import ReadMixin, Resource, span
from settlements import pdf, tax_files
from settlements.api.viewsets import PdfRenderer
from settlements.models import TaxInvoice

_XML = "application/xml"


class XmlRenderer(JSONRenderer):
    """Lets a caller accept XML alone; what is refused is told as JSON all the same."""

    media_type = _XML
    format = "xml"


class TaxItemDocument(Document):
    """What one fee component comes to."""

    component = serializers.CharField()
    supply = Money()
    vat = Money()


class TaxInvoiceDocument(Document):
    """A tax invoice for the fees of a month, or a correction of one.

    `reason_code` is the tax office's: 01 the particulars were wrong, 02 the amount has changed;
    empty where it corrects nothing. Amounts of corrections may be below zero.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    number = serializers.CharField(read_only=True)
    seller = serializers.CharField(source="seller.public_id", read_only=True)
    seller_code = serializers.CharField(source="seller.code", read_only=True)
    month = serializers.DateField(read_only=True, help_text="First day of the month.")
    kind = serializers.ChoiceField(TaxInvoice.Kind.choices, read_only=True)
    role = serializers.ChoiceField(TaxInvoice.Leg.choices, source="leg", read_only=True)
    state = serializers.SerializerMethodField()
    supply = Money(read_only=True)
    vat = Money(read_only=True)
    items = serializers.SerializerMethodField()
    written_on = serializers.DateField(read_only=True)
    reason_code = serializers.CharField(read_only=True)
    original = serializers.CharField(
        source="original.public_id", read_only=True, allow_null=True, default=None
    )
    original_approval_number = serializers.SerializerMethodField()
    approval_number = serializers.CharField(read_only=True, allow_null=True)
    issued_at = serializers.DateTimeField(read_only=True)
    accepted_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_state(self, invoice) -> str:
        """issued, transmitted, accepted or failed."""
        return invoice.state

    @extend_schema_field(TaxItemDocument(many=True))
    def get_items(self, invoice):
        rows = [
            {"component": component, "supply": supply, "vat": vat}
            for component, (supply, vat) in sorted(invoice.components.items())
        ]
        return TaxItemDocument(rows, many=True, context=self.context).data

    def get_original_approval_number(self, invoice) -> str:
        return tax_files.original_number(invoice)


class TaxInvoiceViewSet(ReadMixin, Resource):
    """Tax invoices that were issued, newest first."""

    resource = "settlements"
    seller_actions = None
    parameters = ("state", "seller", "month", *span("written_on"))
    serializer_class = TaxInvoiceDocument

    def get_queryset(self):
        found = TaxInvoice.objects.issued().select_related("seller", "original", "issuer")
        if self.holder:
            found = found.filter(seller=self.holder)
        if states := self.choice_parameter("state", TaxInvoice.State):
            found = found.filter(state__in=states)
        if seller := self.text_parameter("seller"):
            found = found.filter(seller__public_id=seller)
        if month := self.date_parameter("month"):
            found = found.filter(month=month)
        return self.within(found, "written_on")

    @extend_schema(responses={(200, pdf.TYPE): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, PdfRenderer])
    def pdf(self, request, public_id):
        """The invoice to be printed."""
        row = self.get_object()
        return _attached(tax_files.as_pdf(row), pdf.TYPE, tax_files.name(row, "pdf"))

    @extend_schema(responses={(200, _XML): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, XmlRenderer])
    def xml(self, request, public_id):
        """The invoice in the shape of the national e-invoice; unsigned."""
        row = self.get_object()
        return _attached(tax_files.xml(row), tax_files.XML, tax_files.name(row))


def _attached(content: bytes, kind: str, name: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=kind,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
