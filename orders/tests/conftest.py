"""The marketplace in which most tests of orders happen."""

import pytest

from marketplace import tenancy
from orders.tests import make


@pytest.fixture
def market(db):
    """A marketplace in use, with a calendar, a confirmation policy and one seller, hanok."""
    with tenancy.use(make.marketplace().pk) as marketplace:
        make.calendar()
        make.policy()
        make.seller()
        yield marketplace
