"""What differs between two versions of a fee schedule, rule by rule. Compared by the database.

Two rules are the same rule where they hold for the same lines: component, stream, category, kind
of listing, channel, type of seller, seller, grade, and the price from which they apply. What they
charge, up to which price and on which days is compared. A schedule has tens of thousands of rules,
so only a page of differences ever leaves the database.
"""

from dataclasses import dataclass
from typing import Final

from django.db import connection

from marketplace import tenancy
from settlements.models import FeeRule, FeeScheduleVersion

ADDED: Final = "added"
REMOVED: Final = "removed"
CHANGED: Final = "changed"
MOVED: Final = "moved"  # only its place among the rules differs
KINDS: Final = (CHANGED, ADDED, REMOVED, MOVED)
SIZE: Final = 50

_DIFFERENCES = """
WITH rule AS (
    SELECT id, version_id, component, rank,
           md5(ROW(component, stream, category_id, listing_kind, channel, seller_type, seller_id,
                   grade, coalesce(price_from, 0))::text) AS scope,
           row_number() OVER (
               PARTITION BY version_id, component, stream, category_id, listing_kind, channel,
                            seller_type, seller_id, grade, coalesce(price_from, 0)
               ORDER BY date_from NULLS FIRST, rank
           ) AS nth,
           md5(ROW(base, rate_ppm, fixed_amount, per_unit, min_amount, max_amount, mode, vat_kind,
                   vat_mode, keep_on_refund, bands, band_kind, band_basis, date_from, date_to,
                   price_to)::text) AS says
    FROM settlements_feerule
    WHERE marketplace_id = %(marketplace)s AND version_id IN (%(before)s, %(after)s)
), difference AS (
    SELECT b.id AS before, a.id AS after, coalesce(a.component, b.component) AS component,
           coalesce(a.rank, b.rank) AS rank,
           CASE WHEN b.id IS NULL THEN 'added' WHEN a.id IS NULL THEN 'removed'
                WHEN a.says <> b.says THEN 'changed' WHEN a.rank <> b.rank THEN 'moved' END AS what
    FROM (SELECT * FROM rule WHERE version_id = %(before)s) b
    FULL JOIN (SELECT * FROM rule WHERE version_id = %(after)s) a
         ON a.scope = b.scope AND a.nth = b.nth
)
"""
_COUNTS = (
    _DIFFERENCES  # noqa: S608 (both are texts of this module)
    + "SELECT what, count(*) FROM difference WHERE what IS NOT NULL GROUP BY what"
)
_PAGE = (
    _DIFFERENCES
    + """
SELECT before, after FROM difference WHERE what = %(what)s
ORDER BY component, rank, before, after LIMIT %(limit)s OFFSET %(offset)s
"""
)

# What is charged otherwise; a rule that only has another place charges the same.
_CHARGED = (
    _DIFFERENCES  # noqa: S608
    + """
, scoped AS (
    SELECT d.before, d.after, d.component, d.rank, r.category_id, r.seller_type, r.seller_id
    FROM difference d JOIN settlements_feerule r
         ON r.marketplace_id = %(marketplace)s AND r.id = coalesce(d.after, d.before)
    WHERE d.what <> 'moved'
)
"""
)
_SCOPES = _CHARGED + "SELECT DISTINCT category_id, seller_type, seller_id FROM scoped"  # noqa: S608
_PAIRS = (
    _CHARGED  # noqa: S608
    + "SELECT before, after FROM scoped ORDER BY component, rank, before, after"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a rule that differs is for; None and "" mean everybody."""

    category_id: int | None
    seller_type: str
    seller_id: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule before and after; None where there is none."""

    before: FeeRule | None
    after: FeeRule | None

    @property
    def rule(self) -> FeeRule:
        """The one of them that says on which lines both hold."""
        return self.after or self.before


def live(version: FeeScheduleVersion) -> FeeScheduleVersion | None:
    """The published version that another one would follow on its first day."""
    return (
        FeeScheduleVersion.objects.published()
        .filter(schedule_id=version.schedule_id, valid_from__lte=version.valid_from)
        .exclude(pk=version.pk)
        .order_by("-valid_from")
        .first()
    )


def counts(before: FeeScheduleVersion, after: FeeScheduleVersion) -> dict[str, int]:
    """How many rules differ, by kind of difference."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, _parameters(before, after))
        found = dict(cursor.fetchall())
    return {what: found.get(what, 0) for what in KINDS}


def page(
    before: FeeScheduleVersion, after: FeeScheduleVersion, what: str, *, number: int = 1
) -> tuple[list[Difference], bool]:
    """A page of the differences of a kind, and whether another one follows."""
    limits = {"what": what, "limit": SIZE + 1, "offset": (number - 1) * SIZE}
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, _parameters(before, after) | limits)
        pairs = cursor.fetchall()
    ids = [key for pair in pairs for key in pair if key is not None]
    rules = FeeRule.objects.select_related("category", "seller", "version").in_bulk(ids)
    rows = [Difference(rules.get(old), rules.get(new)) for old, new in pairs[:SIZE]]
    return rows, len(pairs) > SIZE


def scopes(before: FeeScheduleVersion, after: FeeScheduleVersion) -> list[Scope]:
    """Whom the rules are for that charge otherwise than before, each named once."""
    with connection.cursor() as cursor:
        cursor.execute(_SCOPES, _parameters(before, after))
        return [Scope(*row) for row in cursor]


def charged_otherwise(before: FeeScheduleVersion, after: FeeScheduleVersion) -> list[Difference]:
    """All rules by which something else is charged, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, _parameters(before, after))
        pairs = cursor.fetchall()
    ids = [key for pair in pairs for key in pair if key is not None]
    rules = FeeRule.objects.select_related("category", "seller").in_bulk(ids)
    return [Difference(rules.get(old), rules.get(new)) for old, new in pairs]


def _parameters(before: FeeScheduleVersion, after: FeeScheduleVersion) -> dict:
    return {"marketplace": tenancy.current_id(), "before": before.pk, "after": after.pk}
