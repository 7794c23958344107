"""A stand-in for a Kubernetes API server, against which the real Helm installs, upgrades, tests and uninstalls.

It stores objects, checks them strictly, applies patches, refuses changes of immutable fields, and acts as controllers:
Jobs run, Deployments become ready, volumes are bound. A pod only starts if what it mounts exists.
"""

from .server import FakeCluster

__all__ = ["FakeCluster"]
