"""Compile locale/*/LC_MESSAGES/*.po to .mo, with Python alone.

Django's own compilemessages needs GNU msgfmt, which a fresh machine may lack. Fuzzy entries are
left out, as msgfmt does. Only catalogues that changed are compiled.
"""

import ast
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Entry:
    """One message of a catalogue."""

    context: str | None = None
    id: str = ""
    plural: str | None = None
    strings: dict[int, str] = field(default_factory=dict)
    fuzzy: bool = False
    obsolete: bool = False

    @property
    def key(self) -> tuple[str | None, str]:
        return self.context, self.id

    @property
    def translated(self) -> bool:
        return bool(self.strings) and all(self.strings.values()) and not self.fuzzy


def parse(path: Path) -> Iterator[Entry]:
    """Yield the entries of a .po file, the header (empty id) among them."""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        entry, keyword = Entry(), ""
        for line in map(str.strip, block.splitlines()):
            if line.startswith("#~"):
                entry.obsolete = True
            elif line.startswith("#"):
                entry.fuzzy |= line.startswith("#,") and "fuzzy" in line
            elif line.startswith('"'):
                _extend(entry, keyword, line)
            elif line:
                keyword, _, text = line.partition(" ")
                _extend(entry, keyword, text)
        if entry.strings or entry.obsolete:
            yield entry


def compile_catalogue(entries: list[Entry]) -> bytes:
    """Return the .mo file of the translated entries: sorted ids, offsets, no hash table."""
    messages = {}
    for entry in entries:
        if entry.obsolete or not entry.translated:
            continue
        key = entry.id if entry.context is None else f"{entry.context}\x04{entry.id}"
        if entry.plural is not None:
            key += f"\x00{entry.plural}"
        text = "\x00".join(entry.strings[index] for index in sorted(entry.strings))
        messages[key.encode()] = text.encode()
    table, data = [], b""
    start = 28 + 16 * len(messages)
    ids = sorted(messages)
    for text in [*ids, *(messages[key] for key in ids)]:
        table.append(struct.pack("<II", len(text), start + len(data)))
        data += text + b"\x00"
    count = len(messages)
    header = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, start)
    return header + b"".join(table) + data


def _extend(entry: Entry, keyword: str, quoted: str) -> None:
    text = ast.literal_eval(quoted)
    if keyword == "msgctxt":
        entry.context = (entry.context or "") + text
    elif keyword == "msgid":
        entry.id += text
    elif keyword == "msgid_plural":
        entry.plural = (entry.plural or "") + text
    else:
        index = int(keyword.removeprefix("msgstr").strip("[]") or 0)
        entry.strings[index] = entry.strings.get(index, "") + text


def main() -> None:
    for source in sorted(ROOT.glob("locale/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        unfinished = target.with_suffix(".mo.new")
        unfinished.write_bytes(compile_catalogue(list(parse(source))))
        unfinished.replace(target)


if __name__ == "__main__":
    main()
