"""What stands in the cells of lists: amounts, and states as chips."""

from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from marketplace import money, tenancy

# Of states anywhere: what goes well, what is under way, what needs care, what is bad or ended so.
COLOURS = {
    **dict.fromkeys(
        (
            "active",
            "approved",
            "completed",
            "done",
            "enabled",
            "live",
            "on_sale",
            "payable",
            "published",
        ),
        "good",
    ),
    **dict.fromkeys(("closed", "confirmed", "delivered", "paid", "published"), "good"),
    **dict.fromkeys(
        ("collected", "in_payout", "preparing", "redelivering", "running", "shipped"), "busy"
    ),
    **dict.fromkeys(
        ("arbitration", "asked", "draft", "onboarding", "open", "queued", "requested", "submitted"),
        "care",
    ),
    **dict.fromkeys(("paused_by_seller", "restricted", "terminating", "test", "warn"), "care"),
    **dict.fromkeys(("block", "blocked", "failed", "refused", "rejected", "suspended"), "bad"),
    "suspended_by_platform": "bad",
}


def amount(minor_units: int | None):
    """An amount of the marketplace in use, for a cell: 12,900원, never broken over two lines."""
    if minor_units is None:
        return "-"
    market = tenancy.current()
    text = money.format_amount(
        minor_units,
        currency=market.currency,
        exponent=market.currency_exponent,
        locale=get_language() or market.locale,
    )
    return format_html('<span class="money">{}</span>', text)


def money_column(field: str, description, *, is_sortable: bool = True):
    """A column (or a read-only field) that shows `field`, a number of minor units, as money."""

    def column(row):
        return amount(getattr(row, field))

    column.__name__ = f"{field}_money"  # by this ending the heading stands right, too (admin.css)
    column.short_description = description
    column.admin_order_field = field if is_sortable else None
    return column


def state_column(field: str = "state", *, colours=None, description=None):
    """A column that shows the choice in `field` as a chip: text first, colour second."""

    def column(row):
        value = getattr(row, field)
        return chip(getattr(row, f"get_{field}_display")(), (colours or COLOURS).get(value, ""))

    column.__name__ = f"{field}_chip"
    column.short_description = description or _("state")
    column.admin_order_field = field
    return column


def named(text, code: str):
    """What something is called, with its code small beside it; the code alone without a name."""
    shown = format_html('<code class="code">{}</code>', code)
    return format_html("<span>{} {}</span>", text, shown) if str(text) != code else shown


def chip(text, colour: str = ""):
    """A word in a coloured frame. Colours: good, busy, care, bad; none for what is at rest."""
    return format_html('<span class="chip chip-{}">{}</span>', colour or "rest", text)
