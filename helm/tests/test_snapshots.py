"""The rendered examples are committed, so that a review shows what a change of a template does.

`make test-helm ARGS=--update-snapshots` writes them again.
"""

from pathlib import Path

import chart
import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("example", chart.EXAMPLES, ids=lambda file: file.parent.name)
def test_examples_render_as_committed(example, request):
    snapshot = SNAPSHOTS / f"{example.parent.name}.yaml"
    # The contents of alerts and dashboards are tested where they are.
    without = "metrics.prometheusRule.enabled=false,metrics.dashboards.enabled=false"
    text = chart.render_text(chart.load(example), "--set", without)
    if request.config.getoption("--update-snapshots"):
        snapshot.write_text(text)
    assert text == snapshot.read_text()


def test_every_snapshot_has_an_example():
    assert {file.stem for file in SNAPSHOTS.glob("*.yaml")} == {file.parent.name for file in chart.EXAMPLES}
