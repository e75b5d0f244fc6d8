"""The cast of the pages: a shop, its neighbour in the same orders, its staff, and a stranger."""

from dataclasses import dataclass

from marketplace import tenancy
from orders import claims
from orders.models import Claim, Order, OrderLine
from orders.tests import make
from sellers.models import Seller, SellerMember
from sellers.tests.make import member

__all__ = ["Cast", "cast", "rows", "suspend"]


@dataclass
class Cast:
    """Order A-1 holds lines 1 and 2 of hanok, line 3 and shipping of dokebi; all are paid."""

    market: object
    owner: object
    staff: object
    neighbour: object
    stranger: object

    def url(self, rest=""):
        return f"/s/own/{rest}"

    def order(self, number="A-1") -> str:
        with tenancy.use(self.market.pk):
            return Order.objects.get(number=number).public_id

    def status(self, line=1, number="A-1") -> str:
        with tenancy.use(self.market.pk):
            return OrderLine.objects.get(order__number=number, number=line).status

    def claim(self, line=1, quantity=1, *, kind="cancel", day=1, reason="Changed my mind") -> Claim:
        with tenancy.use(self.market.pk):
            row = OrderLine.objects.get(order__number="A-1", number=line)
            asked = {"type": kind, "quantity": quantity, "fault": "buyer", "reason": reason}
            return claims.request(row, **asked, by=None, at=make.day(day))

    def told(self, kind, **fields):
        with tenancy.use(self.market.pk):
            make.told(make.event(kind, fields.pop("day", 2), **fields))


def cast() -> Cast:
    market, other = make.marketplace("own"), make.marketplace("other")
    with tenancy.use(market.pk):
        make.calendar()
        make.policy()
        hanok, dokebi = make.seller(), make.seller("dokebi")
        make.accepted(
            make.order(
                lines=[
                    make.line(1, quantity=2, title="찻잔 <script>alert(1)</script>", sku="CUP-1"),
                    make.line(2, title="=HYPERLINK(1)", unit_price=7_000),
                    make.line(3, "dokebi", title="도깨비 방망이", unit_price=99_000),
                    make.shipping(9, "dokebi"),
                ],
                buyer_reference="B-77",
            )
        )
        make.told(make.event("paid", 0))
        people = {
            "owner": member(hanok, "owner@example.org"),
            "staff": member(hanok, "staff@example.org", SellerMember.Role.STAFF),
            "neighbour": member(dokebi, "neighbour@example.org"),
        }
    with tenancy.use(other.pk):
        make.calendar()
        make.policy()
        people["stranger"] = member(make.seller("pear"), "stranger@example.org")
    return Cast(market, **people)


def rows(market, model) -> int:
    with tenancy.use(market.pk):
        return model.objects.count()


def suspend(market) -> None:
    with tenancy.use(market.pk):
        Seller.objects.filter(code="hanok").update(state=Seller.State.SUSPENDED)
