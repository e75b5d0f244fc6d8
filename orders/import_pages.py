"""The admin's pages of imports: upload files, watch, read what was told, and take it along."""

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace import job_words, sheets
from marketplace.admin import TenantAdmin, display
from marketplace.models import JobRun, Marketplace
from marketplace.refusals import Refused
from orders import import_uploads, profiles
from orders.file_fields import Files

SHOWN = 50
_NEWEST = 20


class UploadForm(forms.Form):
    profile = forms.ChoiceField(label=_("import profile"))
    files = Files(label=_("files"), help_text=_("CSV files, also packed by gzip."))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["profile"].choices = import_uploads.profiles()


class ProfileForm(forms.ModelForm):
    """A profile as data. What cannot be read is refused by its field."""

    def clean_body(self):
        body = self.cleaned_data["body"]
        try:
            profiles.parse(body, self.cleaned_data.get("code") or self.instance.code)
        except Refused as refused:
            raise forms.ValidationError(refused.text(gettext)) from refused
        return body


class ImportProfileAdmin(TenantAdmin):
    """How files are read, and the files themselves."""

    comes_from = _(
        "A profile tells which column of a file means what. Add one, then upload files with it."
    )
    form = ProfileForm
    list_display = ["code", "name", "upload_link"]
    ordering = ["code"]

    def get_urls(self):
        serve = self.admin_site.admin_view
        return [
            path("uploads/", serve(self.uploads_view), name="orders_import_uploads"),
            path("uploads/<int:pk>/", serve(self.upload_view), name="orders_import_upload"),
            path(
                "uploads/<int:pk>/report.csv", serve(self.report_view), name="orders_import_report"
            ),
            *super().get_urls(),
        ]

    @display(description=_("Imports"))
    def upload_link(self, profile):
        address = reverse("admin:orders_import_uploads")
        return format_html('<a href="{}">{}</a>', address, gettext("Upload files"))

    def uploads_view(self, request):
        self._require_view(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST":
            if not self._may_upload(request):
                raise PermissionDenied
            if form.is_valid() and (job := self._received(request, form)):
                return redirect("admin:orders_import_upload", job.pk)
        context = {
            "title": gettext("Imports"),
            "form": form if self._may_upload(request) else None,
            "uploads": list(import_uploads.rows()[:_NEWEST]),
        }
        return self._page(request, "orders/admin/uploads.html", context)

    def upload_view(self, request, pk):
        job = self._job(request, pk)
        told = Paginator(import_uploads.told(job), SHOWN).get_page(request.GET.get("page"))
        for row in told:
            row.head_name = job_words.head(row.head)
        context = {
            "title": gettext("Import"),
            "job": job,
            "is_running": job.state in (JobRun.State.QUEUED, JobRun.State.RUNNING),
            "profile": dict(import_uploads.profiles()).get(job.counts["profile"]),
            "counts": [
                (job_words.count(code), number)
                for code, number in sorted(job.counts.get("result", {}).items())
            ],
            "heads": [
                (job_words.head(code), number)
                for code, number in sorted(job.counts.get("heads", {}).items())
            ],
            "told": told,
        }
        return self._page(request, "orders/admin/upload.html", context)

    def report_view(self, request, pk):
        job = self._job(request, pk)
        header = ("head", "file", "row", "key", "field", "code", "reason", "amount")
        told = import_uploads.told(job).values_list(
            "head", "source", "row_number", "key", "field", "code", "reason", "amount"
        )
        body = sheets.write(sheets.CSV, header, told.iterator(chunk_size=2_000))
        answer = HttpResponse(body, content_type=sheets.TYPES[sheets.CSV])
        answer["Content-Disposition"] = f'attachment; filename="import-{job.pk}.csv"'
        return answer

    def _received(self, request, form):
        said = form.cleaned_data
        try:
            return import_uploads.receive(
                said["profile"], said["files"], by=request.user, at=timezone.now()
            )
        except Refused as refused:
            form.add_error("files", refused.text(gettext))
            return None

    def _job(self, request, pk) -> JobRun:
        self._require_view(request)
        job = import_uploads.rows().filter(pk=pk).first()
        if job is None:
            raise Http404
        return job

    def _require_view(self, request) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _may_upload(self, request) -> bool:
        is_open = request.marketplace.state != Marketplace.State.ARCHIVED
        return is_open and request.user.has_perm("orders.add_order")

    def _page(self, request, template, context):
        frame = {**self.admin_site.each_context(request), "opts": self.opts}
        answered = refusals.status(context.get("form"))
        return TemplateResponse(request, template, frame | context, status=answered)
