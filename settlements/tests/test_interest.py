"""Interest by the day, with its figures, each worked out by hand."""

from datetime import date, timedelta

import pytest

from settlements import interest
from settlements.interest import Account, Period, Terms

TWELVE = [Terms(date(2026, 1, 1), 120_000, 10)]
INVOICED = date(2026, 3, 1)  # bears interest from 12 March on: ten days of grace
MARCH = date(2026, 3, 31)


def found(account, terms=TWELVE, *, after=None, until=MARCH):
    return interest.periods(account, terms, after=after, until=until)


class TestPeriods:
    def test_begin_after_the_days_of_grace(self):
        [period] = found(Account([(INVOICED, 1_000_000)]))
        assert period == Period(date(2026, 3, 12), MARCH, 1_000_000, 120_000)
        assert period.days == 20
        assert interest.amount([period]) == 6_575  # 1,000,000 × 20 × 12 % / 365 = 6,575.3…
        assert found(Account([(INVOICED, 1_000_000)]), until=date(2026, 3, 11)) == []

    def test_are_cut_by_a_payment_whose_day_still_counts_in_full(self):
        account = Account([(INVOICED, 1_000_000)], paid=[(date(2026, 3, 21), 400_000)])
        assert found(account) == [
            Period(date(2026, 3, 12), date(2026, 3, 21), 1_000_000, 120_000),
            Period(date(2026, 3, 22), MARCH, 600_000, 120_000),
        ]
        # (1,000,000 × 10 + 600,000 × 10) × 12 % / 365 = 5,260.2…: rounded once, not each
        assert interest.amount(found(account)) == 5_260

    def test_are_cut_by_a_new_rate(self):
        terms = [*TWELVE, Terms(date(2026, 3, 22), 60_000, 10)]
        assert found(Account([(INVOICED, 1_000_000)]), terms) == [
            Period(date(2026, 3, 12), date(2026, 3, 21), 1_000_000, 120_000),
            Period(date(2026, 3, 22), MARCH, 1_000_000, 60_000),
        ]
        assert interest.amount(found(Account([(INVOICED, 1_000_000)]), terms)) == 4_931

    def test_end_with_terms_of_nothing(self):
        terms = [*TWELVE, Terms(date(2026, 3, 22), 0, 0)]
        assert [period.last for period in found(Account([(INVOICED, 1)]), terms)] == [
            date(2026, 3, 21)
        ]

    def test_count_the_29th_of_february_over_365_days(self):
        leap = [Terms(date(2028, 1, 1), 120_000, 0)]
        account = Account([(date(2027, 12, 31), 1_000_000)])
        [period] = found(account, leap, until=date(2028, 12, 31))
        assert period.days == 366
        assert interest.amount([period]) == 120_328  # 1,000,000 × 366 × 12 % / 365

    def test_add_up_invoices_each_after_its_own_grace(self):
        account = Account([(INVOICED, 1_000_000), (date(2026, 3, 11), 500_000)])
        assert [period.principal for period in found(account)] == [1_000_000, 1_500_000]
        assert found(account)[1].first == date(2026, 3, 22)

    def test_go_on_where_the_last_charge_ended(self):
        account = Account([(INVOICED, 1_000_000)], charged=[(MARCH, 6_575)])
        assert found(account, after=MARCH, until=MARCH) == []
        assert found(account, after=MARCH, until=MARCH - timedelta(days=1)) == []
        [april] = found(account, after=MARCH, until=date(2026, 4, 30))
        assert april == Period(date(2026, 4, 1), date(2026, 4, 30), 1_000_000, 120_000)
        assert interest.amount([april]) == 9_863  # interest bears none: still of 1,000,000

    def test_of_one_won_wait_until_they_make_one(self):
        account = Account([(INVOICED, 100)])
        assert interest.amount(found(account)) == 0
        assert interest.amount(found(account, until=date(2026, 4, 30))) == 1

    def test_are_none_without_terms_or_debts(self):
        assert found(Account([(INVOICED, 1)]), []) == []
        assert found(Account()) == []


class TestLeft:
    CHARGED = Account([(INVOICED, 1_000)], charged=[(MARCH, 100)])

    @pytest.mark.parametrize(
        ("paid", "principal", "owed"),
        [(60, 1_000, 40), (100, 1_000, 0), (300, 800, 0), (1_100, 0, 0)],
    )
    def test_has_interest_paid_before_principal(self, paid, principal, owed):
        account = Account(self.CHARGED.invoiced, self.CHARGED.charged, [(date(2026, 4, 5), paid)])
        rest = interest.left(account)
        assert sum(amount for _, amount in rest.principal) == principal
        assert sum(amount for _, amount in rest.interest) == owed

    def test_has_principal_paid_by_what_came_before_the_charge(self):
        account = Account(self.CHARGED.invoiced, self.CHARGED.charged, [(date(2026, 3, 20), 900)])
        assert interest.left(account) == interest.Left(((INVOICED, 100),), ((MARCH, 100),))

    def test_keeps_what_was_paid_ahead_of_an_invoice(self):
        account = Account([(INVOICED, 1_000)], paid=[(date(2026, 2, 1), 300)])
        assert interest.left(account).principal == ((INVOICED, 700),)

    def test_knows_since_when(self):
        assert interest.left(self.CHARGED).since == INVOICED
        paid = [(date(2026, 3, 20), 1_000)]
        assert interest.left(Account([(INVOICED, 1_000)], [(MARCH, 100)], paid)).since == MARCH
        assert interest.left(Account([(INVOICED, 1_000)], paid=paid)).since is None
