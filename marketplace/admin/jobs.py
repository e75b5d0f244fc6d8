"""Pages of jobs: long work as it goes on, its parts, and the rows it tells about."""

from django.contrib.admin import SimpleListFilter, register
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from marketplace import job_words, models, tenancy
from marketplace.admin.cells import state_column
from marketplace.admin.pages import ReadOnlyAdmin
from marketplace.admin_site import HIDDEN
from marketplace.models.jobs import MAX_ATTEMPTS

AGAIN_AFTER = 5  # seconds until the page of running work is loaded again
SHOWN_PARTS = 50  # of a job, on its own page


class TroubleFilter(SimpleListFilter):
    title = _("trouble")
    parameter_name = "trouble"

    def lookups(self, request, model_admin):
        return [
            ("stopped", _("Failed or parked")),
            ("sentinels", _("Sentinels raised last night")),
        ]

    def queryset(self, request, queryset):
        if self.value() == "stopped":
            return queryset.in_trouble()
        if self.value() == "sentinels":
            return queryset.sentinels_raised(tenancy.current().last_closed_on)
        return queryset


@register(models.JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """Long work as it goes on: the page of a running one loads itself again."""

    comes_from = _("The nightly close, imports and exports appear here as they run.")
    place = 10
    list_display = ["named", "key", "on", state_column(), "progress", "started_at", "finished_at"]
    list_filter = [TroubleFilter, "state"]
    ordering = ["-id"]
    search_fields = ["=key"]
    fields = readonly_fields = [
        "named",
        "key",
        "on",
        state_column(),
        "progress",
        "started_at",
        "finished_at",
        "error",
        "results",
        "parts",
    ]

    @display(description=_("kind"), ordering="kind")
    def named(self, job):
        return job_words.kind(job.kind)

    @display(description=_("progress"))
    def progress(self, job):
        if not job.total:
            return "-"
        return format_html(
            '<progress max="{}" value="{}"></progress> <span class="nowrap">{} / {}</span>',
            job.total,
            job.done,
            f"{job.done:,}",
            f"{job.total:,}",
        )

    @display(description=_("results"))
    def results(self, job):
        counts = (
            (job_words.count(code), _figure(count))
            for code, count in sorted(job.counts.items())
            if isinstance(count, int)
        )
        return format_html_join("", "<div>{}: {}</div>", counts) or "-"

    @display(description=_("details"))
    def parts(self, job):
        rows = list(job.rows.order_by("head", "row_number", "pk")[: SHOWN_PARTS + 1])
        for row in rows:
            row.head_name = job_words.head(row.head)
        rest = reverse("admin:marketplace_jobrow_changelist") + f"?job__id__exact={job.pk}"
        context = {
            "shards": job.shards.order_by("is_done", "-attempts", "number")[:SHOWN_PARTS],
            "most": MAX_ATTEMPTS,
            "rows": rows[:SHOWN_PARTS],
            "more": rest if len(rows) > SHOWN_PARTS else "",
        }
        return render_to_string("marketplace/job_parts.html", context)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        answer = super().change_view(request, object_id, form_url, extra_context)
        job = (getattr(answer, "context_data", None) or {}).get("original")
        if job is not None and job.state == models.JobRun.State.RUNNING:
            answer["Refresh"] = str(AGAIN_AFTER)
        return answer


def _figure(count: int):
    return format_html('<span class="figure">{}</span>', f"{count:,}")


@register(models.JobShard)
class JobShardAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["job", "number", "is_done", "attempts", "weight"]
    list_filter = ["is_done"]
    list_select_related = ["job"]
    ordering = ["-id"]


@register(models.JobRow)
class JobRowAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["job", "named_head", "source", "row_number", "key", "code", "reason", "amount"]
    list_select_related = ["job"]
    ordering = ["-id"]

    @display(description=_("head"))
    def named_head(self, row):
        return job_words.head(row.head)

    def lookup_allowed(self, lookup, value, request):
        return lookup == "job__id__exact" or super().lookup_allowed(lookup, value, request)
