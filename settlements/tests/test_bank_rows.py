"""Lists of bank transactions taken in: each row once, in its place, with none missing between."""

from datetime import date

import pytest

from marketplace import tenancy
from marketplace.models import AuditEntry
from marketplace.tests import make as people
from settlements import bank_files, bank_rows
from settlements.bank_files import BankFileRefused
from settlements.models import BankFile, BankRow
from settlements.tests import make

HEADER = "date,paid_in,paid_out,balance,counterparty,memo,reference\n"
DAYS = (  # each follows from the one before
    "2026-09-01,1000,,1000,가,,\n",
    "2026-09-02,,300,700,나,,\n",
    "2026-09-03,50,,750,다,,\n",
    "2026-09-04,50,,800,다,,\n",
)


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def take(*rows, account="은행 1", by=None):
    return bank_rows.import_file(
        (HEADER + "".join(rows)).encode(),
        account=account,
        name="list.csv",
        format=bank_files.load_format("standard"),
        by=by,
        at=make.AT,
    )


def stored(account="은행 1"):
    rows = BankRow.objects.filter(account=account).order_by("place")
    return [(row.place, row.on.day, row.amount, row.balance) for row in rows]


def refused(*rows):
    with pytest.raises(BankFileRefused) as error:
        take(*rows)
    [problem] = error.value.problems
    return problem


ALL = [(1, 1, 1000, 1000), (2, 2, -300, 700), (3, 3, 50, 750), (4, 4, 50, 800)]


class TestImportFile:
    def test_keeps_rows_with_who_took_them_in(self, market):
        someone = people.user()
        file = take(*DAYS, by=someone)
        assert stored() == ALL
        assert (file.rows, file.known_rows) == (4, 0)
        assert (file.first_on, file.last_on) == (date(2026, 9, 1), date(2026, 9, 4))
        entry = AuditEntry.objects.get(action="bank_file.imported")
        assert (entry.actor, entry.data["rows"]) == (someone, 4)

    def test_adds_nothing_for_the_same_file(self, market):
        assert take(*DAYS) == take(*DAYS, account=" 은행  1 ")
        assert (BankFile.objects.count(), stored()) == (1, ALL)

    def test_adds_only_what_is_new_of_an_overlapping_one(self, market):
        take(*DAYS[:2])
        file = take(*DAYS[1:])
        assert (file.rows, file.known_rows) == (3, 1)
        assert stored() == ALL
        assert take(DAYS[1]).known_rows == 1
        assert stored() == ALL

    def test_goes_on_where_the_account_ended(self, market):
        take(*DAYS[:2])
        take(*DAYS[2:])
        assert stored() == ALL

    def test_puts_earlier_days_before(self, market):
        take(*DAYS[2:])
        take(*DAYS[:2])
        assert stored() == [(place - 2, *said) for place, *said in ALL]
        take(*DAYS)
        assert len(stored()) == 4

    def test_puts_an_overlap_around_what_is_known(self, market):
        take(*DAYS[1:3])
        take(*DAYS)
        assert stored() == [(place - 1, *said) for place, *said in ALL]

    def test_refuses_what_leaves_rows_out_since_then(self, market):
        take(*DAYS[:2])
        problem = refused(DAYS[3])
        assert (problem.row, problem.code) == (2, "does_not_adjoin")
        assert dict(problem.values) == {
            "first": date(2026, 9, 1),
            "opening": "0",
            "last": date(2026, 9, 2),
            "closing": "700",
        }
        assert len(stored()) == 2

    def test_refuses_rows_in_between(self, market):
        take(*DAYS)
        between = ("2026-09-02,,300,700,나,,\n", "2026-09-02,50,,750,라,,\n")
        assert refused(*between).row == 3
        assert stored() == ALL

    def test_keeps_each_account_for_itself(self, market):
        take(*DAYS)
        take(DAYS[0], account="은행 2")
        assert stored("은행 2") == ALL[:1]

    def test_keeps_rows_that_say_the_same(self, market):
        same = ("2026-09-05,9,,809,라,,\n", "2026-09-05,,9,800,마,,\n") * 2
        take(*DAYS, *same)
        assert len(stored()) == 8
        take(*same)
        assert len(stored()) == 8


def test_each_marketplace_has_its_own(db):
    ours, theirs = make.market(), make.market("theirs")
    with tenancy.use(ours.pk):
        take(*DAYS)
    with tenancy.use(theirs.pk):
        assert stored() == []
        take(DAYS[1])
        assert stored() == [(1, 2, -300, 700)]
