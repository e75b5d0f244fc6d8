"""Long work, visible while it runs: imports, exports, nightly steps and their shards."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, job_words
from marketplace.models.base import TenantKey, TenantModel, scoped

MAX_ATTEMPTS = 5  # at a shard, or at a job that is done whole; then it waits for a person
SENTINELS = "night.check"  # the kind of the job whose counts are of what is wrong


class JobRunQuerySet(models.QuerySet):
    def unfinished(self):
        return self.exclude(state=JobRun.State.DONE)

    def in_trouble(self):
        """Jobs that go no further without a person: failed, or with a part that is parked."""
        parked = JobShard.objects.filter(
            job=models.OuterRef("pk"), is_done=False, attempts__gte=MAX_ATTEMPTS
        )
        return self.unfinished().filter(models.Q(state=JobRun.State.FAILED) | models.Exists(parked))

    def sentinels_raised(self, on):
        """The check that ended the night of `on`, if it found anything wrong."""
        return self.filter(
            _HasCount(models.F("counts")), kind=SENTINELS, on=on, state=JobRun.State.DONE
        )


class _HasCount(models.Func):
    """Whether a JSON object holds a number that is not zero; what is missing may be below it."""

    template = "jsonb_path_exists(%(expressions)s, '$.* ? (@ != 0)')"
    output_field = models.BooleanField()


class JobRun(TenantModel):
    """One piece of long work. `key` makes it unique among its kind: a date, a file's digest."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    MOVES = {  # every legal change of state; anything else is refused
        State.QUEUED: {State.RUNNING},
        State.RUNNING: {State.DONE, State.FAILED},
        State.FAILED: {State.RUNNING},
        State.DONE: set(),
    }

    kind = models.CharField(_("kind"), max_length=60)
    key = models.CharField(_("key"), max_length=120)
    on = models.DateField(_("business day"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveBigIntegerField(_("done"), default=0)
    total = models.PositiveBigIntegerField(_("of"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    error = models.TextField(_("error"), blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = scoped(JobRunQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        constraints = [
            *constraints.tenant("job_run"),
            models.UniqueConstraint(
                fields=["marketplace", "kind", "key"], name="job_run_is_started_once"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-id"], name="job_run_newest_first"),
            models.Index(
                fields=["marketplace", "state"],
                name="job_run_unfinished",
                condition=~models.Q(state="done"),
            ),
        ]

    def __str__(self):
        return f"{job_words.kind(self.kind)} {self.key}"


class JobShard(TenantModel):
    """A part of a job that one transaction does whole: a half-open range of seller ids."""

    job = TenantKey(JobRun, models.CASCADE, related_name="shards", verbose_name=_("job"))
    number = models.PositiveIntegerField(_("number"))
    first_key = models.BigIntegerField(_("from"))
    end_key = models.BigIntegerField(_("to, exclusive"))
    weight = models.PositiveBigIntegerField(_("weight"), default=0)
    is_done = models.BooleanField(_("done"), default=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    error = models.TextField(_("error"), blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("job shard")
        verbose_name_plural = _("job shards")
        constraints = [
            *constraints.tenant("job_shard", "job"),
            models.UniqueConstraint(
                fields=["marketplace", "job", "number"], name="job_shard_number_is_unique"
            ),
        ]

    def __str__(self):
        return f"{self.job_id}/{self.number}"


class JobRow(TenantModel):
    """A row of input or output that a person should look at, under its head."""

    job = TenantKey(JobRun, models.CASCADE, related_name="rows", verbose_name=_("job"))
    head = models.CharField(
        _("head"), max_length=60, help_text=_("For example rejected, repaired, tender_differs.")
    )
    source = models.CharField(_("file"), max_length=200, blank=True)
    row_number = models.PositiveBigIntegerField(_("row"), null=True, blank=True)
    key = models.CharField(_("key"), max_length=120, blank=True)
    field = models.CharField(_("field"), max_length=100, blank=True)
    code = models.CharField(_("reason code"), max_length=60)
    reason = models.CharField(_("reason"), max_length=500)
    amount = models.BigIntegerField(_("amount"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("reported row")
        verbose_name_plural = _("reported rows")
        constraints = constraints.tenant("job_row", "job", grants="SELECT, INSERT, DELETE")
        indexes = [
            models.Index(
                fields=["marketplace", "job", "head", "row_number"], name="job_row_by_head"
            )
        ]

    def __str__(self):
        place = f" {self.source}:{self.row_number}" if self.source else ""
        return f"{job_words.head(self.head)}{place}"
