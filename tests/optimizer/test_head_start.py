"""Where pods are charged for places, the search begins with the answer of the problem without charges."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.head_start import head_start, without_charges
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import Policies, PreferredTerm, Problem, labels
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.work import Work
from builders import existing_node, instance_type, offering, pod, problem, requires

IN_B = PreferredTerm(100, (requires(labels.ZONE, "In", "b"),))


def wishing(point: int, **more: object) -> Problem:
    """Three pods of 2 CPUs that prefer zone b; nodes of 4 CPUs cost 1 $ in a and 2 $ in b."""
    plain = pod("web", cpu=2, replicas=3)
    template = dataclasses.replace(plain.template, preferred_affinity=(IN_B,))
    kind = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(2, zone="b")])
    made = problem([dataclasses.replace(plain, template=template)], [kind], **more)  # type: ignore[arg-type]
    return dataclasses.replace(made, policies=Policies(microusd_per_weight_hour=point))


def begun(question: Problem) -> Packing | None:
    """The packing that a head start offers."""
    instance = build_instance(question)
    head = head_start(instance, SolveParams(), Deadline(10.0), Work())
    if head is None:
        return None
    target = instance.allocated(head.allocation)
    return Packing.of(target, head.candidates, head.counts, head.patterns)


def test_the_cheapest_nodes_are_charged_for_the_wishes_they_do_not_meet() -> None:
    """Two nodes of zone a for 2 $, and 0.001 $ for each of three pods."""
    packing = begun(wishing(10))
    assert packing is not None
    assert (packing.cost, packing.charge) == (2_003_000, 3_000)
    assert not packing.left_out.any()


def test_pods_on_running_nodes_are_charged_there() -> None:
    """The running node, in no zone, takes two pods: 1 $ for one more node, and 0.001 $ for each pod."""
    packing = begun(wishing(10, existing=[existing_node("old", cpu=4)]))
    assert packing is not None
    assert packing.cost == 1_003_000


def test_nobody_who_is_not_charged_gets_one() -> None:
    assert begun(wishing(0)) is None


def test_restarts_cost_nothing_without_charges() -> None:
    question = wishing(10)
    [workload] = question.workloads
    dear = dataclasses.replace(
        workload, template=dataclasses.replace(workload.template, restart_cost_microusd=5)
    )
    plain = without_charges(dataclasses.replace(question, workloads=(dear,)))
    assert plain.workloads[0].template.restart_cost_microusd == 0
    assert plain.policies.weight_price == 0
