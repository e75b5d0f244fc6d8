"""What letters tell, for pages: how much of each kind, and the first notices of each."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from settlements import letter_kinds
from settlements.models import SellerLetter, SellerNotice
from settlements.models.letters import KINDS

MOST_OF_A_KIND: Final = 10  # notices of one kind that the page of a letter shows


@dataclass(frozen=True, slots=True)
class Told:
    """The notices of one kind in a letter; `rows` are the first of them, where they were asked."""

    kind: str
    count: int
    rows: tuple[SellerNotice, ...] = ()

    @property
    def name(self):
        """What the kind is called in the language in use."""
        return dict(KINDS)[self.kind]

    @property
    def has_more(self) -> bool:
        return self.count > len(self.rows)


def by_kind(letters: Collection[SellerLetter]) -> dict[int, list[Told]]:
    """How many notices of each kind letters tell, in the order they tell them; one query."""
    rows = (
        SellerNotice.objects.filter(letter__in=[letter.pk for letter in letters])
        .order_by()
        .values_list("letter_id", "kind")
        .annotate(count=Count("pk"))
    )
    counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for letter_id, kind, count in rows:
        counts[letter_id][kind] = count
    return {
        letter.pk: [Told(kind, found[kind]) for kind in letter_kinds.KINDS if kind in found]
        for letter in letters
        for found in (counts[letter.pk],)
    }


def of_letter(letter: SellerLetter) -> list[Told]:
    """What a letter tells: of each kind how many, and the first ones; two queries."""
    place = Window(RowNumber(), partition_by=F("kind"), order_by=["happened_at", "pk"])
    first = SellerNotice.objects.filter(letter=letter).annotate(place=place)
    rows: defaultdict[str, list[SellerNotice]] = defaultdict(list)
    for notice in first.filter(place__lte=MOST_OF_A_KIND).order_by("happened_at", "pk"):
        rows[notice.kind].append(notice)
    return [
        Told(told.kind, told.count, tuple(rows[told.kind])) for told in by_kind([letter])[letter.pk]
    ]
