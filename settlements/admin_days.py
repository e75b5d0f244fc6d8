"""Day closes in the admin: the sheet with a way to the rows of each figure, signatures, paper."""

from datetime import timedelta
from urllib.parse import urlencode

from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals, tenancy
from marketplace.admin import (
    HIDDEN,
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    register,
    state_column,
)
from marketplace.story_pages import Decision, StoryAdmin
from orders.models import Outcome
from settlements import (
    chart,
    day_closing,
    day_figures,
    day_sheet,
    ledger,
    models,
    reconciling,
)
from settlements.admin_ledger import TEMPLATES
from settlements.admin_ledger_forms import ReasonOfFinanceForm, RemarkOfFinanceForm

BLOCKS = {
    day_sheet.PROVIDER: _("Payment providers: gross less fees is the deposit"),
    day_sheet.OUTCOMES: _("Orders: what was sold is on lines, waits, or is lost"),
    day_sheet.SETTLED: _("Statements closed: sales less fees is the net"),
    day_sheet.OWED: _("Owed to sellers: opening and what was added is the closing"),
    day_sheet.CLEARING: _("Clearing: opening, and what was settled less what came, is the closing"),
    day_sheet.STANDING: _("Clearing: what it consists of"),
    day_sheet.LEDGER: _("Ledger: debits are credits"),
}
TERMS = {
    "gross": _("gross"),
    "provider_fee": _("provider's fee"),
    "provider_vat": _("VAT on the provider's fee"),
    "deposit": _("deposit"),
    "outcomes": _("sold and taken back"),
    "on_lines": _("on settlement lines"),
    "waiting": _("waiting to be settled"),
    "lost": _("on no line and not waiting"),
    "sold": _("sales after sellers' discounts"),
    "charged": _("fees, VAT and other amounts taken off"),
    "net": _("net of statements"),
    "opening": _("owed at the beginning"),
    "accrued": _("earned on statements"),
    "withheld": _("taxes withheld"),
    "closing": _("owed at the end"),
    "clearing_opening": _("settled and not come at the beginning"),
    "taken": _("buyers' money of statements closed, less what was taken back"),
    "deposited": _("deposits of providers, gross"),
    "clearing_closing": _("settled and not come at the end"),
    "unknown": _("paid out for no order, less suspense"),
    "by_hand": _("journals by hand"),
    "elsewhen": _("posted after the night, less what it had counted of later days"),
    "debits": _("debits"),
    "credits": _("credits"),
    "suspense": _("on suspense"),
    "discrepancies": _("open discrepancies"),
    "discrepancy_amount": _("amount of open discrepancies"),
    "missing_files": _("days that no settlement file covers"),
    "missing_file_amount": _("amount of sales that no settlement file covers"),
    "payout_exceptions": _("payout exceptions"),
    "payout_exception_amount": _("amount of payout exceptions"),
    "payouts_unanswered": _("payouts without a result"),
    "payout_unanswered_amount": _("amount of payouts without a result"),
    "ledger_differences": _("ledger differences"),
    "ledger_difference_amount": _("amount of ledger differences"),
}
_COUNTED = {  # what is a number of rows and no money
    "discrepancies",
    "missing_files",
    "payout_exceptions",
    "payouts_unanswered",
    "ledger_differences",
}
MOST_LOST = 200  # outcomes of a day on one page


def _ask_to_reopen(day_close, *, by, at, reason):
    data = {"reason": reason}
    return approvals.ask(day_closing.REOPEN, day_close, by=by, at=at, reason=reason, data=data)


def _sign(day_close, *, by, at, reason):
    return day_closing.sign_first(day_close, by=by, at=at, remark=reason)


@register(models.DayClose)
class DayCloseAdmin(StoryAdmin):
    """Days; one opens as its sheet, live until it is signed and as signed afterwards."""

    comes_from = _("Every night opens the sheet of its day.")
    place = 12
    story_template = "settlements/admin/day_close.html"
    list_display = ["day", state_column(), "signed_first_by", "signed_first_at", "version"]
    list_filter = [("state", ChoicesDropdownFilter), ("day", RangeDateFilter)]
    list_filter_submit = True
    list_select_related = ["signed_first_by"]
    ordering = ["-day"]
    decisions = {
        "sign": Decision(
            name=_("Sign"),
            explanation=_(
                "You are the first of two. A second person signs the same sheet; if it changes "
                "meanwhile, it is signed anew. Once both have signed, nothing is posted on the day "
                "any more."
            ),
            process=_sign,
            form=RemarkOfFinanceForm,
            offered=lambda day_close: day_close.state != models.DayClose.State.SIGNED,
            done=_("Signed. A second person has to sign as well."),
        ),
        "reopen": Decision(
            name=_("Open again"),
            explanation=_(
                "A second person decides. Journals are then let into the day again; what was "
                "signed is kept, and signing it anew makes another version."
            ),
            process=_ask_to_reopen,
            form=ReasonOfFinanceForm,
            offered=lambda day_close: day_close.state == models.DayClose.State.SIGNED,
            is_grave=True,
            done=_("Asked for. A second person decides."),
        ),
    }

    def get_urls(self):
        view = self.admin_site.admin_view(self.print_view)
        lost = self.admin_site.admin_view(self.lost_view)
        return [
            path("<path:object_id>/print/", view, name="settlements_dayclose_print"),
            path("<path:object_id>/lost/", lost, name="settlements_dayclose_lost"),
            *super().get_urls(),
        ]

    def tell(self, request, row):
        return {**_told(row), "state": state_column()(row), "print_at": self._print_address(row)}

    def print_view(self, request, object_id):
        row = self._row(request, object_id)
        context = {"row": row, "market": tenancy.current(), "title": str(row), **_told(row)}
        return TemplateResponse(request, "settlements/day_sheet_print.html", context)

    def lost_view(self, request, object_id):
        """Outcomes of the day that are on no settlement line and do not wait for one."""
        row = self._row(request, object_id)
        worth = dict(day_figures.lost(row.day, MOST_LOST))
        outcomes = Outcome.objects.filter(pk__in=worth).select_related("line__order", "seller")
        return self.page(
            request,
            "settlements/admin_day_lost.html",
            title=gettext("On no line and not waiting: %(day)s") % {"day": row.day},
            row=row,
            outcomes=[{"of": each, "amount": worth[each.pk]} for each in outcomes.order_by("pk")],
            total=sum(worth.values()),
            most=MOST_LOST,
        )

    def _print_address(self, row) -> str:
        return reverse("admin:settlements_dayclose_print", args=[row.pk])


@register(models.SignedSheet)
class SignedSheetAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["day_close", "version", "signed_first_by", "signed_by", "signed_at", "hash"]
    list_select_related = ["day_close", "signed_first_by", "signed_by"]
    ordering = ["-id"]


def _told(row: models.DayClose) -> dict:
    """The sheet in words, and who has signed it."""
    sheet, signed = day_figures.shown(row)
    since = day_figures.live(row.day) if signed else sheet
    return {
        "blocks": [_block(block, row) for block in sheet.blocks],
        "unresolved": [
            {
                "name": TERMS.get(code, code),
                "amount": amount,
                "is_count": code in _COUNTED,
                "address": _worked(code, row.day),
            }
            for code, amount in sorted(sheet.unresolved, key=_place)
        ],
        "signed": signed,
        "changed": since.blocks != sheet.blocks,
    }


def _place(named: tuple[str, int]) -> int:
    """Unresolved things in the order of their names above; others last."""
    known = list(TERMS)
    return known.index(named[0]) if named[0] in TERMS else len(known)


def _block(block: day_sheet.Block, row: models.DayClose) -> dict:
    return {
        "name": BLOCKS[block.code],
        "terms": [_term(term, row) for term in block.terms],
        "result": _term(block.result, row),
        "difference": block.difference,
        "is_known": block.is_known,
    }


def _term(term: day_sheet.Term, row: models.DayClose) -> dict:
    kind, _colon, template = term.code.partition(":")
    name = TERMS.get(term.code, term.code)
    if term.code in models.ClearingItem.Kind.values:
        name = models.ClearingItem.Kind(term.code).label
    if kind in ("moved", "cleared"):
        name = gettext("other journals: %(kind)s") % {"kind": TEMPLATES.get(template, template)}
    address = _address(kind, template, row)
    return {"name": name, "sign": term.sign, "amount": term.amount, "address": address}


def _address(kind: str, template: str, row: models.DayClose) -> str:
    """The list of exactly the rows that a figure is the sum of."""
    day = row.day
    if kind in ("gross", "provider_fee", "provider_vat", "deposit"):
        return _list("providerrow", paid_out_on=day)
    if kind == "on_lines":
        return _list("settlementline", basis_on=day)
    if kind == "outcomes":
        return _list("outcome", app="orders", basis_on=day)
    if kind == "lost":
        return reverse("admin:settlements_dayclose_lost", args=[row.pk])
    if kind == "waiting":
        return _list("outcometosettle", app="orders", basis_on=day)
    if kind in ("sold", "charged", "net", "accrued", "withheld", "taken"):
        return _list("statement", closed_on=day)
    if kind == "moved":
        return _list("ledgerentry", basis_on=day, figure=f"{day_figures.OWED_BY_US}:{template}")
    if kind in ("cleared", "deposited"):
        template = template or reconciling.DEPOSIT
        return _list("ledgerentry", basis_on=day, figure=f"{day_figures.CLEARING}:{template}")
    if kind in models.ClearingItem.Kind.values:
        return _list("clearingitem", night=day, kind__exact=kind)
    if kind == "unknown":
        return _list("discrepancy", kind__exact=models.Discrepancy.Kind.MISSING_HERE.value)
    if kind == "by_hand":
        return _list("ledgerentry", figure=f"{day_figures.CLEARING}:{ledger.BY_HAND}")
    if kind in ("clearing_opening", "clearing_closing", "elsewhen"):
        return _card(chart.CLEARING, day, day)
    if kind in ("opening", "closing"):
        on = day - timedelta(days=1) if kind == "opening" else day
        page = reverse("admin:settlements_account_trial_balance")
        return f"{page}?{urlencode({'on': on, 'figure': day_figures.OWED_BY_US})}"
    return _list("ledgerentry", basis_on=day)


def _card(code: str, first, last) -> str:
    """The card of an account over some days."""
    account = models.Account.objects.filter(code=code).first()
    if account is None:
        return ""
    card = reverse("admin:settlements_account_change", args=[account.pk])
    return f"{card}?{urlencode({'first': first, 'last': last})}"


def _worked(code: str, day) -> str:
    """Where the rows of something unresolved are worked."""
    if code == "suspense":
        return _card(chart.SUSPENSE, day - timedelta(days=31), day)
    if code.startswith("payout_unanswered") or code == "payouts_unanswered":
        states = ",".join(models.Payout.UNANSWERED)
        return _list("payout", state__in=states, result_due_on__lte=day)
    for start, model in _WORKED.items():
        if code.startswith(start):
            return _list(model, state__exact="open")
    return ""


_WORKED = {
    "discrepanc": "discrepancy",
    "missing_file": "missingfile",
    "payout_exception": "payoutexception",
    "ledger_difference": "ledgerdifference",
}


def _list(model: str, *, app: str = "settlements", **filters) -> str:
    return f"{reverse(f'admin:{app}_{model}_changelist')}?{urlencode(filters)}"
