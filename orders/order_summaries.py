"""Orders as a list shows them: whose, how they stand, and what they cost the buyer."""

from collections import defaultdict
from collections.abc import Iterable

from orders import story
from orders.folding import NOT_GOODS
from orders.models import Order, OrderLine


def add_to(orders: Iterable[Order]) -> None:
    """Give each order `sellers`, `statuses` and `charged`; one query for all of them.

    Statuses are those of its goods, in the order in which a line goes through them.
    """
    orders = list(orders)
    lines = OrderLine.objects.filter(order__in=orders).select_related("seller")
    by_order: dict[int, list[OrderLine]] = defaultdict(list)
    for line in lines.order_by("order", "number"):
        by_order[line.order_id].append(line)
    for order in orders:
        own = by_order[order.pk]
        held = {line.status for line in own if line.stream not in NOT_GOODS}
        order.sellers = list(dict.fromkeys(str(line.seller) for line in own))
        order.statuses = [status for status in OrderLine.Status if status in held]
        order.charged = story.charged(own)
