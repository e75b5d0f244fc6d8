"""The admin of money, one module per subject. Importing them registers their pages."""

from settlements import (
    admin_adjustments,
    admin_assignments,
    admin_contracts,
    admin_days,
    admin_deadlines,
    admin_debts,
    admin_fees,
    admin_forecasts,
    admin_holds,
    admin_ledger,
    admin_payout_connections,
    admin_payouts,
    admin_periods,
    admin_reconciliation,
    admin_statements,
    admin_tax,
)

__all__ = [
    "admin_adjustments",
    "admin_assignments",
    "admin_contracts",
    "admin_days",
    "admin_deadlines",
    "admin_debts",
    "admin_fees",
    "admin_forecasts",
    "admin_holds",
    "admin_ledger",
    "admin_payout_connections",
    "admin_payouts",
    "admin_periods",
    "admin_reconciliation",
    "admin_statements",
    "admin_tax",
]
