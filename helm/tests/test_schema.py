"""Property test of values.schema.json: a wrong type or an unknown key anywhere is refused."""

import json
import random

import chart
import jsonschema
import jsonschema_rs
import pytest
import yaml
from chart import merged
from matrix import CASES

SCHEMA = json.loads((chart.FOLDER / "values.schema.json").read_text())
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)
DEFAULTS = yaml.safe_load((chart.FOLDER / "values.yaml").read_text())
# Parts of Kubernetes objects that are passed on; Kubernetes checks them.
FREE = ("extraObjects", "extraVolumes", "affinity", "valueFrom", "global")
# Maps with names that users choose.
OPEN = (
    "podLabels",
    "podAnnotations",
    "annotations",
    "labels",
    "commonLabels",
    "nodeSelector",
    "matchLabels",
    "metadata",
    "requests",
    "limits",
    "seLinuxOptions",
)
WRONG = ({"unexpected": 1}, ["unexpected"], "\x00not a value\x00", True, 1.5, -1)


def full(case: str) -> dict:
    return merged(DEFAULTS, CASES[case])


def places(tree, path=()):
    """All maps, lists and values below a tree, with their paths."""
    yield path, tree
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        if key not in FREE:
            yield from places(child, path + (key,))


def replaced(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


def mutations(case: str):
    """Trees with one mistake each, and where it is."""
    tree = full(case)
    for path, value in places(tree):
        if path and path[-1] != "global":
            kinds = {type(value), float if type(value) is int else type(value)}
            for wrong in (w for w in WRONG if type(w) in (dict, list) and type(w) not in kinds):
                yield replaced(tree, path, wrong), path, wrong
        if isinstance(value, dict) and (not path or path[-1] not in OPEN):
            yield replaced(tree, path, value | {"unexpected": "x"}), path, "an unknown key"
    for path, value in places(tree):
        # `config` takes numbers and booleans as text.
        if isinstance(value, bool) and path[0] != "config":
            yield replaced(tree, path, "true"), path, "text instead of a boolean"
        # A port can also have a name.
        elif isinstance(value, int) and path[0] != "config" and path[1:2] != ("extraEgress",):
            yield replaced(tree, path, "many"), path, "text instead of a number"
        elif isinstance(value, str) and path[0] != "config":
            yield replaced(tree, path, True), path, "a boolean instead of text"


@pytest.mark.parametrize("case", CASES)
def test_the_schema_accepts_valid_values(case):
    assert [error.message for error in VALIDATOR.iter_errors(full(case))] == []


@pytest.mark.parametrize("case", CASES)
def test_the_schema_refuses_every_mistake(case):
    accepted = [(path, wrong) for tree, path, wrong in mutations(case) if VALIDATOR.is_valid(tree)]
    assert not accepted


def test_helm_refuses_the_same_mistakes():
    """A sample with the real Helm, whose validator is another one."""
    sample = random.Random(1).sample(list(mutations("placement")) + list(mutations("route")), 30)
    for tree, path, wrong in sample:
        result = chart.helm("template", "insula", chart.FOLDER, values=tree, check=False)
        assert result.returncode != 0, (path, wrong)
        assert "don't meet the specifications of the schema" in result.stderr, (path, wrong, result.stderr)


def test_the_schema_is_complete_and_self_contained():
    jsonschema.Draft7Validator.check_schema(SCHEMA)

    def walk(node, path):
        if isinstance(node, dict):
            reference = node.get("$ref", "#/definitions/")
            assert reference.startswith("#/definitions/"), path
            if "properties" in node and "required" not in path and path[0] != "allOf" and path[-1] != "volume":
                if path[-1] != "manifest":
                    assert node.get("additionalProperties") is False, path
            for key, child in node.items():
                walk(child, path + (key,))

    for key, child in SCHEMA.items():
        if key != "allOf":
            walk(child, (key,))
    assert SCHEMA["additionalProperties"] is False
