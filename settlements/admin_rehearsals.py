"""Rehearsals of fees in the admin: asked for on a version's page, watched, read and taken away."""

from dataclasses import astuple, fields
from datetime import timedelta
from decimal import Decimal
from itertools import islice

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from marketplace import sheets, tenancy, versions
from marketplace.admin import HIDDEN, ReadOnlyAdmin, register, state_column
from marketplace.models import JobRun
from marketplace.refusals import Refused
from orders.models import OrderLine
from sellers.models import Seller
from settlements import admin_forms, ledger, models, rehearsals
from settlements.models import FeeRehearsal, FeeRehearsalRow

AGAIN_AFTER = 5  # seconds until the page of one that is under way is loaded again
SHOWN = 20  # winners, losers, categories
SHOWN_LINES = 200  # of a seller
SHOWN_BEFORE = 10  # earlier rehearsals
_PROPOSED = timedelta(days=89)  # about a quarter

STEPS = {
    "much_less": _("More than 5 % less"),
    "less": _("1 % to 5 % less"),
    "little_less": _("Up to 1 % less"),
    "same": _("The same"),
    "little_more": _("Up to 1 % more"),
    "more": _("1 % to 5 % more"),
    "much_more": _("More than 5 % more"),
}
_FILES = {"sellers": FeeRehearsalRow.Subject.SELLER, "categories": FeeRehearsalRow.Subject.CATEGORY}


def show(model_admin, request, version) -> HttpResponse:
    """The page of a version's rehearsals, one of them open; or a file, or a seller's lines."""
    rows = list(rehearsals.of_version(version)[:SHOWN_BEFORE])
    if request.method == "POST":
        return _ask(model_admin, request, version)
    key = request.GET.get("rehearsal", "")
    if key:
        rehearsal = rehearsals.of_version(version).filter(pk=_number(key)).first()
        if rehearsal is None:
            raise Http404
    else:
        rehearsal = rows[0] if rows else None
    if rehearsal is not None and rehearsal.job.state == JobRun.State.DONE:
        if kind := request.GET.get("file"):
            return _file(rehearsal, kind, request.GET.get("of", "sellers"))
        if public_id := request.GET.get("seller"):
            return _lines(model_admin, request, rehearsal, public_id)
    form = admin_forms.RehearsalForm(initial=_proposed())
    return _page(model_admin, request, version, rehearsal, rows, form)


def told(version) -> str | None:
    """Whether a draft was rehearsed as it is, in a sentence; None where there is nothing to say."""
    rehearsal = rehearsals.valid(version)
    if rehearsal is None:
        return gettext("It was not rehearsed as it is now: nobody knows yet what it changes.")
    said = {"first": rehearsal.first_on, "last": rehearsal.last_on, "lines": f"{rehearsal.lines:,}"}
    worse, better = rehearsal.worse_off, rehearsal.better_off
    return " ".join(
        [
            gettext("Rehearsed over %(lines)s lines from %(first)s to %(last)s:") % said,
            ngettext("%(count)s seller keeps less,", "%(count)s sellers keep less,", worse)
            % {"count": f"{worse:,}"},
            ngettext("%(count)s keeps more.", "%(count)s keep more.", better)
            % {"count": f"{better:,}"},
        ]
    )


def _ask(model_admin, request, version) -> HttpResponse:
    if not model_admin.has_ask_permission(request):
        raise PermissionDenied
    form = admin_forms.RehearsalForm(request.POST)
    if not form.is_valid():
        rows = list(rehearsals.of_version(version)[:SHOWN_BEFORE])
        answer = _page(model_admin, request, version, rows[0] if rows else None, rows, form)
        answer.status_code = 422
        return answer
    try:
        rehearsals.ask(version, **form.cleaned_data, by=request.user, at=timezone.now())
    except Refused as refused:
        messages.warning(request, refused.text(gettext))
    else:
        messages.success(request, gettext("A worker replays the lines. What comes of it appears."))
    return HttpResponseRedirect(request.path)


def _page(model_admin, request, version, rehearsal, rows, form) -> HttpResponse:
    context = {
        "version": version,
        "rehearsal": rehearsal,
        "earlier": [(row, state_column()(row.job)) for row in rows],
        "form": form,
        "may_ask": model_admin.has_ask_permission(request),
        "state": state_column()(rehearsal.job) if rehearsal else "",
        "error": gettext(rehearsal.job.error) if rehearsal and rehearsal.job.error else "",
    }
    is_done = rehearsal is not None and rehearsal.job.state == JobRun.State.DONE
    if is_done:
        context |= _results(rehearsal)
        context["is_stale"] = versions.fingerprint(version) != rehearsal.fingerprint
    answer = model_admin.page(
        request,
        "settlements/admin_rehearsal.html",
        title=gettext("Rehearse fees"),
        is_done=is_done,
        **context,
    )
    waiting = (JobRun.State.QUEUED, JobRun.State.RUNNING)
    if rehearsal is not None and rehearsal.job.state in waiting:
        answer["Refresh"] = str(AGAIN_AFTER)
    return answer


def _results(rehearsal: FeeRehearsal) -> dict:
    sellers = rehearsal.rows.of(FeeRehearsalRow.Subject.SELLER).select_related("seller")
    names = ledger.component_names()
    counts = rehearsals.distribution(rehearsal)
    most = max(counts.values(), default=0)
    return {
        "totals": rehearsals.totals(rehearsal),
        "steps": [
            {"name": STEPS[step], "count": count, "most": most} for step, count in counts.items()
        ],
        "losers": sellers.filter(gain__lt=0).order_by("gain", "pk")[:SHOWN],
        "winners": sellers.filter(gain__gt=0).order_by("-gain", "pk")[:SHOWN],
        "categories": rehearsal.rows.of(FeeRehearsalRow.Subject.CATEGORY)
        .select_related("category")
        .order_by("gain", "pk")[:SHOWN],
        "components": [
            (names.get(row.component, row.component), row)
            for row in rehearsal.rows.of(FeeRehearsalRow.Subject.COMPONENT).order_by("component")
        ],
    }


def _lines(model_admin, request, rehearsal: FeeRehearsal, public_id: str) -> HttpResponse:
    """The lines of one seller, those that the version changes."""
    seller = Seller.objects.filter(public_id=public_id).first()
    if seller is None:
        raise Http404
    changed = (line for line in rehearsals.lines_of(rehearsal, seller) if line.gain)
    lines = list(islice(changed, SHOWN_LINES + 1))
    sold = OrderLine.objects.select_related("order").in_bulk({line.order_line_id for line in lines})
    name = "admin:settlements_settlementline_change"
    return model_admin.page(
        request,
        "settlements/admin_rehearsed_lines.html",
        title=gettext("Lines of %(seller)s") % {"seller": seller},
        version=rehearsal.version,
        rehearsal=rehearsal,
        seller=seller,
        row=rehearsal.rows.filter(seller=seller).first(),
        lines=[
            {
                "line": line,
                "sold": sold[line.order_line_id],
                "url": reverse(name, args=[f"{line.basis_on}.{line.line_id}"]),
            }
            for line in lines[:SHOWN_LINES]
        ],
        is_more=len(lines) > SHOWN_LINES,
        most=SHOWN_LINES,
    )


def _file(rehearsal: FeeRehearsal, kind: str, subject: str) -> HttpResponse:
    if kind not in sheets.TYPES or subject not in _FILES:
        raise Http404
    content = sheets.write(kind, *_table(rehearsal, subject))
    response = HttpResponse(content, content_type=sheets.TYPES[kind])
    name = f"rehearsal-{rehearsal.version.number}-{subject}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _table(rehearsal: FeeRehearsal, subject: str) -> tuple[list, list]:
    """Header and rows; amounts in major units of the currency, as numbers."""
    exponent = tenancy.current().currency_exponent
    figures = [
        gettext("Lines"),
        gettext("Sales"),
        gettext("Fees as booked"),
        gettext("VAT as booked"),
        gettext("Net as booked"),
        gettext("Fees by this version"),
        gettext("VAT by this version"),
        gettext("Net by this version"),
        gettext("Gain"),
    ]
    names = [field.name for field in fields(rehearsals.Totals)]
    found = rehearsal.rows.of(_FILES[subject]).select_related("seller", "category").order_by("gain")

    def written(row):
        lines, *amounts = (getattr(row, name) for name in names)
        return [lines, *(_major(amount, exponent) for amount in amounts)]

    if subject == "sellers":
        header = [gettext("Seller's code"), gettext("Seller"), *figures]
        rows = [[row.seller.code, row.seller.name, *written(row)] for row in found]
    else:
        header = [gettext("Category code"), gettext("Category"), *figures]
        rows = [
            [
                row.category.code if row.category else "",
                row.category.name if row.category else gettext("No category"),
                *written(row),
            ]
            for row in found
        ]
    sums = astuple(rehearsals.totals(rehearsal))
    total = [sums[0], *(_major(amount, exponent) for amount in sums[1:])]
    return header, [*rows, [gettext("Total"), "", *total]]


def _major(amount: int, exponent: int) -> int | Decimal:
    return Decimal(amount).scaleb(-exponent) if exponent else amount


def _proposed() -> dict:
    """The last quarter that is closed."""
    market = tenancy.current()
    last = market.last_closed_on
    if last is None:
        return {}
    return {"first_on": max(last - _PROPOSED, market.first_open_on), "last_on": last}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


@register(models.FeeRehearsal)
class FeeRehearsalAdmin(ReadOnlyAdmin):
    """Rehearsals of all versions; each is read on the page of its version."""

    section = HIDDEN
    list_display = ["version", "first_on", "last_on", "lines", "differing", "worse_off"]
    list_select_related = ["version"]
    ordering = ["-id"]


@register(models.FeeRehearsalRow)
class FeeRehearsalRowAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["subject", "seller", "category", "component", "lines", "gain"]
    list_select_related = ["seller", "category"]
    ordering = ["-id"]
