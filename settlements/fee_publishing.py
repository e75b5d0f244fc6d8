"""Bring fees into force, once they can be charged."""

from datetime import datetime

from marketplace import versions
from settlements import rate_cards
from settlements.models import FeeScheduleVersion


def publish(version: FeeScheduleVersion, *, by, at: datetime) -> FeeScheduleVersion:
    """Publish a version of a fee schedule.

    Raises schedules.Unpublishable when its rules cannot all be charged, or what
    marketplace.versions raises about its day.
    """
    rate_cards.read_schedule(version).ensure_publishable()
    return versions.publish(version, by=by, at=at)
