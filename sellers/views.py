"""The seller centre's own pages: which shop, its people, its data. Money and work are above."""

from functools import partial

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from marketplace import forms as refusals
from marketplace.fresh_log_in import fresh_log_in
from marketplace.refusals import Refused
from sellers import (
    access,
    applying,
    bank_accounts,
    business_status,
    forms,
    letters,
    members,
    profiles,
    shops,
)
from sellers.access import seller_page
from sellers.models import BankAccount, Invitation, Seller, SellerMember

ACCOUNTS_SHOWN = 10
WANTED = "wants_to_sell_at"  # kept while the letter with the confirmation is on its way


def welcome(request):
    """The root of the site: everybody is sent to where they belong."""
    if not request.user.is_authenticated:
        return render(request, "sellers/welcome.html")
    places = shops.places_of(request.user)
    if len(places) == 1:
        return redirect(places[0].address)
    if not places and (wanted := request.session.pop(WANTED, None)):
        return redirect("shop_apply", wanted)
    return render(request, "sellers/places.html", {"places": places})


@login_required
@require_http_methods(["GET", "POST"])
def choose(request, marketplace):
    """Among several shops of one marketplace."""
    memberships = access.memberships_of(request.user, request.marketplace)
    if request.method == "POST":
        member = get_object_or_404(memberships, seller__public_id=request.POST.get("shop", ""))
        access.choose(request, member.seller)
        return redirect("shop_home", marketplace)
    if not memberships:
        raise Http404
    return render(request, "sellers/choose.html", {"memberships": memberships})


@require_http_methods(["GET", "POST"])
def apply(request, marketplace):
    """The application, and afterwards what became of it. Open to everybody."""
    if not request.user.is_authenticated:
        request.session[WANTED] = marketplace
        return render(request, "sellers/apply_welcome.html")
    seller = applying.latest_of(request.user)
    is_waiting = seller is not None and seller.state == Seller.State.ONBOARDING
    rejection = applying.rejection(seller) if seller else None
    if is_waiting or (rejection is not None and "again" not in request.GET):
        context = {"seller": seller, "rejection": rejection}
        return render(request, "sellers/application.html", context)
    if seller is not None and rejection is None and "again" not in request.GET:
        return redirect("shop_home", marketplace)
    form = forms.ApplicationForm(
        request.POST or None, initial={"contact_email": request.user.email}
    )
    if request.method == "POST" and form.is_valid():
        try:
            applying.apply(form.application(), by=request.user, at=timezone.now())
        except Refused as refused:
            form.add_error(None, refused.text(gettext))
        else:
            messages.success(request, gettext("Your application has been received."))
            return redirect("shop_apply", marketplace)
    return render(request, "sellers/apply.html", {"form": form}, status=refusals.status(form))


@seller_page(owner_only=True, even_waiting=True)
@require_http_methods(["GET", "POST"])
def people(request, marketplace):
    """Members and invitations; a POST invites."""
    form = forms.InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation = members.invite(
                request.seller, **form.cleaned_data, by=request.user, at=timezone.now()
            )
        except Refused as refused:
            form.add_error("email", refused.text(gettext))
        else:
            link = reverse("shop_invitation", args=[marketplace, members.token(invitation)])
            address = request.build_absolute_uri(link)
            # The mail goes out once the invitation stands; it can be sent anew by inviting anew.
            transaction.on_commit(
                partial(letters.invitation, invitation, address, at=timezone.now()),
                robust=True,
            )
            messages.success(
                request, gettext("An invitation was sent to %(email)s.") % form.cleaned_data
            )
            return redirect("shop_members", marketplace)
    context = {
        "form": form,
        "members": request.seller.members.select_related("user").order_by("role", "pk"),
        "invitations": Invitation.objects.waiting().filter(seller=request.seller).order_by("pk"),
        "roles": SellerMember.Role.choices,
        "now": timezone.now(),
    }
    return render(request, "sellers/members.html", context, status=refusals.status(form))


@seller_page(owner_only=True, even_waiting=True)
@require_POST
def change_role(request, marketplace, user):
    member = get_object_or_404(request.seller.members.select_related("seller"), user_id=user)
    form = forms.RoleForm(request.POST)
    if form.is_valid():
        members.change_role(member, form.cleaned_data["role"], by=request.user, at=timezone.now())
        messages.success(request, gettext("The role was changed."))
    else:
        messages.error(request, gettext("Choose one of the roles."))
    return redirect("shop_members", marketplace)


@seller_page(owner_only=True, even_waiting=True)
@require_POST
def remove_member(request, marketplace, user):
    member = get_object_or_404(request.seller.members.select_related("seller"), user_id=user)
    members.remove(member, by=request.user, at=timezone.now())
    messages.success(request, gettext("The member was removed."))
    if member.user_id == request.user.pk:
        return redirect("welcome")
    return redirect("shop_members", marketplace)


@seller_page(owner_only=True, even_waiting=True)
@require_POST
def withdraw_invitation(request, marketplace, public_id):
    own = Invitation.objects.filter(seller=request.seller)
    invitation = get_object_or_404(own, public_id=public_id)
    members.withdraw(invitation, by=request.user, at=timezone.now())
    messages.success(request, gettext("The invitation was withdrawn."))
    return redirect("shop_members", marketplace)


@require_http_methods(["GET", "POST"])
def accept_invitation(request, marketplace, link):
    """Where the letter leads: to log in or sign up first, then to say yes."""
    try:
        invitation = members.read(link, at=timezone.now())
        if request.method == "POST" and request.user.is_authenticated:
            member = members.accept(invitation, by=request.user, at=timezone.now())
            access.choose(request, member.seller)
            messages.success(request, gettext("Welcome to the shop."))
            return redirect("shop_home", marketplace)
    except Refused as refused:
        context = {"refusal": refused.text(gettext)}
        return render(request, "sellers/invitation.html", context, status=409)
    if not request.user.is_authenticated:
        # Whoever holds the link has read the letter, so the address needs no second letter.
        get_adapter().stash_verified_email(request, invitation.email)
    return render(request, "sellers/invitation.html", {"invitation": invitation})


@seller_page(even_waiting=True)
@require_http_methods(["GET", "POST"])
def profile(request, marketplace):
    """What is known of the seller; its owners change how the seller is reached."""
    row = profiles.of(request.seller)
    is_owner = request.seller_role == SellerMember.Role.OWNER
    initial = {name: getattr(row, name) for name in forms.ContactForm.base_fields}
    form = forms.ContactForm(request.POST or None, initial=initial) if is_owner else None
    if request.method == "POST":
        access.refuse_staff(request)
        if form.is_valid():
            profiles.change(request.seller, form.contact(), by=request.user, at=timezone.now())
            messages.success(request, gettext("The contact data was saved."))
            return redirect("shop_profile", marketplace)
    context = {"profile": row, "form": form, "business": business_status.of_seller(request.seller)}
    return render(request, "sellers/profile.html", context, status=refusals.status(form))


@never_cache
@seller_page(owner_only=True, even_waiting=True)
def bank_account(request, marketplace):
    """The account that the seller is paid to, masked, and those before it."""
    accounts = BankAccount.objects.filter(seller=request.seller).order_by("-registered_at", "-pk")
    context = {"accounts": accounts[:ACCOUNTS_SHOWN], "now": timezone.now()}
    return render(request, "sellers/bank_account.html", context)


@never_cache
@seller_page(owner_only=True, even_waiting=True)
@fresh_log_in
@require_http_methods(["GET", "POST"])
def change_bank_account(request, marketplace):
    form = forms.BankAccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            bank_accounts.register(
                request.seller, form.account(), by=request.user, at=timezone.now()
            )
        except Refused as refused:
            form.add_error(None, refused.text(gettext))
        else:
            messages.success(request, gettext("The bank account was registered."))
            return redirect("shop_bank_account", marketplace)
    context = {"form": form, "days": bank_accounts.COOLING.days}
    return render(
        request, "sellers/change_bank_account.html", context, status=refusals.status(form)
    )
