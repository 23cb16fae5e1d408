"""Checks of the rules between pods, nodes and what is bought: one file each, listed here.

A check looks at the `FinalState` and yields findings under the rules they break. Problems that state
none of them pay for a glance at their templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from binwright_optimizer.model import Decision, Problem
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.alternatives import check_alternatives
from binwright_optimizer.verify.caps import check_caps
from binwright_optimizer.verify.device_claims import check_device_claims
from binwright_optimizer.verify.final_state import FinalState, Finding
from binwright_optimizer.verify.gangs import check_gangs
from binwright_optimizer.verify.gpu_nodes import check_gpu_nodes
from binwright_optimizer.verify.host_ports import check_host_ports
from binwright_optimizer.verify.min_values import check_min_values
from binwright_optimizer.verify.pod_affinity import check_affinity, check_anti_affinity
from binwright_optimizer.verify.priorities import check_priorities
from binwright_optimizer.verify.rulebook import rulebook, stated_rules
from binwright_optimizer.verify.spot import check_spot
from binwright_optimizer.verify.spot_loss import check_spot_loss
from binwright_optimizer.verify.spread import check_spread
from binwright_optimizer.verify.volumes import check_volumes

Check = Callable[[FinalState], Iterator[Finding]]

CHECKS: tuple[tuple[frozenset[Rule], Check], ...] = (
    (frozenset({Rule.TOPOLOGY_SPREAD}), check_spread),
    (frozenset({Rule.POD_AFFINITY, Rule.AFFINITY_ON_NODES}), check_affinity),
    (frozenset({Rule.POD_ANTI_AFFINITY, Rule.RUNNING_PODS}), check_anti_affinity),
    (frozenset({Rule.NODE_CAPS, Rule.RUNNING_PODS}), check_caps),
    (frozenset({Rule.HOST_PORTS, Rule.RUNNING_PODS, Rule.DAEMON_PORTS}), check_host_ports),
    (frozenset({Rule.VOLUMES, Rule.SHARED_VOLUMES}), check_volumes),
    (frozenset({Rule.GANGS, Rule.GANGS_ON_NODES}), check_gangs),
    (frozenset({Rule.SPOT, Rule.PROBLEM_SPOT}), check_spot),
    (frozenset({Rule.SPOT_LOSS}), check_spot_loss),
    (frozenset({Rule.GPU_NODES}), check_gpu_nodes),
    (frozenset({Rule.DEVICE_CLAIMS}), check_device_claims),
    (frozenset({Rule.MIN_VALUES}), check_min_values),
    (frozenset({Rule.PRIORITIES}), check_priorities),
    (frozenset(Rule), check_alternatives),
)
"""Each check, with the rules that its findings are about."""


def check_constraints(
    problem: Problem,
    decision: Decision,
    waived: frozenset[Rule],
    poll: Callable[[], object] = lambda: None,
) -> Iterator[str]:
    """Violations of stated rules that are not waived; ``poll`` is called between checks."""
    wanted = stated_rules(problem) - waived
    if not decision.unschedulable:  # nobody waits; a glance is all that priorities cost then
        wanted -= {Rule.PRIORITIES}
    if not wanted:
        return
    state = FinalState(problem, decision, rulebook(problem))
    for rules, check in CHECKS:
        if rules & wanted:
            poll()
            for rule, finding in check(state):
                if rule in wanted:
                    yield f"{rule.value}: {finding}"
