"""Rehearse crashes: kill processes in the middle of nights, and compare with undisturbed ones.

Everything is real but the market: database, broker, web server, workers, tasks. While nights are
closed, a checkout posts the orders of later days. It happens in scratch databases, each run in a
copy of the same one. What a killed night leaves must be what an undisturbed one does: exports and
what is not exported byte by byte, as many rows in every table, nothing for `verify` to find, books
that balance, and nothing that changes when the night is repeated.
"""

import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import islice, zip_longest
from typing import IO, Final

from django.db import connection, connections
from django.db.models import DateTimeField, F, Model, Sum

from marketplace import scratch, tenancy
from marketplace.models import JobRun, JobShard
from orders.models import Order, OrderLine, Outcome
from sellers.models import OfficialGrade, PerformanceDay, ProjectedGrade
from settlements import exports, ledger_reading, nights, verification
from settlements.crashes import broker, market, payday, servers, workers
from settlements.crashes.checkout import Checkout
from settlements.crashes.payday import Paid
from settlements.crashes.workers import Crew

MOST_KILLS: Final = 4  # of a run; a shard that fails five times is put aside for a person
LONGEST_DELAY: Final = 0.08  # seconds, about as long as a shard takes
MIDWAY: Final = 0.6  # of the kills; the others come between transactions as well
PAYDAY_SPEED: Final = 300  # of clocks: ten minutes until a bank is asked are two seconds
_PATIENCE: Final = 1  # seconds without a commit, after which the scheduler's tasks are sent
_STUCK: Final = 90  # seconds without a commit, after which a run has failed


class Stuck(RuntimeError):
    """A night does not come to its end any more."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What is killed, and when: so long after so many commits of the nights, and then, where it
    is to be midway, as soon as a worker has written something that it has not committed."""

    target: str
    after: int
    delay: float
    midway: bool

    def __str__(self) -> str:
        return f"{self.target} {self.delay * 1000:.0f} ms after commit {self.after}"


@dataclass(slots=True)
class Run:
    """What came of a run. Without a seed it is the undisturbed one."""

    seed: int | None
    jumps: bool = False  # the workers' clocks
    kills: list[str] = field(default_factory=list)  # as they came
    seconds: float = 0  # until the nights were closed
    paid_in: float = 0  # seconds
    commits: int = 0
    midway: int = 0  # kills that came when something was written and not committed
    repeated: int = 0  # shards that had to be served again
    posted_again: int = 0  # requests of the checkout that were lost, or their answers
    exports: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    paid: Paid = field(default_factory=Paid)
    differences: list[str] = field(default_factory=list)


_OFTEN: Final = {  # how often each is killed, one against another
    workers.WORKER: 5,
    workers.POOL_PROCESS: 3,
    workers.HEAD: 2,
    workers.MESSAGES: 1,
    workers.WEB: 3,
}
_SERVERS: Final = {workers.DATABASE: 3, workers.BROKER: 3}


def targets(*, servers: bool) -> dict[str, int]:
    """What may be killed, and how often; database and broker only where they are its own."""
    return _OFTEN | (_SERVERS if servers else {})


def plan(seed: int, commits: int, *, servers: bool = False) -> list[Kill]:
    """The kills of a run, by chance from its seed."""
    chance = random.Random(seed)  # noqa: S311 (nobody is to be kept from guessing it)
    often = targets(servers=servers)
    kills = [
        Kill(
            chance.choices(list(often), list(often.values()))[0],
            chance.randrange(commits),
            chance.uniform(0, LONGEST_DELAY),
            chance.random() < MIDWAY,
        )
        for _ in range(chance.randint(1, MOST_KILLS))
    ]
    return sorted(kills, key=lambda kill: kill.after)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How to rehearse: so many nights, and so many orchestrators at once."""

    nights: int
    orchestrators: int
    broker_url: str
    log: IO
    at: datetime  # really
    template: str = ""  # a migrated, empty database to copy instead of migrating one

    def runs(self, seeds: range) -> Iterator[Run]:
        """The undisturbed run, then one for each seed, as they end."""
        with _name(servers.are_own()) as name:
            crew = Crew(
                self.orchestrators,
                name=name,
                database=_database(name),
                broker_url=self.broker_url,
                clock=market.clock(self.nights),
                log=self.log,
            )
            try:
                with crew:
                    scratch.create(name, template=self.template)
                    with scratch.entered(name):
                        opened = market.open_market(self.nights)
                        later = market.later_orders(opened, self.nights)
                        secret = market.key(opened, at=self.at)
                        with connections["owner"].cursor() as cursor:
                            cursor.execute("ANALYZE")  # for all copies at once
                    checkout = partial(Checkout, crew.web.port, secret, later)
                    reference = self._run(name, crew, checkout, None, [])
                    yield reference
                    for seed in seeds:
                        kills = plan(seed, reference.commits, servers=servers.are_own())
                        run = self._run(name, crew, checkout, seed, kills)
                        run.differences += _differences(reference, run)
                        run.differences += payday.differences(reference.paid, run.paid)
                        yield run
            finally:
                broker.forget(name, self.broker_url)

    def _run(
        self,
        name: str,
        crew: Crew,
        checkout: Callable[[], Checkout],
        seed: int | None,
        kills: list[Kill],
    ) -> Run:
        """Close all nights in a fresh copy of the market, and look at what came of it."""
        run = Run(seed, jumps=seed is not None and seed % 2 == 0)
        scratch.create(_database(name), template=name)
        try:
            with scratch.entered(_database(name)):
                began = time.monotonic()
                crew.web.start()
                with checkout() as till:
                    self._close_nights(run, crew, till, kills)
                run.posted_again = till.posted - till.taken
                run.seconds = time.monotonic() - began
                crew.dismiss()
                self._look_at(run)
                self._pay(run, crew)
                self._repeat(run)
        finally:
            crew.dismiss()
            scratch.drop(_database(name))
        return run

    def _close_nights(self, run: Run, crew: Crew, till: Checkout, kills: list[Kill]) -> None:
        chance = random.Random(run.seed)  # noqa: S311
        # The one to compare with is nothing but a worker and a beat.
        count = self.orchestrators if kills else 1
        crew.begin(jumps=str(run.seed) if run.jumps else "")
        crew.start(count)
        crew.remind()
        changed = reminded = time.monotonic()
        closed_on = None
        while not till.check() or kills or closed_on != market.nights(self.nights)[-1]:
            crew.check()
            now = time.monotonic()
            commits, closed_on = _progress()
            if commits != run.commits:
                run.commits, changed = commits, now
            if kills and commits >= kills[0].after:
                kill = kills.pop(0)
                time.sleep(kill.delay)
                is_midway = _has_writer(patience=0.5 if kill.midway else 0)
                if kill.target == workers.DATABASE:
                    connections.close_all()  # ours would not survive it, either
                crew.kill(kill.target, chance.choice)
                run.midway += is_midway
                run.kills.append(f"{kill}, {_place()}{', midway' if is_midway else ''}")
                crew.start(count)
                crew.remind()
                changed = reminded = time.monotonic()
            if now - changed > _STUCK:
                raise Stuck(f"Seed {run.seed}: no commit for {_STUCK} seconds, {_place()}")
            if now - max(changed, reminded) > _PATIENCE:
                crew.remind()
                reminded = now
            time.sleep(0.005)

    def _look_at(self, run: Run) -> None:
        with tenancy.use(code=market.SLUG):
            for kind in exports.REPEATABLE:
                text = io.StringIO()
                exports.write(kind, text)
                run.exports[kind] = text.getvalue().encode()
            run.exports |= {model.__name__: _facts(model) for model in _NOT_EXPORTED}
            found = verification.verify(on=market.nights(self.nights)[-1])
            run.differences += (f"verify: {difference}" for difference in islice(found, 10))
            again = JobShard.objects.aggregate(again=Sum(F("attempts") - 1))["again"]
            run.repeated = again or 0
            _, sums = ledger_reading.trial_balance(market.nights(self.nights)[-1])
            if sums.debit != sums.credit:
                run.differences.append(f"ledger: {sums.debit} is not {sums.credit}")
        run.rows = {table: count for table, (count, _) in _tables().items()}

    def _pay(self, run: Run, crew: Crew) -> None:
        began = time.monotonic()
        count = 1 if run.seed is None else self.orchestrators
        crew.begin(speed=PAYDAY_SPEED, jumps=str(run.seed) if run.jumps else "")
        run.paid = payday.pay(
            market.SLUG,
            crew,
            lambda: crew.start(count),
            seed=run.seed,
            servers=servers.are_own(),
            at=market.clock(self.nights),
        )
        run.kills += run.paid.kills
        run.paid_in = time.monotonic() - began

    def _repeat(self, run: Run) -> None:
        """Ask once more for everything that has been done; nothing may change."""
        before = _tables()
        with tenancy.use(code=market.SLUG) as marketplace:
            shards = list(JobShard.objects.values_list("pk", flat=True))
        for on in market.nights(self.nights):
            nights.advance(marketplace.pk, on, at=market.clock(self.nights))
        for shard in shards:
            nights.serve_shard(marketplace.pk, shard, at=market.clock(self.nights))
        after = _tables()
        run.differences += (
            f"repeating changed {table}" for table in before if before[table] != after[table]
        )


_NOT_EXPORTED = (OrderLine, Outcome, PerformanceDay, ProjectedGrade, OfficialGrade)


def _facts(model: type[Model]) -> bytes:
    """The rows of a table, without what is each run's own: its row ids and times of day.

    Orders that came while others were killed have ids of each run's own as well.
    """
    names = [
        "order__number" if field.related_model is Order else field.attname
        for field in model._meta.concrete_fields
        if not field.primary_key and not isinstance(field, DateTimeField)
    ]
    return "\n".join(sorted(map(repr, model.objects.values_list(*names)))).encode()


@contextmanager
def _name(is_alone: bool) -> Iterator[str]:
    """A name for databases. Where nobody else is, none has to be kept from others."""
    if is_alone:
        yield f"{scratch.PREFIX}rehearsal"
        return
    with scratch.reserved() as name:
        yield name


def _database(name: str) -> str:
    return f"{name}_run"


_PROGRESS = """
SELECT (SELECT count(*) FROM marketplace_jobrun WHERE state = 'done')
       + (SELECT count(*) FROM marketplace_jobshard WHERE is_done),
       (SELECT last_closed_on FROM marketplace_marketplace)
"""


def _progress() -> tuple[int, date | None]:
    """How many steps and shards are done, each a transaction; and the last closed day."""
    with connections["platform"].cursor() as cursor:
        cursor.execute(_PROGRESS)
        return cursor.fetchone()


def _place() -> str:
    """The step at hand, for whoever wants to know what was hit."""
    with tenancy.use(code=market.SLUG):
        step = JobRun.objects.exclude(kind=nights.NIGHT).unfinished().last()
    if step is None:
        return "between nights"
    return f"in {step.kind} of {step.on}" + (f", which failed: {step.error}" if step.error else "")


_WRITERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
"""


def _has_writer(*, patience: float) -> bool:
    """Whether a transaction of a worker has written; waits for one so many seconds."""
    deadline = time.monotonic() + patience
    while True:
        with connection.cursor() as cursor:  # under the workers' own role, or it would see none
            cursor.execute(_WRITERS)
            if cursor.fetchone()[0]:
                return True
        if time.monotonic() >= deadline:
            return False


def _differences(reference: Run, run: Run) -> Iterator[str]:
    for kind, expected in reference.exports.items():
        if run.exports[kind] != expected:
            lines = zip_longest(expected.splitlines(), run.exports[kind].splitlines())
            number, (right, found) = next(
                (number, pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1]
            )
            yield f"{kind}, line {number}: {right!r} has become {found!r}"
    for table, count in reference.rows.items():
        if run.rows[table] != count:
            yield f"{table}: {run.rows[table]} rows instead of {count}"


_TENANT_TABLES = """
SELECT c.relname FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'marketplace_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1
"""


def _tables() -> dict[str, tuple[int, int]]:
    """Rows of each table, and a digest of them that knows no order."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(_TENANT_TABLES)
        names = [name for (name,) in cursor.fetchall()]
        tables = {}
        for name in ["marketplace_marketplace", *names]:
            cursor.execute(
                f'SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM "{name}" t'  # noqa: S608 (a name from the catalogue)
            )
            tables[name] = cursor.fetchone()
        return tables
