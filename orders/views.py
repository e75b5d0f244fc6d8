"""The seller centre's pages about orders: what came in, and what is to be shipped or cancelled."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from marketplace import forms as refusals
from marketplace import sheets
from marketplace.refusals import Refused
from orders import claims, shipping, shipping_lists, shipping_sheets, worklists
from orders.forms import CancelForm, FilterForm, ParcelForm, SheetForm, ShipForm
from orders.models import Order, OrderLine, Shipment
from sellers.access import seller_page


@seller_page
@require_GET
def orders(request, marketplace):
    at = timezone.now()
    form = FilterForm(request.GET)
    filters = form.filters()
    context = {
        "form": form,
        "filters": filters,
        "tabs": form.fields["tab"].choices,
        "page": worklists.orders(request.seller, filters, request.GET, at=at),
        "counts": worklists.counts(request.seller),
    }
    template = "orders/_orders.html" if request.htmx else "orders/orders.html"
    return render(request, template, context)


@seller_page
@require_POST
def acknowledge(request, marketplace):
    """One order, those that are ticked, or all that the page showed."""
    name = "shown" if "all" in request.POST else "order"
    keys = request.POST.getlist(name)[:200]
    own = OrderLine.objects.filter(seller=request.seller, order__public_id__in=keys)
    chosen = list(Order.objects.filter(pk__in=own.values("order_id")))
    count = shipping.acknowledge(chosen, request.seller, by=request.user, at=timezone.now())
    if count:
        text = ngettext("%(count)s order acknowledged.", "%(count)s orders acknowledged.", count)
        messages.success(request, text % {"count": count})
    else:
        messages.warning(request, gettext("No new order was chosen. Tick one first."))
    if len(chosen) == 1 and "detail" in request.POST:
        return redirect("shop_order", marketplace, chosen[0].public_id)
    return redirect("shop_orders", marketplace)


@seller_page
@require_GET
def order(request, marketplace, public_id):
    return _order_page(request, _order(request, public_id))


@seller_page
@require_http_methods(["GET", "POST"])
def ship(request, marketplace, public_id):
    """The form stands on the order's own page."""
    found = _order(request, public_id)
    if request.method == "GET":
        return redirect("shop_order", marketplace, public_id)
    form = ShipForm(request.POST, lines=found.lines)
    if form.is_valid():
        try:
            shipping.ship(
                found.order,
                request.seller,
                carrier=form.cleaned_data["carrier"],
                tracking_number=form.cleaned_data["tracking_number"],
                units=form.units(),
                by=request.user,
                at=timezone.now(),
            )
        except Refused as refused:
            refusals.show(form, refused)
        else:
            messages.success(request, gettext("The parcel is recorded. The buyer can follow it."))
            return redirect("shop_order", marketplace, public_id)
    return _order_page(request, found, ship_form=form, status=422)


@seller_page
@require_http_methods(["GET", "POST"])
def cancel(request, marketplace, public_id):
    found = _order(request, public_id)
    form = CancelForm(_posted(request), lines=found.lines)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        line = get_object_or_404(
            OrderLine, order=found.order, seller=request.seller, number=given["line"]
        )
        told = {"quantity": given["quantity"], "reason": given["reason"]}
        try:
            claims.cancel_by_seller(line, **told, by=request.user, at=timezone.now())
        except Refused as refused:
            refusals.show(form, refused, quantity="quantity")
        else:
            messages.success(request, gettext("Cancelled. The buyer gets the money back."))
            return redirect("shop_order", marketplace, public_id)
    context = {"sellers_order": found, "form": form}
    return render(request, "orders/cancel.html", context, status=refusals.status(form))


@seller_page
@require_http_methods(["GET", "POST"])
def parcel(request, marketplace, public_id):
    """Mend the number of a parcel."""
    shipment = get_object_or_404(
        Shipment.objects.select_related("order"), public_id=public_id, seller=request.seller
    )
    known = {"carrier": shipment.carrier, "tracking_number": shipment.tracking_number}
    form = ParcelForm(_posted(request), initial=known)
    if request.method == "POST" and form.is_valid():
        try:
            shipping.correct(shipment, **form.cleaned_data, by=request.user, at=timezone.now())
        except Refused as refused:
            refusals.show(form, refused)
        else:
            messages.success(request, gettext("The tracking number is saved."))
            return redirect("shop_order", marketplace, shipment.order.public_id)
    context = {"shipment": shipment, "form": form}
    return render(request, "orders/parcel.html", context, status=refusals.status(form))


@seller_page
@require_http_methods(["GET", "POST"])
def ship_many(request, marketplace):
    """Good rows go through; the others come back to be mended."""
    form = SheetForm(_posted(request), request.FILES if request.method == "POST" else None)
    told = []
    if request.method == "POST" and form.is_valid():
        try:
            rows = shipping_sheets.read(_text(form.cleaned_data))
        except Refused as refused:
            refusals.show(form, refused)
        else:
            told = shipping_sheets.ship(request.seller, rows, by=request.user, at=timezone.now())
            bad = [row for row in told if row.refusal]
            form = SheetForm(initial={"text": shipping_lists.as_text(row.row for row in bad)})
    context = {
        "form": form,
        "bad": [row for row in told if row.refusal],
        "good": [row for row in told if not row.refusal],
        "most": shipping_sheets.MOST_ROWS,
    }
    return render(request, "orders/ship_many.html", context, status=refusals.status(form))


@seller_page
@require_GET
def download(request, marketplace, kind):
    """What is to be shipped, with empty columns for carrier and tracking number."""
    if kind not in sheets.TYPES:
        raise Http404
    at = timezone.now()
    header, rows = shipping_lists.to_ship(request.seller, at=at)
    response = HttpResponse(sheets.write(kind, header, rows), content_type=sheets.TYPES[kind])
    name = f"to-ship-{timezone.localtime(at, request.marketplace.tz):%Y%m%d-%H%M}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _order(request, public_id: str) -> worklists.SellersOrder:
    found = worklists.order(request.seller, public_id, at=timezone.now())
    if found is None:
        raise Http404
    return found


def _order_page(request, found: worklists.SellersOrder, *, ship_form=None, status=200):
    if ship_form is None and found.to_ship:
        ship_form = ShipForm(lines=found.lines)
    context = {
        "sellers_order": found,
        "ship_form": ship_form,
        "may_cancel": any(line.may_cancel for line in found.lines),
    }
    return render(request, "orders/order.html", context, status=status)


def _posted(request):
    return request.POST if request.method == "POST" else None


def _text(given: dict) -> str:
    if given.get("file"):
        return shipping_sheets.decode(given["file"].read(shipping_sheets.MOST_BYTES + 1))
    return given["text"]
