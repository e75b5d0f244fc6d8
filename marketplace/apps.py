from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from marketplace import celery  # noqa: F401 (makes it the app that every @shared_task uses)


class MarketplaceConfig(AppConfig):
    name = "marketplace"
    verbose_name = _("Marketplace")
