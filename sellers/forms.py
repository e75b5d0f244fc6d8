"""What the seller centre's own forms must look like. What is refused is for the processes."""

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import changes, identifiers
from marketplace.refusals import Refused
from sellers.applying import Application
from sellers.bank_accounts import Account
from sellers.banks import Bank
from sellers.models import Seller, SellerMember
from sellers.profiles import Contact

LONGEST_EMAIL = 254  # as the tables have it; Django's forms take longer ones
_phone = RegexValidator(r"^[0-9+() \-]{8,30}$", _("Use digits and hyphens, such as 02-1234-5678."))


class ContactForm(forms.Form):
    """How the seller is reached."""

    address = forms.CharField(
        label=_("Business address"),
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "street-address"}),
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=30,
        validators=[_phone],
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )
    contact_email = forms.EmailField(
        label=_("E-mail for letters of the marketplace"),
        max_length=LONGEST_EMAIL,
        help_text=_("Statements, warnings and requests are sent here."),
    )

    def contact(self) -> Contact:
        return Contact(**self.cleaned_data)


class ApplicationForm(ContactForm):
    """A business that wants to sell. `number_is_right` is asked for when its check digit is not."""

    shop_name = forms.CharField(
        label=_("Shop name"), max_length=200, help_text=_("This is the name that buyers see.")
    )
    seller_type = forms.ChoiceField(
        label=_("Type of business"), choices=Seller.Type, initial=Seller.Type.SOLE_PROPRIETOR
    )
    business_number = forms.CharField(
        label=_("Business registration number"),
        max_length=20,
        required=False,
        help_text=_("Ten digits, such as 123-45-67891. Individuals leave this empty."),
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    number_is_right = forms.BooleanField(
        label=_("The number is written exactly as on the certificate"), required=False
    )
    company = forms.CharField(
        label=_("Company name"),
        max_length=200,
        required=False,
        help_text=_("As on the business registration certificate."),
    )
    representative = forms.CharField(
        label=_("Representative"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    mail_order_report = forms.CharField(
        label=_("Mail-order sales report number"),
        max_length=60,
        required=False,
        help_text=_("Can be handed in later if you have not reported yet."),
    )

    field_order = [
        "shop_name",
        "seller_type",
        "business_number",
        "number_is_right",
        "company",
        "representative",
        "mail_order_report",
        "address",
        "phone",
        "contact_email",
    ]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self._has_odd_number():
            del self.fields["number_is_right"]

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("seller_type") != Seller.Type.INDIVIDUAL:
            if cleaned.get("business_number") == "":
                self.add_error(
                    "business_number",
                    gettext("Enter the number, or choose “Individual” as the type."),
                )
            if cleaned.get("company") == "":
                self.add_error("company", gettext("Enter the name of the company."))
        if "number_is_right" in self.fields and not cleaned.get("number_is_right"):
            text = gettext(
                "The check digit of this number is wrong. Please compare it with the certificate; "
                "if it is written exactly like this, tick the box below."
            )
            self.add_error("business_number", text)
        return cleaned

    def clean_business_number(self):
        text = self.cleaned_data["business_number"]
        if text and not self._is_individual():
            try:
                identifiers.business_number(text)
            except Refused as refused:
                raise forms.ValidationError(refused.text(gettext)) from refused
        return text

    def application(self) -> Application:
        told = {name: self.cleaned_data[name] for name in Application.__slots__}
        return Application(**told)

    def _is_individual(self) -> bool:
        return self.data.get("seller_type") == Seller.Type.INDIVIDUAL

    def _has_odd_number(self) -> bool:
        if not self.is_bound or self._is_individual():
            return False
        try:
            return bool(identifiers.business_number(self.data.get("business_number", "")).warning)
        except Refused:
            return False


class InvitationForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), max_length=LONGEST_EMAIL)
    role = forms.ChoiceField(
        label=_("Role"), choices=SellerMember.Role, initial=SellerMember.Role.STAFF
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=SellerMember.Role)


class BankAccountForm(forms.Form):
    bank = forms.ChoiceField(label=_("Bank"), choices=[("", _("Choose a bank")), *Bank.choices])
    holder = forms.CharField(
        label=_("Account holder"),
        max_length=100,
        help_text=_("The representative, or the company, as the bank knows it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-private": True}),
    )
    number = forms.CharField(
        label=_("Account number"),
        max_length=30,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "inputmode": "numeric", "data-private": True}
        ),
    )

    def account(self) -> Account:
        return Account(**self.cleaned_data)


class WebhookForm(forms.Form):
    """Where a seller's events are sent."""

    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_("An https:// address of your receiver."),
        widget=forms.TextInput(attrs={"inputmode": "url"}),
    )
    types = forms.MultipleChoiceField(
        label=_("Event types"),
        required=False,
        help_text=_("Without any, every event is sent."),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        choices=[
            (code, text) for code, text in changes.TYPES.items() if code in changes.OF_SELLERS
        ],
    )
