"""What one line would be charged under a version of a fee schedule, whether published or not.

By the functions that settle: schedules.Schedule.select() chooses, fees.explain() computes. Benefits
of a grade are left out, so that two versions are compared by what they say themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from settlements import fees, rate_cards
from settlements.fees import Explanation
from settlements.models import FeeScheduleVersion
from settlements.schedules import Sale


@dataclass(frozen=True, slots=True)
class Trial:
    """What was charged: each component as settlement explains it, and what the seller keeps."""

    components: tuple[Explanation, ...]
    fee: int
    vat: int
    net: int


def run(version: FeeScheduleVersion, line: Mapping) -> Trial:
    """Charge a line: `line` is what admin_forms.LineForm has read. Writes nothing."""
    schedule = rate_cards.read_schedule(version)
    category, seller = line["category"], line["seller"]
    sale = Sale(
        stream=line["stream"],
        rate_on=line["on"],
        unit_price=line["unit_price"],
        category_path=tuple(category.path) if category else (),
        listing_kind=line["listing_kind"] or None,
        channel=line["channel"] or None,
        seller_type=seller.seller_type if seller else None,
        seller_id=seller.pk if seller else None,
        grade=line["grade"] or None,
    )
    terms = schedule.select(sale)
    amounts = (
        line["quantity"],
        line["unit_price"] * line["quantity"],
        line["seller_discount"],
        line["platform_discount"],
    )
    _, fee, vat, net = fees.figures(terms, *amounts)
    return Trial(fees.explain(terms, *amounts), fee, vat, net)
