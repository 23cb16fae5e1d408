"""How much of a workload is on spot capacity: enough pods off it, and not too many in one pool.

A workload without a policy of its own has the problem's. Shares are of all its replicas; where fewer
are placed than have to be off spot, all of them are. Pods on a running node count by its labels.
"""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.model import labels
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding, Node

Pool = tuple[str, str]
"""Instance type and zone: what one reclaim takes."""


def check_spot(state: FinalState) -> Iterator[Finding]:
    """Workloads with too much on spot capacity, or in one spot pool."""
    off_spot, pools = pods_by_pool(state)
    for w, workload in enumerate(state.problem.workloads):
        policy = workload.spot or state.problem.policies.spot
        rule = Rule.SPOT if workload.spot else Rule.PROBLEM_SPOT
        on_spot = sum(pools[w].values())
        if policy.min_on_demand is not None and on_spot:
            least = policy.min_on_demand.at_least(workload.replicas)
            if off_spot[w] < least:
                yield Finding(
                    rule,
                    f"{off_spot[w]} pods of {workload.name} are off spot capacity and {on_spot} on it, "
                    f"at least {least} must be off it",
                )
        if policy.max_per_pool is not None:
            most = policy.max_per_pool.at_most(workload.replicas)
            for (kind, zone), count in sorted(pools[w].items()):
                if count > most:
                    yield Finding(
                        rule,
                        f"{count} pods of {workload.name} are on spot {kind} in {zone}, "
                        f"at most {most} may be",
                    )


def pods_by_pool(state: FinalState) -> tuple[list[int], list[dict[Pool, int]]]:
    """Of each workload with a policy, its pods off spot capacity, and those in each spot pool."""
    workloads = state.problem.workloads
    off_spot = [0] * len(workloads)
    pools: list[dict[Pool, int]] = [{} for _ in workloads]
    for n, pods in state.ranges:
        if not (workloads[pods.workload].spot or state.problem.policies.spot):
            continue
        node = state.nodes[n]
        if node.is_spot:
            pool = _pool(node)
            mine = pools[pods.workload]
            mine[pool] = mine.get(pool, 0) + pods.count
        else:
            off_spot[pods.workload] += pods.count
    return off_spot, pools


def _pool(node: Node) -> Pool:
    """The pool that a spot node belongs to."""
    return node.labels.get(labels.INSTANCE_TYPE, ""), node.labels.get(labels.ZONE, "")
