"""What lists cost in a marketplace of 10,000 order lines and in one of 1,000,000, side by side.

python -m tests.benchmarks.pages --small 10000 --large 1000000 --rounds 9

Both have as many sellers, as much work that waits, and enough of everything to fill a page of the
busiest seller; what differs is how much has been sold, settled and booked before. Pages are
rendered whole by Django's test client, under the app role, and the two marketplaces take turns.
The busiest seller's pages are measured.
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
from tests.benchmarks import databases, market, past  # noqa: E402

NAME = "jangteo_benchmark_pages"
SELLERS = 400
DAYS = 120  # over which the larger one has sold
LEAST_DAYS = 60  # of the smaller one: enough for a full page of statements, listings, claims
TARGET = 1.5


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
            kept = {"is_kept": arguments.keep}
            stack.enter_context(databases.migrated(f"{NAME}_small", **kept))
            stack.enter_context(databases.made(f"{NAME}_large", f"{NAME}_small", **kept))
            for size in sizes:
                filling = _run("--fill", size, *sys.argv[1:])
                filling.communicate()
                if filling.returncode:
                    sys.exit(f"the {size} marketplace could not be filled")
        _measure(sizes, arguments)


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
    days = max(DAYS * lines // most, LEAST_DAYS)
    first = market.NIGHT_BEFORE - timedelta(days=days)
    load(database, lines, first=first, last=market.NIGHT_BEFORE, reversals=lines // 20)
    nights.close_day(market.MARKETPLACE, market.NIGHT_BEFORE, at=market.AT)
    past.leave(database, last=market.NIGHT_BEFORE, days=days)


def _serve(database: str) -> None:
    """Render each page that standard input names; say how long it took, and what it read."""
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
        told["blocks"] = _blocks([query["sql"] for query in queries])
        print(json.dumps(told), flush=True)


def _blocks(queries: list[str]) -> int:
    """How many blocks of tables and indexes the reading queries of a page touch."""
    found = 0
    with tenancy.use(market.MARKETPLACE), connection.cursor() as cursor:
        for query in queries:
            if query.startswith(("SELECT", "(SELECT", "WITH")) and " FOR " not in query:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query}")
                [[told]] = cursor.fetchall()
                plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
                found += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return found


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
    print(f"{'page':32s} {sizes['small']:>9,} {sizes['large']:>9,}  ratio  queries  blocks")
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
        f"{large[-1]['queries']:3d}  {small[-1]['blocks']:6,} {large[-1]['blocks']:6,}"
        f"{'  above the target' if ratio > TARGET else ''}",
        flush=True,
    )
    if with_slowest and ratio > TARGET:
        print(f"    {large[-1]['slowest'] * 1000:.0f} ms: {large[-1]['sql'][:1500]}", flush=True)


if __name__ == "__main__":
    main()
