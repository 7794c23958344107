"""The services of the compose files that run our image, as processes."""

import json
import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import compose
import pg8000.native
import pytest
from processes.pod import free_port

IMAGE = {"INSULA_DATA_DIR": "/var/lib/insula"}


@pytest.fixture
def services(binary, tmp_path):
    """Starts services. Hosts and folders are those of this machine."""
    admin, redis = urlsplit(os.environ["INSULA_TEST_POSTGRES_ADMIN_URL"]), os.environ["INSULA_TEST_REDIS_URL"]
    running = []

    def start(service: dict, *command: str):
        environment = IMAGE | {"INSULA_OPS_BIND": f"127.0.0.1:{free_port()}", "INSULA_BIND": f"127.0.0.1:{free_port()}"}
        environment |= compose.environment(service)
        environment = {
            name: value.replace("@postgres:5432", f"@{admin.hostname}:{admin.port}")
            .replace("redis://valkey:6379", redis)
            .replace("/var/lib/insula", str(tmp_path / "data"))
            for name, value in environment.items()
        }
        arguments = command or service.get("command", ["serve"])
        log = (tmp_path / f"log-{len(running)}").open("w+")
        process = subprocess.Popen([binary, *arguments], env=environment, cwd=tmp_path, stdout=log, stderr=log)
        process.environment, process.log = environment, Path(log.name)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def ready(process) -> None:
    url = f"http://{process.environment['INSULA_OPS_BIND']}/readyz"
    for _ in range(300):
        assert process.poll() is None, process.log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(process.log.read_text())


@pytest.mark.parametrize("name", compose.FILES)
def test_the_program_accepts_every_environment(name, services):
    for service in compose.own_services(name).values():
        process = services(service, "config", "check")
        assert process.wait(30) == 0, process.log.read_text()


def test_compose(services):
    admin = urlsplit(os.environ["INSULA_TEST_POSTGRES_ADMIN_URL"])
    with pg8000.native.Connection(
        admin.username, host=admin.hostname, port=admin.port, database="postgres"
    ) as connection:
        script = re.sub(r"^--.*$", "", (compose.FOLDER / "postgres-logins.sql").read_text(), flags=re.MULTILINE)
        for statement in script.split(";"):
            if statement.strip():
                connection.run(statement)
    own = compose.own_services("compose.yaml")
    migration = services(own["migrate"])
    assert migration.wait(60) == 0, migration.log.read_text()
    api = services(own["api"])
    ready(api)
    ready(services(own["worker"]))
    with urllib.request.urlopen(f"http://{api.environment['INSULA_BIND']}/health", timeout=5) as answer:
        assert json.load(answer)["status"] == "ok"


def test_compose_embedded(services):
    ready(services(compose.own_services("compose.embedded.yaml")["insula"]))
