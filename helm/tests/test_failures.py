"""Values that contradict each other are refused, and the message says what to set."""

import re

import chart
import pytest
from chart import EMBEDDED, MINIMAL, merged

INGRESS = {"ingress": {"enabled": True}}
KEDA = {"worker": {"keda": {"enabled": True}}}

REFUSED = {
    "no image": (merged(MINIMAL, {"image": {"repository": ""}}), "Set image.repository"),
    "no public URL": (merged(MINIMAL, {"publicUrl": ""}), "Set publicUrl"),
    "http": (merged(MINIMAL, {"publicUrl": "http://insula.example"}), "publicUrl must begin with https://"),
    "no database": (merged(MINIMAL, {"database": {"existingSecret": ""}}), "Set database.existingSecret"),
    "no login for migrations": (
        merged(MINIMAL, {"database": {"migration": {"existingSecret": ""}}}),
        "Set database.migration.existingSecret",
    ),
    "no secret key": (merged(MINIMAL, {"secretKey": {"existingSecret": ""}}), "Set secretKey.existingSecret"),
    "no secret key, embedded": (
        merged(EMBEDDED, {"secretKey": {"existingSecret": ""}}),
        "Set secretKey.existingSecret",
    ),
    "no secret key, development": (
        merged(MINIMAL, {"secretKey": {"existingSecret": ""}, "environment": "development"}),
        "Set secretKey.existingSecret",
    ),
    "short secret key": (
        merged(MINIMAL, {"secretKey": {"existingSecret": "", "value": "short"}}),
        "must have at least 32 bytes",
    ),
    "embedded with a database": (merged(MINIMAL, {"embedded": {"enabled": True}}), "embedded.enabled uses SQLite"),
    "two authorities": (
        merged(MINIMAL, {"ca": {"existingSecret": "a", "existingConfigMap": "b"}}),
        "ca.existingSecret or ca.existing",
    ),
    "superuser without password": (
        merged(MINIMAL, {"firstSuperuser": {"email": "a@b.example"}}),
        "set firstSuperuser.existingSecret",
    ),
    "superuser without address": (
        merged(MINIMAL, {"firstSuperuser": {"password": "secret"}}),
        "set firstSuperuser.email",
    ),
    "ingress without proxies": (merged(MINIMAL, INGRESS), "Set trustedProxies"),
    "gateway without proxies": (
        merged(MINIMAL, {"gateway": {"enabled": True, "parentRefs": [{"name": "a"}]}}),
        "Set trustedProxies",
    ),
    "gateway without parents": (
        merged(MINIMAL, {"gateway": {"enabled": True}, "trustedProxies": ["10.0.0.0/8"]}),
        "set gateway.parentRefs",
    ),
    "KEDA without triggers": (merged(MINIMAL, KEDA), "set worker.keda.prometheusUrl"),
    "limits of servers": (
        merged(MINIMAL, {"api": {"autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 2}}}),
        "set api.autoscaling.maxReplicas",
    ),
    "limits of workers": (
        merged(MINIMAL, KEDA, {"worker": {"keda": {"prometheusUrl": "http://p", "minReplicas": 9}}}),
        "set worker.keda.maxReplicas",
    ),
    # By the schema:
    "embedded with replicas": (merged(EMBEDDED, {"api": {"replicas": 2}}), "api.replicas"),
    "embedded with autoscaling": (merged(EMBEDDED, {"api": {"autoscaling": {"enabled": True}}}), "autoscaling.enabled"),
    "embedded with KEDA": (merged(EMBEDDED, KEDA), "keda.enabled"),
    "a setting of the chart": (merged(MINIMAL, {"config": {"DATABASE_URL": "postgres://db"}}), "DATABASE_URL"),
    "an unknown setting": (merged(MINIMAL, {"config": {"INSULA_LIMIT_REED": "1/min"}}), "INSULA_LIMIT_REED"),
}
# Each of these secrets is a value or a Secret, not both.
for path, field in {
    "database": "url",
    "database.migration": "url",
    "redis": "url",
    "smtp": "url",
    "secretKey": "value",
    "secretKey.previous": "value",
    "firstSuperuser": "password",
}.items():
    text = {"redis": "redis://r", "smtp": "smtp://m"}.get(path, "postgres://db" if field == "url" else "x" * 40)
    twice = {field: text, "existingSecret": "also"}
    for key in reversed(path.split(".")):
        twice = {key: twice}
    REFUSED[f"both in {path}"] = (merged(MINIMAL, twice), f"Set either {path}.existingSecret or {path}.{field}")

ACCEPTED = {
    "minimal": MINIMAL,
    "one login": merged(
        MINIMAL,
        {"database": {"migration": {"existingSecret": ""}}},
        {"config": {"INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN": False}},
    ),
    "own migrations": merged(
        MINIMAL, {"database": {"migration": {"existingSecret": ""}}, "migrations": {"mode": "none"}}
    ),
    "embedded without a key": merged(
        EMBEDDED,
        {"secretKey": {"existingSecret": ""}},
        {"environment": "development", "publicUrl": "http://localhost:8080"},
    ),
    "one embedded replica": merged(EMBEDDED, {"api": {"replicas": 1}}),
    "subchart": merged(MINIMAL, {"global": {"anything": 1}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    _, sentence = REFUSED[name]
    assert sentence in str(refusal(REFUSED[name]))


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    assert chart.render(ACCEPTED[name])


def test_every_message_is_tested():
    source = (chart.FOLDER / "templates/_validate.tpl").read_text()
    # In the template, `printf` inserts the paths.
    messages = re.findall(r'fail \(?(?:printf )?"\\n\\n([^"\\%]{8,})', source)
    assert len(messages) == source.count("{{- fail ")
    refusals = [str(error) for error in map(refusal, REFUSED.values())]
    assert [message for message in messages if not any(message in refusal for refusal in refusals)] == []


def refusal(case) -> chart.HelmError:
    with pytest.raises(chart.HelmError) as error:
        chart.render(case[0])
    return error.value
