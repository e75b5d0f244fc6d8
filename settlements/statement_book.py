"""The statements that the lines of a run are put on, and their totals as sums of those lines."""

from datetime import date

from django.db import connection

from settlements.fees import Charged, Terms
from settlements.models import Statement
from settlements.rating import RateBook

_IDS_AT_ONCE = 200


class Tally:
    """What a run adds to one statement, on top of what stood there before."""

    __slots__ = ("_parts", "statement")

    def __init__(self, statement: Statement):
        self.statement = statement
        self._parts: dict[int, list] = {}

    @property
    def statement_id(self) -> int:
        return self.statement.pk

    def add(
        self,
        terms: Terms,
        charged: Charged,
        list_amount: int,
        seller_discount: int,
        platform_discount: int,
        partner_discount: int,
        net: int,
    ) -> tuple[int, int]:
        """Add a line (figures below zero for a reversal); returns its fees and VAT in sum."""
        parts = self._parts.get(id(terms)) or self._parts_of(terms)
        fee = vat = 0
        for (_, line_fee, line_vat), (sums, is_on_top) in zip(charged, parts, strict=True):
            sums[0] += line_fee
            sums[1] += line_vat
            if is_on_top:
                sums[2] += line_vat
            fee += line_fee
            vat += line_vat
        statement = self.statement
        statement.lines += 1
        statement.list_amount += list_amount
        statement.seller_discount += seller_discount
        statement.platform_discount += platform_discount
        statement.partner_discount += partner_discount
        statement.fee += fee
        statement.vat += vat
        statement.net += net
        return fee, vat

    def _parts_of(self, terms: Terms) -> list:
        sums = self.statement.components
        parts = [
            (sums.setdefault(component, [0, 0, 0]), is_on_top)
            for component, is_on_top in zip(terms.components, terms.vat_on_top, strict=True)
        ]
        self._parts[id(terms)] = parts
        return parts


class StatementBook:
    """Open statements of a range of sellers, by due date; made when a line first needs one.

    The caller serves these sellers alone: their open statements are locked when the book opens.
    """

    def __init__(self, book: RateBook, *, first_seller: int, end_seller: int):
        self._book = book
        self._by_due: dict[tuple[int, date], Tally] = {}
        self._closed: set[tuple[int, date]] = set()
        self._ids: list[int] = []
        self.known: dict[tuple[int, date, date], Tally] = {}
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
            tally.statement.pk: tally.statement.lines for tally in self._by_due.values()
        }

    def tally(self, seller_id: int, basis_on: date, rate_on: date) -> Tally:
        """The statement on which a line of these dates falls due; opens it where there is none."""
        key = (seller_id, basis_on, rate_on)
        tally = self.known.get(key)
        if tally is None:
            due_on = self._book.due_on(
                basis_on, rate_on, lambda day: (seller_id, day) in self._closed
            )
            tally = self._by_due.get((seller_id, due_on))
            if tally is None:
                tally = self._by_due[seller_id, due_on] = self._opened(seller_id, due_on)
            statement = tally.statement
            statement.first_basis_on = min(statement.first_basis_on or basis_on, basis_on)
            statement.last_basis_on = max(statement.last_basis_on or basis_on, basis_on)
            self.known[key] = tally
        return tally

    def save(self) -> list[Statement]:
        """Write the statements that lines were added to, in one statement of SQL."""
        touched = [
            tally.statement
            for tally in self._by_due.values()
            if tally.statement.lines != self._before.get(tally.statement.pk, 0)
        ]
        Statement.objects.bulk_create(
            sorted(touched, key=lambda statement: statement.pk),
            batch_size=2000,
            update_conflicts=True,
            unique_fields=["marketplace", "seller", "due_on"],
            update_fields=[
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
                "components",
            ],
        )
        return touched

    def _opened(self, seller_id: int, due_on: date) -> Tally:
        if not self._ids:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                    [Statement._meta.db_table, _IDS_AT_ONCE],
                )
                self._ids = [number for (number,) in cursor.fetchall()]
        return Tally(Statement(pk=self._ids.pop(), seller_id=seller_id, due_on=due_on))
