"""The containers of the chart, run as processes with the program."""

import json
import urllib.request

import chart
import pytest
from chart import EMBEDDED, merged, render
from matrix import CASES, INLINE, SECRET_KEY

PASSWORD = INLINE["firstSuperuser"]["password"]
# Contents of Secrets that users create.
SECRETS = {
    "database-url": "postgres://login:hunter2@db:5432/insula",
    "redis-url": "redis://redis:6379",
    "migration-database-url": "postgres://owner:hunter2@db:5432/insula",
    "secret-key": SECRET_KEY,
    "smtp-url": "smtps://user:hunter2@mail:465",
    "first-superuser-password": PASSWORD,
    "ca.crt": "",
}


def log_in(pod) -> int:
    """The status of the first superuser's login through the port of the Service."""
    body = json.dumps({"email": "admin@insula.example", "password": PASSWORD}).encode()
    url = f"http://127.0.0.1:{pod.ports[8080]}/api/v1/auth/login"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


@pytest.mark.parametrize("case", CASES)
def test_the_program_accepts_every_environment(case, make_pod):
    objects = render(CASES[case])
    for workload in chart.pods(objects):
        if workload["kind"] == "Deployment":
            pod = make_pod(objects, "Deployment", workload["metadata"]["name"], SECRETS)
            pod.command[1:] = ["config", "check"]
            assert pod.start().wait() == 0, pod.output()


def test_the_program_refuses_a_wrong_environment(make_pod):
    pod = make_pod(render(CASES["minimal"]), "Deployment", "insula-api", SECRETS | {"secret-key": "short"})
    pod.command[1:] = ["config", "check"]
    assert pod.start().wait() == 78 and "INSULA_SECRET_KEY" in pod.output()


def test_the_example_embedded(make_pod):
    objects = render(CASES["example-embedded"])
    pod = make_pod(objects, "Deployment", place="embedded").start()
    pod.started()
    assert pod.get(8080, "/readyz") == 200 and pod.get(9090, "/metrics") == 200
    pod.stop()
    files = {file.name for file in (pod.folder / "data").iterdir()}
    assert {"insula.db", "secret.key"} <= files
    # The data survives the pod.
    again = make_pod(objects, "Deployment", place="embedded").start()
    again.started()
    again.stop()


def test_embedded_in_production_with_a_first_superuser(make_pod):
    values = merged(EMBEDDED, {"firstSuperuser": INLINE["firstSuperuser"]})
    pod = make_pod(render(values), "Deployment", secrets=SECRETS).start()
    pod.started()
    assert log_in(pod) == 200


def test_migration_servers_and_workers(make_pod, database):
    objects = render(
        merged({key: INLINE[key] for key in ("image", "publicUrl", "secretKey", "firstSuperuser")}, database.values())
    )
    api = make_pod(objects, "Deployment", "insula-api").start()
    api.becomes("startup")
    # It is alive, but not ready before the migration.
    assert api.probe("liveness") == 200 and api.probe("readiness") == 503

    for _ in range(2):
        migration = make_pod(objects, "Job").start()
        assert migration.wait() == 0, migration.output()
    api.started()
    worker = make_pod(objects, "Deployment", "insula-worker").start()
    worker.started()
    assert log_in(api) == 200
    # A second server of the same release, as after a rolling update.
    other = make_pod(objects, "Deployment", "insula-api").start()
    other.started()
    assert log_in(other) == 200

    drain = chart.environment(api.workload)
    assert api.stop() < int(drain["INSULA_DRAIN_DELAY"]) + int(drain["INSULA_DRAIN_TIMEOUT"])
    worker.stop()
    for pod in (api, worker, other):
        for secret in (PASSWORD, SECRET_KEY, database.url("login")):
            assert secret not in pod.output()


def test_a_migration_without_a_database_fails(make_pod, database):
    values = merged(
        INLINE, database.values(), {"database": {"migration": {"url": "postgres://owner@127.0.0.1:1/insula"}}}
    )
    migration = make_pod(render(values), "Job").start()
    assert migration.wait() == 69 and "INSULA_MIGRATION_DATABASE_URL" in migration.output()


def test_servers_refuse_the_login_of_the_owner(make_pod, database):
    """Therefore the chart asks for two logins in production."""
    values = merged(INLINE, database.values(), {"smtp": {"url": ""}})
    assert make_pod(render(values), "Job").start().wait() == 0
    values = merged(values, {"database": {"url": database.url("owner")}})
    api = make_pod(render(values), "Deployment", "insula-api").start()
    assert api.wait() == 78 and "INSULA_MIGRATION_DATABASE_URL" in api.output()
    allowed = merged(values, {"config": {"INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN": False}})
    api = make_pod(render(allowed), "Deployment", "insula-api").start()
    api.started()


def test_the_pod_of_helm_test(make_pod):
    values = CASES["example-embedded"]
    server = make_pod(render(values), "Deployment").start()
    server.started()
    objects = render(values)
    test = make_pod(objects, "Pod")
    service = f"http://{chart.find(objects, 'Service')['metadata']['name']}:80"
    assert test.command[-1] == service
    test.command[-1] = f"http://127.0.0.1:{server.ports[8080]}"
    assert test.start().wait() == 0, test.output()
    server.stop()
    # It fails when nothing answers.
    assert test.start().wait() == 1
