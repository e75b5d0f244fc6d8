"""Rehearsals in the admin: asked for, read, taken away, and told of before publication."""

import csv
import io
from datetime import date, timedelta

import pytest
from django.utils import timezone

from marketplace import tenancy, versions
from marketplace.models import Approval
from marketplace.tests import make as people
from settlements import nights, rehearsals
from settlements.models import FeeRehearsal, FeeRule, FeeScheduleVersion
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

VERSIONS = "/admin/settlements/feescheduleversion/"
SEP_8, CLOSED_ON, NEXT = date(2026, 9, 8), date(2026, 9, 11), date(2026, 11, 1)
PERIOD = {"first_on": "2026-09-08", "last_on": "2026-09-11"}


@pytest.fixture
def market():
    return make.market("ours", first_open_on=SEP_8)


@pytest.fixture
def draft(market):
    """A version by which shop A keeps less and shop B more, and a settled line of each."""
    with tenancy.use(market.pk):
        make.sold(make.seller("A"), number="1", unit_price=100_000, category="gold")
        make.sold(make.seller("B"), number="2", unit_price=100_000, category="rice")
    nights.close_day(market.pk, CLOSED_ON, at=make.AT)
    with tenancy.use(market.pk):
        live = FeeScheduleVersion.objects.published().get()
        draft = versions.revise(live, valid_from=NEXT, by=None, at=make.AT)
        for code, rate_ppm in (("gold", 50_000), ("rice", 40_000)):
            FeeRule.objects.filter(version=draft, category__code=code).update(rate_ppm=rate_ppm)
    return draft


@pytest.fixture
def enter(client, market):
    def enter(role="finance", into=market):
        user = people.user(f"{role}@example.org")
        people.membership(into, user, role)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": into.slug})
        return client

    return enter


def rehearse(market, draft):
    with tenancy.use(market.pk):
        asked = rehearsals.ask(draft, first_on=SEP_8, last_on=CLOSED_ON, by=None, at=make.AT)
    rehearsals.run(market.pk, asked.job_id, at=make.AT)
    return asked


def page_of(draft):
    return f"{VERSIONS}{draft.pk}/rehearse/"


def text(answer):
    return " ".join(answer.content.decode().split())


class TestStrangers:
    def test_find_no_rehearsal_of_ours(self, enter, market, draft):
        asked = rehearse(market, draft)
        theirs = make.market("theirs", first_open_on=SEP_8)
        with tenancy.use(theirs.pk):
            other = FeeScheduleVersion.objects.get()
        client = enter("owner", theirs)
        assert client.get(page_of(draft)).status_code == 404
        assert client.post(page_of(draft), PERIOD).status_code == 404
        for query in (f"rehearsal={asked.pk}", f"rehearsal={asked.pk}&file=csv"):
            assert client.get(f"{page_of(other)}?{query}").status_code == 404

    def test_of_another_version_are_not_shown(self, enter, market, draft):
        asked = rehearse(market, draft)
        with tenancy.use(market.pk):
            live = FeeScheduleVersion.objects.published().get()
        assert enter().get(f"{page_of(live)}?rehearsal={asked.pk}").status_code == 404


class TestAsking:
    def test_begins_with_the_last_quarter_that_is_closed(self, enter, draft):
        answer = enter().get(page_of(draft))
        assert answer.context["form"].initial == {"first_on": SEP_8, "last_on": CLOSED_ON}
        assert "Not rehearsed yet" in text(answer)

    def test_is_shown_as_waiting_and_loads_itself_again(self, enter, market, draft):
        client = enter()
        client.post(page_of(draft), PERIOD)
        with tenancy.use(market.pk):
            assert FeeRehearsal.objects.get().version_id == draft.pk
        answer = client.get(page_of(draft))
        assert answer["Refresh"] == "5"
        assert "Queued" in text(answer)

    def test_says_why_a_period_is_refused(self, enter, market, draft):
        answer = enter().post(page_of(draft), PERIOD | {"last_on": "2026-09-12"}, follow=True)
        assert "end by the last closed day, 2026-09-11" in text(answer)
        with tenancy.use(market.pk):
            assert not FeeRehearsal.objects.exists()

    @pytest.mark.parametrize("role", ["reviewer", "support", "viewer"])
    def test_is_for_whoever_may_change_fees(self, enter, draft, role):
        client = enter(role)
        assert client.post(page_of(draft), PERIOD).status_code == 403
        assert not client.get(page_of(draft)).context["may_ask"]


class TestResults:
    def test_show_totals_winners_losers_and_the_control(self, enter, market, draft):
        rehearse(market, draft)
        answer = enter().get(page_of(draft))
        assert "0 lines differ" in text(answer)
        context = answer.context
        assert [row.gain for row in context["losers"]] == [-2_200]
        assert [row.gain for row in context["winners"]] == [2_200]
        assert context["totals"].gain == 0
        assert (context["rehearsal"].worse_off, context["rehearsal"].better_off) == (1, 1)
        assert not context["is_stale"]

    def test_say_that_the_version_was_changed_since(self, enter, market, draft):
        rehearse(market, draft)
        with tenancy.use(market.pk):
            FeeRule.objects.filter(version=draft, category__code="gold").update(rate_ppm=1)
        answer = enter().get(page_of(draft))
        assert answer.context["is_stale"]
        assert "no longer shows what would be charged" in text(answer)

    def test_lead_to_the_lines_of_a_seller(self, enter, market, draft):
        asked = rehearse(market, draft)
        client = enter()
        [loser] = client.get(page_of(draft)).context["losers"]
        address = f"{page_of(draft)}?rehearsal={asked.pk}&seller={loser.seller.public_id}"
        answer = client.get(address)
        [row] = answer.context["lines"]
        assert (row["line"].booked.fee, row["line"].after.fee) == (3_000, 5_000)
        assert client.get(row["url"]).status_code == 200
        assert client.get(f"{address}x").status_code == 404

    def test_ask_the_same_for_many_rows(self, enter, market, draft, django_assert_max_num_queries):
        rehearse(market, draft)
        client = enter()
        client.get(page_of(draft))
        with django_assert_max_num_queries(24):
            client.get(page_of(draft))

    @pytest.mark.parametrize("subject", ["sellers", "categories"])
    def test_are_taken_away_as_a_file(self, enter, market, draft, subject):
        asked = rehearse(market, draft)
        client = enter("viewer")
        address = f"{page_of(draft)}?rehearsal={asked.pk}&of={subject}&file="
        content = client.get(address + "csv").content.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(content)))
        assert [int(row["Gain"]) for row in rows] == [-2_200, 2_200, 0]
        assert int(rows[-1]["Net as booked"]) == 96_700 + 93_400
        answer = client.get(address + "xlsx")
        assert answer.content.startswith(b"PK")
        assert client.get(address + "exe").status_code == 404


class TestPublication:
    def test_is_told_whether_it_was_rehearsed(self, enter, market, draft):
        client = enter()
        page = f"{VERSIONS}{draft.pk}/ask/"
        assert "It was not rehearsed as it is now" in text(client.get(page))
        rehearse(market, draft)
        assert (
            "Rehearsed over 2 lines from 2026-09-08 to 2026-09-11: 1 seller keeps less, "
            "1 keeps more." in text(client.get(page))
        )

    def test_waives_the_notice_where_a_second_person_agrees(self, enter, market, draft):
        with tenancy.use(market.pk):  # whatever today is, tomorrow is too soon
            FeeScheduleVersion.objects.filter(pk=draft.pk).update(valid_from=_tomorrow())
        client = enter("finance")
        page = f"{VERSIONS}{draft.pk}/ask/"
        assert "they have 30 days of notice" in text(client.get(page))
        client.post(page, {"reason": "The law", "waive_notice": "on"})
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
        assert approval.data == {"waive_notice": True}
        approve = f"/admin/marketplace/approval/{approval.pk}/change/"
        client = enter("owner")
        assert "Waives the notice to sellers" in text(client.get(approve))
        client.post(approve, {"decision": "approve", "reason": "Yes"})
        with tenancy.use(market.pk):
            draft.refresh_from_db()
        assert draft.state == "published"

    def test_is_refused_in_words_without_it(self, enter, market, draft):
        with tenancy.use(market.pk):
            FeeScheduleVersion.objects.filter(pk=draft.pk).update(valid_from=_tomorrow())
        enter("finance").post(f"{VERSIONS}{draft.pk}/ask/", {"reason": "Soon"})
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
        approve = f"/admin/marketplace/approval/{approval.pk}/change/"
        decided = {"decision": "approve", "reason": "Yes"}
        answer = enter("owner").post(approve, decided, follow=True)
        assert "they have 30 days of notice" in text(answer)
        with tenancy.use(market.pk):
            draft.refresh_from_db()
        assert draft.state == "draft"


def _tomorrow():
    return timezone.localdate() + timedelta(days=1)
