"""The program for sellers, against the worked cases that our own arithmetic goes by.

It is a second computation of the same money, which may exist as a check only.
"""

import json
from pathlib import Path

import pytest

from settlements.tests.test_bundles import program

VECTORS = Path(__file__).parent / "vectors"


def _cases(kind):
    return json.loads((VECTORS / f"{kind}.json").read_text())


def _terms(case, **charge):
    return {"vat_rate_ppm": case.get("vat_rate_ppm", 0), "charges": [{**case, **charge}]}


def _whole(quantity, amount):
    none = dict.fromkeys(program.DISCOUNTS, 0)
    return {"quantity": quantity, "list_amount": amount, **none}


def test_fees_come_out_exactly():
    cases = _cases("fee")
    assert len(cases) == 157
    for case in cases:
        terms = _terms(case, component="fee", base="list_amount")
        value = program.worth(terms, _whole(case["quantity"], case["base"]))
        assert (value.fee, value.vat) == (case["fee"], case["vat"]), case["note"]


def test_tiers_come_out_exactly():
    cases = _cases("tiers")
    assert len(cases) == 52
    for case in cases:
        kinds = {"component": "fee", "vat_kind": "exempt", "band_kind": case["kind"]}
        terms = _terms(case, base="list_amount", **kinds)
        assert program.worth(terms, _whole(1, case["base"])).fee == case["fee"], case


def test_splits_come_out_exactly():
    for case in _cases("split"):
        if "refused" in case:
            with pytest.raises(program.Malformed):
                program.split(case["total"], case["weights"])
        else:
            assert program.split(case["total"], case["weights"]) == case["parts"]


def test_reversals_come_out_exactly():
    cases = _cases("reversal")
    assert len(cases) == 76
    for case in cases:
        terms = {"vat_rate_ppm": case["vat_rate_ppm"], "charges": case["fee_rules"]}
        units = program.Units(case["unit_price"], case["quantity"], case)
        before = units.remains()
        worth = sold = program.worth(terms, before)
        assert _told(terms, before, sold) == case["sale"]
        for step in case["reversals"]:
            units.keep(units.left - step["quantity"])
            after = units.remains()
            left = program.worth(terms, after, sold)
            taken = {name: before[name] - after[name] for name in before}
            assert units.left == step["remaining"]
            assert _told(terms, taken, worth.less(left)) == step["reversed"], case["note"]
            before, worth = after, left


def test_statements_come_out_exactly():
    cases = _cases("statement")
    assert len(cases) == 92
    for case in cases:
        lines = case["lines"]
        service = [line["net"] for line in lines if line["income_kind"] == "service"]
        net = sum(line["net"] for line in lines)
        figures = program.settled({**case, "net": net, "service_net": sum(service)})
        assert figures == {name: case[name] for name in figures}, case["note"]


def _told(terms, amounts, value):
    """A value as the worked cases tell one."""
    discounts = {name: amounts[name] for name in program.DISCOUNTS}
    told = {"list_amount": amounts["list_amount"], **discounts, "net": value.net}
    told["buyer_paid"] = amounts["list_amount"] - sum(discounts.values())
    for charge, (_, fee, vat) in zip(terms["charges"], value.charges, strict=True):
        told |= {f"fee_{charge['component']}": fee, f"vat_{charge['component']}": vat}
    return told
