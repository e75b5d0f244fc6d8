from datetime import date

import pytest
from django.db import DatabaseError, transaction

from marketplace import jobs, tenancy, versions
from marketplace.models import AuditEntry, CalendarVersion, ClosedDay, LegalIdentity
from marketplace.tests import make

pytestmark = pytest.mark.django_db
FIRST = make.FIRST_OPEN_ON


@pytest.fixture
def market(db):
    with tenancy.use(make.marketplace().pk) as marketplace:
        yield marketplace


def draft(valid_from=FIRST, **fields):
    return versions.draft(
        LegalIdentity, valid_from=valid_from, by=None, **{"company": "장터 주식회사", **fields}
    )


def publish(version):
    return versions.publish(version, by=None, at=make.NOON)


def close(marketplace, day):
    marketplace.last_closed_on = day
    marketplace.save(update_fields=["last_closed_on"])


class TestDraft:
    def test_counts_versions_from_one(self, market):
        assert [draft().number, draft().number] == [1, 2]

    def test_is_in_force_for_nobody(self, market):
        draft()
        assert LegalIdentity.objects.all().on(FIRST) is None

    def test_is_recorded_where_the_time_is_told(self, market):
        operator = make.user()
        draft()
        assert not AuditEntry.objects.exists()
        version = versions.draft(
            LegalIdentity, valid_from=FIRST, by=operator, at=make.NOON, company="장터"
        )
        [entry] = AuditEntry.objects.all()
        assert (entry.action, entry.actor) == ("legalidentity.drafted", operator)
        assert entry.object_key == str(version.pk)


class TestEnact:
    def test_leaves_what_drafting_and_publishing_would(self, market):
        operator = make.user()
        said = {"valid_from": FIRST, "by": operator, "company": "장터"}
        with transaction.atomic():
            enacted = versions.enact(LegalIdentity, at=make.NOON, **said)
            assert LegalIdentity.objects.all().on(FIRST) == enacted
            told = self.told(enacted)
            transaction.set_rollback(True)
        with pytest.raises(LegalIdentity.DoesNotExist):
            enacted.refresh_from_db()
        published = versions.publish(
            versions.draft(LegalIdentity, **said), by=operator, at=make.NOON
        )
        assert self.told(published) == told

    def told(self, version):
        """The row as it is stored and what is recorded of it, but for their ids."""
        row = LegalIdentity.objects.filter(pk=version.pk).values().get()
        entry = AuditEntry.objects.filter(object_key=str(version.pk)).values().get()
        return [
            {name: value for name, value in each.items() if name not in ("id", "object_key")}
            for each in (row, entry)
        ]


class TestPublish:
    def test_brings_into_force_from_its_day(self, market):
        operator = make.user()
        version = versions.publish(draft(), by=operator, at=make.NOON)
        assert (version.state, version.published_by) == ("published", operator)
        assert version.published_at == make.NOON
        assert LegalIdentity.objects.all().on(FIRST) == version
        assert LegalIdentity.objects.all().on(date(2025, 12, 31)) is None
        [entry] = AuditEntry.objects.all()
        assert entry.action == "legalidentity.published"
        assert entry.data == {"number": 1, "valid_from": "2026-01-01"}

    def test_leaves_earlier_days_to_the_earlier_version(self, market):
        first, second = publish(draft()), publish(draft(date(2026, 2, 1)))
        assert LegalIdentity.objects.all().on(date(2026, 1, 31)) == first
        assert LegalIdentity.objects.all().on(date(2026, 2, 1)) == second

    def test_happens_once(self, market):
        version = publish(draft())
        with pytest.raises(versions.NotADraft):
            publish(version)

    def test_is_refused_on_a_closed_day(self, market):
        publish(draft())
        close(market, date(2026, 2, 1))
        late = draft(date(2026, 2, 1))
        with pytest.raises(versions.BeginsInClosedDays, match="2026-02-01"):
            publish(late)
        late.refresh_from_db()
        assert late.state == "draft"
        assert publish(draft(date(2026, 2, 2))).state == "published"

    def test_lets_the_first_version_begin_with_the_marketplace(self, market):
        close(market, date(2026, 2, 1))
        assert publish(draft(FIRST)).state == "published"

    def test_refuses_a_first_version_from_the_middle_of_closed_days(self, market):
        close(market, date(2026, 2, 1))
        with pytest.raises(versions.BeginsInClosedDays):
            publish(draft(date(2026, 1, 2)))

    def test_refuses_two_that_begin_together(self, market):
        publish(draft())
        with pytest.raises(versions.BeginsWithAnother, match="Version 1"):
            publish(draft())

    def test_freezes_the_row(self, market):
        version = publish(draft())
        with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
            LegalIdentity.objects.filter(pk=version.pk).update(company="Another")
        with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
            version.delete()


class TestRevise:
    def test_copies_a_version_with_its_parts_as_a_draft(self, market):
        calendar = versions.draft(
            CalendarVersion,
            valid_from=FIRST,
            by=None,
            country="KR",
            first_on=FIRST,
            last_on=date(2026, 12, 31),
        )
        ClosedDay.objects.create(version=calendar, on=date(2026, 3, 1), name="삼일절")
        versions.publish(calendar, by=None, at=make.NOON)
        copied = versions.revise(calendar, valid_from=date(2026, 7, 1), by=None, at=make.NOON)
        assert (copied.number, copied.state, copied.country) == (2, "draft", "KR")
        assert (copied.published_at, copied.valid_from) == (None, date(2026, 7, 1))
        [day] = copied.closed_days.all()
        assert (day.on, day.name) == (date(2026, 3, 1), "삼일절")
        day.delete()  # it is a draft
        assert calendar.closed_days.count() == 1


class TestNights:
    def test_refuses_a_version_for_a_night_that_has_begun(self, market):
        publish(draft())
        jobs.begin(jobs.NIGHT, "2026-02-01", at=make.NOON, on=date(2026, 2, 1))
        with pytest.raises(versions.BeginsInClosedDays, match="2026-02-01"):
            publish(draft(date(2026, 2, 1)))
        assert publish(draft(date(2026, 2, 2))).state == "published"
