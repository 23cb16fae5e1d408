"""Which labels of a pod the server needs: those that some rule between pods looks at.

Most pods differ in labels that no rule looks at (the hash of a ReplicaSet, the name in a StatefulSet);
without them, pods that are equal for scheduling are equal for us, and so are the answers about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from binwright.v1 import constraints_pb2, problem_pb2


def without_other_labels(pod: problem_pb2.PodTemplate, keys: Iterable[str]) -> problem_pb2.PodTemplate:
    """The pod without labels that neither its own rules nor ``keys`` name; itself if it has no others.

    >>> pod = problem_pb2.PodTemplate(labels={"app": "web", "hash": "a1", "tier": "front"})
    >>> pod.topology_spread_constraints.add().label_selector.match_labels["app"] = "web"
    >>> sorted(without_other_labels(pod, ["tier"]).labels)
    ['app', 'tier']
    """
    if not pod.labels:
        return pod
    kept = {*keys, *_own_keys(pod)}
    others = [key for key in pod.labels if key not in kept]
    if not others:
        return pod
    told = problem_pb2.PodTemplate()
    told.CopyFrom(pod)
    for key in others:
        del told.labels[key]
    return told


def _own_keys(pod: problem_pb2.PodTemplate) -> Iterator[str]:
    for constraint in pod.topology_spread_constraints:
        yield from _selected_keys(constraint.label_selector)
        yield from constraint.match_label_keys
    for affinity in (pod.pod_affinity, pod.pod_anti_affinity):
        for term in affinity.required:
            yield from _selected_keys(term.label_selector)
            yield from term.match_label_keys
            yield from term.mismatch_label_keys


def _selected_keys(selector: constraints_pb2.LabelSelector) -> Iterator[str]:
    yield from selector.match_labels
    yield from (expression.key for expression in selector.match_expressions)
