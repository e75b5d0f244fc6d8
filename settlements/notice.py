"""How long before it begins a change of fees has to be published.

Sellers are told of a change by letter when it is published (settlements.fee_letters). One by which
nobody keeps less may begin as soon as it can; any other gives the notice that the marketplace has
promised. Source: terms of Korean marketplaces, which give thirty days for a change that is
unfavourable to sellers.
"""

from datetime import date, timedelta

from marketplace.refusals import Refused, gettext_noop


class NoticeTooShort(Refused):
    code = "notice_too_short"
    message = gettext_noop(
        "This version begins on %(valid_from)s, but some sellers may keep less by it, and they "
        "have %(days)s days of notice: let it begin on %(earliest)s or later. A rehearsal by which "
        "nobody keeps less, or a second person who waives the notice, lets it begin sooner."
    )


def earliest(published_on: date, notice_days: int) -> date:
    """The first day that an unfavourable version may begin on when it is published on a day."""
    return published_on + timedelta(days=notice_days)


def ensure(valid_from: date, *, published_on: date, notice_days: int) -> None:
    """Refuse an unfavourable version that begins before its notice has passed."""
    if valid_from < (first := earliest(published_on, notice_days)):
        raise NoticeTooShort(valid_from=valid_from, days=notice_days, earliest=first)
