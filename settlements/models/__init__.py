"""Rates, what is owed for each order line, statements and the ledger; one file per subject."""

from settlements.models.bulk import LedgerEntry, SettlementLine
from settlements.models.contracts import SellerContract
from settlements.models.ledger import Account, Journal
from settlements.models.rates import FeeRule, FeeSchedule, FeeScheduleVersion, SettlementTerms
from settlements.models.statements import LineTerms, SellerBalance, Statement

__all__ = [
    "Account",
    "FeeRule",
    "FeeSchedule",
    "FeeScheduleVersion",
    "Journal",
    "LedgerEntry",
    "LineTerms",
    "SellerBalance",
    "SellerContract",
    "SettlementLine",
    "SettlementTerms",
    "Statement",
]
