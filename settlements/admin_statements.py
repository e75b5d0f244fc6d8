"""Statements and their lines in the admin: how a payout came about, down to the rule and inputs."""

import io
from datetime import date
from itertools import islice

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import paging
from marketplace.admin import (
    HIDDEN,
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    action,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.models import JobRun
from marketplace.refusals import Refused
from orders.models import OrderLine, Outcome
from settlements import (
    bundles,
    deadlines,
    downloads,
    explanations,
    export_jobs,
    exports,
    ledger,
    line_words,
    models,
    nights,
    seals,
    sentinel_words,
    sentinels,
    shop_holds,
    shop_payouts,
    shop_statements,
    statement_sums,
    table_files,
    tonight,
    tonight_words,
    verification,
)
from settlements.admin_forms import ExportForm

SHOWN_DIFFERENCES = 100
SHOWN_EXPORTS = 30
SHOWN_NIGHTS = 14


def line_url(line) -> str:
    """A line's own address names its day, so that only one month is searched for it."""
    name = "admin:settlements_settlementline_change"
    return reverse(name, args=[f"{line.basis_on}.{line.pk}"])


def journal_of(statement):
    return models.Journal.objects.filter(
        template="statement", reference=statement.public_id
    ).first()


@register(models.Statement)
class StatementAdmin(ReadOnlyAdmin):
    """Statements; one opens as a sum from sales to payout, with its lines below."""

    comes_from = _(
        "The nightly close opens a statement for each seller and due date when the first "
        "purchase is confirmed."
    )
    place = 10
    list_display = [
        "public_id",
        "seller",
        "due_on",
        state_column(),
        "line_count_figure",
        money_column("net", _("net of its lines")),
        money_column("payout", _("payout")),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("due_on", RangeDateFilter),
        ("seller", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-due_on", "-id"]
    search_fields = ["public_id__exact"]
    actions_list = ["tonight", "nights", "exports"]
    actions_detail = ["bundle", "pdf", "csv", "xlsx"]

    @display(description=_("lines"))
    def line_count_figure(self, statement):
        return format_html('<span class="figure">{}</span>', f"{statement.lines:,}")

    def change_view(self, request, object_id, form_url="", extra_context=None):
        statement = self.found(request, object_id)
        differences = _verified(request, statement) if request.method == "POST" else None
        page = paging.page(request.GET, models.SettlementLine.objects.of_statement(statement))
        sold = OrderLine.objects.select_related("order").in_bulk(
            {line.order_line_id for line in page}
        )
        return self.page(
            request,
            "settlements/admin_statement.html",
            title=gettext("Statement %(id)s") % {"id": statement.public_id},
            statement=statement,
            state=state_column()(statement),
            steps=statement_sums.steps(statement, ledger.component_names()),
            journal=journal_of(statement),
            payment_holds=shop_holds.payment_holds(statement),
            hold_movements=shop_holds.of_statement(statement),
            may_hold=request.user.has_perm("settlements.change_hold"),
            seal=seals.of(statement),
            payout=shop_payouts.of_statement(statement),
            page=page,
            rows=[
                {"line": line, "sold": sold.get(line.order_line_id), "url": line_url(line)}
                for line in page
            ],
            adjustments=shop_statements.adjustments(statement),
            differences=differences,
        )

    @action(description=_("Bundle for checking"), url_path="bundle", permissions=["view"])
    def bundle(self, request, object_id):
        """The statement as its seller gets it, to be checked by anybody."""
        statement = self.found(request, object_id)
        try:
            content = bundles.make(statement)
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
            return HttpResponseRedirect(
                reverse("admin:settlements_statement_change", args=[statement.pk])
            )
        return FileResponse(
            io.BytesIO(content),
            as_attachment=True,
            filename=bundles.name(statement),
            content_type=bundles.TYPE,
        )

    @action(description=_("As PDF"), url_path="pdf", permissions=["view"])
    def pdf(self, request, object_id):
        """The statement as its seller gets it, to be printed."""
        return self._statement_file(request, object_id, table_files.PDF)

    @action(description=_("As CSV"), url_path="csv", permissions=["view"])
    def csv(self, request, object_id):
        """The lines as the seller gets them."""
        return self._statement_file(request, object_id, table_files.CSV)

    @action(description=_("As XLSX"), url_path="xlsx", permissions=["view"])
    def xlsx(self, request, object_id):
        """The lines as the seller gets them, for Excel."""
        return self._statement_file(request, object_id, table_files.XLSX)

    def _statement_file(self, request, object_id, kind):
        statement = self.found(request, object_id)
        try:
            content = downloads.at_once(statement, request.marketplace, kind)
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
            return HttpResponseRedirect(
                reverse("admin:settlements_statement_change", args=[statement.pk])
            )
        return FileResponse(
            io.BytesIO(content),
            as_attachment=True,
            filename=f"statement-{statement.due_on:%Y-%m-%d}.{kind}",
            content_type=table_files.FILES[kind],
        )

    def has_export_permission(self, request):
        return self.has_view_permission(request) and request.user.has_perm(
            "settlements.export_statement"
        )

    @action(description=_("Nights and sentinels"), url_path="nights", permissions=["view"])
    def nights(self, request):
        runs = list(JobRun.objects.filter(kind=nights.NIGHT).order_by("-key")[:SHOWN_NIGHTS])
        checks = JobRun.objects.filter(kind="night.check", key__in=[run.key for run in runs])
        counts = {job.on: job.counts for job in checks}
        last = next((run.on for run in runs if run.state == JobRun.State.DONE), None)
        names = sentinels.names(last) if last else sentinels.NAMES
        return self.page(
            request,
            "settlements/admin_nights.html",
            title=gettext("Nights and sentinels"),
            nights=[
                {
                    "run": run,
                    "state": state_column()(run),
                    "counts": [counts.get(run.on, {}).get(name) for name in names],
                }
                for run in runs
            ],
            last=last,
            sentinels=(
                sentinel_words.told(last, counts.get(last, {}), at=timezone.now()) if last else []
            ),
            names=[sentinel_words.TITLES[name] for name in names],
        )

    @action(description=_("Tonight"), url_path="tonight", permissions=["view"])
    def tonight(self, request):
        """What the next night will settle, and what stands in its way."""
        told = tonight.look(request.marketplace, at=timezone.now())
        return self.page(
            request,
            "settlements/admin_tonight.html",
            title=gettext("Tonight"),
            tonight=told,
            tables=tonight_words.tables(told),
            refusals=[refused.text(gettext) for refused in told.refusals],
        )

    @action(description=_("Exports"), url_path="exports", permissions=["export"])
    def exports(self, request):
        kinds = {kind: EXPORTS[kind] for kind in exports.KINDS}
        if request.method == "POST":
            return self._ask_for_export(request, kinds)
        if key := request.GET.get("file"):
            return self._file(request, key)
        return self._exports(request, kinds, ExportForm())

    def _exports(self, request, kinds, form):
        rows = export_jobs.rows()[:SHOWN_EXPORTS]
        return self.page(
            request,
            "settlements/admin_exports.html",
            title=gettext("Exports"),
            kinds=kinds,
            form=form,
            rows=[
                {
                    "job": job,
                    "name": kinds[job.kind.removeprefix(export_jobs.PREFIX)],
                    "span": export_jobs.span(job),
                    "file_type": export_jobs.type_of(job),
                    "state": state_column()(job),
                    "is_there": export_jobs.is_there(job),
                }
                for job in rows
            ],
        )

    def _ask_for_export(self, request, kinds):
        kind = request.POST.get("kind", "")
        if kind not in kinds:
            raise Http404
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self._exports(request, kinds, form)
        try:
            export_jobs.ask(kind, by=request.user, at=timezone.now(), **form.cleaned_data)
        except Refused as refused:
            form.add_error(refused.params.get("field"), refused.text(gettext))
            return self._exports(request, kinds, form)
        messages.success(request, gettext("A worker writes the file. It appears below."))
        return HttpResponseRedirect(request.path)

    def _file(self, request, key):
        job = export_jobs.rows().filter(pk=int(key) if key.isdecimal() else 0).first()
        if job is None:
            raise Http404
        try:
            file = export_jobs.file_of(job)
        except export_jobs.FileGone as gone:
            messages.warning(request, gone.text(gettext))
            return HttpResponseRedirect(request.path)
        return FileResponse(
            file.open("rb"),
            as_attachment=True,
            filename=file.name,
            content_type=table_files.TYPES[export_jobs.type_of(job)],
        )


EXPORTS = {
    "orders": _("Orders"),
    "settlement_lines": _("Settlement lines"),
    "statements": _("Statements"),
    "journal": _("Journal"),
    "sales_by_month": _("Sales of each seller by month"),
    "tax_invoice_sums": _("Sums of tax invoices by receiver"),
    "withholding": _("Withheld tax"),
    "payouts": _("Payouts"),
    "holds": _("Holds"),
    "adjustments": _("Adjustments"),
}


def _verified(request, statement) -> list | None:
    """What does not follow from its inputs; None (and a message) where it cannot be said."""
    on = request.marketplace.last_closed_on or statement.due_on
    try:
        return list(islice(verification.verify(on=on, statement=statement), SHOWN_DIFFERENCES))
    except Refused as refused:
        messages.warning(request, refused.text(gettext))
        return None


class BulkAdmin(ReadOnlyAdmin):
    """A bulk table. Its key begins with the day, so neither a page per row nor another order."""

    list_display_links = None
    ordering = ["-basis_on", "-id"]
    sortable_by = []


@register(models.SettlementLine)
class SettlementLineAdmin(BulkAdmin):
    """A line opens with its order, the versions of its rules, its inputs, and how it came about."""

    comes_from = _(
        "The nightly close makes a line of each confirmed purchase and of each later cancellation."
    )
    place = 20
    list_display = [
        "with_proof",
        "kind",
        "of_seller",
        "of_order",
        "quantity",
        money_column("list_amount", _("list amount")),
        money_column("fee", _("fees")),
        money_column("vat", _("VAT on fees")),
        money_column("net", _("net")),
    ]
    list_filter = [("basis_on", RangeDateFilter), "kind"]
    list_filter_submit = True
    search_fields = ["order_line_id__exact"]
    search_help_text = _("An order number in full.")

    def get_queryset(self, request):
        return super().get_queryset(request).of_orders()  # adjustments have pages of their own

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term:
            return queryset, False
        sold = OrderLine.objects.filter(order__number=term).values("pk")
        return queryset.filter(order_line_id__in=sold), False

    def add_to_rows(self, rows):
        sold = OrderLine.objects.select_related("order", "seller")
        sold = sold.in_bulk({line.order_line_id for line in rows})
        for line in rows:
            line.sold = sold[line.order_line_id]

    @display(description=_("seller"))
    def of_seller(self, line):
        return line.sold.seller

    @display(description=_("order line"))
    def of_order(self, line):
        address = reverse("admin:orders_order_change", args=[line.sold.order_id])
        return format_html(
            '<a href="{}">{}</a> {}', address, line.sold.order.number, line.sold.title
        )

    @display(description=_("basis date"))
    def with_proof(self, line):
        return format_html('<a href="{}">{}</a>', line_url(line), line.basis_on)

    def get_object(self, request, object_id, from_field=None):
        day, _dot, pk = object_id.partition(".")
        try:
            key = {"basis_on": date.fromisoformat(day), "pk": int(pk)}
        except ValueError:
            return None
        return self.get_queryset(request).filter(**key).first()

    def change_view(self, request, object_id, form_url="", extra_context=None):
        line = self.found(request, object_id)
        try:
            components = explanations.explain(line)
        except explanations.LineDiffers as refused:
            messages.error(request, refused.text(gettext))
            components = ()
        names = ledger.component_names()
        statement = models.Statement.objects.select_related("seller").get(pk=line.statement_id)
        return self.page(
            request,
            "settlements/admin_line.html",
            title=gettext("Settlement line %(line)s") % {"line": line},
            line=line,
            sold=OrderLine.objects.select_related("order", "category").get(pk=line.order_line_id),
            seller=statement.seller,
            statement=statement,
            journal=journal_of(statement),
            deadline=_deadline(line),
            inputs=Outcome.objects.filter(
                line_id=line.order_line_id, sequence__lte=line.sequence
            ).order_by("sequence"),
            terms=models.LineTerms.objects.select_related("version__schedule").get(
                pk=line.terms_id
            ),
            components=[
                {
                    "name": names.get(component.code, component.code),
                    "part": component,
                    "words": line_words.describe(component, names),
                }
                for component in components
            ],
            on_top=line.charged - line.fee - line.sale_vat,
        )


def _deadline(line) -> tuple | None:
    """The latest day of payout by the legal deadline that is watched, and its pack."""
    found = deadlines.watched()
    return (found[1].latest_on(line.basis_on), found[1]) if found else None


@register(models.LineTerms)
class LineTermsAdmin(ReadOnlyAdmin):
    comes_from = _("Kept by the nightly close for the lines that it settles.")
    section = HIDDEN
    list_display = ["id", "version"]
    list_select_related = ["version"]
    ordering = ["id"]


@register(models.SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """Keys that statements are signed with; a new one is made by the command rotate_signing_key."""

    section = "rules"
    place = 90
    comes_from = _("A marketplace gets its key as it opens.")
    list_display = ["code", "public_half", "made_at", "retired_at"]
    fields = readonly_fields = ["code", "public_half", "made_at", "retired_at"]
    ordering = ["-id"]


@register(models.StatementSeal)
class StatementSealAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["head", "seller", "number", "key"]
    list_select_related = ["seller", "key"]
    fields = readonly_fields = [
        "statement",
        "seller",
        "number",
        "head",
        "key",
        "signature",
        "document",
    ]
    ordering = ["-id"]


@register(models.TermsDocument)
class TermsDocumentAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["digest"]
    fields = readonly_fields = ["digest", "text"]
    ordering = ["-id"]
