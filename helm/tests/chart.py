"""The chart: rendering it with the real Helm, and finding objects in the result."""

import copy
import functools
import json
import subprocess
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent.parent / "insula"
EXAMPLES = sorted(FOLDER.glob("examples/*/values.yaml"))

# The smallest values of a production installation.
MINIMAL = {
    "image": {"repository": "registry.example.com/insula"},
    "publicUrl": "https://insula.example",
    "secretKey": {"existingSecret": "keys"},
    "database": {"existingSecret": "database", "migration": {"existingSecret": "migration-database"}},
}
EMBEDDED = {key: MINIMAL[key] for key in ("image", "publicUrl", "secretKey")} | {"embedded": {"enabled": True}}


class HelmError(Exception):
    """Helm refused the values. The text is what it printed."""


def merged(base: dict, *changes: dict) -> dict:
    """`base` with changes on top, as Helm merges values."""
    result = copy.deepcopy(base)
    for change in changes:
        for key, value in change.items():
            if isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value)
            else:
                result[key] = copy.deepcopy(value)
    return result


def load(file: Path) -> dict:
    return yaml.load(file.read_text(), yaml.CSafeLoader)


def helm(*arguments, values: dict | None = None, env: dict | None = None, check: bool = True):
    """Runs Helm with values on its standard input."""
    given = ["--values", "-"] if values is not None else []
    command = ["helm", *map(str, arguments), *given]
    result = subprocess.run(command, input=json.dumps(values), text=True, capture_output=True, env=env)
    if check and result.returncode != 0:
        raise HelmError(result.stderr)
    return result


def render_text(values: dict, *arguments, chart: Path = FOLDER) -> str:
    return _render_text(json.dumps(values), chart, *arguments)


@functools.cache
def _render_text(values: str, chart: Path, *arguments) -> str:
    return helm("template", "insula", chart, "--namespace", "prod", *arguments, values=json.loads(values)).stdout


def render(values: dict, *arguments, chart: Path = FOLDER) -> list[dict]:
    """The objects of the release `insula` in the namespace `prod`."""
    documents = yaml.load_all(render_text(values, *arguments, chart=chart), yaml.CSafeLoader)
    return [document for document in documents if document]


def find(objects: list[dict], kind: str, name: str | None = None) -> dict:
    """The only object of a kind, or the one with a name."""
    found = [o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects {kind} {name or ''}"
    return found[0]


def names(objects: list[dict], kind: str) -> list[str]:
    return sorted(o["metadata"]["name"] for o in objects if o["kind"] == kind)


def pod_spec(workload: dict) -> dict:
    """The pod of a Pod, Deployment or Job."""
    return workload["spec"] if workload["kind"] == "Pod" else workload["spec"]["template"]["spec"]


def container(workload: dict) -> dict:
    [only] = pod_spec(workload)["containers"]
    return only


def environment(workload: dict) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(workload)["env"]}


def pods(objects: list[dict]) -> list[dict]:
    return [o for o in objects if o["kind"] in ("Pod", "Deployment", "Job")]
