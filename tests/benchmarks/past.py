"""What a past leaves beside orders and settlement lines: claims, events, listings, figures of days,
statements without lines and what is booked for them.

Written by the owner, by statements over whole tables. Work that waits is what a day brings, however
long the past; the rest grows with it.
"""

from datetime import date

from tests.benchmarks import databases

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
      WHERE status = 'confirmed' AND id % 10 = 0) l ORDER BY id;

INSERT INTO orders_orderevent (marketplace_id, source, source_id, kind, order_number, line_number,
    seller_code, quantity, by_seller, occurred_at, received_at)
SELECT l.marketplace_id, 'shop', l.id || kind, kind, n.number, l.number, '', l.quantity, false,
    n.placed_at, n.placed_at
FROM orders_orderline l JOIN orders_order n ON n.id = l.order_id,
    unnest(ARRAY['shipped', 'delivered']) kind WHERE l.status = 'confirmed' ORDER BY l.id;

INSERT INTO listings_listing (marketplace_id, public_id, seller_id, code, kind, state,
    taken_down_for)
SELECT 1, 'lst_' || s.id || '_' || n, s.id, 'sku-' || n, 'goods', 'draft', ''
FROM sellers_seller s, generate_series(1, :days) n;

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


def leave(database: str, *, last: date, days: int) -> None:
    """Fill the other tables of a marketplace that has sold for `days` days to `last`."""
    with databases.as_owner(database) as owner:
        rest = _REST.replace(":days", str(days)).replace(":last", f"'{last}'")
        for statement in rest.split(";\n"):
            owner.execute(statement)
        owner.execute("VACUUM (ANALYZE)")
