"""What events and outcomes of attempts are called; what has no name here is shown by its code."""

from http import HTTPStatus

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import changes
from marketplace.webhooks import deliveries

_WHY_NONE = {  # no answer came
    "endpoint_disabled": _("The endpoint was disabled."),
    "target_refused": _("The address is not one of the public internet."),
    "timeout": _("No answer within 15 seconds."),
    "tls_failed": _("No secure connection could be made."),
    "unreachable": _("The address could not be reached."),
}
_ANSWERED = {  # by the first digit
    "2": _("Accepted (%(status)s)"),
    "3": _("Redirects are not followed (%(status)s)."),
    "4": _("The receiver refused it (%(status)s)."),
    "5": _("The receiver had an error (%(status)s)."),
}


def event(code: str) -> str:
    """What an event of this type tells, as a sentence."""
    if code == deliveries.TEST:
        return gettext("A test message.")
    return str(changes.TYPES.get(code, code))


def outcome(code: str) -> str:
    """How an attempt ended: an HTTP status in words, or why there was none."""
    if code == str(HTTPStatus.GONE.value):
        return gettext("The receiver is gone for good (410).")
    if len(code) == 3 and code.isdigit() and code[0] in _ANSWERED:
        return _ANSWERED[code[0]] % {"status": code}
    return str(_WHY_NONE.get(code, code))
