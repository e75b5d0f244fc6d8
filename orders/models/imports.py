"""How files of others are read."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantModel


class ImportProfile(TenantModel):
    """How a marketplace reads somebody's files. `body` is read by orders.importing."""

    code = models.SlugField(_("code"), max_length=50, db_index=False)
    name = models.CharField(_("name"), max_length=100)
    body = models.JSONField(_("mapping"))

    class Meta(TenantModel.Meta):
        verbose_name = _("import profile")
        verbose_name_plural = _("import profiles")
        constraints = [
            *constraints.tenant("import_profile"),
            models.UniqueConstraint(
                fields=["marketplace", "code"], name="import_profile_code_is_unique"
            ),
        ]

    def __str__(self):
        return self.name
