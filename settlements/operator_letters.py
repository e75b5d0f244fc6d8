"""One mail to the operators after a night whose sentinels found something; none after a good one.

It goes to those who may act on it, and only about the last night that is over: where several are
caught up with, what they found and nobody mended is found by the last one, too. It is sent outside
any transaction.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from marketplace import money, permissions, tenancy
from marketplace.models import JobRun, Marketplace, Membership
from settlements import letter_gathering, nights, sentinel_words, sentinels
from settlements.models import LetterDesk

logger = logging.getLogger(__name__)

PERMISSION = "settlements.change_statement"


def tell(marketplace_id: int, on: date, *, now: Callable[[], datetime]) -> bool:
    """Tell what the sentinels of a night found; whether a mail went out. Nobody gets it twice.

    Raises OSError or SMTPException where the mail server is not there: nothing was sent then, and
    it can be asked for again. Once the server had the mail, it is not sent again.
    """
    with tenancy.use(marketplace_id) as marketplace:
        message = _message(marketplace, on, at=now())
    if message is None:
        return False
    connection = message.get_connection()
    connection.open()
    try:
        with tenancy.use(marketplace_id, durable=True):
            if not _take(on):
                return False
        connection.send_messages([message])
    finally:
        connection.close()
    return True


def _take(night: date) -> bool:
    """Take it on to tell of a night: of two tasks one does, and after a crash none."""
    letter_gathering.desk()
    untold = Q(morning_of__isnull=True) | Q(morning_of__lt=night)
    return bool(LetterDesk.objects.filter(untold).update(morning_of=night))


def _message(marketplace: Marketplace, day: date, *, at: datetime) -> EmailMessage | None:
    """The mail about a night; None where there is nothing to tell, or nobody to tell it."""
    if day != nights.last_over(marketplace, at=at):
        return None
    job = JobRun.objects.sentinels_raised(day).first()
    to = _operators(marketplace)
    if job is None or not to:
        return None
    if not settings.SITE_ADDRESS:
        logger.error("the mail about the night is not sent: SITE_ADDRESS is not set")
        return None
    with translation.override(marketplace.locale), timezone.override(marketplace.tz):
        found = [
            (sentinel_words.TITLES[name], _shown(name, count, marketplace), _address(name))
            for name, count in job.counts.items()
            if count and name in sentinel_words.TITLES
        ]
        told = {"market": marketplace.name, "day": day.isoformat(), "count": len(found)}
        subject = gettext("[%(market)s] The night of %(day)s: %(count)s to look at") % told
        context = {**told, "found": found, "nights": _nights()}
        body = render_to_string("settlements/letters/morning.txt", context).strip() + "\n"
    return EmailMessage(" ".join(subject.split()), body, to=to)


def _operators(marketplace: Marketplace) -> list[str]:
    roles = [role for role in Membership.Role.values if PERMISSION in permissions.of(role)]
    rows = Membership.objects.filter(
        marketplace=marketplace, role__in=roles, user__is_active=True, user__is_staff=True
    )
    return sorted(set(rows.values_list("user__email", flat=True)))


def _shown(name: str, count: int, marketplace: Marketplace) -> str:
    """How much was found: rows, or an amount of money."""
    if name not in sentinels.IN_MONEY:
        return str(count)
    return money.format_amount(
        count,
        currency=marketplace.currency,
        exponent=marketplace.currency_exponent,
        locale=marketplace.locale,
    )


def _address(name: str) -> str:
    own = sentinel_words.address(name)
    return settings.SITE_ADDRESS + own if own else _nights()


def _nights() -> str:
    return settings.SITE_ADDRESS + reverse("admin:settlements_statement_nights")
