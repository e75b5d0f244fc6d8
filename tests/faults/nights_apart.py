"""Two marketplaces with the same past: one is disturbed, the other tells what must come of it."""

import dataclasses
import io
from datetime import date

from marketplace import tenancy
from marketplace.models import AuditEntry
from settlements import exports, nights, verification
from settlements.models import Journal
from settlements.tests import make

LAST_ON = date(2026, 9, 4)  # when what was confirmed on the first day is paid
RETURNED_ON = date(2026, 9, 3)
SELLERS = "ABCDEF"


def market(slug):
    """Six sellers with one to six lines each, some of them taken back meanwhile."""
    opened = make.market(slug)
    with tenancy.use(opened.pk):
        for count, code in enumerate(SELLERS, 2):
            seller = make.seller(code)
            lines = [
                make.sold(
                    seller,
                    number=f"O-{code}{n}",
                    unit_price=9_990 * n + count,
                    quantity=n,
                    confirmed_on=date(2026, 9, (n + 1) // 2),
                )
                for n in range(1, count)
            ]
            make.returned(lines[0], left=0, on=RETURNED_ON)
    return opened


def shards_of(monkeypatch, weight):
    """Cut the nights' steps into shards of so many lines or statements."""
    steps = tuple(
        dataclasses.replace(step, shard_weight=weight) if step.cut else step
        for step in nights.STEPS
    )
    monkeypatch.setattr(nights, "STEPS", steps)
    monkeypatch.setattr(nights, "_BY_KIND", {step.kind: step for step in steps})


def told(marketplace):
    """All that outsiders see of the nights, by business keys, and how much was written."""
    texts = {}
    with tenancy.use(marketplace.pk) as market:
        for kind in exports.KINDS:
            out = io.StringIO()
            exports.write(kind, out)
            texts[kind] = out.getvalue()
        assert list(verification.verify(on=market.last_closed_on)) == []
        return texts, AuditEntry.objects.count(), Journal.objects.count(), market.last_closed_on
