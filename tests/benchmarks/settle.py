"""The night's settlement beside the best set-based SQL, on identical copies of one database.

python -m tests.benchmarks.settle --lines 1000000 --rounds 3

Each contender runs in a process of its own, under the app role, with row-level security,
every index and full durability. After each round both databases are compared row by row. Only
the ratios mean something on another machine.

With `--workers 2` the product alone: as many workers beside one. With `--increment 33000` the
product alone: a night of so many lines over the settled ones, beside the night that settled these.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import date, timedelta
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
CREATE TABLE benchmark_digest (
    statement_id bigint, lines bigint, digested bigint, terms bigint[], sha256 text
);
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
        print(json.dumps(_contend(arguments)))
        return
    _only_settle()
    with databases.migrated(NAME, arguments.template):
        load = _fill(arguments.lines)
        databases.connections.close_all()
        if arguments.increment:
            _print_increment(load, arguments)
        elif arguments.workers > 1:
            _print_workers(arguments)
        else:
            _print_contenders(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="so many beside one")
    parser.add_argument("--increment", type=int, default=0, help="lines of a night more")
    parser.add_argument("--template", help="a migrated database, copied instead of migrating")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    parser.add_argument("--night", type=date.fromisoformat, default=market.NIGHT)
    return parser.parse_args()


def _print_contenders(arguments: argparse.Namespace) -> None:
    rounds = []
    for number in range(arguments.rounds):
        rounds.append(_round(number))
        _print_round(number, arguments.lines, rounds[-1])
    for figure in ("wall", "cpu", "log"):
        ratios = [one["product"][figure] / one["sql"][figure] for one in rounds]
        median = statistics.median(ratios)
        print(f"product / sql: median {median:.2f} of {len(ratios)} rounds ({figure})")


def _print_workers(arguments: argparse.Namespace) -> None:
    """Rounds of one worker and of several, the first one by turns, and what both wrote."""
    one, many = f"{NAME}_product", f"{NAME}_sql"
    rounds = []
    for number in range(arguments.rounds):
        with databases.made(one, NAME), databases.made(many, NAME):
            runs = [(one, 1), (many, arguments.workers)]
            measured = {
                workers: _measured("product", database, workers=workers)
                for database, workers in (runs if number % 2 == 0 else runs[::-1])
            }
            _compare(one, many, **{"digests of lines": COMPARED["digests of lines"][0]})
        rounds.append((measured[1], measured[arguments.workers]))
        for workers, figures in sorted(measured.items()):
            _print_figures(number, f"{workers} workers", arguments.lines, figures)
    faster = statistics.median(alone["wall"] / among["wall"] for alone, among in rounds)
    dearer = statistics.median(among["cpu"] / alone["cpu"] for alone, among in rounds)
    print(f"{arguments.workers} workers: {faster:.2f} times as fast, {dearer:.2f} times the cpu")


def _print_increment(load, arguments: argparse.Namespace) -> None:
    """The night of all lines, then one of a few more: what a line costs in each."""
    more, after = arguments.increment, market.NIGHT_AFTER
    full = _measured("product", NAME)
    _print_figures(0, "the whole", arguments.lines, full)
    ratios = []
    for number in range(arguments.rounds):
        night = after + timedelta(days=number)
        load(NAME, more, first=night, last=night, reversals=more // 20)
        databases.connections.close_all()
        one = _measured("product", NAME, night=night)
        _print_figures(number, "increment", more, one)
        ratios.append(one["wall"] / more / (full["wall"] / arguments.lines))
    print(f"a line of an increment / one of the whole: median {statistics.median(ratios):.2f}")


def _only_settle() -> None:
    """The two steps that both contenders do; the others have nothing to do here."""
    nights.STEPS = tuple(step for step in nights.STEPS if step.name in ("settle", "statements"))


def _fill(lines: int):
    """A settled history and the lines of a night; returns how to load more."""
    load = market.fill(NAME, lines)
    with databases.as_owner(NAME) as owner:
        owner.execute(_DIGEST_TABLE)
    return load


def _round(number: int) -> dict[str, dict[str, float]]:
    """Both contenders, the first one by turns, then the comparison."""
    order = CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]
    measured = {}
    with ExitStack() as databases_made:
        for contender in order:
            # Made just before, so that each starts from a checkpoint: its log then holds as many
            # whole pages as the other's.
            database = f"{NAME}_{contender}"
            databases_made.enter_context(databases.made(database, NAME))
            measured[contender] = _measured(contender, database)
        _compare(*(f"{NAME}_{contender}" for contender in CONTENDERS))
    return measured


def _measured(
    contender: str, database: str, *, workers: int = 1, night: date = market.NIGHT
) -> dict[str, float]:
    """Run one contender in a process of its own, and see what it wrote to the log."""
    with databases.as_owner(database) as owner:
        before = _log_position(owner)
        command = [sys.executable, "-m", "tests.benchmarks.settle"]
        ran = subprocess.run(
            [
                *command,
                *("--contender", contender, "--database", database),
                *("--workers", str(workers), "--night", night.isoformat()),
            ],
            stdout=subprocess.PIPE,
            check=True,
        )
        measured = json.loads(ran.stdout.splitlines()[-1])
        return measured | {"log": (_log_position(owner) - before) / MEGABYTE}


def _log_position(owner) -> int:
    row = owner.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    return row[0]


def _contend(arguments: argparse.Namespace) -> dict[str, float]:
    _only_settle()
    databases.enter(arguments.database)
    workers = arguments.workers
    # Made before there is a connection, which no two processes may share.
    pool = multiprocessing.get_context("fork").Pool(workers) if workers > 1 else None
    connection.ensure_connection()
    is_sql = arguments.contender == "sql"
    parameters = set_based.prepare(arguments.night) if is_sql else None
    cpu, began = _cpu_so_far(), time.perf_counter()
    of_workers = 0.0
    if is_sql:
        set_based.settle(parameters)
    elif pool:
        of_workers = _close_with(pool, arguments.night)
    else:
        nights.close_day(market.MARKETPLACE, arguments.night, at=market.AT)
    return {
        "wall": time.perf_counter() - began,
        "cpu": _cpu_so_far() - cpu + of_workers,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _close_with(pool, night: date) -> float:
    """Close a night with workers for its shards; returns the processor time of these."""
    cpu = 0.0
    while not (progress := nights.advance(market.MARKETPLACE, night, at=market.AT)).is_closed:
        cpu += sum(pool.map(_serve, progress.shards, chunksize=1))
    return cpu


def _serve(shard: int) -> float:
    connection.ensure_connection()
    cpu = _cpu_so_far()
    nights.serve_shard(market.MARKETPLACE, shard, at=market.AT)
    return _cpu_so_far() - cpu


def _cpu_so_far() -> float:
    """Seconds of processor that this process and the server's for it have used."""
    return time.process_time() + _cpu(connection.connection.info.backend_pid)


def _cpu(process: int) -> float:
    """Seconds of processor that a server process has used; nothing where it cannot be seen."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _compare(product: str, sql: str, **instead) -> None:
    """Every row of one database against the same row of the other; the first difference ends."""
    for subject, queries in (COMPARED | instead).items():
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
        _print_figures(number, contender, lines, measured[contender])
    ratio = measured["product"]["wall"] / measured["sql"]["wall"]
    print(f"round {number + 1} product / sql {ratio:.2f}; row by row alike", flush=True)


def _print_figures(number: int, who: str, lines: int, one: dict[str, float]) -> None:
    print(
        f"round {number + 1} {who:9s} {one['wall']:7.2f} s {one['cpu']:7.2f} s cpu "
        f"{one['log']:7.0f} MB log {one['memory']:5.0f} MB memory "
        f"{lines / one['wall']:9.0f} lines/s",
        flush=True,
    )


if __name__ == "__main__":
    main()
