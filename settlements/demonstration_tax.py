"""Tax invoices in the marketplaces of the demo: those of the months that are over, all accepted."""

from datetime import date, datetime

from marketplace import tenancy, versions
from marketplace.models import LegalIdentity, User
from settlements import invoicing, tax_invoices
from settlements.models import TaxInvoice

_IDENTITY = {
    "representative": "김운영",
    "business_number": "220-81-62517",
    "mail_order_report": "제2026-서울강남-00001호",
    "purchase_safety_service": "에스크로",
    "address": "서울특별시 강남구 테헤란로 1",
    "phone": "02-555-0100",
    "contact_email": "help@example.com",
    "business_type": "서비스업",
    "business_item": "통신판매중개",
}


def invoice(slug: str, *, operator: User, at: datetime) -> None:
    """Write who the operator is, and send what is due by now; once."""
    with tenancy.use(code=slug) as market:
        draft = LegalIdentity.objects.filter(state=LegalIdentity.State.DRAFT).first()
        if draft is None or market.last_closed_on is None:
            return
        for name, value in _IDENTITY.items():
            setattr(draft, name, value)
        draft.save()
        versions.publish(draft, by=operator, at=at)
        today = at.astimezone(market.tz).date()
        for month in _months(market.last_closed_on):
            rows = TaxInvoice.objects.filter(month=month)
            invoicing.issue_many(rows, by=operator, at=at)
            invoicing.transmit_many(rows, by=operator, at=at)
            for serial, row in enumerate(rows.filter(state=TaxInvoice.State.TRANSMITTED), 1):
                number = f"{today:%Y%m%d}41000096{int(month.strftime('%m')):02d}{serial:06d}"
                invoicing.accept(row, by=operator, at=at, approval_number=number)


def _months(last_on: date) -> list[date]:
    """The months with drafts that are over, the earliest first."""
    rows = TaxInvoice.objects.order_by("month").values_list("month", flat=True).distinct()
    return [month for month in rows if tax_invoices.end_of(month) <= last_on]
