"""What every file of money has that is taken in once, wherever it comes from."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace.models import TenantModel


class TakenFile(TenantModel):
    """A file with the digest it is known by, how many rows it brought, and who took it in."""

    name = models.CharField(_("file"), max_length=200)
    digest = models.CharField(_("SHA-256"), max_length=64)
    rows = models.PositiveIntegerField(_("rows"))
    known_rows = models.PositiveIntegerField(
        _("of these known already"), help_text=_("Rows that an earlier file had brought.")
    )
    imported_at = models.DateTimeField(_("imported at"))
    imported_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("imported by"),
    )

    class Meta(TenantModel.Meta):
        abstract = True
