"""Pods with required rules about other pods, as messages of the scheduling API."""

from __future__ import annotations

from collections.abc import Mapping

from binwright.v1 import problem_pb2
from clusters import Cluster, template

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def labelled(labels: Mapping[str, str], cpu: str = "1") -> problem_pb2.PodTemplate:
    """A pod with labels."""
    pod = template(cpu)
    pod.labels.update(labels)
    return pod


def apart(key: str, app: str = "db", cpu: str = "1") -> problem_pb2.PodTemplate:
    """A pod of an app that keeps away from its like."""
    pod = labelled({"app": app}, cpu)
    term = pod.pod_anti_affinity.required.add(topology_key=key)
    term.label_selector.match_labels["app"] = app
    return pod


def apart_by_team(team: str) -> problem_pb2.PodTemplate:
    """A pod that keeps away from databases in the namespaces of a team, and in no others."""
    pod = apart(HOST)
    pod.pod_anti_affinity.required[0].namespace_selector.match_labels["team"] = team
    return pod


def near(key: str, app: str = "db", own: str = "web") -> problem_pb2.PodTemplate:
    """A pod of one app that must be near to another."""
    pod = labelled({"app": own})
    pod.pod_affinity.required.add(topology_key=key).label_selector.match_labels["app"] = app
    return pod


def spread(key: str, skew: int = 1, app: str = "web", cpu: str = "1") -> problem_pb2.PodTemplate:
    """A pod that is spread evenly with its like."""
    pod = labelled({"app": app}, cpu)
    constraint = pod.topology_spread_constraints.add(
        topology_key=key, max_skew=skew, when_unsatisfiable="DoNotSchedule"
    )
    constraint.label_selector.match_labels["app"] = app
    return pod


def taking(*ports: str) -> problem_pb2.PodTemplate:
    """A pod that takes host ports, each written as ``port``, ``port/protocol`` or ``address:port``."""
    pod = template()
    for port in ports:
        rest, _, protocol = port.partition("/")
        address, _, number = rest.rpartition(":")
        pod.host_ports.add(port=int(number), protocol=protocol, host_ip=address)
    return pod


def zones(*names: str) -> Cluster:
    """A node of each letter, in the zone of that letter; "a" and "a2" share zone a."""
    cluster = Cluster()
    for name in names:
        cluster.node(name, labels={ZONE: name[0]})
    return cluster
