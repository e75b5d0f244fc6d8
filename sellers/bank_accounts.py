"""Where a seller's money goes: registered, changed, and not paid to at once.

Whoever takes over an account first sends the money elsewhere. So a change waits for some days
before the new account is paid to, the people of the shop are told at once, and what was there
before is kept. Whether the caller has proved who they are again is checked at the edge.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from marketplace import approvals, audit, outbox, sealing
from marketplace.refusals import Refused, gettext_noop
from sellers import standing
from sellers.models import BankAccount, Seller

COOLING = timedelta(days=3)
VERIFYING = "verify_account_holder"
_ENDING = 4


class NotAnAccountNumber(Refused):
    code = "not_an_account_number"
    message = gettext_noop("An account number has 8 to 16 digits, with or without hyphens.")


class SameAccount(Refused):
    code = "same_bank_account"
    message = gettext_noop("This account is registered already.")


class NoAccount(Refused):
    code = "seller_without_bank_account"
    message = gettext_noop("The seller has registered no bank account yet.")


class HolderKnown(Refused):
    code = "account_holder_verified"
    message = gettext_noop("The holder of this account is verified already.")


class AccountReplaced(Refused):
    code = "bank_account_replaced"
    message = gettext_noop("The seller has named another account since. Verify that one.")


class EvidenceMissing(Refused):
    code = "account_holder_evidence_missing"
    message = gettext_noop(
        "Name what shows the holder: a copy of the bankbook, or the bank's word."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as its owner names it."""

    bank: str
    holder: str
    number: str

    def __repr__(self) -> str:
        return f"Account(bank={self.bank!r})"  # never in a log


@transaction.atomic
def register(seller: Seller, account: Account, *, by, at: datetime) -> BankAccount:
    """Pay the seller to this account: the first at once, a later one after the cooling period.

    Raises ShopOver, ShopStopped, NotAnAccountNumber, SameAccount.
    """
    seller = standing.locked(seller)
    standing.refuse_stopped(seller)
    number = re.sub(r"[\s-]", "", account.number)
    if not re.fullmatch(r"[0-9]{8,16}", number):
        raise NotAnAccountNumber()
    before = BankAccount.objects.current().filter(seller=seller).first()
    if before is not None:
        if before.bank == account.bank and sealing.reveal(before, "number") == number:
            raise SameAccount()
        before.replaced_at = at
        before.save(update_fields=["replaced_at"])
    row = BankAccount(
        seller=seller,
        bank=account.bank,
        holder=account.holder,
        ending=number[-_ENDING:],
        usable_from=at if before is None else at + COOLING,
        registered_at=at,
        registered_by=by,
    )
    sealing.seal(row, number=number)
    row.save(force_insert=True)
    deed = "registered" if before is None else "changed"
    data = {"bank": row.bank, "usable_from": row.usable_from.isoformat()}
    audit.record(f"bankaccount.{deed}", by=by, at=at, obj=row, data=data)
    if before is not None:
        outbox.add("seller.bank_account_changed", seller_id=seller.pk, bank_account=row.public_id)
    return row


def ask_to_verify_holder(seller: Seller, *, evidence: str, by, at: datetime, reason: str = ""):
    """Ask a second person to say that the account is its holder's, for banks that do not tell.

    Raises NoAccount, HolderKnown, EvidenceMissing, approvals.AlreadyAsked.
    """
    account = BankAccount.objects.current().filter(seller=seller).first()
    if account is None:
        raise NoAccount()
    _refuse_verified(account)
    if not (evidence := evidence.strip()):
        raise EvidenceMissing(field="evidence")
    said = {"evidence": evidence}
    return approvals.ask(VERIFYING, account, by=by, at=at, reason=reason or evidence, data=said)


@transaction.atomic
def verify_holder(account: BankAccount, *, evidence: str, by, at: datetime) -> BankAccount:
    """Say that an account is its holder's. Carried out by marketplace.approvals.

    Raises HolderKnown, and AccountReplaced where the seller has named another one.
    """
    account = BankAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    if account.replaced_at is not None:
        raise AccountReplaced()
    _refuse_verified(account)
    account.holder_verified_at, account.holder_verified_by = at, by
    account.holder_evidence = evidence
    account.save(update_fields=["holder_verified_at", "holder_verified_by", "holder_evidence"])
    audit.record("bankaccount.holder_verified", by=by, at=at, obj=account, reason=evidence)
    return account


def _refuse_verified(account: BankAccount) -> None:
    if account.holder_verified_at is not None:
        raise HolderKnown()
