"""Simulated failover: a zone, a spot pool or a region is gone; what is rescheduled where, and what is lost.

The nodes of one period, scenario and block of hours stand with their pods on them. What is lost takes its
nodes along, and pods elsewhere stay where they are. Displaced pods first go to the room that the plan keeps
for them, protected ones before others; the engine places the rest on whatever room is left. Nothing is
bought. The verifier checks all of it. What then has no place is priced: the cheapest further nodes where
those pods may run and nothing failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from binwright_optimizer.errors import PlanningError, VerificationError
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Certificate,
    Decision,
    ExistingNode,
    ExistingPlacement,
    PodRange,
    Problem,
    Requirement,
    Resources,
    SolutionStatus,
    StopReason,
    Workload,
    labels,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.model.mixes import NodePattern
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.mix import DAEMONS, STEADY, Mix, cheapest_mix, instance_type_of
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.scopes import scopes_of
from binwright_optimizer.planning.servable import unfit_sites
from binwright_optimizer.planning.sites import (
    Item,
    Site,
    allowed_regions,
    failover_share,
    items_of,
    resilience_of,
)
from binwright_optimizer.planning.subproblems import Question, Shop
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify

PROTECTED_PRIORITY = 1_000
KINDS = (CapacityType.ON_DEMAND, CapacityType.SPOT)


class LossKind(StrEnum):
    """What fails."""

    ZONE = "zone"
    SPOT_POOL = "spot pool"
    REGION = "region"


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """A failure; ``zone`` and ``instance_type`` are empty where they do not matter."""

    kind: LossKind
    region: str
    zone: str = ""
    instance_type: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return " ".join(filter(None, (self.instance_type, self.zone or self.region)))

    def takes(self, pattern: NodePattern) -> bool:
        """Whether a node is gone with it."""
        if self.kind is LossKind.SPOT_POOL and pattern.capacity_type is not CapacityType.SPOT:
            return False
        return (
            self.region == pattern.region
            and self.zone in ("", pattern.zone)
            and self.instance_type in ("", pattern.instance_type)
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """Pods of a workload that find another place; an empty ``zone`` means that they find none."""

    workload: str
    home: str
    pods: int
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a loss does.

    Parameters
    ----------
    displaced
        Pods that ran on the nodes lost.
    protected_lost
        Pods without a place that the forecast promised to protect from this kind of loss.
    is_promised
        Whether the forecast promises anything for this kind of loss.
    extra_microusd_per_hour
        Cheapest further nodes for all pods without a place; None if these may run nowhere else.
    """

    loss: Loss
    nodes_lost: int
    displaced: int
    moved: tuple[Moved, ...]
    lost: tuple[Moved, ...]
    protected_lost: int
    is_promised: bool
    extra_microusd_per_hour: int | None


@dataclass(slots=True)
class _Running:
    """A node with the pods of each item that run on it, and the room it keeps for more of them."""

    pattern: NodePattern
    pods: Counter[int]
    kept: Counter[int]


class Failover:
    """Simulates losses on one cell of a plan.

    Parameters
    ----------
    cell
        Period, scenario and block by index.

    Raises
    ------
    PlanningError
        If the plan does not say node by node what it buys.
    """

    def __init__(self, plan: Plan, catalogs: Mapping[str, Catalog], cell: tuple[int, int, int]) -> None:
        self._plan = plan
        self._cell = cell
        scopes = scopes_of(plan.forecast, catalogs, charges_whole_term=False)
        self._shop = Shop(plan.forecast, catalogs, scopes)
        self._sites = plan.sites or tuple(Site(region) for region in plan.forecast.regions)
        self._unfit = unfit_sites(plan.forecast, self._sites, self._shop.catalog)
        self._items: list[tuple[Item, CapacityType]] = []
        self._nodes: list[_Running] = []
        for kind in KINDS:
            self._stand(kind)

    def losses(self) -> tuple[Loss, ...]:
        """Every zone, spot pool and region where anything stands."""
        found = set()
        for node in self._nodes:
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
        standing = [node for node in self._nodes if not loss.takes(node.pattern)]
        gone = [node for node in self._nodes if loss.takes(node.pattern)]
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
        promised = {i: self._promised(i, loss) for i in range(len(self._items))}
        broken = sum(max(0, promised[i] - (self._items[i][0].pods - n)) for i, n in lost.items())
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
        self, loss: Loss, displaced: Counter[int], standing: Sequence[_Running]
    ) -> Counter[tuple[int, int]]:
        """Where displaced pods go: pods by (item, standing node)."""
        placed: Counter[tuple[int, int]] = Counter()
        left = Counter(displaced)
        kept = [Counter(node.kept) for node in standing]
        for only_protected in (True, False):
            for i in sorted(left):
                staying = self._items[i][0].pods - displaced[i]
                placed_before = displaced[i] - left[i]
                wanted = left[i]
                if only_protected:
                    wanted = min(wanted, max(0, self._promised(i, loss) - staying - placed_before))
                for at, room in enumerate(kept):
                    taken = min(wanted, room[i])
                    if taken:
                        placed[i, at] += taken
                        room[i] -= taken
                        left[i] -= taken
                        wanted -= taken
        wanted_elsewhere = self._wanted(loss, +left)
        existing = tuple(
            self._existing(f"node-{at}", node, Counter({i: n for (i, on), n in placed.items() if on == at}))
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

    def _check(self, placed: Counter[tuple[int, int]], standing: Sequence[_Running]) -> None:
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
            tuple(self._workload(*self._items[i], totals[i]) for i in items),
            (),
            Catalog("nothing for sale", ()),
            existing_nodes=tuple(
                self._existing(f"node-{at}", node, Counter()) for at, node in enumerate(standing)
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
        item = self._items[i][0]
        return Moved(self._plan.forecast.workloads[item.workload].name, item.home, pods, zone)

    def _stand(self, kind: CapacityType) -> None:
        """Nodes of one kind, and the pods that run on them while all is well."""
        plan, (period, at, b) = self._plan, self._cell
        first = len(self._items)
        sites = self._sites
        scenario, block = plan.scenarios[at], plan.blocks[b]
        items = items_of(plan.forecast, sites, scenario, block, period, kind, self._unfit)
        self._items += [(item, kind) for item in items]
        split = plan.spread.get((self._cell, kind))
        for number, site in enumerate(sites):
            left: Counter[int] = Counter()
            kept: Counter[int] = Counter()
            for i, item in enumerate(items, start=first):
                if split is None:
                    left[i] = item.pods if number in item.sites else 0
                    continue
                where = i - first, number
                left[i] = split.split.running.get(where, 0)
                kept[i] = split.split.pods.get(where, 0) - left[i]
            for pattern, pods in self._bought(kind, site):
                room = dict(pods)
                running = self._fill(left, room)
                self._nodes.append(_Running(pattern, running, self._fill(kept, room)))

    def _bought(
        self, kind: CapacityType, site: Site
    ) -> Iterator[tuple[NodePattern, tuple[tuple[int, int], ...]]]:
        """The nodes of a site one by one with their pods by workload of the forecast."""
        for block in self._plan.mixes:
            if (block.period, block.scenario, block.block) != self._cell:
                continue
            if (block.region, block.zone) != (site.region, site.zone):
                continue
            mix: Mix = block.on_demand if kind is CapacityType.ON_DEMAND else block.spot
            if mix.packed is None:
                if mix.purchases:
                    raise PlanningError("the plan does not say which pods are on which node")
                continue
            for pattern, count in mix.packed.mix.nodes:
                pods = tuple((mix.packed.places[at], n) for at, n in pattern.pods)
                for _ in range(count):
                    yield pattern, pods

    def _fill(self, left: Counter[int], room: dict[int, int]) -> Counter[int]:
        """Pods of the items on one node; what they take is taken from ``left`` and from its ``room``."""
        filled: Counter[int] = Counter()
        for workload in room:
            for i in sorted(left):
                if self._items[i][0].workload == workload:
                    taken = min(room[workload], left[i])
                    filled[i] += taken
                    left[i] -= taken
                    room[workload] -= taken
        return +filled

    def _workload(self, item: Item, kind: CapacityType, pods: int) -> Workload:
        """Pods as they are packed, headroom included, bound to where the item may run."""
        forecast = self._plan.forecast
        asked = Question(item.home, "", kind, ((item.workload, pods),))
        (workload,) = self._shop.workloads(asked)
        regions = allowed_regions(forecast, forecast.workloads[item.workload], item.home)
        template = with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS)
        here = Requirement(labels.REGION, Operator.IN, regions)
        return replace(
            workload,
            name=f"{workload.name}, wanted in {item.home}",
            template=replace(template, node_selector=(*template.node_selector, here)),
        )

    def _promised(self, i: int, loss: Loss) -> int:
        """Pods of an item that must survive a loss of this kind."""
        item, kind = self._items[i]
        workload = self._plan.forecast.workloads[item.workload]
        asked = resilience_of(self._plan.forecast, workload)
        share = 0
        if loss.kind is LossKind.REGION:
            share = failover_share(self._plan.forecast, workload, item.home)
        elif asked.zones or (
            asked.spot_pools and loss.kind is LossKind.SPOT_POOL and kind is CapacityType.SPOT
        ):
            share = asked.protected_ppm
        return -(-item.pods * share // PPM)

    def _wanted(self, loss: Loss, left: Counter[int]) -> list[tuple[int, Workload]]:
        """Pods for which no room is kept, as workloads: those that must survive, and the others behind."""
        found = []
        for i, pods in sorted(left.items()):
            item, kind = self._items[i]
            safe = item.pods - pods
            first = min(pods, max(0, self._promised(i, loss) - safe))
            for count, is_protected in ((first, True), (pods - first, False)):
                if not count:
                    continue
                workload = self._workload(item, kind, count)
                if is_protected:
                    template = replace(workload.template, priority=PROTECTED_PRIORITY)
                    workload = replace(workload, name=f"{workload.name}, protected", template=template)
                found.append((i, workload))
        return found

    def _existing(self, name: str, node: _Running, more: Counter[int]) -> ExistingNode:
        """A standing node with what is left of it beside its pods and some more."""
        pattern = node.pattern
        kind = instance_type_of(self._shop.catalog(pattern.region), pattern.instance_type)
        taken: Counter[str] = Counter(dict(DAEMONS))
        for i, pods in (node.pods + more).items():
            taken[PODS] += pods
            for resource, amount in self._workload(*self._items[i], pods).template.requests:
                taken[resource] += amount * pods
        own = {
            labels.HOSTNAME: name,
            labels.REGION: pattern.region,
            labels.ZONE: pattern.zone,
            labels.CAPACITY_TYPE: str(pattern.capacity_type),
            labels.NODE_POOL: pattern.node_pool,
        }
        return ExistingNode(
            name,
            Resources.of({r: max(0, amount - taken[r]) for r, amount in kind.allocatable}),
            tuple(sorted((dict(kind.labels) | own).items())),
            capacity=kind.capacity,
        )

    def _extra(self, loss: Loss, lost: Mapping[int, int]) -> int | None:
        """The cheapest further nodes for pods without a place, in the first region left to each."""
        by_region: dict[tuple[str, CapacityType], list[Workload]] = {}
        forecast = self._plan.forecast
        for i, pods in lost.items():
            item, kind = self._items[i]
            regions = [
                region
                for region in allowed_regions(forecast, forecast.workloads[item.workload], item.home)
                if loss.kind is not LossKind.REGION or region != loss.region
            ]
            if not regions:
                return None
            by_region.setdefault((regions[0], kind), []).append(self._workload(item, kind, pods))
        total = 0
        for (region, _), workloads in by_region.items():
            sold = self._shop.catalog(region)
            left = without(sold, loss) if region == loss.region else sold
            try:
                mix = cheapest_mix(workloads, left, SolveParams(gap=0.01), (STEADY,))
            except PlanningError:
                return None
            total += mix.cost_microusd_per_hour
        return total


def without(catalog: Catalog, loss: Loss) -> Catalog:
    """What a region still sells: nothing in a lost zone, and no spot nodes of a lost pool."""
    types = []
    for kind in catalog.instance_types:
        left = tuple(
            o
            for o in kind.offerings
            if not loss.takes(NodePattern("", kind.name, o.region, o.zone, o.capacity_type, 0, ()))
        )
        if left:
            types.append(replace(kind, offerings=left))
    return Catalog(f"{catalog.name} without {loss.name}", tuple(types))


def busiest_cell(plan: Plan, period: int, scenario: int) -> tuple[int, int, int]:
    """The block of hours of a period and scenario whose nodes cost most."""
    costs: Counter[int] = Counter()
    for mix in plan.mixes:
        if (mix.period, mix.scenario) == (period, scenario):
            costs[mix.block] += mix.on_demand.cost_microusd_per_hour + mix.spot.cost_microusd_per_hour
    return period, scenario, max(range(len(plan.blocks)), key=lambda b: (costs[b], -b))
