"""What the seller centre shows of tax invoices: one seller's own, once they are issued."""

from sellers.models import Seller
from settlements.models import TaxInvoice


def of_seller(seller: Seller):
    """The invoices issued to a seller; drafts are not for sellers."""
    rows = TaxInvoice.objects.issued().filter(seller=seller)
    return rows.select_related("seller", "original", "issuer")
