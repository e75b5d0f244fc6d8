from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

# The app that every @shared_task uses, and the system check: both count once imported.
from marketplace import celery, checks  # noqa: F401


class MarketplaceConfig(AppConfig):
    name = "marketplace"
    verbose_name = _("Marketplace")
