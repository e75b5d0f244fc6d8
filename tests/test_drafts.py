"""In a real browser: what was typed survives, and a form is sent once."""

import pytest

from marketplace import tenancy
from sellers.models import SellerProfile
from sellers.tests import make
from tests import browser


@pytest.fixture
def page(live_server, client):
    """A browser in which the owner of a shop is logged in."""
    market = make.marketplace("own")
    with tenancy.use(market.pk):
        client.force_login(make.member(make.seller()))
    cookie = {"name": "sessionid", "value": client.session.session_key, "url": live_server.url}
    with browser.chromium() as chromium:
        context = chromium.new_context(base_url=live_server.url, locale="en-US")
        context.add_cookies([cookie])
        yield context.new_page()


def fill(page):
    page.fill("[name=address]", "서울시 강남구")
    page.fill("[name=phone]", "02-1234-5678")
    page.fill("[name=contact_email]", "flowers@example.org")


def test_a_form_keeps_what_was_typed_until_it_is_saved(page):
    page.goto("/s/own/profile/")
    fill(page)
    page.goto("/s/own/members/")
    page.goto("/s/own/profile/")
    assert page.input_value("[name=address]") == "서울시 강남구"
    assert page.is_visible("[data-draft-restored]")

    page.context.set_offline(True)
    page.click("form[data-draft] button.btn-primary")
    assert page.is_visible("[data-offline]")
    page.context.set_offline(False)

    posts = []
    page.on("request", lambda request: request.method == "POST" and posts.append(request.url))
    with page.expect_navigation():
        page.eval_on_selector(
            "form[data-draft] button.btn-primary", "button => { button.click(); button.click() }"
        )
    assert page.is_visible("[data-success]")
    assert len(posts) == 1
    page.goto("/s/own/profile/")
    assert not page.is_visible("[data-draft-restored]")
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('draft'))") == []
    with tenancy.use(code="own"):
        assert SellerProfile.objects.get().address == "서울시 강남구"
