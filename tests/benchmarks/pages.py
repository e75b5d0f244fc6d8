"""What lists cost in a marketplace of 10,000 order lines and in one of 1,000,000, side by side.

python -m tests.benchmarks.pages --small 10000 --large 1000000 --rounds 9

Both have as many sellers, and as much work that waits; what differs is how much has been sold,
settled and booked before. Pages are rendered whole by Django's test client, under the app role,
and the two marketplaces take turns. The busiest seller's pages are measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from marketplace import tenancy  # noqa: E402
from marketplace.models import Marketplace, Membership, User  # noqa: E402
from orders.models import OrderLine  # noqa: E402
from sellers.models import Seller, SellerMember  # noqa: E402
from settlements import nights  # noqa: E402
from settlements.models import Statement  # noqa: E402
from tests.benchmarks import databases, market  # noqa: E402

NAME = "jangteo_benchmark_pages"
SELLERS = 400
DAYS = 120  # over which the larger one has sold
TARGET = 1.5

# Work that waits is what a day brings, however long the past; the rest grows with the lines.
# :share is how much of DAYS the marketplace has behind it, from nearly nothing to 1.
_REST = """
SELECT setval(pg_get_serial_sequence('orders_orderline', 'id'), max(id)) FROM orders_orderline;

INSERT INTO orders_orderline (marketplace_id, order_id, number, seller_id, stream, category_id,
    listing_kind, channel, seller_type, sku, title, delivery_group, tax_kind, unit_price, quantity,
    list_amount, seller_discount, platform_discount, partner_discount, status, units_left, paid_on,
    cancelled_by_seller)
SELECT marketplace_id, order_id, number + 100, seller_id, stream, category_id, listing_kind,
    channel, seller_type, sku, title, delivery_group, tax_kind, unit_price, quantity, list_amount,
    seller_discount, platform_discount, partner_discount,
    (ARRAY['paid', 'preparing'])[1 + id % 2], quantity, paid_on, false
FROM orders_orderline ORDER BY id DESC LIMIT 1000;

INSERT INTO orders_claim (marketplace_id, public_id, line_id, seller_id, type, fault, quantity,
    reason, answer, state, requested_at, decided_at, completed_on, source)
SELECT marketplace_id, 'clm_' || id, id, seller_id, 'return', 'buyer', 1, 'changed my mind', '',
    CASE WHEN recent <= 200 THEN 'requested' ELSE 'completed' END, paid_on,
    CASE WHEN recent > 200 THEN confirmed_on END, CASE WHEN recent > 200 THEN confirmed_on END, ''
FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS recent FROM orders_orderline
      WHERE status = 'confirmed' AND id % 20 = 0) l ORDER BY id;

INSERT INTO orders_orderevent (marketplace_id, source, source_id, kind, order_number, line_number,
    seller_code, quantity, by_seller, occurred_at, received_at)
SELECT l.marketplace_id, 'shop', l.id || kind, kind, n.number, l.number, '', l.quantity, false,
    n.placed_at, n.placed_at
FROM orders_orderline l JOIN orders_order n ON n.id = l.order_id,
    unnest(ARRAY['shipped', 'delivered']) kind WHERE l.status = 'confirmed' ORDER BY l.id;

INSERT INTO listings_listing (marketplace_id, public_id, seller_id, code, kind, state,
    taken_down_for)
SELECT 1, 'lst_' || s.id || '_' || n, s.id, 'sku-' || n, 'goods', 'draft', ''
FROM sellers_seller s, generate_series(1, :listings) n;

INSERT INTO listings_revision (marketplace_id, listing_id, number, category_id, title, description,
    unit_price, state, sent_back_for)
SELECT 1, l.id, 1, (SELECT min(id) FROM listings_category), 'A thing worth selling', '', 10000,
    'draft', ''
FROM listings_listing l;

INSERT INTO sellers_performanceday (marketplace_id, seller_id, "on", orders_paid, orders_confirmed,
    units_confirmed, sales_confirmed, cancelled_by_seller, cancelled_other, units_returned,
    sales_returned, shipped, shipped_late)
SELECT 1, s.id, d::date, 5, 5, 9, 90000, 0, 0, 0, 0, 5, 0
FROM sellers_seller s, generate_series(date :last - :days, date :last - 1, interval '1 day') d;

INSERT INTO settlements_statement (marketplace_id, public_id, seller_id, due_on, state, lines,
    list_amount, seller_discount, platform_discount, partner_discount, fee, vat, net, components,
    carry_in, payable, reserve, withholding_income, withholding_local, payout, carry_out, closed_on)
SELECT 1, 'stm_' || s.id || '_' || d::date, s.id, d::date, 'payable', 0, 10000, 0, 0, 0, 1000, 100,
    8900, '{"sales": [1000, 100, 100]}', 0, 8900, 0, 0, 0, 8900, 0, d::date
FROM generate_series(date :last - :days, date :last - 1, interval '1 day') d, sellers_seller s;

INSERT INTO settlements_journal (marketplace_id, template, reference, basis_on)
SELECT 1, 'statement', public_id, due_on FROM settlements_statement
WHERE lines = 0 ORDER BY due_on, id;

SELECT open_settlement_month('ledger_entry', d::date)
FROM generate_series(date :last - :days, date :last, interval '1 day') d;

INSERT INTO ledger_entry (marketplace_id, basis_on, journal_id, account_id, seller_id, debit,
    credit)
SELECT 1, j.basis_on, j.id, a.id, CASE WHEN a.is_per_seller THEN t.seller_id END,
    CASE WHEN a.code = 'clearing' THEN 10000 ELSE 0 END,
    CASE a.code WHEN 'payout_payable' THEN 8900 WHEN 'fee_revenue:sales' THEN 1000
                WHEN 'vat_payable' THEN 100 ELSE 0 END
FROM settlements_journal j
JOIN settlements_statement t ON t.public_id = j.reference AND t.lines = 0
JOIN settlements_account a
     ON a.code IN ('clearing', 'payout_payable', 'fee_revenue:sales', 'vat_payable')
ORDER BY j.id;
"""


def main() -> None:
    arguments = _arguments()
    sizes = {"small": arguments.small, "large": arguments.large}
    if arguments.serve:
        _serve(f"{NAME}_{arguments.serve}")
        return
    if arguments.fill:
        _fill(f"{NAME}_{arguments.fill}", sizes[arguments.fill], arguments.large)
        return
    with ExitStack() as stack:
        if not arguments.reuse:
            stack.enter_context(databases.migrated(f"{NAME}_small"))
            stack.enter_context(databases.made(f"{NAME}_large", f"{NAME}_small"))
            for size in sizes:
                filling = _run("--fill", size, *sys.argv[1:])
                filling.communicate()
                if filling.returncode:
                    sys.exit(f"the {size} marketplace could not be filled")
        _measure(sizes, arguments)
        if arguments.keep:
            stack.pop_all()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slow", action="store_true", help="print the slowest query of each, too")
    parser.add_argument("--keep", action="store_true", help="leave the databases, for --reuse")
    parser.add_argument("--reuse", action="store_true", help="measure what --keep has left")
    parser.add_argument("--fill", choices=("small", "large"), help=argparse.SUPPRESS)
    parser.add_argument("--serve", choices=("small", "large"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(*words: str) -> subprocess.Popen:
    """A process of its own for one marketplace: it takes along what it has remembered of it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.pages", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _fill(database: str, lines: int, most: int) -> None:
    databases.enter(database)
    nights.STEPS = tuple(step for step in nights.STEPS if step.name in ("settle", "statements"))
    market.open_marketplace(SELLERS)
    load = market.Market().load
    days = max(DAYS * lines // most, 2)
    first = market.NIGHT_BEFORE - timedelta(days=days)
    load(database, lines, first=first, last=market.NIGHT_BEFORE, reversals=lines // 20)
    nights.close_day(market.MARKETPLACE, market.NIGHT_BEFORE, at=market.AT)
    with databases.as_owner(database) as owner:
        rest = _REST.replace(":days", str(days)).replace(":last", f"'{market.NIGHT_BEFORE}'")
        for statement in rest.replace(":listings", str(days)).split(";\n"):
            owner.execute(statement)
        owner.execute("VACUUM (ANALYZE)")


def _serve(database: str) -> None:
    """Render each page that standard input names; say how long it took."""
    databases.enter(database)
    pages = _pages()
    print(json.dumps(sorted(pages)), flush=True)
    for line in sys.stdin:
        browser, address = pages[line.strip()]
        began = time.perf_counter()
        answer = browser.get(address)
        elapsed = time.perf_counter() - began
        if answer.status_code != 200:
            sys.exit(f"{address}: {answer.status_code} {answer.headers.get('Location')}")
        with CaptureQueriesContext(connection) as queries:
            browser.get(address)
        slowest = max(queries, key=lambda query: float(query["time"]))
        told = {"seconds": elapsed, "queries": len(queries), "bytes": len(answer.content)}
        told |= {"slowest": float(slowest["time"]), "sql": slowest["sql"]}
        print(json.dumps(told), flush=True)


def _pages() -> dict[str, tuple[Client, str]]:
    with tenancy.use(market.MARKETPLACE):
        statement = Statement.objects.order_by("-lines").first()
        seller = Seller.objects.get(pk=statement.seller_id)
        line = OrderLine.objects.filter(seller=seller).order_by("pk").first()
        market_row = Marketplace.objects.get()
        operator = User.objects.create(email=f"operator{time.time()}@x.example", is_staff=True)
        owner = User.objects.create(email=f"owner{time.time()}@x.example")
        Membership.objects.create(user=operator, marketplace=market_row, role=Membership.Role.OWNER)
        SellerMember.objects.create(
            user=owner, marketplace=market_row, seller=seller, role=SellerMember.Role.OWNER
        )
        order = line.order.public_id
    shop, desk = _signed_in(owner), _signed_in(operator)
    desk.post("/admin/choose-marketplace/", {"marketplace": market_row.slug})
    of_seller = {
        "home": "",
        "orders": "orders/",
        "orders, returned": "orders/?tab=returned",
        "orders, confirmed": "orders/?tab=confirmed",
        "orders, one day": f"orders/?paid_from={market.NIGHT_BEFORE}&paid_to={market.NIGHT_BEFORE}",
        "order": f"orders/{order}/",
        "claims": "claims/",
        "claims, all": "claims/?tab=all",
        "listings": "listings/",
        "statements": "statements/",
        "statement": f"statements/{statement.public_id}/",
        "grade": "grade/",
        "fees": "fees/",
    }
    of_operators = {
        "front page": "",
        "orders": "orders/order/",
        "order lines": "orders/orderline/",
        "events": "orders/orderevent/",
        "outcomes": "orders/outcome/",
        "claims": "orders/claim/",
        "listings": "listings/listing/",
        "sellers": "sellers/seller/",
        "performance": "sellers/performanceday/",
        "statements": "settlements/statement/",
        "settlement lines": "settlements/settlementline/",
        "lines of one statement": f"settlements/settlementline/?q={statement.pk}",
        "statement": f"settlements/statement/{statement.pk}/change/",
        "journals": "settlements/journal/",
        "ledger entries": "settlements/ledgerentry/",
        "trial balance": "settlements/account/trial-balance/",
        "audit": "marketplace/auditentry/",
    }
    return {
        **{f"seller: {name}": (shop, f"/s/benchmark/{at}") for name, at in of_seller.items()},
        **{f"admin: {name}": (desk, f"/admin/{at}") for name, at in of_operators.items()},
    }


def _signed_in(user: User) -> Client:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    browser = Client(SERVER_NAME="localhost")
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return browser


def _measure(sizes: dict[str, int], arguments: argparse.Namespace) -> None:
    servers = {size: _run("--serve", size) for size in sizes}
    names, _ = (json.loads(server.stdout.readline()) for server in servers.values())
    print(f"{'page':32s} {sizes['small']:>9,} {sizes['large']:>9,}  ratio  queries")
    for name in names:
        told = {size: [] for size in sizes}
        for number in range(arguments.rounds + 1):
            for size, server in list(servers.items())[:: 1 if number % 2 else -1]:
                server.stdin.write(f"{name}\n")
                server.stdin.flush()
                told[size].append(json.loads(server.stdout.readline()))
        _print(name, *(one[1:] for one in told.values()), with_slowest=arguments.slow)
    for server in servers.values():
        server.communicate()


def _print(name: str, small: list[dict], large: list[dict], *, with_slowest: bool) -> None:
    before, after = (statistics.median(one["seconds"] for one in told) for told in (small, large))
    ratio = after / before
    print(
        f"{name:32s} {before * 1000:6.1f} ms {after * 1000:6.1f} ms  {ratio:5.2f}  "
        f"{large[-1]['queries']:3d}{'  above the target' if ratio > TARGET else ''}",
        flush=True,
    )
    if with_slowest and ratio > TARGET:
        print(f"    {large[-1]['slowest'] * 1000:.0f} ms: {large[-1]['sql'][:1500]}", flush=True)


if __name__ == "__main__":
    main()
