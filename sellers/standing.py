"""What a seller's own state forbids the seller to change. What it hides is for its readers."""

from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller

State = Seller.State


class ShopOver(Refused):
    code = "shop_over"
    message = gettext_noop(
        "The contract with this marketplace has ended. Everything can still be read; for changes, "
        "please ask the operator."
    )


class ShopStopped(Refused):
    code = "shop_stopped"
    message = gettext_noop(
        "The shop is suspended. This can be changed once it is reinstated; please ask the operator."
    )


def locked(seller: Seller) -> Seller:
    """The seller as stored, held until the end of the transaction. Raises ShopOver."""
    seller = Seller.objects.select_for_update(no_key=True).get(pk=seller.pk)
    if seller.state == State.TERMINATED:
        raise ShopOver()
    return seller


def refuse_stopped(seller: Seller) -> None:
    """For what a suspended seller may not touch either, such as where the money goes."""
    if seller.state == State.SUSPENDED:
        raise ShopStopped()
