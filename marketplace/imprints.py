"""Who runs the marketplace, as papers, pages and letters tell it, and what is still missing.

What stands there is the legal identity that is in force on a day (marketplace.models); a
marketplace that has published none tells nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import identifiers
from marketplace.models import LegalIdentity

_TAX: Final = _("statements, tax invoices, the foot of pages and letters")
_CONTACT: Final = _("statements, the foot of pages and letters")
_PAGES: Final = _("the foot of pages and letters")
_XML: Final = _("the tax office's form of tax invoices")

# What is wanted beside the company's name, in the order in which it is told, and what for.
_USES: Final = {
    "representative": _TAX,
    "business_number": _TAX,
    "mail_order_report": _PAGES,
    "address": _TAX,
    "phone": _CONTACT,
    "contact_email": _CONTACT,
    "purchase_safety_service": _PAGES,
    "business_type": _XML,
    "business_item": _XML,
}
_ON_PAPERS: Final = ("representative", "business_number", "address", "phone", "contact_email")
_ON_PAGES: Final = tuple(name for name, used_for in _USES.items() if used_for is not _XML)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something told of a party, with its label; `name` is the same in every language."""

    name: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Imprint:
    """The foot of a page or a letter: who runs the marketplace, and the notice of an intermediary.

    The notice is empty where the marketplace is none.
    """

    company: str
    facts: Sequence[Fact]
    notice: str

    @property
    def line(self) -> str:
        """The company and its facts in one line."""
        return " · ".join([self.company, *(f"{fact.label} {fact.value}" for fact in self.facts)])


@dataclass(frozen=True, slots=True)
class Missing:
    """What a legal identity does not say, and where it would stand."""

    label: str
    used_for: str


def identity_of(day: date) -> LegalIdentity | None:
    """The legal identity in force on a day in the marketplace in use; one query."""
    found: LegalIdentity | None = LegalIdentity.objects.all().on(day)
    return found


def of(identity: LegalIdentity | None) -> Imprint | None:
    """The foot of pages and letters, in the language in use; None without an identity."""
    if identity is None:
        return None
    return Imprint(identity.company, _facts(identity, _ON_PAGES), _notice(identity))


def issuer(identity: LegalIdentity | None) -> list[Fact]:
    """Who issues a paper, the company first, in the language in use; nobody without an identity."""
    facts = [] if identity is None else _facts(identity, ("company", *_ON_PAPERS))
    return [replace(fact, label=capfirst(fact.label)) for fact in facts]


def missing(identity: LegalIdentity | None) -> list[Missing]:
    """What the identity does not say, or says in a form that nobody takes; all, without one."""
    return [
        Missing(_label(name), str(used_for))
        for name, used_for in _USES.items()
        if identity is None or not _is_good(identity, name)
    ]


def _is_good(identity: LegalIdentity, name: str) -> bool:
    value = getattr(identity, name)
    if name != "business_number":
        return bool(value)
    try:
        identifiers.business_number(value)
    except identifiers.NotABusinessNumber:
        return False
    return True


def _facts(identity: LegalIdentity, names: Sequence[str]) -> list[Fact]:
    told = ((name, getattr(identity, name)) for name in names)
    return [Fact(name, _label(name), value) for name, value in told if value]


def _label(name: str) -> str:
    return str(LegalIdentity._meta.get_field(name).verbose_name)


def _notice(identity: LegalIdentity) -> str:
    if not identity.is_intermediary:
        return ""
    return identity.intermediary_notice or gettext(
        "%(company)s is an intermediary of mail-order sales and no party to them. Each seller is "
        "responsible for its goods, for what is said of them, and for the sale."
    ) % {"company": identity.company}
