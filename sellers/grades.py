"""The grades of sellers: projected every night, official from the effective day on.

What figures earn is decided in sellers.grading. A grade's benefits are those of the policy that
it was awarded by, until the next official grade: a newer policy takes nothing away in between.
"""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache

from django.db import connection, transaction

from marketplace import audit, bulk, changes, tenancy, versions
from marketplace.refusals import Refused, gettext_noop
from sellers import grade_documents, grading, performance
from sellers.grading import Benefit, Decision, Grade, Policy, Standing, Verdict
from sellers.models import GradePolicy, OfficialGrade, Seller

# Nearly every row is there already, and to update it costs half of an insert that finds it.
_STORE = """
WITH told AS MATERIALIZED (
    SELECT s.id, a.grade, a.explanation
    FROM unnest(%(sellers)s::bigint[], %(numbers)s::bigint[]) AS s(id, number)
    JOIN unnest(%(grades)s::text[], %(explanations)s::jsonb[])
         WITH ORDINALITY AS a(grade, explanation, number) USING (number)
), known AS (
    UPDATE sellers_projectedgrade old
    SET policy_id = %(policy)s, "on" = %(on)s, grade = told.grade, explanation = told.explanation
    FROM told
    WHERE old.marketplace_id = %(marketplace)s AND old.seller_id = told.id AND old."on" <= %(on)s
)
INSERT INTO sellers_projectedgrade AS old
       (marketplace_id, policy_id, "on", seller_id, grade, explanation)
SELECT %(marketplace)s, %(policy)s, %(on)s, id, grade, explanation FROM told
WHERE NOT EXISTS (SELECT FROM sellers_projectedgrade
                  WHERE marketplace_id = %(marketplace)s AND seller_id = told.id)
ON CONFLICT (marketplace_id, seller_id) DO UPDATE
    SET policy_id = EXCLUDED.policy_id, "on" = EXCLUDED."on", grade = EXCLUDED.grade,
        explanation = EXCLUDED.explanation
    WHERE old."on" <= EXCLUDED."on"
"""


class NotProjected(Refused):
    code = "grades_not_projected"
    message = gettext_noop("Grades of %(on)s cannot be made official: none was computed that day.")


@dataclass(frozen=True, slots=True)
class Held:
    """A grade that a seller has from a day on, and the policy that it was awarded by."""

    effective_from: date
    policy_id: int
    grade: str


def publish_policy(draft: GradePolicy, *, by, at: datetime) -> GradePolicy:
    """Bring a policy into force, once it can be read: a published one is never mended.

    Raises documents.BadDocument naming the field, or what versions.publish refuses.
    """
    grade_documents.parse(draft.body, f"{draft}:")
    return versions.publish(draft, by=by, at=at)


def project(on: date, *, at: datetime, seller_range: tuple[int, int] | None = None) -> int:
    """Compute the grade that every seller is heading for, from the figures up to `on`.

    Overwrites what an earlier night projected, and nothing that a later one did. Returns how many
    sellers were graded; none where no policy is in force. `seller_range` is half open.
    """
    policy_row = GradePolicy.objects.all().on(on)
    if policy_row is None:
        return 0
    policy = load(policy_row)
    sellers = _gradable(on, seller_range)
    figures = performance.windows(on, policy.windows, seller_range=seller_range)
    standings = _standings([pk for pk, _ in sellers], on)
    idle: dict[tuple, tuple[str, str]] = {}  # most sellers have no figures, and share an answer
    decided = []
    for pk, joined_on in sellers:
        alike = None if pk in figures else (standings.get(pk), joined_on)
        answer = idle.get(alike) if alike else None
        if answer is None:
            verdict = grading.evaluate(figures.get(pk, {}), policy)
            decision = grading.decide(
                verdict, policy, before=standings.get(pk), joined_on=joined_on, on=on
            )
            answer = decision.grade, json.dumps(_explanation(verdict, decision))
            if alike:
                idle[alike] = answer
        decided.append((pk, *answer))
    _store(policy_row, on, decided)
    return len(decided)


@transaction.atomic
def make_official(on: date, *, at: datetime) -> int:
    """On an effective day, put the grades projected for that day into force from it on.

    A seller gets one official grade a day, and it never changes: repeating does nothing. Returns
    how many were made; none on other days. Raises NotProjected when that night's step is missing.
    """
    policy_row = GradePolicy.objects.all().on(on)
    if policy_row is None or not load(policy_row).effective.includes(on):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sellers_officialgrade (marketplace_id, seller_id, policy_id, "
            "effective_from, evaluated_on, grade, explanation) "
            'SELECT marketplace_id, seller_id, policy_id, "on", "on", grade, explanation '
            'FROM sellers_projectedgrade WHERE marketplace_id = %s AND "on" = %s '
            "ON CONFLICT (marketplace_id, seller_id, effective_from) DO NOTHING "
            "RETURNING seller_id, grade",
            [tenancy.current_id(), on],
        )
        awarded = dict(cursor.fetchall())
    made = Counter(awarded.values())
    if made:
        data = {"on": on.isoformat(), "grades": dict(sorted(made.items()))}
        audit.record("officialgrade.made", by=None, at=at, obj=OfficialGrade, data=data)
        _announce(awarded, on, at)
    elif _gradable(on) and not OfficialGrade.objects.filter(effective_from=on).exists():
        raise NotProjected(on=on)
    return made.total()


def _announce(awarded: dict[int, str], on: date, at: datetime) -> None:
    ids = dict(Seller.objects.filter(pk__in=awarded).values_list("pk", "public_id"))
    rows = [
        (ids[pk], pk, {"grade": grade, "effective_from": on.isoformat()})
        for pk, grade in awarded.items()
    ]
    changes.announce_many("grade.made_official", rows, at=at)


def history(
    *, first_seller: int, end_seller: int, only: Collection[int] | None = None
) -> dict[int, list[Held]]:
    """All grades of the sellers in a half-open range of ids, by seller, in order of their days.

    Of those in `only`, where it is given.

    The first one is the starting grade of the policy that was in force when the seller joined
    (or of the first policy, where that came later), and holds from the beginning of time.
    """
    sellers = Seller.objects.filter(pk__gte=first_seller, pk__lt=end_seller)
    officials = OfficialGrade.objects.filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
    if only is not None:
        sellers = sellers.filter(pk__in=only)
        officials = officials.filter(seller_id__in=only)
    return _histories(sellers, officials)


def grade_on(seller_ids, day: date) -> dict[int, Held]:
    """The grade in force on a business day, for each of the sellers; two queries and the policies.

    Sellers are missing only where no policy was ever published.
    """
    seller_ids = list(seller_ids)
    histories = _histories(
        Seller.objects.filter(pk__in=seller_ids),
        OfficialGrade.objects.filter(seller_id__in=seller_ids, effective_from__lte=day),
    )
    return {pk: held[-1] for pk, held in histories.items() if held}


def awarded(held: Held) -> Grade | None:
    """The grade as the policy says that it was awarded by; None where that does not know it."""
    policy = _policy(tenancy.current_id(), held.policy_id)
    return policy.grade(held.grade) if held.grade in policy.ranks else None


def benefits(policy_id: int, grade: str) -> tuple[Benefit, ...]:
    """What a grade gives under the policy that it was awarded by."""
    policy = _policy(tenancy.current_id(), policy_id)
    return policy.grade(grade).benefits if grade in policy.ranks else ()


def load(row: GradePolicy) -> Policy:
    """A stored policy as the rule module takes it; a published one is read once a process."""
    if row.state == GradePolicy.State.PUBLISHED:
        return _policy(row.marketplace_id, row.pk)
    return grade_documents.parse(row.body)


@lru_cache(maxsize=64)
def _policy(tenant: int, policy_id: int) -> Policy:
    # The tenant is part of the key: what was loaded for one marketplace answers no other.
    row = GradePolicy.objects.published().get(pk=policy_id)
    return grade_documents.parse(row.body)


def _gradable(on: date, seller_range: tuple[int, int] | None = None) -> list[tuple[int, date]]:
    """Ids and joining days of the sellers who are graded: all who are there and not gone."""
    sellers = Seller.objects.exclude(state=Seller.State.TERMINATED).filter(joined_on__lte=on)
    if seller_range is not None:
        sellers = sellers.filter(pk__gte=seller_range[0], pk__lt=seller_range[1])
    return list(sellers.order_by("pk").values_list("pk", "joined_on"))


def _standings(seller_ids: list[int], on: date) -> dict[int, Standing]:
    """The newest official grade before `on`, with how often a fall from it was let pass."""
    with connection.cursor() as cursor:
        # One look-up a seller by the unique key, however long the history of grades has become.
        cursor.execute(
            "SELECT s.id, o.grade, coalesce((o.explanation->>'passed_over')::int, 0) "
            "FROM unnest(%s::bigint[]) AS s(id) CROSS JOIN LATERAL ("
            "SELECT grade, explanation FROM sellers_officialgrade "
            "WHERE marketplace_id = %s AND seller_id = s.id AND effective_from < %s "
            "ORDER BY effective_from DESC LIMIT 1) o",
            [bulk.as_text(seller_ids), tenancy.current_id(), on],
        )
        return {pk: Standing(grade, passed_over) for pk, grade, passed_over in cursor}


def _store(policy_row: GradePolicy, on: date, decided: list[tuple[int, str, str]]) -> None:
    # Each answer is sent once: most sellers share one.
    answers = {answer: number for number, answer in enumerate({row[1:] for row in decided}, 1)}
    grades, explanations = ([answer[part] for answer in answers] for part in (0, 1))
    parameters = {
        "marketplace": tenancy.current_id(),
        "policy": policy_row.pk,
        "on": on,
        "sellers": bulk.as_text(row[0] for row in decided),
        "numbers": bulk.as_text(answers[row[1:]] for row in decided),
        "grades": grades,
        "explanations": explanations,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORE, parameters)


def _explanation(verdict: Verdict, decision: Decision) -> dict:
    """What the pages tell about a grade, in codes and values (sellers.grade_words)."""
    return {
        "earned": verdict.grade,
        "kept": decision.kept,
        "passed_over": decision.passed_over,
        "reasons": [asdict(reason) for reason in verdict.reasons],
        "next": verdict.next_grade,
        "missing": [asdict(shortfall) for shortfall in verdict.missing],
    }


def _histories(sellers, officials) -> dict[int, list[Held]]:
    policies = list(GradePolicy.objects.published().order_by("valid_from"))
    histories = {
        pk: _starting(policies, joined_on)
        for pk, joined_on in sellers.values_list("pk", "joined_on")
    }
    rows = officials.order_by("seller_id", "effective_from").values_list(
        "seller_id", "effective_from", "policy_id", "grade"
    )
    for pk, *held in rows.iterator(chunk_size=10_000):
        histories[pk].append(Held(*held))
    return histories


def _starting(policies: list[GradePolicy], joined_on: date) -> list[Held]:
    if not policies:
        return []
    in_force = [row for row in policies if row.valid_from <= joined_on]
    row = in_force[-1] if in_force else policies[0]
    return [Held(date.min, row.pk, load(row).starting)]
