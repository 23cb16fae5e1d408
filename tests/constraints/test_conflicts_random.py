"""Minimal conflicts of tiny problems in which all rules may meet, held against brute force."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.conflicts.stated import constraints_of
from binwright_optimizer.model import Problem
from binwright_optimizer.solve import solve
from brute_force import cheapest
from conformance import PARAMS
from hypothesis import HealthCheck, event, given, settings
from strategies import enforced_problems

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(enforced_problems())
@SETTINGS
def test_no_placement_keeps_a_conflict_and_one_keeps_each_part_of_it(question: Problem) -> None:
    """Of one workload, whose conflict is that of a single pod if even that has no place."""
    whole = dataclasses.replace(
        question,
        workloads=question.workloads[:1],
        node_pools=tuple(dataclasses.replace(pool, min_nodes=0) for pool in question.node_pools),
    )
    [workload] = whole.workloads
    if workload.gang or workload.template.pod_affinity.required or cheapest(whole) is not None:
        event("one placement, or rules about others")
        return
    single = dataclasses.replace(whole, workloads=(dataclasses.replace(workload, replicas=1, names=()),))
    part = single if cheapest(single) is None else whole
    conflicts = {entry.conflict for entry in solve(whole, PARAMS).unschedulable}
    [conflict] = conflicts
    assert conflict is not None
    event(f"{len(conflict.constraints)} constraints")
    stated = constraints_of(part)
    dropped = part
    for constraint in stated:
        if constraint.name not in conflict.constraints:
            dropped = constraint.without(dropped)
    assert cheapest(dropped) is None
    for constraint in stated:
        if constraint.name in conflict.constraints:
            assert cheapest(constraint.without(dropped)) is not None, constraint.name
