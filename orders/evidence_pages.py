"""The answer of a page that gives evidence back."""

from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header

from orders import evidence
from orders.models import Claim


def answer(claim: Claim, public_id: str) -> HttpResponse:
    """A file about a claim, to be saved and never shown as a page. Raises Http404."""
    row = evidence.find(claim, public_id)
    if row is None:
        raise Http404
    headers = {"Content-Disposition": content_disposition_header(True, row.name)}
    return HttpResponse(evidence.content(row), content_type=row.kind, headers=headers)
