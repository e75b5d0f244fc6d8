"""The night's settlement beside the best set-based SQL, on identical copies of one database.

python -m tests.benchmarks.settle --lines 1000000 --rounds 3

Each contender runs in a process of its own, under the app role, with row-level security,
every index and full durability. After each round both databases are compared row by row. Only
the ratios mean something on another machine.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

import django

django.setup()

from django.db import connection  # noqa: E402

from settlements import nights  # noqa: E402
from tests.benchmarks import databases, market, set_based  # noqa: E402

NAME = "jangteo_benchmark_settle"
CONTENDERS = ("product", "sql")
MEGABYTE = 1024 * 1024

_DIGEST_TABLE = """
CREATE TABLE benchmark_digest (statement_id bigint, lines bigint, terms bigint[], sha256 text);
GRANT INSERT ON benchmark_digest TO PUBLIC
"""
_SEALED = """
    SELECT t.seller_id, t.due_on, {found} FROM {table} f
    JOIN settlements_statement t ON t.id = f.statement_id
    WHERE t.closed_on = '{night}' ORDER BY t.seller_id, t.due_on"""
# What both must have written alike, by business keys: ids are each database's own. The product's
# digests stand in its seals, together with what a set-based night has no part in.
COMPARED = {
    "settlement lines": """
        SELECT l.order_line_id, l.sequence, l.kind, l.seller_id, t.due_on, l.rate_on, l.basis_on,
               l.run_on, l.terms_id, l.quantity, l.list_amount, l.seller_discount,
               l.platform_discount, l.partner_discount, l.charges, l.fee, l.vat, l.net, l.digest
        FROM settlement_line l JOIN settlements_statement t ON t.id = l.statement_id
        ORDER BY l.order_line_id, l.sequence""",
    "statements": """
        SELECT seller_id, due_on, state, lines, first_basis_on, last_basis_on, list_amount,
               seller_discount, platform_discount, partner_discount, fee, vat, net, components,
               carry_in, payable, reserve, reserve_due_on, withholding_income, withholding_local,
               payout, carry_out, closed_on
        FROM settlements_statement ORDER BY seller_id, due_on""",
    "seller balances": """
        SELECT seller_id, carry, reserve, reserve_swept_on, withholding_base
        FROM settlements_sellerbalance ORDER BY seller_id""",
    "ledger": """
        SELECT t.seller_id, t.due_on, j.basis_on, e.basis_on, a.code, e.seller_id, e.debit, e.credit
        FROM ledger_entry e
        JOIN settlements_journal j ON j.id = e.journal_id
        JOIN settlements_account a ON a.id = e.account_id
        JOIN settlements_statement t ON t.public_id = j.reference
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8""",
    "terms": "SELECT id, version_id, key FROM settlements_lineterms ORDER BY id",
    "digests of lines": (
        _SEALED.format(
            found="f.document::json->'lines'->>'sha256'",
            table="settlements_statementseal",
            night=market.NIGHT,
        ),
        _SEALED.format(found="f.sha256", table="benchmark_digest", night=market.NIGHT),
    ),
    "queue": "SELECT outcome_id FROM orders_outcometosettle ORDER BY outcome_id",
}


def main() -> None:
    arguments = _arguments()
    if arguments.contender:
        print(json.dumps(_contend(arguments.contender, arguments.database)))
        return
    _only_settle()
    with databases.migrated(NAME):
        _fill(arguments.lines)
        databases.connections.close_all()
        rounds = []
        for number in range(arguments.rounds):
            rounds.append(_round(number))
            _print_round(number, arguments.lines, rounds[-1])
    ratios = [one["product"]["wall"] / one["sql"]["wall"] for one in rounds]
    print(f"product / sql: median {statistics.median(ratios):.2f} of {len(ratios)} rounds")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    return parser.parse_args()


def _only_settle() -> None:
    """The two steps that both contenders do; the others have nothing to do here."""
    nights.STEPS = tuple(step for step in nights.STEPS if step.name in ("settle", "statements"))


def _fill(lines: int) -> None:
    """A settled history of a twenty-fifth of the lines, then the lines, a twentieth reversed."""
    market.open_marketplace(min(market.SELLERS, max(20, lines // 25)))
    load = market.Market().load
    history = {"first": date(2026, 6, 1), "last": date(2026, 6, 30)}
    load(NAME, lines // 25, **history, reversals=lines // 1000)
    nights.close_day(market.MARKETPLACE, market.NIGHT_BEFORE, at=market.AT)
    load(NAME, lines, first=date(2026, 7, 1), last=market.NIGHT, reversals=lines // 20)
    with databases.as_owner(NAME) as owner:
        owner.execute(_DIGEST_TABLE)


def _round(number: int) -> dict[str, dict[str, float]]:
    """Both contenders, the first one by turns, then the comparison."""
    order = CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]
    product, sql = (f"{NAME}_{contender}" for contender in CONTENDERS)
    with databases.made(product, NAME), databases.made(sql, NAME):
        measured = {contender: _measured(contender, f"{NAME}_{contender}") for contender in order}
        _compare(product, sql)
    return measured


def _measured(contender: str, database: str) -> dict[str, float]:
    """Run one contender in a process of its own, and see what it wrote to the log."""
    with databases.as_owner(database) as owner:
        before = _log_position(owner)
        command = [sys.executable, "-m", "tests.benchmarks.settle"]
        ran = subprocess.run(
            [*command, "--contender", contender, "--database", database],
            stdout=subprocess.PIPE,
            check=True,
        )
        measured = json.loads(ran.stdout.splitlines()[-1])
        return measured | {"log": (_log_position(owner) - before) / MEGABYTE}


def _log_position(owner) -> int:
    row = owner.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    return row[0]


def _contend(contender: str, database: str) -> dict[str, float]:
    _only_settle()
    databases.enter(database)
    connection.ensure_connection()
    parameters = set_based.prepare(market.NIGHT) if contender == "sql" else None
    backend = connection.connection.info.backend_pid
    cpu, backend_cpu, began = time.process_time(), _cpu(backend), time.perf_counter()
    if contender == "sql":
        set_based.settle(parameters)
    else:
        nights.close_day(market.MARKETPLACE, market.NIGHT, at=market.AT)
    return {
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - cpu + _cpu(backend) - backend_cpu,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _cpu(process: int) -> float:
    """Seconds of processor that a server process has used; nothing where it cannot be seen."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _compare(product: str, sql: str) -> None:
    """Every row of one database against the same row of the other; the first difference ends."""
    for subject, queries in COMPARED.items():
        of_product, of_sql = (queries, queries) if isinstance(queries, str) else queries
        with databases.as_owner(product) as left, databases.as_owner(sql) as right:
            left.autocommit = right.autocommit = False
            ours, theirs = left.cursor(name="ours"), right.cursor(name="theirs")
            ours.itersize = theirs.itersize = 10_000
            ours.execute(of_product)
            theirs.execute(of_sql)
            for row, other in zip(ours, theirs, strict=True):
                if row != other:
                    sys.exit(f"{subject} differ:\n  product {row}\n  sql     {other}")


def _print_round(number: int, lines: int, measured: dict[str, dict[str, float]]) -> None:
    for contender in CONTENDERS:
        one = measured[contender]
        print(
            f"round {number + 1} {contender:8s} {one['wall']:7.2f} s {one['cpu']:7.2f} s cpu "
            f"{one['log']:7.0f} MB log {one['memory']:5.0f} MB memory "
            f"{lines / one['wall']:9.0f} lines/s",
            flush=True,
        )
    ratio = measured["product"]["wall"] / measured["sql"]["wall"]
    print(f"round {number + 1} product / sql {ratio:.2f}; row by row alike", flush=True)


if __name__ == "__main__":
    main()
