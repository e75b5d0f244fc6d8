from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _

# The app that every @shared_task uses, and the system check: both count once imported.
from marketplace import celery, checks  # noqa: F401


class MarketplaceConfig(AppConfig):
    default = True
    name = "marketplace"
    verbose_name = _("Marketplace")


class AdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "marketplace.admin_site.AdminSite"
