"""Who did what, when and why; append-only, and sealed in blocks that name their predecessor.

Entries are written unchained inside the transaction that they tell of, so the chain never makes
writers wait for each other; marketplace.audit.seal() chains committed entries afterwards. They
hold ids and codes, never personal data.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models.base import TenantKey, TenantModel


class AuditEntry(TenantModel):
    """One deed. A change of a set of rows is one entry that counts them."""

    at = models.DateTimeField(_("at"))
    actor = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("actor"),
        help_text=_("Empty when the system acted by itself."),
    )
    action = models.CharField(_("action"), max_length=60)
    object_type = models.CharField(_("kind of object"), max_length=60, blank=True)
    object_key = models.CharField(_("object"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    data = models.JSONField(_("details"), default=dict)

    class Meta(TenantModel.Meta):
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        constraints = constraints.tenant("audit_entry", grants=constraints.APPEND_ONLY)
        indexes = [
            models.Index(
                fields=["marketplace", "object_type", "object_key"], name="audit_entry_by_object"
            ),
            models.Index(fields=["marketplace", "-at"], name="audit_entry_newest_first"),
        ]

    def __str__(self):
        return f"{self.action} {self.object_type} {self.object_key}"


class AuditSeal(TenantModel):
    """A block of entries, bound by hash to the block before it."""

    number = models.PositiveIntegerField(_("number"))
    entries = models.PositiveIntegerField(_("entries"))
    sealed_at = models.DateTimeField(_("sealed at"))
    previous_hash = models.CharField(_("hash before"), max_length=64)
    hash = models.CharField(_("hash"), max_length=64)

    class Meta(TenantModel.Meta):
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")
        constraints = [
            *constraints.tenant("audit_seal", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="audit_seal_number_is_unique"
            ),
        ]

    def __str__(self):
        return f"#{self.number}"


class AuditSealMember(TenantModel):
    """Which seal an entry is in, and the entry's own hash. An entry is sealed once."""

    seal = TenantKey(AuditSeal, related_name="members", verbose_name=_("seal"))
    entry = TenantKey(AuditEntry, related_name="+", verbose_name=_("entry"))
    hash = models.CharField(_("hash"), max_length=64)

    class Meta(TenantModel.Meta):
        constraints = [
            *constraints.tenant(
                "audit_seal_member", "seal", "entry", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "entry"], name="audit_entry_is_sealed_once"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "seal"], name="audit_member_by_seal")]

    def __str__(self):
        return f"{self.seal_id}/{self.entry_id}"
