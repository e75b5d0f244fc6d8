"""Is docs/openapi.yaml what the code says, and does it break nobody?

Compares the committed description with the code's own, and with the one of the last release: what
was promised may grow, but a path, method, field or value that was there must stay, and nothing
that a caller sends may become required. With --write, the committed file is brought up to date
first. With --against COMMIT, that commit's file is the earlier one; where no release has a tag
yet, it is that of HEAD.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs/openapi.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--against", metavar="COMMIT")
    arguments = parser.parse_args()
    fresh = described()
    if arguments.write:
        FILE.write_text(fresh)
    if not FILE.exists() or FILE.read_text() != fresh:
        sys.exit("docs/openapi.yaml is not what the code says: scripts/check_openapi.py --write")
    released = _git("describe", "--tags", "--abbrev=0", "--match", "v*").strip()
    earlier = _git("show", f"{arguments.against or released or 'HEAD'}:docs/openapi.yaml")
    if not earlier:
        print("no earlier description to compare with")
        return
    if found := breaks(yaml.safe_load(earlier), yaml.safe_load(fresh)):
        sys.exit("\n".join(found) + f"\n{len(found)} promises to callers are broken.")
    print(f"{len(yaml.safe_load(fresh)['paths'])} paths, as before or more.")


def _git(*arguments: str) -> str:
    """What git says; nothing where it knows no answer."""
    found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return "" if found.returncode else found.stdout


def described() -> str:
    """The description that the code gives of itself."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    import django

    django.setup()
    from django.utils import translation
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiYamlRenderer

    with translation.override("en"):
        schema = SchemaGenerator().get_schema(request=None, public=True)
    return OpenApiYamlRenderer().render(schema, renderer_context={}).decode()


def breaks(old: dict, new: dict) -> list[str]:
    """What a caller of the old description could trip over in the new one."""
    found = []
    for path, operations in old["paths"].items():
        for method, operation in operations.items():
            at = f"{method.upper()} {path}"
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                found.append(f"{at}: is gone")
                continue
            found += _parameters(at, operation, now)
            found += _bodies(at, operation, now)
            found += [
                f"{at}: no longer answers {status}"
                for status in operation["responses"]
                if status not in now["responses"]
            ]
    sent, answered = _sent_and_answered(old), _sent_and_answered(new)
    for name, schema in old["components"]["schemas"].items():
        now = new["components"]["schemas"].get(name)
        if now is None:
            found.append(f"{name}: is gone")
            continue
        is_sent = name in sent[0] or name in answered[0]
        found += _schema(name, schema, now, is_sent)
    return found


def _parameters(at: str, old: dict, new: dict):
    before = {(p["in"], p["name"]): p for p in old.get("parameters", ())}
    after = {(p["in"], p["name"]): p for p in new.get("parameters", ())}
    for key in before.keys() - after.keys():
        yield f"{at}: parameter {key[1]} is gone"
    for key, parameter in after.items():
        was_required = before.get(key, {}).get("required", False)
        if parameter.get("required") and not was_required:
            yield f"{at}: parameter {key[1]} has become required"


def _bodies(at: str, old: dict, new: dict):
    if new.get("requestBody", {}).get("required") and "requestBody" not in old:
        yield f"{at}: a body has become required"


def _schema(name: str, old: dict, new: dict, is_sent: bool):
    """Differences of one named schema; what is required may only shrink where it is sent."""
    for value in old.get("enum", ()):
        if value not in new.get("enum", ()):
            yield f"{name}: the value {value!r} is gone"
    properties = new.get("properties", {})
    for field, was in old.get("properties", {}).items():
        if field not in properties:
            yield f"{name}.{field}: is gone"
        elif _type(was) != _type(properties[field]):
            yield f"{name}.{field}: has another type"
    added = set(new.get("required", ())) - set(old.get("required", ()))
    if is_sent:
        yield from (f"{name}.{field}: has become required" for field in sorted(added))
    else:
        gone = set(old.get("required", ())) - set(new.get("required", ()))
        yield from (f"{name}.{field}: is no longer certain" for field in sorted(gone))


def _type(schema: dict):
    return schema.get("type"), schema.get("$ref"), str(schema.get("allOf"))


def _sent_and_answered(document: dict) -> tuple[set[str], set[str]]:
    """The names of the schemas that callers send, and of those that they are answered."""
    sent, answered = set(), set()
    for operations in document["paths"].values():
        for operation in operations.values():
            _collect(operation.get("requestBody", {}), document, sent)
            _collect(operation["responses"], document, answered)
    return sent, answered


def _collect(node, document: dict, names: set[str]) -> None:
    if isinstance(node, dict):
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name and name not in names:
            names.add(name)
            _collect(document["components"]["schemas"].get(name, {}), document, names)
        for below in node.values():
            _collect(below, document, names)
    elif isinstance(node, list):
        for below in node:
            _collect(below, document, names)


if __name__ == "__main__":
    main()
