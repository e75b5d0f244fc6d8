"""Views that only the tests of the API's core serve."""

from django.http import HttpResponse
from django.urls import include, path
from rest_framework import serializers
from rest_framework.response import Response

from marketplace.api import etags, fields, idempotency
from marketplace.api.views import KeyedView, ReadMixin, Resource
from marketplace.models import JobRun
from marketplace.refusals import Refused


class Turned(Refused):
    code = "turned_down"
    message = "Turned down: %(field)s."


class JobDocument(fields.Document):
    kind = fields.Text(max_length=20)
    price = fields.Money(required=False, write_only=True)
    count = fields.Whole(required=False, write_only=True)
    at = fields.Moment(required=False, write_only=True)
    sure = fields.Flag(required=False, write_only=True)
    key = serializers.CharField(read_only=True)


class JobViewSet(ReadMixin, Resource):
    resource = "orders"
    seller_actions = ("list",)
    parameters = ("kind",)
    serializer_class = JobDocument
    lookup_field = "pk"
    lookup_value_regex = "[0-9]+"

    def get_queryset(self):
        return JobRun.objects.all()

    @idempotency.idempotent
    def create(self, request):
        document = self.get_serializer(data=request.data)
        document.is_valid(raise_exception=True)
        kind = document.validated_data["kind"]
        job = JobRun.objects.create(kind=kind, key=str(JobRun.objects.count()))
        if kind == "field":
            raise Turned(field="lines[2].quantity")
        if kind == "refuse":
            raise Turned(field="")
        if kind == "break":
            raise ZeroDivisionError
        return Response(self.get_serializer(job).data, 201, headers={"Location": "/x/"})

    def update(self, request, pk):
        job = self.get_object()
        etags.require(request, self.get_serializer(job).data)
        job.kind = request.data["kind"]
        job.save()
        return etags.respond(request, self.get_serializer(job).data)


class Echo(KeyedView):
    resource = "orders"

    def get(self, request):
        return Response({"marketplace": request.auth.marketplace.slug})


urlpatterns = [
    # Where the page of what does not exist leads to.
    path("", lambda request: HttpResponse(), name="welcome"),
    path("language/", lambda request: HttpResponse(), name="set_language"),
    path(
        "api/v1/",
        include(
            [
                path("jobs/", JobViewSet.as_view({"get": "list", "post": "create"})),
                path("jobs/<int:pk>/", JobViewSet.as_view({"get": "retrieve", "put": "update"})),
                path("echo/", Echo.as_view()),
            ]
        ),
    ),
]
