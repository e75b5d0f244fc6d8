from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from marketplace import tenancy
from marketplace.admin import (
    HIDDEN,
    ReadOnlyAdmin,
    VersionedRuleAdmin,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.story_pages import SHOWN, Decision, RemarkForm, StoryAdmin
from sellers import (
    application_review,
    bank_accounts,
    business_status,
    deciding,
    grade_story,
    grade_words,
    grades,
    members,
    models,
    profiles,
)

State = models.Seller.State


class HolderForm(RemarkForm):
    """What shows that the account is its holder's."""

    evidence = forms.CharField(
        label=_("evidence"),
        max_length=200,
        help_text=_("Such as a copy of the bankbook, or the day the bank named the holder."),
    )
    field_order = ["evidence", "reason"]


def _in(*states):
    return lambda seller: seller.state in states


@register(models.Seller)
class SellerAdmin(StoryAdmin):
    """Sellers as operators see them: how they stand, what they did, what is decided about them."""

    comes_from = _(
        "Sellers come in by the application form of the seller centre, or by import_orders with "
        "a profile that makes them."
    )
    place = 10
    story_template = "sellers/admin/seller.html"
    list_display = [
        "name",
        "code",
        "seller_type",
        state_column(),
        "grade",
        "last_active_on",
        "joined_on",
    ]
    list_filter = ["state", "seller_type"]
    ordering = ["-id"]
    search_fields = ["code", "public_id", "name"]
    search_help_text = _("Exact code or public id, or the beginning of the shop's name.")
    decisions = {
        "approve": Decision(
            name=_("Approve"),
            explanation=_("The seller may sell from now on."),
            process=deciding.approve,
            form=RemarkForm,
            offered=_in(State.ONBOARDING),
            done=_("The seller may sell now."),
        ),
        "reject": Decision(
            name=_("Reject"),
            explanation=_("The application ends here, for good."),
            process=deciding.reject,
            offered=_in(State.ONBOARDING),
            is_grave=True,
            done=_("The application was rejected."),
        ),
        "reinstate": Decision(
            name=_("Reinstate"),
            explanation=_(
                "The seller may sell again, and listings on sale are visible again, once a second "
                "person approves."
            ),
            process=deciding.ask_to_reinstate,
            offered=_in(State.RESTRICTED, State.SUSPENDED, State.TERMINATING),
            done=_("It was asked for. The seller may sell again once a second person approves."),
        ),
        "restrict": Decision(
            name=_("Restrict"),
            explanation=_(
                "The seller's listings go out of view. Orders placed before are shipped and "
                "settled as ever."
            ),
            process=deciding.restrict,
            offered=_in(State.ACTIVE, State.SUSPENDED),
            is_grave=True,
            done=_("The seller is restricted."),
        ),
        "suspend": Decision(
            name=_("Suspend"),
            explanation=_(
                "The seller is stopped and the listings go out of view, once a second person "
                "approves. Orders placed before are shipped and settled as ever."
            ),
            process=deciding.ask_to_suspend,
            offered=_in(State.ACTIVE, State.RESTRICTED),
            is_grave=True,
            done=_("The suspension was asked for. It begins once a second person approves."),
        ),
        "terminate": Decision(
            name=_("Begin termination"),
            explanation=_(
                "The end of the contract is announced. Until it is finished, the seller goes on "
                "selling; of one who was stopped a second person has to agree to that."
            ),
            process=deciding.ask_to_terminate,
            offered=_in(State.ACTIVE, State.RESTRICTED, State.SUSPENDED),
            is_grave=True,
            done=_(
                "The termination has begun, or begins once a second person approves where the "
                "seller was stopped."
            ),
        ),
        "verify-holder": Decision(
            name=_("Verify the account's holder"),
            explanation=_(
                "For banks that do not name the holder: somebody has seen whose the account is. A "
                "second person has to agree."
            ),
            process=bank_accounts.ask_to_verify_holder,
            form=HolderForm,
            offered=lambda seller: (
                seller.bank_accounts.current().filter(holder_verified_at=None).exists()
            ),
            needs_fresh_log_in=True,
            done=_("A second person was asked."),
        ),
        "ask-business": Decision(
            name=_("Ask about the business"),
            explanation=_(
                "A worker asks at once what the payout policy says, and not only before the next "
                "payout. The answer stands here a moment later."
            ),
            process=business_status.ask_anew,
            form=RemarkForm,
            offered=lambda seller: bool(seller.business_number),
            done=_("It is being asked, where the payout policy names a service."),
        ),
        "finish": Decision(
            name=_("Finish termination"),
            explanation=_(
                "The contract ends, for good. It is refused while orders, claims or money are "
                "open, and says which."
            ),
            process=deciding.finish_termination,
            offered=_in(State.TERMINATING),
            is_grave=True,
            done=_("The contract has ended."),
        ),
    }

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(code=term) | Q(public_id=term)
        # A range instead of LIKE, which row-level security lets use no index.
        found |= Q(name__gte=term, name__lt=term + "\U0010ffff")
        return queryset.filter(found), False

    def add_to_rows(self, rows):
        grade_story.add_to(rows, on=timezone.localdate(timezone=tenancy.current().tz))

    @display(description=_("grade"))
    def grade(self, seller):
        return seller.grade_name or "-"

    @display(description=_("last activity"))
    def last_active_on(self, seller):
        return seller.last_active_on or "-"

    def tell(self, request, row):
        market = tenancy.current()
        on = timezone.localdate(timezone=market.tz)
        return {
            "standing": grade_story.of(row, market, on=on),
            "profile": profiles.of(row),
            "business_number": profiles.shown_number(row),
            "business": business_status.of_seller(row),
            "account": row.bank_accounts.current().select_related("holder_verified_by").first(),
            "missing": application_review.missing(row),
            "members": list(row.members.select_related("user").order_by("role", "pk")[:SHOWN]),
            "days": list(row.performance_days.order_by("-on")[:7]),
        }


@register(models.SellerMember)
class SellerMemberAdmin(StoryAdmin):
    """Who works for which shop. An operator may take somebody out; shops invite by themselves."""

    comes_from = _(
        "Whoever applies becomes the owner of the shop; owners invite their staff on the seller "
        "centre."
    )
    place = 20
    story_template = "sellers/admin/member.html"
    list_display = ["user", "seller", "role"]
    list_filter = ["role"]
    list_select_related = ["user", "seller"]
    ordering = ["-id"]
    decisions = {
        "remove": Decision(
            name=_("Remove from the shop"),
            explanation=_("The person can no longer enter this shop. Their account stays."),
            process=members.take_out,
            offered=lambda member: True,
            is_grave=True,
            ends_row=True,
            done=_("The member was removed."),
        )
    }

    def get_queryset(self, request):
        # A global table: no policy of the database narrows it.
        own = super().get_queryset(request).filter(marketplace=tenancy.current_id())
        return own.select_related("user", "seller")


@register(models.Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    comes_from = _("Owners of shops invite their staff on the seller centre.")
    section = HIDDEN
    list_display = ["email", "seller", "role", state_column(), "expires_at"]
    list_filter = ["state"]
    list_select_related = ["seller"]
    ordering = ["-id"]


@register(models.PerformanceDay)
class PerformanceDayAdmin(ReadOnlyAdmin):
    comes_from = _("The nightly close writes the figures of each seller's day.")
    list_display = [
        "on",
        "seller",
        "orders_paid",
        "orders_confirmed",
        money_column("sales_confirmed", _("sales confirmed")),
        "cancelled_by_seller",
        "units_returned",
        "shipped",
        "shipped_late",
    ]
    list_select_related = ["seller"]
    ordering = ["-on", "-id"]


@register(models.GradePolicy)
class GradePolicyAdmin(VersionedRuleAdmin):
    pass


class GradeAdmin(ReadOnlyAdmin):
    """A grade with the reasons for it and what is missing to the next one, in words."""

    exclude = ["explanation", "grade"]
    readonly_fields = ["named", "why", "what_is_missing"]

    @display(description=_("grade"))
    def named(self, row):
        return grades.load(row.policy).grade(row.grade).name

    @display(description=_("reasons"))
    def why(self, row):
        policy = grades.load(row.policy)
        told = grade_words.reasons(row.explanation, policy, row.marketplace)
        if kept := grade_words.kept(row.explanation, policy):
            told.append(kept)
        return format_html_join("", "<div>{}</div>", ((sentence,) for sentence in told)) or "-"

    @display(description=_("missing to the next grade"))
    def what_is_missing(self, row):
        return grade_words.missing(row.explanation, grades.load(row.policy), row.marketplace)


@register(models.ProjectedGrade)
class ProjectedGradeAdmin(GradeAdmin):
    comes_from = _(
        "The nightly close computes what every seller is heading for, once a grade policy is in "
        "force."
    )
    place = 30
    list_display = ["seller", "named", "what_is_missing", "on"]
    list_select_related = ["seller", "policy", "marketplace"]
    ordering = ["-id"]


@register(models.OfficialGrade)
class OfficialGradeAdmin(GradeAdmin):
    comes_from = _(
        "On the days that the grade policy names, the nightly close makes projected grades "
        "official."
    )
    place = 40
    list_display = ["seller", "named", "effective_from", "evaluated_on"]
    list_select_related = ["seller", "policy", "marketplace"]
    ordering = ["-id"]


@register(models.BusinessStatus)
class BusinessStatusAdmin(ReadOnlyAdmin):
    """What the tax office says of businesses; who is not open stands first."""

    comes_from = _("Written once the payout policy asks about sellers' businesses.")
    place = 25
    list_display = ["seller", "number", "status", "closed_on", "since", "answered_at", "failed_at"]
    list_filter = ["status"]
    list_select_related = ["seller"]
    ordering = ["-id"]
