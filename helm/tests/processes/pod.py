"""Runs the container of a rendered pod as a process: its arguments, environment, files, probes and end."""

import base64
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import chart

# What kubelet sets in every container.
KUBELET = {
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "KUBERNETES_PORT": "tcp://10.96.0.1:443",
    "HOSTNAME": "insula-0",
}
USER = 65532


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Pod:
    """One container of the release. `secrets` are the contents of files from Secrets that are not in the release.

    Only what a machine without containers needs is changed: mounted folders are in `folder`, and ports are free ones of
    loopback. As root, the process runs as the user of the chart.
    """

    def __init__(self, binary: Path, folder: Path, objects: list[dict], workload: dict, secrets: dict[str, str]):
        self.folder, self.workload = folder, workload
        self.container, self.spec = chart.container(workload), chart.pod_spec(workload)
        self.ports = {port["containerPort"]: free_port() for port in self.container.get("ports", [])}
        self.mounts = {
            mount["mountPath"]: self.mount(objects, mount["name"], secrets)
            for mount in self.container.get("volumeMounts", [])
        }
        self.command = [binary, *self.container["args"]]
        variables = {v["name"]: v["value"] for v in self.container.get("env", []) if "value" in v}
        self.environment = KUBELET | {name: self.local(value) for name, value in variables.items()}
        self.process = None

    def mount(self, objects: list[dict], name: str, secrets: dict[str, str]) -> Path:
        [volume] = [volume for volume in self.spec["volumes"] if volume["name"] == name]
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        if "projected" not in volume:
            give_away(place, USER)
            return place
        for source in volume["projected"]["sources"]:
            content = source.get("secret") or source["configMap"]
            data = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "Secret"}.get(content["name"])
            for item in content["items"]:
                file = place / item["path"]
                file.unlink(missing_ok=True)
                file.write_text(base64.b64decode(data[item["key"]]).decode() if data else secrets[item["path"]])
                # Files belong to root and the group of the pod.
                give_away(file, -1)
                file.chmod(volume["projected"]["defaultMode"])
        return place

    def local(self, value: str) -> str:
        for path, place in self.mounts.items():
            if value == path or value.startswith(f"{path}/"):
                return f"{place}{value.removeprefix(path)}"
        address, separator, port = value.rpartition(":")
        if separator and address in ("0.0.0.0", "[::]"):
            return f"127.0.0.1:{self.ports[int(port)]}"
        return value

    def start(self) -> "Pod":
        # The root file system is read-only: so is the folder in which the process starts.
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        root.chmod(0o555)
        as_user = {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}
        self.log = (self.folder / "log").open("a+")
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            **as_user,
        )
        return self

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def wait(self, seconds: float = 60) -> int:
        """The exit code, for pods that end by themselves."""
        return self.process.wait(seconds)

    def get(self, port: int, path: str) -> int:
        """The status of an answer; 0 without one."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def probe(self, kind: str) -> int:
        request = self.container[f"{kind}Probe"]["httpGet"]
        [port] = [p["containerPort"] for p in self.container["ports"] if p["name"] == request["port"]]
        return self.get(port, request["path"])

    def becomes(self, kind: str) -> None:
        """Waits until a probe succeeds, as long as Kubernetes would. Fails with the log."""
        probe = self.container[f"{kind}Probe"]
        deadline = time.monotonic() + probe["periodSeconds"] * probe["failureThreshold"]
        while not 200 <= self.probe(kind) < 400:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < deadline, f"the {kind} probe fails:\n{self.output()}"
            time.sleep(0.1)

    def started(self) -> None:
        self.becomes("startup")
        self.becomes("liveness")
        self.becomes("readiness")

    def stop(self) -> float:
        """Ends it like kubelet, within its grace period. Returns the seconds that it took."""
        grace = self.spec["terminationGracePeriodSeconds"]
        grace -= self.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        begin = time.monotonic()
        self.process.terminate()
        try:
            assert self.process.wait(grace) == 0, self.output()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not stop within {grace} s:\n{self.output()}") from None
        return time.monotonic() - begin

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def give_away(place: Path, user: int) -> None:
    if os.getuid() == 0:
        shutil.chown(place, user if user >= 0 else None, USER)
