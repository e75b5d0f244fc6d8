"""The identities of the settlement arithmetic, section 11, over random histories.

JANGTEO_HISTORIES says how many are lived; the default is what fits into every run of the tests.
"""

import csv
import io
import os
from collections import Counter, defaultdict
from itertools import count

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import tenancy
from marketplace.models import JobRun
from marketplace.tests import make as people
from orders import pricing, refunds, return_shipping
from orders.folding import SHIPPING
from orders.models import Order, OrderLine, OutcomeToSettle
from settlements import (
    adjustments,
    exports,
    ledger_reading,
    rate_cards,
    sentinels,
    verification,
)
from settlements.models import (
    Account,
    Adjustment,
    Journal,
    LedgerDifference,
    LedgerEntry,
    LineTerms,
    SettlementLine,
    Statement,
)
from settlements.tests import histories
from settlements.tests.histories import LAST_ON, Life

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("JANGTEO_HISTORIES", "4"))
SILENT = {  # the sentinels of what nights do; the others tell of people and banks
    *(sentinels.WAITING, sentinels.UNSETTLED, sentinels.WITHOUT_STATEMENT, sentinels.OVERDUE),
    *(sentinels.WAITING_ADJUSTMENTS, sentinels.LINES_DIFFER, sentinels.LEDGER_DIFFERS),
    *(sentinels.HOLDS_DIFFER, sentinels.HOLDS_STUCK, sentinels.CHAIN_BROKEN, sentinels.UNPAID),
    sentinels.WITHOUT_PAYOUT,
}
SELLERS_MONEY = {
    *("seller_payable", "payout_payable", "seller_held", "seller_reserve", "seller_receivable"),
    *("withholding_income", "withholding_local"),
}
CUT_BEFORE = adjustments.component(adjustments.FUNDING_OFFSET)  # off the fees instead
_slugs = (f"history-{number}" for number in count())


@pytest.fixture
def operator():
    return people.user()


class TestRandomHistories:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories.drawn(), arrival=st.one_of(st.none(), st.integers(0, 99)))
    def test_keep_every_identity_however_they_are_lived(
        self, monkeypatch, operator, history, arrival
    ):
        _keeps_every_identity(history, [arrival], operator, monkeypatch)

    def test_keep_them_where_people_and_senders_do_everything(self, monkeypatch, operator):
        done = _keeps_every_identity(histories.everything(), [None, 7], operator, monkeypatch)
        deeds = histories.DEEDS
        by_chance = {deeds["return a payout"]}  # no payout that arrived is left to come back here
        assert {deeds[name] for name in deeds if done[name]} | by_chance == set(deeds.values())


def _keeps_every_identity(history, arrivals, operator, monkeypatch):
    """Live a history as it is told, and again in shards of one line or statement: not a byte of
    what is exported may differ. In another order of arrival, where a number names one, with every
    step of the nights repeated, nothing but names may.
    """
    lived = histories.live(history, next(_slugs), operator, monkeypatch)
    with tenancy.use(lived.market.pk):
        for keeps in IDENTITIES:
            keeps()
        told = _exported()
    for arrival in arrivals:
        otherwise = Life(arrival, shard_weight=1, repeats_nights=arrival is not None)
        again = histories.live(history, next(_slugs), operator, monkeypatch, otherwise)
        compared = _same if arrival is None else _without_names
        with tenancy.use(again.market.pk):
            for kind, text in _exported().items():
                assert compared(kind, text) == compared(kind, told[kind]), kind
    return lived.done


def _same(kind, text):
    return text


def _without_names(kind, text):
    """What an export says but for the names of adjustments, and the heads that seal them.

    Names are given by chance. Here they count up, in the order in which order lines came where
    nights pay ahead, and a repeated step counts what it then finds there already.
    """
    columns, *rows = csv.reader(io.StringIO(text))
    for row in rows:
        if kind == "statements":
            row[columns.index("head")] = ""
        elif kind == "settlement_lines" and row[columns.index("kind")] == "adjustment":
            row[columns.index("order")] = ""
    return sorted(rows)


def what_a_buyer_paid_of_a_line_and_discounts_of_others_are_its_price():
    """buyer_paid + platform_discount + partner_discount = list_amount - seller_discount."""
    for order in Order.objects.all():
        lines = sorted(
            order.lines.exclude(stream=return_shipping.STREAM),
            key=lambda line: (line.stream == SHIPPING, line.number),
        )
        tenders = order.payments.exclude(kind=return_shipping.STREAM).order_by("sequence")
        paid = pricing.tender_parts(
            [tender.amount for tender in tenders], [_paid(line) for line in lines]
        )
        for line, parts in zip(lines, zip(*paid, strict=True), strict=True):
            by_others = line.platform_discount + line.partner_discount
            assert sum(parts) + by_others == line.list_amount - line.seller_discount
            assert min(parts) >= 0


def what_was_paid_for_an_order_is_its_charges():
    """The sum of buyer_paid and shipping = the sum of tenders."""
    for order in Order.objects.all():
        lines = order.lines.exclude(stream=return_shipping.STREAM)
        tenders = order.payments.exclude(kind=return_shipping.STREAM)
        paid = tenders.aggregate(amount=Sum("amount"))["amount"]
        assert sum(_paid(line) for line in lines) == paid


def what_was_charged_and_not_refunded_is_what_buyers_keep():
    """charged - refunded = remaining buyer_paid + shipping kept + return fees charged.

    What remains is read from settled lines, and of what is not sold yet computed here.
    """
    assert not OutcomeToSettle.objects.exists()
    back = refunds.due(list(Order.objects.values_list("pk", flat=True)))
    settled = {
        row["order_line_id"]: row["listed"] - row["s"] - row["p"] - row["q"]
        for row in SettlementLine.objects.filter(order_line_id__gt=0)
        .values("order_line_id")
        .annotate(
            listed=Sum("list_amount"),
            s=Sum("seller_discount"),
            p=Sum("platform_discount"),
            q=Sum("partner_discount"),
        )
    }
    for order in Order.objects.all():
        charged = order.payments.aggregate(amount=Sum("amount"))["amount"]
        kept = sum(
            settled[line.pk] if line.pk in settled else _remains(line) for line in order.lines.all()
        )
        assert charged - back[order.pk] == kept


def a_statement_is_the_sum_of_its_lines_and_so_is_its_journal():
    """Lines = statement = journal, figure by figure."""
    legs = _legs_by_reference()
    for statement in Statement.objects.all():
        sums = Counter()
        for line in SettlementLine.objects.filter(statement_id=statement.pk):
            sums["lines"] += 1
            for name in _FIGURES:
                sums[name] += getattr(line, name)
        assert statement.lines == sums["lines"]
        for name in _FIGURES:
            assert getattr(statement, name) == sums[name], name
        if statement.state == Statement.State.OPEN:
            continue
        booked = legs[statement.public_id]
        by_others = sums["platform_discount"] + sums["partner_discount"]
        sold = sums["list_amount"] - sums["seller_discount"]
        assert -booked["clearing"] == sold - by_others
        cut = statement.components.get(CUT_BEFORE, (0,))[0]
        assert -booked["platform_funding"] == sums["platform_discount"] - cut
        assert -booked["partner_funding"] == sums["partner_discount"]
        assert sum(booked[code] for code in SELLERS_MONEY) == sums["net"]
        assert booked["payout_payable"] == statement.payout
        assert sum(booked.values()) == 0


def what_buyers_and_funders_gave_on_a_day_is_owed_or_earned():
    """Over the lines settled on a day: buyers' money + platform and partner funding = owed to
    sellers + fees + VAT on fees, in the lines and in the ledger alike."""
    closed_on = dict(Statement.objects.exclude(state="open").values_list("pk", "closed_on"))
    days = defaultdict(Counter)
    cut_before = set(
        Adjustment.objects.filter(reason_code=adjustments.FUNDING_OFFSET).values_list(
            "pk", flat=True
        )
    )
    parts = {
        pk: rate_cards.stored_terms(key).parts
        for pk, key in LineTerms.objects.values_list("pk", "key")
    }
    for line in SettlementLine.objects.filter(statement_id__in=closed_on):
        day = days[closed_on[line.statement_id]]
        on_top = [is_on_top for _, is_on_top in parts.get(line.terms_id, (("", True),))]
        day["platform"] += line.platform_discount
        day["partner"] += line.partner_discount
        day["buyers"] += line.list_amount - line.seller_discount
        day["buyers"] -= line.platform_discount + line.partner_discount
        day["owed"] += line.net
        day["cut"] += line.fee if -line.order_line_id in cut_before else 0
        day["earned"] += sum(line.charges[1::3])
        day["earned"] += sum(
            vat for vat, is_on_top in zip(line.charges[2::3], on_top, strict=True) if is_on_top
        )
    booked = defaultdict(Counter)
    for journal, code, amount in _statement_legs():
        booked[journal.basis_on][code] += amount
    for on in days.keys() | booked.keys():
        lines, day = days[on], booked[on]
        given = lines["buyers"] + lines["platform"] + lines["partner"]
        assert given == lines["owed"] + lines["earned"]
        assert -day.pop("clearing", 0) == lines["buyers"]
        assert -day.pop("platform_funding", 0) == lines["platform"] - lines["cut"]
        assert -day.pop("partner_funding", 0) == lines["partner"]
        assert sum(day.pop(code, 0) for code in SELLERS_MONEY) == lines["owed"]
        assert sum(day.values()) == lines["earned"] - lines["cut"]


def debits_are_credits():
    _, total = ledger_reading.trial_balance(LAST_ON)
    assert total.debit == total.credit > 0 or not LedgerEntry.objects.exists()


def nothing_is_found_by_those_who_look_for_it():
    assert [str(found) for found in verification.verify(on=LAST_ON)] == []
    for statement in Statement.objects.exclude(state="open").order_by("pk")[:2]:
        found = verification.verify(on=LAST_ON, statement=statement)
        assert [str(each) for each in found] == []
    assert not LedgerDifference.objects.exists()
    for night in JobRun.objects.filter(kind="night.check"):
        assert not {name for name in SILENT if night.counts[name]}


IDENTITIES = (
    what_a_buyer_paid_of_a_line_and_discounts_of_others_are_its_price,
    what_was_paid_for_an_order_is_its_charges,
    what_was_charged_and_not_refunded_is_what_buyers_keep,
    a_statement_is_the_sum_of_its_lines_and_so_is_its_journal,
    what_buyers_and_funders_gave_on_a_day_is_owed_or_earned,
    debits_are_credits,
    nothing_is_found_by_those_who_look_for_it,
)
_FIGURES = (
    *("list_amount", "seller_discount", "platform_discount", "partner_discount"),
    *("fee", "vat", "net"),
)


def _exported() -> dict[str, str]:
    texts = {}
    for kind in exports.KINDS:
        out = io.StringIO()
        exports.write(kind, out)
        texts[kind] = out.getvalue()
    return texts


def _paid(line: OrderLine) -> int:
    by_others = line.platform_discount + line.partner_discount
    return line.list_amount - line.seller_discount - by_others


def _remains(line: OrderLine) -> int:
    """What the buyer pays for the units left of a line, its discounts split over its units."""
    paid = [line.unit_price] * line.quantity
    for discount in (line.seller_discount, line.platform_discount, line.partner_discount):
        paid = [price - part for price, part in zip(paid, _split(discount, paid), strict=True)]
    return sum(paid[: line.units_left])


def _split(amount: int, weights: list[int]) -> list[int]:
    """By largest remainder, the earlier first; section 2."""
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [amount * weight // whole for weight in weights]
    by_rest = sorted(range(len(parts)), key=lambda n: (-(amount * weights[n] % whole), n))
    for n in by_rest[: amount - sum(parts)]:
        parts[n] += 1
    return parts


def _statement_legs():
    """Journal, account and credit less debit of every leg that a statement posted."""
    codes = dict(Account.objects.values_list("pk", "code"))
    journals = {row.pk: row for row in Journal.objects.filter(template="statement")}
    for entry in LedgerEntry.objects.filter(journal_id__in=journals):
        amount = entry.credit - entry.debit
        yield journals[entry.journal_id], codes[entry.account_id], amount


def _legs_by_reference():
    found = defaultdict(Counter)
    for journal, code, amount in _statement_legs():
        found[journal.reference][code] += amount
    return found
