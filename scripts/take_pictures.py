"""Take the pictures of docs/pictures/ from a running demo, with this machine's own Chromium.

    bin/setup --dev
    bin/demo                                    # in another terminal
    .venv/bin/python scripts/take_pictures.py   # --base http://127.0.0.1:8000

Everything is seen through the demo's own people, in Korean. The demo makes up whatever is shown.
"""

import argparse
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
PASSWORD = ROOT / "var" / "demo_password"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, PHONE = (1280, 860), (390, 844)


@dataclass(frozen=True)
class Picture:
    """Who goes where: `way` leads from the address to the page that is shown."""

    name: str
    who: str  # nobody: without logging in
    address: str
    way: Callable[[Page], None] = lambda page: None
    size: tuple[int, int] = WIDE
    scale: float = 1
    look: str = ""  # what the picture begins with, where that is not the top of the page


def steps(*each: str) -> Callable[[Page], None]:
    """One after the other: go to an address, or click the first that a selector finds."""

    def way(page: Page) -> None:
        for step in each:
            if step.startswith("/"):
                page.goto(step)
            else:
                page.locator(step).first.click()
            page.wait_for_load_state("networkidle")

    return way


OWNER, SELLER = "owner@market.example", "seller@market.example"
ESTIMATE = "[id*=fees_estimate].opblock"
ENTER = "main button[name=marketplace][value=market], .panel button[value=market]"
PICTURES = (
    Picture("operators", OWNER, "/admin/", steps(ENTER)),
    Picture(
        "operators-order",
        OWNER,
        "/admin/",
        steps(ENTER, "/admin/orders/order/?line_status=confirmed", "#result_list tbody a"),
    ),
    Picture("sellers", SELLER, "/s/market/"),
    Picture(
        "sellers-line",
        SELLER,
        "/s/market/statements/?state=payable",
        steps("th a[href*='/statements/stm_']", "td a[href*='/lines/']"),
    ),
    Picture("sellers-phone", SELLER, "/s/market/", size=PHONE, scale=2),
    Picture(
        "api", "", "/api/v1/docs/", steps(f"{ESTIMATE} .opblock-summary-control"), look=ESTIMATE
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these; otherwise all")
    parser.add_argument("--base", default="http://127.0.0.1:8000", help="where the demo runs")
    parser.add_argument("--password", help="of the demo's people; otherwise var/demo_password")
    options = parser.parse_args()
    if unknown := set(options.names) - {picture.name for picture in PICTURES}:
        sys.exit(f"No picture is called {', '.join(sorted(unknown))}.")
    wanted = [p for p in PICTURES if not options.names or p.name in options.names]
    password = options.password or PASSWORD.read_text()
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--disable-gpu", *sandbox]
        )
        for picture in wanted:
            target = FOLDER / f"{picture.name}.png"
            target.write_bytes(compressed(take(browser, picture, options.base, password)))
            print(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1000} kB")
        browser.close()


def chromium() -> str:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return path or sys.exit("No Chromium found. Install it, or name it in CHROMIUM.")


def take(browser: Browser, picture: Picture, base: str, password: str) -> bytes:
    width, height = picture.size
    context = browser.new_context(
        base_url=base,
        locale="ko-KR",
        timezone_id="Asia/Seoul",
        viewport={"width": width, "height": height},
        device_scale_factor=picture.scale,
        reduced_motion="reduce",
    )
    page = context.new_page()
    if picture.who:
        page.goto("/accounts/login/")
        page.fill("input[name=login]", picture.who)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(lambda address: "/accounts/login" not in address)
    page.goto(picture.address, wait_until="networkidle")
    picture.way(page)
    page.evaluate("document.fonts.ready")
    if picture.look:
        page.locator(picture.look).first.evaluate("e => scrollTo(0, e.offsetTop - 24)")
    taken = page.screenshot()
    context.close()
    return taken


def compressed(png: bytes) -> bytes:
    """The same picture with its pixels packed as tightly as zlib can."""
    kinds = list(chunks(png))
    pixels = b"".join(content for kind, content in kinds if kind == b"IDAT")
    packed = zlib.compress(zlib.decompress(pixels), 9)
    kept = [each for each in kinds if each[0] in (b"IHDR", b"PLTE", b"tRNS")]
    written = [*kept, (b"IDAT", packed), (b"IEND", b"")]
    return png[:8] + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in written
    )


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


if __name__ == "__main__":
    main()
