"""The compose files follow the compose specification and start services in the right order."""

import json

import compose
import compose_spec
import pytest


@pytest.mark.parametrize("name", compose.FILES)
def test_the_specification_accepts_the_file(name):
    compose_spec.PyCompose.from_json(json.dumps(compose.load(name)))


@pytest.mark.parametrize(
    "mistake",
    [
        {"prots": []},
        {"stop_grace_period": "soon"},
        {"depends_on": {"postgres": {"condition": "service_happy"}}},
        {"healthcheck": {"intervall": "2s"}},
    ],
)
def test_the_validation_finds_mistakes(mistake):
    file = compose.load("compose.yaml")
    file["services"]["api"] |= mistake
    with pytest.raises(Exception, match="line 1"):
        compose_spec.PyCompose.from_json(json.dumps(file))


@pytest.mark.parametrize("name", compose.FILES)
def test_services_and_volumes_exist_and_ports_are_of_this_machine(name):
    file = compose.load(name)
    for service in file["services"].values():
        assert set(service.get("depends_on", {})) <= set(file["services"])
        sources = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert {source for source in sources if not source.startswith(".")} <= set(file["volumes"])
        assert all((compose.FOLDER / source).exists() for source in sources if source.startswith("."))
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_services_wait_for_those_that_they_need():
    services = compose.load("compose.yaml")["services"]

    def conditions(name):
        return {other: wait["condition"] for other, wait in services[name]["depends_on"].items()}

    assert conditions("migrate") == {"postgres": "service_healthy"}
    assert conditions("api") == {"migrate": "service_completed_successfully", "valkey": "service_healthy"}
    assert conditions("worker") == {"api": "service_healthy", "mailpit": "service_healthy"}
    for name in ("postgres", "valkey", "mailpit"):
        assert services[name]["healthcheck"]["test"]
    with_owner = [
        name for name, service in services.items() if "INSULA_MIGRATION_DATABASE_URL" in service.get("environment", {})
    ]
    assert with_owner == ["migrate"]
    assert {name for name, service in services.items() if service.get("profiles") == ["observability"]} == {"lgtm"}
