"""What bin/setup does once it has found a Python: .venv/ and the message catalogues.

Standard library only, because nothing is installed yet. Two calls at once wait for each other.
Installing obeys whatever pip configuration the environment brings and needs none.
"""

import ctypes.util
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
PANGO = {  # a library of it, and Debian's package
    "pango-1.0": "libpango-1.0-0",
    "pangoft2-1.0": "libpangoft2-1.0-0",
    "harfbuzz-subset": "libharfbuzz-subset0",
}


def main() -> None:
    wanted = ["requirements.txt", "requirements-dev.txt"]
    if "--dev" not in sys.argv[1:]:
        wanted = wanted[:1]
    var = ROOT / "var"
    (var / "static").mkdir(parents=True, exist_ok=True)
    with (var / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(wanted)
        _offer_pango()
        subprocess.run([PYTHON, ROOT / "scripts" / "compile_messages.py"], check=True)


def _install(wanted: list[str]) -> None:
    digests = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in wanted}
    installed = _installed()
    if all(installed.get(name) == digest for name, digest in digests.items()):
        return
    if not installed:
        _make_venv()
    print(f"bin/setup: installing {wanted[-1]}", flush=True)
    STAMP.unlink(missing_ok=True)
    # The last file named holds all the others. Every file in it is listed with its hashes, so
    # pip has nothing to resolve (--no-deps) and accepts nothing that was not pinned.
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    pip += ["--require-hashes", "--no-deps", "--prefer-binary", "--no-compile"]
    pip += ["-r", ROOT / wanted[-1]]
    if os.geteuid() == 0:
        pip.append("--root-user-action=ignore")
    if subprocess.run(pip).returncode:
        sys.exit("bin/setup: pip could not install the requirements; its message is above.")
    # As pip would do on one processor alone. A few templates among the packages are no Python.
    subprocess.run([PYTHON, "-m", "compileall", "-qq", "-j", "0", VENV / "lib"])
    STAMP.write_text(json.dumps(digests))


def _offer_pango() -> None:
    """Statements as PDF need libraries of the system; everything else does without them."""
    if all(ctypes.util.find_library(name) for name in PANGO):
        return
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        print("bin/setup: installing pango, for statements as PDF", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PANGO.values()]
        if not subprocess.run(install, env=environment, stdout=subprocess.DEVNULL).returncode:
            return
    print(
        "bin/setup: without pango no statement can be had as PDF; everything else works. Install"
        f" it (Debian, Ubuntu: apt-get install {' '.join(PANGO.values())}; macOS: brew install"
        " pango).",
        file=sys.stderr,
    )


def _installed() -> dict[str, str]:
    """The digests of what .venv/ holds; nothing when it is missing, half made or broken."""
    works = PYTHON.exists() and not subprocess.run([PYTHON, "-c", "import pip"]).returncode
    return json.loads(STAMP.read_text()) if works and STAMP.exists() else {}


def _make_venv() -> None:
    print(f"bin/setup: making .venv with Python {sys.version.split()[0]}", flush=True)
    base = Path(sys.executable)
    if base.is_relative_to(VENV):
        base = Path(getattr(sys, "_base_executable", base))
    if VENV.exists():
        shutil.rmtree(VENV)
    command = [base, "-m", "venv", VENV]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode and os.geteuid() == 0 and shutil.which("apt-get"):
        # Debian ships Python without ensurepip; the missing half is a package of its own.
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for package in (f"python{version}-venv", "python3-venv"):
            subprocess.run(["apt-get", "update", "-qq"], env=environment)
            install = ["apt-get", "install", "-y", "-qq", package]
            if not subprocess.run(install, env=environment).returncode:
                break
        shutil.rmtree(VENV, ignore_errors=True)
        made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        sys.exit(
            f"{made.stdout}{made.stderr}\nbin/setup: this Python cannot make a virtual environment."
            " Install its venv and pip (Debian, Ubuntu: apt-get install python3-venv)."
        )


if __name__ == "__main__":
    main()
