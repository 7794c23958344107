"""The generated files are up to date, and the generator notices when they are not."""

import json
import re
import shutil
import subprocess
import sys

import chart
import generate
import pytest
import values_file


def test_generated_files_are_up_to_date():
    command = [sys.executable, chart.FOLDER.parent / "tools/generate.py", "--check"]
    result = subprocess.run(command, text=True, capture_output=True)
    assert result.returncode == 0, result.stderr


def test_a_changed_file_is_noticed():
    files = generate.generated()
    readme = chart.FOLDER / "README.md"
    files[readme] += "more"
    assert generate.outdated(files) == [readme]


def test_a_copy_without_an_original_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "CHART", tmp_path)
    (tmp_path / "files/rules").mkdir(parents=True)
    (tmp_path / "files/rules/old.yaml").write_text("groups: []")
    assert generate.outdated({}) == [tmp_path / "files/rules/old.yaml"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: 1", "a has no description"),
        ("# -- Text.\na: []", "need @schema"),
        ("# -- Text.\na: null", "needs a type"),
    ],
)
def test_the_generator_refuses_values_without_documentation(tmp_path, text, message):
    file = tmp_path / "values.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        [value.schema() for value in values_file.read(file)]


def test_the_readme_describes_every_value():
    readme = (chart.FOLDER / "README.md").read_text()
    for value in values_file.read(chart.FOLDER / "values.yaml"):
        assert f"| `{value.name}` |" in readme


def test_reserved_settings_exist_and_name_existing_values():
    settings = re.findall(r"^#([A-Z_]+)=", (generate.ROOT / ".env.example").read_text(), re.MULTILINE)
    names = [value.name for value in values_file.read(chart.FOLDER / "values.yaml")]
    for setting, value in generate.RESERVED.items():
        assert setting in settings
        assert any(f"{name}.".startswith(f"{value}.") for name in names), value


def test_the_chart_has_the_version_of_the_program():
    [version] = re.findall(r'^version = "(.+)"', (generate.ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert chart.load(chart.FOLDER / "Chart.yaml")["appVersion"] == version


@pytest.mark.parametrize("page", ["helm/insula/README.md", "docs/deploy.md"])
def test_links_lead_to_files(page):
    page = generate.ROOT / page
    links = re.findall(r"\]\(([^)#:]+)[)#]", page.read_text())
    assert links and [link for link in links if not (page.parent / link).exists()] == []


def test_alerts_and_dashboards_are_rendered(tmp_path):
    """With files of our own, because the folders of the repository may be empty."""
    copy = tmp_path / "insula"
    shutil.copytree(chart.FOLDER, copy)
    shutil.rmtree(copy / "files", ignore_errors=True)
    on = {
        "metrics": {
            "prometheusRule": {"enabled": True, "labels": {"release": "monitoring"}},
            "dashboards": {"enabled": True},
        }
    }
    values = chart.merged(chart.MINIMAL, on)
    objects = chart.render(values, chart=copy)
    assert chart.names(objects, "PrometheusRule") == [] and chart.names(objects, "ConfigMap") == []

    (copy / "files/rules").mkdir(parents=True)
    (copy / "files/dashboards").mkdir()
    annotation = "{{ $labels.queue }} is stalled"
    groups = {
        "groups": [
            {"name": "jobs", "rules": [{"alert": "A", "expr": "up == 0", "annotations": {"summary": annotation}}]}
        ]
    }
    dashboard = {"title": "API", "legend": "{{http_route}}"}
    (copy / "files/rules/jobs.yaml").write_text("# Alerts\n" + json.dumps(groups))
    (copy / "files/dashboards/api.json").write_text(json.dumps(dashboard, indent=2))
    copy = copy.rename(tmp_path / "with-files")
    objects = chart.render(values, chart=copy)
    rule = chart.find(objects, "PrometheusRule", "insula-jobs")
    assert rule["spec"] == groups and rule["metadata"]["labels"]["release"] == "monitoring"
    config_map = chart.find(objects, "ConfigMap", "insula-dashboard-api")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config_map["data"]["api.json"]) == dashboard
