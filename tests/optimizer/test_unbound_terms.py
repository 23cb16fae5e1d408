"""Anti-affinity by a label that nodes lack is met by any node, and the decision says so."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import (
    ExistingNode,
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from builders import existing_node, instance_type, node_pool, pod, problem

BOX = instance_type("box", cpu=4, price=1)
RACK = "example.com/rack"


def apart(key: str = RACK) -> Workload:
    """Two pods of 1 CPU that want no other like them in one domain of a key."""
    term = PodAffinityTerm(key, LabelSelector.of_labels({"app": "web"}))
    plain = pod("web", cpu=1, replicas=2)
    template = dataclasses.replace(
        plain.template, labels=(("app", "web"),), pod_anti_affinity=PodAffinity((term,))
    )
    return dataclasses.replace(plain, template=template)


def warnings(workload: Workload, **others: object) -> list[str]:
    decision = solve(problem([workload], [BOX], **others), SolveParams(deadline_s=60.0))  # type: ignore[arg-type]
    assert not decision.unschedulable
    return [warning for warning in decision.warnings if "anti-affinity" in warning]


def test_a_label_that_no_node_has_is_named_with_the_workload() -> None:
    """Both pods share one box, as kube-scheduler would let them."""
    [warning] = warnings(apart())
    assert warning == (
        "required anti-affinity of Pod default/web keeps 2 pods apart from nobody, as kube-scheduler reads "
        "it: no node, bought or running, has a label example.com/rack"
    )


def test_nodes_without_the_label_beside_one_that_has_it_are_told_as_well() -> None:
    """The rack is full; the box that is bought for both pods is in none."""
    racked: ExistingNode = existing_node("full", cpu=0, node_labels={RACK: "r1"})
    [warning] = warnings(apart(), existing=[racked])
    assert warning.endswith("their nodes have no label example.com/rack")


def test_labels_that_all_nodes_have_are_no_cause_for_a_warning() -> None:
    assert warnings(apart(labels.HOSTNAME)) == []
    racks = [node_pool(name, node_labels={RACK: name}) for name in ("r1", "r2")]
    assert warnings(apart(), pools=racks) == []
