"""The base of everything that is refused for a reason a person can act on.

A refusal carries a stable `code` (what the API answers and logs keep) and a message template in
English. Each subclass sits in the module that raises it. Rule modules raise refusals without
knowing of Django, so translating is left to the edges: `refused.text(gettext)`.
Anything else that is raised is a bug and is not caught.
"""

from collections.abc import Callable
from typing import ClassVar


def gettext_noop(text: str) -> str:
    """Return `text` as it is. The name makes xgettext put it into the catalogue."""
    return text


class Refused(Exception):
    """Something asked for was turned down; nothing was changed.

    `message` is a %-template over the named parameters the refusal was raised with, a whole
    sentence, marked with `gettext_noop`.
    """

    code: ClassVar[str] = "refused"
    message: ClassVar[str] = gettext_noop("This was refused.")

    def __init__(self, **params: object) -> None:
        super().__init__()
        self.params = params

    def __str__(self) -> str:
        return self.message % self.params

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by positional arguments; a refusal has named ones only.
        return _rebuild, (type(self), self.params)

    def text(self, translate: Callable[[str], str]) -> str:
        """Return the message in the reader's language; `translate` is gettext or its like."""
        return translate(self.message) % self.params


def _rebuild(kind: type[Refused], params: dict[str, object]) -> Refused:
    return kind(**params)
