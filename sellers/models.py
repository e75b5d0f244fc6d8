"""Sellers, their members, data and accounts, their daily figures and their grades."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, VersionedRule, scoped
from marketplace.sealing import SealedField
from sellers import business_rules
from sellers.banks import Bank


def _seller_id():
    return identifiers.public_id("slr")


def _invitation_id():
    return identifiers.public_id("inv")


def _bank_account_id():
    return identifiers.public_id("bnk")


class SellerQuerySet(models.QuerySet):
    def active(self):
        return self.filter(state=Seller.State.ACTIVE)

    def waiting(self):
        """Applicants on whom the operator has not decided."""
        return self.filter(state=Seller.State.ONBOARDING)


class Seller(TenantModel):
    """A business (or person) that sells in this marketplace."""

    class State(models.TextChoices):
        ONBOARDING = "onboarding", _("Onboarding")
        ACTIVE = "active", _("Active")
        RESTRICTED = "restricted", _("Restricted")
        SUSPENDED = "suspended", _("Suspended")
        TERMINATING = "terminating", _("Terminating")
        TERMINATED = "terminated", _("Terminated")

    class Type(models.TextChoices):
        INDIVIDUAL = "individual", _("Individual")
        SOLE_PROPRIETOR = "sole_proprietor", _("Sole proprietor")
        CORPORATION = "corporation", _("Corporation")

    MOVES = {  # every legal change of state; anything else is refused
        State.ONBOARDING: {State.ACTIVE, State.TERMINATED},
        State.ACTIVE: {State.RESTRICTED, State.SUSPENDED, State.TERMINATING},
        State.RESTRICTED: {State.ACTIVE, State.SUSPENDED, State.TERMINATING},
        State.SUSPENDED: {State.ACTIVE, State.RESTRICTED, State.TERMINATING},
        State.TERMINATING: {State.ACTIVE, State.TERMINATED},
        State.TERMINATED: set(),
    }

    public_id = models.CharField(_("public id"), max_length=40, default=_seller_id, editable=False)
    code = models.CharField(
        _("code"), max_length=64, help_text=_("The marketplace's own code for the seller.")
    )
    name = models.CharField(_("shop name"), max_length=200)
    seller_type = models.CharField(
        _("type"), max_length=20, choices=Type, default=Type.SOLE_PROPRIETOR
    )
    business_number = models.CharField(_("business registration number"), max_length=20, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.ONBOARDING)
    joined_on = models.DateField(_("joined on"))

    objects = scoped(SellerQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        constraints = [
            *constraints.tenant("seller"),
            models.UniqueConstraint(fields=["marketplace", "code"], name="seller_code_is_unique"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="seller_public_id_is_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "business_number"], name="seller_by_number"),
            models.Index(
                fields=["marketplace", "id"],
                name="seller_onboarding",
                condition=models.Q(state="onboarding"),
            ),
        ]

    def __str__(self):
        return self.name


class SellerMember(models.Model):
    """A user's place in a seller's shop. Global, since it decides which shop may be entered."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        STAFF = "staff", _("Staff")

    user = models.ForeignKey(
        "marketplace.User",
        models.CASCADE,
        related_name="seller_memberships",
        verbose_name=_("user"),
    )
    marketplace = models.ForeignKey(
        "marketplace.Marketplace",
        models.CASCADE,
        related_name="+",
        verbose_name=_("marketplace"),
    )
    seller = TenantKey(Seller, models.CASCADE, related_name="members", verbose_name=_("seller"))
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.OWNER)

    class Meta:
        verbose_name = _("seller member")
        verbose_name_plural = _("seller members")
        constraints = [
            constraints.TenantForeignKey(field="seller", name="seller_member_seller_is_own"),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "user"], name="seller_member_is_unique"
            ),
        ]

    def __str__(self):
        return f"{self.user_id} {self.role}"


class InvitationQuerySet(models.QuerySet):
    def waiting(self):
        return self.filter(state=Invitation.State.WAITING)


class Invitation(TenantModel):
    """Somebody is asked by e-mail to help in a shop. Walked by sellers.members only."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        ACCEPTED = "accepted", _("Accepted")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    MOVES = {  # every legal change of state; anything else is refused
        State.WAITING: {State.ACCEPTED, State.WITHDRAWN},
        State.ACCEPTED: set(),
        State.WITHDRAWN: set(),
    }

    public_id = models.CharField(
        _("public id"), max_length=40, default=_invitation_id, editable=False
    )
    seller = TenantKey(Seller, related_name="invitations", verbose_name=_("seller"))
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=10, choices=SellerMember.Role)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    invited_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("invited by"),
    )
    expires_at = models.DateTimeField(_("expires at"))

    objects = scoped(InvitationQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            *constraints.tenant("seller_invitation", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="seller_invitation_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "email"],
                condition=models.Q(state="waiting"),
                name="seller_invitation_waits_once_per_address",
            ),
        ]

    def __str__(self):
        return self.public_id


class SellerProfile(TenantModel):
    """Who a seller is and how to reach them: the person's data, apart from what must stay."""

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    company = models.CharField(_("company"), max_length=200, blank=True)
    representative = models.CharField(_("representative"), max_length=100, blank=True)
    mail_order_report = models.CharField(_("mail-order sales report"), max_length=60, blank=True)
    address = models.CharField(_("address"), max_length=300, blank=True)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    contact_email = models.EmailField(_("contact e-mail"), blank=True)
    # Warnings go to the address before as well: whoever takes over a shop changes it first.
    former_contact_email = models.EmailField(_("former contact e-mail"), blank=True)
    contact_email_changed_at = models.DateTimeField(_("contact e-mail changed at"), null=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("seller profile")
        verbose_name_plural = _("seller profiles")
        constraints = [
            *constraints.tenant("seller_profile", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="seller_profile_is_one_per_seller"
            ),
        ]

    def __str__(self):
        return f"{self.seller_id}"


class BankAccountQuerySet(models.QuerySet):
    def current(self):
        """The account that each seller named last, whether it may be paid to yet or not."""
        return self.filter(replaced_at=None)

    def usable(self, at):
        """Current accounts whose cooling period is over."""
        return self.current().filter(usable_from__lte=at)


class BankAccount(TenantModel):
    """Where a seller wants to be paid. A change is a new row; sellers.bank_accounts writes them."""

    public_id = models.CharField(
        _("public id"), max_length=40, default=_bank_account_id, editable=False
    )
    seller = TenantKey(Seller, related_name="bank_accounts", verbose_name=_("seller"))
    bank = models.CharField(_("bank"), max_length=3, choices=Bank)
    holder = models.CharField(_("account holder"), max_length=100)
    number = SealedField(_("account number"))
    ending = models.CharField(_("last digits"), max_length=4)
    usable_from = models.DateTimeField(_("paid to from"))
    registered_at = models.DateTimeField(_("registered at"))
    registered_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("registered by"),
    )
    replaced_at = models.DateTimeField(_("replaced at"), null=True)
    holder_verified_at = models.DateTimeField(_("holder verified at"), null=True)
    holder_verified_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("holder verified by"),
    )
    holder_evidence = models.CharField(
        _("evidence of the holder"), max_length=200, blank=True, db_default=""
    )

    objects = scoped(BankAccountQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("bank account")
        verbose_name_plural = _("bank accounts")
        constraints = [
            *constraints.tenant("bank_account", "seller", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="bank_account_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller"],
                condition=models.Q(replaced_at=None),
                name="bank_account_is_one_current_per_seller",
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "seller", "-registered_at"], name="bank_account_by_seller"
            )
        ]

    def __str__(self):
        return self.masked

    @property
    def masked(self) -> str:
        """The number as people may see it: enough to tell it from another one."""
        return f"***-***-{self.ending}"


class BusinessStatusQuerySet(models.QuerySet):
    def not_answered(self):
        """Those about which the tax office was asked since, and did not answer."""
        return self.filter(failed_at__isnull=False)


class BusinessStatus(TenantModel):
    """What the tax office says of a seller's business. Written by sellers.business_status only.

    Of the number that was asked about; a seller who names another one has not been asked about.
    """

    class Status(models.TextChoices):
        OPERATING = business_rules.OPERATING, _("Operating")
        SUSPENDED = business_rules.SUSPENDED, pgettext_lazy("business", "Suspended")
        CLOSED = business_rules.CLOSED, pgettext_lazy("business", "Closed")
        UNREGISTERED = business_rules.UNREGISTERED, _("Not registered")

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    number = models.CharField(_("business registration number"), max_length=10)
    status = models.CharField(_("status"), max_length=12, choices=Status, blank=True)
    closed_on = models.DateField(pgettext_lazy("business", "closed on"), null=True, blank=True)
    since = models.DateTimeField(_("said so since"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    failed_at = models.DateTimeField(
        _("not answered at"),
        null=True,
        blank=True,
        help_text=_("When the tax office was asked since, and did not answer."),
    )

    objects = scoped(BusinessStatusQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("business status")
        verbose_name_plural = _("business statuses")
        constraints = [
            *constraints.tenant("business_status", "seller", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="business_status_is_one_per_seller"
            ),
            models.CheckConstraint(
                name="business_status_was_answered_at_some_moment",
                condition=models.Q(status="", answered_at__isnull=True, since__isnull=True)
                | models.Q(answered_at__isnull=False, since__isnull=False) & ~models.Q(status=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "id"],
                name="business_status_not_answered",
                condition=models.Q(failed_at__isnull=False),
            )
        ]

    def __str__(self):
        return f"{self.number} {self.status}"


class PerformanceDay(TenantModel):
    """What a seller did on one business day. Written by sellers.performance.record_days() only.

    Counts are of order lines unless their name says units; sales are minor units of what buyers
    and funders paid for goods (list amount less the seller's own discount).
    """

    seller = TenantKey(Seller, related_name="performance_days", verbose_name=_("seller"))
    on = models.DateField(_("business day"))
    orders_paid = models.PositiveIntegerField(_("orders paid"), default=0)
    orders_confirmed = models.PositiveIntegerField(_("orders confirmed"), default=0)
    units_confirmed = models.PositiveIntegerField(_("units confirmed"), default=0)
    sales_confirmed = models.BigIntegerField(_("sales confirmed"), default=0)
    cancelled_by_seller = models.PositiveIntegerField(_("cancelled by the seller"), default=0)
    cancelled_other = models.PositiveIntegerField(_("cancelled otherwise"), default=0)
    units_returned = models.PositiveIntegerField(_("units returned"), default=0)
    sales_returned = models.BigIntegerField(_("sales returned"), default=0)
    shipped = models.PositiveIntegerField(_("shipped"), default=0)
    shipped_late = models.PositiveIntegerField(_("shipped late"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("day of performance")
        verbose_name_plural = _("days of performance")
        constraints = [
            *constraints.tenant("performance_day", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "on"], name="performance_day_is_unique"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "on"], name="performance_by_day")]

    def __str__(self):
        return f"{self.seller_id} {self.on}"


class GradePolicy(VersionedRule):
    """Grades, what each requires, and what each gives. `body` is read by sellers.grading."""

    body = models.JSONField(_("policy"))

    class Meta(TenantModel.Meta):
        verbose_name = _("grade policy")
        verbose_name_plural = _("grade policies")
        constraints = [
            *constraints.tenant("grade_policy"),
            constraints.Frozen(name="grade_policy_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="grade_policy_number_is_unique"
            ),
        ]


class ProjectedGrade(TenantModel):
    """The grade that a seller is heading for, computed anew each night."""

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    policy = TenantKey(GradePolicy, related_name="+", verbose_name=_("policy"))
    on = models.DateField(_("computed for"))
    grade = models.CharField(_("grade"), max_length=40)
    explanation = models.JSONField(_("explanation"))

    class Meta(TenantModel.Meta):
        verbose_name = _("projected grade")
        verbose_name_plural = _("projected grades")
        constraints = [
            *constraints.tenant("projected_grade", "seller", "policy"),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="projected_grade_is_one_per_seller"
            ),
        ]

    def __str__(self):
        return f"{self.seller_id} {self.grade}"


class OfficialGrade(TenantModel):
    """A grade as it takes effect; never changed, superseded by a later one."""

    seller = TenantKey(Seller, related_name="official_grades", verbose_name=_("seller"))
    policy = TenantKey(GradePolicy, related_name="+", verbose_name=_("policy"))
    effective_from = models.DateField(_("effective from"))
    evaluated_on = models.DateField(_("evaluated for"))
    grade = models.CharField(_("grade"), max_length=40)
    explanation = models.JSONField(_("explanation"))

    class Meta(TenantModel.Meta):
        verbose_name = _("official grade")
        verbose_name_plural = _("official grades")
        constraints = [
            *constraints.tenant(
                "official_grade", "seller", "policy", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "effective_from"],
                name="official_grade_is_one_per_day",
            ),
        ]

    def __str__(self):
        return f"{self.seller_id} {self.grade} ({self.effective_from})"
