"""What one person asks for and another decides. Walked by marketplace.approvals only."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints
from marketplace.models.base import TenantModel, scoped


class ApprovalQuerySet(models.QuerySet):
    def waiting(self):
        return self.filter(state=Approval.State.ASKED)

    def about(self, obj):
        return self.filter(object_type=obj._meta.label_lower, object_key=str(obj.pk))


class Approval(TenantModel):
    """A request that takes effect when somebody else than its asker approves of it.

    `data` is what the process of its kind is called with; `fingerprint` tells whether the object
    still says what it said when it was asked about.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("Waiting for a second person")
        APPROVED = "approved", pgettext_lazy("approval", "Approved")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", pgettext_lazy("approval", "Withdrawn")
        ALONE = "alone", _("Done without a second person")

    MOVES = {  # every legal change of state; anything else is refused
        State.ASKED: {State.APPROVED, State.REFUSED, State.WITHDRAWN, State.ALONE},
        State.APPROVED: set(),
        State.REFUSED: set(),
        State.WITHDRAWN: set(),
        State.ALONE: set(),
    }

    kind = models.CharField(_("kind"), max_length=60)
    object_type = models.CharField(_("kind of object"), max_length=60)
    object_key = models.CharField(_("object"), max_length=80)
    subject = models.CharField(_("subject"), max_length=200)
    data = models.JSONField(_("details"), default=dict)
    fingerprint = models.CharField(_("fingerprint"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("asked by"),
    )
    asked_at = models.DateTimeField(_("asked at"))
    reason = models.CharField(_("reason"), max_length=500)
    decided_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision = models.CharField(_("reason of the decision"), max_length=500, blank=True)

    objects = scoped(ApprovalQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        constraints = [
            *constraints.tenant("approval", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "object_type", "object_key"],
                name="approval_is_asked_once_at_a_time",
                condition=Q(state="asked"),
            ),
            models.CheckConstraint(
                name="approval_is_decided_by_another",
                condition=~Q(state__in=["approved", "refused"])
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("asked_by"))),
            ),
            models.CheckConstraint(
                name="approval_is_decided_or_waits",
                condition=Q(state="asked", decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(state="asked") & Q(decided_by__isnull=False, decided_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-asked_at"], name="approval_newest_first"),
        ]

    def __str__(self):
        return self.subject
