"""The HTTP side of the stand-in."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from . import patches, protobuf
from .kinds import KINDS, Kind, find
from .store import VERSION, Refused, Store, kind_named

OPENAPI = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class FakeCluster:
    """A running stand-in with one namespace. `failing` are the names of Jobs and Pods that do not succeed."""

    def __init__(self, folder: Path, namespace: str = "prod"):
        self.namespace = namespace
        self.failing: set[str] = set()
        self.ran: list[dict] = []
        self.store = Store(self.runs_pod)
        self.stop = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"cluster": self}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.create("Namespace", namespace)
        self.create("ServiceAccount", "default")
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "fake",
                    "clusters": [
                        {"name": "fake", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}
                    ],
                    "contexts": [
                        {"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": namespace}}
                    ],
                    "users": [{"name": "fake", "user": {}}],
                }
            )
        )

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()

    def runs_pod(self, workload: dict) -> bool:
        self.ran.append(workload)
        return workload["metadata"]["name"] not in self.failing

    def create(self, kind: str, name: str, **content) -> None:
        """Creates an object that exists before the release."""
        known = kind_named(kind)
        metadata = {"name": name} | ({"namespace": self.namespace} if known.namespaced else {})
        document = {"apiVersion": known.api_version, "kind": kind, "metadata": metadata, **content}
        self.store.create(known, document)

    def get(self, kind: str, name: str) -> dict:
        return self.store.objects[kind, name]

    def has(self, kind: str, name: str) -> bool:
        return (kind, name) in self.store.objects

    def names(self) -> set[tuple[str, str]]:
        """What users would see of releases; without Helm's own Secrets and what controllers make."""
        return {
            (kind, name)
            for kind, name in self.store.objects
            if kind not in ("ReplicaSet", "Namespace") and not name.startswith("sh.helm.") and name != "default"
        }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    cluster: FakeCluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        url = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = url.path.strip("/").split("/")
        try:
            if parts == ["openapi", "v2"]:
                return self.send(200, b"", OPENAPI)
            if parts[0] in ("api", "apis") or parts == ["version"]:
                document = self.discover(parts) if len(parts) < 3 or len(parts) == 3 and parts[0] == "apis" else None
                return self.send_json(200, document) if document else self.resource(parts)
            raise Refused(404, "NotFound", f"{url.path} is unknown")
        except Refused as refused:
            status = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "code": refused.status,
                "reason": refused.reason,
                "message": refused.message,
            }
            self.send_json(refused.status, status)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def discover(self, parts: list[str]) -> dict | None:
        versions = sorted({kind.api_version for kind in KINDS if "/" in kind.api_version})
        if parts == ["version"]:
            major, minor = VERSION.split(".")
            return {"major": major, "minor": minor, "gitVersion": f"v{VERSION}.0"}
        if parts == ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        if parts == ["apis"]:
            groups = [{"groupVersion": version, "version": version.split("/")[1]} for version in versions]
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [
                    {"name": group["groupVersion"].split("/")[0], "versions": [group], "preferredVersion": group}
                    for group in groups
                ],
            }
        version = "/".join(parts[1:])
        found = [kind.discovery() for kind in KINDS if kind.api_version == version]
        return (
            {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found}
            if found
            else None
        )

    def resource(self, parts: list[str]) -> None:
        api_version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        if rest[0] == "namespaces" and len(rest) > 2:
            rest = rest[2:]
        kind = find(api_version, rest[0])
        if kind is None or len(rest) > 2:
            raise Refused(404, "NotFound", f"{'/'.join(parts)} is unknown")
        name = rest[1] if len(rest) == 2 else None
        store = self.cluster.store
        match self.command:
            case "GET" if name:
                self.send_json(200, store.get(kind, name))
            case "GET" if "watch" in self.query:
                self.watch()
            case "GET":
                self.send_json(200, self.list(kind))
            case "POST":
                self.send_json(201, store.create(kind, self.document()))
            case "PUT":
                self.send_json(200, store.update(kind, self.document()))
            case "PATCH":
                strategic = "strategic" in self.headers["Content-Type"]
                if strategic and kind.is_custom:
                    raise Refused(415, "UnsupportedMediaType", "custom resources have no strategic merge patch")
                patched = patches.apply(store.get(kind, name), json.loads(self.body), strategic)
                self.send_json(200, store.update(kind, patched))
            case "DELETE":
                self.send_json(200, store.delete(kind, name))

    def list(self, kind: Kind) -> dict:
        labels = dict(pair.split("=", 1) for pair in self.query.get("labelSelector", "").split(",") if "=" in pair)
        name = self.query.get("fieldSelector", "").removeprefix("metadata.name=") or None
        items = self.cluster.store.select(kind, labels, name)
        return {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": {"resourceVersion": "1"},
            "items": items,
        }

    def watch(self) -> None:
        # Everything happens at once, so that nothing follows the list.
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.cluster.stop.wait(30)

    def document(self) -> dict:
        return protobuf.secret(self.body) if self.body.startswith(protobuf.HEADER) else json.loads(self.body)

    def send_json(self, status: int, document: dict) -> None:
        self.send(status, json.dumps(document).encode(), "application/json")

    def send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
