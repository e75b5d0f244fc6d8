"""Pages load nothing from elsewhere, and what we took from others is what the manifest says."""

import json
import re
import sys
from pathlib import Path

from django.template.loader import render_to_string

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import vendor_assets  # noqa: E402 (a script, found by the line above)

_LOADED = re.compile(r"""(?:src|href|action)=["'](?:https?:)?//|url\(["']?(?:https?:)?//|@import""")
_INLINE = re.compile(
    r"""<style|\sstyle=|\son[a-z]+=["']|<script(?![^>]*(?:src=|application/json))"""
)


def _files(*patterns):
    return [path for pattern in patterns for path in ROOT.glob(pattern)]


def test_what_we_serve_of_others_is_what_was_taken():
    manifest = json.loads(vendor_assets.MANIFEST.read_text(encoding="utf-8"))
    assert vendor_assets.problems(manifest) == []


def test_no_page_or_style_sheet_loads_from_elsewhere():
    files = _files("templates/**/*.html", "*/static/jangteo/*", "*/static/vendor/**/*.css")
    assert len(files) > 15
    assert [
        path.name
        for path in files
        if path.suffix in {".html", ".css", ".js"}
        and _LOADED.search(path.read_text(encoding="utf-8"))
    ] == []


APART = {"admin", "pdf"}  # its own policy; printed here, opened by no browser


def test_pages_outside_the_admin_need_no_inline_script_or_style():
    files = [path for path in _files("templates/**/*.html") if not APART & set(path.parts)]
    assert [path.name for path in files if _INLINE.search(path.read_text(encoding="utf-8"))] == []


def test_the_page_of_an_error_is_drawn_without_a_request():
    assert "Nothing was changed." in render_to_string("500.html")
