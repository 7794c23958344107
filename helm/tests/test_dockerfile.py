"""The Dockerfile: linted, and in agreement with the chart and the workspace."""

import json
import os
import re
import subprocess
import tomllib

import chart
import compose

ROOT = compose.FOLDER.parent
DOCKERFILE = compose.FOLDER / "Dockerfile"
TEXT = DOCKERFILE.read_text()


def instruction(name: str) -> str:
    """The arguments of the last one with this name."""
    return re.findall(rf"^{name} ((?:.*\\\n)*.*)", TEXT, re.MULTILINE)[-1]


def test_hadolint():
    result = subprocess.run(["hadolint", DOCKERFILE], text=True, capture_output=True)
    assert result.returncode == 0, result.stdout


def test_checkov():
    command = [
        os.environ["CHECKOV"],
        "--file",
        DOCKERFILE,
        "--framework",
        "dockerfile",
        "--skip-download",
        "--compact",
        "--output",
        "json",
    ]
    result = json.loads(subprocess.run(command, text=True, capture_output=True).stdout)
    assert result["summary"]["passed"] > 10
    assert [check["check_name"] for check in result["results"]["failed_checks"]] == []


def test_versions_are_those_of_the_workspace():
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert f"ARG RUST_VERSION={toolchain}\n" in TEXT and f"ARG VERSION={version}\n" in TEXT


def test_the_image_fits_the_chart():
    context = chart.load(chart.FOLDER / "values.yaml")["podSecurityContext"]
    assert instruction("USER") == f"{context['runAsUser']}:{context['runAsGroup']}"
    # The chart only gives arguments, and NOTES.txt and the compose files find `insula` in the PATH.
    assert json.loads(instruction("ENTRYPOINT")) == ["/usr/local/bin/insula"]
    assert json.loads(instruction("CMD")) == ["serve"]
    assert 'CMD ["/usr/local/bin/insula", "healthcheck"]' in instruction("HEALTHCHECK")


def test_the_build_gets_every_crate():
    members = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["members"]
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore and allowed == {member.split("/")[0] for member in members} | {"Cargo.lock", "Cargo.toml", "web/dist"}
