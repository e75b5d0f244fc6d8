"""The marketplaces of this installation and who legally runs each of them."""

import functools
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models.base import TenantModel, VersionedRule

_zones = functools.cache(available_timezones)  # which looks through all of their files


def validate_zone(name):
    if name not in _zones():
        raise ValidationError(
            _("“%(name)s” is no time zone. Use a name such as Asia/Seoul."),
            code="unknown_zone",
            params={"name": name},
        )


class MarketplaceQuerySet(models.QuerySet):
    def open(self):
        """Marketplaces whose nights run; an archived one is read-only and skipped."""
        return self.exclude(state=Marketplace.State.ARCHIVED)


class Marketplace(models.Model):
    """The tenant: one operator's marketplace, with its own money, clock and rules."""

    class State(models.TextChoices):
        TEST = "test", _("Test")
        LIVE = "live", _("Live")
        ARCHIVED = "archived", _("Archived")

    MOVES = {  # every legal change of state; anything else is refused
        State.TEST: {State.LIVE, State.ARCHIVED},
        State.LIVE: {State.ARCHIVED},
        State.ARCHIVED: set(),
    }

    slug = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Use three capital letters such as KRW."))],
    )
    currency_exponent = models.PositiveSmallIntegerField(
        _("decimal places of the currency"), validators=[MaxValueValidator(4)]
    )
    zone = models.CharField(_("time zone"), max_length=64, validators=[validate_zone])
    locale = models.CharField(_("language"), max_length=10, default="ko")
    closing_hour = models.PositiveSmallIntegerField(
        _("closing hour"),
        default=2,
        validators=[MaxValueValidator(23)],
        help_text=_("Hour of the next day, in the marketplace's zone, when the night may begin."),
    )
    provider_file_days = models.PositiveSmallIntegerField(
        _("days to a provider's settlement file"),
        default=7,
        db_default=7,  # for programs of the version before
        validators=[MinValueValidator(1), MaxValueValidator(60)],
        help_text=_(
            "After so many days a settlement file of each payment provider should cover a day of "
            "sales. Until it does, the day is listed as missing."
        ),
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.TEST)
    preset = models.CharField(_("preset"), max_length=50, blank=True, editable=False)
    first_open_on = models.DateField(
        _("first business day"), help_text=_("Nights before this day are never run.")
    )
    needs_second_person = models.BooleanField(
        _("needs a second person"),
        default=True,
        help_text=_(
            "Rules are published, and money is moved, once somebody else approves of it. Only a "
            "test marketplace may do without."
        ),
    )
    resident_number_years = models.PositiveSmallIntegerField(
        _("years that resident numbers are kept"),
        default=5,
        db_default=5,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
        help_text=_(
            "Counted from the 10th of March after the year of the last payment that tax was "
            "withheld from, or of the last tax invoice to the person. Then they are erased."
        ),
    )
    last_closed_on = models.DateField(_("last closed day"), null=True, blank=True, editable=False)
    # The place in the change feed up to which it has been forgotten.
    forgotten_transaction = models.BigIntegerField(default=0, db_default=0, editable=False)
    forgotten_change = models.BigIntegerField(default=0, db_default=0, editable=False)

    objects = models.Manager.from_queryset(MarketplaceQuerySet)()

    class Meta:
        verbose_name = _("marketplace")
        verbose_name_plural = _("marketplaces")
        constraints = [
            constraints.RegistryIsolation(
                name="marketplace_isolation", grants="SELECT, INSERT, UPDATE", key="id"
            ),
            models.CheckConstraint(
                name="marketplace_closing_hour_is_an_hour",
                condition=models.Q(closing_hour__lte=23),
            ),
            models.CheckConstraint(
                name="marketplace_resident_number_years_are_some",
                condition=models.Q(resident_number_years__range=(1, 30)),
            ),
            models.CheckConstraint(
                name="marketplace_only_a_test_needs_no_second_person",
                condition=models.Q(needs_second_person=True) | models.Q(state="test"),
                violation_error_message=_("Only a test marketplace may do without."),
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class LegalIdentity(VersionedRule):
    """The operator as the law knows it; stands on invoices, statements and pages."""

    company = models.CharField(_("company"), max_length=200)
    representative = models.CharField(_("representative"), max_length=100, blank=True)
    business_number = models.CharField(_("business registration number"), max_length=20, blank=True)
    mail_order_report = models.CharField(_("mail-order sales report"), max_length=60, blank=True)
    purchase_safety_service = models.CharField(
        _("purchase safety service"), max_length=100, blank=True
    )
    address = models.CharField(_("address"), max_length=300, blank=True)
    business_type = models.CharField(
        _("type of business"), max_length=100, blank=True, help_text=_("As registered (업태).")
    )
    business_item = models.CharField(
        _("item of business"), max_length=100, blank=True, help_text=_("As registered (종목).")
    )
    tax_email = models.EmailField(_("e-mail for tax invoices"), blank=True)
    phone = models.CharField(_("phone"), max_length=30, blank=True, default="", db_default="")
    contact_email = models.EmailField(_("contact e-mail"), blank=True, default="", db_default="")
    is_intermediary = models.BooleanField(
        _("is an intermediary"),
        default=True,
        db_default=True,
        help_text=_("Sellers sell, the marketplace brings them together with buyers."),
    )
    intermediary_notice = models.CharField(
        _("notice of an intermediary"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Stands at the foot of pages and letters of an intermediary. Empty: that the "
            "marketplace is no party to the sales."
        ),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("legal identity")
        verbose_name_plural = _("legal identities")
        constraints = [
            *constraints.tenant("legal_identity"),
            constraints.Frozen(name="legal_identity_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="legal_identity_number_is_unique"
            ),
        ]
