"""Every case renders, passes `helm lint --strict`, and is accepted by two versions of Kubernetes."""

import chart
import kubernetes_schemas
import pytest
import yaml
from matrix import CASES

# The oldest one that the chart allows, and the newest one with schemas.
VERSIONS = ("1.30", "1.37")


@pytest.mark.parametrize("case", CASES)
def test_kubernetes_accepts_every_object(case):
    objects = chart.render(CASES[case])
    refused = [
        f"{version} {o['kind']}/{o['metadata']['name']}: {error}"
        for version in VERSIONS
        for o in objects
        for error in kubernetes_schemas.errors(o, version)
    ]
    assert not refused, "\n".join(refused)
    identities = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(identities) == len(set(identities)), "two objects have the same name"
    assert all(o["metadata"].get("namespace") == "prod" for o in objects if o["metadata"]["name"] != "insula-extra")


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("example-")] + ["minimal", "extra"])
def test_lint(case):
    chart.helm("lint", "--strict", chart.FOLDER, values=CASES[case])


def test_the_other_manifests_of_the_examples_are_valid():
    for file in chart.FOLDER.glob("examples/*/cluster.yaml"):
        for document in yaml.safe_load_all(file.read_text()):
            assert kubernetes_schemas.errors(document, "1.30") == []


@pytest.mark.parametrize(
    "document, error",
    [
        ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"portz": []}}, "portz"),
        ({"apiVersion": "v1", "kind": "Unknown", "metadata": {"name": "a"}}, "Unknown"),
        (
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "PodMonitor",
                "metadata": {"name": "a"},
                "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "ops", "intervall": "1s"}]},
            },
            "intervall",
        ),
    ],
)
def test_the_validation_finds_mistakes(document, error):
    for version in VERSIONS:
        assert error in "".join(kubernetes_schemas.errors(document, version))


def test_an_older_kubernetes_is_refused():
    with pytest.raises(chart.HelmError, match=">= 1.30"):
        chart.render(chart.MINIMAL, "--kube-version", "1.29.9")
