"""Required anti-affinity that keeps nobody apart, as nodes lack the label that it goes by.

kube-scheduler lets such a pod stand on any node without the label, and so does a decision; whoever misspelt
the label should hear of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from binwright_optimizer.model import ExistingPlacement, NodeClaim, PodRange, Problem, labels

MOST_NAMED = 3
"""Workloads that a warning names before it stops."""


def unbound_terms(
    problem: Problem, claims: Iterable[NodeClaim], existing: Iterable[ExistingPlacement]
) -> tuple[str, ...]:
    """Warnings about pods placed on nodes without the topology key of their own required anti-affinity."""
    keys_of = {
        w: {term.topology_key for term in workload.template.pod_anti_affinity.required} - {labels.HOSTNAME}
        for w, workload in enumerate(problem.workloads)
        if workload.template.pod_anti_affinity.required
    }
    if not any(keys_of.values()):
        return ()
    unbound: dict[str, Counter[int]] = {}
    seen: set[str] = set()
    for carried, pods in _nodes(problem, claims, existing):
        seen |= carried.keys()
        for each in pods:
            for key in keys_of.get(each.workload, ()):
                if key not in carried:
                    unbound.setdefault(key, Counter())[each.workload] += each.count
    return tuple(
        _warning(problem, key, counts, is_known=key in seen) for key, counts in sorted(unbound.items())
    )


def _nodes(
    problem: Problem, claims: Iterable[NodeClaim], existing: Iterable[ExistingPlacement]
) -> Iterator[tuple[Mapping[str, str], tuple[PodRange, ...]]]:
    """Labels of each node, and the pods that are placed on it."""
    known: dict[int, dict[str, str]] = {}  # NodeClaims of one kind share their labels
    for claim in claims:
        carried = known.get(id(claim.labels))
        if carried is None:
            carried = known[id(claim.labels)] = dict(claim.labels)
        yield carried, claim.pods
    placed = {placement.node: placement.pods for placement in existing}
    for node in problem.existing_nodes:
        yield dict(node.labels), placed.get(node.name, ())


def _warning(problem: Problem, key: str, counts: Counter[int], *, is_known: bool) -> str:
    named = [problem.workloads[w] for w in sorted(counts)[:MOST_NAMED]]
    names = ", ".join(f"{w.kind} {w.namespace}/{w.name}" for w in named)
    names += ", ..." if len(counts) > MOST_NAMED else ""
    total = counts.total()
    pods = "1 pod" if total == 1 else f"{total} pods"
    why = f"their nodes have no label {key}" if is_known else f"no node, bought or running, has a label {key}"
    return (
        f"required anti-affinity of {names} keeps {pods} apart from nobody, as kube-scheduler reads it: {why}"
    )
