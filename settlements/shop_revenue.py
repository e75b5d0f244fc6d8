"""What is shown of revenue reports, to sellers and operators: versions, settled parts, the sum."""

from dataclasses import dataclass
from datetime import date

from marketplace import paging
from marketplace.models import Marketplace
from marketplace.paging import Page
from sellers.models import Seller
from settlements import adjustments, ledger, purchases, sharing, supply_invoices
from settlements.line_story import Story
from settlements.models import Adjustment, RevenueReport, RevenueShare, RevenueVersion
from settlements.purchases import Balance


@dataclass(frozen=True, slots=True)
class Kept:
    """What a component keeps of a report, and how that was computed."""

    name: str
    workings: str
    fee: int


@dataclass(frozen=True, slots=True)
class Told:
    """A report with all that decided about it. `kept` is of what was settled last.

    `lines` are a page of the orders that it comes from; None where somebody reported it.
    """

    report: RevenueReport
    versions: list[RevenueVersion]
    parts: list[RevenueShare]
    kept: list[Kept]
    lines: Page | None


def of_seller(seller: Seller):
    return RevenueReport.objects.filter(seller=seller)


def uninvoiced(seller: Seller) -> list[tuple[date, Balance]]:
    """The months that wait for an invoice with what is missing of each, the earliest first."""
    found = purchases.balances(supply_invoices.held([seller.pk]))
    return sorted(((month, row) for (_, month), row in found.items()), key=lambda told: told[0])


def lines_of(report: RevenueReport):
    """What the orders behind a report added to it, each with its order line and order."""
    return report.lines.select_related("order_line__order")


def told(report: RevenueReport, marketplace: Marketplace, parameters) -> Told:
    """A report with its history; the number of queries does not grow with it.

    `parameters` of the address say which page of its orders is asked for.
    """
    story = Story(marketplace, ledger.component_names())
    explained = sharing.explained(report)
    parts = report.shares.select_related("adjustment__statement").order_by("version")
    return Told(
        report=report,
        versions=list(report.versions.order_by("number")),
        parts=list(parts),
        kept=[
            Kept(story.name(part.component), story.workings(part), part.fee)
            for part in (explained.components if explained else ())
        ],
        lines=paging.page(parameters, lines_of(report)) if report.is_from_orders else None,
    )


def report_of(adjustment: Adjustment) -> RevenueReport | None:
    """The report that an adjustment settles a share of, if it does."""
    if adjustment.reason_code not in adjustments.PURCHASE_REASONS:
        return None
    part = RevenueShare.objects.filter(adjustment=adjustment).select_related("report").first()
    return part.report if part else None
