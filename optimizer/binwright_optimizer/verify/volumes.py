"""Volumes: where they can be attached, how many a node takes, and who may share them.

Pods of a namespace that mount the same named volume share one attachment on a node; a volume without a
name is each pod's own. On a running node the limits are those still free, and a volume that a running
pod mounts is attached already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from binwright_optimizer.model import AttachLimit, PodTemplate, Volume
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding, Node
from binwright_optimizer.verify.nodes import refused_requirement

Claim = tuple[str, str]
"""Namespace and name of a volume that pods share."""


def own_attachments(template: PodTemplate) -> dict[str, int]:
    """Attachments by driver that one pod alone on a node needs."""
    named = {(v.driver, v.name) for v in template.volumes if v.name and v.driver}
    drivers = [driver for driver, _ in named]
    drivers += [v.driver for v in template.volumes if v.driver and not v.name]
    return {driver: drivers.count(driver) for driver in drivers}


def attach_limits(*limits: Iterable[AttachLimit]) -> dict[str, int]:
    """The lowest limit by driver."""
    lowest: dict[str, int] = {}
    for limit in (limit for group in limits for limit in group):
        lowest[limit.driver] = min(limit.count, lowest.get(limit.driver, limit.count))
    return lowest


def check_volumes(state: FinalState) -> Iterator[Finding]:
    """Placed pods whose volumes cannot be attached to their node, or not beside the others'."""
    mounting = [k for k in state.placed_kinds() if state.book.kinds[k].template.volumes]
    yield from _topology(state, mounting)
    yield from _attachments(state)
    yield from _sharing(state, mounting)


def admits_volume(volume: Volume, node: Node) -> bool:
    """Whether a volume can be attached to a node, by its topology."""
    return not volume.topology or any(
        refused_requirement(term, node.labels, is_new=node.is_new) is None for term in volume.topology
    )


def _topology(state: FinalState, mounting: list[int]) -> Iterator[Finding]:
    for k in mounting:
        for volume in state.book.kinds[k].template.volumes:
            if not volume.topology:
                continue
            known: dict[int, bool] = {}
            for n in state.new(k).nodes.tolist():
                node = state.nodes[n]
                if id(node.labels) not in known:
                    known[id(node.labels)] = admits_volume(volume, node)
                if not known[id(node.labels)]:
                    yield Finding(
                        Rule.VOLUMES,
                        f"volume {_name(volume)} of pod {state.pod(k, n)} cannot be attached to {node.name}: "
                        "none of its topology terms holds there",
                    )


def needed_attachments(state: FinalState) -> dict[int, dict[str, tuple[int, int]]]:
    """By node and driver: volumes to attach, and a kind that mounts one of them."""
    shared: dict[tuple[int, str], set[Claim]] = {}
    own: dict[tuple[int, str], int] = {}
    someone: dict[tuple[int, str], int] = {}
    for k in state.placed_kinds():
        kind = state.book.kinds[k]
        for volume in kind.template.volumes:
            if not volume.driver:
                continue
            placed = state.new(k)
            for n, count in zip(placed.nodes.tolist(), placed.counts.tolist(), strict=True):
                someone.setdefault((n, volume.driver), k)
                if volume.name:
                    shared.setdefault((n, volume.driver), set()).add((kind.namespace, volume.name))
                else:
                    own[n, volume.driver] = own.get((n, volume.driver), 0) + count
    for running in state.book.running:
        kind = state.book.kinds[running.kind]
        for volume in kind.template.volumes:
            if volume.name and (running.node, volume.driver) in shared:
                shared[running.node, volume.driver].discard((kind.namespace, volume.name))
    needed: dict[int, dict[str, tuple[int, int]]] = {}
    for (n, driver), k in someone.items():
        count = len(shared.get((n, driver), ())) + own.get((n, driver), 0)
        needed.setdefault(n, {})[driver] = (count, k)
    return needed


def _attachments(state: FinalState) -> Iterator[Finding]:
    pools = {pool.name: pool for pool in state.problem.node_pools}
    for n, drivers in needed_attachments(state).items():
        node = state.nodes[n]
        if node.existing is not None:
            limits = attach_limits(node.existing.attach_limits)
        else:
            pool = pools.get(node.claim.node_pool) if node.claim else None
            limits = attach_limits(
                node.kind.attach_limits if node.kind else (), pool.attach_limits if pool else ()
            )
        for driver, (needed, k) in drivers.items():
            if needed > limits.get(driver, needed):
                yield Finding(
                    Rule.VOLUMES,
                    f"{node.name} has to attach {needed} volumes of {driver}, those of pod {state.pod(k, n)} "
                    f"among them; its limit is {limits[driver]}",
                )


def _sharing(state: FinalState, mounting: list[int]) -> Iterator[Finding]:
    """Volumes for one pod, or one node, at a time; what running pods do among themselves stands."""
    users: dict[Claim, dict[int, int]] = {}
    volumes: dict[Claim, list[Volume]] = {}
    someone: dict[Claim, tuple[int, int]] = {}
    for k in mounting:
        kind = state.book.kinds[k]
        placed = state.new(k)
        for claim, volume in _claims(kind.namespace, kind.template):
            volumes.setdefault(claim, []).append(volume)
            for n, count in zip(placed.nodes.tolist(), placed.counts.tolist(), strict=True):
                someone.setdefault(claim, (k, n))
                on_node = users.setdefault(claim, {})
                on_node[n] = on_node.get(n, 0) + count
    running: dict[Claim, dict[int, int]] = {}
    for pods in state.book.running:
        kind = state.book.kinds[pods.kind]
        for claim, volume in _claims(kind.namespace, kind.template):
            if claim in users:
                volumes[claim].append(volume)
                on_node = running.setdefault(claim, {})
                on_node[pods.node] = on_node.get(pods.node, 0) + pods.count
    for claim, placed_on in users.items():
        k, n = someone[claim]
        before = running.get(claim, {})
        total = sum(placed_on.values()) + sum(before.values())
        if total > 1 and any(volume.is_exclusive for volume in volumes[claim]):
            yield Finding(
                Rule.SHARED_VOLUMES,
                f"volume {claim[0]}/{claim[1]} is for one pod at a time, {total} pods with "
                f"{state.pod(k, n)} mount it",
            )
        is_apart = len(placed_on) > 1 or (before and not placed_on.keys() <= before.keys())
        if is_apart and any(volume.is_single_node for volume in volumes[claim]):
            names = sorted(state.nodes[m].name for m in placed_on.keys() | before.keys())
            yield Finding(
                Rule.SHARED_VOLUMES,
                f"volume {claim[0]}/{claim[1]} of pod {state.pod(k, n)} is for one node at a time, its pods "
                f"are on {', '.join(names)}",
            )


def _claims(namespace: str, template: PodTemplate) -> Iterator[tuple[Claim, Volume]]:
    seen = set()
    for volume in template.volumes:
        if volume.name and volume.name not in seen:
            seen.add(volume.name)
            yield (namespace, volume.name), volume


def _name(volume: Volume) -> str:
    return volume.name or "(its own)"
