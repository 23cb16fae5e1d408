"""Splits made better by moving pods of one item from one site to another, by what whole nodes cost there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from binwright_optimizer.planning.whole import WholeCell
from binwright_optimizer.verify.whole_nodes import Int64Array

Pods = Mapping[tuple[int, int], int]
"""Pods by (item, site)."""
NOWHERE = -1
"""Where pods go that no promise needs."""


@dataclass(frozen=True, slots=True)
class SplitMoves:
    """The splits of one cell."""

    cell: WholeCell

    def all_polished(self, starts: Iterable[Pods]) -> list[tuple[int, Pods]]:
        """What becomes of these splits, without those that quotas leave no room for."""
        return [found for start in starts if (found := self.polished(start)) is not None]

    def polished(self, start: Pods) -> tuple[int, Pods] | None:
        """A split that no single move makes cheaper, and what it costs, micro-dollars an hour.

        Parameters
        ----------
        start
            A split; what its promises lack is added first.

        Returns
        -------
        None where quotas leave no room for that.
        """
        held = self._repaired(start)
        if not (
            all(self._are_enough(i, held) for i in range(len(self.cell.items))) and self._is_in_quotas(held)
        ):
            return None
        cost = self.cost(held)
        while (found := self._moved(held, cost)) is not None:
            cost, held = found
        return cost, held

    def _repaired(self, start: Pods) -> Pods:
        """The split with so many more pods that every loss leaves enough, where fewest are."""
        held = {key: n for key, n in start.items() if n}
        for i, item in enumerate(self.cell.items):
            for lost, pods in ((frozenset[int](), item.pods), *item.losses):
                left = sorted(set(item.egress) - lost)
                for _ in range(pods - sum(held.get((i, at), 0) for at in left) if left else 0):
                    least = min(left, key=lambda at: (held.get((i, at), 0), at))
                    held[i, least] = held.get((i, least), 0) + 1
        return held

    def _moved(self, held: Pods, cost: int) -> tuple[int, Pods] | None:
        """The split after the move that saves most on nodes and costs less in all; None if there is none."""
        for _, i, site, to, n in sorted(self._moves(held)):
            trial = {**held, (i, site): held[i, site] - n}
            if to != NOWHERE:
                trial[i, to] = held.get((i, to), 0) + n
            if not (self._are_enough(i, trial) and self._is_in_quotas(trial)):
                continue
            if (price := self.cost(trial)) < cost:
                return price, {key: count for key, count in trial.items() if count}
        return None

    def _moves(self, held: Pods) -> Iterator[tuple[int, int, int, int, int]]:
        """Moves that save money on nodes: what they change, item, from, to, pods."""
        for (i, site), pods in held.items():
            item = self.cell.items[i]
            total = sum(held.get((i, at), 0) for at in item.egress)
            along = self._costs_along(i, site, held)
            saved = along[pods] - along[pods::-1][1:]  # with one pod less, two less, ...
            for n in np.flatnonzero(saved[: total - item.pods] > 0).tolist():
                yield -int(saved[n]), i, site, NOWHERE, n + 1
            for other in item.egress:
                here = held.get((i, other), 0)
                # More than these must not be lost at once.
                room = total - item.kept - here if other in item.lost_alone else item.pods - here
                if other == site or room <= 0:
                    continue
                along = self._costs_along(i, other, held)[here:]
                change = along[1 : min(pods, room) + 1] - along[0]
                change = change - saved[: len(change)]
                for n in np.flatnonzero(change < 0).tolist():
                    yield int(change[n]), i, site, other, n + 1

    def _costs_along(self, i: int, site: int, held: Pods) -> Int64Array:
        """What a site costs by pods of one item, all others as they are held: int64 array (pods,)."""
        table = self.cell.sites[site]
        own = self.cell.items[i].workload
        at: list[int | slice] = []
        for workload in table.workloads:
            others = sum(
                held.get((k, site), 0)
                for k, item in enumerate(self.cell.items)
                if item.workload == workload and k != i
            )
            at.append(slice(others, None) if workload == own else others)
        costs: Int64Array = table.costs[tuple(at)]
        return costs

    def cost(self, held: Pods) -> int:
        """What a split costs at least, nodes and data, micro-dollars an hour."""
        total = self._data(held)
        for site, table in self.cell.sites.items():
            pods = dict.fromkeys(table.workloads, 0)
            for i, item in enumerate(self.cell.items):
                if n := held.get((i, site), 0):
                    pods[item.workload] += n
            total += int(table.costs[tuple(pods.values())])
        return total

    def _are_enough(self, i: int, held: Pods) -> bool:
        """Whether enough pods of an item are held, whatever is lost."""
        item = self.cell.items[i]
        own = {at: held.get((i, at), 0) for at in item.egress}
        total = sum(own.values())
        return total >= item.pods and all(
            total - pods >= sum([own.get(at, 0) for at in lost]) for lost, pods in item.losses
        )

    def _is_in_quotas(self, held: Pods) -> bool:
        return all(
            sum(n * self.cell.items[i].cpu_milli for (i, at), n in held.items() if at in quota.sites)
            <= quota.cpu_milli
            for quota in self.cell.quotas
        )

    def _data(self, held: Pods) -> int:
        """What data costs where pods run on the sites of least cost among those that hold them."""
        total = 0
        for i, item in enumerate(self.cell.items):
            left = item.pods
            for price, site in sorted((price, site) for site, price in item.egress.items()):
                here = min(left, held.get((i, site), 0))
                total += here * price
                left -= here
        return total
