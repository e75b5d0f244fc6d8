"""Day closes in the admin: the sheet with a way to the rows of each figure, signatures, paper."""

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
from settlements import chart, day_closing, day_figures, day_sheet, models
from settlements.admin_ledger import TEMPLATES
from settlements.admin_ledger_forms import ReasonOfFinanceForm, RemarkOfFinanceForm

BLOCKS = {
    day_sheet.PROVIDER: _("Payment providers: gross less fees is the deposit"),
    day_sheet.OUTCOMES: _("Orders: what was sold is on lines, waits, or is lost"),
    day_sheet.SETTLED: _("Statements closed: sales less fees is the net"),
    day_sheet.OWED: _("Owed to sellers: opening and what was added is the closing"),
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
    "charged": _("fees and VAT taken off"),
    "net": _("net of statements"),
    "opening": _("owed at the beginning"),
    "accrued": _("earned on statements"),
    "withheld": _("taxes withheld"),
    "closing": _("owed at the end"),
    "debits": _("debits"),
    "credits": _("credits"),
    "discrepancies": _("open discrepancies"),
    "discrepancy_amount": _("their amount"),
    "suspense": _("on suspense"),
}


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
        address = path("<path:object_id>/print/", view, name="settlements_dayclose_print")
        return [address, *super().get_urls()]

    def tell(self, request, row):
        return {**_told(row), "state": state_column()(row), "print_at": self._print_address(row)}

    def print_view(self, request, object_id):
        row = self._row(request, object_id)
        context = {"row": row, "market": tenancy.current(), "title": str(row), **_told(row)}
        return TemplateResponse(request, "settlements/day_sheet_print.html", context)

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
        "blocks": [_block(block, row.day) for block in sheet.blocks],
        "unresolved": [
            {"name": TERMS.get(code, code), "amount": amount, "is_count": code == "discrepancies"}
            for code, amount in sheet.unresolved
        ],
        "signed": signed,
        "changed": since.blocks != sheet.blocks,
        "discrepancies_at": _list("discrepancy", state__exact="open"),
    }


def _block(block: day_sheet.Block, day) -> dict:
    return {
        "name": BLOCKS[block.code],
        "terms": [_term(term, day) for term in block.terms],
        "result": _term(block.result, day),
        "difference": block.difference,
        "is_known": block.is_known,
    }


def _term(term: day_sheet.Term, day) -> dict:
    kind, _colon, template = term.code.partition(":")
    name = TERMS.get(term.code, term.code)
    if kind == "moved":
        name = gettext("other journals: %(kind)s") % {"kind": TEMPLATES.get(template, template)}
    return {"name": name, "sign": term.sign, "amount": term.amount, "address": _address(kind, day)}


def _address(kind: str, day) -> str:
    """The list of exactly the rows that a figure is the sum of."""
    if kind in ("gross", "provider_fee", "provider_vat", "deposit"):
        return _list("providerrow", paid_out_on=day)
    if kind == "on_lines":
        return _list("settlementline", basis_on=day)
    if kind in ("outcomes", "lost"):
        return _list("outcome", app="orders", basis_on=day)
    if kind == "waiting":
        return _list("outcometosettle", app="orders", basis_on=day)
    if kind in ("sold", "charged", "net", "accrued", "withheld"):
        return _list("statement", closed_on=day)
    if kind == "moved":
        return _list("journal", basis_on=day)
    if kind in ("opening", "closing"):
        account = models.Account.objects.filter(code=chart.SELLER_PAYABLE).first()
        if account is None:
            return ""
        card = reverse("admin:settlements_account_change", args=[account.pk])
        return f"{card}?{urlencode({'first': day, 'last': day})}"
    return _list("ledgerentry", basis_on=day)


def _list(model: str, *, app: str = "settlements", **filters) -> str:
    return f"{reverse(f'admin:{app}_{model}_changelist')}?{urlencode(filters)}"
