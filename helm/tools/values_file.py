"""Reads the descriptions and rules in the comments of `values.yaml`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):")
TYPES = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}


@dataclass
class Value:
    """One value of the chart: a leaf with a description."""

    path: tuple[str, ...]
    description: str
    rules: dict
    default: object

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def schema(self) -> dict:
        """The JSON schema of the value. Its type is that of the default, unless the comment gives another one."""
        if "$ref" in self.rules or "enum" in self.rules:
            typed = self.rules
        else:
            typed = {"type": TYPES.get(type(self.default)), **self.rules}
        if typed.get("type", "") is None:
            raise ValueError(f"{self.name}: a value without a default needs a type")
        if typed.get("type") == "object" or (typed.get("type") == "array" and "items" not in typed):
            raise ValueError(f"{self.name}: lists and maps need @schema")
        # In draft-07, `$ref` hides everything beside it.
        return {"description": self.description, **({"allOf": [typed]} if "$ref" in typed else typed)}


def read(file: Path) -> list[Value]:
    """All values in their order.

    Raises ValueError for a value without a description.
    """
    text = file.read_text()
    defaults = yaml.safe_load(text)
    values, path, description, rules, found = [], [], [], {}, False
    block_of = None
    for line in text.splitlines():
        comment = line.strip()
        if comment.startswith("# -- "):
            description, rules, found = [comment[5:]], {}, True
        elif found and comment.startswith("# @schema "):
            rules = json.loads(comment[10:])
        elif found and comment.startswith("# "):
            description.append(comment[2:])
        elif match := KEY.match(line):
            depth = len(match[1]) // 2
            if block_of is not None and depth > block_of:
                continue
            block_of = None
            path = path[:depth] + [match[2]]
            if found:
                values.append(Value(tuple(path), " ".join(description), rules, at(defaults, path)))
                block_of = depth
            elif line.split("#")[0].rstrip() != f"{match[1]}{match[2]}:":
                raise ValueError(f"{'.'.join(path)} has no description")
            description, rules, found = [], {}, False
        elif not comment:
            found = False
    return values


def at(tree: dict, path) -> object:
    """The part of a tree at a path."""
    for key in path:
        tree = tree[key]
    return tree
