"""Somebody at a browser, who notices what must not be on any page."""

import gzip
import re
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import record_authentication
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

HEIGHTS = {1280: 900, 390: 844}
SERIOUS = {"serious", "critical"}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
QUIET = 0.1  # seconds without a request under way, after which none follows by itself
PATIENCE = 15  # seconds in which a page has to come to rest
# What moves comes to its end; what turns for ever (a spinner) is not waited for.
_AT_REST = """Promise.all([document.fonts.ready, ...document.getAnimations()
  .filter(each => each.effect.getComputedTiming().endTime < Infinity)
  .map(each => each.finished.catch(() => null))]).then(() => null)"""
# What a page weighs without fonts, which the browser keeps.
_FONT = re.compile(r"\.(woff2?|ttf)$")


def session_of(user, *, is_fresh: bool = False) -> str:
    """The key of a session in which the user is logged in, or has just proved who they are."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    if is_fresh:
        record_authentication(SimpleNamespace(session=session), user, method="password")
    session.save()
    return session.session_key


class Visitor:
    """A browser of one person. `complaints` collects what was wrong, whatever page it was on."""

    def __init__(self, chromium, base: str, *, language: str, width: int, dark: bool) -> None:
        self.base = base
        self.language = language
        self.width = width
        self.context = chromium.new_context(
            base_url=base,
            locale={"ko": "ko-KR", "en": "en-US"}[language],
            viewport={"width": width, "height": HEIGHTS[width]},
            color_scheme="dark" if dark else "light",
            timezone_id="Asia/Seoul",
        )
        self.context.set_default_timeout(15_000)
        self.add_cookie(settings.LANGUAGE_COOKIE_NAME, language)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self._answers: list = []
        self._weights: dict[str, int] = {}
        self._under_way: set = set()
        self.page.on("request", self._on_request)
        self.page.on("requestfinished", lambda request: self._under_way.discard(request))
        self.page.on("requestfailed", lambda request: self._under_way.discard(request))
        self.page.on("response", self._on_response)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def choose(self, marketplace) -> None:
        """Enter a marketplace in the admin."""
        self.page.goto("/admin/choose-marketplace/")
        token = next(
            c["value"] for c in self.context.cookies() if c["name"] == settings.CSRF_COOKIE_NAME
        )
        self.context.request.post(
            f"{self.base}/admin/choose-marketplace/",
            form={"marketplace": marketplace.slug, "csrfmiddlewaretoken": token},
            headers={"Referer": self.base},
        )

    def open(self, address: str) -> int:
        """Open a page and wait until it is quiet; returns its status."""
        self._answers.clear()
        self._under_way.clear()
        answer = self.page.goto(address, wait_until="load")
        deadline = time.monotonic() + PATIENCE
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + QUIET:
            self.page.wait_for_timeout(20)  # in which the browser tells what it does
            if self._under_way:
                assert time.monotonic() < deadline, f"{address} is never quiet"
                quiet_since = time.monotonic()
        self.page.evaluate(_AT_REST)
        return answer.status

    def weight(self) -> int:
        """How many bytes the page at hand came to, compressed."""
        return sum(map(self._weigh, self._answers))

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def unreadable(self) -> list[str]:
        """What axe finds serious on the page, one line for each kind and place."""
        options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
        found = Axe().run(self.page, options=options)
        return [
            f"{violation['id']}: {node['target'][0]}"
            for violation in found.response["violations"]
            if violation["impact"] in SERIOUS
            for node in violation["nodes"][:3]
        ]

    def text(self) -> str:
        """What the page says.

        No words of it are the names of pictograms, which a font draws, and codes that stand small
        beside what people call the thing.
        """
        return self.page.evaluate(
            "document.querySelectorAll('.material-symbols-outlined, code.code')"
            ".forEach(e => e.remove()),"
            " document.body.innerText"
        )

    def leave(self) -> None:
        self.context.close()

    def add_cookie(self, name: str, value: str) -> None:
        self.context.add_cookies([{"name": name, "value": value, "url": self.base}])

    def _weigh(self, answer) -> int:
        known = self._weights.get(answer.url)
        if known is None:
            known = len(gzip.compress(answer.body(), mtime=0))
            if answer.url.startswith(f"{self.base}{settings.STATIC_URL}"):
                self._weights[answer.url] = known
        return known

    def _on_request(self, request) -> None:
        self._under_way.add(request)
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != urlsplit(self.base).netloc:
            self.complaints.append(f"request to another host: {request.url}")

    def _on_response(self, response) -> None:
        path = urlsplit(response.url).path
        if response.status >= 400 and path != "/favicon.ico":
            self.complaints.append(f"{response.status}: {response.url}")
        elif not _FONT.search(path) and response.status == 200:
            self._answers.append(response)

    def _on_console(self, message) -> None:
        if message.location.get("url", "").endswith("/favicon.ico"):
            return
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text}")
