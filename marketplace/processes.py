"""Child processes that belong together: started, watched, and ended as one.

For trying the system out on one machine. In production a service manager does this.
"""

import os
import signal
import subprocess
import sys
import time
from types import TracebackType

GRACE = 20  # seconds that a process has to finish what it has in hand


class ProcessEnded(RuntimeError):
    """A process that should go on has ended."""


class Processes:
    """A group of child processes; leaving the block ends them all."""

    def __init__(self):
        self._children: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, name: str, *arguments: str, role: str = "command", log=None) -> None:
        """Start `python -m …` with the environment of this one; `role` chooses its timeouts."""
        # A session of its own: Ctrl-C reaches us, and we end the others in order.
        self._children[name] = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, "JANGTEO_PROCESS": role},
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
        )

    def check(self) -> None:
        """Raise ProcessEnded when one of them is no longer there."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise ProcessEnded(f"{name} ended with status {child.returncode}")

    def stop(self) -> None:
        """Ask all to end, the last started first; kill those that do not."""
        for child in reversed(self._children.values()):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for child in self._children.values():
            try:
                child.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self._children.clear()
