"""The terms of lines as documents for sellers' files: written once, when terms are first used."""

from collections.abc import Mapping
from functools import cached_property

from listings.models import Category
from settlements import proofs, rate_cards
from settlements.fees import Terms
from settlements.models import FeeScheduleVersion, LineTerms, SellerContract, TermsDocument


def store(terms: Mapping[int, Terms]) -> None:
    """Write the documents of terms, by the id of their LineTerms, that have none yet."""
    known = TermsDocument.objects.filter(terms__in=list(terms)).values_list("terms_id", flat=True)
    names = _Names()
    documents = []
    for key in sorted(terms.keys() - set(known)):
        text = names.text(terms[key])
        documents.append(TermsDocument(terms_id=key, digest=proofs.digest(text), text=text))
    TermsDocument.objects.bulk_create(documents, ignore_conflicts=True)


class Labels:
    """How lines name their terms in proofs, also before the documents of these are written."""

    def __init__(self):
        self._names = _Names()
        self._known = {
            key: proofs.label(digest)
            for key, digest in TermsDocument.objects.values_list("terms_id", "digest")
        }
        self.unwritten: dict[int, str] = {}  # labels of terms whose documents were not there

    def of(self, key: int, terms: Terms) -> str:
        """The label of terms by the id of their LineTerms."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = proofs.label(proofs.digest(self._names.text(terms)))
            self.unwritten[key] = found
        return found

    def check(self) -> None:
        """See that what was written since has the labels that were told. Raises LabelChanged."""
        if not self.unwritten:
            return
        rows = TermsDocument.objects.filter(terms__in=list(self.unwritten))
        stored = {key: proofs.label(digest) for key, digest in rows.values_list("terms", "digest")}
        if stored != self.unwritten:
            raise LabelChanged("a category or schedule was renamed meanwhile")


class LabelChanged(RuntimeError):
    """A document of terms came out differently than lines name it: settle them once more."""


def complete() -> dict[int, str]:
    """The digest of every terms document by the id of its terms; writes those that are missing."""
    known = dict(TermsDocument.objects.values_list("terms_id", "digest"))
    rows = LineTerms.objects.values_list("pk", "key")
    missing = {pk: rate_cards.stored_terms(key) for pk, key in rows if pk not in known}
    if not missing:
        return known
    store(missing)
    return dict(TermsDocument.objects.values_list("terms_id", "digest"))


class _Names:
    """What people call that which terms name by row ids; read when it is first asked for."""

    def __init__(self):
        self._versions: dict[int, FeeScheduleVersion] = {}

    @cached_property
    def _categories(self) -> dict[int, str]:
        return dict(Category.objects.values_list("pk", "code"))

    @cached_property
    def _contracts(self) -> dict[int, int]:
        return dict(SellerContract.objects.values_list("pk", "number"))

    def text(self, terms: Terms) -> str:
        """The document of terms."""
        version = self._versions.get(terms.version_id)
        if version is None:
            versions = FeeScheduleVersion.objects.select_related("schedule")
            version = self._versions[terms.version_id] = versions.get(pk=terms.version_id)
        has_contract = any(charge.rule.contract_id is not None for charge in terms.charges)
        named = proofs.Named(
            version.schedule.code,
            version.number,
            version.valid_from,
            self._categories,
            self._contracts if has_contract else {},
        )
        return proofs.canonical(proofs.of_terms(terms, named))
