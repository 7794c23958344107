"""The real Helm installs, upgrades, tests, rolls back and uninstalls against a stand-in for the API server."""

import os

import chart
import pytest
from chart import MINIMAL, merged
from fake_cluster import FakeCluster
from matrix import CASES, INLINE

SCALED = merged(INLINE, {"api": {"autoscaling": {"enabled": True, "maxReplicas": 10}}})


@pytest.fixture
def cluster(tmp_path):
    cluster = FakeCluster(tmp_path)
    for name in (
        "keys",
        "database",
        "migration-database",
        "insula-secrets",
        "insula-login",
        "insula-db-app",
        "insula-db-ca",
    ):
        cluster.create("Secret", name, type="Opaque")
    cluster.before = cluster.names()
    yield cluster
    cluster.close()


def helm(cluster, *arguments, values=None, check=True):
    env = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    return chart.helm(*arguments, "--namespace", "prod", values=values, env=env, check=check)


def install(cluster, values, **options):
    return helm(cluster, "install", "insula", chart.FOLDER, "--wait", "--timeout", "20s", values=values, **options)


def upgrade(cluster, values, **options):
    return helm(cluster, "upgrade", "insula", chart.FOLDER, "--wait", "--timeout", "20s", values=values, **options)


def contains(stored, rendered) -> bool:
    """Whether a stored object has everything that the chart rendered."""
    if isinstance(rendered, dict):
        return isinstance(stored, dict) and all(contains(stored.get(key), value) for key, value in rendered.items())
    if isinstance(rendered, list):
        return isinstance(stored, list) and len(stored) == len(rendered) and all(map(contains, stored, rendered))
    return stored == rendered


def differences(cluster, values) -> list[str]:
    """Objects of the release that are not stored as the chart renders them."""
    ordinary = [o for o in chart.render(values) if "helm.sh/hook" not in o["metadata"].get("annotations", {})]
    return [
        f"{o['kind']}/{o['metadata']['name']}"
        for o in ordinary
        if not contains(cluster.store.objects.get((o["kind"], o["metadata"]["name"])), o)
    ]


def test_install_upgrade_test_rollback_uninstall(cluster):
    notes = install(cluster, SCALED).stdout
    assert "Log in at https://insula.example:8443\n  as admin@insula.example" in notes
    assert differences(cluster, SCALED) == []
    history = cluster.store.history
    job = history.index(("create", "Job", "insula-migrate"))
    assert (
        history.index(("create", "Secret", "insula-migrate"))
        < job
        < history.index(("create", "Deployment", "insula-api"))
    )
    # Nothing of the hook stays behind, in particular not the URL of the owner.
    assert not any(name == "insula-migrate" for _, name in cluster.names())

    changed = merged(
        SCALED,
        {"api": {"autoscaling": {"maxReplicas": 12}}, "image": {"tag": "0.2.0"}},
        {"config": {"INSULA_LIMIT_READ": "900/min"}, "metrics": {"podMonitor": {"enabled": True}}},
        {"redis": {"url": ""}, "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}]},
    )
    upgrade(cluster, changed)
    assert differences(cluster, changed) == []
    assert cluster.get("HorizontalPodAutoscaler", "insula-api")["spec"]["maxReplicas"] == 12
    assert [job["spec"]["template"]["spec"]["containers"][0]["image"] for job in cluster.ran] == [
        "insula:0.1.0",
        "insula:0.2.0",
    ]

    helm(cluster, "test", "insula")
    assert cluster.ran[-1]["metadata"]["name"] == "insula-test" and not cluster.has("Pod", "insula-test")

    ran = len(cluster.ran)
    helm(cluster, "rollback", "insula", "1", "--wait", "--timeout", "20s")
    assert differences(cluster, SCALED) == [] and len(cluster.ran) == ran
    assert not cluster.has("PodMonitor", "insula")

    helm(cluster, "uninstall", "insula", "--wait")
    assert cluster.names() == cluster.before


def test_a_failed_migration_stops_the_installation(cluster):
    cluster.failing = {"insula-migrate"}
    result = install(cluster, MINIMAL, check=False)
    assert result.returncode != 0 and "BackoffLimitExceeded" in result.stderr
    assert not cluster.has("Deployment", "insula-api")
    assert cluster.has("Job", "insula-migrate"), "its log must stay readable"


def test_a_failed_migration_keeps_the_old_version(cluster):
    install(cluster, INLINE)
    cluster.failing = {"insula-migrate"}
    changed = merged(INLINE, {"image": {"tag": "0.2.0"}, "smtp": {"url": "smtp://other"}})
    result = upgrade(cluster, changed, check=False)
    assert result.returncode != 0 and "BackoffLimitExceeded" in result.stderr
    assert differences(cluster, INLINE) == []
    # The next attempt replaces the failed Job.
    cluster.failing = set()
    upgrade(cluster, changed)
    assert differences(cluster, changed) == [] and not cluster.has("Job", "insula-migrate")


def test_a_failed_check_fails_helm_test(cluster):
    install(cluster, MINIMAL)
    cluster.failing = {"insula-test"}
    assert helm(cluster, "test", "insula", check=False).returncode != 0


def test_ordinary_jobs_and_releases_without_migration(cluster):
    ordinary = merged(INLINE, {"migrations": {"mode": "job"}})
    install(cluster, ordinary)
    [job] = [name for kind, name in cluster.names() if kind == "Job"]
    changed = merged(ordinary, {"image": {"tag": "0.2.0"}})
    upgrade(cluster, changed)
    [other] = [name for kind, name in cluster.names() if kind == "Job"]
    assert other != job and differences(cluster, changed) == []
    upgrade(cluster, merged(INLINE, {"migrations": {"mode": "none"}}))
    assert not any(kind == "Job" for kind, _ in cluster.names())


def test_uninstalling_keeps_the_data_of_embedded(cluster):
    install(cluster, CASES["example-embedded"])
    assert cluster.get("Deployment", "insula-api")["status"]["readyReplicas"] == 1
    helm(cluster, "uninstall", "insula")
    assert cluster.names() - cluster.before == {("PersistentVolumeClaim", "insula-data")}


@pytest.mark.parametrize("example", [case for case in CASES if case.startswith("example-")])
def test_examples_can_be_installed(cluster, example):
    install(cluster, CASES[example])
    assert differences(cluster, CASES[example]) == []


class TestTheStandIn:
    """It refuses what Kubernetes refuses; otherwise the tests above would prove nothing."""

    def test_a_pod_without_its_secret_does_not_start(self, cluster):
        del cluster.store.objects["Secret", "migration-database"]
        assert install(cluster, MINIMAL, check=False).returncode != 0
        assert cluster.ran == []

    def test_unknown_fields(self, cluster):
        wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"portz": []}}
        result = install(cluster, merged(MINIMAL, {"extraObjects": [wrong]}), check=False)
        assert result.returncode != 0 and "portz" in result.stderr

    def test_immutable_fields(self, cluster):
        install(cluster, MINIMAL)
        result = upgrade(
            cluster, merged(MINIMAL, {"nameOverride": "insula2", "fullnameOverride": "insula"}), check=False
        )
        assert result.returncode != 0 and "spec.selector: field is immutable" in result.stderr
