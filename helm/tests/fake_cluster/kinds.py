"""The kinds of objects that the stand-in knows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind: its API version, its name, and its name in URLs."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def is_custom(self) -> bool:
        return self.api_version.split("/")[0] in ("monitoring.coreos.com", "keda.sh", "gateway.networking.k8s.io")

    def discovery(self) -> dict:
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        return {
            "name": self.plural,
            "singularName": self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": verbs,
        }


KINDS = [
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Service", "services"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "Pod", "pods"),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("apps/v1", "ReplicaSet", "replicasets"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
    Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects"),
    Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
]


def find(api_version: str, plural: str) -> Kind | None:
    return next((kind for kind in KINDS if (kind.api_version, kind.plural) == (api_version, plural)), None)
