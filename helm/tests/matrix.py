"""Values that together use every part of the templates."""

import hashlib

from chart import EMBEDDED, EXAMPLES, MINIMAL, load, merged

# The program refuses keys that can be guessed.
SECRET_KEY = hashlib.sha256(b"secret key").hexdigest()
PREVIOUS_KEY = hashlib.sha256(b"previous key").hexdigest()
INLINE = {
    "image": {"repository": "insula"},
    "publicUrl": "https://insula.example:8443",
    "secretKey": {"value": SECRET_KEY, "previous": {"value": PREVIOUS_KEY}},
    "database": {"url": "postgres://login@db:5432/insula", "migration": {"url": "postgres://owner@db:5432/insula"}},
    "redis": {"url": "redis://redis:6379"},
    "smtp": {"url": "smtps://mail:465"},
    "firstSuperuser": {"email": "admin@insula.example", "password": "a long and lovely passphrase"},
}
PLACEMENT = {
    "podLabels": {"team": "platform"},
    "podAnnotations": {"example.com/note": "yes"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "insula", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "high",
}
MIGRATION_PLACEMENT = {key: PLACEMENT[key] for key in ("podAnnotations", "nodeSelector", "tolerations")}
EXTRA = {
    "extraEnv": [
        {"name": "RUST_BACKTRACE", "value": "1"},
        {"name": "HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
    ],
    "extraVolumes": [{"name": "templates", "configMap": {"name": "mail-templates"}}],
    "extraVolumeMounts": [{"name": "templates", "mountPath": "/etc/insula/mail", "readOnly": True}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}, "data": {"a": "b"}}
    ],
}
ROUTE = {"gateway": {"enabled": True, "parentRefs": [{"name": "public"}]}, "trustedProxies": ["10.0.0.0/8", "fd00::/8"]}
MONITORING = {
    "metrics": {
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Insula"}},
    }
}

CASES = {
    "minimal": MINIMAL,
    "embedded-production": EMBEDDED,
    "embedded-claim": merged(EMBEDDED, {"embedded": {"persistence": {"existingClaim": "mine"}}}, EXTRA),
    "embedded-storage-class": merged(EMBEDDED, {"embedded": {"persistence": {"storageClassName": "fast"}}}),
    "inline": INLINE,
    "inline-job": merged(INLINE, {"migrations": {"mode": "job"}}),
    "no-migration": merged(INLINE, {"migrations": {"mode": "none"}}),
    "placement": merged(MINIMAL, {"api": PLACEMENT, "worker": PLACEMENT, "migrations": MIGRATION_PLACEMENT}),
    "extra": merged(MINIMAL, EXTRA),
    "route": merged(MINIMAL, ROUTE),
    "ingress": merged(
        MINIMAL,
        {"ingress": {"enabled": True, "hosts": ["a.example", "*.b.example"]}},
        {"trustedProxies": ["10.0.0.0/8"]},
    ),
    "ingress-without-tls": merged(
        MINIMAL, {"ingress": {"enabled": True, "tls": {"enabled": False}}}, {"trustedProxies": ["10.0.0.0/8"]}
    ),
    "scaling": merged(
        MINIMAL,
        {"api": {"autoscaling": {"enabled": True}}},
        {"worker": {"keda": {"enabled": True, "prometheusUrl": "http://prometheus:9090"}}},
    ),
    "triggers": merged(
        MINIMAL,
        {
            "worker": {
                "keda": {
                    "enabled": True,
                    "triggers": [
                        {
                            "type": "cron",
                            "metadata": {
                                "timezone": "UTC",
                                "start": "0 6 * * *",
                                "end": "0 20 * * *",
                                "desiredReplicas": "5",
                            },
                        }
                    ],
                }
            }
        },
    ),
    "budgets": merged(
        MINIMAL, {"api": {"replicas": 4, "podDisruptionBudget": {"minAvailable": "50%"}}}, {"worker": {"replicas": 3}}
    ),
    "no-policies": merged(MINIMAL, {"networkPolicy": {"enabled": False}}),
    "strict-policies": merged(
        MINIMAL,
        {
            "networkPolicy": {
                "apiFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}],
                "databaseTo": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
                "redisTo": [{"podSelector": {}}],
                "smtpTo": [{"ipBlock": {"cidr": "198.51.100.7/32"}}],
                "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
            }
        },
    ),
    "authorities": merged(MINIMAL, {"ca": {"existingConfigMap": "authorities"}}),
    "service": merged(MINIMAL, {"service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}}}),
    "openshift": merged(MINIMAL, {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}),
    "names": merged(
        MINIMAL,
        {"nameOverride": "backend", "commonLabels": {"team": "platform"}},
        {"imagePullSecrets": ["registry"], "image": {"digest": "sha256:" + "0" * 64}},
        {"serviceAccount": {"create": False}, "listenAddress": "::"},
    ),
    "monitoring": merged(MINIMAL, MONITORING),
}
CASES |= {f"example-{file.parent.name}": load(file) for file in EXAMPLES}
