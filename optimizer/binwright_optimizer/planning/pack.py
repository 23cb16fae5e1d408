"""Packing many demands of one family with what its pivots have taught.

Quick demands choose among the known columns: the linear programme over them, its whole part, and a greedy
cover of what is left, which takes some hundredths of a second. Careful ones go on from there with a
`CountedSearch`. Either way the cost and the bound are checked and proven by `verify` before they count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from binwright_optimizer.certify import certificate, tree_certificate
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.master import Master, Solution
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.errors import PlanningError, VerificationError
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder
from binwright_optimizer.instance import Instance
from binwright_optimizer.model import Certificate
from binwright_optimizer.model.mixes import NodePattern, PackedMix
from binwright_optimizer.packing import Packing
from binwright_optimizer.planning.counted import CountedSearch, Steps, Untimed
from binwright_optimizer.planning.family import Family, Wanted
from binwright_optimizer.planning.lessons import Knowledge, Lesson, demand_of, instance_of
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.stopping import Halt
from binwright_optimizer.verify.mixes import MixChecker

WHOLE = 1e-6
"""A value this close below an integer counts as that integer."""
LEAST_VALUE = 1e-9
"""Dollars that a pod is worth at least, so that the greedy cover overlooks none."""
CUTS = (1.0, 0.85, 0.7, 0.55)
"""Fractions from which a column is rounded up, each tried."""


class FamilyPacker:
    """Packs demands of one family, one after another.

    The linear programme goes on from the demand before, so the answers depend on the order: callers
    that want the same answers pack the same demands in the same order with a packer of their own.

    Parameters
    ----------
    instance
        `instance_of` the family.
    steps
        Work for each careful demand; None packs all quickly.
    """

    def __init__(
        self,
        family: Family,
        instance: Instance,
        lessons: Sequence[Lesson],
        steps: Steps | None,
        seed: int,
    ) -> None:
        self._family = family
        self._instance = instance
        self._knowledge = Knowledge.of(instance, lessons)
        self._steps = steps
        self._seed = seed
        self._checker = MixChecker(family.problem)
        self._rows = Rows(instance)
        self._penalty = penalties(instance)
        self._halt = Halt(Untimed())
        self._pricing = Pricing(instance, self._halt)
        self._greedy = Greedy(instance, self._pricing)
        self._downsize = Downsize(instance, self._pricing.compatible)
        self._master = Master(self._rows, instance.demand, self._penalty)
        self._master.add(self._knowledge.candidates, self._knowledge.patterns)

    def pack(self, wanted: Wanted) -> PackedMix:
        """The mix for one demand, checked and proven.

        Raises
        ------
        PlanningError
            If a linear programme fails.
        VerificationError
            If the checker refuses the mix: a bug.
        """
        own = replace(self._instance, demand=demand_of(self._instance, wanted))
        packing = self._quickly(own) if self._knowledge.certificates else None
        proof = self._knowledge.certificate_of(own.demand)
        if self._steps is not None:
            packing, proof = self._carefully(own, packing, proof, wanted)
        assert packing is not None, "quick demands have been taught"
        nodes = tuple(sorted(_named(own, packing, wanted)))
        mix = PackedMix(nodes, packing.cost, 0, proof)
        mix = replace(mix, bound_microusd_per_hour=self._checker.proven_bound(mix, wanted))
        findings = self._checker.findings(mix, wanted)
        if mix.bound_microusd_per_hour > mix.cost_microusd_per_hour:
            findings += (f"the bound {mix.bound_microusd_per_hour} exceeds the cost {packing.cost}",)
        if findings:
            raise VerificationError(findings)
        return mix

    def _quickly(self, own: Instance) -> Packing:
        """The best of some roundings of the linear programme over the known columns."""
        everything = Remainder.whole(own)
        self._master.set_demand(
            own.demand,
            everything.room.astype(np.float64),
            np.maximum(everything.missing, 0).astype(np.float64),
            everything.supply[self._rows.finite].astype(np.float64),
        )
        solution = self._master.solve_again(Untimed().remaining_s())
        if solution is None:
            raise PlanningError(f"{self._family.name}: the linear programme over known patterns failed")
        trials = [self._downsize.apply(Packing.of(own, *self._rounded(own, solution, cut))) for cut in CUTS]
        return min(trials, key=lambda packing: packing.rank(own))

    def _rounded(self, own: Instance, solution: Solution, cut: float) -> Columns:
        """Columns at whole counts: fractions from ``cut`` rounded up, others down, the rest greedily."""
        known = self._knowledge
        counts = np.floor(solution.nodes + WHOLE).astype(np.int64)
        remainder = Remainder.whole(own)
        remainder.demand = own.demand - counts @ known.patterns
        fractions = solution.nodes - counts
        for p in np.argsort(-fractions, kind="stable"):
            if fractions[p] < cut or fractions[p] <= WHOLE:
                break
            if (known.patterns[p] <= remainder.demand).all():
                counts[p] += 1
                remainder.demand -= known.patterns[p]
        np.maximum(remainder.demand, 0, out=remainder.demand)
        used = np.flatnonzero(counts)
        for p in used:
            remainder.supply[known.candidates[p]] -= counts[p]
            remainder.room -= counts[p] * own.limit_use[known.candidates[p]]
        values = np.maximum(solution.duals.pods, LEAST_VALUE)
        rest = self._greedy.cover(values, remainder, int(own.demand.sum()) + 1)
        return (
            np.concatenate([known.candidates[used], rest[0]]),
            np.concatenate([counts[used], rest[1]]),
            np.concatenate([known.patterns[used], rest[2]]),
        )

    def _carefully(
        self, own: Instance, packing: Packing | None, proof: Certificate, wanted: Wanted
    ) -> tuple[Packing, Certificate]:
        """A search from the known columns; its packing and proof where they are better."""
        assert self._steps is not None
        known = self._knowledge
        prices = known.prices_of(own.demand)
        duals = self._rows.priced(prices)
        bound = Bound(float(prices @ own.demand), duals)
        columns = known.candidates, known.patterns
        with CountedSearch(own, self._steps, self._seed, columns, bound, packing) as search:
            found = search.run()
        # The root's own prices prove less than its parts, but for any demand: `spread` makes cuts of them.
        whole = certificate(own, found.proof.bound)
        candidate = PackedMix((), 0, 0, replace(whole, split=tree_certificate(own, found.proof).split))
        other = PackedMix((), 0, 0, proof)
        if self._checker.proven_bound(candidate, wanted) > self._checker.proven_bound(other, wanted):
            proof = candidate.certificate
        return found.packing, proof

    def close(self) -> None:
        """End the thread that watches kernels."""
        self._halt.close()


def pack_all(
    family: Family,
    lessons: Sequence[Lesson],
    demands: Sequence[Wanted],
    steps: Steps | None,
    seed: int,
    instance: Instance | None = None,
) -> list[PackedMix]:
    """Mixes of these demands, in order; the same arguments give the same answer anywhere.

    Parameters
    ----------
    instance
        `instance_of` the family, where it is at hand.
    """
    packer = FamilyPacker(family, instance or instance_of(family), lessons, steps, seed)
    try:
        return [packer.pack(wanted) for wanted in demands]
    finally:
        packer.close()


def _named(instance: Instance, packing: Packing, wanted: Wanted) -> Iterator[tuple[NodePattern, int]]:
    """Patterns with names and counts; pods of a class are its workloads' in turn."""
    members: list[list[int]] = [[] for _ in range(instance.n_classes)]
    for workload, i in enumerate(instance.class_of):
        if i >= 0 and wanted[workload]:
            members[i].append(workload)
    left = list(wanted)
    merged: dict[NodePattern, int] = {}
    for p in np.lexsort((np.arange(len(packing.counts)), packing.candidates)):
        j, pattern, nodes = int(packing.candidates[p]), packing.patterns[p], int(packing.counts[p])
        used = [(int(i), int(pattern[i])) for i in np.flatnonzero(pattern)]
        while nodes:
            pods, alike = _handed_out(used, members, left, nodes)
            named = pattern_of(instance, j, pods)
            merged[named] = merged.get(named, 0) + alike
            nodes -= alike
    yield from merged.items()


def _handed_out(
    used: list[tuple[int, int]], members: list[list[int]], left: list[int], nodes: int
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Pods of the next nodes by workload, and how many nodes in a row can have the same."""
    pods: dict[int, int] = {}
    alike = nodes
    for i, count in used:
        while not left[members[i][0]]:
            members[i].pop(0)
        first = members[i][0]
        if left[first] >= count:
            alike = min(alike, left[first] // count)
            pods[first] = count
            continue
        alike = 1
        for workload in members[i]:
            taken = min(count, left[workload])
            if taken:
                pods[workload] = taken
                count -= taken
    for workload, count in pods.items():
        left[workload] -= count * alike
    return tuple(sorted(pods.items())), alike


def pattern_of(instance: Instance, j: int, pods: tuple[tuple[int, int], ...]) -> NodePattern:
    """A node of a candidate with its names, for pods by workload."""
    row = instance.row_of[j]
    kind = instance.problem.catalog.instance_types[instance.shelf.type_of[row]]
    offering = kind.offerings[instance.shelf.offering_of[row]]
    return NodePattern(
        instance.problem.node_pools[instance.pool_of[j]].name,
        kind.name,
        offering.region,
        offering.zone,
        offering.capacity_type,
        offering.price_microusd_per_hour,
        pods,
    )
