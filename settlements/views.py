"""Seller pages about money: statements and their lines, fees, downloads."""

from datetime import date

from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from listings import kind_words
from marketplace import identifiers, paging
from orders import pricing, verdicts
from sellers.access import seller_page
from settlements import (
    bundles,
    charging_interest,
    contract_words,
    downloads,
    estimates,
    export_jobs,
    fee_lists,
    interest,
    ledger,
    proof_files,
    seals,
    shop_debts,
    shop_holds,
    shop_payouts,
    shop_prepayments,
    shop_revenue,
    shop_statements,
    signing,
    statement_files,
    statement_parties,
    statement_sums,
    table_files,
)
from settlements.estimates import Estimate, Item
from settlements.forms import CalculatorForm
from settlements.line_story import Story
from settlements.models import Hold, InterestTerms, Statement


@seller_page
def statements(request, marketplace):
    rows = shop_statements.of_seller(request.seller)
    state = request.GET.get("state")
    if state in Statement.State.values:
        rows = rows.filter(state=state)
    context = {
        "page": paging.page(request.GET, rows, by_day="due_on"),
        "states": Statement.State.choices,
        "state": state,
    }
    return render(request, "settlements/statements.html", context)


@seller_page
def statement(request, marketplace, public_id):
    row = _statement(request, public_id)
    names = ledger.component_names()
    context = {
        "statement": row,
        "components": statement_sums.fee_parts(row, names),
        "split": row.split,
        "others": statement_sums.other_parts(row, names),
        "terms": shop_statements.payout_terms(row),
        "most_lines": downloads.MOST_LINES,
        "adjustments": shop_statements.adjustments(row),
        "seal": seals.of(row),
        "parties": statement_parties.of(row),
        "payout": shop_payouts.of_statement(row),
        "waiting": shop_payouts.why_waiting(row, at=timezone.now()),
        "page": shop_statements.page_of_lines(request.GET, row),
        "payment_holds": shop_holds.payment_holds(row),
        "hold_movements": shop_holds.of_statement(row),
    }
    return render(request, "settlements/statement.html", context)


@seller_page
def holds(request, marketplace):
    ended = shop_holds.of_seller(request.seller).filter(state=Hold.State.RELEASED)
    page = paging.page(request.GET, ended)
    context = {
        "in_force": shop_holds.in_force(request.seller),
        "page": page,
        "ended": [shop_holds.told(hold) for hold in page],
    }
    return render(request, "settlements/holds.html", context)


@seller_page
def debts(request, marketplace):
    on = timezone.localdate(timezone=request.marketplace.tz)
    counted = charging_interest.coming(request.seller.pk, on=on)
    context = {
        "owed": shop_debts.owed(request.seller),
        "counted": counted,
        "counted_amount": interest.amount(counted),
        "terms": InterestTerms.objects.all().on(on),
        "page": paging.page(request.GET, shop_debts.movements(request.seller)),
    }
    return render(request, "settlements/debts.html", context)


@seller_page
def ad_prepayment(request, marketplace):
    context = {
        "left": shop_prepayments.left(request.seller),
        "page": paging.page(request.GET, shop_prepayments.movements(request.seller)),
    }
    return render(request, "settlements/ad_prepayment.html", context)


@seller_page
def line(request, marketplace, public_id, order, number, sequence):
    row = _statement(request, public_id)
    is_id = identifiers.is_public_id(order, "ord")
    found = is_id and shop_statements.explained(row, order, number, sequence)
    if not found:
        raise Http404
    story = Story(request.marketplace, ledger.component_names())
    shown = found.shown
    context = {
        "statement": row,
        "line": shown.line,
        "sold": shown.sold,
        "grade": found.grade,
        "units_back": -shown.line.quantity,
        "claim": found.claim,
        "entries": story.entries(
            shown.line, shown.sold.unit_price, found.components, shown.sold.stream
        ),
        "components": [
            {
                "name": story.name(part.code),
                "rate": story.rate(part.charge, part.after.vat_rate_ppm),
                "base": story.base(part.after.base_kind),
                "part": part,
            }
            for part in found.components
        ],
    }
    return render(request, "settlements/line.html", context)


@seller_page
def adjustments(request, marketplace):
    page = paging.page(request.GET, shop_statements.adjustments_of(request.seller))
    context = {"page": page, "shown": shop_statements.adjusted(page.rows)}
    return render(request, "settlements/adjustments.html", context)


@seller_page
def adjustment(request, marketplace, public_id):
    is_id = identifiers.is_public_id(public_id, "adj")
    row = is_id and shop_statements.adjustments_of(request.seller).filter(public_id=public_id)
    if not row or not (found := row.select_related("statement", "charge").first()):
        raise Http404
    [shown] = shop_statements.adjusted([found])
    context = {
        "shown": shown,
        "adjustment": found,
        "paid": shop_prepayments.paid(found, shown.line),
        "report": shop_revenue.report_of(found),
    }
    return render(request, "settlements/adjustment.html", context)


@seller_page
def fees(request, marketplace):
    today = verdicts.business_date(timezone.now(), request.marketplace.tz)
    current, announced = fee_lists.of_seller(request.seller, on=today)
    story = Story(request.marketplace, ledger.component_names())
    channels = sorted({section.channel for section in current.sections if section.channel})
    form = CalculatorForm(
        request.GET if "unit_price" in request.GET else None,
        marketplace=request.marketplace,
        channels=channels,
        asks_for_tax=current.takes_sale_vat,
    )
    estimate = _estimate(request.seller, form, today) if form.is_valid() else None
    contract, coming = contract_words.of_seller(request.seller.pk, on=today)
    context = {
        "contract": contract,
        "coming": coming,
        "current": current,
        "sections": _told(story, current.sections, current.vat_rate_ppm),
        "announced": [
            (fee_list, _told(story, fee_lists.changed(before, fee_list), fee_list.vat_rate_ppm))
            for before, fee_list in zip([current, *announced], announced, strict=False)
        ],
        "form": form,
        "estimate": estimate,
        "parts": [
            (story.name(part.component), part, story.workings(part), story.vat_workings(part))
            for part in (estimate.components if estimate else ())
        ],
    }
    return render(request, "settlements/fees.html", context)


@seller_page
def downloads_page(request, marketplace):
    today = verdicts.business_date(timezone.now(), request.marketplace.tz)
    recent = list(shop_statements.of_seller(request.seller).order_by("-due_on")[:12])
    last = max(today.year, recent[0].due_on.year) if recent else today.year
    context = {
        "years": range(last, request.marketplace.first_open_on.year - 1, -1),
        "recent": recent,
        "most_lines": downloads.MOST_LINES,
        "keys": signing.keys(),
    }
    return render(request, "settlements/downloads.html", context)


@seller_page
def statements_file(request, marketplace, year, kind):
    if kind not in table_files.TYPES or not 1990 <= year <= 2200:
        raise Http404
    table = downloads.statements(
        request.seller, request.marketplace, first=date(year, 1, 1), end=date(year + 1, 1, 1)
    )
    return _file(table, kind, f"statements-{year}")


@seller_page
def lines_file(request, marketplace, public_id, kind):
    """The lines of a statement as a file; where it has to be prepared first, the page for that."""
    row = _statement(request, public_id)
    if kind not in table_files.FILES:
        raise Http404
    name = f"settlement-lines-{row.due_on:%Y-%m-%d}"
    if not downloads.is_long(row, kind):
        return _file(downloads.lines(row, request.marketplace), kind, name)
    job = _asked(row)[kind]
    if job is None or not export_jobs.is_there(job):
        return redirect("shop_lines_files", marketplace, public_id)
    response = FileResponse(
        export_jobs.path(job).open("rb"),
        as_attachment=True,
        filename=f"{name}.{kind}",
        content_type=table_files.FILES[kind],
    )
    response["Cache-Control"] = "no-store"
    return response


@seller_page
@require_http_methods(["GET", "POST"])
def statement_files_page(request, marketplace, public_id):
    """Have the files of a long statement prepared, see how far they are, fetch them."""
    row = _statement(request, public_id)
    if request.method == "POST":
        kind = request.POST.get("kind")
        if kind not in table_files.FILES or not downloads.is_long(row, kind):
            raise Http404
        export_jobs.ask_for_statement(row, kind, by=request.user, at=timezone.now())
        return redirect("shop_lines_files", marketplace, public_id)
    long = [kind for kind in table_files.FILES if downloads.is_long(row, kind)]
    files = [_file_told(kind, job) for kind, job in _asked(row).items() if kind in long]
    context = {
        "statement": row,
        "is_long": bool(long),
        "at_once": [kind for kind in table_files.FILES if kind not in long],
        "files": files,
        "waits": any(file["is_waiting"] for file in files),
        "kept_days": export_jobs.KEPT.days,
    }
    name = "_lines_files" if request.htmx else "lines_files"
    return render(request, f"settlements/{name}.html", context)


def _asked(statement: Statement) -> dict:
    return statement_files.asked(statement, at=timezone.now(), kept=export_jobs.KEPT)


def _file_told(kind: str, job) -> dict:
    """A kind of file with what became of it; without a job it was not asked for yet."""
    told = {"kind": kind, "name": kind.upper(), "job": job, "is_waiting": False}
    if job is None:
        return told
    is_waiting = job.state in (job.State.QUEUED, job.State.RUNNING)
    return told | {
        "is_there": export_jobs.is_there(job),
        "is_waiting": is_waiting,
        "has_failed": job.state == job.State.FAILED,
        "done": statement_files.progress(job) if is_waiting else job.total,
    }


@seller_page
def bundle_file(request, marketplace, public_id):
    row = _statement(request, public_id)
    return _attached(bundles.make(row), bundles.TYPE, bundles.name(row))


@seller_page
def heads_file(request, marketplace):
    return _attached(proof_files.heads(request.seller), proof_files.CSV, "statement-heads.csv")


@seller_page
def verifier_file(request, marketplace):
    return _attached(proof_files.verifier(), proof_files.SCRIPT, "verify_statement.py")


def _file(table, kind: str, name: str) -> HttpResponse:
    return _attached(table_files.as_file(table, kind), table_files.FILES[kind], f"{name}.{kind}")


def _attached(content: bytes, content_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _statement(request, public_id) -> Statement:
    is_id = identifiers.is_public_id(public_id, "stm")
    row = is_id and shop_statements.of_seller(request.seller).filter(public_id=public_id).first()
    if not row:
        raise Http404
    return row


def _told(story: Story, sections, vat_rate_ppm: int) -> list[dict]:
    return [
        {
            "name": story.name(section.component),
            "channel": section.channel and kind_words.name(section.channel),
            "kinds": [
                kind_words.name(code)
                for code in (section.stream, section.listing_kind)
                if code not in ("goods", "shipping")
            ],
            "is_alone": len(section.rows) == 1,
            "rows": [
                (row, story.rate(row.charge, vat_rate_ppm) if row.charge else None)
                for row in section.rows
            ],
        }
        for section in sections
    ]


def _estimate(seller, form, on) -> Estimate:
    given = form.cleaned_data
    item = Item(
        unit_price=given["unit_price"],
        quantity=given["quantity"],
        category_id=given["category"],
        channel=given.get("channel", ""),
        tax_kind=given.get("tax_kind") or pricing.TAXABLE,
        seller_discount=given["seller_discount"],
        platform_discount=given["other_discount"],
    )
    return estimates.of_item(seller, item, on=on)
