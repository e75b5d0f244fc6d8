"""The two parties of a statement, as every form of it tells them: who issues it, and to whom.

The issuer is who ran the marketplace when the statement closed, or will when it is due. The account
is the one that its payout went to; before there is one, the one that the seller named last.
"""

from dataclasses import dataclass

from django.utils.translation import gettext

from marketplace import imprints
from marketplace.imprints import Fact
from sellers import profiles
from sellers.models import BankAccount
from settlements import contracts, shop_payouts, withholding
from settlements.models import Statement


@dataclass(frozen=True, slots=True)
class Parties:
    """What is told of each, in the language in use; of the issuer maybe nothing."""

    issuer: list[Fact]
    seller: list[Fact]


def of(statement: Statement) -> Parties:
    """The parties of a statement; a number of queries that is the same for each."""
    identity = imprints.identity_of(statement.closed_on or statement.due_on)
    return Parties(imprints.issuer(identity), _seller(statement))


def _seller(statement: Statement) -> list[Fact]:
    seller = statement.seller
    profile = profiles.of(seller)
    named = BankAccount.objects.current().filter(seller=seller)
    account = shop_payouts.of_statement(statement) or named.first()
    told = [
        Fact("shop", gettext("Shop"), f"{seller.name} ({seller.code})"),
        Fact("company", gettext("Company"), profile.company),
        Fact("representative", gettext("Representative"), profile.representative),
        Fact(
            "business_number",
            gettext("Business registration number"),
            profiles.shown_number(seller),
        ),
        Fact("type", gettext("Kind of business"), str(seller.get_seller_type_display())),
        Fact("withheld_tax", gettext("Withheld tax"), _withheld(statement)),
    ]
    if account is not None:
        told += [
            Fact("bank", gettext("Bank"), str(account.get_bank_display())),
            Fact("account", gettext("Account"), account.masked),
            Fact("holder", gettext("Account holder"), account.holder),
        ]
    return [fact for fact in told if fact.value]


def _withheld(statement: Statement) -> str:
    """Told only of a seller whose sales are income from which tax is withheld."""
    contract, _ = contracts.standing(statement.seller_id, on=statement.due_on)
    if contract is None or contract.income_kind != withholding.SERVICE:
        return ""
    return str(contract.get_income_kind_display())
