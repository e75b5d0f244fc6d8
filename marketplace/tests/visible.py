"""What people read on a page, and which of it is no Korean."""

import re
from html.parser import HTMLParser

UNSEEN = {"script", "style", "template"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
READ_ALOUD = ("alt", "aria-label", "data-label", "placeholder", "title")
ICON = "material-symbols"
LATIN = re.compile(r"[A-Za-z][A-Za-z'’-]+")
# Ids, addresses and codes: they are the same in every language.
NAMED = re.compile(r"\S*[@_/:=][\S]*|\S*\d\S*|[a-z-]+\.[a-z.-]+")
# Proper names, currencies and what Koreans write in Latin letters themselves.
EVERYWHERE = frozenset(
    {"API", "CSV", "Ctrl", "English", "HTTP", "ID", "IP", "Jangteo", "KRW", "VAT", "esc", "ppm"}
)


def text(html: str) -> list[str]:
    """Every text that is shown or read aloud, in the order of the page."""
    reader = _Reader()
    reader.feed(html)
    return [" ".join(piece.split()) for piece in reader.pieces if piece.strip()]


def latin_words(html: str, *, allowed=frozenset()) -> list[str]:
    """Words in Latin letters that are no names, with the text that they stand in."""
    known = EVERYWHERE | set(allowed)
    return [
        f"{word}: {piece}"
        for piece in text(html)
        for word in LATIN.findall(NAMED.sub(" ", piece))
        if word not in known
    ]


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.pieces: list[str] = []
        self._unseen: list[str] = []  # the open elements, from the first that is not seen on

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if not self._unseen:
            self.pieces += [given[name] for name in READ_ALOUD if given.get(name)]
            if tag == "input" and given.get("type") in ("submit", "button"):
                self.pieces.append(given.get("value") or "")
        is_unseen = tag in UNSEEN or ICON in (given.get("class") or "")
        if (self._unseen or is_unseen) and tag not in VOID:
            self._unseen.append(tag)

    def handle_endtag(self, tag):
        if self._unseen and self._unseen[-1] == tag:
            self._unseen.pop()

    def handle_data(self, data):
        if not self._unseen:
            self.pieces.append(data)
