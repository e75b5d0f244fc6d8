"""What operators type about fees: rates as percentages, tiers by lines, files, a line to try."""

import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from listings import kind_words
from listings.models import Category
from marketplace import amount_fields
from marketplace.admin import Textarea, TextInput
from marketplace.amount_fields import AmountField
from marketplace.approval_pages import ReasonForm
from marketplace.reasons import LONGEST
from marketplace.refusals import Refused
from sellers import grades
from sellers.models import GradePolicy, Seller
from settlements import ledger, models, percents, rate_cards, schedule_files, table_files
from settlements.models.adjustments import TAX_KINDS

_BY_RULE = models.Adjustment.MADE_BY_RULE
GOODS = "goods"
MOST_BYTES = 20 * 1024 * 1024
_DAY = {"widget": forms.DateInput(attrs={"type": "date"})}
_TIER = re.compile(r"\s*([0-9][0-9,.]*)\s*[: ]\s*(.+)")


class PercentField(forms.CharField):
    """A rate in parts per million, shown and typed as a percentage."""

    def prepare_value(self, value):
        return percents.show(value) if isinstance(value, int) else value

    def to_python(self, value):
        if isinstance(value, int):
            return value
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        try:
            return percents.parse(text)
        except Refused as refused:
            raise ValidationError(refused.text(gettext), code=refused.code) from refused

    def has_changed(self, initial, data):
        try:
            return initial != self.to_python(data)
        except ValidationError:
            return True


class TiersField(forms.CharField):
    """Tiers as lines "0: 12 %": each begins at an amount and ends where the next begins."""

    def prepare_value(self, value):
        if isinstance(value, list):
            return "\n".join(
                f"{amount_fields.shown(start)}: {percents.show(rate)}"
                for start, _end, rate in value
            )
        return value

    def to_python(self, value):
        if value is None or isinstance(value, list):
            return value
        read = [self._line(line) for line in value.splitlines() if line.strip()]
        ends = [start for start, _rate in read[1:]] + [None]
        tiers = [[start, end, rate] for (start, rate), end in zip(read, ends, strict=False)]
        return tiers or None

    def has_changed(self, initial, data):
        try:
            return initial != self.to_python(data)
        except ValidationError:
            return True

    def _line(self, line):
        written = _TIER.fullmatch(line)
        if written is None:
            raise ValidationError(
                _("“%(line)s” is no tier. Write lines such as 1,000,000: 10 %%."),
                code="not_a_tier",
                params={"line": line[:40]},
            )
        try:
            return amount_fields.read(written[1]), percents.parse(written[2])
        except Refused as refused:
            raise ValidationError(refused.text(gettext), code=refused.code) from refused


class FeeRuleForm(forms.ModelForm):
    price_from = AmountField(label=_("from unit price"), required=False, widget=TextInput)
    price_to = AmountField(label=_("to unit price, exclusive"), required=False, widget=TextInput)
    fixed_amount = AmountField(label=_("fixed amount"), widget=TextInput)
    min_amount = AmountField(label=_("minimum"), required=False, widget=TextInput)
    max_amount = AmountField(label=_("maximum"), required=False, widget=TextInput)
    rate_ppm = PercentField(
        label=_("rate"), help_text=_("Without VAT, for example 12 %."), widget=TextInput
    )
    bands = TiersField(
        label=_("tiers"),
        required=False,
        widget=Textarea(attrs={"rows": 4}),
        help_text=_(
            "Instead of the one rate: a line for each tier, from which amount and at which rate, "
            "such as 0: 12 %."
        ),
    )


class PublicationForm(ReasonForm):
    """Why fees should be published, and whether sooner than sellers were promised."""

    waive_notice = forms.BooleanField(
        label=_("Waive the notice to sellers"),
        required=False,
        help_text=_(
            "Only where the law and your terms allow it; say why. A second person decides."
        ),
    )


class RehearsalForm(forms.Form):
    """The period whose lines fees are replayed over, by basis date."""

    first_on = forms.DateField(label=_("Basis date from"), **_DAY)
    last_on = forms.DateField(label=_("Up to and with"), **_DAY)


class ExportForm(forms.Form):
    """The days of an export; without them it is whole."""

    first_on = forms.DateField(label=_("From"), required=False, **_DAY)
    last_on = forms.DateField(label=_("Up to and with"), required=False, **_DAY)
    file_type = forms.ChoiceField(
        label=_("Kind of file"),
        choices=[(table_files.CSV, "CSV"), (table_files.XLSX, "XLSX")],
        initial=table_files.CSV,
    )


class FeeScheduleVersionForm(forms.ModelForm):
    vat_rate_ppm = PercentField(label=_("VAT rate"), widget=TextInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if components := self.fields.get("components"):
            known = ", ".join(f"{code} = {n}" for code, n in ledger.fee_names().items())
            components.widget = TextInput()
            components.help_text = gettext(
                "Codes, by commas, in the order in which they are computed. Known: %(known)s."
            ) % {"known": known}


class SettlementTermsForm(forms.ModelForm):
    minimum_payout = AmountField(label=_("minimum payout"), widget=TextInput)
    reserve_ppm = PercentField(label=_("reserve"), widget=TextInput)
    fast_ppm = PercentField(
        label=_("paid ahead on shipment"),
        widget=TextInput,
        help_text=_("Of the expected net, to sellers of the grades named; due on the next day."),
    )

    def clean_fast_grades(self):
        codes = self.cleaned_data["fast_grades"]
        known = _grade_names()
        if unknown := [code for code in codes if code not in known]:
            raise ValidationError(
                gettext("There is no grade “%(found)s”. There are: %(codes)s.")
                % {"found": unknown[0], "codes": ", ".join(known)}
            )
        return codes


class SellerContractForm(forms.ModelForm):
    minimum_payout = AmountField(label=_("minimum payout"), required=False, widget=TextInput)
    reserve_ppm = PercentField(label=_("reserve"), required=False, widget=TextInput)
    fast_ppm = PercentField(
        label=_("paid ahead on shipment"),
        required=False,
        widget=TextInput,
        help_text=_("Of the expected net. Empty: as the grade allows. 0: never."),
    )

    monthly_fee = AmountField(
        label=_("monthly fee without VAT"),
        required=False,
        widget=TextInput,
        help_text=_("Empty: as for everybody. 0: none."),
    )
    monthly_fee_from = AmountField(
        label=_("monthly fee from sales of"),
        required=False,
        widget=TextInput,
        help_text=_("Of a month, less what was returned. Empty: as for everybody."),
    )

    def clean(self):
        given = super().clean()
        if given.get("cycle") and given.get("lag_days") is not None:
            try:
                rate_cards.read_due_terms(models.SellerContract(**_due_fields(given)))
            except (Refused, TypeError, ValueError) as error:
                why = error.text(gettext) if isinstance(error, Refused) else _("Write dates.")
                self.add_error("cycle_arg", why)
        return given


class MonthlyFeeForm(forms.ModelForm):
    threshold = AmountField(
        label=_("from sales of"),
        help_text=_("Sales confirmed in the month less what was returned."),
        widget=TextInput,
    )
    amount = AmountField(
        label=_("fee without VAT"), help_text=_("0: none is charged."), widget=TextInput
    )


class InterestTermsForm(forms.ModelForm):
    rate_ppm = PercentField(
        label=_("rate a year"),
        widget=TextInput,
        help_text=_("Simple, over 365 days; 20 % at most. 0: none is charged."),
    )


class AdjustmentForm(forms.Form):
    """An amount to be given to a seller or charged, and why."""

    direction = forms.ChoiceField(
        label=_("Direction"),
        choices=[("charge", _("charged to the seller")), ("give", _("given to the seller"))],
    )
    size = AmountField(label=_("Amount before VAT"))
    tax_kind = forms.ChoiceField(
        label=_("VAT"),
        choices=TAX_KINDS,
        help_text=_("A contract penalty is usually outside the scope of VAT."),
    )
    reason_code = forms.ChoiceField(
        label=_("Kind of reason"),
        choices=[
            choice for choice in models.Adjustment.Reason.choices if choice[0] not in _BY_RULE
        ],
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The seller reads this, and it stays in the audit trail."),
    )
    document = forms.CharField(
        label=_("Document"),
        required=False,
        max_length=200,
        help_text=_("What proves it: a number or a place."),
    )
    basis_on = forms.DateField(
        label=_("Basis date"), help_text=_("Its due date is counted from here."), **_DAY
    )

    def clean_size(self):
        if (size := self.cleaned_data["size"]) <= 0:
            raise ValidationError(_("Write an amount above 0."), code="not_above_zero")
        return size

    @property
    def amount(self) -> int:
        given = self.cleaned_data
        return given["size"] if given["direction"] == "give" else -given["size"]


class ScheduleFileForm(forms.Form):
    """A price list as CSV, to become the next version of a schedule."""

    schedule = forms.ModelChoiceField(label=_("Schedule"), queryset=None, to_field_name="code")
    valid_from = forms.DateField(label=_("Valid from"), **_DAY)
    mapping = forms.ChoiceField(label=_("Columns as in"))
    file = forms.FileField(label=_("CSV file"), help_text=_("UTF-8, up to 20 MB."))

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.fields["schedule"].queryset = models.FeeSchedule.objects.order_by("code")
        names = sorted(path.stem for path in schedule_files.FOLDER.glob("*.json"))
        self.fields["mapping"].choices = [(name, name) for name in names]

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(_("The file is larger than 20 MB."), code="too_large")
        try:
            file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError(_("The file is not CSV in UTF-8."), code="not_utf8") from error
        file.seek(0)
        return file


class LineForm(forms.Form):
    """A line of an order to try fees out on."""

    unit_price = AmountField(label=_("Unit price"))
    quantity = forms.IntegerField(label=_("Units"), min_value=1, max_value=10**6, initial=1)
    seller_discount = AmountField(label=_("Discount that the seller pays"), initial=0)
    platform_discount = AmountField(label=_("Discount that the platform pays"), initial=0)
    on = forms.DateField(label=_("Paid on"), **_DAY)
    category = forms.ModelChoiceField(
        Category.objects.none(),
        to_field_name="code",
        label=_("Category"),
        required=False,
        empty_label=_("Any other category"),
    )
    seller = forms.CharField(label=_("Seller's code"), required=False, max_length=60)
    grade = forms.ChoiceField(label=_("Grade"), required=False)
    stream = forms.ChoiceField(label=_("Revenue stream"), initial=GOODS)
    listing_kind = forms.ChoiceField(label=_("Kind of listing"), required=False)
    channel = forms.ChoiceField(label=_("Channel"), required=False)

    def __init__(self, *arguments, versions, **given):
        """`versions` of fee schedules: what their rules name can be chosen."""
        super().__init__(*arguments, **given)
        self.fields["category"].queryset = Category.objects.order_by("path")
        rules = models.FeeRule.objects.filter(version__in=versions)
        grade_names = _grade_names()
        for name in ("grade", "listing_kind", "channel", "stream"):
            codes = set(rules.values_list(name, flat=True)) - {""}
            first = ("", _("Any other"))
            if name == "stream":
                codes, first = codes - {GOODS}, (GOODS, kind_words.name(GOODS))
            told = [
                (code, grade_names.get(code) or kind_words.name(code)) for code in sorted(codes)
            ]
            self.fields[name].choices = [first, *told]

    def clean_seller(self):
        return _seller(self.cleaned_data["seller"])

    def clean(self):
        given = self.cleaned_data
        for name in ("unit_price", "seller_discount", "platform_discount"):
            if (given.get(name) or 0) < 0:
                self.add_error(name, _("Write an amount of 0 or more."))
        discounts = (given.get("seller_discount") or 0) + (given.get("platform_discount") or 0)
        if discounts > (given.get("unit_price") or 0) * (given.get("quantity") or 0):
            raise ValidationError(
                _("The discounts are more than the price of all units."), code="below_zero"
            )
        return given


def _grade_names() -> dict[str, str]:
    """By code, as the newest grade policy has them."""
    policy = GradePolicy.objects.published().order_by("-valid_from").first()
    return {each.code: each.name for each in grades.load(policy).grades} if policy else {}


def _due_fields(given) -> dict:
    names = ("lag_days", "lag_kind", "cycle", "cycle_arg", "holiday")
    return {name: given.get(name) for name in names}


def _seller(code):
    code = code.strip()
    row = Seller.objects.filter(code=code).first() if code else None
    if code and row is None:
        raise ValidationError(_("There is none with this code."), code="unknown")
    return row
