"""The scripts that compile message catalogues, against Python's own reader."""

import gettext
import importlib.util
import io
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts" / "compile_messages.py"
CATALOGUE = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"

#. a comment
#, python-format
msgid "Hello, %(name)s"
msgstr "%(name)s님, "
"안녕하세요"

msgctxt "verb"
msgid "Close"
msgstr "마감하다"

msgid "Close"
msgstr "닫기"

msgid "%(count)s order"
msgid_plural "%(count)s orders"
msgstr[0] "주문 %(count)s건"

#, fuzzy
msgid "Guess"
msgstr "추측"

msgid "Nothing yet"
msgstr ""

#~ msgid "Gone"
#~ msgstr "지난"
"""


def read(tmp_path):
    spec = importlib.util.spec_from_file_location("compile_messages", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    source = tmp_path / "django.po"
    source.write_text(CATALOGUE, encoding="utf-8")
    return gettext.GNUTranslations(io.BytesIO(script.compile_catalogue([*script.parse(source)])))


class TestCompileCatalogue:
    def test_keeps_texts_contexts_and_plurals(self, tmp_path):
        messages = read(tmp_path)
        assert messages.gettext("Hello, %(name)s") == "%(name)s님, 안녕하세요"
        assert messages.gettext("Close") == "닫기"
        assert messages.pgettext("verb", "Close") == "마감하다"
        assert messages.ngettext("%(count)s order", "%(count)s orders", 3) == "주문 %(count)s건"

    def test_leaves_out_what_is_not_translated(self, tmp_path):
        messages = read(tmp_path)
        for text in ("Guess", "Nothing yet", "Gone"):
            assert messages.gettext(text) == text
