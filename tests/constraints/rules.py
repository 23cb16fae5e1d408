"""Small builders for rules: selectors by app, pods with rules, nodes with running pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from binwright_optimizer.model import (
    ExistingNode,
    LabelSelector,
    NodeInclusionPolicy,
    Operator,
    PodAffinity,
    PodAffinityTerm,
    Requirement,
    RunningPods,
    TopologySpread,
    WhenUnsatisfiable,
    Workload,
    labels,
)
from builders import existing_node, pod

ZONE = labels.ZONE
HOSTNAME = labels.HOSTNAME


def apps(*names: str) -> LabelSelector:
    """The selector of pods of these apps; of all pods without a name."""
    if not names:
        return LabelSelector()
    if len(names) == 1:
        return LabelSelector.of_labels({"app": names[0]})
    return LabelSelector((Requirement("app", Operator.IN, names),))


def ruled(
    name: str,
    replicas: int = 1,
    *,
    cpu: float = 1,
    gpu: int = 0,
    app: str | None = None,
    more_labels: Mapping[str, str] | None = None,
    namespace: str = "default",
    gang: str = "",
    spot: Any = None,
    selector: Mapping[str, str] | None = None,
    affinity: Sequence[Any] = (),
    tolerations: Sequence[str] = (),
    **rules: Any,
) -> Workload:
    """A workload whose pods carry ``app=<name>`` and state these rules."""
    plain = pod(
        name,
        cpu=cpu,
        gpu=gpu,
        replicas=replicas,
        namespace=namespace,
        selector=selector,
        affinity=affinity,
        tolerations=tolerations,
    )
    own = {"app": app or name, **(more_labels or {})}
    template = dataclasses.replace(plain.template, labels=tuple(sorted(own.items())), **rules)
    extra = {} if spot is None else {"spot": spot}
    return dataclasses.replace(plain, template=template, gang=gang, **extra)


def spread(
    key: str,
    max_skew: int = 1,
    selector: LabelSelector | None = None,
    *,
    anyway: bool = False,
    min_domains: int = 1,
    ignores_affinity: bool = False,
    honors_taints: bool = False,
    match: Sequence[str] = (),
) -> TopologySpread:
    """A topology spread constraint."""
    return TopologySpread(
        key,
        max_skew,
        WhenUnsatisfiable.SCHEDULE_ANYWAY if anyway else WhenUnsatisfiable.DO_NOT_SCHEDULE,
        selector,
        min_domains,
        NodeInclusionPolicy.IGNORE if ignores_affinity else NodeInclusionPolicy.HONOR,
        NodeInclusionPolicy.HONOR if honors_taints else NodeInclusionPolicy.IGNORE,
        tuple(match),
    )


def term(key: str, selector: LabelSelector | None, **others: Any) -> PodAffinityTerm:
    """An affinity term."""
    return PodAffinityTerm(key, selector, **others)


def near(key: str, *names: str, **others: Any) -> PodAffinity:
    """Required affinity to pods of these apps."""
    return PodAffinity((term(key, apps(*names), **others),))


away = near
"""The same terms, as anti-affinity."""


def running(workload: Workload, count: int = 1) -> RunningPods:
    """Pods of a workload that run already."""
    return RunningPods(workload.template, count, workload.namespace, workload.gang)


def node(
    name: str,
    *pods: RunningPods,
    cpu: float = 8,
    zone: str = "",
    node_labels: Mapping[str, str] | None = None,
    taints: Sequence[str] = (),
    gpu: int = 0,
    attach_limits: Sequence[Any] = (),
) -> ExistingNode:
    """An existing node in a zone, with pods that run on it."""
    carried = {**({ZONE: zone} if zone else {}), **(node_labels or {})}
    plain = existing_node(name, cpu=cpu, gpu=gpu, node_labels=carried, taints=taints)
    return dataclasses.replace(plain, pods=tuple(pods), attach_limits=tuple(attach_limits))
