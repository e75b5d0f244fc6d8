"""Claims of a seller that belong to somebody else (채권양도). Walked by settlements.assigning."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from marketplace.sealing import SealedField
from sellers.banks import Bank
from sellers.models import Seller


def _assignment_id():
    return identifiers.public_id("asg")


class AssignmentQuerySet(models.QuerySet):
    def in_force(self):
        """Those that say who is paid, for some days at least."""
        return self.filter(state=Assignment.State.IN_FORCE)


class Assignment(TenantModel):
    """What is due to a seller from a day on is paid to an assignee, until a day if there is one.

    The days are the due days of statements, half-open. The account is fixed: another one is
    another assignment.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("assignment", "Proposed")
        IN_FORCE = "in_force", pgettext_lazy("assignment", "In force")
        DISCARDED = "discarded", pgettext_lazy("assignment", "Discarded")

    MOVES = {  # every legal change of state; anything else is refused
        State.PROPOSED: {State.IN_FORCE, State.DISCARDED},
        State.IN_FORCE: set(),
        State.DISCARDED: set(),
    }

    public_id = models.CharField(
        _("public id"), max_length=40, default=_assignment_id, editable=False
    )
    seller = TenantKey(Seller, related_name="assignments", verbose_name=_("seller"))
    assignee = models.CharField(_("assignee"), max_length=200)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PROPOSED)
    from_on = models.DateField(_("due from"))
    until_on = models.DateField(_("due before"), null=True, blank=True)
    bank = models.CharField(_("bank"), max_length=3, choices=Bank)
    holder = models.CharField(_("account holder"), max_length=100)
    number = SealedField(_("account number"))
    ending = models.CharField(_("last digits"), max_length=4)
    evidence = models.CharField(_("evidence"), max_length=200)
    entered_at = models.DateTimeField(_("entered at"))
    entered_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("entered by"),
    )
    usable_from = models.DateTimeField(_("in force since"), null=True, blank=True)

    objects = scoped(AssignmentQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("assignment of claims")
        verbose_name_plural = _("assignments of claims")
        constraints = [
            *constraints.tenant("assignment", "seller", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="assignment_public_id_is_unique"
            ),
            models.CheckConstraint(
                name="assignment_ends_after_it_begins",
                condition=Q(until_on__isnull=True) | Q(until_on__gte=models.F("from_on")),
            ),
            models.CheckConstraint(
                name="assignment_in_force_says_since_when",
                condition=~Q(state="in_force") | Q(usable_from__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "seller", "-id"], name="assignment_seller")]

    def __str__(self):
        return f"{self.assignee} {self.from_on}"

    @property
    def masked(self) -> str:
        """The account's number as people may see it."""
        return f"***-***-{self.ending}"

    def covers(self, due_on) -> bool:
        """Whether what is due on a day belongs to the assignee."""
        return self.from_on <= due_on and (self.until_on is None or due_on < self.until_on)
