"""Rates, what is owed for each order line, statements, holds, the ledger; a file per subject."""

from settlements.models.ad_prepayments import AdPrepayment, AdPrepaymentMovement
from settlements.models.adjustments import Adjustment, MonthlyFee
from settlements.models.assignments import Assignment
from settlements.models.bank_rows import BankFile, BankMatch, BankRow
from settlements.models.bank_windows import BankWindow
from settlements.models.bulk import LedgerEntry, SettlementLine
from settlements.models.clearing import ClearingItem, ClearingProof
from settlements.models.contracts import SellerContract
from settlements.models.day_closes import DayClose, SignedSheet
from settlements.models.deadlines import DeadlineGuard
from settlements.models.debts import DebtMovement, InterestTerms
from settlements.models.fast_settlements import FastSettlement
from settlements.models.forecasts import PayoutForecast
from settlements.models.holds import AttachmentPayment, Hold, HoldMovement
from settlements.models.ledger import Account, Journal, ManualJournal
from settlements.models.letters import LetterChoice, LetterDesk, SellerLetter, SellerNotice
from settlements.models.payout_connections import PayoutConnection
from settlements.models.payouts import (
    Payout,
    PayoutAttempt,
    PayoutBatch,
    PayoutException,
    PayoutItem,
    PayoutPolicy,
    SandboxTransfer,
)
from settlements.models.periods import MonthBalance, Period, PeriodClosing
from settlements.models.rates import FeeRule, FeeSchedule, FeeScheduleVersion, SettlementTerms
from settlements.models.reconciliation import (
    Discrepancy,
    LedgerDifference,
    MissingFile,
    ProviderFile,
    ProviderRow,
)
from settlements.models.rehearsals import FeeRehearsal, FeeRehearsalRow
from settlements.models.resident_numbers import ResidentNumber
from settlements.models.revenue import RevenueLine, RevenueReport, RevenueShare, RevenueVersion
from settlements.models.seals import SigningKey, StatementSeal, TermsDocument
from settlements.models.sentinel_policies import SentinelPolicy
from settlements.models.statements import LineTerms, SellerBalance, Statement
from settlements.models.supply_invoices import PayeeInvoice
from settlements.models.tax import TaxInvoice

__all__ = [
    "Account",
    "AdPrepayment",
    "AdPrepaymentMovement",
    "Adjustment",
    "Assignment",
    "AttachmentPayment",
    "BankFile",
    "BankMatch",
    "BankRow",
    "BankWindow",
    "ClearingItem",
    "ClearingProof",
    "DayClose",
    "DeadlineGuard",
    "DebtMovement",
    "Discrepancy",
    "FastSettlement",
    "FeeRehearsal",
    "FeeRehearsalRow",
    "FeeRule",
    "FeeSchedule",
    "FeeScheduleVersion",
    "Hold",
    "HoldMovement",
    "InterestTerms",
    "Journal",
    "LedgerDifference",
    "LedgerEntry",
    "LetterChoice",
    "LetterDesk",
    "LineTerms",
    "ManualJournal",
    "MissingFile",
    "MonthBalance",
    "MonthlyFee",
    "PayeeInvoice",
    "Payout",
    "PayoutAttempt",
    "PayoutBatch",
    "PayoutConnection",
    "PayoutException",
    "PayoutForecast",
    "PayoutItem",
    "PayoutPolicy",
    "Period",
    "PeriodClosing",
    "ProviderFile",
    "ProviderRow",
    "ResidentNumber",
    "RevenueLine",
    "RevenueReport",
    "RevenueShare",
    "RevenueVersion",
    "SandboxTransfer",
    "SellerBalance",
    "SellerContract",
    "SellerLetter",
    "SellerNotice",
    "SentinelPolicy",
    "SettlementLine",
    "SettlementTerms",
    "SignedSheet",
    "SigningKey",
    "Statement",
    "StatementSeal",
    "TaxInvoice",
    "TermsDocument",
]
