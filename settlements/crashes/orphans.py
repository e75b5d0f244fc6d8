"""A rehearsal that was killed itself must leave no process behind."""

import atexit
import os
import signal
import threading
from collections.abc import Callable


def end_with_rehearsal(tidy_up: Callable[[], None] | None = None) -> None:
    """End this process and its group once nobody holds the other end of its standard input."""
    alone = threading.Event()
    waiting = threading.Thread(target=_wait, args=(alone, tidy_up), daemon=True)
    waiting.start()
    # What the main thread is at breaks as soon as its servers are gone; the rest is still done.
    atexit.register(lambda: alone.is_set() and waiting.join())


def _wait(alone: threading.Event, tidy_up: Callable[[], None] | None) -> None:
    while os.read(0, 1):
        pass
    alone.set()
    try:
        if tidy_up:
            tidy_up()
    finally:
        os.killpg(os.getpgid(0), signal.SIGKILL)
