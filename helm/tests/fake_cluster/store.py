"""The objects of the stand-in, and what controllers do with them."""

import copy
import itertools

import kubernetes_schemas

from .kinds import KINDS, Kind

VERSION = "1.34"


class Refused(Exception):
    """A request that the API server refuses, with its HTTP status."""

    def __init__(self, status: int, reason: str, message: str):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class Store:
    """All objects by kind and name. `runs_pod` decides whether the pod of a Job or a `helm test` succeeds."""

    def __init__(self, runs_pod):
        self.objects: dict[tuple[str, str], dict] = {}
        self.history: list[tuple[str, str, str]] = []
        self.numbers = itertools.count(1)
        self.runs_pod = runs_pod

    def get(self, kind: Kind, name: str) -> dict:
        try:
            return self.objects[kind.kind, name]
        except KeyError:
            raise Refused(404, "NotFound", f'{kind.plural} "{name}" not found') from None

    def select(self, kind: Kind, labels: dict[str, str], name: str | None) -> list[dict]:
        return [
            stored
            for (stored_kind, stored_name), stored in self.objects.items()
            if stored_kind == kind.kind
            and name in (None, stored_name)
            and labels.items() <= stored["metadata"].get("labels", {}).items()
        ]

    def create(self, kind: Kind, document: dict) -> dict:
        name = document["metadata"]["name"]
        if (kind.kind, name) in self.objects:
            raise Refused(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        return self.write("create", kind, document, None)

    def update(self, kind: Kind, document: dict) -> dict:
        return self.write("update", kind, document, self.get(kind, document["metadata"]["name"]))

    def delete(self, kind: Kind, name: str) -> dict:
        removed = self.get(kind, name)
        del self.objects[kind.kind, name]
        self.history.append(("delete", kind.kind, name))
        for (owned_kind, owned_name), owned in list(self.objects.items()):
            if any(
                owner["uid"] == removed["metadata"]["uid"] for owner in owned["metadata"].get("ownerReferences", [])
            ):
                del self.objects[owned_kind, owned_name]
        return removed

    def write(self, action: str, kind: Kind, document: dict, old: dict | None) -> dict:
        document = copy.deepcopy(document)
        document.pop("status", None)
        name = document["metadata"]["name"]
        errors = kubernetes_schemas.errors(document, VERSION)
        if errors:
            raise Refused(422, "Invalid", f'{kind.kind} "{name}" is invalid: {"; ".join(errors)}')
        if old is not None:
            for path in {"Deployment": ["selector"], "Job": ["template", "selector"]}.get(kind.kind, []):
                if document["spec"].get(path) != old["spec"].get(path):
                    raise Refused(422, "Invalid", f'{kind.kind} "{name}" is invalid: spec.{path}: field is immutable')
        meta = document["metadata"]
        number = next(self.numbers)
        meta["resourceVersion"] = str(number)
        meta["uid"] = old["metadata"]["uid"] if old else f"00000000-0000-0000-0000-{number:012}"
        meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
        meta["generation"] = 1 + (old["metadata"]["generation"] if old else 0)
        self.objects[kind.kind, name] = document
        self.history.append((action, kind.kind, name))
        self.control(document)
        return document

    def control(self, document: dict) -> None:
        """What controllers and the kubelet do after a write."""
        match document["kind"]:
            case "Service":
                document["spec"].setdefault("clusterIP", "10.96.0.10")
            case "PersistentVolumeClaim":
                document["status"] = {"phase": "Bound"}
            case "Pod":
                succeeded = self.starts(document["spec"]) and self.runs_pod(document)
                document["status"] = {"phase": "Succeeded" if succeeded else "Failed"}
            case "Job":
                succeeded = self.starts(document["spec"]["template"]["spec"]) and self.runs_pod(document)
                condition = {"type": "Complete"} if succeeded else {"type": "Failed", "reason": "BackoffLimitExceeded"}
                document["status"] = {"conditions": [condition | {"status": "True"}], "succeeded": int(succeeded)}
            case "Deployment":
                self.control_deployment(document)

    def control_deployment(self, document: dict) -> None:
        meta, spec = document["metadata"], document["spec"]
        wanted = spec.setdefault("replicas", 1)
        ready = wanted if self.starts(spec["template"]["spec"]) else 0
        document["status"] = {
            "observedGeneration": meta["generation"],
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
        }
        self.objects["ReplicaSet", meta["name"]] = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"] + "-rs",
                "labels": spec["template"]["metadata"]["labels"],
                "ownerReferences": [owner],
            },
            "spec": {"replicas": wanted, "selector": spec["selector"], "template": spec["template"]},
            "status": {"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready},
        }

    def starts(self, pod: dict) -> bool:
        """Whether everything that the pod refers to exists."""
        return all(key in self.objects for key in references(pod))


def references(pod: dict) -> list[tuple[str, str]]:
    """The objects that must exist before a pod starts."""
    found = [("ServiceAccount", pod.get("serviceAccountName", "default"))]
    for volume in pod.get("volumes", []):
        if "persistentVolumeClaim" in volume:
            found.append(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        if "configMap" in volume:
            found.append(("ConfigMap", volume["configMap"]["name"]))
        for source in volume.get("projected", {}).get("sources", []):
            kind = "Secret" if "secret" in source else "ConfigMap"
            found.append((kind, (source.get("secret") or source["configMap"])["name"]))
    return found


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.kind == name)
