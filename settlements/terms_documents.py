"""The terms of lines as documents for sellers' files: written once, when terms are first used."""

from collections.abc import Collection, Mapping

from listings.models import Category
from settlements import proofs, rate_cards
from settlements.fees import Terms
from settlements.models import FeeScheduleVersion, LineTerms, SellerContract, TermsDocument


def store(terms: Mapping[int, Terms]) -> None:
    """Write the documents of terms, by the id of their LineTerms, that have none yet."""
    known = TermsDocument.objects.filter(terms__in=list(terms)).values_list("terms_id", flat=True)
    missing = {key: terms[key] for key in sorted(terms.keys() - set(known))}
    if not missing:
        return
    names = _names(missing.values())
    documents = []
    for key, pinned in missing.items():
        text = proofs.canonical(proofs.of_terms(pinned, names[pinned.version_id]))
        documents.append(TermsDocument(terms_id=key, digest=proofs.digest(text), text=text))
    TermsDocument.objects.bulk_create(documents, ignore_conflicts=True)


def complete() -> dict[int, str]:
    """The digest of every terms document by the id of its terms; writes those that are missing."""
    known = dict(TermsDocument.objects.values_list("terms_id", "digest"))
    rows = LineTerms.objects.values_list("pk", "key")
    missing = {pk: rate_cards.stored_terms(key) for pk, key in rows if pk not in known}
    if not missing:
        return known
    store(missing)
    return dict(TermsDocument.objects.values_list("terms_id", "digest"))


def _names(terms: Collection[Terms]) -> dict[int, proofs.Named]:
    """What people call the versions that terms are of, by id."""
    categories = dict(Category.objects.values_list("pk", "code"))
    rules = [charge.rule for one in terms for charge in one.charges]
    of_contracts = {rule.contract_id for rule in rules if rule.contract_id is not None}
    contracts = {}
    if of_contracts:
        rows = SellerContract.objects.filter(pk__in=of_contracts)
        contracts = dict(rows.values_list("pk", "number"))
    versions = FeeScheduleVersion.objects.filter(pk__in={one.version_id for one in terms})
    return {
        version.pk: proofs.Named(
            version.schedule.code, version.number, version.valid_from, categories, contracts
        )
        for version in versions.select_related("schedule")
    }
