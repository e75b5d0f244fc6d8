"""PDFs from pages of HTML, by WeasyPrint with the fonts that our pages have.

WeasyPrint is imported when the first one is drawn: it wants libraries of the system, and a server
without them does everything else (docs/decisions/0021-statements-as-pdf.md).
"""

from typing import Final

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from marketplace.refusals import Refused, gettext_noop

TYPE: Final = "application/pdf"
_FONTS: Final = settings.BASE_DIR / "marketplace" / "static" / "vendor" / "pretendard"


class PdfUnavailable(Refused):
    code = "pdf_unavailable"
    message = gettext_noop(
        "This server cannot make PDFs: WeasyPrint or the libraries that it needs (pango) are not "
        "installed. Download another kind of file, and tell whoever runs the server."
    )


def page(template: str, context: dict) -> str:
    """The page that is drawn, in the language in use. Its template extends settlements/pdf."""
    words = {"language": translation.get_language(), "fonts": _FONTS.as_uri()}
    return render_to_string(template, {**words, **context})


def drawn(html: str) -> bytes:
    """A page as PDF, tagged for screen readers. Raises PdfUnavailable."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:
        raise PdfUnavailable() from error
    # Fonts are files of our own; nothing else is fetched, wherever a text might point.
    fetcher = URLFetcher(allowed_protocols={"file"}, allow_redirects=False)
    content: bytes = HTML(string=html, url_fetcher=fetcher).write_pdf(pdf_variant="pdf/ua-1")
    return content
