"""What single values change."""

import base64

import chart
import pytest
from chart import EMBEDDED, MINIMAL, container, environment, find, merged, names, pod_spec, render
from matrix import CASES, INLINE, PREVIOUS_KEY, SECRET_KEY


def test_only_the_migration_gets_the_url_of_the_owner():
    for values in (MINIMAL, INLINE, merged(INLINE, {"migrations": {"mode": "job"}})):
        for workload in chart.pods(render(values)):
            is_migration = workload["kind"] == "Job"
            assert ("INSULA_MIGRATION_DATABASE_URL_FILE" in str(workload)) == is_migration
            assert ("migration-database" in str(pod_spec(workload).get("volumes"))) == is_migration
    assert "migration-database-url" not in find(render(INLINE), "Secret", "insula")["data"]


def test_no_secret_is_in_an_environment():
    for workload in chart.pods(render(INLINE)):
        for value in (SECRET_KEY, PREVIOUS_KEY, "postgres://", "redis://", "smtps://", "passphrase"):
            assert value not in str(workload)


def test_secrets_of_the_chart_contain_the_values():
    secret = find(render(INLINE), "Secret", "insula")["data"]
    assert {key: base64.b64decode(value).decode() for key, value in secret.items()} == {
        "secret-key": SECRET_KEY,
        "secret-key-previous": PREVIOUS_KEY,
        "database-url": INLINE["database"]["url"],
        "redis-url": INLINE["redis"]["url"],
        "smtp-url": INLINE["smtp"]["url"],
        "first-superuser-password": INLINE["firstSuperuser"]["password"],
    }


def test_a_changed_secret_restarts_the_pods():
    def checksums(values):
        objects = render(values)
        return [
            find(objects, "Deployment", name)["spec"]["template"]["metadata"]
            .get("annotations", {})
            .get("checksum/secret")
            for name in ("insula-api", "insula-worker")
        ]

    before, after = checksums(INLINE), checksums(merged(INLINE, {"redis": {"url": "redis://other"}}))
    assert None not in before and all(a != b for a, b in zip(before, after, strict=True))
    assert checksums(MINIMAL) == [None, None]


def test_every_mounted_file_is_read_by_a_setting():
    for case in CASES.values():
        for workload in chart.pods(render(case)):
            files = {
                item["path"]
                for volume in pod_spec(workload).get("volumes", [])
                if volume["name"] == "secrets"
                for source in volume["projected"]["sources"]
                for item in next(iter(source.values()))["items"]
            }
            settings = {
                variable["name"]: variable["value"]
                for variable in container(workload).get("env", [])
                if variable["name"].endswith("_FILE")
            }
            assert {value.removeprefix("/etc/insula/secrets/") for value in settings.values()} == files


def test_migration_hook_has_what_it_needs_before_the_release_exists():
    objects = render(INLINE)
    job = find(objects, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    needed = [
        volume["secret"]["name"]
        for v in pod_spec(job)["volumes"]
        if "projected" in v
        for volume in v["projected"]["sources"]
    ]
    for name in set(needed):
        annotations = find(objects, "Secret", name)["metadata"]["annotations"]
        assert int(annotations["helm.sh/hook-weight"]) < int(job["metadata"]["annotations"]["helm.sh/hook-weight"])
    assert "helm.sh/hook" in find(objects, "NetworkPolicy", "insula-migrate")["metadata"]["annotations"]
    assert pod_spec(job)["serviceAccountName"] == "default"


def test_an_ordinary_job_gets_another_name_with_another_image():
    def job(tag):
        return find(render(merged(INLINE, {"migrations": {"mode": "job"}, "image": {"tag": tag}})), "Job")

    assert job("1")["metadata"]["name"] == job("1")["metadata"]["name"] != job("2")["metadata"]["name"]
    assert "annotations" not in job("1")["metadata"]
    objects = render(merged(INLINE, {"migrations": {"mode": "none"}}))
    assert names(objects, "Job") == [] and "insula-migrate" not in names(objects, "Secret") + names(
        objects, "NetworkPolicy"
    )


@pytest.mark.parametrize(
    "values, api, worker",
    [
        ({}, "2", "1"),
        ({"api": {"replicas": 5}, "worker": {"replicas": 3}}, "5", "3"),
        ({"api": {"autoscaling": {"enabled": True, "minReplicas": 4}}}, "4", "1"),
        ({"worker": {"keda": {"enabled": True, "prometheusUrl": "http://p", "minReplicas": 2}}}, "2", "2"),
        ({"config": {"INSULA_REPLICAS": 7}}, "7", "7"),
    ],
)
def test_replicas_share_the_limits(values, api, worker):
    objects = render(merged(MINIMAL, values))
    assert environment(find(objects, "Deployment", "insula-api"))["INSULA_REPLICAS"] == api
    assert environment(find(objects, "Deployment", "insula-worker"))["INSULA_REPLICAS"] == worker


def test_autoscaled_deployments_have_no_replicas():
    objects = render(CASES["scaling"])
    for name, kind in (("insula-api", "HorizontalPodAutoscaler"), ("insula-worker", "ScaledObject")):
        assert "replicas" not in find(objects, "Deployment", name)["spec"]
        assert find(objects, kind)["spec"]["scaleTargetRef"]["name"] == name
    metadata = find(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]
    assert metadata["threshold"] == "500" and 'namespace="prod"' in metadata["query"]
    scaler = merged(
        CASES["scaling"],
        {"api": {"autoscaling": {"targetCPUUtilizationPercentage": 55}}},
        {"worker": {"keda": {"jobsPerWorker": 9}}},
    )
    objects = render(scaler)
    assert (
        find(objects, "HorizontalPodAutoscaler")["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
    )
    assert find(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]["threshold"] == "9"


def test_budgets_only_protect_several_pods():
    assert names(render(MINIMAL), "PodDisruptionBudget") == ["insula-api"]
    assert names(render(CASES["budgets"]), "PodDisruptionBudget") == ["insula-api", "insula-worker"]
    assert names(render(merged(MINIMAL, {"api": {"replicas": 1}})), "PodDisruptionBudget") == []
    assert (
        names(render(merged(MINIMAL, {"api": {"podDisruptionBudget": {"enabled": False}}})), "PodDisruptionBudget")
        == []
    )


def test_spread_constraints_select_their_own_pods():
    own = {
        "labelSelector": {"matchLabels": {"other": "pods"}},
        "maxSkew": 2,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
    }
    missing = {key: own[key] for key in ("maxSkew", "topologyKey", "whenUnsatisfiable")}
    objects = render(merged(MINIMAL, {"worker": {"topologySpreadConstraints": [own, missing]}}))
    worker = find(objects, "Deployment", "insula-worker")
    first, second = pod_spec(worker)["topologySpreadConstraints"]
    assert first == own
    assert second["labelSelector"]["matchLabels"] == worker["spec"]["selector"]["matchLabels"]


def test_the_grace_period_covers_the_whole_drain():
    drain = {"preStopSeconds": 10, "delaySeconds": 7, "timeoutSeconds": 100}
    api = find(render(merged(MINIMAL, {"api": {"drain": drain}})), "Deployment", "insula-api")
    assert pod_spec(api)["terminationGracePeriodSeconds"] == 122
    assert container(api)["lifecycle"]["preStop"] == {"sleep": {"seconds": 10}}
    assert environment(api)["INSULA_DRAIN_DELAY"] == "7" and environment(api)["INSULA_DRAIN_TIMEOUT"] == "100"


def test_numbers_in_config_have_no_exponent():
    config = {
        "INSULA_SESSION_TTL": 2592000,
        "INSULA_REDIS_TIMEOUT": 0.05,
        "INSULA_PERSONAL_ORGANIZATIONS": False,
        "INSULA_LIMIT_READ": "10/min",
    }
    env = environment(find(render(merged(MINIMAL, {"config": config})), "Deployment", "insula-api"))
    assert [env[name] for name in config] == ["2592000", "0.05", "false", "10/min"]


def test_large_numbers_have_no_exponent():
    """Whatever Helm makes of them: values of files are floats, and those of flags are integers."""
    large = 10_000_000
    values = merged(
        CASES["scaling"],
        {"migrations": {"activeDeadlineSeconds": large}, "podSecurityContext": {"runAsUser": large}},
        {"worker": {"keda": {"jobsPerWorker": large}}},
    )
    flags = (
        merged(CASES["scaling"]),
        "--set",
        (
            f"migrations.activeDeadlineSeconds={large},podSecurityContext.runAsUser={large},"
            f"worker.keda.jobsPerWorker={large}"
        ),
    )
    for objects in (render(values), render(*flags)):
        job = find(objects, "Job")
        assert job["spec"]["activeDeadlineSeconds"] == large and pod_spec(job)["securityContext"]["runAsUser"] == large
        assert find(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]["threshold"] == str(large)


def test_embedded_is_one_pod_with_a_volume():
    objects = render(EMBEDDED)
    api = find(objects, "Deployment")
    assert api["spec"]["replicas"] == 1 and api["spec"]["strategy"] == {"type": "Recreate"}
    assert container(api)["args"] == ["serve"] and environment(api)["INSULA_MIGRATE_ON_START"] == "true"
    assert find(objects, "PersistentVolumeClaim")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert names(objects, "Job") == []
    own = render(CASES["embedded-claim"])
    assert names(own, "PersistentVolumeClaim") == []
    [data] = [v for v in pod_spec(find(own, "Deployment"))["volumes"] if v["name"] == "data"]
    assert data["persistentVolumeClaim"]["claimName"] == "mine"


def test_keys_of_existing_secrets():
    values = merged(MINIMAL, {"database": {"key": "dsn"}, "redis": {"existingSecret": "cache", "key": "location"}})
    api = find(render(values), "Deployment", "insula-api")
    sources = [v["projected"]["sources"] for v in pod_spec(api)["volumes"] if v["name"] == "secrets"][0]
    items = {s["secret"]["name"]: s["secret"]["items"][0] for s in sources}
    assert items["database"] == {"key": "dsn", "path": "database-url"}
    assert items["cache"] == {"key": "location", "path": "redis-url"}


def test_the_host_of_the_public_url_is_the_default():
    on = {
        "ingress": {"enabled": True},
        "gateway": {"enabled": True, "parentRefs": [{"name": "g"}]},
        "trustedProxies": ["10.0.0.0/8"],
        "publicUrl": "https://app.example:8443",
    }
    objects = render(merged(MINIMAL, on))
    ingress = find(objects, "Ingress")["spec"]
    assert ingress["rules"][0]["host"] == "app.example" and ingress["tls"][0]["hosts"] == ["app.example"]
    assert ingress["tls"][0]["secretName"] == "insula-tls"
    assert find(objects, "HTTPRoute")["spec"]["hostnames"] == ["app.example"]
    env = environment(find(objects, "Deployment", "insula-api"))
    assert env["INSULA_TRUSTED_PROXIES"] == "10.0.0.0/8" and env["INSULA_MAX_CONNECTIONS_PER_PEER"] == "10000"


def test_names_and_images():
    values = merged(MINIMAL, {"image": {"tag": "9.9"}})
    assert container(find(render(values), "Deployment", "insula-api"))["image"] == "registry.example.com/insula:9.9"
    digest = "sha256:" + "a" * 64
    api = find(render(merged(values, {"image": {"digest": digest}})), "Deployment", "insula-api")
    assert container(api)["image"] == f"registry.example.com/insula@{digest}"
    assert "custom-api" in names(render(merged(MINIMAL, {"fullnameOverride": "custom"})), "Deployment")
    long = render(merged(MINIMAL, {"fullnameOverride": "n" * 48}))
    assert all(len(o["metadata"]["name"]) <= 63 for o in long)


def test_selectors_find_the_pods():
    for case in ("monitoring", "names"):
        objects = render(merged(CASES[case], {"metrics": {"podMonitor": {"enabled": True, "interval": "15s"}}}))
        labels = {
            o["metadata"]["name"]: o["spec"]["template"]["metadata"]["labels"]
            for o in objects
            if o["kind"] == "Deployment"
        }
        selectors = [find(objects, "Service")["spec"]["selector"]]
        selectors += [
            o["spec"]["podSelector"]["matchLabels"]
            for o in objects
            if o["kind"] == "NetworkPolicy" and not o["metadata"]["name"].endswith("migrate")
        ]
        monitor = find(objects, "PodMonitor")["spec"]
        assert monitor["podMetricsEndpoints"][0]["interval"] == "15s"
        for selector in [*selectors, monitor["selector"]["matchLabels"]]:
            assert any(selector.items() <= pod.items() for pod in labels.values())
        [expression] = monitor["selector"]["matchExpressions"]
        components = {pod[expression["key"]] for pod in labels.values()}
        assert expression["operator"] == "In" and set(expression["values"]) == components == {"api", "worker"}
        # The rules and dashboards select the job "insula".
        assert {pod[monitor["jobLabel"]] for pod in labels.values()} == {"insula"}
        assert len(labels) == 2 and all(
            monitor["selector"]["matchLabels"].items() <= pod.items() for pod in labels.values()
        )


def test_network_policies():
    objects = render(CASES["strict-policies"])
    api = find(objects, "NetworkPolicy", "insula-api")["spec"]
    allowed = [peer["podSelector"]["matchLabels"] for peer in api["ingress"][1]["from"]]
    test = find(objects, "Pod", "insula-test")["metadata"]["labels"]
    assert allowed[0] == {"app": "proxy"} and allowed[1].items() <= test.items()
    ports = {
        name: {
            port["port"] for rule in find(objects, "NetworkPolicy", name)["spec"]["egress"] for port in rule["ports"]
        }
        for name in ("insula-api", "insula-worker", "insula-migrate")
    }
    assert ports == {
        "insula-api": {53, 5432, 6379, 443},
        "insula-worker": {53, 5432, 6379, 25, 465, 587, 443},
        "insula-migrate": {53, 5432, 443},
    }
    assert "ingress" not in find(objects, "NetworkPolicy", "insula-migrate")["spec"]
    assert names(render(CASES["no-policies"]), "NetworkPolicy") == []
