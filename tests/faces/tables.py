"""How each address of the walk is filled in, by the name of its route.

Values are of rows of the victim, or of alpha where rows belong to no seller.
"""

from listings.models import Listing
from marketplace import tenancy
from marketplace.models import JobRun, WebhookDelivery, WebhookEndpoint
from orders.models import Claim, Evidence, OrderLine, Shipment
from sellers.models import Invitation
from settlements.models import (
    Adjustment,
    Payout,
    RevenueReport,
    SettlementLine,
    Statement,
    TaxInvoice,
)
from tests.faces.world import World

# Neither a public id, a number nor a key of anything.
NOWHERE = "999999999"

# Not of a marketplace: logging in, one's own account, signs of life.
OPEN = {"welcome", "set_language", "live", "ready", "admin:login", "admin:logout", "admin:jsi18n"}
OPEN_PREFIXES = ("account_", "mfa_")

ADMIN_GLOBAL = {
    "marketplace.User",
    "marketplace.Membership",
    "account.EmailAddress",
    "mfa.Authenticator",
}
# Where a row's address is not its key.
ADMIN_KEYS = {"settlements.SettlementLine": lambda line: f"{line.basis_on}.{line.pk}"}
# What is decided on story pages, by model: one that hurts.
DECISIONS = {
    "sellers.Seller": "suspend",
    "settlements.Payout": "result",
    "settlements.Assignment": "discard",
    "settlements.PayoutBatch": "cancel",
    "settlements.BankWindow": "end",
    "settlements.PayoutConnection": "discard",
    "settlements.PayoutException": "resolve",
    "settlements.ResidentNumber": "erase",
    "settlements.TaxInvoice": "fail",
    "sellers.SellerMember": "remove",
    "listings.Listing": "take-down",
    "listings.Revision": "publish",
    "orders.Claim": "approve",
    "orders.Order": "claim",
    "settlements.Adjustment": "withdraw",
    "settlements.Hold": "release",
    "settlements.SellerBalance": "deposit",
    "settlements.AdPrepayment": "refund",
    "settlements.Account": "name",
    "settlements.DayClose": "sign",
    "settlements.Discrepancy": "book",
    "settlements.ClearingItem": "book",
    "settlements.LedgerDifference": "explain",
    "settlements.SellerLetter": "send",
    "settlements.MissingFile": "explain",
    "settlements.BankRow": "book",
    "settlements.Journal": "reverse",
    "settlements.ManualJournal": "discard",
    "settlements.Period": "reopen",
}


def _none(people: World) -> dict[str, object]:
    return {}


def _public_id(model):
    return lambda people: {"public_id": people.first(model).public_id}


def _line(people: World) -> dict[str, object]:
    """A settlement line of the victim, as its page is addressed."""
    statement = people.first(Statement, lines__gt=0)
    with tenancy.use(people.alpha.pk):
        line = SettlementLine.objects.filter(statement_id=statement.pk).first()
        of = OrderLine.objects.select_related("order").get(pk=line.order_line_id)
    return {
        "public_id": statement.public_id,
        "order": of.order.public_id,
        "number": of.number,
        "sequence": line.sequence,
    }


# Admin pages that are not of one model alone; those of a model are walked by its rows.
ADMIN_PAGES = {
    "admin:index": _none,
    "admin:app_list": lambda people: {"app_label": "settlements"},
    "admin:search": _none,
    "admin:autocomplete": _none,
    "admin:password_change": _none,
    "admin:password_change_done": _none,
    "admin:view_on_site": lambda people: {"content_type_id": 1, "object_id": 1},
    "admin:auth_user_password_change": lambda people: {"id": people.owner.pk},
    "admin:orders_claim_evidence": lambda people: {
        "object_id": people.first(Claim).pk,
        "public_id": people.first(Evidence).public_id,
    },
    "admin:orders_import_uploads": _none,
    "admin:orders_import_upload": lambda people: {"pk": people.first(JobRun).pk},
    "admin:orders_import_report": lambda people: {"pk": people.first(JobRun).pk},
    "choose_marketplace": _none,
    "admin:settlements_adprepayment_pay_in": lambda people: {"seller": people.victim.pk},
    "admin:settlements_adjustment_request": lambda people: {"seller": people.victim.pk},
    "admin:settlements_sellercontract_draft": lambda people: {"seller": people.victim.pk},
}

# What names no row.
GIVEN = {
    "marketplace": "alpha",
    "kind": "csv",
    "year": 2026,
    "link": NOWHERE,
    "day": "2026-03-24",
}

SELLER_PAGES = {
    "shop_home": _none,
    "shop_choose": _none,
    "shop_apply": None,  # open to whoever wants to become a seller
    "shop_invitation": None,  # its link is the key
    "shop_bank_account": _none,
    "shop_bank_account_change": _none,
    "shop_members": _none,
    "shop_member_role": lambda people: {"user": people.owner.pk},
    "shop_member_remove": lambda people: {"user": people.owner.pk},
    "shop_invitation_withdraw": _public_id(Invitation),
    "shop_profile": _none,
    "shop_webhooks": _none,
    "shop_webhook_deed": lambda people: {
        "public_id": people.first(WebhookEndpoint).public_id,
        "deed": "disable",
    },
    "shop_webhook_replay": lambda people: {
        "public_id": people.first(WebhookEndpoint).public_id,
        "message_id": people.first(WebhookDelivery).message_id,
    },
    "shop_orders": _none,
    "shop_order": lambda people: {"public_id": people.order().public_id},
    "shop_order_cancel": lambda people: {"public_id": people.order().public_id},
    "shop_order_ship": lambda people: {"public_id": people.order().public_id},
    "shop_orders_acknowledge": _none,
    "shop_orders_download": _none,
    "shop_orders_ship": _none,
    "shop_parcel": _public_id(Shipment),
    "shop_api_keys": _none,
    "shop_api_key_rotate": lambda people: {"code": people.key().code},
    "shop_api_key_revoke": lambda people: {"code": people.key().code},
    "shop_listings": _none,
    "shop_listing_new": _none,
    "shop_listing_categories": _none,
    "shop_listings_sale": _none,
    "shop_listing": _public_id(Listing),
    "shop_listing_edit": _public_id(Listing),
    "shop_listing_check": _public_id(Listing),
    "shop_listing_hand_in": _public_id(Listing),
    "shop_lines_file": _public_id(Statement),
    "shop_lines_files": _public_id(Statement),
    "shop_bundle_file": lambda people: {
        "public_id": people.first(Statement, closed_on__isnull=False).public_id
    },
    "shop_downloads": _none,
    "shop_forecast": _none,
    "shop_forecast_day": _none,
    "shop_heads_file": _none,
    "shop_verifier_file": _none,
    "shop_statements_file": _none,
    "shop_fee_preview": _none,
    "shop_fees": _none,
    "shop_adjustments": _none,
    "shop_adjustment": _public_id(Adjustment),
    "shop_revenue": _none,
    "shop_revenue_report": _public_id(RevenueReport),
    "shop_holds": _none,
    "shop_debts": _none,
    "shop_ad_prepayment": _none,
    "shop_letters": _none,
    "shop_simulator": _none,
    "shop_grade": _none,
    "shop_statements": _none,
    "shop_payouts": _none,
    "shop_payout": _public_id(Payout),
    "shop_tax_invoices": _none,
    "shop_vat_view": _none,
    "shop_resident_number": _none,
    "shop_resident_number_enter": _none,
    "shop_tax_invoice": _public_id(TaxInvoice),
    "shop_tax_invoice_file": lambda people: {
        "public_id": people.first(TaxInvoice).public_id,
        "kind": "xml",
    },
    "shop_statement": _public_id(Statement),
    "shop_line": _line,
    "shop_claims": _none,
    "shop_claim": _public_id(Claim),
    "shop_claim_evidence": lambda people: {
        "public_id": people.first(Claim).public_id,
        "file_id": people.first(Evidence).public_id,
    },
}

# Pages of the admin to look at in a browser, by model: its list, and that of a row.
ADMIN_LISTS = (
    "marketplace.Approval",
    "marketplace.AuditEntry",
    "marketplace.JobRun",
    "marketplace.Membership",
    "marketplace.ApiKey",
    "sellers.Seller",
    "listings.Listing",
    "listings.Revision",
    "orders.Order",
    "orders.Claim",
    "settlements.FeeScheduleVersion",
    "settlements.SellerContract",
    "settlements.Adjustment",
    "settlements.AdPrepayment",
    "settlements.MonthlyFee",
    "settlements.InterestTerms",
    "settlements.RevenueReport",
    "settlements.PayoutForecast",
    "settlements.SigningKey",
    "settlements.Statement",
    "settlements.Hold",
    "settlements.SellerLetter",
    "settlements.Assignment",
    "settlements.PayoutBatch",
    "settlements.Payout",
    "settlements.PayoutException",
    "settlements.BankWindow",
    "settlements.PayoutConnection",
    "settlements.TaxInvoice",
    "settlements.ResidentNumber",
    "settlements.Account",
    "settlements.LedgerEntry",
    "settlements.DayClose",
    "settlements.Discrepancy",
    "settlements.ClearingItem",
    "settlements.ClearingProof",
    "settlements.LedgerDifference",
    "settlements.MissingFile",
    "settlements.BankFile",
    "settlements.BankRow",
    "settlements.ManualJournal",
    "settlements.Period",
    "settlements.ProviderFile",
    "settlements.ProviderRow",
)
ADMIN_ROWS = (
    "marketplace.Approval",
    "marketplace.JobRun",
    "sellers.Seller",
    "listings.Revision",
    "orders.Order",
    "orders.Claim",
    "settlements.FeeScheduleVersion",
    "settlements.SellerContract",
    "settlements.Adjustment",
    "settlements.MonthlyFee",
    "settlements.InterestTerms",
    "settlements.RevenueReport",
    "settlements.PayoutForecast",
    "settlements.FastSettlement",
    "settlements.Statement",
    "settlements.Hold",
    "settlements.SellerLetter",
    "settlements.SellerBalance",
    "settlements.AdPrepayment",
    "settlements.SettlementLine",
    "settlements.PayoutBatch",
    "settlements.Payout",
    "settlements.PayoutException",
    "settlements.BankWindow",
    "settlements.PayoutConnection",
    "settlements.Assignment",
    "settlements.TaxInvoice",
    "settlements.ResidentNumber",
    "settlements.Account",
    "settlements.Journal",
    "settlements.DayClose",
    "settlements.Discrepancy",
    "settlements.ClearingItem",
    "settlements.LedgerDifference",
    "settlements.MissingFile",
    "settlements.BankRow",
    "settlements.ManualJournal",
    "settlements.Period",
)
# Pages beside the one of a row.
ADMIN_ROW_PAGES = (("settlements.FeeScheduleVersion", "rehearse"),)
ADMIN_OTHERS = (
    "/admin/settlements/discrepancy/reports/",
    "/admin/settlements/providerfile/take/",
    "/admin/settlements/bankfile/take/",
    "/admin/settlements/bankrow/balance/",
    "/admin/settlements/statement/nights/",
    "/admin/settlements/statement/tonight/",
    "/admin/settlements/statement/exports/",
    "/admin/settlements/hold/place/",
    "/admin/settlements/sellerbalance/debts/",
    "/admin/settlements/payoutbatch/waiting/",
    "/admin/settlements/bankwindow/weekly/",
    "/admin/settlements/bankwindow/once/",
    "/admin/settlements/taxinvoice/months/",
    "/admin/settlements/taxinvoice/reports/",
    "/admin/settlements/account/trial-balance/",
    "/admin/settlements/account/add/",
    "/admin/settlements/manualjournal/enter/",
    "/admin/settlements/period/close/",
    "/admin/settlements/feescheduleversion/import/",
    "/admin/settlements/payoutforecast/coming/",
    "/admin/settlements/revenuereport/import/",
    "/admin/settlements/deadlineguard/guard/",
)

# Answers that are no page to look at: files, parts of pages, data, forms that another page sends,
# and what this world has none of.
NOT_PAGES = {
    "admin:app_list",
    "admin:search",
    "admin:autocomplete",
    "admin:view_on_site",
    "admin:auth_user_password_change",
    "admin:settlements_sellercontract_draft",
    "admin:orders_import_upload",
    "admin:orders_import_report",
    "admin:orders_claim_evidence",
    "shop_claim_evidence",
    "shop_invitation",
    "shop_invitation_withdraw",
    "shop_member_role",
    "shop_member_remove",
    "shop_orders_acknowledge",
    "shop_orders_download",
    "shop_api_key_rotate",
    "shop_api_key_revoke",
    "shop_listing_categories",
    "shop_listing_check",
    "shop_listing_hand_in",
    "shop_listings_sale",
    "shop_webhook_deed",
    "shop_webhook_replay",
    "shop_bundle_file",
    "shop_heads_file",
    "shop_verifier_file",
    "shop_lines_file",
    "shop_statements_file",
    "shop_tax_invoice_file",
    "shop_fee_preview",
    "shop_bank_account_change",  # sends the owner to log in afresh first
    "shop_resident_number_enter",
    "shop_apply",  # somebody else's
}
