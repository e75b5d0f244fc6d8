"""Two questions of a load balancer: is this process alive, and can it serve?

A broker that is down does not make a web process unready: what it would have sent waits in the
outbox, so orders are still taken.
"""

from django.db import DatabaseError, connection
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def live(request):
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def ready(request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"database": "unreachable"}, status=503, headers={"Retry-After": "5"})
    return JsonResponse({"database": "reachable"})
