"""The marketplace's own bank account in the admin: lists of transactions and what explains each of
them, and the bank's balance against the ledger's."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseNotAllowed, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import (
    HIDDEN,
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    action,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.amount_fields import shown
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import (
    bank_balance,
    bank_files,
    bank_matching,
    bank_proposals,
    bank_rows,
    models,
)
from settlements.admin_ledger import TEMPLATES
from settlements.admin_ledger_forms import (
    BankBookingForm,
    BankFileForm,
    DayForm,
    MovementsForm,
    ProposalForm,
    ReasonOfFinanceForm,
    SellerForm,
    problems_told,
)

SHOWN = 100  # exact proposals on the page that confirms them
_COLOURS = {"open": "care", "suspended": "busy", "explained": "good"}
State = models.BankRow.State


def _is_open(row) -> bool:
    return row.state == State.OPEN


def _has_proposals(row) -> bool:
    return _is_open(row) and bool(bank_matching.proposals([row])[row.pk])


def _was_paid_in(row) -> bool:
    return _is_open(row) and row.amount > 0


def _is_booked(row) -> bool:
    return not _is_open(row) and bank_matching.by_hand(row) is not None


def _is_matched(row) -> bool:
    return not _is_open(row) and bank_matching.by_hand(row) is None


@register(models.BankFile)
class BankFileAdmin(ReadOnlyAdmin):
    comes_from = _("Lists of transactions of the bank account are taken in above this list.")
    place = 13
    list_display = ["name", "account", "first_on", "last_on", "rows", "known_rows", "imported_at"]
    ordering = ["-imported_at", "-id"]
    actions_list = ["take_in"]

    def has_take_permission(self, request):
        return self.has_view_permission(request) and request.user.has_perm(
            "settlements.add_bankfile"
        )

    @action(
        description=_("Take in a list of bank transactions"),
        url_path="take",
        permissions=["take"],
    )
    def take_in(self, request):
        form = BankFileForm(request.POST or None, request.FILES or None)
        problems: list = []
        if form.is_valid():
            try:
                file = bank_rows.import_file(
                    form.cleaned_data["file"].read(),
                    account=form.cleaned_data["account"],
                    name=form.cleaned_data["file"].name,
                    format=bank_files.load_format(form.cleaned_data["format"]),
                    by=request.user,
                    at=timezone.now(),
                )
            except bank_files.BankFileRefused as refused:
                problems = refused.problems
                form.add_error("file", gettext("Nothing was taken in: see the rows below."))
            except Refused as refused:
                refusals.show(form, refused)
            else:
                told = {"rows": file.rows, "known": file.known_rows}
                messages.success(
                    request,
                    gettext("Taken in: %(rows)s rows, %(known)s of them known already.") % told,
                )
                return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "settlements/admin_take_in.html",
            title=gettext("Take in a list of bank transactions"),
            form=form,
            problems=problems_told(problems),
        )


@register(models.BankRow)
class BankRowAdmin(StoryAdmin):
    """What the bank lists, newest first; open ones wait to be explained."""

    comes_from = _("Transactions come with the lists of the bank account.")
    place = 13
    story_template = "settlements/admin/bank_row.html"
    list_display = [
        "__str__",
        "on",
        "time",
        money_column("amount", _("amount")),
        money_column("balance", _("balance after it")),
        "counterparty",
        "memo",
        "age",
        state_column(colours=_COLOURS),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("on", RangeDateFilter),
    ]
    list_filter_submit = True
    ordering = ["-on", "-place"]
    search_fields = ["counterparty", "memo", "reference__exact"]
    actions_list = ["balance"]
    decisions = {
        "confirm": Decision(
            name=_("Confirm a proposal"),
            explanation=_(
                "The transaction is then explained by it. A deposit on a seller's debt is recorded "
                "at the same time; all else is in the ledger already."
            ),
            process=bank_matching.confirm,
            form=ProposalForm,
            offered=_has_proposals,
            done=_("Explained."),
        ),
        "match": Decision(
            name=_("Choose journals"),
            explanation=_(
                "Choose what the ledger moved on the bank account. Nothing new is posted. What the "
                "ledger does not have yet is recorded first: a result of a payout, a deposit on a "
                "debt, a provider's settlement file."
            ),
            process=bank_matching.match,
            form=MovementsForm,
            offered=_is_open,
            done=_("Explained."),
        ),
        "prepay": Decision(
            name=_("Record as an advertising prepayment"),
            explanation=_(
                "The seller has paid for advertising in advance. What is charged and not settled "
                "yet is drawn from it at once."
            ),
            process=bank_matching.prepay,
            form=SellerForm,
            offered=_was_paid_in,
            done=_("Recorded."),
        ),
        "book": Decision(
            name=_("Book by hand, or put on suspense"),
            explanation=_(
                "A journal between the bank and an account is asked for; a second person posts it. "
                "What nobody can explain goes to suspense until somebody can."
            ),
            process=bank_matching.book,
            form=BankBookingForm,
            offered=_is_open,
            is_grave=True,
            done=_("Asked for. A second person decides."),
        ),
        "take-back": Decision(
            name=_("Take back the journal by hand"),
            explanation=_(
                "Its counter-entry is asked for; a second person posts it. The transaction then "
                "waits again, and is explained by what it is."
            ),
            process=bank_matching.take_back,
            form=ReasonOfFinanceForm,
            offered=_is_booked,
            is_grave=True,
            done=_("Asked for. A second person decides."),
        ),
        "undo": Decision(
            name=_("Undo the explanation"),
            explanation=_(
                "The transaction waits again. Nothing in the ledger changes: a deposit on a debt "
                "stays recorded, and is proposed again."
            ),
            process=bank_matching.undo,
            form=ReasonOfFinanceForm,
            offered=_is_matched,
            done=_("The transaction waits again."),
        ),
    }

    @display(description=_("days open"))
    def age(self, row):
        until = row.explained_at or timezone.now()
        return max((timezone.localdate(until) - row.on).days, 0)

    def decision_form(self, decision, row, data, files=None):
        if decision.form is ProposalForm:
            found = bank_matching.proposals([row])[row.pk]
            return ProposalForm(data, choices=[(each.code, _proposed(each)) for each in found])
        if decision.form is MovementsForm:
            near = bank_matching.movements_near(row)
            return MovementsForm(data, choices=[(pk, _moved(*told)) for pk, *told in near])
        return super().decision_form(decision, row, data, files)

    def tell(self, request, row):
        journals = [match.journal for match in row.matches.select_related("journal")]
        return {
            "state": state_column(colours=_COLOURS)(row),
            "age": self.age(row),
            "proposals": [
                _proposed(each)
                for each in (bank_matching.proposals([row])[row.pk] if _is_open(row) else ())
            ],
            "awaited": bank_matching.awaited(row) if _is_open(row) else [],
            "journals": [
                {"journal": journal, "kind": _kind(journal.template)} for journal in journals
            ],
        }

    @action(description=_("Bank against ledger"), url_path="balance", permissions=["view"])
    def balance(self, request):
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if request.method == "POST":
            if not self.has_decide_permission(request):
                raise PermissionDenied
            count = bank_matching.confirm_exact(by=request.user, at=timezone.now())
            told = {"count": count}
            messages.success(request, gettext("Transactions explained: %(count)s.") % told)
            return HttpResponseRedirect(request.get_full_path())
        last = bank_balance.last_day()
        form = DayForm(request.GET if "on" in request.GET else None, initial={"on": last})
        on = form.cleaned_data["on"] if form.is_bound and form.is_valid() else last
        rows = bank_matching.to_look_at()
        found = bank_matching.proposals(rows)
        exact = [(row, each) for row in rows for each in found[row.pk] if each.is_exact]
        return self.page(
            request,
            "settlements/admin_bank_balance.html",
            title=gettext("Bank against ledger"),
            form=form,
            standing=bank_balance.at_end_of(on) if on else None,
            exact=[{"row": row, "proposal": _proposed(each)} for row, each in exact[:SHOWN]],
            exact_count=len(exact),
            may_decide=self.has_decide_permission(request),
        )


@register(models.BankMatch)
class BankMatchAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["row", "journal"]
    list_select_related = ["row", "journal"]
    ordering = ["-id"]


def _proposed(proposal) -> str:
    """A proposal in words: what it is, which, when and how much."""
    if proposal.kind == bank_proposals.DEBT:
        told = {"seller": proposal.reference, "amount": shown(proposal.amount)}
        return gettext("Deposit on the debt of seller %(seller)s, %(amount)s") % told
    if proposal.kind == bank_proposals.BATCH:
        told = {"batch": proposal.reference, "number": len(proposal.uses)}
        told |= {"on": proposal.on, "amount": shown(proposal.amount)}
        return gettext("Payout batch %(batch)s, %(number)s payouts, %(on)s, %(amount)s") % told
    template, _colon, reference = proposal.reference.partition(":")
    return _moved(template, reference, proposal.on, proposal.amount)


def _moved(template: str, reference: str, on, amount: int) -> str:
    return f"{_kind(template)} {reference} · {on} · {shown(amount)}"


def _kind(template: str) -> str:
    return str(TEMPLATES.get(template, template))
