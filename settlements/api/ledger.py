"""The ledger over HTTP, for the marketplace's own keys: accounts, journals, months, day sheets."""

from datetime import date

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin

from marketplace.api import etags
from marketplace.api.fields import Document, Moment, Money
from marketplace.api.views import ReadMixin, Resource, span
from sellers.models import Seller
from settlements import day_figures, ledger_balances, ledger_reading
from settlements.models import (
    Account,
    DayClose,
    Discrepancy,
    Journal,
    LedgerEntry,
    Period,
    ProviderRow,
)


class AccountDocument(Document):
    """An account, and all that was posted on it up to the end of a day.

    `balance` is debit less credit: below zero where something is owed to others.
    """

    code = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(Account.Kind.choices, read_only=True)
    normal_side = serializers.ChoiceField(Account.Side.choices, read_only=True)
    name = serializers.CharField(read_only=True)
    name_english = serializers.CharField(read_only=True)
    is_per_seller = serializers.BooleanField(read_only=True)
    on = serializers.DateField(read_only=True)
    debit = Money(source="sides.debit", read_only=True)
    credit = Money(source="sides.credit", read_only=True)
    balance = Money(source="sides.balance", read_only=True)


class EntryDocument(Document):
    """An entry on an account. `occurred_on` is given where its own day took no journal any more."""

    journal = serializers.CharField(source="journal.key", read_only=True)
    basis_on = serializers.DateField(source="entry.basis_on", read_only=True)
    occurred_on = serializers.DateField(
        source="journal.occurred_on", read_only=True, allow_null=True
    )
    seller = serializers.CharField(
        source="seller.public_id", read_only=True, allow_null=True, default=None
    )
    debit = Money(source="entry.debit", read_only=True)
    credit = Money(source="entry.credit", read_only=True)


class LegDocument(Document):
    account = serializers.CharField(source="account.code", read_only=True)
    seller = serializers.CharField(
        source="seller.public_id", read_only=True, allow_null=True, default=None
    )
    debit = Money(source="entry.debit", read_only=True)
    credit = Money(source="entry.credit", read_only=True)


class JournalDocument(Document):
    """A journal with its legs, whose debits are its credits. It never changes."""

    id = serializers.CharField(source="key", read_only=True)
    template = serializers.CharField(read_only=True)
    reference = serializers.CharField(read_only=True)
    basis_on = serializers.DateField(read_only=True)
    occurred_on = serializers.DateField(read_only=True, allow_null=True)
    reverses = serializers.CharField(
        source="reverses.key", read_only=True, allow_null=True, default=None
    )
    legs = LegDocument(many=True, read_only=True)


class PeriodDocument(Document):
    """A month by its first day; `hash` and `closed_at` are those of its last closing."""

    month = serializers.DateField(read_only=True)
    state = serializers.ChoiceField(Period.State.choices, read_only=True)
    version = serializers.IntegerField(read_only=True)
    closed_at = Moment(read_only=True, allow_null=True)
    hash = serializers.CharField(read_only=True, allow_null=True)


class DayDocument(Document):
    """A business day; `hash` and `signed_at` are those of the sheet that two people signed last."""

    day = serializers.DateField(read_only=True)
    state = serializers.ChoiceField(DayClose.State.choices, read_only=True)
    version = serializers.IntegerField(read_only=True)
    signed_at = Moment(read_only=True, allow_null=True)
    hash = serializers.CharField(read_only=True, allow_null=True)


class TermDocument(Document):
    code = serializers.CharField()
    sign = serializers.IntegerField()
    amount = Money(allow_null=True)


class BlockDocument(Document):
    """A sum that has to come to its result. What is not known is null."""

    code = serializers.CharField()
    terms = TermDocument(many=True)
    result = TermDocument()
    difference = Money(allow_null=True)


class UnresolvedDocument(Document):
    """`discrepancies` is a count, the others are minor units."""

    code = serializers.CharField()
    value = serializers.IntegerField()


class DaySheetDocument(DayDocument):
    """The sheet of a day: as it was signed, or as things stand."""

    remark = serializers.CharField(read_only=True)
    blocks = BlockDocument(many=True, read_only=True)
    unresolved = UnresolvedDocument(many=True, read_only=True)


class DiscrepancyDocument(Document):
    """What a payment provider says of a payment or a refund, and is not what the orders say.

    `difference` is what it found less what was expected; `suspended` stands on the suspense account
    until it is explained. `account` is what it was booked on.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    kind = serializers.ChoiceField(Discrepancy.Kind.choices, read_only=True)
    side = serializers.ChoiceField(ProviderRow.Kind.choices, read_only=True)
    provider_id = serializers.CharField(read_only=True)
    expected = Money(read_only=True)
    found = Money(read_only=True)
    difference = Money(read_only=True)
    suspended = Money(read_only=True)
    found_on = serializers.DateField(read_only=True)
    state = serializers.ChoiceField(Discrepancy.State.choices, read_only=True)
    account = serializers.CharField(read_only=True)
    reason = serializers.CharField(read_only=True)
    closed_at = Moment(read_only=True, allow_null=True)


class AccountViewSet(ReadMixin, Resource):
    """The chart of accounts with its balances at the end of a day: a trial balance.

    `on` is today where it is not given. With `seller`, only what is kept per seller counts.
    """

    resource = "ledger"
    parameters = ("on", "seller")
    lists_below = {"entries": ("seller", *span("basis_on"))}
    serializer_class = AccountDocument
    lookup_field = "code"
    lookup_value_regex = r"[a-z][a-z0-9_]*(?::[a-z0-9_.-]+)?"

    def get_queryset(self):
        return Account.objects.all()

    def paginate_queryset(self, queryset):
        page = super().paginate_queryset(queryset)
        return self._with_sides(page) if self.action == "list" else page

    def get_object(self):
        account = super().get_object()
        self._with_sides([account])
        return account

    @extend_schema(responses={200: EntryDocument(many=True)})
    @action(detail=True)
    def entries(self, request, code):
        """What was posted on an account: its card, of all sellers or of one."""
        account = get_object_or_404(Account, code=code)
        entries = LedgerEntry.objects.filter(account_id=account.pk)
        if seller := self._seller():
            entries = entries.filter(seller_id=seller.pk)
        page = self.paginate_queryset(self.within(entries, "basis_on"))
        legs = ledger_reading.named(page, with_journals=True)
        documents = EntryDocument(legs, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(documents.data)

    def _with_sides(self, accounts: list[Account]) -> list[Account]:
        is_list = self.action == "list"
        on = self.date_parameter("on") if is_list else None
        on = on or timezone.localdate()
        seller = self._seller() if is_list else None
        sides = ledger_balances.at_end_of(on, seller_id=seller.pk if seller else None)
        for account in accounts:
            account.on, account.sides = on, sides.get(account.pk, ledger_balances.Sides())
        return accounts

    def _seller(self) -> Seller | None:
        public_id = self.text_parameter("seller")
        return get_object_or_404(Seller, public_id=public_id) if public_id else None


class JournalViewSet(ReadMixin, Resource):
    """Journals, newest first, each named by its template and what it refers to."""

    resource = "ledger"
    parameters = ("template", "reference", *span("basis_on"))
    serializer_class = JournalDocument
    lookup_field = "key"
    lookup_value_regex = "[a-z_]+:[0-9A-Za-z_.:-]+"

    def get_queryset(self):
        found = Journal.objects.select_related("reverses")
        if template := self.text_parameter("template"):
            found = found.filter(template=template)
        if reference := self.text_parameter("reference"):
            found = found.filter(reference=reference)
        return self.within(found, "basis_on")

    def paginate_queryset(self, queryset):
        return _with_legs(super().paginate_queryset(queryset))

    def get_object(self):
        template, _colon, reference = self.kwargs["key"].partition(":")
        rows = Journal.objects.select_related("reverses")
        journal = get_object_or_404(rows, template=template, reference=reference)
        return _with_legs([journal])[0]


class PeriodViewSet(ListModelMixin, Resource):
    """Months of the ledger: what is closed takes no journal any more."""

    resource = "ledger"
    parameters = ("state",)
    serializer_class = PeriodDocument
    page_order = ("month",)

    def get_queryset(self):
        found = Period.objects.prefetch_related("closings")
        states = self.choice_parameter("state", Period.State)
        return found.filter(state__in=states) if states else found

    def paginate_queryset(self, queryset):
        page = super().paginate_queryset(queryset)
        for row in page:
            last = max(row.closings.all(), key=lambda each: each.version, default=None)
            row.closed_at, row.hash = (last.closed_at, last.hash) if last else (None, None)
        return page


class DayViewSet(ReadMixin, Resource):
    """Business days that nights have closed, newest first; one with its sheet."""

    resource = "ledger"
    parameters = ("state",)
    serializer_class = DayDocument
    page_order = ("day",)
    lookup_field = "day"
    lookup_value_regex = r"\d{4}-\d{2}-\d{2}"

    def get_queryset(self):
        found = DayClose.objects.prefetch_related("sheets")
        if states := self.choice_parameter("state", DayClose.State):
            found = found.filter(state__in=states)
        return found

    def paginate_queryset(self, queryset):
        return [_signed(row) for row in super().paginate_queryset(queryset)]

    @extend_schema(responses={200: DaySheetDocument})
    def retrieve(self, request, day):
        """The sheet of a day: as two people signed it, or as things stand."""
        row = _signed(self._day(day))
        sheet, signed = day_figures.shown(row)
        row.remark = signed.remark if signed else row.remark
        row.blocks = sheet.blocks
        row.unresolved = [{"code": code, "value": value} for code, value in sheet.unresolved]
        document = DaySheetDocument(row, context=self.get_serializer_context())
        return etags.respond(request, document.data)

    def _day(self, day: str) -> DayClose:
        try:
            wanted = date.fromisoformat(day)
        except ValueError:
            raise Http404 from None
        return get_object_or_404(DayClose.objects.prefetch_related("sheets"), day=wanted)


class DiscrepancyViewSet(ReadMixin, Resource):
    """What differs from payment providers. People explain it, or two of them book it."""

    resource = "ledger"
    parameters = ("state", "provider_id", *span("found_on"))
    serializer_class = DiscrepancyDocument
    lookup_field = "public_id"

    def get_queryset(self):
        found = Discrepancy.objects.all()
        if states := self.choice_parameter("state", Discrepancy.State):
            found = found.filter(state__in=states)
        if provider_id := self.text_parameter("provider_id"):
            found = found.filter(provider_id=provider_id)
        return self.within(found, "found_on")


def _with_legs(journals: list[Journal]) -> list[Journal]:
    legs = ledger_reading.legs(journals)
    for journal in journals:
        journal.legs = legs[journal.pk]
    return journals


def _signed(row: DayClose) -> DayClose:
    last = max(row.sheets.all(), key=lambda each: each.version, default=None)
    row.signed_at, row.hash = (last.signed_at, last.hash) if last else (None, None)
    return row
