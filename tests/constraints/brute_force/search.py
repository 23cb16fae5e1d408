"""The cheapest placement, among all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from binwright_optimizer.model import Problem

from brute_force.commitments import paid
from brute_force.devices import devices_by_pod
from brute_force.fitting import admits
from brute_force.nodes import Placement, Pod, existing_nodes
from brute_force.purchase import options, within_limits
from brute_force.room import has_room
from brute_force.rules import broken
from brute_force.wishes import charges


def cheapest(problem: Problem, counts: Sequence[int] | None = None) -> Placement | None:
    """The placement of all pods, or of so many of each workload, of least total; None if there is none.

    The total is what nodes cost and pods are charged.
    """
    wanted = [workload.replicas for workload in problem.workloads] if counts is None else list(counts)
    best: list[Placement] = []
    least: list[int] = []
    for placement in _placements(problem, wanted, least):
        total = paid(problem, placement.nodes) + charges(problem, placement.nodes, placement.pods)
        if least and total >= least[0]:
            continue
        if next(broken(problem, placement.nodes, placement.pods), None) is None:
            best[:] = [Placement(list(placement.nodes), list(placement.pods))]
            least[:] = [total]
    return best[0] if best else None


def _placements(problem: Problem, counts: Sequence[int], least: list[int]) -> Iterator[Placement]:
    """Placements that have room, on nodes that cost less than the least total; equal pods in one order only.

    Pods go one after the other to an existing node, to a node opened before, or to one more node; in
    the end further nodes stay empty where NodePools have minimums.
    """
    sold = options(problem)
    queue = [w for w, count in enumerate(counts) for _ in range(count)]
    nodes, pods = existing_nodes(problem), []

    def too_dear() -> bool:
        return bool(least) and paid(problem, nodes) >= least[0]

    def place(k: int, first: int) -> Iterator[Placement]:
        if too_dear():
            return
        if k == len(queue):
            yield from fill(0)
            return
        workload = problem.workloads[queue[k]]
        begin = first if k and queue[k - 1] == queue[k] else 0

        def on(n: int) -> Iterator[Placement]:
            pod = Pod(workload.template, workload.namespace, nodes[n], queue[k], workload.gang)
            mine = [p for p in pods if p.node is nodes[n]]
            is_met = devices_by_pod(problem, nodes[n], [pod]) is not None
            if is_met and admits(workload.template, nodes[n]) and has_room(problem, nodes[n], [*mine, pod]):
                pods.append(pod)
                yield from place(k + 1, n)
                pods.pop()

        for n in range(begin, len(nodes)):
            yield from on(n)
        for option in sold:
            nodes.append(option.node(f"n{len(nodes)}"))
            if within_limits(problem, nodes):
                yield from on(len(nodes) - 1)
            nodes.pop()

    def fill(first: int) -> Iterator[Placement]:
        if too_dear():
            return
        yield Placement(nodes, pods)
        if any(pool.min_nodes for pool in problem.node_pools):
            for o in range(first, len(sold)):
                pool = sold[o].pool
                mine = [n for n in nodes if n.option is not None and n.option.pool is pool]
                old = [n for n in problem.existing_nodes if n.node_pool == pool.name]
                if len(mine) + len(old) < pool.min_nodes:
                    nodes.append(sold[o].node(f"n{len(nodes)}"))
                    if within_limits(problem, nodes):
                        yield from fill(o)
                    nodes.pop()

    yield from place(0, 0)
