"""The next night in words, for the page that operators look at before they go home."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from settlements import payout_words, tonight
from settlements.models import Hold
from settlements.tonight import Part, Tonight

NAMES: dict[str, tuple[str | Promise, str | Promise]] = {
    tonight.TO_CONFIRM: (
        _("Lines that are confirmed by themselves"),
        _("at the price of the units that are left"),
    ),
    tonight.SALES: (_("Sales that wait for the night"), _("after the seller's discount")),
    tonight.REVERSALS: (_("Cancellations, returns and reductions that wait"), ""),
    tonight.REPORTS: (_("Final revenue reports"), _("as reported, before the share")),
    tonight.ADJUSTMENTS: (_("Approved adjustments"), _("before VAT")),
    tonight.STATEMENTS: (_("Statements that close"), _("what stands on them so far")),
    tonight.FORECAST: (
        _("Expected on them beside"),
        _("by the forecast of the last night, sellers and amount"),
    ),
    tonight.PAYABLE: (_("Closed statements from before that are still to be paid"), ""),
    tonight.DEBTS: (_("Sellers who owe from earlier statements"), _("it is taken off first")),
    tonight.REQUESTED: (
        _("Adjustments that nobody has approved"),
        _("they are left out unless a second person approves them today"),
    ),
    tonight.APPROVALS: (_("Decisions that wait for a second person"), _("of every kind")),
}


def tables(told: Tonight) -> list[dict]:
    """The tables of the page: title, head, rows, and what an empty one says."""
    return [
        {
            "title": gettext("What it will settle"),
            "head": gettext("What"),
            "rows": _rows(told.settles, told),
            "nothing": gettext("Nothing waits."),
        },
        {
            "title": gettext("Holds on sellers whose statements close"),
            "head": gettext("Reason"),
            "rows": [
                _row(part, Hold.Reason(part.code).label, address=_holds(part.code))
                for part in told.holds
            ],
            "nothing": gettext("No hold is in force on them."),
        },
        {
            "title": gettext("Statements that close and could not be paid"),
            "head": gettext("Why"),
            "rows": [_row(part, payout_words.REASONS[part.code].name) for part in told.unpaid],
            "nothing": gettext("All of them could be paid."),
        },
        {
            "title": gettext("What else keeps money from going out"),
            "head": gettext("What"),
            "rows": _rows(told.keeps, told),
            "nothing": gettext("Nothing."),
        },
    ]


def _rows(parts: Iterable[Part], told: Tonight) -> list[dict]:
    return [
        _row(part, *NAMES[part.code], address=_address(part.code, told))
        for part in parts
        if part.count
    ]


def _row(part: Part, name, meaning="", address: str = "") -> dict:
    return {
        "name": name,
        "meaning": meaning,
        "count": f"{part.count:,}" if part.is_counted else f"{tonight.MOST:,}+",
        "amount": part.amount,
        "address": address,
    }


def _address(code: str, told: Tonight) -> str:
    """The list that shows such rows, as far as one does."""
    until = told.on.isoformat()
    lists = {
        tonight.REPORTS: ("settlements_revenuereport", {"state__exact": "final"}),
        tonight.ADJUSTMENTS: ("settlements_adjustment", {"state__exact": "approved"}),
        tonight.REQUESTED: ("settlements_adjustment", {"state__exact": "requested"}),
        tonight.STATEMENTS: (
            "settlements_statement",
            {"state__exact": "open", "due_on__lte": until},
        ),
        tonight.PAYABLE: ("settlements_statement", {"state__exact": "payable"}),
        tonight.APPROVALS: ("marketplace_approval", {"state__exact": "asked"}),
    }
    return _list(*lists[code]) if code in lists else ""


def _holds(reason: str) -> str:
    return _list("settlements_hold", {"state__exact": "placed", "reason__exact": reason})


def _list(name: str, filters: dict[str, str]) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(filters)}"
