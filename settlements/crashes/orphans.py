"""A rehearsal that was killed itself must leave no process behind."""

import os
import signal
import threading
from collections.abc import Callable


def end_with_rehearsal(tidy_up: Callable[[], None] | None = None) -> None:
    """End this process and its group once nobody holds the other end of its standard input."""
    threading.Thread(target=_wait, args=(tidy_up,), daemon=True).start()


def _wait(tidy_up: Callable[[], None] | None) -> None:
    while os.read(0, 1):
        pass
    try:
        if tidy_up:
            tidy_up()
    finally:
        os.killpg(os.getpgid(0), signal.SIGKILL)
