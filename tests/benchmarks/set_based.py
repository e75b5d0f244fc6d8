"""The other contender: the same night as a few statements of SQL, as fast as we can make them.

It knows what the product has to find out: that there are three components, from which amounts they
are taken and how they round, that lines fall due by their basis date alone, and that one
statement a seller closes. Rates, minima, grades, terms and due dates it reads from pinned tables,
analysed before the clock starts. It is here to be compared with; the product may not use it.
"""

import json
from datetime import date, timedelta
from itertools import product

from django.db import connection, transaction

from listings.models import Category
from marketplace import tenancy
from sellers.models import Seller
from settlements import nights, runs, sealed_lines, terms_documents
from settlements.fees import Terms
from settlements.rating import RateBook
from tests.benchmarks import market

CHANNELS = ("app", "web", "live")
DAYS_BACK = 75

_PINNED = {
    "pinned_scope": "seller_id bigint, rate_on date, scope int",
    "pinned_terms": "scope int, category_id bigint, channel text, terms_id bigint",
    "pinned_rates": (
        "terms_id bigint, version_id bigint, key jsonb, sales_ppm bigint, payment_ppm bigint, "
        "service_ppm bigint, service_minimum bigint, vat_ppm bigint, label text"
    ),
    "pinned_due": "basis_on date, due_on date",
}
_RATES = (
    "p.terms_id, p.sales_ppm, p.payment_ppm, p.service_ppm, p.service_minimum, p.vat_ppm, p.label"
)

# Half up is (2 x + 1) / 2 in whole numbers; a minimum is whole, so it may come after rounding.
# OFFSET 0 keeps the planner from writing every fee out again wherever it is used.
_CHARGED = """
SELECT y.*,
       (sales_fee * vat_ppm * 2 + 1000000) / 2000000 AS sales_vat,
       (payment_fee * vat_ppm * 2 + 1000000) / 2000000 AS payment_vat,
       (service_fee * vat_ppm * 2 + 1000000) / 2000000 AS service_vat
FROM (
    SELECT x.*, after * sales_ppm / 1000000 AS sales_fee,
           paid * payment_ppm / 1000000 AS payment_fee,
           CASE WHEN quantity > 0 THEN
               greatest((list_amount * service_ppm * 2 + 1000000) / 2000000, service_minimum)
           ELSE 0 END AS service_fee
    FROM ({figures}) x
    OFFSET 0
) y
OFFSET 0
"""

_COLUMNS = (
    "marketplace_id, run_on, kind, seller_id, order_line_id, sequence, rate_on, basis_on, "
    "statement_id, terms_id, quantity, list_amount, seller_discount, platform_discount, "
    "partner_discount, charges, fee, vat, net"
)
# The row that is digested is the product's own text.
_DIGESTED = f"""
INSERT INTO settlement_line ({_COLUMNS}, digest)
SELECT {", ".join("s." + column for column in _COLUMNS.split(", "))},
       {sealed_lines.DIGEST}
FROM ({{lines}} OFFSET 0) s
{{joins}}
CROSS JOIN LATERAL (SELECT s.label) k
CROSS JOIN (SELECT NULL AS public_id, NULL AS reason_code) a
"""

_STATEMENTS = """
INSERT INTO settlements_statement (
    marketplace_id, public_id, seller_id, due_on, state, lines, list_amount, seller_discount,
    platform_discount, partner_discount, fee, vat, net, components, carry_in, payable, reserve,
    withholding_income, withholding_local, payout, carry_out
)
SELECT %(marketplace)s, 'stm_' || gen_random_uuid(), seller_id, due_on, 'open',
       0, 0, 0, 0, 0, 0, 0, 0, '{}'::jsonb, 0, 0, 0, 0, 0, 0, 0
FROM (
    SELECT DISTINCT q.seller_id, d.due_on
    FROM orders_outcometosettle q JOIN pinned_due d USING (basis_on)
    WHERE q.marketplace_id = %(marketplace)s AND q.basis_on <= %(on)s
) wanted
ON CONFLICT (marketplace_id, seller_id, due_on) DO NOTHING
"""

_PINNED_STATEMENTS = """
CREATE TEMPORARY TABLE pinned_statement ON COMMIT DROP AS
SELECT s.seller_id, d.basis_on, s.id AS statement_id
FROM settlements_statement s JOIN pinned_due d USING (due_on)
WHERE s.marketplace_id = %(marketplace)s AND s.state = 'open'
"""

_SALES = _DIGESTED.format(
    lines=f"""
SELECT %(marketplace)s::bigint AS marketplace_id, %(on)s::date AS run_on, 1 AS kind, seller_id,
       line_id AS order_line_id, 0 AS sequence, rate_on, basis_on, statement_id, terms_id,
       quantity, list_amount, seller_discount, platform_discount, partner_discount,
       ARRAY[after, sales_fee, sales_vat, paid, payment_fee, payment_vat,
             list_amount, service_fee, service_vat] AS charges,
       sales_fee + payment_fee + service_fee AS fee, sales_vat + payment_vat + service_vat AS vat,
       after - sales_fee - payment_fee - service_fee
           - sales_vat - payment_vat - service_vat AS net,
       label, line_number, stream, unit_price, ordered, by_seller, by_platform, by_partner,
       order_number
FROM ({
        _CHARGED.format(
            figures=f'''
    SELECT o.*, o.list_amount - o.seller_discount AS after,
           o.list_amount - o.seller_discount - o.platform_discount - o.partner_discount AS paid,
           st.statement_id, {_RATES}, l.number AS line_number, l.stream, l.unit_price,
           l.quantity AS ordered, l.seller_discount AS by_seller,
           l.platform_discount AS by_platform, l.partner_discount AS by_partner,
           n.number AS order_number
    FROM orders_outcometosettle q
    JOIN orders_outcome o ON o.marketplace_id = %(marketplace)s AND o.id = q.outcome_id
    JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
    JOIN orders_order n ON n.marketplace_id = %(marketplace)s AND n.id = l.order_id
    JOIN pinned_scope c ON c.seller_id = o.seller_id AND c.rate_on = o.rate_on
    JOIN pinned_terms t ON t.scope = c.scope AND t.category_id = l.category_id
         AND t.channel = l.channel
    JOIN pinned_rates p ON p.terms_id = t.terms_id
    JOIN pinned_statement st ON st.seller_id = o.seller_id AND st.basis_on = o.basis_on
    WHERE q.marketplace_id = %(marketplace)s AND q.basis_on <= %(on)s AND o.sequence = 0
'''
        )
    }) z""",
    joins="""
CROSS JOIN LATERAL (
    SELECT s.line_number AS number, s.stream, s.unit_price, s.ordered AS quantity,
           s.by_seller AS seller_discount, s.by_platform AS platform_discount,
           s.by_partner AS partner_discount
) l
CROSS JOIN LATERAL (SELECT s.order_number AS number) n""",
)

# What remained is taken away, what remains now is added.
_REVERSALS = _DIGESTED.format(
    lines=f"""
SELECT %(marketplace)s::bigint AS marketplace_id, %(on)s::date AS run_on, 2 AS kind, seller_id,
       line_id AS order_line_id, sequence, rate_on, basis_on, statement_id, terms_id, label,
       sum(sign * quantity)::int AS quantity, sum(sign * list_amount)::bigint AS list_amount,
       sum(sign * seller_discount)::bigint AS seller_discount,
       sum(sign * platform_discount)::bigint AS platform_discount,
       sum(sign * partner_discount)::bigint AS partner_discount,
       ARRAY[sum(sign * after), sum(sign * sales_fee), sum(sign * sales_vat),
             sum(sign * paid), sum(sign * payment_fee), sum(sign * payment_vat),
             sum(sign * list_amount), sum(sign * service_fee),
             sum(sign * service_vat)]::bigint[] AS charges,
       sum(sign * (sales_fee + payment_fee + service_fee))::bigint AS fee,
       sum(sign * (sales_vat + payment_vat + service_vat))::bigint AS vat,
       sum(sign * (after - sales_fee - payment_fee - service_fee
                   - sales_vat - payment_vat - service_vat))::bigint AS net
FROM ({
        _CHARGED.format(
            figures=f'''
    SELECT o.seller_id, o.line_id, o.sequence, o.rate_on, o.basis_on, st.statement_id, v.*,
           v.list_amount - v.seller_discount AS after,
           v.list_amount - v.seller_discount - v.platform_discount - v.partner_discount AS paid,
           {_RATES}
    FROM orders_outcometosettle q
    JOIN orders_outcome o ON o.marketplace_id = %(marketplace)s AND o.id = q.outcome_id
    JOIN orders_outcome b ON b.marketplace_id = %(marketplace)s AND b.line_id = o.line_id
         AND b.sequence = o.sequence - 1
    JOIN settlement_line s ON s.marketplace_id = %(marketplace)s AND s.order_line_id = o.line_id
         AND s.sequence = 0
    JOIN pinned_rates p ON p.terms_id = s.terms_id
    JOIN pinned_statement st ON st.seller_id = o.seller_id AND st.basis_on = o.basis_on
    CROSS JOIN LATERAL (VALUES
        (-1, b.quantity, b.list_amount, b.seller_discount, b.platform_discount,
         b.partner_discount),
        (1, o.quantity, o.list_amount, o.seller_discount, o.platform_discount, o.partner_discount)
    ) v (sign, quantity, list_amount, seller_discount, platform_discount, partner_discount)
    WHERE q.marketplace_id = %(marketplace)s AND q.basis_on <= %(on)s AND o.sequence > 0
'''
        )
    }) z
GROUP BY seller_id, line_id, sequence, rate_on, basis_on, statement_id, terms_id, label""",
    joins="""
JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = s.order_line_id
JOIN orders_order n ON n.marketplace_id = %(marketplace)s AND n.id = l.order_id""",
)


def _component(name: str, at: int) -> str:
    """The sums of a component, added to those that stand on the statement: fee, VAT, on top."""
    sums = [f"sum(charges[{at + 2}])", f"sum(charges[{at + 3}])", f"sum(charges[{at + 3}])"]
    return f"'{name}', jsonb_build_array({', '.join(sums)})"


_TOTALS = f"""
CREATE TEMPORARY TABLE totals ON COMMIT DROP AS
SELECT statement_id, count(*) AS lines, min(basis_on) AS first_on, max(basis_on) AS last_on,
       sum(list_amount) AS list_amount, sum(seller_discount) AS by_seller,
       sum(platform_discount) AS by_platform, sum(partner_discount) AS by_partner,
       sum(fee) AS fee, sum(vat) AS vat, sum(net) AS net,
       jsonb_build_object({
    ", ".join(_component(name, at * 3) for at, name in enumerate(market.COMPONENTS))
}) AS components
FROM settlement_line
WHERE marketplace_id = %(marketplace)s AND run_on = %(on)s
GROUP BY statement_id
"""

_ADD_TOTALS = """
UPDATE settlements_statement s SET
    lines = s.lines + t.lines, first_basis_on = least(s.first_basis_on, t.first_on),
    last_basis_on = greatest(s.last_basis_on, t.last_on),
    list_amount = s.list_amount + t.list_amount, seller_discount = s.seller_discount + t.by_seller,
    platform_discount = s.platform_discount + t.by_platform,
    partner_discount = s.partner_discount + t.by_partner,
    fee = s.fee + t.fee, vat = s.vat + t.vat, net = s.net + t.net,
    components = (
        SELECT jsonb_object_agg(name, jsonb_build_array(
            coalesce((s.components->name->>0)::bigint, 0) + (sums->>0)::bigint,
            coalesce((s.components->name->>1)::bigint, 0) + (sums->>1)::bigint,
            coalesce((s.components->name->>2)::bigint, 0) + (sums->>2)::bigint
        ))
        FROM jsonb_each(t.components) AS c (name, sums)
    )
FROM totals t
WHERE s.marketplace_id = %(marketplace)s AND s.id = t.statement_id
"""

_BALANCES = """
INSERT INTO settlements_sellerbalance (marketplace_id, seller_id, carry, reserve, withholding_base)
SELECT %(marketplace)s, seller_id, 0, 0, 0 FROM settlements_statement
WHERE marketplace_id = %(marketplace)s AND state = 'open' AND due_on <= %(on)s
ON CONFLICT (marketplace_id, seller_id) DO NOTHING
"""

_CLOSING = """
CREATE TEMPORARY TABLE closing ON COMMIT DROP AS
SELECT id, seller_id, payable, carry_in, is_paid,
       CASE WHEN is_paid THEN reserve ELSE 0 END AS reserve,
       CASE WHEN is_paid THEN payable - reserve ELSE 0 END AS payout,
       CASE WHEN is_paid THEN 0 ELSE payable END AS carry_out
FROM (
    SELECT *, payable - reserve > 0 AND payable - reserve >= %(minimum)s AS is_paid
    FROM (
        SELECT s.id, s.seller_id, s.net + b.carry AS payable, b.carry AS carry_in,
               greatest(s.net + b.carry, 0) * %(reserve_ppm)s / 1000000 AS reserve
        FROM settlements_statement s
        JOIN settlements_sellerbalance b USING (marketplace_id, seller_id)
        WHERE s.marketplace_id = %(marketplace)s AND s.state = 'open' AND s.due_on <= %(on)s
    ) gross
) available
"""

_CLOSE = """
UPDATE settlements_statement s SET
    state = CASE WHEN c.is_paid THEN 'payable' ELSE 'closed' END, closed_on = %(on)s,
    reserve_due_on = CASE WHEN c.reserve > 0 THEN
        greatest(s.due_on + %(reserve_days)s, %(on)s::date + 1) END,
    carry_in = c.carry_in, payable = c.payable, reserve = c.reserve, payout = c.payout,
    carry_out = c.carry_out
FROM closing c WHERE s.marketplace_id = %(marketplace)s AND s.id = c.id
"""

_CARRY = """
UPDATE settlements_sellerbalance b SET
    carry = c.carry_out, reserve = b.reserve + c.reserve, reserve_swept_on = %(on)s
FROM closing c WHERE b.marketplace_id = %(marketplace)s AND b.seller_id = c.seller_id
"""

_JOURNALS = """
INSERT INTO settlements_journal (marketplace_id, template, reference, basis_on)
SELECT %(marketplace)s, 'statement', s.public_id, %(on)s
FROM settlements_statement s JOIN closing c USING (id)
WHERE s.marketplace_id = %(marketplace)s
"""

_ENTRIES = """
INSERT INTO ledger_entry (
    marketplace_id, basis_on, journal_id, account_id, seller_id, debit, credit
)
SELECT %(marketplace)s, %(on)s, j.id, a.id, CASE WHEN a.is_per_seller THEN s.seller_id END,
       greatest(leg.amount, 0), greatest(-leg.amount, 0)
FROM closing c
JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = c.id
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.template = 'statement'
     AND j.reference = s.public_id
CROSS JOIN LATERAL (
    SELECT * FROM (VALUES
        ('clearing', s.list_amount - s.seller_discount - s.platform_discount - s.partner_discount),
        ('platform_funding', s.platform_discount),
        ('partner_funding', s.partner_discount),
        ('vat_payable', -s.vat),
        ('seller_payable', -s.net),
        ('seller_payable', s.payout + s.reserve),
        ('payout_payable', -s.payout),
        ('seller_reserve', -s.reserve)
    ) AS fixed (code, amount)
    UNION ALL
    SELECT 'fee_revenue:' || name,
           -((sums->>0)::bigint - ((sums->>1)::bigint - (sums->>2)::bigint))
    FROM jsonb_each(s.components) AS component (name, sums)
) leg
JOIN settlements_account a ON a.marketplace_id = %(marketplace)s AND a.code = leg.code
WHERE leg.amount <> 0
"""

_TERMS = """
INSERT INTO settlements_lineterms (marketplace_id, id, version_id, key)
SELECT %(marketplace)s, p.terms_id, p.version_id, p.key
FROM pinned_rates p
WHERE p.terms_id IN (
    SELECT terms_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND run_on = %(on)s
)
ON CONFLICT (id) DO NOTHING
"""

_DIGESTS = "INSERT INTO benchmark_digest " + sealed_lines._SUMMED_UP.format(
    before="",
    order_number=sealed_lines._ORDER_NUMBER,
    line="l.number",
    digest="s.digest",
    lines="""
    FROM (
        SELECT c.id AS at, o.*
        FROM closing c
        JOIN settlement_line o ON o.marketplace_id = %(marketplace)s AND o.statement_id = c.id
    ) s
    JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = s.order_line_id
    JOIN orders_order n ON n.marketplace_id = %(marketplace)s AND n.id = l.order_id
    CROSS JOIN (SELECT NULL AS public_id) a""",
)

_EMPTY_THE_QUEUE = """
DELETE FROM orders_outcometosettle WHERE marketplace_id = %(marketplace)s AND basis_on <= %(on)s
"""

STEPS = (
    ("statements", _STATEMENTS),
    ("pinned statements", _PINNED_STATEMENTS),
    ("analysed", "ANALYZE pinned_statement"),
    ("sales", _SALES),
    ("reversals", _REVERSALS),
    ("totals", _TOTALS),
    ("analysed totals", "ANALYZE totals"),
    ("added totals", _ADD_TOTALS),
    ("balances", _BALANCES),
    ("closing", _CLOSING),
    ("analysed closing", "ANALYZE closing"),
    ("close", _CLOSE),
    ("carry", _CARRY),
    ("journals", _JOURNALS),
    ("entries", _ENTRIES),
    ("terms", _TERMS),
    ("digests", _DIGESTS),
    ("queue", _EMPTY_THE_QUEUE),
)


def prepare(on: date) -> dict:
    """Pin what the night of `on` has to look up, and open its months; returns the parameters."""
    with tenancy.use(market.MARKETPLACE):
        last = Seller.objects.order_by("pk").last().pk
        book = RateBook(on=on, first_seller=0, end_seller=last + 1)
        nights._open_months(on)
        rows = _pinned(book, on)
        with connection.cursor() as cursor:
            for table, columns in _PINNED.items():
                cursor.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in rows[table]:
                        copy.write_row(row)
                cursor.execute(f"ANALYZE {table}")
        terms = book.payout_terms(0, on)
    return {
        "marketplace": market.MARKETPLACE,
        "on": on,
        "minimum": terms.minimum_payout,
        "reserve_ppm": terms.reserve_ppm,
        "reserve_days": terms.reserve_days,
    }


def settle(parameters: dict, tell=lambda name: None) -> None:
    """The whole night in one transaction, every statement of which sees the same queue."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(
            "SELECT set_config('app.marketplace', %s, true)", [str(parameters["marketplace"])]
        )
        cursor.execute("SET LOCAL work_mem = '512MB'")
        # Hash joins keep the order of the queue, in which lines go into the indexes at the end.
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute("SET LOCAL enable_mergejoin = off")
        sealed_lines._as_iso(cursor)
        for name, statement in STEPS:
            cursor.execute(statement, parameters)
            tell(name)


def _pinned(book: RateBook, on: date) -> dict[str, list[tuple]]:
    """The rows of the pinned tables, from the rule modules that the product asks."""
    days = [on - timedelta(days=back) for back in range(DAYS_BACK)]
    leaves = Category.objects.filter(parent__isnull=False).values_list("pk", flat=True)
    scopes: dict[tuple, int] = {}
    rates: dict[int, tuple] = {}
    labels = terms_documents.Labels()
    rows: dict[str, list[tuple]] = {table: [] for table in _PINNED}
    rows["pinned_due"] = [(day, book.due_on(0, day, day, lambda due: False)) for day in days]
    for seller_id in Seller.objects.values_list("pk", flat=True):
        for rate_on in days:
            day = book.seller_day(seller_id, rate_on)
            key = (day.schedule.version_id, day.grade)
            if key not in scopes:
                scopes[key] = len(scopes)
                for category_id, channel in product(leaves, CHANNELS):
                    kind = ("goods", category_id, "goods", channel, "sole_proprietor", True)
                    terms = day.plan(kind, rate_on).terms(0)
                    terms_id = runs.terms_id_of(market.MARKETPLACE, terms)
                    rates[terms_id] = (terms_id, *_rates(terms), labels.of(terms_id, terms))
                    rows["pinned_terms"].append((scopes[key], category_id, channel, terms_id))
            rows["pinned_scope"].append((seller_id, rate_on, scopes[key]))
    rows["pinned_rates"] = list(rates.values())
    return rows


def _rates(terms: Terms) -> tuple:
    ppm = {charge.rule.component: charge.bands()[0].rate_ppm for charge in terms.charges}
    service = terms.charges[-1].rule
    return (
        terms.version_id,
        json.dumps(terms.key()),
        *(ppm[component] for component in market.COMPONENTS),
        service.min_amount,
        terms.vat_rate_ppm,
    )
