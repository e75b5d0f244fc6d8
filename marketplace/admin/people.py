"""Pages of people: users, shared by the installation, and the operators of one marketplace."""

from functools import partial

from allauth.account import admin as allauth_account
from allauth.account.models import EmailAddress
from allauth.mfa import admin as allauth_mfa  # noqa: F401 (registers what is taken out below)
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.admin import register
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.mail import send_mail
from django.db import transaction
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import (
    AdminPasswordChangeForm,
    UserChangeForm,
)
from unfold.forms import UserCreationForm as UnfoldUserCreationForm
from unfold.widgets import UnfoldAdminEmailInputWidget as EmailInput

from marketplace import approval_pages, memberships, models, second_factors, tenancy
from marketplace import forms as refusals
from marketplace.admin.pages import Placed, TenantAdmin
from marketplace.refusals import Refused

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
        """Asked once more, with a reason: whoever takes them away can let anybody in."""
        market = request.marketplace
        if market is None or market.state == models.Marketplace.State.ARCHIVED:
            text = gettext("Enter a marketplace first: the deed stands in its audit trail.")
            self.message_user(request, text, messages.WARNING)
            return None
        form = approval_pages.ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            for user in queryset:
                self._take(request, user, form.cleaned_data["reason"])
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Take away second factors"),
            "form": form,
            "people": queryset,
        }
        template, status = "marketplace/take_second_factors.html", refusals.status(form)
        return TemplateResponse(request, template, context, status=status)

    def _take(self, request, user, reason):
        try:
            second_factors.take_away(user, by=request.user, at=timezone.now(), reason=reason)
        except Refused as refused:
            self.message_user(request, f"{user}: {refused.text(gettext)}", messages.WARNING)
        else:
            text = gettext("%(user)s logs in by password alone now. Ask for a new factor soon.")
            self.message_user(request, text % {"user": user})


@register(EmailAddress)
class EmailAddressAdmin(Placed, allauth_account.EmailAddressAdmin, ModelAdmin):
    list_per_page = 50
    show_full_result_count = False


# Rows of the chosen marketplace


class InvitationForm(forms.ModelForm):
    """An address and a role; whether the address is known here already is not told."""

    email = forms.EmailField(label=_("e-mail address"), max_length=254, widget=EmailInput())

    class Meta:
        model = models.Membership
        fields = ["email", "role"]


@register(models.Membership)
class MembershipAdmin(TenantAdmin):
    """The operators of the chosen marketplace. Its owners take people in and let them go."""

    comes_from = _("Add the people who work for this marketplace, each with a role.")
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
        # The letter goes out once the membership stands; a mail server that is down undoes nothing.
        letter = partial(_welcome, made, request.build_absolute_uri("/admin/"))
        transaction.on_commit(letter, robust=True)

    def delete_model(self, request, obj):
        memberships.remove(obj, by=request.user, at=timezone.now())

    # The processes keep the trail.

    def log_addition(self, request, obj, message):
        pass

    def log_change(self, request, obj, message):
        pass

    def log_deletions(self, request, queryset):
        pass


def _welcome(membership, address):
    """Tell a new operator where to log in. Who has no password yet asks there for one."""
    market = membership.marketplace
    with translation.override(market.locale):
        subject = gettext("You now work for %(marketplace)s") % {"marketplace": market.name}
        send_mail(
            # A marketplace's name may hold a line break; a header may not.
            " ".join(subject.split()),
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
