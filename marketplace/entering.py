"""An operator begins to work in a marketplace: the session remembers which, the trail says so."""

from datetime import datetime

from marketplace import audit, permissions, tenancy
from marketplace.models import Marketplace

SESSION_KEY = "marketplace_id"


def enter(request, marketplace: Marketplace, *, at: datetime) -> None:
    """From now on the admin shows this marketplace to the user; who may is for the caller."""
    with tenancy.use(marketplace.pk, even_archived=True):
        audit.record("marketplace.entered", by=request.user, at=at, obj=marketplace)
    request.session[SESSION_KEY] = marketplace.pk


def enter_only(request, *, at: datetime) -> bool:
    """Enter the marketplace of somebody who works for a single one; say whether it was done."""
    if request.session.get(SESSION_KEY) is not None:
        return False
    own = list(permissions.may_enter(request.user)[:2])
    if len(own) != 1:
        return False
    enter(request, own[0], at=at)
    return True
