"""A marketplace with one object of each kind that the API shows, and programs that hold keys."""

from datetime import date

from django.utils import timezone

from listings import reviewing
from listings.models import Category
from marketplace import tenancy
from marketplace.models import User
from marketplace.tests.make import ApiClient, api_key
from marketplace.webhooks import endpoints
from orders import claims
from orders.models import OrderLine
from settlements import export_jobs, holding, nights, payouts, runs
from settlements.models import (
    Adjustment,
    AdPrepaymentMovement,
    DebtMovement,
    Payout,
    PayoutForecast,
    RevenueReport,
    Statement,
)
from settlements.tests import make

SETTLED_ON = date(2026, 9, 8)


class ApiMarket:
    """`names` are the public ids of its objects; `shop` and `sellers[code]` call the API."""

    def __init__(self, slug: str):
        self.market = make.market(slug)
        self.names: dict[str, str] = {}
        with tenancy.use(self.market.pk):
            self._sell()
        self.shop = ApiClient(api_key(self.market))
        self.sellers = {
            seller.code: ApiClient(api_key(self.market, seller=seller.public_id))
            for seller in (self.own, self.other)
        }

    def _sell(self) -> None:
        self.own, self.other = make.seller("own"), make.seller("other")
        line = make.sold(self.own, number="API-1", unit_price=12_900, quantity=3)
        nights._open_months(SETTLED_ON)
        runs.settle(on=SETTLED_ON, first_seller=0, end_seller=2**62)
        at = timezone.now()
        claim = claims.request(
            OrderLine.objects.get(pk=line.pk),
            type="return",
            quantity=1,
            fault="buyer",
            by=None,
            at=at,
        )
        revision = reviewing.create(
            self.own,
            "tea-1",
            title="녹차",
            unit_price=12_900,
            category=Category.objects.first(),
            by=None,
            at=at,
        )
        endpoint = endpoints.create(
            "https://hooks.example.com/jangteo", seller_id=self.own.pk, by=None, at=at
        ).endpoint
        adjustment = Adjustment.objects.create(
            seller=self.own,
            state=Adjustment.State.APPROVED,
            amount=-10_000,
            tax_kind="outside_scope",
            reason_code=Adjustment.Reason.PENALTY,
            reason="발송 지연",
            basis_on=SETTLED_ON,
            requested_at=at,
        )
        report = RevenueReport.objects.create(
            seller=self.own,
            stream="goods",
            on=make.FIRST_OPEN_ON,
            version=1,
            amount=1_000,
            reported_at=at,
        )
        movement = DebtMovement.objects.create(
            seller=self.own,
            kind="deposit",
            amount=1_000,
            on=make.FIRST_OPEN_ON,
            evidence="0901-7",
            part=1,
            by=User.objects.create(email=f"{self.market.slug}@example.org"),
            at=at,
        )
        prepaid = AdPrepaymentMovement.objects.create(
            seller=self.own,
            kind="deposit",
            amount=1_000,
            balance=1_000,
            on=make.FIRST_OPEN_ON,
            evidence="0901-8",
            at=at,
        )
        held = holding.Terms(reason="document", note="사업자등록증", condition="서류 제출")
        hold = holding.hold_amount(self.own, 5_000, held, by=None, at=at)
        PayoutForecast.objects.create(
            seller=self.own, made_on=SETTLED_ON, due_on=SETTLED_ON, expected=1_000
        )
        job = export_jobs.ask("statements", seller=self.own, by=None, at=at)
        self.names = {
            "ad_prepayment_movement": prepaid.public_id,
            "adjustment": adjustment.public_id,
            "debt_movement": movement.public_id,
            "hold": hold.public_id,
            "report": report.public_id,
            "job": f"job_{job.key.rpartition('-')[2]}",
            "endpoint": endpoint.public_id,
            "seller": self.own.public_id,
            "order": line.order.public_id,
            "claim": claim.public_id,
            "listing": revision.listing.public_id,
            "statement": Statement.objects.open().get().public_id,
            "payout": self._paid().public_id,
            "tax_invoice": make.tax_invoice(self.own).public_id,
            "line": f"{line.order.public_id}-{line.number}-0",
        }

    def _paid(self) -> Payout:
        """A payout of the first seller that waits for approval."""
        make.account(self.own)
        make.payable(self.own)
        [batch] = payouts.prepare(on=make.FIRST_OPEN_ON, at=make.AT)
        return batch.rows.get()
