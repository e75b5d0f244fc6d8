"""Who may call the API, and which of its requests have been answered already.

The table of keys is global, like that of memberships: which marketplace a request is for is told
by its key, so the key is looked up before any marketplace is entered.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints
from marketplace.models.base import TenantKey, TenantModel


class ApiKeyQuerySet(models.QuerySet):
    def usable(self, at):
        """Neither revoked nor expired."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=at)

    def of(self, marketplace, seller=""):
        """The keys of a marketplace's own systems, or of one of its sellers (by public id)."""
        return self.filter(marketplace=marketplace, seller=seller)


class ApiKey(models.Model):
    """A secret that a system of the marketplace or of one seller calls the API with.

    Only its SHA-256 is kept: the secret is random, so nothing slower would make it safer.
    """

    class Standing(models.TextChoices):
        WORKS = "works", pgettext_lazy("API key", "Works")
        REPLACED = "replaced", pgettext_lazy("API key", "Being replaced")
        EXPIRED = "expired", pgettext_lazy("API key", "Expired")
        REVOKED = "revoked", pgettext_lazy("API key", "Revoked")

    marketplace = models.ForeignKey(
        "marketplace.Marketplace",
        models.CASCADE,
        related_name="+",
        verbose_name=_("marketplace"),
    )
    code = models.CharField(_("key"), max_length=8, unique=True, editable=False)
    name = models.CharField(
        _("name"), max_length=100, help_text=_("Which system uses it, such as “checkout”.")
    )
    # Their public id, since sellers live on a floor above; empty for the marketplace's own.
    seller = models.CharField(_("limited to seller"), max_length=40, blank=True, editable=False)
    is_live = models.BooleanField(_("for the live marketplace"), editable=False)
    digest = models.CharField(max_length=64, editable=False)
    last_four = models.CharField(_("last four characters"), max_length=4, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    networks = ArrayField(
        models.CharField(max_length=43),
        verbose_name=_("addresses"),
        default=list,
        blank=True,
        help_text=_("Addresses or networks it may be used from; empty for any."),
    )
    created_at = models.DateTimeField(_("made at"), editable=False)
    created_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        verbose_name=_("made by"),
    )
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)
    successor = TenantKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("replaced by"),
    )

    objects = models.Manager.from_queryset(ApiKeyQuerySet)()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.UniqueConstraint(fields=["marketplace", "id"], name="api_key_tenant_key"),
            constraints.TenantForeignKey(field="successor", name="api_key_successor_is_own"),
            models.CheckConstraint(
                name="api_key_lives_a_year_at_most",
                condition=Q(
                    expires_at__lte=models.F("created_at")
                    + models.Value("366 days", output_field=models.DurationField())
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "seller", "-id"], name="api_key_newest_first")
        ]

    def __str__(self):
        return f"{self.name} (…{self.last_four})"

    def standing(self, at):
        """What the key is good for at a moment; one that is being replaced still works."""
        if self.revoked_at is not None:
            return self.Standing.REVOKED
        if self.expires_at <= at:
            return self.Standing.EXPIRED
        return self.Standing.REPLACED if self.successor_id else self.Standing.WORKS


class IdempotencyKey(TenantModel):
    """A request that was answered, so that its repetition gets the same answer and does nothing.

    Inserted in the transaction of the request's effects: a crash takes both back.
    """

    holder = models.CharField(_("seller"), max_length=40, blank=True)
    key = models.CharField(_("key"), max_length=200)
    fingerprint = models.CharField(_("fingerprint of the request"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status of the answer"), null=True)
    headers = models.JSONField(_("headers of the answer"), default=dict)
    body = models.TextField(_("answer"), blank=True)
    created_at = models.DateTimeField(_("at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("answered request")
        verbose_name_plural = _("answered requests")
        constraints = [
            *constraints.tenant("idempotency_key"),
            models.UniqueConstraint(
                fields=["marketplace", "holder", "key"], name="idempotency_key_acts_once"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "created_at"], name="idempotency_key_oldest")
        ]

    def __str__(self):
        return self.key
