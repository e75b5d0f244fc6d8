"""The chart of accounts: what money can be in the ledger, and how each account is read.

A further account of the system is a line of ACCOUNTS and the name of its code above. Every
marketplace has all of them: a new one from its opening, others from the first posting on. One that
nothing is posted to any more is retired: new marketplaces do without it, others keep theirs. Codes,
kinds and sides are the system's; names and order are the operators' (settlements.models.Account),
who also add accounts of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ASSET: Final = "asset"
LIABILITY: Final = "liability"
REVENUE: Final = "revenue"
EXPENSE: Final = "expense"
TRANSIT: Final = "clearing"  # money on its way: comes back to zero
KINDS: Final = (ASSET, LIABILITY, REVENUE, EXPENSE, TRANSIT)

DEBIT: Final = "debit"
CREDIT: Final = "credit"

BANK: Final = "bank"
CLEARING: Final = "clearing"
PARTNER_FUNDING: Final = "partner_funding"
SELLER_RECEIVABLE: Final = "seller_receivable"
INPUT_VAT: Final = "input_vat"
SELLER_PAYABLE: Final = "seller_payable"
SELLER_HELD: Final = "seller_held"
SELLER_RESERVE: Final = "seller_reserve"
PAYOUT_PAYABLE: Final = "payout_payable"
PAYOUT_IN_TRANSIT: Final = "payout_in_transit"
HOST_PAYABLE: Final = "host_payable"
REFUNDS_DUE: Final = "refunds_due"
AD_PREPAYMENT: Final = "ad_prepayment"
VAT_PAYABLE: Final = "vat_payable"
SALE_VAT_PAYABLE: Final = "sale_vat_payable"
WITHHOLDING_INCOME: Final = "withholding_income"
WITHHOLDING_LOCAL: Final = "withholding_local"
SUSPENSE: Final = "suspense"
FEE_REVENUE: Final = "fee_revenue:"  # and the component
PURCHASE: Final = "purchase:"  # and the component: what sellers supply to the marketplace
BY_COMPONENT: Final = (FEE_REVENUE, PURCHASE)  # how codes begin that end in a component
INTEREST_INCOME: Final = "interest_income"
PLATFORM_FUNDING: Final = "platform_funding"
PROVIDER_FEE: Final = "provider_fee"
BAD_DEBT: Final = "bad_debt"
ROUNDING: Final = "rounding"
SELLER_ADVANCE: Final = "seller_advance"
RECONCILIATION_DIFFERENCE: Final = "reconciliation_difference"
BUYER_TRANSFERS: Final = "buyer_transfers"
POINTS_USED: Final = "points_used"
VOUCHERS_USED: Final = "vouchers_used"


@dataclass(frozen=True, slots=True)
class Entry:
    """An account: its kind, the side it stands on when all is usual, and what it is called.

    Entries of one kept per seller name the seller beside it; nobody posts there by hand, since
    what a seller is owed follows from statements, holds and payouts.
    """

    code: str
    kind: str
    side: str
    korean: str
    english: str
    is_per_seller: bool = False
    is_retired: bool = False  # marketplaces that have it keep it; its place is not given away


ACCOUNTS: Final = (  # in the order of lists
    Entry(BANK, ASSET, DEBIT, "보통예금", "Bank"),
    Entry(CLEARING, TRANSIT, DEBIT, "결제대금 미정산", "Receivable from payment providers"),
    Entry(PARTNER_FUNDING, ASSET, DEBIT, "제휴사 부담 할인", "Discounts that partners owe"),
    Entry(SELLER_RECEIVABLE, ASSET, DEBIT, "판매자 미수금", "Receivable from sellers", True),
    Entry(INPUT_VAT, ASSET, DEBIT, "부가세 대급금", "Input VAT"),
    Entry(SELLER_PAYABLE, LIABILITY, CREDIT, "판매자 정산예정금", "Owed to sellers", True),
    Entry(SELLER_HELD, LIABILITY, CREDIT, "판매자 지급보류금", "Held of sellers", True),
    Entry(SELLER_RESERVE, LIABILITY, CREDIT, "판매자 유보금", "Reserves of sellers", True),
    Entry(PAYOUT_PAYABLE, LIABILITY, CREDIT, "판매자 지급예정금", "Payouts due", True),
    Entry(PAYOUT_IN_TRANSIT, TRANSIT, CREDIT, "판매자 지급 중", "Payouts in transit", True),
    Entry(HOST_PAYABLE, LIABILITY, CREDIT, "호스트 미지급금", "Owed to hosts", is_retired=True),
    Entry(REFUNDS_DUE, LIABILITY, CREDIT, "미지급 환불금", "Refunds due"),
    Entry(AD_PREPAYMENT, LIABILITY, CREDIT, "광고비 선수금", "Advertising prepayments", True),
    Entry(VAT_PAYABLE, LIABILITY, CREDIT, "부가세 예수금", "VAT payable"),
    Entry(WITHHOLDING_INCOME, LIABILITY, CREDIT, "소득세 예수금", "Income tax withheld"),
    Entry(WITHHOLDING_LOCAL, LIABILITY, CREDIT, "지방소득세 예수금", "Local tax withheld"),
    Entry(SUSPENSE, TRANSIT, CREDIT, "가수금·가지급금", "Suspense"),
    Entry(PLATFORM_FUNDING, EXPENSE, DEBIT, "플랫폼 부담 할인", "Discounts borne by the platform"),
    Entry(PROVIDER_FEE, EXPENSE, DEBIT, "결제대행 수수료", "Payment providers' fees"),
    Entry(BAD_DEBT, EXPENSE, DEBIT, "대손상각비", "Bad debts"),
    Entry(ROUNDING, EXPENSE, DEBIT, "단수차이", "Rounding differences"),
    Entry(RECONCILIATION_DIFFERENCE, EXPENSE, DEBIT, "대사 차이", "Reconciliation differences"),
    Entry(SELLER_ADVANCE, ASSET, DEBIT, "판매자 선지급금", "Paid ahead to sellers", True),
    Entry(SALE_VAT_PAYABLE, LIABILITY, CREDIT, "매출 부가세 예수금", "VAT payable on sales"),
    Entry(BUYER_TRANSFERS, TRANSIT, DEBIT, "구매자 직접 송금", "Transfers that buyers owe us"),
    Entry(POINTS_USED, TRANSIT, DEBIT, "포인트 사용액", "Paid with points"),
    Entry(VOUCHERS_USED, TRANSIT, DEBIT, "상품권 사용액", "Paid with vouchers"),
    Entry(INTEREST_INCOME, REVENUE, CREDIT, "연체이자 수익", "Interest on sellers' debts"),
)
TENDERS: Final[Mapping[str, str]] = {  # accounts of kinds of payments that no provider pays out
    "return_shipping": BUYER_TRANSFERS,
    "bank_transfer": BUYER_TRANSFERS,
    "points": POINTS_USED,
    "mileage": POINTS_USED,
    "voucher": VOUCHERS_USED,
    "gift_card": VOUCHERS_USED,
}
OPENED: Final = tuple(entry for entry in ACCOUNTS if not entry.is_retired)
BY_CODE: Final[Mapping[str, Entry]] = {entry.code: entry for entry in ACCOUNTS}
PER_SELLER: Final = frozenset(entry.code for entry in ACCOUNTS if entry.is_per_seller)
_STEP: Final = 10  # between two places, so that operators can put accounts in between
_FEES_PLACE: Final = 175  # fee revenue stands between what is owed and what is spent
_PURCHASES_PLACE: Final = 178  # what is bought of sellers begins what is spent


def of(code: str) -> Entry:
    """What the system says of a code; raises KeyError for an account of an operator's own."""
    if code.startswith(FEE_REVENUE):
        component = code.removeprefix(FEE_REVENUE)
        return Entry(code, REVENUE, CREDIT, component, "")
    if code.startswith(PURCHASE):
        return Entry(code, EXPENSE, DEBIT, code.removeprefix(PURCHASE), "")
    return BY_CODE[code]


def place(code: str) -> int:
    """Where the account of a code stands in lists unless an operator has moved it."""
    if code.startswith(FEE_REVENUE):
        return _FEES_PLACE
    if code.startswith(PURCHASE):
        return _PURCHASES_PLACE
    return (ACCOUNTS.index(BY_CODE[code]) + 1) * _STEP


def usual_side(kind: str) -> str:
    """The side on which accounts of a kind usually stand."""
    return CREDIT if kind in (LIABILITY, REVENUE) else DEBIT
