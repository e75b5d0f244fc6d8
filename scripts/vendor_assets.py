"""Style sheets, fonts and icons of others that we serve ourselves: are they what we took?

marketplace/static/vendor/manifest.json names each package with its exact version, its licence,
the registry's digest of it, and every file taken from it with the digest of what is committed.
Without an argument this compares the folder with the manifest and needs no network. With --fetch
it asks the npm registry for the packages, writes their files anew and the digests with them; a
package whose digest is not the manifest's is refused.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "marketplace/static/vendor"
MANIFEST = FOLDER / "manifest.json"
SPRITE = "tabler-icons/sprite.svg"
_ICON = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_SOURCE_MAP = re.compile(rb"\n?/\*# sourceMappingURL=[^*]*\*/")


def main() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    if "--fetch" in sys.argv[1:]:
        for package in manifest["packages"]:
            fetch(package)
        MANIFEST.write_text(
            json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    complaints = problems(manifest)
    if complaints:
        sys.exit("\n".join(complaints))
    print(f"{sum(len(package['files']) for package in manifest['packages'])} files, all as taken.")


def problems(manifest) -> list[str]:
    """What differs between the folder and the manifest, one sentence each."""
    listed = {
        name: file["sha256"]
        for package in manifest["packages"]
        for name, file in package["files"].items()
    }
    present = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file() and path != MANIFEST
    }
    found = [f"{name} is in no package of the manifest." for name in sorted(present - set(listed))]
    for name, digest in sorted(listed.items()):
        if name not in present:
            found.append(f"{name} is missing.")
        elif _sha256((FOLDER / name).read_bytes()) != digest:
            found.append(f"{name} is not what was taken.")
    return found


def fetch(package) -> None:
    """Write the package's files anew, and their digests into `package`."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{package['name']}@{package['version']}"
        run = subprocess.run(
            ["npm", "pack", "--silent", wanted], cwd=folder, check=True, capture_output=True
        )
        archive = Path(folder) / run.stdout.decode().strip().splitlines()[-1]
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if package.setdefault("integrity", f"sha512-{digest}") != f"sha512-{digest}":
            sys.exit(f"{wanted} is not the package that the manifest names.")
        with tarfile.open(archive) as tar:
            for name, file in package["files"].items():
                _write(name, file, package, tar)


def _write(name, file, package, tar) -> None:
    target = FOLDER / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if name == SPRITE:
        target.write_text(_sprite(package["icons"], tar), encoding="utf-8")
    elif "from" in file:
        # A style sheet that names a map which is not there cannot be collected.
        target.write_bytes(_SOURCE_MAP.sub(b"", _read(tar, file["from"])))
    file["sha256"] = _sha256(target.read_bytes())


def _sprite(icons, tar) -> str:
    """One file with a symbol for each icon, which pages then refer to by name."""
    symbols = []
    for icon in sorted(icons):
        drawing = _ICON.search(_read(tar, f"package/icons/outline/{icon}.svg").decode())[1]
        lines = [line.strip() for line in drawing.splitlines() if "M0 0h24v24H0z" not in line]
        symbols.append(f'<symbol id="{icon}" viewBox="0 0 24 24">{"".join(lines)}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'


def _read(tar, name) -> bytes:
    return tar.extractfile(name).read()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
