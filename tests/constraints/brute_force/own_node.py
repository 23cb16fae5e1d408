"""Rules between the pods of one node: caps, host ports and volumes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from binwright_optimizer.model import Problem

from brute_force.fitting import admits, any_term
from brute_force.nodes import Node, Pod


def caps_hold(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]) -> bool:
    """Caps per node of placed pods, and those of running pods where a placed pod is counted."""
    everyone = [*placed, *running]
    for pod in everyone:
        for cap in pod.template.node_caps:
            counted = [
                o
                for o in everyone
                if o.node is pod.node and o.namespace == pod.namespace and cap.selector.matches(o.labels)
            ]
            is_ours = pod.is_new or any(o.is_new for o in counted)
            if is_ours and len(counted) > cap.max_pods:
                return False
    return True


def ports_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Host ports: no pod wants one that another pod, or a daemon, of its node has."""
    for pod in placed:
        holders = [o.template for o in (*placed, *running) if o is not pod and o.node is pod.node]
        holders += [d.template for d in problem.daemon_sets if admits(d.template, pod.node)]
        for template in holders:
            for mine, theirs in itertools.product(pod.template.host_ports, template.host_ports):
                if (mine.port, mine.protocol) == (theirs.port, theirs.protocol) and (
                    mine.host_ip == theirs.host_ip or "0.0.0.0" in (mine.host_ip, theirs.host_ip)
                ):
                    return False
    return True


def volumes_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Volumes: attachable, and shared only as they may be."""
    if not attachable(problem, nodes, placed, running):
        return False
    everyone = [*placed, *running]
    for pod in placed:
        for volume in pod.template.volumes:
            if not volume.name:
                continue
            sharing = [
                (o, v)
                for o in everyone
                if o.namespace == pod.namespace
                for v in o.template.volumes
                if v.name == volume.name
            ]
            others = [o for o, _ in sharing if o is not pod]
            if others and any(v.is_exclusive for _, v in sharing):
                return False
            if any(v.is_single_node for _, v in sharing):
                old = [o.node for o in others if not o.is_new]
                if old and pod.node not in old:
                    return False
                if any(o.node is not pod.node for o in others if o.is_new):
                    return False
    return True


def attachable(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    for pod in placed:
        for volume in pod.template.volumes:
            if volume.topology and not any_term(volume.topology, pod.node):
                return False
    for node in nodes:
        mine = [pod for pod in placed if pod.node is node]
        if node.existing is not None:
            limits = list(node.existing.attach_limits)
        else:
            assert node.option is not None
            limits = [*node.option.kind.attach_limits, *node.option.pool.attach_limits]
        attached = {
            (pod.namespace, v.driver, v.name)
            for pod in running
            if pod.node is node
            for v in pod.template.volumes
        }
        for limit in limits:
            shared = {
                (pod.namespace, v.driver, v.name)
                for pod in mine
                for v in pod.template.volumes
                if v.name and v.driver == limit.driver
            }
            own = [v for pod in mine for v in pod.template.volumes if not v.name and v.driver == limit.driver]
            needed = len(shared - attached) + len(own)
            if needed > limit.count and (shared or own):
                return False
    return True
