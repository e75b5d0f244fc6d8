"""What jobs, their counts and the heads of their reports are called; others go by their code."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

KINDS = {
    "night": _("Night"),
    "night.holds": _("Night: holds"),
    "night.confirm": _("Night: confirm purchases"),
    "night.performance": _("Night: figures of sellers"),
    "night.grades": _("Night: grades"),
    "night.monthly_fees": _("Night: monthly fees"),
    "night.settle": _("Night: settlement lines"),
    "night.statements": _("Night: close statements"),
    "night.payouts": _("Night: prepare payouts"),
    "night.reconcile": _("Night: reconciliation and day sheet"),
    "night.tax_invoices": _("Night: draw up tax invoices"),
    "night.check": _("Night: sentinels"),
    "night.notify": _("Night: announce"),
    "import": _("Import"),
    "import.upload": _("Import of uploaded files"),
    "fee_rehearsal": _("Rehearsal of fees"),
    "export.journal": _("Export: journal"),
    "export.orders": _("Export: orders"),
    "export.settlement_lines": _("Export: settlement lines"),
    "export.statement_file": _("Export: a seller's statement"),
    "export.statements": _("Export: statements"),
    "payout.results": _("Results of payouts"),
}
COUNTS = {
    "adjustments": _("adjustments"),
    "discrepancies_too_old": _("discrepancies open for too long"),
    "explained": _("explained by themselves"),
    "money_on_suspense": _("money on suspense"),
    "months_not_closed": _("months not closed in time"),
    "days_not_signed": _("days not signed in time"),
    "oldest_days": _("days that the oldest is open"),
    "open": _("open discrepancies"),
    "suspended": _("on suspense"),
    "days": _("days of performance"),
    "deadline_near": _("statements near the legal deadline"),
    "unpaid_past_deadline": _("statements unpaid past the legal deadline"),
    "differing": _("lines that differ from what was booked"),
    "failed": _("failed"),
    "holds_stuck": _("holds without a way out"),
    "holds_differ": _("statements that differ from their holds"),
    "ledger_differs_from_statements": _("ledger differs from statements by"),
    "lines": _("lines"),
    "official": _("grades made official"),
    "opened": _("statements opened"),
    "overdue_statements": _("overdue statements"),
    "payable_statements_without_payout": _("payable statements without a payout"),
    "payout": _("payout"),
    "placed": _("holds placed"),
    "amount": _("amount"),
    "payouts": _("payouts"),
    "payouts_without_result": _("payouts without a result"),
    "projected": _("grades projected"),
    "rejected": _("rejected"),
    "released": _("holds released"),
    "repaired": _("repaired"),
    "reversals": _("reversals"),
    "shards": _("parts"),
    "statements": _("statements"),
    "statements_differ_from_lines": _("statements that differ from their lines"),
    "statements_without_a_sound_seal": _("statements without a sound seal"),
    "tax_invoices": _("tax invoices drawn up"),
    "tax_invoices_late": _("tax invoices past their deadline"),
    "waiting_outcomes": _("outcomes left unsettled"),
    "rows": _("Rows read"),
    "orders_accepted": _("Orders accepted"),
    "orders_repeated": _("Orders that were there already"),
    "orders_refused": _("Orders refused"),
    "events_accepted": _("Events accepted"),
    "events_repeated": _("Events that were there already"),
    "events_refused": _("Events refused"),
    "cancels_accepted": _("Cancellations accepted"),
    "cancels_repeated": _("Cancellations that were there already"),
    "cancels_refused": _("Cancellations refused"),
    "cancels_unmatched": _("Cancellations without a sale"),
    "sellers": _("Sellers in the files"),
    "categories": _("Categories in the files"),
    "listings": _("Listings in the files"),
}
HEADS = {  # under which reported rows stand; an import's profile may name others
    "failed": _("Not done"),
    "rejected": _("Rejected"),
    "repaired": _("Repaired"),
    "tender_differs": _("Payment differs"),
    "tender_off_by_one": _("Payment off by one"),
    "no_items": _("Order without lines"),
    "time_missing": _("Time missing"),
    "cancel_unmatched": _("Cancellation without a sale"),
    "listed": _("Accepted with a remark"),
    "note": _("Note"),
    "paid": pgettext_lazy("payout", "Paid"),
    "repeated": _("Known before"),
    "unknown_id": _("Result for an unknown payout"),
    "amount_differs": _("Result with another amount"),
    "not_sent": _("Result for a payout that was not sent"),
    "paid_after_failed": _("Paid after it had failed"),
    "failed_after_paid": _("Failed after it had been paid"),
    "paid_twice": _("Perhaps paid twice"),
    "unreadable": _("Result that cannot be read"),
}


def kind(code: str):
    return KINDS.get(code, code)


def count(code: str):
    return COUNTS.get(code, code)


def head(code: str):
    return HEADS.get(code, code)
