"""Listings from their first words to being on sale: drafted, checked, handed in, published.

What a policy pack objects to is decided in listings.policy. A live revision stays on sale while
its successor is drafted, checked and reviewed. A seller hands a draft in; an operator publishes
it or sends it back with a reason.
"""

from collections.abc import Collection
from datetime import date, datetime
from functools import lru_cache

from django.db import transaction

from listings import policy
from listings.models import Category, Finding, Listing, PolicyPack, Revision
from marketplace import audit, changes, reasons, states, tenancy, versions
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


class AlreadySubmitted(Refused):
    code = "already_submitted"
    message = gettext_noop("Revision %(number)s awaits its review already.")


class ShopNotOpen(Refused):
    code = "shop_not_open"
    message = gettext_noop(
        "Nothing can be put on sale while the shop is not active. The listing stays as it is."
    )


class NotSubmitted(Refused):
    code = "not_submitted"
    message = gettext_noop("Revision %(number)s does not await a review.")


class NotTakenDown(Refused):
    code = "not_taken_down"
    message = gettext_noop("The listing was not taken down by the platform.")


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
    """Change the words of a draft; one that was blocked or handed in becomes a draft again.

    Raises NotADraft and ListingClosed.
    """
    revision = _undecided(revision)
    Revision.objects.filter(pk=revision.pk).update(**_only_words(words))
    if revision.state != Revision.State.DRAFT:
        states.move(revision, Revision.State.DRAFT, by=by, at=at, reason="edited")
    revision.findings.all().delete()
    audit.record("revision.edited", by=by, at=at, obj=revision, data={"fields": sorted(words)})
    revision.refresh_from_db()
    return revision


@transaction.atomic
def reword(listing: Listing, *, by, at: datetime, **words) -> Revision:
    """Change what a listing says next: its draft, or the next revision where it has none."""
    listing = Listing.objects.select_for_update(no_key=True).get(pk=listing.pk)
    newest = listing.revisions.order_by("-number").first()
    if newest.state == Revision.State.APPROVED:
        return revise(listing, by=by, at=at, **words)
    return edit(newest, by=by, at=at, **words)


@transaction.atomic
def check(revision: Revision, *, by, at: datetime) -> list[Finding]:
    """Write down what the policy in force objects to, in place of earlier findings.

    With a blocking finding a revision becomes blocked; a blocked one without becomes a draft.
    Raises NotADraft and ListingClosed.
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
    blocking = {f.rule for f in findings if f.severity == Finding.Severity.BLOCK}
    is_blocked = revision.state == Revision.State.BLOCKED
    if is_blocked != bool(blocking):
        wanted = Revision.State.BLOCKED if blocking else Revision.State.DRAFT
        states.move(revision, wanted, by=by, at=at, reason=_names(blocking, pack_row))
    return findings


def submit(revision: Revision, *, by, at: datetime) -> Revision:
    """Hand a draft in for review. What the operator asked for last time is then answered.

    It is checked first; the findings stay when BlockedByPolicy is raised. Raises ListingClosed,
    NotADraft and AlreadySubmitted.
    """
    _refuse_blocked(check(revision, by=by, at=at))
    with transaction.atomic():
        revision = _undecided(revision)
        if revision.state == Revision.State.SUBMITTED:
            raise AlreadySubmitted(number=revision.number)
        changes = {"submitted_at": at, "sent_back_for": ""}
        states.move(revision, Revision.State.SUBMITTED, by=by, at=at, changes=changes)
        _announce("submitted", revision.listing, at)
    return revision


def hand_in(revision: Revision, *, by, at: datetime) -> Revision:
    """What a seller does with a finished draft: on sale at once, or to the operator first.

    The policy in force says which; without one, the operator decides. The findings stay when
    BlockedByPolicy is raised. Raises what submit and publish raise, and ShopNotOpen.
    """
    if revision.listing.seller.state != Seller.State.ACTIVE:
        raise ShopNotOpen()
    revision = submit(revision, by=by, at=at)
    pack = PolicyPack.objects.all().on(_today(at))
    found = revision.findings.values_list("severity", flat=True)
    if pack is None or _pack(pack.marketplace_id, pack.pk).needs_review(found):
        return revision
    return publish(revision, by=by, at=at)


@transaction.atomic
def send_back(revision: Revision, *, by, at: datetime, reason: str) -> Revision:
    """Give a revision back to its seller with what has to change. Raises NotSubmitted."""
    revision = _undecided(revision)
    if revision.state != Revision.State.SUBMITTED:
        raise NotSubmitted(number=revision.number)
    reason = reasons.given(reason)
    changes = {"sent_back_for": reason}
    states.move(revision, Revision.State.DRAFT, by=by, at=at, reason=reason, changes=changes)
    _announce("sent_back", revision.listing, at)
    return revision


def publish(revision: Revision, *, by, at: datetime) -> Revision:
    """Make a revision the live one, and put its listing on sale if it never was.

    It is checked once more first; the findings stay when BlockedByPolicy is raised. A listing
    that was paused or suspended stays so. Raises ListingClosed and NotADraft.
    """
    _refuse_blocked(check(revision, by=by, at=at))
    with transaction.atomic():
        revision = _undecided(revision)
        listing = revision.listing
        states.move(revision, Revision.State.APPROVED, by=by, at=at)
        if listing.state == Listing.State.UNPUBLISHED:
            live = {"live_revision": revision}
            states.move(listing, Listing.State.ON_SALE, by=by, at=at, changes=live)
        else:
            Listing.objects.filter(pk=listing.pk).update(live_revision=revision)
            data = {"revision": revision.number}
            audit.record("listing.revised", by=by, at=at, obj=listing, data=data)
        _announce("published", listing, at)
    return revision


@transaction.atomic
def take_down(listing: Listing, *, by, at: datetime, reason: str) -> Listing:
    """Take a listing from sale until the platform restores it; its seller is told the reason.

    Raises states.IllegalMove, reasons.ReasonMissing.
    """
    listing = Listing.objects.select_for_update(no_key=True).get(pk=listing.pk)
    reason = reasons.given(reason)
    changes = {"taken_down_for": reason}
    to = Listing.State.SUSPENDED_BY_PLATFORM
    states.move(listing, to, by=by, at=at, reason=reason, changes=changes)
    _announce("taken_down", listing, at)
    return listing


@transaction.atomic
def restore(listing: Listing, *, by, at: datetime, reason: str = "") -> Listing:
    """Lift the platform's stop: on sale again, or paused where its seller keeps it from sale.

    Raises NotTakenDown.
    """
    listing = Listing.objects.select_for_update(no_key=True).get(pk=listing.pk)
    if listing.state != Listing.State.SUSPENDED_BY_PLATFORM:
        raise NotTakenDown()
    is_paused = listing.paused_at is not None
    to = Listing.State.PAUSED_BY_SELLER if is_paused else Listing.State.ON_SALE
    changes = {"taken_down_for": ""}
    states.move(listing, to, by=by, at=at, reason=reason, changes=changes)
    _announce("restored", listing, at)
    return listing


def publish_pack(draft: PolicyPack, *, by, at: datetime) -> PolicyPack:
    """Bring a policy pack into force, once it can be read: a published one is never mended.

    Raises documents.BadDocument naming the field, or what versions.publish refuses.
    """
    policy.parse(draft.body, f"{draft}:")
    return versions.publish(draft, by=by, at=at)


def rules_of(pack: PolicyPack) -> dict[str, policy.Rule]:
    """The rules of a published pack, by code: what a finding's words are told from."""
    return {rule.code: rule for rule in _pack(pack.marketplace_id, pack.pk).rules}


def try_out(pack: PolicyPack, texts: dict[str, str], category: Category | None = None):
    """What a pack, draft or not, would object to in some texts; nothing is written.

    Raises documents.BadDocument where a draft cannot be read yet.
    """
    return policy.parse(pack.body, f"{pack}:").check(texts, _category_path(category))


def look_over(texts: dict[str, str], category: Category | None, *, at: datetime):
    """What the pack in force objects to in some texts; nothing is written."""
    pack_row = PolicyPack.objects.all().on(_today(at))
    if pack_row is None:
        return ()
    return _pack(pack_row.marketplace_id, pack_row.pk).check(texts, _category_path(category))


_WORDS = ("title", "description", "unit_price", "category")


def _refuse_blocked(findings: list[Finding]) -> None:
    blocking = [f for f in findings if f.severity == Finding.Severity.BLOCK]
    if blocking:
        raise BlockedByPolicy(count=len(blocking))


def _announce(deed: str, listing: Listing, at: datetime) -> None:
    changes.announce(f"listing.{deed}", listing.public_id, at=at, seller_id=listing.seller_id)


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
    if listing.state == Listing.State.CLOSED:
        raise ListingClosed()
    return revision


def _objections(revision: Revision, pack_row: PolicyPack) -> tuple[policy.Finding, ...]:
    texts = {"title": revision.title, "description": revision.description}
    path = _category_path(revision.category)
    return _pack(pack_row.marketplace_id, pack_row.pk).check(texts, path)


def _names(codes: Collection[str], pack_row: PolicyPack | None) -> str:
    if pack_row is None:
        return ""
    rules = _pack(pack_row.marketplace_id, pack_row.pk).rules
    return ", ".join(rule.name for rule in rules if rule.code in codes)[:500]


def _category_path(category: Category | None) -> list[str]:
    if category is None:
        return []
    return list(Category.objects.filter(pk__in=category.path).values_list("code", flat=True))


@lru_cache(maxsize=64)
def _pack(tenant: int, pack_id: int) -> policy.Pack:
    # The tenant is part of the key: what was loaded for one marketplace answers no other.
    return policy.parse(PolicyPack.objects.published().get(pk=pack_id).body)


def _today(at: datetime) -> date:
    marketplace = Marketplace.objects.get(pk=tenancy.current_id())
    return at.astimezone(marketplace.tz).date()
