"""Every page and every file, with every text written by somebody who means harm."""

import csv
import io
import time

import openpyxl
import pytest
from django.contrib import admin
from django.db import connections
from django.template import engines
from django.test import Client

from marketplace import tenancy
from marketplace.models import JobRow, JobRun
from orders import import_reports, import_uploads
from orders.gathering import At
from settlements import exports
from tests import remembered
from tests.faces import hostile, routes
from tests.faces.tables import ADMIN_GLOBAL, ADMIN_KEYS, ADMIN_PAGES, GIVEN, SELLER_PAGES

pytestmark = pytest.mark.django_db

# Texts that the pages are known to show: where one of them is not seen, the walk has gone blind.
SEEN = {
    "marketplace.AuditEntry.reason",
    "marketplace.JobRow.reason",
    "marketplace.Marketplace.name",
    "marketplace.User.name",
    "marketplace.WebhookEndpoint.url",
    "sellers.Seller.name",
    "sellers.SellerProfile.company",
    "sellers.Invitation.email",
    "listings.Category.name",
    "listings.Revision.title",
    "listings.Revision.description",
    "listings.Finding.evidence",
    "orders.Order.number",
    "orders.OrderLine.title",
    "orders.Claim.reason",
    "orders.OrderEvent.source_id",
    "orders.ImportProfile.name",
    "settlements.FeeSchedule.name",
    "settlements.SettlementTerms.note",
}


@pytest.fixture
def as_owner(world, monkeypatch):
    """The whole test on one connection: pages see what was rewritten, and then it is undone."""
    remembered.forget()
    app = connections["default"]
    connections["default"] = connections["owner"]
    yield
    connections["default"] = app
    remembered.forget()


def signed_in(user, marketplace=None):
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    if marketplace is not None:
        browser.post("/admin/choose-marketplace/", {"marketplace": marketplace.slug})
    return browser


def seller_addresses(people):
    for route in routes.resolved():
        if route.pattern.startswith("/s/") and route.name in SELLER_PAGES:
            fill = SELLER_PAGES[route.name]
            yield route.address(GIVEN | (fill(people) if fill else {}))
    yield "/s/alpha/orders/?q=%3Czq+zq%3D1%3E%22+zq%3D2&tab=%3Czq%3E&day=%22%3E%3Czq%3E"


def admin_addresses(people):
    reflected = "?q=%3Czq+zq%3D1%3E%22+zq%3D2"
    for model, model_admin in admin.site._registry.items():
        prefix = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield prefix
        if model_admin.search_fields:
            yield prefix + reflected
        is_global = model._meta.label in ADMIN_GLOBAL
        row = model._base_manager.first() if is_global else people.first(model)
        key = row and ADMIN_KEYS.get(model._meta.label, lambda row: row.pk)(row)
        decisions = getattr(model_admin, "decisions", {})
        for route in routes.resolved():
            if not route.pattern.startswith(prefix) or route.name.endswith("_changelist"):
                continue
            if not route.parameters:
                yield route.pattern
            elif row is not None and "decision" not in route.parameters:
                yield route.address(dict.fromkeys(route.parameters, key))
            elif row is not None:
                for decision in decisions:
                    yield route.address({"object_id": key, "decision": decision})
    for name, fill in ADMIN_PAGES.items():
        for route in routes.resolved():
            if route.name == name and route.pattern.startswith("/admin/"):
                yield route.address(fill(people))
    yield "/admin/search/" + reflected


def walk(browser, addresses, fields):
    """Complaints about the pages, and the fields whose texts they show."""
    found, seen = [], set()
    for address in addresses:
        answer = browser.get(address)
        if answer.status_code >= 500:
            found.append(f"{address}: {answer.status_code} {answer.exc_info}")
        if "text/html" not in answer.headers.get("Content-Type", "") or answer.streaming:
            continue
        html = answer.content.decode()
        found += [f"{address}: {complaint}" for complaint in hostile.complaints(html)]
        seen |= {field for field in fields if f"{hostile.MARK}.{field}" in html}
    return found, seen


class TestPages:
    def test_show_hostile_texts_as_texts(self, world, as_owner):
        sellers = list(seller_addresses(world))
        operators = list(admin_addresses(world))
        found, seen = [], set()
        rows = [page for page in operators if not page.endswith(("/add/", "/delete/", "/history/"))]
        for beginning, of_operators in (("=HYPERLINK(1)", operators), ("javascript:zq()//", rows)):
            fields = hostile.poison(beginning)
            for user, marketplace, addresses in (
                (world.owner, None, sellers),
                (world.operator, world.alpha, of_operators),
            ):
                some, shown = walk(signed_in(user, marketplace), addresses, fields)
                found, seen = found + some, seen | shown
        assert not found, "\n".join(sorted(set(found)))
        assert not sorted(SEEN - seen)

    def test_are_caught_where_texts_are_trusted(self, world, as_owner, monkeypatch):
        hostile.poison("=HYPERLINK(1)")
        monkeypatch.setattr(engines["django"].engine, "autoescape", False)
        found, _ = walk(signed_in(world.owner), ["/s/alpha/orders/"], [])
        assert any("an element <zq>" in complaint for complaint in found)


class TestEyes:
    @pytest.mark.parametrize(
        "html",
        [
            "<zq>",
            "<b zq=1>",
            '<a href="java\nscript:zq()">',
            '<a href=" JavaScript:1">',
            '<i x-text="zq">',
            '<i @click="zq()">',
            '<i onclick="zq()">',
            "<script>var a = 'zq'</script>",
            "z49q",
        ],
    )
    def test_find_what_is_not_text(self, html):
        assert hostile.complaints(html)

    @pytest.mark.parametrize(
        "html",
        [
            "&lt;zq&gt;",
            '<a href="?q=javascript:zq" title="zq">zq</a>',
            '<script type="application/json">"zq"</script>',
            "z{{7*7}}q",
        ],
    )
    def test_leave_text_alone(self, html):
        assert not hostile.complaints(html)


class TestFiles:
    def test_hold_no_formulas(self, world, as_owner, tmp_path, settings):
        settings.MEDIA_ROOT = tmp_path
        sellers = list(files_of_sellers(world))
        for beginning in ("=HYPERLINK(1)", "@SUM(1)", "\t=1", "＝1"):
            hostile.poison(beginning)
            told = {}
            for address in sellers:
                told[address] = _cells(signed_in(world.owner).get(address))
            for kind in exports.KINDS:
                told[kind] = _export(world, kind)
            told["import"] = _import_report(world, beginning)
            told["report"] = _report_file(beginning, tmp_path)
            for name, cells in told.items():
                assert not [cell for cell in cells if hostile.runs(cell)], name
            with_texts = {name for name, cells in told.items() if _is_told(cells, beginning)}
            assert with_texts >= {"settlement_lines", "statements", "import", "report"}, beginning
            assert {address for address in sellers if "statements-" not in address} <= with_texts


WITHOUT_SHEETS = {"shop_tax_invoice_file"}  # XML and PDF


def files_of_sellers(people):
    for route in routes.resolved():
        has_sheets = "kind" in route.parameters and route.name not in WITHOUT_SHEETS
        if route.pattern.startswith("/s/") and has_sheets:
            for kind in ("csv", "xlsx"):
                fill = SELLER_PAGES[route.name]
                yield route.address(GIVEN | fill(people) | {"kind": kind})


def _is_told(cells, beginning):
    return any(str(cell).startswith(f"'{beginning}") for cell in cells)


def _cells(answer):
    assert answer.status_code == 200, answer.request["PATH_INFO"]
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if answer.request["PATH_INFO"].endswith("xlsx"):
        book = openpyxl.load_workbook(io.BytesIO(body))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
        return [cell.value for cell in cells if cell.value is not None]
    return _csv(body.decode("utf-8-sig"))


def _csv(text):
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


def _export(people, kind):
    out = io.StringIO(newline="")
    with tenancy.use(people.alpha.pk):
        exports.write(kind, out)
    return _csv(out.getvalue())


def _import_report(people, beginning):
    with tenancy.use(people.alpha.pk):
        job = JobRun.objects.create(kind=import_uploads.KIND, key=f"h{time.monotonic_ns()}")
        JobRun.objects.filter(pk=job.pk).update(counts={"import": job.pk})
        texts = dict.fromkeys(("source", "key", "field", "code", "reason"), beginning + "x")
        JobRow.objects.create(job=job, head="failed", **texts)
    operator = signed_in(people.operator, people.alpha)
    return _cells(operator.get(f"/admin/orders/importprofile/uploads/{job.pk}/report.csv"))


def _report_file(beginning, folder):
    file = folder / "report.csv"
    with import_reports.Report([f"{beginning}.csv"], "en") as report:
        report.add("failed", At(0, 1), *(beginning + letter for letter in "abcd"))
        report.write(file)
    return _csv(file.read_text(encoding="utf-8"))
