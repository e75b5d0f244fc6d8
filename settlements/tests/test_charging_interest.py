"""Interest on invoiced debts as the nights charge it, with the money that it moves.

96,700 are invoiced on 17 September; three days of grace, 12 % a year. What the days come to is told
by test_interest.
"""

from datetime import UTC, date, datetime

import pytest

from marketplace import approvals, tenancy, versions
from marketplace.models import Approval
from marketplace.tests import make as people
from sellers.models import Seller
from settlements import charging_interest, collecting, interest, nights, verification
from settlements.models import DebtMovement, InterestTerms, Journal, SellerBalance
from settlements.tests import make
from settlements.tests.test_collecting import BACK, DUE, LATER, NET, _account, _agrees, _market
from settlements.tests.test_payout_pages import operator, shopkeeper

pytestmark = pytest.mark.django_db

SEP_30, OCT_31 = date(2026, 9, 30), date(2026, 10, 31)
AT = datetime(2026, 10, 1, 3, tzinfo=UTC)
DRAFT = "/admin/settlements/interestterms/draft/"


def agree(valid_from=date(2026, 9, 8), **said):
    """Terms in force from a day on."""
    draft = versions.draft(InterestTerms, valid_from=valid_from, by=None, **said)
    return charging_interest.publish(draft, by=None, at=AT)


@pytest.fixture
def market():
    """A seller who owes what was invoiced, where debts bear interest."""
    market = _market(debt_policy="invoice_seller")
    with tenancy.use(market.pk):
        agree(rate_ppm=120_000, grace_days=3)
        line = make.sold(make.seller(), unit_price=100_000, category="gold")
    nights.close_day(market.pk, DUE, at=AT)
    with tenancy.use(market.pk):
        make.returned(line, left=0, on=BACK)
    nights.close_day(market.pk, LATER, at=AT)
    return market


def charges():
    rows = DebtMovement.objects.interest().order_by("on")
    return [(row.on, row.amount, [tuple(period) for period in row.periods]) for row in rows]


def deposit(amount, on, *, by=None, at=AT):
    balance = SellerBalance.objects.get()
    by = by or people.user(f"{on}@example.org")
    said = {"evidence": str(on), "on": on, "by": by, "at": at}
    return collecting.record_deposit(balance, amount=amount, **said)


class TestCharge:
    def test_is_made_once_by_the_nights_of_months_last_days(self, market):
        nights.close_day(market.pk, SEP_30, at=AT)
        whole = ("2026-09-21", "2026-09-30", NET, 120_000)
        with tenancy.use(market.pk):
            assert charges() == [(SEP_30, 317, [whole])]  # 96,700 × 10 × 12 % / 365 = 317.9…
            assert SellerBalance.objects.get().receivable == 97_017
            assert (_account("interest_income"), _account("seller_receivable")) == (-317, 97_017)
            journal = Journal.objects.get(template="debt")
            assert (journal.reference, journal.basis_on) == (
                DebtMovement.objects.get().public_id,
                SEP_30,
            )
            assert charging_interest.charge(SEP_30, at=AT) == 0
            _agrees(SEP_30)
        nights.close_day(market.pk, OCT_31, at=AT)
        october = ("2026-10-01", "2026-10-31", NET, 120_000)
        with tenancy.use(market.pk):
            assert charges()[1:] == [(OCT_31, 985, [october])]  # of the debt, not of its interest
            assert charging_interest.charge(SEP_30, at=AT) == 0
            _agrees(OCT_31)

    def test_counts_a_payment_and_a_new_rate_within_the_month(self, market):
        with tenancy.use(market.pk):
            deposit(40_000, date(2026, 9, 25))
            agree(date(2026, 9, 29), rate_ppm=60_000, grace_days=3)
            assert charging_interest.charge(SEP_30, at=AT) == 1
            assert charges()[0][1:] == (
                233,  # (96,700 × 5 + 56,700 × 3) × 12 % / 365 + 56,700 × 2 × 6 % / 365 = 233.5…
                [
                    ("2026-09-21", "2026-09-25", 96_700, 120_000),
                    ("2026-09-26", "2026-09-28", 56_700, 120_000),
                    ("2026-09-29", "2026-09-30", 56_700, 60_000),
                ],
            )

    def test_of_a_late_night_goes_by_its_own_day(self, market):
        """The debt was paid on 1 October, before the night of 30 September was closed."""
        with tenancy.use(market.pk):
            deposit(NET, date(2026, 10, 1))
            assert charging_interest.charge(SEP_30, at=AT) == 1
            assert SellerBalance.objects.get().receivable == 317
            # The interest was owed before the payment, so 317 of the debt itself are left.
            [shown] = collecting.debts(on=date(2026, 10, 5))
            assert (shown.since, shown.amount) == (LATER, 317)

    def test_reaches_sellers_whose_contract_has_ended(self, market):
        with tenancy.use(market.pk):
            Seller.objects.update(state=Seller.State.TERMINATED)
            assert charging_interest.charge(SEP_30, at=AT) == 1

    def test_is_paid_and_given_up_before_the_debt_itself(self, market):
        with tenancy.use(market.pk):
            charging_interest.charge(SEP_30, at=AT)
            deposit(300, date(2026, 10, 1))
            balance = SellerBalance.objects.get()
            first, second = people.user("a@example.org"), people.user("b@example.org")
            collecting.ask_to_write_off(balance, amount=17, reason="감면", by=first, at=AT)
            approvals.approve(Approval.objects.get(), by=second, at=AT)
            [account] = charging_interest.accounts([balance.seller_id]).values()
            assert interest.left(account) == interest.Left(((LATER, NET),), ())
            assert (_account("bad_debt"), SellerBalance.objects.get().receivable) == (17, NET)
            _agrees(SEP_30)

    @pytest.mark.parametrize("said", [None, {"rate_ppm": 0}])
    def test_is_none_without_terms_or_with_a_rate_of_nothing(self, said):
        market = _market(debt_policy="invoice_seller")
        with tenancy.use(market.pk):
            if said:
                agree(**said)
            SellerBalance.objects.create(seller=make.seller(), receivable=1_000_000)
            assert charging_interest.charge(SEP_30, at=AT) == 0

    def test_is_made_on_no_other_day(self, market):
        with tenancy.use(market.pk):
            assert charging_interest.charge(date(2026, 9, 29), at=AT) == 0


class TestTerms:
    def test_ask_for_nothing_of_days_that_are_closed(self, market):
        theirs = make.market("theirs")
        nights.close_day(theirs.pk, date(2026, 9, 2), at=AT)
        with tenancy.use(theirs.pk), pytest.raises(versions.BeginsInClosedDays):
            agree(date(2026, 9, 1), rate_ppm=120_000)

    def test_are_drafted_on_their_page_and_published_by_two(self, market):
        client = operator(market)
        page = client.post(DRAFT, follow=True)
        assert "20 % at most" in page.content.decode()
        with tenancy.use(market.pk):
            draft = InterestTerms.objects.get(state="draft")
            assert (draft.rate_ppm, draft.grace_days) == (120_000, 3)
        address = f"/admin/settlements/interestterms/{draft.pk}/change/"
        sent = {"valid_from": "2026-12-01", "rate_ppm": "20.1 %", "grace_days": "3", "note": ""}
        assert "No more than 20 percent a year" in client.post(address, sent).content.decode()
        client.post(address, sent | {"rate_ppm": "20 %"})
        with tenancy.use(market.pk):
            draft.refresh_from_db()
            assert draft.rate_ppm == 200_000
        refused = operator(market, "viewer", "viewer").post(DRAFT)
        assert refused.status_code == 403


class TestFaces:
    def test_tell_of_what_was_counted_and_charged(self, market):
        with tenancy.use(market.pk):
            charging_interest.charge(SEP_30, at=AT)
            balance = SellerBalance.objects.select_related("seller").get()
        page = shopkeeper(balance.seller, "s@example.org").get(f"/s/{market.slug}/debts/")
        text = page.content.decode()
        assert "12% a year once 3 days have passed" in text
        assert "2026-09-21 – 2026-09-30" in text
        assert "₩96,700 × 10 days × 12% / 365" in text
        story = operator(market).get(f"/admin/settlements/sellerbalance/{balance.pk}/change/")
        assert "₩96,700 × 10 days × 12% / 365" in story.content.decode()

    def test_tell_programs_the_periods(self, market):
        with tenancy.use(market.pk):
            charging_interest.charge(SEP_30, at=AT)
            client = people.ApiClient(people.api_key(market))
        [told] = client.read("debt-movements/?kind=interest").json()["data"]
        assert (told["amount"]["amount"], told["is_of_invoiced"]) == (317, True)
        assert told["periods"] == [
            {
                "first": "2026-09-21",
                "last": "2026-09-30",
                "days": 10,
                "principal": {"amount": NET, "currency": "KRW"},
                "rate_ppm": 120_000,
            }
        ]


class TestVerification:
    def test_finds_a_charge_that_does_not_follow_from_its_days(self, market, monkeypatch):
        with tenancy.use(market.pk):
            charging_interest.charge(SEP_30, at=AT)
            monkeypatch.setattr(interest, "YEAR", 360)
            found = [str(difference) for difference in verification.verify(on=LATER)]
            assert len(found) == 1
            assert "322" in found[0]
