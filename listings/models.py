"""Categories, listings and their revisions, policy packs and what they found."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, VersionedRule, scoped
from sellers.models import Seller


def _listing_id():
    return identifiers.public_id("lst")


class Category(TenantModel):
    """A node of the marketplace's category tree. `path` holds the ids from the root to itself."""

    parent = TenantKey(
        "self", null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    code = models.CharField(_("code"), max_length=300)
    name = models.CharField(_("name"), max_length=300)
    path = ArrayField(models.BigIntegerField(), verbose_name=_("path"), default=list)

    class Meta(TenantModel.Meta):
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        constraints = [
            *constraints.tenant("category", "parent"),
            models.UniqueConstraint(fields=["marketplace", "code"], name="category_code_is_unique"),
        ]

    def __str__(self):
        return self.name


class ListingQuerySet(models.QuerySet):
    def visible(self):
        """What buyers may see: on sale, by a seller in good standing."""
        return self.filter(
            state=Listing.State.ON_SALE,
            seller__state__in=[Seller.State.ACTIVE, Seller.State.TERMINATING],
        )


class Listing(TenantModel):
    """Something a seller offers. What it says stands in revisions; one of them is live."""

    class State(models.TextChoices):
        UNPUBLISHED = "unpublished", _("Unpublished")
        ON_SALE = "on_sale", _("On sale")
        PAUSED_BY_SELLER = "paused_by_seller", _("Paused by the seller")
        SUSPENDED_BY_PLATFORM = "suspended_by_platform", _("Suspended by the platform")
        CLOSED = "closed", pgettext_lazy("listing", "Closed")

    MOVES = {  # every legal change of state; anything else is refused
        State.UNPUBLISHED: {State.ON_SALE, State.CLOSED},
        State.ON_SALE: {State.PAUSED_BY_SELLER, State.SUSPENDED_BY_PLATFORM, State.CLOSED},
        State.PAUSED_BY_SELLER: {State.ON_SALE, State.SUSPENDED_BY_PLATFORM, State.CLOSED},
        State.SUSPENDED_BY_PLATFORM: {State.ON_SALE, State.PAUSED_BY_SELLER, State.CLOSED},
        State.CLOSED: set(),
    }

    public_id = models.CharField(_("public id"), max_length=40, default=_listing_id, editable=False)
    seller = TenantKey(Seller, related_name="listings", verbose_name=_("seller"))
    code = models.CharField(_("seller's code"), max_length=100)
    kind = models.CharField(
        _("kind"), max_length=30, default="goods", help_text=_("For example goods or mini_app.")
    )
    state = models.CharField(_("state"), max_length=30, choices=State, default=State.UNPUBLISHED)
    live_revision = TenantKey(
        "listings.Revision",
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("live revision"),
    )
    paused_at = models.DateTimeField(
        _("paused at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Since when its seller keeps it from sale, under a stop by the platform too."),
    )
    taken_down_for = models.CharField(
        _("taken down for"),
        max_length=500,
        blank=True,
        editable=False,
        help_text=_("What the seller is told while the platform suspends the listing."),
    )

    objects = scoped(ListingQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        constraints = [
            *constraints.tenant("listing", "seller", "live_revision"),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "code"], name="listing_code_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="listing_public_id_is_unique"
            ),
            models.CheckConstraint(
                name="listing_on_sale_has_a_live_revision",
                condition=~models.Q(state="on_sale") | models.Q(live_revision__isnull=False),
            ),
            models.CheckConstraint(
                name="listing_paused_says_since_when",
                condition=(
                    models.Q(state="on_sale", paused_at__isnull=True)
                    | models.Q(state="paused_by_seller", paused_at__isnull=False)
                    | ~models.Q(state__in=["on_sale", "paused_by_seller"])
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "seller", "-id"], name="listing_by_seller"),
            models.Index(
                fields=["marketplace", "seller", "-id"],
                name="listing_on_sale",
                condition=models.Q(state="on_sale"),
            ),
        ]

    def __str__(self):
        return self.code


class RevisionQuerySet(models.QuerySet):
    def awaiting_review(self):
        """What sellers have handed in and nobody has decided on, the longest wait first."""
        return self.filter(state=Revision.State.SUBMITTED).order_by("submitted_at", "pk")

    def to_mend(self):
        """What is back with its seller: blocked by policy, or sent back by an operator."""
        blocked = models.Q(state=Revision.State.BLOCKED)
        return self.filter(blocked | ~models.Q(sent_back_for=""))


class Revision(TenantModel):
    """One wording of a listing. The live one stays on sale while a newer one is checked."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        BLOCKED = "blocked", _("Blocked by policy")
        SUBMITTED = "submitted", _("Awaiting review")
        APPROVED = "approved", _("Approved")

    MOVES = {  # every legal change of state; anything else is refused
        State.DRAFT: {State.BLOCKED, State.SUBMITTED, State.APPROVED},
        State.BLOCKED: {State.DRAFT},
        State.SUBMITTED: {State.DRAFT, State.BLOCKED, State.APPROVED},
        State.APPROVED: set(),
    }

    listing = TenantKey(Listing, related_name="revisions", verbose_name=_("listing"))
    number = models.PositiveIntegerField(_("revision"))
    category = TenantKey(
        Category, null=True, blank=True, related_name="+", verbose_name=_("category")
    )
    title = models.CharField(_("title"), max_length=300)
    description = models.TextField(_("description"), blank=True)
    unit_price = models.BigIntegerField(_("price"))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.DRAFT)
    submitted_at = models.DateTimeField(_("handed in at"), null=True, blank=True, editable=False)
    sent_back_for = models.CharField(
        _("sent back for"),
        max_length=500,
        blank=True,
        editable=False,
        help_text=_("What the seller is asked to change; empty once it is handed in again."),
    )

    objects = scoped(RevisionQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        constraints = [
            *constraints.tenant("revision", "listing", "category"),
            models.UniqueConstraint(
                fields=["marketplace", "listing", "number"], name="revision_number_is_unique"
            ),
            models.CheckConstraint(
                name="revision_price_is_not_negative", condition=models.Q(unit_price__gte=0)
            ),
            models.CheckConstraint(
                name="revision_awaiting_review_says_since_when",
                condition=~models.Q(state="submitted") | models.Q(submitted_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "submitted_at"],
                name="revision_awaiting_review",
                condition=models.Q(state="submitted"),
            ),
            models.Index(
                fields=["marketplace", "listing"],
                name="revision_to_mend",
                condition=models.Q(state="blocked") | ~models.Q(sent_back_for=""),
            ),
            models.Index(
                fields=["marketplace", "id"],
                name="revision_blocked",
                condition=models.Q(state="blocked"),
            ),
        ]

    def __str__(self):
        return f"{self.title} (r{self.number})"


class PolicyPack(VersionedRule):
    """What may not be listed. `body` is read by listings.policy."""

    body = models.JSONField(_("policy"))

    class Meta(TenantModel.Meta):
        verbose_name = _("policy pack")
        verbose_name_plural = _("policy packs")
        constraints = [
            *constraints.tenant("policy_pack"),
            constraints.Frozen(name="policy_pack_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="policy_pack_number_is_unique"
            ),
        ]


class Finding(TenantModel):
    """A place in a revision that a policy pack objects to. Start and end count characters."""

    class Severity(models.TextChoices):
        BLOCK = "block", _("Blocks publication")
        WARN = "warn", _("Warning")

    revision = TenantKey(
        Revision, models.CASCADE, related_name="findings", verbose_name=_("revision")
    )
    pack = TenantKey(PolicyPack, related_name="+", verbose_name=_("policy pack"))
    rule = models.CharField(_("rule"), max_length=80)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity)
    field = models.CharField(_("field"), max_length=40)
    start = models.PositiveIntegerField(_("from"))
    end = models.PositiveIntegerField(_("to, exclusive"))
    evidence = models.CharField(_("evidence"), max_length=300)

    class Meta(TenantModel.Meta):
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [
            *constraints.tenant("finding", "revision", "pack"),
            models.CheckConstraint(
                name="finding_span_is_not_empty",
                condition=models.Q(end__gt=models.F("start")),
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "revision"], name="finding_by_revision")]

    def __str__(self):
        return f"{self.rule}: {self.evidence}"
