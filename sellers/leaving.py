"""What stands in the way of the end of a seller's contract: open work, and money.

Both belong to the floors above, which are not imported here. They are named by string, as story
pages name what is added to them: functions `(seller) -> Iterable[str]`, each text a whole thing
that is still open, in the reader's language.
"""

from typing import Final

from django.utils.module_loading import import_string

from sellers.models import Seller

SOURCES: Final = ("orders.leaving.open_work", "settlements.leaving.open_money")


def obstacles(seller: Seller) -> list[str]:
    """Everything that is still open, in words; empty where the contract may end."""
    return [text for source in SOURCES for text in import_string(source)(seller)]
