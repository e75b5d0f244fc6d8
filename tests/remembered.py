"""What a process remembers of published rules: they never change, but tests make other worlds."""

from django.core.cache import cache

from listings import reviewing
from sellers import grades
from settlements import rate_cards

_RULES = (reviewing._pack, grades._policy, rate_cards._schedule, rate_cards._rules)


def forget() -> None:
    """Before a world of one's own, whose rows have the numbers of another's, and after it."""
    cache.clear()
    for remembered in _RULES:
        remembered.cache_clear()
