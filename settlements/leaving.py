"""What of a seller's money keeps its contract from ending."""

from collections.abc import Iterator

from django.utils.translation import get_language, gettext, ngettext

from marketplace import money, tenancy
from orders.models import OutcomeToCredit, OutcomeToSettle
from sellers.models import Seller
from settlements import positions
from settlements.models import Adjustment, AdPrepayment, SellerBalance, Statement


def open_money(seller: Seller) -> Iterator[str]:
    """What is not settled, not closed, not paid, kept back, or owed by the seller."""
    waiting = OutcomeToSettle.objects.filter(seller=seller).count()
    if waiting:
        text = ngettext("%(count)s unsettled outcome", "%(count)s unsettled outcomes", waiting)
        yield text % {"count": waiting}
    brought = OutcomeToCredit.objects.filter(seller=seller).count()
    if brought:
        text = ngettext(
            "%(count)s unsettled commission", "%(count)s unsettled commissions", brought
        )
        yield text % {"count": brought}
    adjustments = Adjustment.objects.filter(seller=seller, state=Adjustment.State.APPROVED).count()
    if adjustments:
        text = ngettext(
            "%(count)s unsettled adjustment", "%(count)s unsettled adjustments", adjustments
        )
        yield text % {"count": adjustments}
    statements = Statement.objects.open().filter(seller=seller).count()
    if statements:
        text = ngettext("%(count)s open statement", "%(count)s open statements", statements)
        yield text % {"count": statements}
    unpaid, _paid = positions.for_payout(seller)
    if unpaid:
        yield gettext("%(amount)s not paid out yet") % {"amount": _shown(unpaid)}
    balance = SellerBalance.objects.filter(seller=seller).first() or SellerBalance()
    if balance.held:
        yield gettext("%(amount)s held back") % {"amount": _shown(balance.held)}
    if balance.reserve:
        yield gettext("%(amount)s in reserve") % {"amount": _shown(balance.reserve)}
    if balance.carry > 0:
        yield gettext("%(amount)s carried to the next statement") % {
            "amount": _shown(balance.carry)
        }
    elif balance.carry:
        yield gettext("%(amount)s owed by the seller") % {"amount": _shown(-balance.carry)}
    if balance.receivable:
        yield gettext("%(amount)s invoiced to the seller") % {"amount": _shown(balance.receivable)}
    prepaid = AdPrepayment.objects.filter(seller=seller, balance__gt=0).first()
    if prepaid is not None:
        yield gettext("%(amount)s paid in advance for advertising") % {
            "amount": _shown(prepaid.balance)
        }


def _shown(amount: int) -> str:
    market = tenancy.current()
    return money.format_amount(
        amount,
        currency=market.currency,
        exponent=market.currency_exponent,
        locale=get_language() or market.locale,
    )
