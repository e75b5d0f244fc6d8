"""The close desk: what the next night will settle, and what stands in its way."""

from datetime import date, timedelta

import pytest
from django.urls import reverse

from marketplace import approvals, tenancy
from marketplace.models import Marketplace
from marketplace.tests import make as people
from orders.models import OrderLine
from settlements import adjusting, holding, nights, tonight
from settlements.models import SellerBalance, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db(transaction=True)

SEP_8 = date(2026, 9, 8)
DAY = timedelta(days=1)


@pytest.fixture
def market():
    return make.market(first_open_on=SEP_8)


def look(market, at=make.AT):
    market.refresh_from_db()
    with tenancy.use(market.pk):
        return tonight.look(market, at=at)


def figures(parts):
    return {part.code: (part.count, part.amount) for part in parts if part.count}


class TestLook:
    def test_finds_nothing_in_a_market_without_orders(self, market):
        told = look(market)
        assert (told.on, told.is_due, told.job, told.refusals) == (SEP_8, False, None, ())
        assert figures((*told.settles, *told.holds, *told.unpaid, *told.keeps)) == {}

    def test_counts_what_the_night_then_takes(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            line = make.placed(seller, number="1", unit_price=30_000, status="delivered")
            OrderLine.objects.filter(pk=line.pk).update(
                delivered_on=SEP_8 - 7 * DAY, confirm_due_on=SEP_8
            )
            make.sold(seller, number="2", unit_price=100_000, confirmed_on=SEP_8)
            later = make.sold(seller, number="3", unit_price=50_000, confirmed_on=SEP_8 + DAY)
            make.returned(later, left=0, on=SEP_8 + DAY)
            said = {"tax_kind": "taxable", "reason_code": "penalty", "basis_on": SEP_8}
            operator = people.user("operator@example.org")
            for amount in (-1_000, -2_000):
                row = adjusting.request(
                    seller, amount=amount, reason="지연", by=operator, at=make.AT, **said
                )
            approvals.approve(
                approvals.Approval.objects.get(object_key=str(row.pk)),
                by=people.user("second@example.org"),
                at=make.AT,
            )
        told = look(market)
        assert figures(told.settles) == {
            "to_confirm": (1, 30_000),
            "sales": (1, 100_000),
            "adjustments": (1, -2_000),
        }
        assert figures(told.keeps) == {"requested": (1, -1_000), "approvals": (1, None)}
        nights.close_day(market.pk, SEP_8, at=make.AT)
        told = look(market)
        assert told.on == SEP_8 + DAY
        assert figures(told.settles) == {"sales": (1, 50_000), "reversals": (1, None)}

    def test_names_what_keeps_statements_from_being_paid(self, market):
        with tenancy.use(market.pk):
            rich, poor = make.seller("A"), make.seller("B")
            make.account(rich)
            for number, seller in enumerate((rich, poor)):
                make.sold(seller, number=str(number), unit_price=100_000, category="gold")
            SellerBalance.objects.update_or_create(seller=poor, defaults={"carry": -7_000})
            terms = holding.Terms(reason="manual", note="확인 중", condition="확인이 끝나면")
            holding.hold_amount(rich, 5_000, terms, by=None, at=make.AT)
        nights.close_day(market.pk, SEP_8 + 2 * DAY, at=make.AT)
        told = look(market)
        assert told.on == SEP_8 + 3 * DAY
        assert figures(told.settles) == {"statements": (2, 2 * 96_700)}
        assert figures(told.holds) == {"manual": (1, 5_000)}
        assert figures(told.unpaid) == {"no_account": (1, 96_700)}
        assert figures(told.keeps) == {"debts": (1, 7_000)}

    def test_says_which_rules_are_missing(self, market):
        long_before = date(1950, 1, 1)
        with tenancy.use(market.pk):
            Marketplace.objects.filter(pk=market.pk).update(first_open_on=long_before)
        told = look(market)
        assert [refused.code for refused in told.refusals] == [
            "no_version_in_force",
            "no_version_in_force",
            "no_calendar",
        ]
        with tenancy.use(market.pk):
            make.payable(make.seller())
            Statement.objects.update(state="open", due_on=long_before, closed_on=None)
        assert figures(look(market).unpaid) == {"no_policy": (1, 96_700)}

    def test_sees_nothing_of_another_marketplace(self, market):
        with tenancy.use(market.pk):
            make.sold(make.seller(), unit_price=100_000, confirmed_on=SEP_8)
        told = look(make.market("other", first_open_on=SEP_8))
        assert figures((*told.settles, *told.holds, *told.unpaid, *told.keeps)) == {}


class TestPage:
    def test_shows_each_part_with_its_list(self, market, client):
        with tenancy.use(market.pk):
            make.sold(make.seller(), unit_price=100_000, category="gold")
        nights.close_day(market.pk, SEP_8 + 2 * DAY, at=make.AT)
        user = people.user("finance@example.org")
        people.membership(market, user, "finance")
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        answer = client.get(reverse("admin:settlements_statement_tonight"))
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "2026-09-11" in page
        assert "due_on__lte=2026-09-11" in page
        assert "96,700" in page
