"""Letters to sellers from their notices: loads what they are about and puts it into words."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext

from marketplace import imprints, tenancy
from marketplace.imprints import Imprint
from marketplace.reach import Reach
from settlements import (
    fee_letters,
    hold_book,
    holding,
    ledger,
    letter_choices,
    letter_kinds,
    payout_journals,
    seals,
    shop_holds,
)
from settlements.letter_words import Section, Words
from settlements.models import (
    Payout,
    PayoutItem,
    SellerContract,
    SellerLetter,
    SellerNotice,
    Statement,
    TaxInvoice,
)

logger = logging.getLogger(__name__)

UNWRITABLE = "unwritable"
MOST_OF_A_KIND = 20  # notices of one kind that a letter tells

_ORDER = {kind: place for place, kind in enumerate(letter_kinds.KINDS)}


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter as it is sent."""

    subject: str
    body: str
    to: list[str]
    error: str = ""  # why it cannot be sent
    is_kept: bool = False  # only to be seen on pages: nobody of a test marketplace reads it


def compose(
    letters: Collection[SellerLetter], comparisons: fee_letters.Comparisons
) -> dict[int, Mail]:
    """The mail of each letter; none for one that has nothing left to tell.

    The number of queries does not grow with the letters.
    """
    sellers = {letter.seller_id for letter in letters}
    rows = SellerNotice.objects.filter(letter__in=[letter.pk for letter in letters], skipped="")
    notices: dict[int, list[SellerNotice]] = defaultdict(list)
    for notice in rows.select_related("seller").order_by("happened_at", "pk"):
        notices[notice.letter_id].append(notice)
    book = _Book([notice for found in notices.values() for notice in found], comparisons)
    readers = letter_choices.Readers(sellers)
    market = tenancy.current()
    reach = Reach(market)
    due_at = max((letter.due_at for letter in letters), default=None)
    identity = imprints.identity_of(due_at.astimezone(market.tz).date()) if due_at else None
    mails = {}
    for letter in letters:
        with (
            translation.override(readers.language(letter.seller_id)),
            timezone.override(market.tz),
        ):
            found = sorted(notices[letter.pk], key=lambda notice: _ORDER[notice.kind])
            try:
                sections = _sections(found, book)
            except Exception:  # one seller's trouble must not stop the others
                logger.exception("a letter could not be written: %s", letter.pk)
                mails[letter.pk] = Mail("", "", [], error=UNWRITABLE)
                continue
            if sections:
                to = reach.among(readers.addresses(letter.seller_id))
                imprint = imprints.of(identity)
                mail = _mail(found[0].seller, sections, to, book.words, imprint)
                mails[letter.pk] = replace(mail, is_kept=reach.is_test and not to)
    return mails


def _sections(notices: list[SellerNotice], book: "_Book") -> list[Section]:
    by_kind: dict[str, list[Section]] = defaultdict(list)
    left_out = 0
    for notice in notices:
        if len(by_kind[notice.kind]) >= MOST_OF_A_KIND:
            left_out += 1
        elif (section := book.section(notice)) is not None:
            by_kind[notice.kind].append(section)
    sections = [section for found in by_kind.values() for section in found]
    if left_out:
        title = gettext("Beside that there is more: %(count)s") % {"count": left_out}
        sections.append(Section(title, (), book.words.address("shop_home")))
    return sections


def _mail(
    seller, sections: list[Section], to: list[str], words: Words, imprint: Imprint | None
) -> Mail:
    market = tenancy.current()
    told = {"market": market.name, "shop": seller.name, "title": sections[0].title}
    subject = gettext("[%(market)s] %(shop)s: %(title)s") % told
    if len(sections) > 1:
        told["count"] = len(sections) - 1
        subject = gettext("[%(market)s] %(shop)s: %(title)s, and %(count)s more") % told
    context = {
        "shop": seller.name,
        "market": market.name,
        "sections": sections,
        "choices": words.address("shop_letters"),
        "imprint": imprint,
    }
    body = render_to_string("settlements/letters/seller.txt", context).strip() + "\n"
    # A shop's name may hold a line break; a header may not.
    return Mail(" ".join(subject.split()), body, to)


class _Book:
    """What some notices are about, loaded once for all of them."""

    def __init__(self, notices: list[SellerNotice], comparisons: fee_letters.Comparisons):
        market = tenancy.current()
        self.words = Words(market, ledger.component_names())
        of: dict[str, list[SellerNotice]] = defaultdict(list)
        for notice in notices:
            of[notice.event].append(notice)
        closed = [*of["statement.payable"], *of["statement.closed"]]
        self._statements = _by_id(seals.with_seal(Statement.objects), closed)
        keys = [row.pk for row in self._statements.values()]
        self._blocks = holding.payment_blocks(keys) if keys else {}
        self._payouts = _by_id(Payout.objects, of["payout.paid"])
        self._items: dict[int, list[PayoutItem]] = defaultdict(list)
        paid = PayoutItem.objects.filter(payout__in=[row.pk for row in self._payouts.values()])
        for item in paid.select_related("statement").order_by("statement__due_on", "pk"):
            self._items[item.payout_id].append(item)
        held = [*of["hold.placed"], *of["hold.released"]]
        self._holds = _by_id(shop_holds.loaded(), held)
        self._disputed = hold_book.disputed(self._holds.values())
        self._invoices = _by_id(TaxInvoice.objects.defer("receiver"), of["tax_invoice.issued"])
        changed = of["contract.published"]
        contracts = SellerContract.objects.published().filter(
            seller__in={notice.seller_id for notice in changed}
        )
        self._contracts = {(row.seller_id, row.number): row for row in contracts if changed}
        self._fees = fee_letters.Changes(of[letter_kinds.FEES_PUBLISHED], comparisons)

    def section(self, notice: SellerNotice) -> Section | None:
        """A notice in words; None where what it was about is no more."""
        return _TELLING[notice.event](self, notice)

    def statement(self, notice: SellerNotice) -> Section:
        row = self._statements[notice.about]
        if notice.kind == letter_kinds.DEBT:
            return self.words.debt(row)
        return self.words.statement(row, self._blocks.get(row.pk))

    def payout(self, notice: SellerNotice) -> Section:
        row = self._payouts[notice.about]
        on = payout_journals.business_date(notice.happened_at)
        return self.words.payout(row, self._items[row.pk], on)

    def hold_placed(self, notice: SellerNotice) -> Section:
        row = self._holds[notice.about]
        return self.words.hold_placed(row, self._disputed.get(row.pk))

    def hold_released(self, notice: SellerNotice) -> Section:
        return self.words.hold_released(self._holds[notice.about])

    def tax_invoice(self, notice: SellerNotice) -> Section:
        return self.words.tax_invoice(self._invoices[notice.about])

    def contract(self, notice: SellerNotice) -> Section:
        return self.words.contract(self._contracts[notice.seller_id, notice.data["version"]])

    def fees(self, notice: SellerNotice) -> Section | None:
        change, changed = self._fees.of(notice)
        if not changed and not change.is_new_vat:
            return None
        return self.words.fees(change.after, change.before, changed)


_TELLING: dict[str, Callable[[_Book, SellerNotice], Section | None]] = {
    "statement.payable": _Book.statement,
    "statement.closed": _Book.statement,
    "payout.paid": _Book.payout,
    "hold.placed": _Book.hold_placed,
    "hold.released": _Book.hold_released,
    "tax_invoice.issued": _Book.tax_invoice,
    "contract.published": _Book.contract,
    letter_kinds.FEES_PUBLISHED: _Book.fees,
}


def _by_id(rows, notices: Iterable[SellerNotice]) -> dict:
    """Rows by public id, those of the notices; no query without any."""
    ids = {notice.about for notice in notices}
    return {row.public_id: row for row in rows.filter(public_id__in=ids)} if ids else {}
