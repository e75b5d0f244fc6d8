"""What an adjustment of a seller comes to, by the terms of its basis date."""

from settlements import adjustments
from settlements.contracts import Contracts
from settlements.models import Adjustment


def figures(adjustment: Adjustment, contracts: Contracts) -> adjustments.Figures:
    """What an adjustment comes to, with the VAT rate of its basis date.

    The lines of a month's end name their VAT themselves: no rate stands between the two.
    """
    if adjustment.vat is not None:
        net = adjustment.amount + adjustment.vat
        return adjustments.Figures(fee=-adjustment.amount, vat=-adjustment.vat, net=net)
    schedule = contracts.schedule(adjustment.seller_id, adjustment.basis_on)
    return adjustments.figures(adjustment.amount, adjustment.tax_kind, schedule.vat_rate_ppm)
