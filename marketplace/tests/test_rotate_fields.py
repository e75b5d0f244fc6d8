"""The command that seals anew, and tells which keys are still needed."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from marketplace import sealing, tenancy
from marketplace.models import WebhookEndpoint
from marketplace.tests import make
from marketplace.webhooks import endpoints

pytestmark = pytest.mark.django_db
OLD, NEW = b"o" * 32, b"n" * 32


def rotated(capsys) -> list[list[str]]:
    call_command("rotate_fields")
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_seals_every_marketplace_anew_until_the_old_key_is_named_no_more(settings, capsys):
    settings.FIELD_KEYS = [OLD]
    old, made = sealing.newest_key_id(), {}
    for slug in ("one", "two"):
        market = make.marketplace(slug)
        with tenancy.use(market.pk):
            made[market] = endpoints.create("https://a.example/", by=None, at=timezone.now())
    assert rotated(capsys) == [[f"key {old}", "2"]]

    settings.FIELD_KEYS = [NEW, OLD]
    new = sealing.newest_key_id()
    field = "marketplace.WebhookEndpoint.secret"
    assert rotated(capsys) == [["one", field, "1"], ["two", field, "1"], [f"key {new}", "2"]]
    assert rotated(capsys) == [[f"key {new}", "2"]]

    settings.FIELD_KEYS = [NEW]
    for market, each in made.items():
        with tenancy.use(market.pk):
            assert sealing.reveal(WebhookEndpoint.objects.get(), "secret") == each.secret


def test_names_a_key_that_is_lost_and_leaves_what_it_sealed(settings, capsys):
    settings.FIELD_KEYS = [OLD]
    old, market = sealing.newest_key_id(), make.marketplace("one")
    with tenancy.use(market.pk):
        endpoints.create("https://a.example/", by=None, at=timezone.now())
    settings.FIELD_KEYS = [NEW]
    field = "marketplace.WebhookEndpoint.secret"
    assert rotated(capsys) == [["one", f"{field}: unreadable", "1"], [f"key {old}", "1"]]
