"""The statements that the lines of a run are put on, and their totals as sums of those lines."""

from collections import defaultdict
from datetime import date
from itertools import islice

from django.db import connection

from marketplace import bulk
from settlements.models import Statement
from settlements.rating import RateBook

_IDS_A_SELLER = 3  # reserved at once, for asking means to wait until the connection is free
_IDS_AT_MOST = 3_000


class Tally:
    """What a run adds to one statement, on top of what stood there before.

    Lines are collected and summed up by columns, many at once, when the book is told to.
    """

    __slots__ = ("_days", "_is_service", "_lines", "statement", "statement_id")

    def __init__(self, statement: Statement, *, is_service: bool = False):
        self._is_service = is_service  # its lines are income from which tax is withheld
        self.statement = statement
        self.statement_id = statement.pk
        self._days: set[int] = set()
        self._lines: defaultdict[tuple, list[tuple]] = defaultdict(list)

    def add(self, parts: tuple[tuple[str, bool], ...], basis_day: int, line: tuple) -> None:
        """Add a line of a day, by its ordinal (figures below zero for a reversal).

        `parts` are its components, and whether their VAT comes on top. At the end of `line` stand
        list amount, discounts of seller, platform and partner, fees, VAT, net, then base, fee and
        VAT of each component.
        """
        self._days.add(basis_day)
        self._lines[parts].append(line)

    def sum_up(self) -> None:
        """Put the lines collected so far on the statement."""
        if not self._lines:
            return
        statement, days = self.statement, [date.fromordinal(day) for day in self._days]
        statement.first_basis_on = min(statement.first_basis_on or date.max, *days)
        statement.last_basis_on = max(statement.last_basis_on or date.min, *days)
        for parts, lines in self._lines.items():
            columns = islice(zip(*lines, strict=True), len(lines[0]) - 7 - 3 * len(parts), None)
            sums = [sum(column) for column in columns]
            statement.lines += len(lines)
            statement.list_amount += sums[0]
            statement.seller_discount += sums[1]
            statement.platform_discount += sums[2]
            statement.partner_discount += sums[3]
            statement.fee += sums[4]
            statement.vat += sums[5]
            statement.net += sums[6]
            if self._is_service:
                statement.service_net += sums[6]
            fees, vats = sums[8::3], sums[9::3]
            for (component, is_on_top), fee, vat in zip(parts, fees, vats, strict=True):
                on_statement = statement.components.setdefault(component, [0, 0, 0])
                on_statement[0] += fee
                on_statement[1] += vat
                on_statement[2] += vat if is_on_top else 0
        self._lines.clear()
        self._days.clear()


class StatementBook:
    """Open statements of a range of sellers, by due date; made when a line first needs one.

    The caller serves these sellers alone: their open statements are locked when the book opens.
    """

    def __init__(self, book: RateBook, *, first_seller: int, end_seller: int):
        self._book = book
        self._by_due: dict[tuple[int, date], Tally] = {}
        self._closed: set[tuple[int, date]] = set()
        self._ids: list[int] = []
        self._ids_at_once = min(_IDS_A_SELLER * (1 + len(book.only or ())), _IDS_AT_MOST)
        self._services: dict[int, Tally] = {}
        self._with_contract = book.contracts.sellers
        self._due_on: dict[tuple[int, date, date], date] = {}
        self._due_of_days: dict[tuple[int, int], date] = {}  # of sellers without a contract
        rows = (
            Statement.objects.select_for_update()
            .filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
            .filter(due_on__gte=book.on)
        )
        for statement in rows.order_by("pk"):
            key = (statement.seller_id, statement.due_on)
            if statement.state == Statement.State.OPEN:
                self._by_due[key] = Tally(statement)
            else:
                self._closed.add(key)
        self._before = {
            tally.statement_id: tally.statement.lines for tally in self._by_due.values()
        }

    def tally(
        self, seller_id: int, basis_on: date, rate_on: date, *, is_of_sale: bool = True
    ) -> Tally:
        """The statement on which a line of these dates falls due; opens it where there is none.

        What is neither a sale nor a supply of the seller is no income from services either,
        whatever its contract says.
        """
        has_contract = seller_id in self._with_contract
        key = (seller_id if has_contract else 0, basis_on, rate_on)
        due_on = self._due_on.get(key)
        if due_on is None:
            # Where a seller's statement of that day is closed, the line goes to a later one.
            due_on = self._book.due_on(seller_id, basis_on, rate_on, lambda day: False)
            self._due_on[key] = due_on
        tally = self._by_due.get((seller_id, due_on))
        if tally is None:
            if (seller_id, due_on) in self._closed:
                due_on = self._book.due_on(
                    seller_id, basis_on, rate_on, lambda day: (seller_id, day) in self._closed
                )
                tally = self._by_due.get((seller_id, due_on))
            if tally is None:
                tally = self._by_due[seller_id, due_on] = self._opened(seller_id, due_on)
        if has_contract and is_of_sale and self._book.contracts.is_service(seller_id, rate_on):
            return self._of_services(tally)
        return tally

    def tally_on(self, seller_id: int, rate_day: int, basis_day: int) -> Tally:
        """What `tally` finds for a sale, by the ordinals of its days: a million lines ask."""
        if seller_id not in self._with_contract:
            due_on = self._due_of_days.get((rate_day, basis_day))
            found = self._by_due.get((seller_id, due_on))
            if found is not None:
                return found
        rate_on, basis_on = date.fromordinal(rate_day), date.fromordinal(basis_day)
        found = self.tally(seller_id, basis_on, rate_on)
        if seller_id not in self._with_contract:
            self._due_of_days[rate_day, basis_day] = self._due_on[0, basis_on, rate_on]
        return found

    def tally_of_day(self, seller_id: int, day: date) -> Tally:
        """The seller's statement that is due on a business day, or the next one that is open."""
        calendar = self._book.calendar
        while (seller_id, day) in self._closed:
            day = calendar.add_business_days(day, 1)
        tally = self._by_due.get((seller_id, day))
        if tally is None:
            tally = self._by_due[seller_id, day] = self._opened(seller_id, day)
        return tally

    def sum_up(self) -> None:
        """Put every line collected so far on its statement; memory holds no more of them."""
        for tally in (*self._by_due.values(), *self._services.values()):
            tally.sum_up()

    def save(self) -> list[Statement]:
        """Write the statements that lines were added to, in one statement of SQL."""
        self.sum_up()
        touched = [
            tally.statement
            for tally in self._by_due.values()
            if tally.statement.lines != self._before.get(tally.statement.pk, 0)
        ]
        bulk.write(
            sorted(touched, key=lambda statement: statement.pk),
            unique=["marketplace", "seller", "due_on"],
            update=[
                "lines",
                "first_basis_on",
                "last_basis_on",
                "list_amount",
                "seller_discount",
                "platform_discount",
                "partner_discount",
                "fee",
                "vat",
                "net",
                "service_net",
                "components",
            ],
        )
        return touched

    def _of_services(self, tally: Tally) -> Tally:
        """The tally of those lines of a statement from which tax is withheld."""
        found = self._services.get(tally.statement_id)
        if found is None:
            found = Tally(tally.statement, is_service=True)
            self._services[tally.statement_id] = found
        return found

    def _opened(self, seller_id: int, due_on: date) -> Tally:
        if not self._ids:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                    [Statement._meta.db_table, self._ids_at_once],
                )
                self._ids = [number for (number,) in cursor.fetchall()]
        return Tally(Statement(pk=self._ids.pop(), seller_id=seller_id, due_on=due_on))
