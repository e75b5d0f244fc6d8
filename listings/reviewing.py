"""Listings from their first words to being on sale: drafted, checked by policy, published.

What a policy pack objects to is decided in listings.policy. A live revision stays on sale while
its successor is drafted and checked.
"""

from datetime import date, datetime
from functools import lru_cache

from django.db import transaction

from listings import policy
from listings.models import Category, Finding, Listing, PolicyPack, Revision
from marketplace import audit, states, tenancy, versions
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller


class CodeTaken(Refused):
    code = "listing_code_taken"
    message = gettext_noop("The seller already has a listing with the code “%(code)s”.")


class DraftExists(Refused):
    code = "draft_exists"
    message = gettext_noop("Revision %(number)s is still a draft. Change that one.")


class NotADraft(Refused):
    code = "revision_decided"
    message = gettext_noop("Revision %(number)s has been published and is never edited.")


class BlockedByPolicy(Refused):
    code = "blocked_by_policy"
    message = gettext_noop("The listing cannot be published: %(count)s findings block it.")


class ListingClosed(Refused):
    code = "listing_closed"
    message = gettext_noop("The listing is closed.")


@transaction.atomic
def create(
    seller: Seller,
    code: str,
    *,
    title: str,
    unit_price: int,
    category: Category | None = None,
    description: str = "",
    kind: str = "goods",
    by,
    at: datetime,
) -> Revision:
    """Make a listing, unpublished, with its first draft. Raises CodeTaken."""
    if Listing.objects.filter(seller=seller, code=code).exists():
        raise CodeTaken(code=code)
    listing = Listing.objects.create(seller=seller, code=code, kind=kind)
    revision = Revision.objects.create(
        listing=listing,
        number=1,
        title=title,
        unit_price=unit_price,
        category=category,
        description=description,
    )
    audit.record("listing.created", by=by, at=at, obj=listing)
    return revision


@transaction.atomic
def revise(listing: Listing, *, by, at: datetime, **words) -> Revision:
    """Draft the next revision of a listing: the newest one's words, and `words` over them.

    Raises DraftExists while one is undecided, and ListingClosed.
    """
    listing = Listing.objects.select_for_update(no_key=True).get(pk=listing.pk)
    if listing.state == Listing.State.CLOSED:
        raise ListingClosed()
    newest = listing.revisions.order_by("-number").first()
    if newest.state != Revision.State.APPROVED:
        raise DraftExists(number=newest.number)
    kept = {name: getattr(newest, name) for name in _WORDS}
    revision = Revision.objects.create(
        listing=listing, number=newest.number + 1, **(kept | _only_words(words))
    )
    audit.record("revision.drafted", by=by, at=at, obj=revision)
    return revision


@transaction.atomic
def edit(revision: Revision, *, by, at: datetime, **words) -> Revision:
    """Change the words of a draft; one that policy blocked becomes a draft again."""
    revision = _undecided(revision)
    Revision.objects.filter(pk=revision.pk).update(**_only_words(words))
    if revision.state == Revision.State.BLOCKED:
        states.move(revision, Revision.State.DRAFT, by=by, at=at, reason="edited")
    revision.findings.all().delete()
    audit.record("revision.edited", by=by, at=at, obj=revision, data={"fields": sorted(words)})
    revision.refresh_from_db()
    return revision


@transaction.atomic
def check(revision: Revision, *, by, at: datetime) -> list[Finding]:
    """Write down what the policy in force objects to, in place of earlier findings.

    A draft with a blocking finding becomes blocked, a blocked one without becomes a draft.
    """
    revision = _undecided(revision)
    pack_row = PolicyPack.objects.all().on(_today(at))
    revision.findings.all().delete()
    found = () if pack_row is None else _objections(revision, pack_row)
    findings = Finding.objects.bulk_create(
        Finding(
            revision=revision,
            pack=pack_row,
            rule=finding.rule,
            severity=finding.severity,
            field=finding.field,
            start=finding.start,
            end=finding.end,
            evidence=finding.evidence,
        )
        for finding in found
    )
    is_blocked = any(finding.severity == Finding.Severity.BLOCK for finding in findings)
    wanted = Revision.State.BLOCKED if is_blocked else Revision.State.DRAFT
    if revision.state != wanted:
        rules = sorted({f.rule for f in findings if f.severity == Finding.Severity.BLOCK})
        states.move(revision, wanted, by=by, at=at, reason=", ".join(rules)[:500])
    return findings


def publish(revision: Revision, *, by, at: datetime) -> Revision:
    """Make a revision the live one, and put its listing on sale if it never was.

    It is checked once more first; the findings stay when BlockedByPolicy is raised. A listing
    that was paused or suspended stays so. Raises ListingClosed and NotADraft.
    """
    blocking = [f for f in check(revision, by=by, at=at) if f.severity == Finding.Severity.BLOCK]
    if blocking:
        raise BlockedByPolicy(count=len(blocking))
    with transaction.atomic():
        revision = _undecided(revision)
        listing = revision.listing
        if listing.state == Listing.State.CLOSED:
            raise ListingClosed()
        states.move(revision, Revision.State.APPROVED, by=by, at=at)
        if listing.state == Listing.State.UNPUBLISHED:
            live = {"live_revision": revision}
            states.move(listing, Listing.State.ON_SALE, by=by, at=at, changes=live)
        else:
            Listing.objects.filter(pk=listing.pk).update(live_revision=revision)
            data = {"revision": revision.number}
            audit.record("listing.revised", by=by, at=at, obj=listing, data=data)
    return revision


def publish_pack(draft: PolicyPack, *, by, at: datetime) -> PolicyPack:
    """Bring a policy pack into force, once it can be read: a published one is never mended.

    Raises documents.BadDocument naming the field, or what versions.publish refuses.
    """
    policy.parse(draft.body, f"{draft}:")
    return versions.publish(draft, by=by, at=at)


_WORDS = ("title", "description", "unit_price", "category")


def _only_words(words: dict) -> dict:
    if unknown := words.keys() - set(_WORDS):
        raise TypeError(f"not words of a listing: {', '.join(sorted(unknown))}")
    return words


def _undecided(revision: Revision) -> Revision:
    """Lock listing and revision, always in this order, and refuse one that is published."""
    listing = Listing.objects.select_for_update(no_key=True).get(pk=revision.listing_id)
    revision = Revision.objects.select_for_update(no_key=True).get(pk=revision.pk)
    revision.listing = listing
    if revision.state == Revision.State.APPROVED:
        raise NotADraft(number=revision.number)
    return revision


def _objections(revision: Revision, pack_row: PolicyPack) -> tuple[policy.Finding, ...]:
    texts = {"title": revision.title, "description": revision.description}
    path: list[str] = []
    if revision.category_id is not None:
        ids = Category.objects.values_list("path", flat=True).get(pk=revision.category_id)
        path = list(Category.objects.filter(pk__in=ids).values_list("code", flat=True))
    return _pack(pack_row.marketplace_id, pack_row.pk).check(texts, path)


@lru_cache(maxsize=64)
def _pack(tenant: int, pack_id: int) -> policy.Pack:
    # The tenant is part of the key: what was loaded for one marketplace answers no other.
    return policy.parse(PolicyPack.objects.published().get(pk=pack_id).body)


def _today(at: datetime) -> date:
    marketplace = Marketplace.objects.get(pk=tenancy.current_id())
    return at.astimezone(marketplace.tz).date()
