"""The browsable documentation of the API: works offline, and without scripts in the page."""

from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def page(request):
    return render(request, "marketplace/api_docs.html")
