"""Exports: asked for, watched as jobs, fetched by an address that is good for a few minutes."""

import re

from django.core import signing
from django.db import models
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from marketplace import tenancy
from marketplace.api import etags
from marketplace.api.fields import Document, Moment, Text
from marketplace.api.idempotency import idempotent
from marketplace.api.views import ReadMixin, Resource
from marketplace.models import JobRun
from sellers.models import Seller
from settlements import export_jobs, exports, table_files

GOOD_FOR = 5 * 60  # seconds
_SALT = "settlements.api.exports"
_ID = re.compile("job_[0-9a-f]{32}")


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FileType(models.TextChoices):
    CSV = table_files.CSV
    XLSX = table_files.XLSX


class NewExportDocument(Document):
    kind = serializers.ChoiceField(sorted(exports.KINDS))
    seller = Text(max_length=40, required=False, help_text="Public id; only this seller's part.")
    first_on = serializers.DateField(
        required=False, help_text="Nothing before this day. Which day it is, docs/exports.md says."
    )
    last_on = serializers.DateField(required=False, help_text="Nothing after this day.")
    file_type = serializers.ChoiceField(
        FileType.choices,
        default=FileType.CSV,
        help_text="XLSX has amounts as money in the currency's major unit, CSV in minor units.",
    )


class ResultDocument(Document):
    url = serializers.URLField(help_text="Good for five minutes, without a key.")
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class JobDocument(Document):
    id = serializers.SerializerMethodField()
    kind = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()
    started_at = Moment(read_only=True, allow_null=True)
    finished_at = Moment(read_only=True, allow_null=True)
    error = serializers.SerializerMethodField()
    file_type = serializers.SerializerMethodField()

    def get_file_type(self, job) -> FileType:
        return export_jobs.type_of(job)

    def get_id(self, job) -> str:
        return _public_id(job)

    def get_kind(self, job) -> str:
        return job.kind.removeprefix(export_jobs.PREFIX)

    def get_state(self, job) -> str:
        return State.CANCELLED if job.error == export_jobs.CANCELLED else job.state

    def get_error(self, job) -> str:
        return "" if job.error == export_jobs.CANCELLED else job.error


class JobWithResultDocument(JobDocument):
    result = serializers.SerializerMethodField()

    def get_result(self, job) -> ResultDocument(allow_null=True):
        """Where its file is; null until it is done, and when it is no longer kept."""
        try:
            export_jobs.file_of(job)
        except export_jobs.FileGone:
            return None
        token = signing.dumps([job.marketplace_id, job.pk], salt=_SALT)
        path = reverse("api_export_file", args=[token])
        counts = {name: job.counts[name] for name in ("rows", "bytes", "sha256")}
        return {"url": self.context["request"].build_absolute_uri(path), **counts}


class ExportViewSet(Resource):
    """Ask for files of orders, settlement lines, statements and journal."""

    resource = "jobs"
    seller_actions = None
    serializer_class = JobDocument

    @extend_schema(request=NewExportDocument, responses={202: JobDocument})
    @idempotent
    def create(self, request):
        """Have a worker write a CSV or XLSX file. Watch the job that Location names."""
        words = self.checked(NewExportDocument)
        seller = self.holder
        if seller is not None and words["kind"] not in export_jobs.FOR_SELLERS:
            raise Http404
        if "seller" in words:
            wanted = get_object_or_404(Seller, public_id=words["seller"])
            if seller not in (None, wanted):
                raise Http404
            seller = wanted
        days = {name: words[name] for name in ("first_on", "last_on") if name in words}
        asked = {"file_type": words["file_type"], "by": None, "at": timezone.now()}
        job = export_jobs.ask(words["kind"], seller=seller, **asked, **days)
        location = reverse("api_job-detail", args=[_public_id(job)])
        return Response(JobDocument(job).data, 202, headers={"Location": location})


class JobViewSet(ReadMixin, Resource):
    """Long work that was asked for, newest first. A seller's key sees its own."""

    resource = "jobs"
    seller_actions = None
    serializer_class = JobDocument
    lookup_value_regex = _ID.pattern

    def get_queryset(self):
        return export_jobs.rows(self.holder)

    def get_object(self):
        ending = self.kwargs["public_id"].removeprefix("job_")
        return get_object_or_404(self.get_queryset(), key__endswith=f"-{ending}")

    @extend_schema(responses={200: JobWithResultDocument})
    def retrieve(self, request, *args, **kwargs):
        job = self.get_object()
        document = JobWithResultDocument(job, context=self.get_serializer_context())
        # Of the job without its result, whose address is another one each time.
        return Response(document.data, headers={"ETag": etags.of(JobDocument(job).data)})

    @extend_schema(responses={204: None})
    def destroy(self, request, public_id):
        """Cancel a job that no worker has begun."""
        job = self.get_object()
        etags.require(request, JobDocument(job).data)
        export_jobs.cancel(job, by=None, at=timezone.now())
        return Response(status=204)


@require_GET
def file(request, token):
    """The file of an export, for whoever was given its address a moment ago."""
    try:
        marketplace_id, job_id = signing.loads(token, salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        raise Http404 from None
    # A key is not needed; one that came along must not be of another marketplace.
    if tenancy.current_id_or_none() not in (None, marketplace_id):
        raise Http404
    with tenancy.use(marketplace_id):
        job = get_object_or_404(JobRun, pk=job_id)
    try:
        found = export_jobs.file_of(job)
    except export_jobs.FileGone:
        raise Http404 from None
    file_type = export_jobs.type_of(job)
    name = f"{job.kind.removeprefix(export_jobs.PREFIX)}.{file_type}"
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return FileResponse(
        found.open("rb"),
        as_attachment=True,
        filename=name,
        content_type=table_files.TYPES[file_type],
        headers=headers,
    )


def _public_id(job: JobRun) -> str:
    return f"job_{job.key.rpartition('-')[2]}"
