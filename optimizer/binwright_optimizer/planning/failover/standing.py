"""The nodes of one period, scenario and block of hours, with their pods while all is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    ExistingNode,
    Requirement,
    Resources,
    Workload,
    labels,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.model.mixes import NodePattern
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.planning.failover.bought import Bought, Cell
from binwright_optimizer.planning.failover.losses import Loss, LossKind
from binwright_optimizer.planning.mix import DAEMONS, instance_type_of
from binwright_optimizer.planning.scopes import scopes_of
from binwright_optimizer.planning.servable import unfit_sites
from binwright_optimizer.planning.sites import Item, allowed_regions, failover_share, items_of, resilience_of
from binwright_optimizer.planning.subproblems import Question, Shop

KINDS = (CapacityType.ON_DEMAND, CapacityType.SPOT)


@dataclass(slots=True)
class Running:
    """A node with the pods of each item that run on it, and the room it keeps for more of them."""

    pattern: NodePattern
    pods: Counter[int]
    kept: Counter[int]


class Standing:
    """What stands in one cell.

    Parameters
    ----------
    bought
        What the plan runs.
    cell
        Period, scenario and block by index.

    Attributes
    ----------
    items
        Pods that each region wants, and how their nodes are bought.
    nodes
        All nodes, with the items on them by index.
    """

    def __init__(self, bought: Bought, catalogs: Mapping[str, Catalog], cell: Cell) -> None:
        self._bought = bought
        self._cell = cell
        self.forecast = bought.forecast
        scopes = scopes_of(bought.forecast, catalogs, charges_whole_term=False)
        self.shop = Shop(bought.forecast, catalogs, scopes)
        self.items: list[tuple[Item, CapacityType]] = []
        self.nodes: list[Running] = []
        for kind in KINDS:
            self._stand(kind)

    def _stand(self, kind: CapacityType) -> None:
        """Nodes of one kind, and the pods that run on them while all is well."""
        bought, (period, at, b) = self._bought, self._cell
        first = len(self.items)
        sites = bought.sites
        scenario, block = bought.scenarios[at], bought.blocks[b]
        unfit = unfit_sites(bought.forecast, sites, self.shop.catalog)
        items = items_of(bought.forecast, sites, scenario, block, period, kind, unfit)
        self.items += [(item, kind) for item in items]
        split = bought.splits.get((self._cell, kind))
        for number, site in enumerate(sites):
            left: Counter[int] = Counter()
            kept: Counter[int] = Counter()
            for i, item in enumerate(items, start=first):
                if split is None:
                    left[i] = item.pods if number in item.sites else 0
                    continue
                where = item.workload, item.home, number
                left[i] = split.running.get(where, 0)
                kept[i] = split.held.get(where, 0) - left[i]
            for pattern, pods, count in bought.nodes.get((self._cell, kind, site), ()):
                for _ in range(count):
                    room = dict(pods)
                    running = self._fill(left, room)
                    self.nodes.append(Running(pattern, running, self._fill(kept, room)))

    def _fill(self, left: Counter[int], room: dict[int, int]) -> Counter[int]:
        """Pods of the items on one node; what they take is taken from ``left`` and from its ``room``."""
        filled: Counter[int] = Counter()
        for workload in room:
            for i in sorted(left):
                if self.items[i][0].workload == workload:
                    taken = min(room[workload], left[i])
                    filled[i] += taken
                    left[i] -= taken
                    room[workload] -= taken
        return +filled

    def workload(self, item: Item, kind: CapacityType, pods: int) -> Workload:
        """Pods as they are packed, headroom included, bound to where the item may run."""
        forecast = self.forecast
        asked = Question(item.home, "", kind, ((item.workload, pods),))
        (workload,) = self.shop.workloads(asked)
        regions = allowed_regions(forecast, forecast.workloads[item.workload], item.home)
        template = with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS)
        here = Requirement(labels.REGION, Operator.IN, regions)
        return replace(
            workload,
            name=f"{workload.name}, wanted in {item.home}",
            template=replace(template, node_selector=(*template.node_selector, here)),
        )

    def promised(self, i: int, loss: Loss) -> int:
        """Pods of an item that must survive a loss of this kind."""
        item, kind = self.items[i]
        workload = self.forecast.workloads[item.workload]
        asked = resilience_of(self.forecast, workload)
        share = 0
        if loss.kind is LossKind.REGION:
            share = failover_share(self.forecast, workload, item.home)
        elif asked.zones or (
            asked.spot_pools and loss.kind is LossKind.SPOT_POOL and kind is CapacityType.SPOT
        ):
            share = asked.protected_ppm
        return -(-item.pods * share // PPM)

    def existing(self, name: str, node: Running, more: Counter[int]) -> ExistingNode:
        """A standing node with what is left of it beside its pods and some more."""
        pattern = node.pattern
        kind = instance_type_of(self.shop.catalog(pattern.region), pattern.instance_type)
        taken: Counter[str] = Counter(dict(DAEMONS))
        for i, pods in (node.pods + more).items():
            taken[PODS] += pods
            for resource, amount in self.workload(*self.items[i], pods).template.requests:
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
