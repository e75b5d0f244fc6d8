"""allauth's forms of a passkey, with a label that can be translated."""

from allauth.mfa.webauthn import forms as allauth_forms
from django import forms
from django.utils.translation import gettext_lazy as _


class AddForm(allauth_forms.AddWebAuthnForm):
    name = forms.CharField(
        label=_("Name of the passkey"),
        required=False,
        help_text=_("So that you know it again, such as “work phone”."),
    )


class EditForm(allauth_forms.EditWebAuthnForm):
    name = forms.CharField(label=_("Name of the passkey"))
