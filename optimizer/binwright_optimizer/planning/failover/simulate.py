"""Losses simulated on one cell of a plan.

What is lost takes its nodes along, and pods elsewhere stay where they are. Displaced pods first go to the
room that the plan keeps for them, protected ones before others; the engine places the rest on whatever room
is left. Nothing is bought. The verifier checks all of it. What then has no place is priced: the cheapest
further nodes where those pods may run and nothing failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from binwright_optimizer.errors import PlanningError, VerificationError
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Certificate,
    Decision,
    ExistingPlacement,
    PodRange,
    Problem,
    SolutionStatus,
    StopReason,
    Workload,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.failover.bought import Bought, Cell
from binwright_optimizer.planning.failover.losses import Loss, LossKind, Moved, Outcome, without
from binwright_optimizer.planning.failover.standing import Running, Standing
from binwright_optimizer.planning.mix import STEADY, cheapest_mix
from binwright_optimizer.planning.sites import allowed_regions
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify

PROTECTED_PRIORITY = 1_000


class Failover:
    """Simulates losses on one cell of a plan.

    Parameters
    ----------
    cell
        Period, scenario and block by index.
    """

    def __init__(self, bought: Bought, catalogs: Mapping[str, Catalog], cell: Cell) -> None:
        self._standing = Standing(bought, catalogs, cell)

    def losses(self) -> tuple[Loss, ...]:
        """Every zone, spot pool and region where anything stands."""
        found = set()
        for node in self._standing.nodes:
            pattern = node.pattern
            found.add(Loss(LossKind.REGION, pattern.region))
            found.add(Loss(LossKind.ZONE, pattern.region, pattern.zone))
            if pattern.capacity_type is CapacityType.SPOT:
                found.add(Loss(LossKind.SPOT_POOL, pattern.region, pattern.zone, pattern.instance_type))
        return tuple(sorted(found, key=lambda loss: (list(LossKind).index(loss.kind), loss)))

    def outcome(self, loss: Loss) -> Outcome:
        """What a loss does; the placement is checked by the verifier.

        Raises
        ------
        VerificationError
            If the verifier refuses what the engine placed: a bug.
        """
        standing = [node for node in self._standing.nodes if not loss.takes(node.pattern)]
        gone = [node for node in self._standing.nodes if loss.takes(node.pattern)]
        displaced: Counter[int] = Counter()
        for node in gone:
            displaced.update(node.pods)
        placed = self._placed(loss, displaced, standing)
        self._check(placed, standing)
        moved: Counter[tuple[int, str]] = Counter()
        for (i, at), pods in placed.items():
            moved[i, standing[at].pattern.zone] += pods
        found: Counter[int] = Counter()
        for (i, _), pods in placed.items():
            found[i] += pods
        lost = {i: n - found[i] for i, n in displaced.items() if n > found[i]}
        promised = {i: self._standing.promised(i, loss) for i in range(len(self._standing.items))}
        broken = sum(max(0, promised[i] - (self._standing.items[i][0].pods - n)) for i, n in lost.items())
        return Outcome(
            loss,
            len(gone),
            sum(displaced.values()),
            tuple(self._moved(i, n, zone) for (i, zone), n in sorted(moved.items())),
            tuple(self._moved(i, n) for i, n in sorted(lost.items())),
            broken,
            any(promised.values()),
            self._extra(loss, lost),
        )

    def _placed(
        self, loss: Loss, displaced: Counter[int], standing: Sequence[Running]
    ) -> Counter[tuple[int, int]]:
        """Where displaced pods go: pods by (item, standing node)."""
        placed: Counter[tuple[int, int]] = Counter()
        left = Counter(displaced)
        kept = [Counter(node.kept) for node in standing]
        for only_protected in (True, False):
            for i in sorted(left):
                staying = self._standing.items[i][0].pods - displaced[i]
                placed_before = displaced[i] - left[i]
                wanted = left[i]
                if only_protected:
                    wanted = min(wanted, max(0, self._standing.promised(i, loss) - staying - placed_before))
                for at, room in enumerate(kept):
                    taken = min(wanted, room[i])
                    if taken:
                        placed[i, at] += taken
                        room[i] -= taken
                        left[i] -= taken
                        wanted -= taken
        wanted_elsewhere = self._wanted(loss, +left)
        existing = tuple(
            self._standing.existing(
                f"node-{at}", node, Counter({i: n for (i, on), n in placed.items() if on == at})
            )
            for at, node in enumerate(standing)
        )
        if wanted_elsewhere and existing:
            pods = tuple(workload for _, workload in wanted_elsewhere)
            problem = Problem(pods, (), Catalog("nothing for sale", ()), existing_nodes=existing)
            decision = solve(problem, SolveParams())
            for placement in decision.existing_placements:
                at = int(placement.node.removeprefix("node-"))
                for some in placement.pods:
                    placed[wanted_elsewhere[some.workload][0], at] += some.count
        return placed

    def _check(self, placed: Counter[tuple[int, int]], standing: Sequence[Running]) -> None:
        """Have the verifier check all placements together."""
        totals: Counter[int] = Counter()
        ranges: dict[int, list[PodRange]] = {}
        items = sorted({i for i, _ in placed})
        for (i, at), pods in sorted(placed.items()):
            ranges.setdefault(at, []).append(PodRange(items.index(i), totals[i], pods))
            totals[i] += pods
        if not totals:
            return
        problem = Problem(
            tuple(self._standing.workload(*self._standing.items[i], totals[i]) for i in items),
            (),
            Catalog("nothing for sale", ()),
            existing_nodes=tuple(
                self._standing.existing(f"node-{at}", node, Counter()) for at, node in enumerate(standing)
            ),
        )
        decision = Decision(
            SolutionStatus.COMPLETE,
            StopReason.OPTIMAL,
            0,
            0,
            (),
            tuple(ExistingPlacement(f"node-{at}", tuple(pods)) for at, pods in sorted(ranges.items())),
            (),
            Certificate(0, (0,) * len(items)),
        )
        findings = verify(problem, decision)
        if findings:
            raise VerificationError(findings)

    def _moved(self, i: int, pods: int, zone: str = "") -> Moved:
        item = self._standing.items[i][0]
        return Moved(self._standing.forecast.workloads[item.workload].name, item.home, pods, zone)

    def _wanted(self, loss: Loss, left: Counter[int]) -> list[tuple[int, Workload]]:
        """Pods for which no room is kept, as workloads: those that must survive, and the others behind."""
        found = []
        for i, pods in sorted(left.items()):
            item, kind = self._standing.items[i]
            safe = item.pods - pods
            first = min(pods, max(0, self._standing.promised(i, loss) - safe))
            for count, is_protected in ((first, True), (pods - first, False)):
                if not count:
                    continue
                workload = self._standing.workload(item, kind, count)
                if is_protected:
                    template = replace(workload.template, priority=PROTECTED_PRIORITY)
                    workload = replace(workload, name=f"{workload.name}, protected", template=template)
                found.append((i, workload))
        return found

    def _extra(self, loss: Loss, lost: Mapping[int, int]) -> int | None:
        """The cheapest further nodes for pods without a place, in the first region left to each."""
        by_region: dict[tuple[str, CapacityType], list[Workload]] = {}
        forecast = self._standing.forecast
        for i, pods in lost.items():
            item, kind = self._standing.items[i]
            regions = [
                region
                for region in allowed_regions(forecast, forecast.workloads[item.workload], item.home)
                if loss.kind is not LossKind.REGION or region != loss.region
            ]
            if not regions:
                return None
            by_region.setdefault((regions[0], kind), []).append(self._standing.workload(item, kind, pods))
        total = 0
        for (region, _), workloads in by_region.items():
            sold = self._standing.shop.catalog(region)
            left = without(sold, loss) if region == loss.region else sold
            try:
                mix = cheapest_mix(workloads, left, SolveParams(gap=0.01), (STEADY,))
            except PlanningError:
                return None
            total += mix.cost_microusd_per_hour
        return total
