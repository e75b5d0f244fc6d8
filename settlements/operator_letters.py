"""One mail to the operators after a night whose sentinels found something; none after a good one.

It goes to those who may act on it, and only about the last night that is over: where several are
caught up with, what they found and nobody mended is found by the last one, too.
"""

from datetime import date, datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from marketplace import money, permissions
from marketplace.models import JobRun, Marketplace, Membership
from settlements import nights, sentinel_words, sentinels

PERMISSION = "settlements.change_statement"


def morning(marketplace: Marketplace, *, at: datetime, on: str) -> None:
    """Tell what the sentinels of a night found; a handler of the outbox."""
    day = date.fromisoformat(on)
    if day != nights.last_over(marketplace, at=at):
        return
    job = JobRun.objects.sentinels_raised(day).first()
    to = _operators(marketplace)
    if job is None or not to:
        return
    with translation.override(marketplace.locale), timezone.override(marketplace.tz):
        found = [
            (sentinel_words.TITLES[name], _shown(name, count, marketplace), _address(name))
            for name, count in job.counts.items()
            if count and name in sentinel_words.TITLES
        ]
        told = {"market": marketplace.name, "day": on, "count": len(found)}
        subject = gettext("[%(market)s] The night of %(day)s: %(count)s to look at") % told
        context = {**told, "found": found, "nights": _nights()}
        body = render_to_string("settlements/letters/morning.txt", context).strip() + "\n"
    EmailMessage(" ".join(subject.split()), body, to=to).send()


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
