"""Opening a marketplace from a preset: its row, and the first version of every rule.

It stands on the top floor because it fills the tables of every app below. A preset is data: the
three that come with the project and an operator's own all go through here.
"""

from datetime import date, datetime, timedelta
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import connection

from listings import catalogue, reviewing
from listings.models import PolicyPack
from marketplace import audit, calendar_days, outbox, tenancy, versions
from marketplace.models import LegalIdentity, Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders.models import ConfirmationPolicy
from sellers import grades
from sellers.models import GradePolicy
from settlements import chart, fee_publishing, ledger, letter_gathering, presets, signing
from settlements.models import (
    Account,
    FeeRule,
    FeeSchedule,
    FeeScheduleVersion,
    PayoutPolicy,
    SentinelPolicy,
    SettlementTerms,
)
from settlements.presets import Preset

# Orders that were paid before the first business day are settled after it, by the first rules.
BEFORE_OPENING = timedelta(days=366)
YEARS_OF_CALENDAR = 3
OWN_ACCOUNTS_PLACE = 1000  # after those of the system


class SlugTaken(Refused):
    code = "marketplace_code_taken"
    message = gettext_noop("There already is a marketplace with the code “%(slug)s”.")


class BadMarketplace(Refused):
    code = "bad_marketplace"
    message = gettext_noop("The marketplace cannot be opened: %(field)s: %(why)s")


def open_marketplace(
    preset: str | Path | Preset,
    slug: str,
    *,
    name: str | None = None,
    currency: str | None = None,
    exponent: int | None = None,
    zone: str | None = None,
    country: str | None = None,
    first_open_on: date | None = None,
    state: str = Marketplace.State.TEST,
    by=None,
    at: datetime,
) -> Marketplace:
    """Open a marketplace and publish the first version of each of its rules, or do nothing.

    Whatever is given wins over the preset. Amounts of the preset are minor units of whatever the
    currency is: with another currency the operator looks through them. Without a first business
    day it is the day of `at`. Raises SlugTaken, BadMarketplace, or what is wrong with the preset.
    """
    if not isinstance(preset, Preset):
        preset = presets.load(preset)
    defaults = preset.defaults
    marketplace = Marketplace(
        slug=slug,
        name=name or preset.name,
        currency=currency or defaults.currency,
        currency_exponent=defaults.currency_exponent if exponent is None else exponent,
        zone=zone or defaults.zone,
        locale=defaults.locale,
        closing_hour=defaults.closing_hour,
        provider_file_days=defaults.provider_file_days,
        resident_number_years=defaults.resident_number_years,
        state=state,
        preset=preset.code,
    )
    _refuse_unusable(marketplace)
    marketplace.first_open_on = first_open_on or at.astimezone(marketplace.tz).date()
    # Row-level security lets a row in only under its own id, so the id comes before the row.
    marketplace.pk = _next_id()
    with tenancy.use_new(marketplace.pk):
        marketplace.save(force_insert=True)
        _fill(marketplace, preset, country or preset.calendar.country, by=by, at=at)
        audit.record(
            "marketplace.opened",
            by=by,
            at=at,
            obj=marketplace,
            data={
                "preset": preset.code,
                "currency": marketplace.currency,
                "zone": marketplace.zone,
                "first_open_on": marketplace.first_open_on.isoformat(),
            },
        )
        outbox.add("marketplace.opened", preset=preset.code)
    return marketplace


def _fill(marketplace: Marketplace, preset: Preset, country: str, *, by, at: datetime) -> None:
    """Write and publish what the preset says, from before the first business day on."""
    first_open_on = marketplace.first_open_on
    valid_from = first_open_on - BEFORE_OPENING
    first = date(valid_from.year, 1, 1)
    last = date(max(first_open_on.year, at.year) + YEARS_OF_CALENDAR, 12, 31)
    by_operator = dict(preset.calendar.closed_between(first, last + timedelta(days=1)))
    calendar = calendar_days.draft(
        country, first, last, valid_from=valid_from, by=by, add=by_operator
    )
    calendar_days.publish(calendar, by=by, at=at)
    letter_gathering.desk()  # sellers are told of what happens from now on
    # Only the operator knows the rest of it; he completes the draft and publishes it.
    versions.draft(LegalIdentity, valid_from=first_open_on, by=by, company=marketplace.name)

    categories = catalogue.ensure_categories(
        catalogue.CategoryRow(category.code, category.name, category.parent)
        for category in preset.categories
    )
    fees = preset.fees
    schedule = FeeSchedule.objects.create(
        code=fees.code, name=fees.name, notice_days=fees.notice_days
    )
    version = versions.draft(
        FeeScheduleVersion,
        valid_from=valid_from,
        by=by,
        schedule=schedule,
        components=list(fees.components),
        vat_rate_ppm=fees.vat_rate_ppm,
    )
    FeeRule.objects.bulk_create(
        _stored(rule, version, categories, first_open_on) for rule in fees.rules
    )
    fee_publishing.publish(version, by=by, at=at)

    for model, publish, body in (
        (GradePolicy, grades.publish_policy, preset.grade_policy),
        (PolicyPack, reviewing.publish_pack, preset.policy_pack),
    ):
        publish(versions.draft(model, valid_from=valid_from, by=by, body=body), by=by, at=at)
    for model, fields in (
        (SettlementTerms, _fields(preset.terms)),
        (ConfirmationPolicy, _fields(preset.confirmation)),
        (SentinelPolicy, _fields(preset.sentinels)),
        # The sandbox bank: a marketplace opens as a test, and moves money once somebody says how.
        (PayoutPolicy, {}),
    ):
        versions.enact(model, valid_from=valid_from, by=by, at=at, **fields)

    signing.signer(at=at)  # its public half is there before the first statement
    Account.objects.bulk_create(_accounts(preset))


def _accounts(preset: Preset) -> list[Account]:
    """The system's chart under the preset's names, one account per component, and its own."""
    accounts = {entry.code: ledger.account(entry.code) for entry in chart.OPENED}
    for component, name in preset.fees.components.items():
        fee = ledger.account(chart.FEE_REVENUE + component)
        fee.name = name
        accounts[fee.code] = fee
    for number, given in enumerate(preset.accounts, 1):
        if given.code not in accounts:
            accounts[given.code] = Account(
                code=given.code,
                kind=given.kind,
                normal_side=chart.usual_side(given.kind),
                place=OWN_ACCOUNTS_PLACE + number,
            )
        accounts[given.code].name = given.name
        accounts[given.code].name_english = given.name_english
    return list(accounts.values())


def _stored(
    wanted: presets.FeeRule, version: FeeScheduleVersion, categories: dict, first_open_on: date
) -> FeeRule:
    """Turn a rule of a preset into a row. Empty conditions are empty texts in the table."""
    rule = wanted.rule
    date_from, date_to = wanted.on_opening(first_open_on)
    return FeeRule(
        version=version,
        rank=rule.rank,
        component=rule.component,
        category=categories[wanted.category] if wanted.category else None,
        stream=rule.stream or "",
        listing_kind=rule.listing_kind or "",
        channel=rule.channel or "",
        seller_type=rule.seller_type or "",
        grade=rule.grade or "",
        date_from=date_from,
        date_to=date_to,
        price_from=rule.price_from,
        price_to=rule.price_to,
        base=rule.base,
        rate_ppm=rule.rate_ppm,
        fixed_amount=rule.fixed_amount,
        per_unit=rule.per_unit,
        min_amount=rule.min_amount,
        max_amount=rule.max_amount,
        mode=rule.mode,
        vat_kind=rule.vat_kind,
        vat_mode=rule.vat_mode,
        keep_on_refund=rule.keep_on_refund,
        bands=[[band.start, band.end, band.rate_ppm] for band in rule.bands] or None,
        band_kind=rule.band_kind if rule.bands else "",
        band_basis=rule.band_basis if rule.bands else "",
    )


def _fields(value) -> dict:
    return {name: getattr(value, name) for name in value.__slots__}


def _refuse_unusable(marketplace: Marketplace) -> None:
    if Marketplace.objects.filter(slug=marketplace.slug).exists():
        raise SlugTaken(slug=marketplace.slug)
    try:
        marketplace.clean_fields(exclude=["first_open_on"])
    except ValidationError as error:
        field, [why, *_] = next(iter(error.message_dict.items()))
        raise BadMarketplace(field=field, why=why) from error


def _next_id() -> int:
    with connection.cursor() as cursor:
        table = Marketplace._meta.db_table
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
        return cursor.fetchone()[0]
