"""Payouts in the marketplaces of the demo: two batches that went out, and one to approve.

They go through the same processes as anybody's, with the sandbox bank. One shop has named an
account that does not exist, so that there is a failed payout to look at.
"""

from datetime import date, datetime, time, timedelta

from marketplace import approvals, tenancy
from marketplace.models import User
from sellers import bank_accounts
from sellers.bank_accounts import Account
from sellers.banks import Bank
from sellers.models import BankAccount, Seller, SellerProfile
from settlements import keeping_windows, payout_sending, payouts, simulated_people
from settlements.gateways import sandbox

_NAMED = timedelta(days=28)
_PAID = (timedelta(days=21), timedelta(days=7))  # ago


def pay(slug: str, *, operator: User, second: User, at: datetime) -> None:
    """Pay what the nights have closed, once: a marketplace with bank accounts is left.

    Must not be called within a transaction.
    """
    with tenancy.use(code=slug) as market:
        last_on = market.last_closed_on
        if last_on is None or BankAccount.objects.exists():
            return
        _name_accounts(at - _NAMED)
    for ago in _PAID:
        _send(market.pk, last_on - ago, operator, second, at - ago)
    with tenancy.use(market.pk):
        payouts.prepare(on=last_on, at=at)
        keeping_windows.enter_recurring(
            weekdays=list(range(7)),
            from_time=time(23, 30),
            to_time=time(0, 30),
            note="은행 공동망 야간 점검",
            by=operator,
            at=at,
        )


def _send(marketplace_id: int, on: date, operator: User, second: User, at: datetime) -> None:
    with tenancy.use(marketplace_id):
        batches = payouts.prepare(on=on, at=at)
        for batch in batches:
            reason = f"{on:%Y-%m-%d} 정기 지급"
            approval = payouts.ask_for_approval(batch, by=operator, at=at, reason=reason)
            approvals.approve(approval, by=second, at=at)
    for batch in batches:
        with tenancy.use(marketplace_id):
            payouts.execute(batch, by=second, at=at)
            ids = list(batch.rows.values_list("pk", flat=True))
        for payout_id in ids:
            payout_sending.serve(marketplace_id, payout_id, now=lambda: at)


def _name_accounts(at: datetime) -> None:
    """Let every shop name the account that it is paid to; the last one makes a mistake."""
    companies = dict(SellerProfile.objects.values_list("seller_id", "company"))
    banks = (Bank.SHINHAN, Bank.HANA, Bank.KAKAO, Bank.TOSS)
    shops = list(Seller.objects.active().order_by("code"))
    for number, shop in enumerate(shops):
        account_number = simulated_people.bank_account(shop.code)
        if shop is shops[-1]:
            account_number = account_number[:-4] + sandbox.FAILS
        account = Account(
            bank=banks[number % len(banks)],
            holder=companies.get(shop.pk, shop.name)[:100],
            number=account_number,
        )
        bank_accounts.register(shop, account, by=None, at=at)
