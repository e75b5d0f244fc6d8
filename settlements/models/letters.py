"""Letters to sellers about money: what each tells, what became of it, and who wants which.

Written by settlements.letter_gathering (what is to be told), settlements.letter_sending (what
became of it) and settlements.letter_choices (who wants which).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, scoped
from sellers.models import Seller
from settlements import letter_kinds

KINDS = [
    (letter_kinds.FEES, _("Changes of fees")),
    (letter_kinds.CONTRACT, _("Changes of the contract")),
    (letter_kinds.DEBT, _("Debts")),
    (letter_kinds.HOLD, _("Holds")),
    (letter_kinds.CLAIM_HOLD, _("Holds of open claims")),
    (letter_kinds.STATEMENT, pgettext_lazy("letters", "Statements")),
    (letter_kinds.PAYOUT, pgettext_lazy("letters", "Payouts")),
    (letter_kinds.TAX, _("Tax documents")),
]


class LetterDesk(TenantModel):
    """One row of a marketplace: how far the change feed has been told, and what it wants told."""

    after_transaction = models.BigIntegerField(default=0, editable=False)
    after_change = models.BigIntegerField(default=0, editable=False)
    tells_empty_statements = models.BooleanField(
        _("letters for empty statements"),
        default=False,
        help_text=_("Also when nothing was sold and nothing is paid."),
    )
    off = ArrayField(
        models.CharField(max_length=20, choices=KINDS),
        verbose_name=_("letters that are not sent"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_(
            "To no seller, from now on. What sellers have to know, such as a change of their fees, "
            "is to be told them in another way then."
        ),
    )
    # The last night that operators were told of: each is told of a night once.
    morning_of = models.DateField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("letters to sellers: settings")
        verbose_name_plural = _("letters to sellers: settings")
        constraints = [
            *constraints.tenant("letter_desk", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(fields=["marketplace"], name="letter_desk_is_one"),
        ]

    def __str__(self):
        return f"{self.marketplace_id}"


class LetterChoice(TenantModel):
    """Which letters a seller wants, in which language, and who of the shop gets them.

    Without a row, and without readers: the owners and the contact address get all of them, in the
    language of the marketplace.
    """

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    off = ArrayField(
        models.CharField(max_length=20, choices=KINDS),
        verbose_name=_("not wanted"),
        default=list,
        blank=True,
    )
    readers = ArrayField(models.BigIntegerField(), verbose_name=_("readers"), default=list)
    to_contact = models.BooleanField(_("to the contact address"), default=True)
    language = models.CharField(_("language"), max_length=10, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("choice of letters")
        verbose_name_plural = _("choices of letters")
        constraints = [
            *constraints.tenant("letter_choice", "seller", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="letter_choice_is_one_per_seller"
            ),
        ]

    def __str__(self):
        return f"{self.seller_id}"


class SellerLetterQuerySet(models.QuerySet):
    def due(self, moment):
        return self.filter(state=SellerLetter.State.WAITING, due_at__lte=moment)

    def in_trouble(self):
        return self.filter(state__in=SellerLetter.TROUBLED)


class SellerLetter(TenantModel):
    """A mail to the people of one shop, with all that was to be told at one time."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("letter", "Waiting")
        SENDING = "sending", pgettext_lazy("letter", "Being sent")
        SENT = "sent", pgettext_lazy("letter", "Sent")
        UNSAID = "unsaid", pgettext_lazy("letter", "Nothing to tell")
        KEPT = "kept", pgettext_lazy("letter", "Not mailed: test marketplace")
        FAILED = "failed", pgettext_lazy("letter", "Failed")
        UNKNOWN = "unknown", pgettext_lazy("letter", "Unknown whether sent")

    MOVES = {  # every legal change of state; anything else is refused
        State.WAITING: {State.SENDING},
        State.SENDING: {
            State.SENT,
            State.UNSAID,
            State.KEPT,
            State.WAITING,
            State.FAILED,
            State.UNKNOWN,
        },
        State.SENT: set(),
        State.UNSAID: set(),
        State.KEPT: set(),
        State.FAILED: {State.WAITING},
        State.UNKNOWN: {State.WAITING, State.SENT},  # a person says which
    }
    TROUBLED = (State.FAILED.value, State.UNKNOWN.value)

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due at"))
    claimed_at = models.DateTimeField(_("begun at"), null=True, blank=True)
    handed_at = models.DateTimeField(
        _("handed to the mail server at"), null=True, blank=True, help_text=_("The last time.")
    )
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    readers = models.PositiveSmallIntegerField(_("readers"), default=0)
    error = models.CharField(_("what went wrong"), max_length=60, blank=True)
    made_at = models.DateTimeField(_("made at"), db_default=Now(), editable=False)

    objects = scoped(SellerLetterQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("letter to a seller")
        verbose_name_plural = _("letters to sellers")
        constraints = [
            *constraints.tenant("seller_letter", "seller", grants="SELECT, INSERT, UPDATE"),
            models.CheckConstraint(
                name="seller_letter_sent_has_its_moment",
                condition=Q(state="sent", sent_at__isnull=False)
                | (~Q(state="sent") & Q(sent_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-id"], name="seller_letter_newest_first"),
            models.Index(fields=["marketplace", "seller", "-id"], name="seller_letter_by_seller"),
            models.Index(
                fields=["marketplace", "due_at"],
                name="seller_letter_to_send",
                condition=Q(state__in=["waiting", "sending"]),
            ),
            models.Index(
                fields=["marketplace", "due_at"],
                name="seller_letter_in_trouble",
                condition=Q(state__in=["failed", "unknown"]),
            ),
        ]

    def __str__(self):
        return str(self.pk)


class SellerNotice(TenantModel):
    """One thing that a seller is told, once: in a letter, or with the reason why not."""

    class Skipped(models.TextChoices):
        NO = "", _("told")
        OFF = letter_kinds.SWITCHED_OFF, _("switched off by the seller")
        OFF_HERE = letter_kinds.SWITCHED_OFF_HERE, _("switched off by the marketplace")
        NOTHING = letter_kinds.NOTHING_IN_IT, _("an empty statement")
        UNCONCERNED = letter_kinds.NOT_CONCERNED, _("nothing of it concerns the seller")
        STALE = letter_kinds.STALE, _("it happened too long ago")

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    kind = models.CharField(_("kind"), max_length=20, choices=KINDS)
    event = models.CharField(_("event"), max_length=60)
    about = models.CharField(_("about"), max_length=80)
    data = models.JSONField(_("details"), default=dict)
    happened_at = models.DateTimeField(_("happened at"))
    letter = TenantKey(
        SellerLetter, null=True, blank=True, related_name="notices", verbose_name=_("letter")
    )
    skipped = models.CharField(
        _("not told because"), max_length=20, choices=Skipped, blank=True, default=""
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("notice to a seller")
        verbose_name_plural = _("notices to sellers")
        constraints = [
            *constraints.tenant(
                "seller_notice", "seller", "letter", grants="SELECT, INSERT, UPDATE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "event", "about", "seller", "kind"],
                name="seller_notice_is_told_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "id"],
                name="seller_notice_without_letter",
                condition=Q(letter__isnull=True, skipped=""),
            ),
            models.Index(
                fields=["marketplace", "letter"],
                name="seller_notice_of_letter",
                condition=Q(letter__isnull=False),
            ),
        ]

    def __str__(self):
        return f"{self.event} {self.about}"
