"""Every list costs what its page shows, however much has been sold: seen in what is read for it.

A marketplace is filled until each table that grows holds far more rows than any page may read.
Then every list is opened, and each of its queries is run once more to be told how many rows of
those tables it looks at. Scanning a table, sorting it, counting it without a limit or leafing by
an offset all read more. Lists are found by their routes, so a new one is looked at by itself.
"""

import json
import re
from collections import Counter
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace import tenancy
from marketplace.models import WebhookDelivery
from marketplace.tests import make
from marketplace.webhooks import endpoints
from orders.models import OrderLine
from sellers.models import Seller, SellerMember
from settlements import nights
from settlements.models import Statement
from tests import remembered
from tests.benchmarks import databases, market, past
from tests.faces import routes

pytestmark = pytest.mark.django_db

MOST = 1_300  # rows of one table for one query: what is counted up to a limit, and a page
LEAST = 3 * MOST  # rows that a table must hold, or reading all of it would not be noticed
LINES, SELLERS, DAYS = 16_000, 3, 60

GROWS = {
    "orders_order",
    "orders_orderline",
    "orders_orderevent",
    "orders_outcome",
    "orders_claim",
    "orders_payment",
    "orders_shipment",
    "listings_listing",
    "listings_revision",
    "settlements_statement",
    "settlement_line",
    "settlements_journal",
    "ledger_entry",
    "marketplace_auditentry",
    "marketplace_change",
    "marketplace_jobrun",
    "marketplace_webhookdelivery",
}
# By route, and why it may read more.
EXCEPTIONS = {
    "shop_vat_view": "adds up the sales of a month; it is a report and no list",
    "admin:settlements_taxinvoice_reports": "adds up a quarter; a report and no list",
    "admin:settlements_taxinvoice_months": "adds up a month; a report and no list",
    "admin:settlements_statement_tonight": "adds up what waits, to a limit of its own; no list",
    "admin:settlements_account_trial_balance": "sums up the books; it is a report and no list",
    "admin:settlements_period_close_month": "shows the trial balance that it closes with",
    "api_account-list": "is the trial balance",
}
# What a list shows under other tabs and filters than its first.
VARIANTS = {
    "shop_orders": [
        *(f"?tab={status}" for status in ("new", "to_ship", "shipped", "delivered")),
        *(f"?tab={status}" for status in ("confirmed", "cancelled", "returned")),
        "?number=n1",
    ],
    "shop_claims": ["?tab=all"],
    "shop_listings": ["?tab=on_sale", "?tab=in_review", "?tab=to_mend"],
    "shop_statements": ["?state=open", "?state=payable"],
    "admin:orders_claim_changelist": ["?queue=all", "?state__exact=rejected"],
    "admin:orders_order_changelist": [
        *("?q=n1", "?q=s0", "?line_status=paid", "?line_status=returned"),
    ],
    "admin:orders_orderline_changelist": ["?q=n1", "?q=sku-9", "?status__exact=cancelled"],
    "admin:orders_payment_changelist": ["?q=n1"],
    "admin:orders_shipment_changelist": ["?q=n1", "?q=shp_1"],
    "admin:orders_orderevent_changelist": ["?q=n1"],
    "admin:settlements_settlementline_changelist": ["?q=n1"],
    "admin:settlements_statement_changelist": ["?state__exact=open"],
    "api_order-list": ["?number=n1"],
    "api_order_event-list": ["?order_number=n1"],
    "api_claim-list": ["?state=requested", "?state=rejected"],
    "api_statement-list": ["?state=open"],
}
NOT_PAGES = re.compile(r"admin:(login|logout|jsi18n|password_change|autocomplete|search)")

# What the benchmark's past has too little of, or none.
_MORE = """
INSERT INTO orders_payment (marketplace_id, order_id, sequence, kind, amount, tax_free_amount,
    provider_id, cash_receipt)
SELECT marketplace_id, id, n, 'card', 1000, 0, '', '' FROM orders_order, generate_series(1, 2) n;

INSERT INTO orders_shipment (marketplace_id, public_id, order_id, seller_id, carrier,
    tracking_number, shipped_at)
SELECT l.marketplace_id, 'shp_' || l.id, l.order_id, l.seller_id, 'cj', l.id::text, l.paid_on
FROM orders_orderline l;

INSERT INTO orders_claim (marketplace_id, public_id, line_id, seller_id, type, fault, quantity,
    reason, answer, state, requested_at, decided_at, completed_on, source)
SELECT marketplace_id, 'clm_more_' || id, id, seller_id, 'return', 'buyer', 1, '', '', 'completed',
    paid_on, confirmed_on, confirmed_on, ''
FROM orders_orderline WHERE status = 'confirmed';

INSERT INTO listings_listing (marketplace_id, public_id, seller_id, code, kind, state,
    taken_down_for)
SELECT 1, 'lst_more_' || s.id || '_' || n, s.id, 'more-' || n, 'goods', 'draft', ''
FROM sellers_seller s, generate_series(1, 4000) n;

INSERT INTO listings_revision (marketplace_id, listing_id, number, title, description, unit_price,
    state, sent_back_for)
SELECT 1, id, 1, 'A thing worth selling', '', 10000, 'draft', ''
FROM listings_listing WHERE code LIKE 'more%';

INSERT INTO settlements_statement (marketplace_id, public_id, seller_id, due_on, state, lines,
    list_amount, seller_discount, platform_discount, partner_discount, fee, vat, net, components,
    carry_in, payable, reserve, withholding_income, withholding_local, payout, carry_out, closed_on)
SELECT 1, 'stm_' || seller_id || '_old_' || n, seller_id, date '2020-01-01' - n, 'payable', 0, 1, 0,
    0, 0, 0, 0, 1, '{}', 0, 1, 0, 0, 0, 1, 0, date '2020-01-01' - n
FROM (SELECT DISTINCT seller_id FROM orders_orderline) s, generate_series(1, 3000) n;

INSERT INTO settlements_journal (marketplace_id, template, reference, basis_on)
SELECT 1, 'statement', public_id || '_again', due_on FROM settlements_statement;

INSERT INTO ledger_entry (marketplace_id, basis_on, journal_id, account_id, debit, credit)
SELECT 1, date :last, j.id, a.id, CASE WHEN a.code = 'clearing' THEN 1 ELSE 0 END,
    CASE WHEN a.code = 'clearing' THEN 0 ELSE 1 END
FROM settlements_journal j, settlements_account a
WHERE j.reference LIKE '%again' AND a.code IN ('clearing', 'vat_payable');

INSERT INTO marketplace_auditentry (marketplace_id, at, action, object_type, object_key, reason,
    data)
SELECT 1, now() - n * interval '1 minute', 'x.done', 'orders.order', n::text, '', '{}'
FROM generate_series(1, 10000) n;

INSERT INTO marketplace_change (marketplace_id, type, at, public_id, object_id, seller_id, data)
SELECT 1, 'order.accepted', now(), 'evt_' || l.id, 'ord_' || l.order_id, l.seller_id, '{}'
FROM orders_orderline l;

INSERT INTO marketplace_jobrun (marketplace_id, kind, key, state, done, total, counts, error,
    attempts, started_at, finished_at)
SELECT 1, 'import', n::text, 'done', 0, 0, '{}', '', 1, now(), now()
FROM generate_series(1, 10000) n;
"""


@pytest.fixture(scope="module")
def sold(django_db_setup, django_db_blocker):
    """The benchmark's marketplace, committed, with the people who look at it."""
    with django_db_blocker.unblock():
        database = settings.DATABASES["default"]["NAME"]
        steps = nights.STEPS
        nights.STEPS = tuple(step for step in steps if step.name in ("settle", "statements"))
        remembered.forget()
        try:
            yield _fill(database)
        finally:
            remembered.forget()
            nights.STEPS = steps
            call_command("flush", database="owner", interactive=False, verbosity=0)


def _fill(database: str) -> "Sold":
    market.open_marketplace(SELLERS)
    last = market.NIGHT_BEFORE
    first = last - timedelta(days=DAYS)
    market.Market().load(database, LINES, first=first, last=last, reversals=LINES // 20)
    nights.close_day(market.MARKETPLACE, last, at=market.AT)
    past.leave(database, last=last, days=DAYS)
    with databases.as_owner(database) as owner:
        for statement in _MORE.replace(":last", f"'{last}'").split(";\n"):
            owner.execute(statement)
        owner.execute("VACUUM (ANALYZE)")
    return Sold()


class Sold:
    """Who looks, and at whose rows: the busiest seller's."""

    def __init__(self):
        with tenancy.use(market.MARKETPLACE) as marketplace:
            self.statement = Statement.objects.order_by("-lines").first()
            self.seller = Seller.objects.get(pk=self.statement.seller_id)
            self.order = OrderLine.objects.filter(seller=self.seller).latest("pk").order
            words = {"by": None, "at": market.AT}
            self.endpoint = endpoints.create("https://x.example/", **words).endpoint
            WebhookDelivery.objects.bulk_create(
                WebhookDelivery(
                    endpoint=self.endpoint,
                    message_id=f"evt_{n}",
                    type="order.accepted",
                    delivered_at=market.AT,
                )
                for n in range(LEAST)
            )
        self.operator = make.user("operator@x.example", is_superuser=True)
        make.membership(marketplace, self.operator)
        self.owner = make.user("owner@x.example", is_staff=False)
        SellerMember.objects.create(
            user=self.owner, marketplace=marketplace, seller=self.seller, role="owner"
        )
        self.keys = {
            whose: make.api_key(marketplace, seller=public_id).secret
            for whose, public_id in (("marketplace", ""), ("seller", self.seller.public_id))
        }
        connections["owner"].cursor().execute("ANALYZE marketplace_webhookdelivery")

    def of_sellers(self) -> list[str]:
        statement = f"/s/benchmark/statements/{self.statement.public_id}/"
        order = f"/s/benchmark/orders/{self.order.public_id}/"
        return [*_addresses("/s/", {"marketplace": "benchmark"}), statement, order]

    def of_operators(self) -> list[str]:
        return [
            *_addresses("/admin/"),
            f"/admin/settlements/statement/{self.statement.pk}/change/",
            f"/admin/orders/order/{self.order.pk}/change/",
            f"/admin/settlements/settlementline/?q={self.order.number}",
        ]

    def of_the_api(self) -> list[str]:
        statement = f"/api/v1/statements/{self.statement.public_id}/"
        endpoint = f"/api/v1/webhook-endpoints/{self.endpoint.public_id}/"
        return [*_addresses("/api/v1/"), f"{statement}lines/", f"{endpoint}deliveries/"]


def _addresses(prefix: str, given: dict | None = None) -> list[str]:
    """Every address that names no row, with its tabs."""
    given = given or {}
    found = []
    for route in routes.resolved():
        is_named = set(route.parameters) <= given.keys()
        is_left_out = route.name in EXCEPTIONS or NOT_PAGES.match(route.name)
        if route.pattern.startswith(prefix) and is_named and not is_left_out:
            address = route.address(given)
            found += [address, *(address + more for more in VARIANTS.get(route.name, ()))]
    return found


def _complaints(browser: Client, addresses: list[str], **extra) -> list[str]:
    """What is read too much of, by address; each kind of query is looked at once."""
    seen, found = set(), []
    for address in addresses:
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(address, **extra)
        assert answer.status_code in {200, 302, 403, 404, 405}, (address, answer.status_code)
        for query in (query["sql"] for query in queries):
            kind = re.sub(r"'[^']*'|\d+", "?", query)
            if kind in seen or not any(table in query for table in GROWS):
                continue
            seen.add(kind)
            if query.startswith(("SELECT", "(SELECT", "WITH")) and " FOR " not in query:
                found += [
                    f"{address}: {rows} rows of {table} by {query[:600]}"
                    for table, rows in _read(query).items()
                    if rows > MOST
                ]
    return found


def _read(query: str) -> Counter:
    """How many rows of each table that grows a query looks at, the ones it drops again too."""
    read = Counter()
    with tenancy.use(market.MARKETPLACE), connection.cursor() as cursor:
        # What is cheap for tables of this size, and for no larger ones.
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}")
        told = cursor.fetchone()[0]
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = on")
    nodes = [(json.loads(told) if isinstance(told, str) else told)[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        table = re.sub(r"_y\d{4}m\d{2}$", "", node.get("Relation Name", ""))
        if table in GROWS:
            dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
            rows = node["Actual Rows"] + sum(node.get(name, 0) for name in dropped)
            read[table] += round(rows * node["Actual Loops"])
    return read


@pytest.fixture
def desk(sold):
    browser = Client()
    browser.force_login(sold.operator)
    browser.post("/admin/choose-marketplace/", {"marketplace": "benchmark"})
    return browser


class TestLists:
    def test_of_sellers_read_what_they_show(self, sold):
        browser = Client()
        browser.force_login(sold.owner)
        complaints = _complaints(browser, sold.of_sellers())
        assert not complaints, "\n\n".join(complaints)

    def test_of_operators_read_what_they_show(self, sold, desk):
        complaints = _complaints(desk, sold.of_operators())
        assert not complaints, "\n\n".join(complaints)

    @pytest.mark.parametrize("whose", ["marketplace", "seller"])
    def test_of_the_api_read_what_they_tell(self, sold, whose):
        cache.clear()
        caller = Client(headers={"Authorization": f"Bearer {sold.keys[whose]}"})
        complaints = _complaints(caller, sold.of_the_api())
        assert not complaints, "\n\n".join(complaints)


class TestThisTest:
    def test_has_enough_in_every_table(self, sold):
        with connections["owner"].cursor() as cursor:
            for table in sorted(GROWS):
                cursor.execute(f"SELECT count(*) FROM {table}")
                assert cursor.fetchone()[0] >= LEAST, table

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT count(*) FROM orders_orderline",
            "SELECT id FROM orders_order ORDER BY buyer_reference LIMIT 5",
            "SELECT id FROM orders_orderevent ORDER BY id LIMIT 50 OFFSET 5000",
            "SELECT id FROM orders_claim WHERE reason = 'x' ORDER BY id LIMIT 5",
            "SELECT sum(net) FROM settlement_line",
        ],
    )
    def test_notices_what_reads_more_than_it_shows(self, sold, query):
        assert max(_read(query).values()) > MOST

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT count(*) FROM (SELECT 1 FROM orders_orderline LIMIT 1000) x",
            "SELECT id FROM orders_order WHERE marketplace_id = 1 ORDER BY id DESC LIMIT 50",
        ],
    )
    def test_lets_pass_what_stops_in_time(self, sold, query):
        assert max(_read(query).values()) <= 1000
