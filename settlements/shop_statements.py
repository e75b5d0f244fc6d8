"""What the seller centre shows of statements: one seller's, and the lines on them.

Everything here is asked of one seller; another seller's statement does not exist for it.
"""

from dataclasses import dataclass

from marketplace import paging
from orders import return_shipping
from orders.models import Claim, OrderLine
from sellers import grades
from sellers.grading import Grade
from sellers.models import Seller
from settlements import contracts, explanations
from settlements.explanations import Component
from settlements.models import Adjustment, SettlementLine, Statement
from settlements.rate_cards import NoVersionInForce, PayoutTerms


@dataclass(frozen=True, slots=True)
class Shown:
    """A settlement line beside the order line that it is for."""

    line: SettlementLine
    sold: OrderLine


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An adjustment beside its settlement line; that is None until a night has settled it."""

    adjustment: Adjustment
    line: SettlementLine | None

    @property
    def vat(self) -> int:
        """The VAT on it, above zero in favour of the seller."""
        return -self.line.vat if self.line else 0


@dataclass(frozen=True, slots=True)
class Explained:
    """A settlement line with all that decided about it."""

    shown: Shown
    statement: Statement
    components: tuple[Component, ...]
    grade: Grade | None  # of the rate date
    claim: Claim | None  # that return shipping comes of


def of_seller(seller: Seller):
    return Statement.objects.filter(seller=seller)


def adjustments_of(seller: Seller):
    """What was approved of: an adjustment that is only asked for is no seller's business yet."""
    known = [Adjustment.State.APPROVED, Adjustment.State.SETTLED]
    return Adjustment.objects.filter(seller=seller, state__in=known)


def adjustments(statement: Statement) -> list[Adjusted]:
    """The adjustments of a statement beside their lines, the earliest first; two queries."""
    rows = list(statement.adjustments.order_by("basis_on", "pk"))
    return adjusted(rows)


def adjusted(rows: list[Adjustment]) -> list[Adjusted]:
    """Settled adjustments beside their settlement lines."""
    lines = SettlementLine.objects.filter(
        order_line_id__in=[row.order_line_id for row in rows],
        basis_on__in={row.basis_on for row in rows},
    )
    by_id = {line.order_line_id: line for line in lines}
    return [Adjusted(row, by_id.get(row.order_line_id)) for row in rows]


def page_of_lines(parameters, statement: Statement) -> paging.Page:
    """A page of a statement's lines as they are shown; two queries."""
    page = paging.page(parameters, SettlementLine.objects.of_statement(statement))
    return paging.Page(shown(page.rows), page.newer, page.older)


def shown(lines: list[SettlementLine]) -> list[Shown]:
    sold = OrderLine.objects.select_related("order").in_bulk({line.order_line_id for line in lines})
    return [Shown(line, sold[line.order_line_id]) for line in lines]


def explained(statement: Statement, order: str, number: int, sequence: int) -> Explained | None:
    """The line of a statement for a line of an order (its public id), explained; None where
    there is none. Raises explanations.LineDiffers."""
    sold = (
        OrderLine.objects.select_related("order")
        .filter(order__public_id=order, number=number, seller=statement.seller_id)
        .first()
    )
    if sold is None:
        return None
    lines = SettlementLine.objects.of_statement(statement)
    line = lines.filter(order_line_id=sold.pk, sequence=sequence).first()
    if line is None:
        return None
    held = grades.grade_on([line.seller_id], line.rate_on).get(line.seller_id)
    return Explained(
        shown=Shown(line, sold),
        statement=statement,
        components=explanations.explain(line),
        grade=grades.awarded(held) if held else None,
        claim=_claim_of(sold),
    )


def _claim_of(sold: OrderLine) -> Claim | None:
    if sold.stream != return_shipping.STREAM:
        return None
    return Claim.objects.filter(shipping_line=sold).first()


def payout_terms(statement: Statement) -> PayoutTerms | None:
    """The terms by which a statement is closed; None where none are in force on its day."""
    try:
        return contracts.of_seller(statement.seller_id).payout_terms(
            statement.seller_id, statement.due_on
        )
    except NoVersionInForce:
        return None
