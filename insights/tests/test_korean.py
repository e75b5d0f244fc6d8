"""The admin speaks Korean: no English word on the pages that operators see most.

Rows are made with Korean names, so that every word in Latin letters is one that lacks its
translation.
"""

import copy
from datetime import date

import pytest
from django.contrib import admin
from django.urls import reverse

from listings.models import Category
from marketplace import jobs, tenancy
from marketplace.admin import TenantAdmin
from marketplace.tests import make as floor
from marketplace.tests import visible
from sellers.models import Seller
from settlements.models import Account, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

TENANT_ADMINS = [page for page in admin.site._registry.values() if isinstance(page, TenantAdmin)]


@pytest.fixture(scope="module")
def made(rows_of_module):
    market = make.market(name="우리장터")
    with tenancy.use(market.pk):
        seller = Seller.objects.create(code="1", name="가게", joined_on=date(2026, 9, 1))
        Statement.objects.create(seller=seller, due_on=date(2026, 9, 2))
        jobs.begin("night", "2026-09-01", at=make.AT, on=date(2026, 9, 1))
    return market


@pytest.fixture
def market(db, made):
    return copy.copy(made)


@pytest.fixture
def korean(client, market):
    client.force_login(floor.user("root@example.org", name="운영자", is_superuser=True))
    client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "ko"
    return client


@pytest.fixture
def codes(market):
    """What operators name themselves, and need no translation."""
    with tenancy.use(market.pk):
        named = [model.objects.values_list("code", flat=True) for model in (Account, Category)]
        found = {word for codes in named for code in codes for word in code.split(":")}
    return found | {market.slug, "KR", "Seoul", "standard"}


def english(client, address, **given):
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, address
    return visible.latin_words(answer.content.decode(), **given)


@pytest.mark.parametrize(
    "address",
    [
        "/admin/",
        "/admin/choose-marketplace/",
        "/admin/marketplace/user/",
        "/admin/marketplace/user/add/",
        "/admin/marketplace/membership/",
        "/admin/marketplace/",
        "/admin/search/?s=%EC%A3%BC%EB%AC%B8",
    ],
)
def test_pages_hold_no_english(korean, address):
    assert english(korean, address) == []


@pytest.mark.parametrize("page", TENANT_ADMINS, ids=lambda a: a.opts.label_lower)
def test_lists_hold_no_english(korean, codes, page):
    options = page.opts
    address = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    assert english(korean, address, allowed=codes) == []
