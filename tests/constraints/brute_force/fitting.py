"""One pod on one node: labels and taints."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import NodeSelectorTerm, Operator, PodTemplate, Requirement, labels

from brute_force.nodes import Node


def satisfies(requirement: Requirement, node: Node) -> bool:
    if requirement.key == labels.HOSTNAME and node.existing is None:
        # The name will be one that nobody can have asked for.
        return requirement.operator in (Operator.EXISTS, Operator.NOT_IN)
    return requirement.admits(node.labels.get(requirement.key))


def any_term(terms: Sequence[NodeSelectorTerm], node: Node) -> bool:
    return any(term and all(satisfies(r, node) for r in term) for term in terms)


def selects_node(template: PodTemplate, node: Node) -> bool:
    """Whether node selector and required node affinity admit a node."""
    if not all(satisfies(r, node) for r in template.node_selector):
        return False
    return not template.node_affinity or any_term(template.node_affinity, node)


def tolerates(template: PodTemplate, node: Node) -> bool:
    """Whether a pod ignores every taint that would repel it."""
    return all(
        any(toleration.tolerates(taint) for toleration in template.tolerations)
        for taint in node.taints
        if taint.repels
    )


def admits(template: PodTemplate, node: Node) -> bool:
    """Whether labels and taints of a node let a pod run there."""
    return selects_node(template, node) and tolerates(template, node)
