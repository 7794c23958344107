"""The compose files."""

from pathlib import Path

import yaml

FOLDER = Path(__file__).parent.parent.parent / "deploy"
FILES = ("compose.yaml", "compose.embedded.yaml")
PROGRAM = "insula"


def load(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text())


def own_services(name: str) -> dict[str, dict]:
    """The services that run our image."""
    return {key: service for key, service in load(name)["services"].items() if service["image"] == PROGRAM}


def environment(service: dict) -> dict[str, str]:
    """Without those that are only passed on."""
    return {key: value for key, value in service["environment"].items() if value is not None}
