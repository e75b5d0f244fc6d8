"""Bring orders in from files, as an import profile reads them.

Files are read once, row by row, and sorted outside of memory, so that they may be larger than
it. Orders are accepted in batches, each in a transaction of its own: an import that was killed is
started again and finds what it had accepted. Whatever is wrong with a row is told; the rest comes
in. A second import of the same files changes nothing.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from marketplace import jobs, tenancy
from marketplace.models import JobRun, Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import delimited, import_catalogue, profile_rows, profiles
from orders.gathering import LEFT_OUT, RANKS, REJECTED, At
from orders.import_batches import Batches
from orders.import_reports import Report
from orders.models import ImportProfile
from orders.profiles import CATEGORIES, LINES, ORDERS, PRODUCTS, SELLERS, Profile
from orders.sorting import Sorter

KIND: Final = "import"
FOLDER: Final = Path(__file__).parent / "profiles"
_LISTINGS_REMEMBERED: Final = 100_000

# What is being done, how much of it, of how much (0: not known)
Tell = Callable[[str, int, int], None]


class UnknownProfile(Refused):
    code = "unknown_profile"
    message = gettext_noop("There is no import profile “%(profile)s”. There are: %(profiles)s.")


class CurrencyDiffers(Refused):
    code = "currency_differs"
    message = gettext_noop(
        "The files are in %(found)s, but the marketplace has %(currency)s. Nothing was imported."
    )


class MarketplaceArchived(Refused):
    code = "marketplace_archived"
    message = gettext_noop("The marketplace is archived and is only read.")


class FileNotAsked(Refused):
    code = "file_not_asked"
    message = gettext_noop("The profile has no table for the file %(file)s.")


class FileMissing(Refused):
    code = "file_missing"
    message = gettext_noop("No file was given for the table “%(table)s” (%(patterns)s).")


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import. `changed` is False when everything was there already."""

    job_id: int
    counts: dict[str, int]
    heads: dict[str, int]  # told rows by head
    amounts: dict[str, int]  # and their amounts, where they have one
    changed: bool


def import_files(
    marketplace_id: int,
    profile_code: str,
    paths: Sequence[Path],
    *,
    by: Any,
    at: datetime,
    report_to: Path | None = None,
    tell: Tell = lambda what, done, total: None,
) -> Imported:
    """Import files through a profile. Must not be called within a transaction.

    Refuses, before anything is stored, a profile that cannot be used, another currency than the
    marketplace's, and files that the profile does not fit.
    """
    with tenancy.use(marketplace_id, durable=True) as marketplace:
        body, profile = own_profile(profile_code)
        _refuse_unfit(marketplace, profile)
    files = assign(profile, paths)
    names = [path.name for _, path in files]
    _refuse_unfit_headers(profile, files)
    digest = _digest(files, body, tell)
    with ExitStack() as held:
        report = held.enter_context(Report(names, marketplace.locale))
        run = _Run(marketplace, profile, files, report, by, at, tell, held)
        with tenancy.use(marketplace_id, durable=True):
            job = jobs.begin(KIND, f"{profile_code}:{digest}"[:120], at=at, by=by)
        try:
            run.read()
            run.bring_catalogue()
            run.bring_orders(job)
        except Exception as error:
            _fail(job, error, at=at, by=by)
            raise
        for number, text in enumerate(profile.says):
            report.say(number, text)
        if report_to is not None:
            report.write(report_to)
        changed = _finish(job, run, at=at, by=by)
        return Imported(
            job.pk, dict(run.counts), dict(report.counts), dict(report.amounts), changed
        )


def assign(profile: Profile, paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Tell which table each file holds: by its name; the others in order, for tables without."""
    found: dict[str, list[Path]] = {role: [] for role in profile.tables}
    others = []
    for path in paths:
        roles = [role for role, table in profile.tables.items() if table.claims(path.name)]
        if roles:
            found[roles[0]].append(path)
        else:
            others.append(path)
    for role, table in profile.tables.items():
        if not table.files or found[role] or table.is_optional:
            continue
        if not others:
            raise FileMissing(table=role, patterns=", ".join(table.files))
        found[role].append(others.pop(0))
    if others:
        raise FileNotAsked(file=others[0].name)
    return [(role, path) for role, paths in found.items() for path in paths]


def own_profile(code: str) -> tuple[Any, Profile]:
    """The marketplace's profile of this code; one that comes with the project becomes its own."""
    row = ImportProfile.objects.filter(code=code).first()
    if row is None:
        known = sorted(path.stem for path in FOLDER.glob("*.json"))
        if code not in known:
            own = ImportProfile.objects.values_list("code", flat=True)
            raise UnknownProfile(profile=code, profiles=", ".join(sorted({*known, *own})))
        body = json.loads((FOLDER / f"{code}.json").read_text(encoding="utf-8"))
        profile = profiles.parse(body, code)
        row = ImportProfile.objects.create(code=code, name=profile.name, body=body)
    return row.body, profiles.parse(row.body, code)


def _refuse_unfit(marketplace: Marketplace, profile: Profile) -> None:
    if marketplace.state == Marketplace.State.ARCHIVED:
        raise MarketplaceArchived()
    if marketplace.currency != profile.currency:
        raise CurrencyDiffers(found=profile.currency, currency=marketplace.currency)


def _refuse_unfit_headers(profile: Profile, files: Sequence[tuple[str, Path]]) -> None:
    for role, path in files:
        with delimited.opened(path, profile.encoding, profile.delimiter) as table:
            for read_as in _read_as(profile, role):
                profile_rows.check_header(profile, read_as, table.header, path.name)


def _read_as(profile: Profile, role: str) -> list[str]:
    """The tables that stand in the files of one."""
    has_orders = role == LINES and not profile.tables[ORDERS].files
    return [role, ORDERS] if has_orders else [role]


def _digest(files: Sequence[tuple[str, Path]], body: Any, tell: Tell) -> str:
    """What makes an import the same as another: the profile, and the bytes of each table."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode())
    for role, path in files:
        tell("reading", 0, 0)
        with path.open("rb") as file:
            digest.update(f"{role}:{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()[:48]


def _fail(job: JobRun, error: Exception, *, at: datetime, by: Any) -> None:
    with tenancy.use(job.marketplace_id, durable=True):
        job = JobRun.objects.select_for_update(no_key=True).get(pk=job.pk)
        if job.state == JobRun.State.RUNNING:
            jobs.fail(job, str(error), at=at, by=by)


def _finish(job: JobRun, run: "_Run", *, at: datetime, by: Any) -> bool:
    """Store what the import came to; nothing, where it was all there already."""
    counts = dict(run.counts) | dict(run.report.counts) | {"report": run.report.digest()}
    with tenancy.use(job.marketplace_id, durable=True):
        job = JobRun.objects.select_for_update(no_key=True).get(pk=job.pk)
        is_same = job.counts.get("report") == counts["report"]
        if job.state != JobRun.State.RUNNING and is_same and not run.has_accepted:
            return False
        run.report.store(job)
        if job.state == JobRun.State.RUNNING:
            job.counts = {}  # of an attempt before
            jobs.finish(job, at=at, by=by, counts=counts)
        else:
            JobRun.objects.filter(pk=job.pk).update(counts=counts)
        return True


class _Run:
    """One import: its files read and sorted, then its parts brought in, in their order."""

    def __init__(
        self,
        marketplace: Marketplace,
        profile: Profile,
        files: Sequence[tuple[str, Path]],
        report: Report,
        by: Any,
        at: datetime,
        tell: Tell,
        held: ExitStack,
    ) -> None:
        self.marketplace, self.profile, self.files = marketplace, profile, files
        self.report, self.by, self.at, self.tell = report, by, at, tell
        self.counts: Counter[str] = Counter()
        self.held = held
        self.orders = held.enter_context(Sorter(key_length=4))
        self.products = held.enter_context(Sorter(key_length=4))
        self.catalogue = {
            role: held.enter_context(Sorter(key_length=3)) for role in (SELLERS, CATEGORIES)
        }
        self._seen: set[tuple[str, str]] = set()  # products of sellers
        self._sellers: set[str] = set()  # who are derived from lines

    def read(self) -> None:
        """Read every file; what is wrong with a row by itself is told here."""
        for number, (role, path) in enumerate(self.files):
            with delimited.opened(path, self.profile.encoding, self.profile.delimiter) as table:
                self._read(number, role, path.name, table)

    @property
    def has_accepted(self) -> bool:
        return any(self.counts[f"{what}_accepted"] for what in ("orders", "events", "cancels"))

    def bring_catalogue(self) -> None:
        whom = import_catalogue.For(
            marketplace_id=self.marketplace.pk,
            by=self.by,
            at=self.at,
            tell=self.report.tell,
            counts=self.counts,
        )
        self.tell("sellers", 0, 0)
        import_catalogue.bring_sellers(self.catalogue[SELLERS], whom)
        name = self.profile.derived_sellers
        derived = ([code, 0, 0, {"name": name.replace("{code}", code)}] for code in self._sellers)
        import_catalogue.bring_sellers(sorted(derived), whom)
        self.tell("listings", 0, 0)
        import_catalogue.bring_categories(self.catalogue[CATEGORIES], whom)
        import_catalogue.bring_listings(self.products, whom)

    def bring_orders(self, job: JobRun) -> None:
        Batches(
            job=job,
            profile=self.profile,
            report=self.report,
            counts=self.counts,
            at=self.at,
            tell=self.tell,
            held=self.held,
        ).bring(self.orders)

    def _read(self, file: int, role: str, name: str, table: delimited.Table) -> None:
        exponent = self.marketplace.currency_exponent
        read, *others = (
            profile_rows.bind(
                self.profile, read_as, table.header, name, exponent=exponent, at=self.at
            )
            for read_as in _read_as(self.profile, role)
        )
        of_order = _OfOrder(others[0], self._take) if others else None
        for number, row in table.rows():
            self.counts["rows"] += 1
            if self.counts["rows"] % 10_000 == 0:
                self.tell("reading", self.counts["rows"], 0)
            at = At(file, number)
            if isinstance(row, delimited.RowNotUsable):
                column = str(row.params.get("field", ""))
                self.report.tell_all(REJECTED, at, "", [(column, row)])
                continue
            found = read(row)
            if of_order is not None and not isinstance(found, profile_rows.Listed):
                found = of_order.take(found, row, at)
            if isinstance(found, profile_rows.Found):
                self._take(found, at)
            elif isinstance(found, profile_rows.Bad):
                self.report.tell_all(REJECTED, at, found.key, found.problems)
                self._leave_out(role, found.key, at, is_bad=True)
            else:
                self.report.add(found.head, at, found.key, "", "kept_out", found.reason)
                self._leave_out(role, found.key, at, is_bad=False)

    def _leave_out(self, role: str, key: str, at: At, *, is_bad: bool) -> None:
        """Leave a mark of a row, so that its order is not taken for whole, or for empty."""
        if role in RANKS:
            self.orders.add([key, RANKS[LEFT_OUT], at.file, at.row, {"is_bad": is_bad}])

    def _take(self, found: profile_rows.Found, at: At) -> None:
        """Put a usable row where it will be looked for."""
        role, values = found.role, found.values
        key = next(iter(values.values()))
        if role in RANKS:
            row = [key, RANKS[role], at.file, at.row, values]
            self.orders.add([*row, found.remarks] if found.remarks else row)
            if role == LINES:
                self._note_line(values, at)
            return
        for column, code, params in found.remarks:
            refusal = profile_rows.REPAIRS[code](**params)
            self.report.tell_all("repaired", at, key, [(column, refusal)])
        if role == PRODUCTS:
            self.products.add([key, import_catalogue.PRODUCT, at.file, at.row, values])
        else:
            self.catalogue[role].add([key, at.file, at.row, values])

    def _note_line(self, values: dict[str, Any], at: At) -> None:
        """Remember the seller, and the product, that a line names."""
        seller, sku = values["seller"], values.get("sku")
        if self.profile.derived_sellers:
            self._sellers.add(seller)
        if not (self.profile.makes_listings and sku) or (seller, sku) in self._seen:
            return
        if len(self._seen) >= _LISTINGS_REMEMBERED:
            self._seen.clear()  # the sorted rows tell repetitions as well
        self._seen.add((seller, sku))
        wanted = {name: values.get(name, "") for name in ("seller", "title", "category")}
        wanted["unit_price"] = values["unit_price"]
        self.products.add([sku, import_catalogue.LINE, at.file, at.row, wanted])


class _OfOrder:
    """Takes the order from the first usable of the rows of lines that stand together."""

    def __init__(
        self,
        read: Callable[[Sequence[str]], profile_rows.Read],
        take: Callable[[profile_rows.Found, At], None],
    ) -> None:
        self._read = read
        self._take = take
        self._last = ""

    def take(self, line: profile_rows.Read, row: Sequence[str], at: At) -> profile_rows.Read:
        """Take the order; return the line, or all that is wrong with the row."""
        is_found = isinstance(line, profile_rows.Found)
        if is_found and (line.role != LINES or line.values["order"] == self._last):
            return line
        order = self._read(row)
        problems = dict(line.problems) if isinstance(line, profile_rows.Bad) else {}
        if isinstance(order, profile_rows.Bad):
            key = order.key
            for column, refusal in order.problems:
                problems.setdefault(column, refusal)
            return profile_rows.Bad(key, list(problems.items()))
        if is_found:
            self._last = line.values["order"]
            self._take(order, at)
        return line
