"""Books in the marketplaces of the demo: a provider's file, a signed day, a closed month.

They go through the same processes as anybody's. The provider has paid out a little less for one
payment than the orders say, so that there is a discrepancy to look at.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from marketplace import approvals, money, tenancy
from marketplace.models import Approval, Marketplace, User
from orders.models import Payment
from settlements import day_closing, periods, provider_files, reconciling
from settlements.models import DayClose, ProviderFile

FORMAT = "standard"
COLUMNS = "payment_id,kind,sold_on,paid_out_on,gross,fee,fee_vat,deposit"
_SOLD = timedelta(days=3)  # before the last night
_PAID_OUT = timedelta(days=2)  # after the sale
_FEE_PPM = 28_000
_VAT_PPM = 100_000
_SHORT = 1_000  # minor units that the provider leaves out of one payment


def keep(slug: str, *, operator: User, second: User, at: datetime) -> None:
    """Take in a file, sign a day and close a month, once: a marketplace with a file is left."""
    with tenancy.use(code=slug) as market:
        if market.last_closed_on is None or ProviderFile.objects.exists():
            return
        sold_on = market.last_closed_on - _SOLD
        _take_in(market, sold_on, operator, at)
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
