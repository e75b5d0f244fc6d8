"""How many requests a key, and all keys of a marketplace together, may make.

Token buckets in the shared cache: each holds a minute's requests and fills up steadily. On Redis
and Valkey both buckets are read and written in one step, so that processes count together; other
caches count about right. When the cache is down, requests are let through: no order is lost
because nobody could count.
"""

import logging
import math
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS, cache, caches
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

WINDOW = 60  # seconds in which an empty bucket fills up

# One step for all buckets: the smallest number of tokens decides, and all pay or none does.
_TAKE = """
local now, window, least, which, left = tonumber(ARGV[1]), tonumber(ARGV[2]), 1e18, 1, {}
for n, name in ipairs(KEYS) do
  local size = tonumber(ARGV[n + 2])
  local kept = redis.call('HMGET', name, 'left', 'at')
  local passed = math.max(0, now - (tonumber(kept[2]) or now))
  left[n] = math.min(size, (tonumber(kept[1]) or size) + passed * size / window)
  if left[n] < least then least, which = left[n], n end
end
local taken = least >= 1 and 1 or 0
for n, name in ipairs(KEYS) do
  redis.call('HSET', name, 'left', tostring(left[n] - taken), 'at', tostring(now))
  redis.call('EXPIRE', name, window + 1)
end
return {taken, which, tostring(least - taken)}
"""
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a request may pass, and what remains in the fuller-drawn bucket."""

    is_allowed: bool
    policy: str
    size: int
    left: int
    wait: int  # seconds until the next request may pass

    @property
    def headers(self) -> dict[str, str]:
        headers = {
            "RateLimit-Policy": f'"{self.policy}";q={self.size};w={WINDOW}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.wait}',
        }
        return headers if self.is_allowed else {**headers, "Retry-After": str(self.wait)}


def take(*, key_id: int, marketplace_id: int) -> Allowance | None:
    """Count one request; None when nobody can count."""
    buckets = [
        ("key", f"jangteo.limit.k{key_id}", settings.API_REQUESTS_A_MINUTE),
        (
            "marketplace",
            f"jangteo.limit.m{marketplace_id}",
            settings.API_MARKETPLACE_REQUESTS_A_MINUTE,
        ),
    ]
    names, sizes = [name for _, name, _ in buckets], [size for *_, size in buckets]
    try:
        taken, which, left = (
            _shared if isinstance(caches[DEFAULT_CACHE_ALIAS], RedisCache) else _own
        )(names, sizes)
    except RedisError:
        logger.warning("requests are not counted: the cache is down")
        return None
    policy, _, size = buckets[which]
    wait = 0 if left >= 1 else math.ceil((1 - left) * WINDOW / size)
    return Allowance(bool(taken), policy, size, max(math.floor(left), 0), wait)


def _shared(names: list[str], sizes: list[int]) -> tuple[int, int, float]:
    client = cache._cache.get_client(None, write=True)
    arguments = [repr(time.time()), WINDOW, *sizes]
    taken, which, left = client.eval(_TAKE, len(names), *names, *arguments)
    return taken, which - 1, float(left)


def _own(names: list[str], sizes: list[int]) -> tuple[int, int, float]:
    """The same for a cache without scripts; exact within one process."""
    with _lock:
        now, left = time.time(), []
        for name, size in zip(names, sizes, strict=True):
            kept, at = cache.get(name, (size, now))
            left.append(min(size, kept + max(0, now - at) * size / WINDOW))
        least = min(left)
        taken = 1 if least >= 1 else 0
        for name, tokens in zip(names, left, strict=True):
            cache.set(name, (tokens - taken, now), WINDOW + 1)
        return taken, left.index(least), least - taken
