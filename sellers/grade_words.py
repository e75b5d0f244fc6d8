"""A grade's explanation in words: the codes and values of a verdict, for the pages.

Names of grades and metrics are the marketplace's own data and stand as they are; the sentences
around them are translated. Values are formatted here and nowhere computed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from django.utils.translation import get_language, gettext, ngettext

from marketplace import money
from marketplace.models import Marketplace
from sellers.grading import (
    AT_LEAST,
    MONEY,
    RATIO,
    UNITS,
    UNPROVEN,
    Benefit,
    Measured,
    Metric,
    Policy,
    Reason,
    Shortfall,
)


def missing(explanation: Mapping, policy: Policy, marketplace: Marketplace) -> str:
    """Say what keeps a seller from the next grade, in one sentence."""
    if explanation["next"] is None:
        return gettext("This is the highest grade.")
    parts = [
        _shortfall(short, policy.metrics[short["metric"]], marketplace)
        for short in explanation["missing"]
    ]
    return gettext("%(missing)s short of %(grade)s.") % {
        "missing": _joined(parts),
        "grade": policy.grade(explanation["next"]).name,
    }


def shortfalls(missing: Iterable[Shortfall], policy: Policy, marketplace: Marketplace) -> str:
    """Say what is missing, joined into one phrase; nothing where nothing is."""
    return _joined(
        [_shortfall(asdict(each), policy.metrics[each.metric], marketplace) for each in missing]
    )


def wanted(reason: Reason, policy: Policy, marketplace: Marketplace) -> str:
    """Say what a threshold asks for: "at least 300 orders"."""
    amount = {"wanted": _amount(reason.wanted, policy.metrics[reason.metric], marketplace)}
    if reason.bound == AT_LEAST:
        return gettext("at least %(wanted)s") % amount
    return gettext("at most %(wanted)s") % amount


def value(measured: Measured, marketplace: Marketplace) -> str:
    """Say what a metric came to, or how many cases are missing until it says anything."""
    if measured.value is None:
        return gettext("too few cases yet (%(count)s more needed)") % {
            "count": f"{measured.short:,}"
        }
    return _amount(measured.value, measured.metric, marketplace)


def benefit(benefit: Benefit, names: Mapping[str, str]) -> list[str]:
    """Say what a grade takes off fees; `names` of the components by code."""
    fees = {"fees": ", ".join(names.get(code, code) for code in sorted(benefit.components))}
    told = []
    if benefit.points_off_ppm:
        points = {"points": _percent(benefit.points_off_ppm).removesuffix("%")}
        told.append(
            gettext("%(fees)s: %(points)s percentage points off the rate") % (fees | points)
        )
    if benefit.percent_off_ppm:
        part = {"percent": _percent(benefit.percent_off_ppm)}
        told.append(gettext("%(fees)s: %(percent)s off the fee itself") % (fees | part))
    return told


def reasons(explanation: Mapping, policy: Policy, marketplace: Marketplace) -> list[str]:
    """Say which thresholds the grade asked for and what they were compared with."""
    return [
        _compared(reason, policy.metrics[reason["metric"]], marketplace)
        for reason in explanation["reasons"]
    ]


def kept(explanation: Mapping, policy: Policy) -> str:
    """Say why the grade is not the one that was earned; nothing where it is."""
    earned = policy.grade(explanation["earned"]).name
    if explanation["kept"] == "grace":
        return gettext("The figures earn %(grade)s; the present grade stays for now.") % {
            "grade": earned
        }
    if explanation["kept"] == "starting":
        return gettext("The figures earn %(grade)s; new sellers keep their starting grade.") % {
            "grade": earned
        }
    return ""


def _shortfall(short: Mapping, metric: Metric, marketplace: Marketplace) -> str:
    if short["bound"] == UNPROVEN:
        return gettext("%(metric)s (%(count)s more cases needed)") % {
            "metric": metric.name,
            "count": f"{short['short']:,}",
        }
    if metric.unit == RATIO:
        return _compared(short, metric, marketplace)
    if short["bound"] != AT_LEAST:
        return gettext("%(metric)s (%(amount)s too many)") % {
            "metric": metric.name,
            "amount": _amount(short["short"], metric, marketplace),
        }
    return _amount(short["short"], metric, marketplace)


def _compared(compared: Mapping, metric: Metric, marketplace: Marketplace) -> str:
    if compared["value"] is None:
        return gettext("%(metric)s (too few cases)") % {"metric": metric.name}
    values = {
        "metric": metric.name,
        "value": _amount(compared["value"], metric, marketplace),
        "wanted": _amount(compared["wanted"], metric, marketplace),
    }
    if compared["bound"] == AT_LEAST:
        return gettext("%(metric)s %(value)s (at least %(wanted)s)") % values
    return gettext("%(metric)s %(value)s (at most %(wanted)s)") % values


def _amount(value: int, metric: Metric, marketplace: Marketplace) -> str:
    if metric.unit == MONEY:
        return money.format_amount(
            value,
            currency=marketplace.currency,
            exponent=marketplace.currency_exponent,
            locale=get_language() or marketplace.locale,
        )
    if metric.unit == RATIO:
        return _percent(value)
    if metric.unit == UNITS:
        return ngettext("%(count)s unit", "%(count)s units", value) % {"count": f"{value:,}"}
    return ngettext("%(count)s order", "%(count)s orders", value) % {"count": f"{value:,}"}


def _percent(ppm: int) -> str:
    whole, rest = divmod(ppm, 10_000)
    decimals = f"{rest:04d}".rstrip("0")
    return f"{whole}.{decimals}%" if decimals else f"{whole}%"


def _joined(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return gettext("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
