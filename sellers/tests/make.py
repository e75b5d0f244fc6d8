"""The cast of the sellers' tests: plain functions that make real rows."""

from datetime import UTC, date, datetime

from django.db import connection

from marketplace import tenancy, versions
from marketplace.models import Marketplace, User
from sellers import applying, performance, registering
from sellers.models import GradePolicy, Seller, SellerMember

AT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
JOINED = date(2026, 1, 1)

POLICY = {
    "metrics": {
        "orders": {
            "name": "구매확정 건수",
            "unit": "orders",
            "window": {"months": 1},
            "sum": ["orders_confirmed"],
        },
        "sales": {
            "name": "구매확정 금액",
            "unit": "money",
            "window": {"months": 1},
            "sum": ["sales_confirmed"],
            "less": ["sales_returned"],
        },
        "late": {
            "name": "발송 지연율",
            "unit": "ratio",
            "window": {"days": 7},
            "sum": ["shipped_late"],
            "per": ["shipped"],
            "minimum_sample": 10,
        },
    },
    "grades": [
        {"code": "seed", "name": "씨앗"},
        {
            "code": "power",
            "name": "파워",
            "requires": {
                "all": [
                    {"metric": "orders", "at_least": 300},
                    {"metric": "sales", "at_least": 8_000_000},
                ]
            },
            "benefits": [{"components": ["sales"], "points_off_ppm": 2_000}],
        },
        {
            "code": "premium",
            "name": "프리미엄",
            "requires": {
                "all": [
                    {
                        "any": [
                            {"metric": "orders", "at_least": 2_000},
                            {"metric": "sales", "at_least": 600_000_000},
                        ]
                    },
                    {"metric": "late", "at_most": 50_000},
                ]
            },
            "benefits": [{"components": ["sales", "live"], "percent_off_ppm": 100_000}],
        },
    ],
    "effective": {"every": "month", "day": 2},
    "starting": {"grade": "seed"},
}


def marketplace(slug="own", **fields):
    """A marketplace without any rules. Its id comes first, as row-level security asks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('marketplace_marketplace', 'id'))")
        [pk] = cursor.fetchone()
    values = {
        "name": slug,
        "currency": "KRW",
        "currency_exponent": 0,
        "zone": "Asia/Seoul",
        "first_open_on": JOINED,
    }
    with tenancy.use_new(pk):
        return Marketplace.objects.create(pk=pk, slug=slug, **(values | fields))


def seller(code="apple", *, joined_on=JOINED, **fields) -> Seller:
    row = registering.SellerRow(code=code, name=code, joined_on=joined_on, **fields)
    return registering.ensure_sellers([row], by=None, at=AT)[code]


def policy(body=None, *, valid_from=JOINED) -> GradePolicy:
    draft = versions.draft(GradePolicy, valid_from=valid_from, by=None, body=body or POLICY)
    return versions.publish(draft, by=None, at=AT)


def day(seller, on, **figures) -> None:
    performance.record_days([performance.DayFigures(seller_id=seller.pk, **figures)], on=on)


def member(seller, email="seller@example.org", role=SellerMember.Role.OWNER) -> User:
    """A user with a place in the shop; the same address is the same user."""
    user = User.objects.filter(email=email).first() or User.objects.create_user(email)
    SellerMember.objects.create(
        marketplace_id=seller.marketplace_id, seller=seller, user=user, role=role
    )
    return user


def application(**fields) -> applying.Application:
    """What a florist tells who wants to sell."""
    values = {
        "shop_name": "꽃집",
        "seller_type": Seller.Type.SOLE_PROPRIETOR,
        "business_number": "220-81-62517",
        "company": "꽃집상사",
        "representative": "김꽃님",
        "mail_order_report": "제2026-서울강남-00001호",
        "address": "서울시 강남구 테헤란로 1",
        "phone": "02-1234-5678",
        "contact_email": "flowers@example.org",
    }
    return applying.Application(**(values | fields))
