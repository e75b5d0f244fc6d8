"""What every tenant-owned model is made of."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_scopes import ScopedManager

from marketplace import tenancy


class TenantKey(models.ForeignKey):
    """A reference between two rows of one marketplace.

    PostgreSQL checks it through the composite TenantForeignKey beside it, and every index starts
    with the marketplace, so Django makes neither a constraint nor an index of its own.
    """

    def __init__(self, to, on_delete=models.PROTECT, **kwargs):
        kwargs.setdefault("db_constraint", False)
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)


def scoped(queryset_class=models.QuerySet):
    """The manager of a tenant-owned model: outside a marketplace it refuses to query."""
    return ScopedManager(
        _manager_class=models.Manager.from_queryset(queryset_class), marketplace="marketplace_id"
    )


class TenantModel(models.Model):
    """A row that belongs to one marketplace. Concrete models inherit Meta from TenantModel.Meta."""

    marketplace = models.ForeignKey(
        "marketplace.Marketplace",
        models.PROTECT,
        editable=False,
        default=tenancy.current_id_or_none,  # None only while a migration adds the column
        related_name="+",
        db_index=False,
        verbose_name=_("marketplace"),
    )

    objects = scoped()

    class Meta:
        abstract = True
        base_manager_name = "objects"


class VersionedQuerySet(models.QuerySet):
    def published(self):
        return self.filter(state=VersionedRule.State.PUBLISHED)

    def on(self, day):
        """The version in force on a business day, or None."""
        return self.published().filter(valid_from__lte=day).order_by("-valid_from").first()


class VersionedRule(TenantModel):
    """A rule that is never edited once published: a change is a new version with a later start.

    Walked by marketplace.versions only.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")

    number = models.PositiveIntegerField(_("version"))
    valid_from = models.DateField(_("valid from"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True, editable=False)
    published_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
        verbose_name=_("published by"),
    )
    note = models.CharField(_("note"), max_length=500, blank=True)

    objects = scoped(VersionedQuerySet)

    class Meta(TenantModel.Meta):
        abstract = True

    def __str__(self):
        return f"v{self.number} ({self.valid_from})"
