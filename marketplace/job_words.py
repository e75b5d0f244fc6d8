"""What jobs and their counts are called; what has no name here is shown by its code."""

from django.utils.translation import gettext_lazy as _

KINDS = {
    "night": _("Night"),
    "night.confirm": _("Night: confirm purchases"),
    "night.performance": _("Night: figures of sellers"),
    "night.grades": _("Night: grades"),
    "night.settle": _("Night: settlement lines"),
    "night.statements": _("Night: close statements"),
    "night.check": _("Night: sentinels"),
    "night.notify": _("Night: announce"),
    "import": _("Import"),
    "import.upload": _("Import of uploaded files"),
    "export.journal": _("Export: journal"),
    "export.orders": _("Export: orders"),
    "export.settlement_lines": _("Export: settlement lines"),
    "export.statements": _("Export: statements"),
}
COUNTS = {
    "days": _("days of performance"),
    "failed": _("failed"),
    "ledger_differs_from_statements": _("ledger differs from statements by"),
    "lines": _("lines"),
    "official": _("grades made official"),
    "overdue_statements": _("overdue statements"),
    "payout": _("payout"),
    "projected": _("grades projected"),
    "rejected": _("rejected"),
    "repaired": _("repaired"),
    "reversals": _("reversals"),
    "shards": _("parts"),
    "statements": _("statements"),
    "statements_differ_from_lines": _("statements that differ from their lines"),
    "waiting_outcomes": _("outcomes left unsettled"),
}


def kind(code: str):
    return KINDS.get(code, code)


def count(code: str):
    return COUNTS.get(code, code)
