"""Import and settle all of Online Retail: time and peak memory, and every cancel accounted for.

python -m tests.benchmarks.online_retail
"""

import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

import django

django.setup()

from django.db.models import Sum  # noqa: E402

from marketplace import tenancy  # noqa: E402
from settlements import nights, verification  # noqa: E402
from settlements.models import LedgerEntry, SettlementLine, Statement  # noqa: E402
from tests import online_retail  # noqa: E402
from tests.benchmarks import databases  # noqa: E402

ROWS = 285_421
CANCELS = 5_179
DATABASE = "jangteo_benchmark_retail"


def main() -> None:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    file = online_retail.path(Path(os.environ.get("JANGTEO_DATA") or default))
    if not file.is_file():
        sys.exit(f"There is no {file}. Name the folder of real data in JANGTEO_DATA.")
    with databases.migrated(DATABASE):
        market = online_retail.open_market()
        imported = _timed("import", lambda: online_retail.import_file(market, file))
        print(imported.counts, imported.heads)
        _timed("import again", lambda: online_retail.import_file(market, file))
        _timed("nights", lambda: _close(market))
        with tenancy.use(market.pk):
            assert imported.counts["rows"] == ROWS
            cancels, matched, listed = online_retail.cancels_by_fate(file, imported.job_id)
            print(f"{cancels} cancels: {matched} matched, {listed} listed")
            assert cancels == CANCELS == matched + listed
            legs = LedgerEntry.objects.aggregate(debit=Sum("debit"), credit=Sum("credit"))
            assert legs["debit"] == legs["credit"]
            lines, statements = SettlementLine.objects.count(), Statement.objects.count()
            print(f"{lines} settlement lines on {statements} statements; the ledger balances")
        _timed("verify", lambda: _verify(market))


def _close(market) -> None:
    nights.close_day(market.pk, online_retail.LAST_ON, at=online_retail.NOW)


def _verify(market) -> None:
    with tenancy.use(market.pk):
        assert not list(verification.verify(on=online_retail.LAST_ON))


def _timed(name, work):
    started, used = time.monotonic(), time.process_time()
    result = work()
    seconds, used = time.monotonic() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name}: {seconds:.1f} s, {used:.1f} s of it in this process, peak memory {peak} MB")
    return result


if __name__ == "__main__":
    main()
