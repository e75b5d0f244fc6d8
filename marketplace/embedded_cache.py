"""A cache on the broker that comes with the project, started when it is first needed.

Web processes count requests in it together. The broker's messages lie in another database of the
same server.
"""

from django.core.cache.backends.redis import RedisCache
from django.utils.functional import cached_property

from marketplace import embedded


class EmbeddedCache(RedisCache):
    def __init__(self, server, params):
        super().__init__(embedded.cache_url(), params)

    @cached_property
    def _cache(self):
        embedded.start_broker()
        return super()._cache
