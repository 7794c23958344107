"""Pods as processes, and a private database for them."""

import os
import shutil
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import chart
import pg8000.native
import pytest
from processes.pod import Pod


@pytest.fixture(scope="session")
def public_folder():
    """A folder that other users can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="insula-helm-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def binary(public_folder) -> Path:
    """The program, where the user of the pods can run it."""
    return Path(shutil.copy(os.environ["INSULA_BINARY"], public_folder / "insula"))


@pytest.fixture
def make_pod(binary, public_folder):
    """Makes a pod of one workload. Pods with the same `place` share their volumes."""
    test_folder = Path(tempfile.mkdtemp(dir=public_folder))
    test_folder.chmod(0o755)
    pods = []

    def make(objects, kind, name=None, secrets=None, place=None) -> Pod:
        folder = test_folder / (place or f"pod-{len(pods)}")
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        pods.append(Pod(binary, folder, objects, chart.find(objects, kind, name), secrets or {}))
        return pods[-1]

    yield make
    for pod in pods:
        pod.close()


class Database:
    """A new PostgreSQL database with the two logins that the README creates."""

    def __init__(self):
        self.admin = urlsplit(os.environ["INSULA_TEST_POSTGRES_ADMIN_URL"])
        self.redis = os.environ["INSULA_TEST_REDIS_URL"]
        self.name = f"helm_{uuid.uuid4().hex[:12]}"
        self.run(
            f"CREATE ROLE {self.name}_owner LOGIN CREATEROLE",
            f"CREATE ROLE {self.name}_login LOGIN NOINHERIT",
            f"CREATE DATABASE {self.name} OWNER {self.name}_owner",
        )

    def run(self, *statements: str) -> None:
        admin = self.admin
        with pg8000.native.Connection(
            admin.username, host=admin.hostname, port=admin.port, database="postgres"
        ) as connection:
            for statement in statements:
                connection.run(statement)

    def url(self, login: str) -> str:
        return f"postgres://{self.name}_{login}@{self.admin.hostname}:{self.admin.port}/{self.name}"

    def values(self) -> dict:
        return {
            "database": {"url": self.url("login"), "migration": {"url": self.url("owner")}},
            "redis": {"url": self.redis},
        }


@pytest.fixture
def database():
    database = Database()
    yield database
    database.run(f"DROP DATABASE {database.name} WITH (FORCE)")
