"""Books in the marketplaces of the demo: files of provider and bank, a signed day, a closed month.

They go through the same processes as anybody's. The provider has paid out a little less for one
payment than the orders say, so that there is a discrepancy to look at; and the bank lists its
deposit and one that nobody knows.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from django.db.models import Sum

from marketplace import approvals, money, tenancy
from marketplace.models import Approval, Marketplace, User
from orders.models import Payment
from settlements import (
    bank_files,
    bank_matching,
    bank_rows,
    day_closing,
    periods,
    provider_files,
    reconciling,
)
from settlements.models import DayClose, ProviderFile, ProviderRow

FORMAT = "standard"
COLUMNS = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit"
_SOLD = timedelta(days=3)  # before the last night
_PAID_OUT = timedelta(days=2)  # after the sale
_FEE_PPM = 28_000
_VAT_PPM = 100_000
_SHORT = 1_000  # minor units that the provider leaves out of one payment
BANK_ACCOUNT = "신한은행 140-012-345678"
BANK_COLUMNS = "date,paid_in,paid_out,balance,counterparty,memo,reference"
_OPENING = 300_000_000  # minor units in the bank before its first list
_UNKNOWN = 55_000  # minor units that somebody paid in


def keep(slug: str, *, operator: User, second: User, at: datetime) -> None:
    """Take in a file, sign a day and close a month, once: a marketplace with a file is left."""
    with tenancy.use(code=slug) as market:
        if market.last_closed_on is None or ProviderFile.objects.exists():
            return
        sold_on = market.last_closed_on - _SOLD
        _take_in(market, sold_on, operator, at)
        _list_bank(market, sold_on + _PAID_OUT, operator, at)
        _sign(sold_on + _PAID_OUT, operator, second, at)
        _close(market, operator, at)


def _take_in(market: Marketplace, sold_on: date, operator: User, at: datetime) -> None:
    first = datetime.combine(sold_on, time(), market.tz)
    paid = Payment.objects.filter(approved_at__gte=first, approved_at__lt=first + timedelta(days=1))
    payments = paid.exclude(provider_id="").order_by("provider_id")
    if rows := list(_rows(payments.values_list("provider_id", "amount"), sold_on)):
        reconciling.import_file(
            "\n".join([COLUMNS, *rows, ""]).encode(),
            name=f"settlement-{sold_on:%Y%m%d}.csv",
            format=provider_files.load_format(FORMAT),
            by=operator,
            at=at,
        )


def _list_bank(market: Marketplace, day: date, operator: User, at: datetime) -> None:
    """The bank's list of a day: the provider's deposit, which is confirmed, and another one."""
    deposit = ProviderRow.objects.filter(paid_out_on=day).aggregate(sum=Sum("deposit"))["sum"]
    if not deposit:
        return
    balance, rows = _OPENING, []
    for amount, said in ((int(deposit), "결제대행,정산대금"), (_UNKNOWN, "김하늘,입금")):
        balance += amount
        paid_in, after = (
            money.plain(each, market.currency_exponent).replace(",", "")
            for each in (amount, balance)
        )
        rows.append(f"{day},{paid_in},,{after},{said},")
    bank_rows.import_file(
        "\n".join([BANK_COLUMNS, *rows, ""]).encode(),
        account=BANK_ACCOUNT,
        name=f"bank-{day:%Y%m%d}.csv",
        format=bank_files.load_format(FORMAT),
        by=operator,
        at=at,
    )
    bank_matching.confirm_exact(by=operator, at=at)


def _rows(payments: Iterable[tuple[str, int]], sold_on: date) -> Iterator[str]:
    """What the provider says of each payment; of the first large one too little."""
    is_short = False
    for provider_id, amount in payments:
        gross = amount
        if not is_short and amount > 10 * _SHORT:
            gross, is_short = amount - _SHORT, True
        fee = money.share(gross, _FEE_PPM, money.FLOOR)
        vat = money.share(fee, _VAT_PPM, money.HALF_UP)
        days = f"{sold_on},{sold_on + _PAID_OUT}"
        yield f"{provider_id},payment,{days},{gross},{fee},{vat},{gross - fee - vat}"


def _sign(day: date, operator: User, second: User, at: datetime) -> None:
    row = DayClose.objects.filter(day=day).first()
    if row is not None:
        day_closing.sign_first(row, by=operator, at=at, remark="입금 내역 확인")
        asked = Approval.objects.waiting().filter(kind=day_closing.APPROVAL).get()
        approvals.approve(asked, by=second, at=at)


def _close(market: Marketplace, operator: User, at: datetime) -> None:
    """The first month, where it is over."""
    month = periods.next_to_close()
    if month is not None and periods.last_day(month) <= market.last_closed_on:
        periods.close(month, by=operator, at=at)
