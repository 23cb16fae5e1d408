"""The harness itself: the real control plane takes pods, and kwok makes nodes ready."""

from __future__ import annotations

import time

import pytest
from cluster import Cluster
from kubernetes import client

pytestmark = pytest.mark.interop


def test_kwok_makes_a_node_ready(cluster: Cluster) -> None:
    cluster.start_kwok()
    with cluster.api() as api:
        core = client.CoreV1Api(api)
        core.create_node({"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "4"}}})
        deadline = time.monotonic() + 30
        while True:
            conditions = core.read_node("n1").status.conditions or []
            if any(c.type == "Ready" and c.status == "True" for c in conditions):
                break
            assert time.monotonic() < deadline, conditions
            time.sleep(0.5)
