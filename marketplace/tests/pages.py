"""Pages that only the middleware's tests serve."""

from django.contrib import admin
from django.http import HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path

from marketplace.models import JobRun


class NotFoundInView(Exception):
    pass


def _jobs(request):
    """A lazy queryset in a lazy response: both are evaluated after the view has returned."""
    template = engines["django"].from_string("{% for job in jobs %}{{ job.key }} {% endfor %}")
    return TemplateResponse(request, template, {"jobs": JobRun.objects.order_by("pk")})


def _write_then(status):
    def view(request, slug):
        JobRun.objects.create(kind="page", key=str(status))
        if status == "raise":
            raise ZeroDivisionError
        return HttpResponse(status=status)

    return view


def _stream(request, slug):
    return StreamingHttpResponse(job.key for job in JobRun.objects.all())


seller_pages = [
    path("jobs/", lambda request, slug: _jobs(request)),
    path("write/", _write_then(200)),
    path("refuse/", _write_then(409)),
    path("fail/", _write_then(503)),
    path("raise/", _write_then("raise")),
    path("stream/", _stream),
]
urlpatterns = [
    # Named by what every page of the admin, and of what is not found, leads to.
    path("", lambda request: HttpResponse(), name="welcome"),
    path("language/", lambda request: HttpResponse(), name="set_language"),
    path("admin/choose-marketplace/", lambda request: HttpResponse(), name="choose_marketplace"),
    path("s/<slug:slug>/", include(seller_pages)),
    path("admin/", admin.site.urls),
    path("elsewhere/", lambda request: HttpResponse(str(request.marketplace))),
    path("elsewhere/admin/", lambda request: HttpResponse()),
]
