"""The admin's manners, in one place: whose rows, who may, and what is only looked at.

Rows of a marketplace appear once one is chosen. Most of them are written by processes, so most
pages only show; what can be done is an action that calls one process.

The pages are drawn by django-unfold. Other apps take everything about the admin from here, so
that another library, or a new version of it, is a change of this module alone.
"""

from datetime import timedelta
from functools import partial

from allauth.account import admin as allauth_account
from allauth.account.models import EmailAddress
from allauth.mfa import admin as allauth_mfa  # noqa: F401 (registers what is taken out below)
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter, register
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Case, When
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.forms import (
    AdminPasswordChangeForm,
    UserChangeForm,
)
from unfold.forms import UserCreationForm as UnfoldUserCreationForm
from unfold.widgets import UnfoldAdminEmailInputWidget as EmailInput
from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

from marketplace import (
    api_keys,
    approval_pages,
    approvals,
    audit,
    job_words,
    memberships,
    models,
    money,
    outbox,
    permissions,
    tenancy,
    versions,
)
from marketplace.admin_site import HIDDEN
from marketplace.approval_pages import Problem
from marketplace.key_forms import KeyForm, RotationForm
from marketplace.middleware import SESSION_KEY
from marketplace.models.jobs import MAX_ATTEMPTS
from marketplace.refusals import Refused

__all__ = [
    "HIDDEN",
    "AutocompleteSelectFilter",
    "CappedPaginator",
    "ChoicesDropdownFilter",
    "DraftPartAdmin",
    "DropdownFilter",
    "ModelAdmin",
    "Problem",
    "ProcessAdmin",
    "RangeDateFilter",
    "RangeDateTimeFilter",
    "ReadOnlyAdmin",
    "RelatedDropdownFilter",
    "RowsInline",
    "SimpleListFilter",
    "StackedInline",
    "TabularInline",
    "TenantAdmin",
    "TextInput",
    "Textarea",
    "VersionedRuleAdmin",
    "action",
    "amount",
    "chip",
    "display",
    "money_column",
    "register",
    "state_column",
]

NOTICE = timedelta(days=30)  # from the last closed day to the start of a new draft; editable
AGAIN_AFTER = 5  # seconds until the page of running work is loaded again
SHOWN_PARTS = 50  # of a job, on its own page
COUNTED = 10_000  # rows of a list; beyond them a page is found by filters, not by leafing


# Of states anywhere: what goes well, what is under way, what needs care, what is bad or ended so.
COLOURS = {
    **dict.fromkeys(
        ("active", "approved", "completed", "done", "live", "on_sale", "payable", "published"),
        "good",
    ),
    **dict.fromkeys(("closed", "confirmed", "delivered", "paid"), "good"),
    **dict.fromkeys(("preparing", "running", "shipped"), "busy"),
    **dict.fromkeys(
        ("asked", "draft", "onboarding", "open", "queued", "requested", "submitted"), "care"
    ),
    **dict.fromkeys(("paused_by_seller", "restricted", "terminating", "test", "warn"), "care"),
    **dict.fromkeys(("block", "blocked", "failed", "refused", "rejected", "suspended"), "bad"),
    "suspended_by_platform": "bad",
}


class CappedPaginator(Paginator):
    """Counts no further than anybody leafs, so that a list does not slow as history grows."""

    @cached_property
    def count(self):
        return self.object_list.order_by()[:COUNTED].count()


def amount(minor_units: int | None):
    """An amount of the marketplace in use, for a cell: 12,900원, never broken over two lines."""
    if minor_units is None:
        return "-"
    market = tenancy.current()
    text = money.format_amount(
        minor_units,
        currency=market.currency,
        exponent=market.currency_exponent,
        locale=get_language() or market.locale,
    )
    return format_html('<span class="money">{}</span>', text)


def money_column(field: str, description):
    """A column (or a read-only field) that shows `field`, a number of minor units, as money."""

    def column(row):
        return amount(getattr(row, field))

    column.__name__ = f"{field}_money"  # by this ending the heading stands right, too (admin.css)
    column.short_description = description
    column.admin_order_field = field
    return column


def state_column(field: str = "state", *, colours=None, description=None):
    """A column that shows the choice in `field` as a chip: text first, colour second."""

    def column(row):
        value = getattr(row, field)
        return chip(getattr(row, f"get_{field}_display")(), (colours or COLOURS).get(value, ""))

    column.__name__ = f"{field}_chip"
    column.short_description = description or _("state")
    column.admin_order_field = field
    return column


def chip(text, colour: str = ""):
    """A word in a coloured frame. Colours: good, busy, care, bad; none for what is at rest."""
    return format_html('<span class="chip chip-{}">{}</span>', colour or "rest", text)


class Placed:
    """Where a list stands in the sidebar (admin_site.SECTIONS). Without a section of its own it
    stands under its app's; a low `place` puts it before its neighbours.
    """

    section = ""
    place = 50


class TenantAdmin(Placed, ModelAdmin):
    """A model whose rows a marketplace owns. Without a chosen marketplace it is not there."""

    paginator = CappedPaginator
    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request):
        return _has_chosen() and super().has_module_permission(request)

    def has_view_permission(self, request, obj=None):
        return _has_chosen() and super().has_view_permission(request, obj)

    def has_add_permission(self, request):
        return _has_chosen() and super().has_add_permission(request)

    def has_change_permission(self, request, obj=None):
        return _has_chosen() and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return _has_chosen() and super().has_delete_permission(request, obj)

    def ask_for_each(self, request, queryset, process):
        """Call `process(row)` for each selected row; tell which were refused, and why."""
        done = 0
        for row in queryset:
            try:
                process(row)
            except Refused as refused:
                self.message_user(request, f"{row}: {refused.text(gettext)}", messages.WARNING)
            else:
                done += 1
        if done:
            self.message_user(request, gettext("%(count)s done.") % {"count": done})

    def page(self, request, template, *, title, **context):
        """A page of our own inside the admin. Its template extends admin/page.html."""
        context |= {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, template, context)

    def found(self, request, object_id):
        """The row of an address, or 404: of another marketplace's rows none is there.

        Whoever may not look at such rows, or has chosen no marketplace, is refused.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    def list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    # Django's own log keeps names of rows beside no marketplace. Ours is the audit trail.

    def log_addition(self, request, obj, message):
        _record("added", request, obj, {})

    def construct_change_message(self, request, form, formsets, add=False):
        return form.changed_data

    def log_change(self, request, obj, message):
        _record("changed", request, obj, {"fields": message})

    def log_deletions(self, request, queryset):
        for obj in queryset:
            _record("deleted", request, obj, {})

    def history_view(self, request, object_id, extra_context=None):
        trail = reverse("admin:marketplace_auditentry_changelist")
        kind = self.opts.label_lower
        return redirect(f"{trail}?object_type={kind}&object_key={object_id}")


class ReadOnlyAdmin(TenantAdmin):
    """Rows that processes write and people look at."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ProcessAdmin(TenantAdmin):
    """Rows that a process makes and ends; in between, some of their fields are edited."""

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class VersionedRuleAdmin(ProcessAdmin):
    """Versions of a rule: a draft is edited, a published one only read.

    It is published by whom somebody else has asked to (marketplace.approvals).
    """

    section = "rules"
    list_display = ["number", "valid_from", state_column(), "published_at", "note"]
    readonly_fields = ["number", "state", "published_at", "published_by"]
    ordering = ["-valid_from", "-number"]
    actions = ["revise", "ask"]
    actions_detail = ["ask_for_one"]

    def has_change_permission(self, request, obj=None):
        is_published = obj is not None and obj.state == obj.State.PUBLISHED
        return not is_published and super().has_change_permission(request, obj)

    def has_ask_permission(self, request, object_id=None):
        return super().has_change_permission(request)

    def problems(self, version) -> list[Problem]:
        """What somebody should know before the version is published; some may forbid it."""
        return []

    @action(description=_("Draft a next version of each"), permissions=["change"])
    def revise(self, request, queryset):
        marketplace = models.Marketplace.objects.get(pk=tenancy.current_id())
        last = marketplace.last_closed_on or marketplace.first_open_on
        self.ask_for_each(
            request,
            queryset,
            partial(
                versions.revise,
                valid_from=last + NOTICE,
                by=request.user,
                at=timezone.now(),
            ),
        )

    @action(description=_("Ask for the publication of selected drafts"), permissions=["ask"])
    def ask(self, request, queryset):
        return approval_pages.ask_for_publication(self, request, queryset)

    @action(description=_("Ask for publication"), url_path="ask", permissions=["ask"])
    def ask_for_one(self, request, object_id):
        version = self.found(request, object_id)
        return approval_pages.ask_for_publication(
            self, request, self.model.objects.filter(pk=version.pk)
        )


class DraftPartAdmin(TenantAdmin):
    """The parts of a version, in `part_of`: edited while it is a draft, then only read."""

    section = "rules"
    part_of = "version"

    def has_change_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_delete_permission(request, obj)

    def _is_open(self, obj) -> bool:
        return obj is None or getattr(obj, self.part_of).state == models.VersionedRule.State.DRAFT

    def get_actions(self, request):
        return {}  # many at once would end at the first that is published

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == self.part_of:
            kwargs["queryset"] = db_field.related_model.objects.filter(
                state=models.VersionedRule.State.DRAFT
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class RowsInline(TabularInline):
    """The parts of a row, to look at."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@require_http_methods(["GET", "POST"])
def choose_marketplace(request):
    """Choose which marketplace the admin shows from now on. Served under admin_view()."""
    choices = permissions.may_enter(request.user)
    if request.method == "POST":
        marketplace = get_object_or_404(choices, slug=request.POST.get("marketplace", ""))
        with tenancy.use(marketplace.pk, even_archived=True):
            audit.record("marketplace.entered", by=request.user, at=timezone.now(), obj=marketplace)
            address = _section_address(request)
        request.session[SESSION_KEY] = marketplace.pk
        return redirect(address)
    context = {
        **admin.site.each_context(request),
        "title": _("Choose a marketplace"),
        "marketplaces": choices,
        "chosen": request.session.get(SESSION_KEY),
    }
    return render(request, "marketplace/choose_marketplace.html", context)


def _section_address(request) -> str:
    """The list that was left, if the user may see it in the marketplace entered; else the front."""
    for model, page in admin.site._registry.items():
        options = model._meta
        if options.label_lower == request.POST.get("section"):
            if page.has_view_or_change_permission(request):
                return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            break
    return reverse("admin:index")


def _has_chosen() -> bool:
    return tenancy.current_id_or_none() is not None


def _record(deed, request, obj, data):
    audit.record(
        f"{obj._meta.model_name}.{deed}", by=request.user, at=timezone.now(), obj=obj, data=data
    )


# Shared by the installation: superusers only, and shown without a marketplace.


admin.site.unregister(Group)  # what people may do follows from memberships alone
admin.site.unregister([EmailAddress, Authenticator])  # the latter would show secrets


class UserCreationForm(UnfoldUserCreationForm):
    class Meta(UnfoldUserCreationForm.Meta):
        model = models.User
        fields = ("email",)


@register(models.User)
class UserAdmin(Placed, DjangoUserAdmin, ModelAdmin):
    """People. What they may do follows from memberships, so neither groups nor permissions."""

    add_form = UserCreationForm
    form = UserChangeForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "name", "is_staff", "is_active"]
    list_filter = ["is_staff", "is_active"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["email"]
    search_fields = ["email", "name"]
    actions = ["take_second_factors"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "usable_password", "password1", "password2"]}),
    ]

    @action(description=_("Take away second factors, for who has lost them"))
    def take_second_factors(self, request, queryset):
        count, _each = Authenticator.objects.filter(user__in=queryset).delete()
        self.message_user(request, gettext("%(count)s done.") % {"count": count})


@register(EmailAddress)
class EmailAddressAdmin(Placed, allauth_account.EmailAddressAdmin, ModelAdmin):
    list_per_page = 50
    show_full_result_count = False


# Rows of the chosen marketplace


class InvitationForm(forms.ModelForm):
    """An address and a role; whether the address is known here already is not told."""

    email = forms.EmailField(label=_("e-mail address"), widget=EmailInput())

    class Meta:
        model = models.Membership
        fields = ["email", "role"]


@register(models.Membership)
class MembershipAdmin(TenantAdmin):
    """The operators of the chosen marketplace. Its owners take people in and let them go."""

    section = "system"
    place = 5
    list_display = ["address", "role"]
    list_filter = ["role"]
    list_select_related = ["user"]
    ordering = ["user__email"]
    search_fields = ["user__email__exact"]
    actions = None

    @display(description=_("e-mail address"), ordering="user__email")
    def address(self, membership):
        return membership.user.email

    def get_queryset(self, request):
        # A global table: no policy of the database narrows it.
        return super().get_queryset(request).filter(marketplace=tenancy.current_id_or_none())

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = InvitationForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request, obj=None):
        return ["address", "role"] if obj else ["email", "role"]

    def get_readonly_fields(self, request, obj=None):
        return ["address"] if obj else []

    def save_model(self, request, obj, form, change):
        deed = {"by": request.user, "at": timezone.now()}
        role = form.cleaned_data["role"]
        if change:
            memberships.change_role(obj, role, **deed)
            return
        made = memberships.invite(form.cleaned_data["email"], role, **deed)
        obj.pk, obj.user = made.pk, made.user
        transaction.on_commit(partial(_welcome, made, request.build_absolute_uri("/admin/")))

    def delete_model(self, request, obj):
        memberships.remove(obj, by=request.user, at=timezone.now())

    # The processes keep the trail.

    def log_addition(self, request, obj, message):
        pass

    def log_change(self, request, obj, message):
        pass

    def log_deletions(self, request, queryset):
        pass

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        return self._or_refused(request, super().changeform_view, object_id, form_url)

    def delete_view(self, request, object_id, extra_context=None):
        return self._or_refused(request, super().delete_view, object_id)

    def _or_refused(self, request, view, *arguments):
        try:
            return view(request, *arguments)
        except Refused as refused:
            self.message_user(request, refused.text(gettext), messages.ERROR)
            return redirect(self.list_url())


def _welcome(membership, address):
    """Tell a new operator where to log in. Who has no password yet asks there for one."""
    market = membership.marketplace
    with translation.override(market.locale):
        send_mail(
            gettext("You now work for %(marketplace)s") % {"marketplace": market.name},
            gettext(
                "You can now work for %(marketplace)s as: %(role)s.\n\n"
                "Log in with this e-mail address: %(address)s\n"
                "If you have no password yet, choose “Forgot your password?” there to set one."
            )
            % {
                "marketplace": market.name,
                "role": membership.get_role_display(),
                "address": address,
            },
            None,
            [membership.user.email],
        )


@register(models.Marketplace)
class MarketplaceAdmin(ProcessAdmin):
    """The chosen marketplace itself; opened by the command open_marketplace."""

    list_display = ["name", "slug", "state", "currency", "zone", "last_closed_on"]
    readonly_fields = [
        "slug",
        "currency",
        "currency_exponent",
        "zone",
        "state",
        "preset",
        "first_open_on",
        "last_closed_on",
    ]

    def get_queryset(self, request):
        return super().get_queryset(request).filter(pk=tenancy.current_id())

    def get_readonly_fields(self, request, obj=None):
        is_test = obj is None or obj.state == obj.State.TEST
        return [*self.readonly_fields, *([] if is_test else ["needs_second_person"])]


@register(models.LegalIdentity)
class LegalIdentityAdmin(VersionedRuleAdmin):
    list_display = ["company", *VersionedRuleAdmin.list_display]


class ClosedDayInline(RowsInline):
    model = models.ClosedDay
    ordering = ["on"]


@register(models.CalendarVersion)
class CalendarVersionAdmin(VersionedRuleAdmin):
    list_display = ["country", "first_on", "last_on", *VersionedRuleAdmin.list_display]
    # The days were proposed for these.
    readonly_fields = ["country", "first_on", "last_on", *VersionedRuleAdmin.readonly_fields]
    inlines = [ClosedDayInline]


class TroubleFilter(admin.SimpleListFilter):
    title = _("trouble")
    parameter_name = "trouble"

    def lookups(self, request, model_admin):
        return [
            ("stopped", _("Failed or parked")),
            ("sentinels", _("Sentinels raised last night")),
        ]

    def queryset(self, request, queryset):
        if self.value() == "stopped":
            return queryset.in_trouble()
        if self.value() == "sentinels":
            return queryset.sentinels_raised(tenancy.current().last_closed_on)
        return queryset


@register(models.JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """Long work as it goes on: the page of a running one loads itself again."""

    place = 10
    list_display = ["named", "key", "on", state_column(), "progress", "started_at", "finished_at"]
    list_filter = [TroubleFilter, "state"]
    ordering = ["-id"]
    search_fields = ["=key"]
    fields = readonly_fields = [
        "named",
        "key",
        "on",
        state_column(),
        "progress",
        "started_at",
        "finished_at",
        "error",
        "results",
        "parts",
    ]

    @display(description=_("kind"), ordering="kind")
    def named(self, job):
        return job_words.kind(job.kind)

    @display(description=_("progress"))
    def progress(self, job):
        if not job.total:
            return "-"
        return format_html(
            '<progress max="{}" value="{}"></progress> <span class="nowrap">{} / {}</span>',
            job.total,
            job.done,
            f"{job.done:,}",
            f"{job.total:,}",
        )

    @display(description=_("results"))
    def results(self, job):
        counts = (
            (job_words.count(code), _figure(count))
            for code, count in sorted(job.counts.items())
            if isinstance(count, int)
        )
        return format_html_join("", "<div>{}: {}</div>", counts) or "-"

    @display(description=_("details"))
    def parts(self, job):
        rows = list(job.rows.order_by("head", "row_number", "pk")[: SHOWN_PARTS + 1])
        rest = reverse("admin:marketplace_jobrow_changelist") + f"?job__id__exact={job.pk}"
        context = {
            "shards": job.shards.order_by("is_done", "-attempts", "number")[:SHOWN_PARTS],
            "most": MAX_ATTEMPTS,
            "rows": rows[:SHOWN_PARTS],
            "more": rest if len(rows) > SHOWN_PARTS else "",
        }
        return render_to_string("marketplace/job_parts.html", context)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        answer = super().change_view(request, object_id, form_url, extra_context)
        job = (getattr(answer, "context_data", None) or {}).get("original")
        if job is not None and job.state == models.JobRun.State.RUNNING:
            answer["Refresh"] = str(AGAIN_AFTER)
        return answer


def _figure(count: int):
    return format_html('<span class="figure">{}</span>', f"{count:,}")


@register(models.JobShard)
class JobShardAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["job", "number", "is_done", "attempts", "weight"]
    list_filter = ["is_done"]
    list_select_related = ["job"]
    ordering = ["-id"]


@register(models.JobRow)
class JobRowAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["job", "head", "source", "row_number", "key", "code", "reason", "amount"]
    list_select_related = ["job"]
    ordering = ["-id"]

    def lookup_allowed(self, lookup, value, request):
        return lookup == "job__id__exact" or super().lookup_allowed(lookup, value, request)


class ColleagueFilter(admin.SimpleListFilter):
    """By people of this marketplace: the table of users holds those of others, too."""

    title = _("actor")
    parameter_name = "actor"

    def lookups(self, request, model_admin):
        members = models.User.objects.filter(memberships__marketplace=tenancy.current_id())
        return [(user.pk, str(user)) for user in members.distinct().order_by("email")]

    def queryset(self, request, queryset):
        return queryset.filter(actor=self.value()) if self.value() else queryset


@register(models.AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what, when and why."""

    place = 20
    list_display = ["at", "actor", "action", "about", "reason"]
    list_filter = [("at", RangeDateTimeFilter), ColleagueFilter]
    list_filter_submit = True
    list_select_related = ["actor"]
    ordering = ["-at", "-id"]
    search_fields = ["action__exact", "object_key__exact"]
    search_help_text = _("An action such as claim.approved, or an object's number, in full.")
    fields = readonly_fields = ["at", "actor", "action", "about", "reason", "data"]

    @display(description=_("object"))
    def about(self, entry):
        page = _pages_by_label().get(entry.object_type)
        if page is None:
            return f"{entry.object_type} {entry.object_key}".strip() or "-"
        name = f"{capfirst(page.opts.verbose_name)} {entry.object_key}"
        if not entry.object_key:
            return name
        view = f"admin:{page.opts.app_label}_{page.opts.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(view, args=[entry.object_key]), name)


def _pages_by_label() -> dict:
    return {model._meta.label_lower: page for model, page in admin.site._registry.items()}


@register(models.AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["number", "sealed_at", "entries", "hash"]
    ordering = ["-number"]


@register(models.OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    list_display = ["topic", "created_at", "sent_at", "attempts", "last_error"]
    ordering = ["-created_at"]
    actions = ["replay"]

    @action(description=_("Deliver selected messages once more"), permissions=["replay"])
    def replay(self, request, queryset):
        self.ask_for_each(
            request, queryset, partial(outbox.replay, by=request.user, at=timezone.now())
        )

    def has_replay_permission(self, request):
        return _has_chosen() and request.user.has_perm("marketplace.change_outboxmessage")


@register(models.InboxMessage)
class InboxMessageAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["consumer", "message", "received_at"]
    ordering = ["-id"]


@register(models.Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """What waits for a second person, and what was decided. Opening one leads to the decision."""

    list_display = ["subject", "named_kind", state_column(), "asked_by", "asked_at", "decided_by"]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_select_related = ["asked_by", "decided_by"]
    ordering = [
        Case(When(state=models.Approval.State.ASKED, then=0), default=1),
        "-asked_at",
        "-id",
    ]

    @display(description=_("kind"))
    def named_kind(self, approval):
        return approvals.KINDS[approval.kind].name

    def change_view(self, request, object_id, form_url="", extra_context=None):
        approval = self.found(request, object_id)
        return approval_pages.show(self, request, approval, state_column()(approval))


@register(models.ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """The keys of the marketplace's own systems and, to be revoked, those of its sellers."""

    list_display = ["name", "last_four", "seller", "expires_at", "last_used_at", "revoked_at"]
    ordering = ["-id"]
    actions = ["revoke"]
    fields = readonly_fields = [
        "name",
        "code",
        "last_four",
        "seller",
        "is_live",
        "scopes",
        "networks",
        "created_at",
        "created_by",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "successor",
    ]

    def get_queryset(self, request):
        # A global table: no policy of the database narrows it.
        keys = super().get_queryset(request)
        return keys.filter(marketplace=tenancy.current_id_or_none())

    def has_add_permission(self, request):
        return _has_chosen() and request.user.has_perm("marketplace.add_apikey")

    def has_revoke_permission(self, request):
        return _has_chosen() and request.user.has_perm("marketplace.change_apikey")

    def get_urls(self):
        rotate = path(
            "<path:object_id>/rotate/",
            self.admin_site.admin_view(self.rotate_view),
            name="marketplace_apikey_rotate",
        )
        return [rotate, *super().get_urls()]

    def add_view(self, request, form_url="", extra_context=None):
        """Make a key; the answer to the form is the one time that its secret is shown."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._made(
            request,
            KeyForm(request.POST or None),
            partial(api_keys.create, tenancy.current()),
            title=gettext("Make an API key"),
            explanation=gettext("A system of the marketplace calls the API with it."),
        )

    def rotate_view(self, request, object_id):
        """Replace a key by a new one; both work until the old one ends."""
        key = self.found(request, object_id)
        if not self.has_add_permission(request) or key.seller:
            raise PermissionDenied
        return self._made(
            request,
            RotationForm(request.POST or None),
            partial(api_keys.rotate, key),
            title=gettext("Replace the key"),
            explanation=gettext("The new key has the same rights."),
        )

    @action(description=_("Revoke selected keys at once"), permissions=["revoke"])
    def revoke(self, request, queryset):
        self.ask_for_each(
            request, queryset, partial(api_keys.revoke, by=request.user, at=timezone.now())
        )

    def change_view(self, request, object_id, form_url="", extra_context=None):
        address = reverse("admin:marketplace_apikey_rotate", args=[object_id])
        context = {"rotate_address": address, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _made(self, request, form, process, **context):
        made, at = None, timezone.now()
        if request.method == "POST" and form.is_valid():
            try:
                made = process(**form.words(at), by=request.user, at=at)
            except Refused as refused:
                form.add_error(None, refused.text(gettext))
        context |= {"form": form, "made": made, "address": self.list_url()}
        response = self.page(request, "marketplace/api_key.html", **context)
        response["Cache-Control"] = "no-store"
        return response


from marketplace import admin_webhooks  # noqa: E402, F401 (registers, and needs what is above)
