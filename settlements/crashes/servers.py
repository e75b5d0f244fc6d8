"""A database server and a broker of a rehearsal's own, so that they can be killed as well.

They are the ones that come with the project, started by a second process of the command whose
`var/` is a temporary folder. What else the machine serves is not touched.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import redis
from django.conf import settings

from marketplace import embedded

_OWN: Final = "JANGTEO_REHEARSAL_OWN_SERVERS"  # tells the second process that they are its own
_NAMED: Final = (  # what would lead it to others
    *("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_PLATFORM_URL"),
    *("CELERY_BROKER_URL", "CACHE_URL"),
)


def are_own() -> bool:
    """Whether database and broker belong to this rehearsal alone."""
    return _OWN in os.environ and embedded.VAR != embedded.USUAL_VAR


def apart(command: Sequence[str]) -> int:
    """Run a command of manage.py with servers of its own; returns what it ended with."""
    with tempfile.TemporaryDirectory(prefix="jangteo-rehearsal-") as folder:
        Path(folder).chmod(0o755)  # their account must reach what is inside
        environment = {
            **os.environ,
            **dict.fromkeys(_NAMED, ""),
            embedded.VAR_NAMED: str(Path(folder) / "var"),
            _OWN: "yes",
        }
        manage = [sys.executable, "manage.py"]
        try:
            return _ended([*manage, *command], environment)
        finally:
            subprocess.run(
                [*manage, "stop_servers", "--delete-data"],
                cwd=settings.BASE_DIR,
                env=environment,
                stdout=subprocess.DEVNULL,
                check=False,
            )


def _ended(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """What a command ends with that notices by its standard input when this process is gone."""
    with subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=environment,
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            return process.wait()
        except BaseException:
            process.kill()
            raise


def take_away() -> None:
    """Stop these servers and delete their folder, where who started them cannot any more."""
    embedded.stop()
    embedded.delete_data()
    shutil.rmtree(embedded.VAR.parent, ignore_errors=True)


def kill_database() -> None:
    """SIGKILL to PostgreSQL, as when the machine loses power; then it is started and recovers."""
    os.kill(embedded.database_pid(), signal.SIGKILL)
    # A process that it was just starting may hold its socket open for a moment.
    while embedded.database_pid() or embedded.database_answers():
        time.sleep(0.01)
    embedded.start_database()


def kill_broker() -> None:
    """SIGKILL to Valkey; it is started again with what it had written down."""
    with redis.Redis.from_url(embedded.cache_url()) as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGKILL)
    embedded.start_broker()
