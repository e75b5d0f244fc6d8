"""Bring fees into force, once they can be charged and sellers have had their notice.

Publishing tells every seller who is charged by them (settlements.fee_letters).
"""

from datetime import datetime

from marketplace import audit, tenancy, versions
from marketplace.models import Marketplace
from orders import verdicts
from settlements import fee_letters, notice, rate_cards, rehearsals
from settlements.models import FeeRehearsal, FeeScheduleVersion


def publish(
    version: FeeScheduleVersion, *, by, at: datetime, waive_notice: bool = False
) -> FeeScheduleVersion:
    """Publish a version of a fee schedule.

    Raises schedules.Unpublishable when its rules cannot all be charged, notice.NoticeTooShort
    unless the notice is waived, or what marketplace.versions raises about its day.
    """
    rate_cards.read_schedule(version).ensure_publishable()
    if waive_notice:
        audit.record("fees.notice_waived", by=by, at=at, obj=version)
    else:
        ensure_notice(version, at=at)
    published = versions.publish(version, by=by, at=at)
    fee_letters.announce(published, at=at)
    return published


def ensure_notice(version: FeeScheduleVersion, *, at: datetime) -> None:
    """Refuse a version that would begin too soon after its publication at a moment."""
    if version.schedule.notice_days and is_unfavourable(version):
        marketplace = Marketplace.objects.get(pk=tenancy.current_id())
        notice.ensure(
            version.valid_from,
            published_on=verdicts.business_date(at, marketplace.tz),
            notice_days=version.schedule.notice_days,
        )


def is_unfavourable(version: FeeScheduleVersion) -> bool:
    """Whether some seller may keep less by it than by what is in force.

    Only a rehearsal of what it says now can show that nobody does. The first version of a schedule
    changes nothing for anybody.
    """
    published = FeeScheduleVersion.objects.published().filter(schedule_id=version.schedule_id)
    if not published.exists():
        return False
    rehearsal: FeeRehearsal | None = rehearsals.valid(version)
    return rehearsal is None or rehearsal.worse_off > 0
