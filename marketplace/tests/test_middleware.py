import pytest
from django.db import connection
from django_scopes import scopes_disabled

from marketplace import tenancy
from marketplace.middleware import StreamedTenantRows
from marketplace.models import JobRun
from marketplace.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.urls("marketplace.tests.pages")]


@pytest.fixture
def markets(db):
    ours, theirs = make.marketplace("ours"), make.marketplace("theirs")
    for market in (ours, theirs):
        with tenancy.use(market.pk):
            JobRun.objects.create(kind="import", key=market.slug)
    return ours, theirs


def written(market):
    with tenancy.use(market.pk):
        return JobRun.objects.filter(kind="page").exists()


class TestSellerPages:
    def test_serve_the_marketplace_of_their_address(self, client, markets):
        assert client.get("/s/ours/jobs/").content == b"ours "
        assert client.get("/s/theirs/jobs/").content == b"theirs "

    def test_are_not_found_for_an_unknown_marketplace(self, client, markets):
        assert client.get("/s/nobodys/jobs/").status_code == 404

    def test_are_not_found_by_what_no_table_can_hold(self, client, markets):
        assert client.get("/s/ours/jo%00bs/").status_code == 404

    def test_render_inside_the_transaction(self, client, markets):
        """TemplateResponse and lazy queryset: both are read after the view."""
        assert client.get("/s/ours/jobs/").content == b"ours "

    def test_leave_nothing_behind_on_the_connection(self, client, markets):
        client.get("/s/ours/jobs/")
        assert tenancy.current_id_or_none() is None
        with connection.cursor() as cursor, scopes_disabled():
            assert not JobRun.objects.exists()
            cursor.execute("SELECT current_setting('app.marketplace', true)")
            assert cursor.fetchone() == ("",)

    def test_refuse_to_stream_rows(self, client, markets):
        with pytest.raises(StreamedTenantRows):
            client.get("/s/ours/stream/")


class TestTransaction:
    @pytest.mark.parametrize("page", ["write", "refuse"])
    def test_keeps_what_an_answer_below_500_wrote(self, client, markets, page):
        client.get(f"/s/ours/{page}/")
        assert written(markets[0])

    def test_is_rolled_back_by_an_answer_of_500_and_above(self, client, markets):
        assert client.get("/s/ours/fail/").status_code == 503
        assert not written(markets[0])

    def test_is_rolled_back_by_an_exception(self, client, markets):
        client.raise_request_exception = False
        assert client.get("/s/ours/raise/").status_code == 500
        assert not written(markets[0])


class TestOtherAddresses:
    def test_have_no_marketplace(self, client, markets):
        assert client.get("/elsewhere/").content == b"None"


class TestContentSecurityPolicy:
    def test_lets_scripts_of_the_admin_alone_evaluate_text(self, client, markets):
        client.force_login(make.user(is_superuser=True))
        admin = client.get("/admin/marketplace/user/")["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval'" in admin
        assert "unsafe-inline" not in admin

    @pytest.mark.parametrize("page", ["/s/ours/jobs/", "/elsewhere/", "/elsewhere/admin/"])
    def test_is_strict_elsewhere(self, client, markets, page):
        policy = client.get(page)["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
