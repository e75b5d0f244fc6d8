"""What operators type about the ledger: names of accounts, journals by hand, reasons."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.amount_fields import AmountField
from marketplace.reasons import LONGEST
from marketplace.refusals import Refused
from sellers.models import Seller
from settlements import accounts, bank_files, chart, file_problems, models, provider_files
from settlements.admin_forms import MOST_BYTES

LEGS = 6  # that the form for a journal has room for
_DAY = {"widget": forms.DateInput(attrs={"type": "date"})}


class AccountForm(forms.ModelForm):
    """An account of the operators' own."""

    def clean_code(self):
        code = self.cleaned_data["code"]
        try:
            accounts.refuse_unusable(code)
        except Refused as refused:
            raise ValidationError(refused.text(gettext), code=refused.code) from refused
        return code


class AccountNamesForm(forms.Form):
    name = forms.CharField(label=_("name"), max_length=100)
    name_english = forms.CharField(label=_("name in English"), max_length=100, required=False)
    place = forms.IntegerField(label=_("order"), min_value=0, max_value=32_767)


class ReasonOfFinanceForm(forms.Form):
    """Why. Nobody outside reads it."""

    reason = forms.CharField(
        label=_("reason"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("It is kept in the audit trail."),
    )


class ReversalForm(ReasonOfFinanceForm):
    on = forms.DateField(label=_("Effective on"), **_DAY)
    document = forms.CharField(label=_("Document"), max_length=200)


class JournalForm(ReasonOfFinanceForm):
    """A journal by hand: up to LEGS legs, each on one account and one side."""

    on = forms.DateField(label=_("Effective on"), **_DAY)
    document = forms.CharField(
        label=_("Document"),
        max_length=200,
        help_text=_("The number or place of what it follows from."),
    )
    field_order = ["on", "document", "reason"]

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        choices = models.Account.objects.filter(is_per_seller=False).order_by("place", "code")
        offered = [("", "–"), *((account.code, str(account)) for account in choices)]
        for number in range(1, LEGS + 1):
            leg = {"number": number}
            row = {
                "account": forms.ChoiceField(
                    label=_("Account %(number)s") % leg, choices=offered, required=False
                ),
                "debit": AmountField(label=_("Debit %(number)s") % leg, required=False),
                "credit": AmountField(label=_("Credit %(number)s") % leg, required=False),
            }
            for name, field in row.items():
                field.widget.attrs["aria-label"] = field.label  # the table has no room for it
                self.fields[f"{name}_{number}"] = field

    def head(self):
        return [self[name] for name in ("on", "document", "reason")]

    def rows(self):
        """The fields of each leg."""
        return [
            [self[f"{name}_{number}"] for name in ("account", "debit", "credit")]
            for number in range(1, LEGS + 1)
        ]

    def clean(self):
        given = self.cleaned_data
        legs = []
        for number in range(1, LEGS + 1):
            code = given.pop(f"account_{number}", "")
            debit = given.pop(f"debit_{number}", None) or 0
            credit = given.pop(f"credit_{number}", None) or 0
            if code or debit or credit:
                legs.append((code, debit, credit))
        given["legs"] = legs
        return given


class RemarkOfFinanceForm(ReasonOfFinanceForm):
    """A remark, needed only where a sum does not come out."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.fields["reason"].required = False
        self.fields["reason"].label = _("remark")


class BookingForm(ReasonOfFinanceForm):
    """Where a difference belongs."""

    account = forms.ChoiceField(label=_("Account"))
    field_order = ["account", "reason"]

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        rows = models.Account.objects.filter(is_per_seller=False).exclude(
            code__in=(chart.SUSPENSE, chart.CLEARING)
        )
        self.fields["account"].choices = [
            (row.code, str(row)) for row in rows.order_by("place", "code")
        ]
        self.fields["account"].initial = chart.RECONCILIATION_DIFFERENCE


class ItemBookingForm(ReversalForm):
    """Where what an order adds to the clearing account belongs."""

    account = forms.ChoiceField(label=_("Account"))
    field_order = ["account", "on", "document", "reason"]

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        rows = models.Account.objects.filter(is_per_seller=False).exclude(code=chart.CLEARING)
        self.fields["account"].choices = [
            ("", "–"),
            *((row.code, str(row)) for row in rows.order_by("place", "code")),
        ]


class FormatFileForm(forms.Form):
    """A CSV file in one of the formats of a module that reads such files."""

    formats = provider_files

    format = forms.ChoiceField(label=_("Format"))
    file = forms.FileField(label=_("CSV file"), help_text=_("Up to 20 MB."))

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.fields["format"].choices = [
            (code, self.formats.load_format(code).name) for code in self.formats.available()
        ]

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(_("The file is larger than 20 MB."), code="too_large")
        return file


class ProviderFileForm(FormatFileForm):
    """A settlement file of a payment provider."""


class BankFileForm(FormatFileForm):
    """A list of transactions of a bank account, one that is known or a new one."""

    formats = bank_files

    account = forms.ChoiceField(label=_("own bank account"), required=False)
    new_account = forms.CharField(
        label=_("Name of a new bank account"),
        max_length=60,
        required=False,
        help_text=_("Bank and number, as people will look for it. Chosen from the list later."),
    )
    field_order = ["account", "new_account", "format", "file"]

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        known = models.BankFile.objects.order_by("account").values_list("account", flat=True)
        names = [(name, name) for name in known.distinct()]
        self.fields["account"].choices = [*names, ("", _("a new bank account"))]

    def clean(self):
        given = self.cleaned_data
        new = " ".join(given.pop("new_account", "").split())
        if given.get("account") and new:
            self.add_error("new_account", _("Choose a bank account or name a new one, not both."))
        elif not given.get("account") and "account" in given:
            if not new:
                self.add_error("new_account", _("Choose a bank account, or name a new one."))
            given["account"] = new
        return given


class ProposalForm(forms.Form):
    """One of the proposals for a bank transaction."""

    proposal = forms.ChoiceField(label=_("Proposal"))

    def __init__(self, data=None, *, choices):
        super().__init__(data)
        self.fields["proposal"].choices = choices


class MovementsForm(ReasonOfFinanceForm):
    """Journals that come to the amount of a bank transaction together."""

    journals = forms.TypedMultipleChoiceField(
        label=_("Journals"),
        coerce=int,
        help_text=_("One or several: together they come to the amount of the transaction."),
    )
    field_order = ["journals", "reason"]

    def __init__(self, data=None, *, choices):
        super().__init__(data)
        self.fields["journals"].choices = choices


class SellerForm(forms.Form):
    """Whose it is, by the seller's code; None without one."""

    seller = forms.CharField(label=_("Seller's code"), max_length=60)

    def clean_seller(self):
        code = self.cleaned_data["seller"].strip()
        if not code:
            return None
        seller = Seller.objects.filter(code=code).first()
        if seller is None:
            raise forms.ValidationError(_("There is no seller with this code."), code="unknown")
        return seller


class BankBookingForm(ReasonOfFinanceForm):
    """Where a bank transaction belongs that nothing explains."""

    account = forms.ChoiceField(label=_("Account"))
    field_order = ["account", "reason"]

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        rows = models.Account.objects.filter(is_per_seller=False).exclude(code=chart.BANK)
        self.fields["account"].choices = [
            (row.code, str(row)) for row in rows.order_by("place", "code")
        ]
        self.fields["account"].initial = chart.SUSPENSE


class DayForm(forms.Form):
    on = forms.DateField(label=_("At the end of"), **_DAY)


def problems_told(problems) -> list[dict]:
    """What is wrong with the rows of a file, for a page."""
    return [
        {"row": problem.row, "column": problem.column, "reason": problem.text(gettext)}
        for problem in problems[: file_problems.MOST]
    ]
