"""Writes the generated files of the chart: README.md, values.schema.json, and the copies of alerts and dashboards.

`generate.py` writes them. `generate.py --check` changes nothing and fails if one of them is out of date.
"""

import json
import re
import sys
from pathlib import Path

import values_file

TOOLS = Path(__file__).parent
ROOT = TOOLS.parent.parent
CHART = TOOLS.parent / "insula"

# Settings that the chart sets itself, with the value that decides them.
RESERVED = json.loads((TOOLS / "reserved_settings.json").read_text())


def generated() -> dict[Path, str]:
    """The generated files with their contents."""
    values = values_file.read(CHART / "values.yaml")
    files = {CHART / "values.schema.json": schema(values), CHART / "README.md": readme(values)}
    for folder, pattern in (("rules", "*.yaml"), ("dashboards", "*.json")):
        for source in sorted((ROOT / "deploy/observability" / folder).glob(pattern)):
            files[CHART / "files" / folder / source.name] = source.read_text()
    return files


def schema(values: list[values_file.Value]) -> str:
    """`values.schema.json`: only known keys, without references to other documents."""
    root = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the Insula chart"}
    root |= {"type": "object", "additionalProperties": False, "properties": {}}
    for value in values:
        parent = root
        for key in value.path[:-1]:
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            parent = parent["properties"].setdefault(key, empty)
        parent["properties"][value.path[-1]] = value.schema()
    root["properties"]["global"] = {"description": "Values of a parent chart. They are not used.", "type": "object"}
    root["definitions"] = json.loads((TOOLS / "definitions.json").read_text()) | {"settings": settings()}
    root["allOf"] = json.loads((TOOLS / "rules.json").read_text())
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def settings() -> dict:
    """The schema of `config`: the settings of the program, except for those that the chart sets."""
    names = re.findall(r"^#([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    scalar = {"type": ["string", "number", "boolean"]}
    allowed = {name: scalar for name in names if name not in RESERVED}
    return {"type": "object", "additionalProperties": False, "properties": allowed}


def readme(values: list[values_file.Value]) -> str:
    """`README.md`: the introduction and a table of all values."""
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for value in values:
        default = json.dumps(value.default, ensure_ascii=False)
        description = value.description.replace("|", "\\|")
        rows.append(f"| `{value.name}` | `{default}` | {description} |")
    introduction = (TOOLS / "readme.md").read_text()
    return introduction.replace("<!-- values -->\n", "\n".join(rows) + "\n")


def outdated(files: dict[Path, str]) -> list[Path]:
    """Files that differ, are missing, or are no longer generated."""
    copies = {file for folder in ("rules", "dashboards") for file in (CHART / "files" / folder).glob("*.*")}
    differs = [file for file, text in files.items() if not file.is_file() or file.read_text() != text]
    return differs + sorted(copies - files.keys())


def main() -> int:
    files = generated()
    changed = outdated(files)
    if "--check" in sys.argv:
        for file in changed:
            print(f"{file.relative_to(ROOT)} is out of date: run `make chart`", file=sys.stderr)
        return 1 if changed else 0
    for file in changed:
        if file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(files[file])
        else:
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
