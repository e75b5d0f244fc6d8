"""A fee schedule's next version from an operator's file, whole or not at all.

What the file says and what is wrong with it is found in settlements.schedule_files. The file is
the whole of its component; other components go on as the version before has them.
"""

import gzip
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.db import connection, transaction

from listings import catalogue
from listings.catalogue import CategoryRow
from marketplace import tenancy, versions
from marketplace.models import Marketplace
from settlements import fee_publishing, rate_cards, schedule_files
from settlements.fee_rules import Rule
from settlements.models import FeeRule, FeeSchedule, FeeScheduleVersion
from settlements.schedule_files import SEPARATOR, CategoryPath, Contents, Mapping

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    version: FeeScheduleVersion
    rules: int
    categories: int


@transaction.atomic
def import_file(
    path: Path,
    *,
    mapping: Mapping,
    schedule: str,
    valid_from: date,
    publish: bool = False,
    waive_notice: bool = False,
    by,
    at: datetime,
) -> Imported:
    """Draft the next version of a schedule from a CSV file, which may be compressed with gzip.

    Categories that the file names are made where they are missing, and so is the schedule. With
    `publish` the version comes into force, with `waive_notice` sooner than sellers were promised.
    Raises schedule_files.FileRefused with each problem by row and field, schedules.Unpublishable,
    or what fee_publishing.publish refuses; nothing is then done.
    """
    content = path.read_bytes()
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    lines = io.StringIO(text.decode("utf-8-sig"), newline="")
    exponent = Marketplace.objects.get(pk=tenancy.current_id()).currency_exponent
    contents = schedule_files.read(lines, mapping, exponent=exponent)

    category_ids = _ensure_categories(contents.categories)
    list_, _ = FeeSchedule.objects.get_or_create(code=schedule, defaults={"name": schedule})
    version = _draft(list_, mapping.rule.component, path, content, valid_from, by=by, at=at)
    _write_rules(contents, category_ids, version)
    if publish:
        fee_publishing.publish(version, by=by, at=at, waive_notice=waive_notice)
    else:
        rate_cards.read_schedule(version).ensure_publishable()
    return Imported(version, len(contents.rules), len(contents.categories))


def _ensure_categories(paths: Iterable[CategoryPath]) -> list[int]:
    """Make the categories and all their ancestors; return the ids of the paths, in their order."""
    paths = list(paths)
    nodes = dict.fromkeys(path[:length] for path in paths for length in range(1, len(path) + 1))
    rows = [
        CategoryRow(
            SEPARATOR.join(node), node[-1], SEPARATOR.join(node[:-1]) if len(node) > 1 else None
        )
        for node in nodes
    ]
    categories = catalogue.ensure_categories(rows)
    return [categories[SEPARATOR.join(path)].pk for path in paths]


def _draft(
    schedule: FeeSchedule, component: str, path: Path, content: bytes, valid_from: date, *, by, at
) -> FeeScheduleVersion:
    """Draft a version with the rules of other components as they stood before."""
    before = (
        FeeScheduleVersion.objects.published()
        .filter(schedule=schedule, valid_from__lt=valid_from)
        .order_by("-valid_from")
        .first()
    )
    components = list(before.components) if before else []
    if component not in components:
        components.append(component)
    version = versions.draft(
        FeeScheduleVersion,
        valid_from=valid_from,
        by=by,
        at=at,
        schedule=schedule,
        components=components,
        note=f"{path.name} sha256:{hashlib.sha256(content).hexdigest()}",
        **({"vat_rate_ppm": before.vat_rate_ppm} if before else {}),
    )
    kept = FeeRule.objects.filter(version=before).exclude(component=component) if before else ()
    FeeRule.objects.bulk_create([_copy(rule, version) for rule in kept], batch_size=_BATCH)
    return version


def _copy(rule: FeeRule, version: FeeScheduleVersion) -> FeeRule:
    rule.pk = None
    rule._state.adding = True
    rule.version = version
    return rule


def _write_rules(contents: Contents, category_ids: list[int], version: FeeScheduleVersion) -> None:
    """Write the rules of the file by one statement: they differ in five columns only.

    Through the models it would take ten times as long.
    """
    rules = contents.rules
    differing = {
        "rank": [rule.rank for rule in rules],
        "category_id": [category_ids[rule.category_id] for rule in rules],
        "rate_ppm": [rule.rate_ppm for rule in rules],
        "price_from": [rule.price_from for rule in rules],
        "price_to": [rule.price_to for rule in rules],
    }
    template = _template(rules[0], version)
    same = {
        field.column: field.get_db_prep_save(getattr(template, field.attname), connection)
        for field in FeeRule._meta.local_concrete_fields
        if not field.primary_key and field.column not in differing
    }
    with connection.cursor() as cursor:
        arrays = ", ".join(["%s::bigint[]"] * len(differing))
        columns = ", ".join([*same, *differing])
        cursor.execute(
            # Only names of columns go into the text of the statement.
            f"INSERT INTO {FeeRule._meta.db_table} ({columns}) "  # noqa: S608
            f"SELECT {', '.join(['%s'] * len(same))}, * FROM unnest({arrays})",
            [*same.values(), *differing.values()],
        )


def _template(rule: Rule, version: FeeScheduleVersion) -> FeeRule:
    """What all rules of a file have in common."""
    return FeeRule(
        version=version,
        component=rule.component,
        stream=rule.stream or "",
        listing_kind=rule.listing_kind or "",
        channel=rule.channel or "",
        seller_type=rule.seller_type or "",
        base=rule.base,
        mode=rule.mode,
        vat_kind=rule.vat_kind,
        vat_mode=rule.vat_mode,
        keep_on_refund=rule.keep_on_refund,
    )
