"""What pods cost at least over several sites, by prices of pods and what whole nodes cost on each site.

Items ``i`` (d_i pods wanted), sites ``j``, f_j(s) what the pods s cost at least on whole nodes of site j
(`whole_nodes`), g_ij the data that a pod sends home, losses ``f`` (sites that fail together, P_if pods to be
kept), regions ``r`` with quotas K_r. With s_ij the pods that a site holds and t_ij those that run there,

    minimise  sum_j f_j(s_j) + sum_ij g_ij t_ij
    running   sum_j t_ij >= d_i,   t_ij <= s_ij         rho_i >= 0
    loss      sum_{j not in f} s_ij >= P_if             phi_if >= 0
    quota     sum_{j in r, i} c_i s_ij <= K_r           kappa_r >= 0

Where any one of some sites may be lost and the others keep P_i, the most pods that one of them holds, M_i, is
lost at worst, so that sum_j s_ij >= P_i + M_i (pi_i >= 0), and s_ij <= M_i. For M_i in a box [a_i, b_i] weak
duality gives

    cost >= sum_i (rho_i d_i + pi_i (P_i + a_i) + sum_f phi_if P_if) - sum_r kappa_r K_r
            + sum_j min_{s <= b} (f_j(s) - sum_i p_ij s_i)
    p_ij  = pi_i + sum_{f without j} phi_if - kappa_r c_i + max(0, rho_i - g_ij)

whatever the prices are. Cuts know f_j by a price for each pod and no more: here nodes are whole, and small
boxes leave few ways to hold the pods. Boxes come as a tree of halves, so that they leave no M_i out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.verify.whole_split import WholeCosts, promise_of

Int64Array = NDArray[np.int64]

BITS = 8
"""Prices are in parts of 2**-8 micro-dollars an hour."""


@dataclass(frozen=True, slots=True)
class SplitItem:
    """Pods of one item.

    Parameters
    ----------
    cpu_milli
        What a pod takes of a quota.
    egress
        By each site where they may run: micro-dollars an hour that a pod costs in data.
    losses
        Pairs (sites lost together, pods that must still fit on the rest).
    kept, lost_alone
        Pods that must be left if any one of some sites fails, and these sites.
    """

    workload: int
    pods: int
    cpu_milli: int
    egress: Mapping[int, int]
    losses: tuple[tuple[frozenset[int], int], ...] = ()
    kept: int = field(init=False)
    lost_alone: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        kept, alone = promise_of(self.losses)
        object.__setattr__(self, "kept", kept)
        object.__setattr__(self, "lost_alone", alone)


@dataclass(frozen=True, slots=True)
class Quota:
    """Milli-CPU that the pods held on some sites take at most together."""

    sites: frozenset[int]
    cpu_milli: int


@dataclass(frozen=True, slots=True)
class PodPrices:
    """Dual prices, 2**-`BITS` micro-dollars an hour for a pod, or a milli-CPU of a quota.

    Parameters
    ----------
    running, kept
        rho and pi by item.
    losses
        phi by item and loss.
    quotas
        kappa by quota.
    """

    running: tuple[int, ...]
    kept: tuple[int, ...]
    losses: tuple[tuple[int, ...], ...]
    quotas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Halves:
    """A box in two: the M of an item at most so many, or more."""

    item: int
    at_most: int
    fewer: Tree
    more: Tree


Tree = PodPrices | Halves
Box = tuple[tuple[int, int], ...]
"""For each item the least and the most of M_i; all its pods where nothing is promised of single sites."""


def whole_box(items: Sequence[SplitItem]) -> Box:
    """Every M_i that may be."""
    box = []
    for item in items:
        everywhere = len(item.egress)
        is_all = item.lost_alone == frozenset(item.egress) and everywhere > 1
        low = -(-item.kept // (everywhere - 1)) if is_all else 0
        box.append((low, item.pods) if item.kept else (item.pods, item.pods))
    return tuple(box)


def least_by_prices(
    items: Sequence[SplitItem], sites: Mapping[int, WholeCosts], quotas: Sequence[Quota], tree: Tree
) -> int:
    """What any split costs at least by a tree of prices, micro-dollars an hour, rounded down.

    Parameters
    ----------
    sites
        What pods cost on each site where any item may run, for all pods of its items.

    Raises
    ------
    ValueError
        If the tree does not fit the items.
    """
    worth = min(
        (
            PricedBox(items, sites, quotas, box).least(prices)
            for box, prices in _leaves(tree, whole_box(items))
        ),
        default=0,
    )
    return max(0, worth >> BITS)


def _leaves(tree: Tree, box: Box) -> Iterator[tuple[Box, PodPrices]]:
    """The boxes of a tree with their prices; those that hold no M at all are left out."""
    if isinstance(tree, PodPrices):
        yield box, tree
        return
    if not 0 <= tree.item < len(box):
        raise ValueError(f"item {tree.item} is not there")
    low, high = box[tree.item]
    for half, side in (
        (tree.fewer, (low, min(high, tree.at_most))),
        (tree.more, (max(low, tree.at_most + 1), high)),
    ):
        if side[0] <= side[1]:
            yield from _leaves(half, (*box[: tree.item], side, *box[tree.item + 1 :]))


@dataclass(slots=True)
class PricedBox:
    """One box of a cell, to be bounded by prices."""

    items: Sequence[SplitItem]
    sites: Mapping[int, WholeCosts]
    quotas: Sequence[Quota]
    box: Box

    def least(self, prices: PodPrices) -> int:
        """What any split of the box costs at least, 2**-`BITS` micro-dollars an hour.

        Raises
        ------
        ValueError
            If there is not a price for everything, or one is negative.
        """
        self._check(prices)
        best = (self.best_on(site, self.of_pods(site, prices))[0] for site in self.sites)
        return self.asked(prices) + sum(best)

    def asked(self, prices: PodPrices) -> int:
        """What all that is asked is worth: of the bound the part that no site has a say in."""
        total = 0
        for i, item in enumerate(self.items):
            total += prices.running[i] * item.pods
            total += sum(phi * pods for phi, (_, pods) in zip(prices.losses[i], item.losses, strict=True))
            if item.lost_alone:
                total += prices.kept[i] * (item.kept + self.box[i][0])
        return total - sum(kappa * q.cpu_milli for kappa, q in zip(prices.quotas, self.quotas, strict=True))

    def _check(self, prices: PodPrices) -> None:
        shapes = len(prices.running), len(prices.kept), len(prices.losses)
        if set(shapes) != {len(self.items)} or len(prices.quotas) != len(self.quotas):
            raise ValueError("not every item and quota has a price")
        if any(len(own) != len(i.losses) for own, i in zip(prices.losses, self.items, strict=True)):
            raise ValueError("not every loss has a price")
        of_losses = (phi for own in prices.losses for phi in own)
        if min((*prices.running, *prices.kept, *prices.quotas, *of_losses), default=0) < 0:
            raise ValueError("a price is negative")

    def of_pods(self, site: int, prices: PodPrices) -> list[int]:
        """p_ij of every item that may run on a site; 0 of others."""
        taken = sum(kappa for kappa, q in zip(prices.quotas, self.quotas, strict=True) if site in q.sites)
        found = []
        for i, item in enumerate(self.items):
            if site not in item.egress:
                found.append(0)
                continue
            worth = max(0, prices.running[i] - (item.egress[site] << BITS)) - taken * item.cpu_milli
            if item.lost_alone:
                worth += prices.kept[i]
            for phi, (lost, _) in zip(prices.losses[i], item.losses, strict=True):
                worth += 0 if site in lost else phi
            found.append(worth)
        return found

    def most(self, i: int, site: int) -> int:
        """Pods of an item that a site holds at most."""
        item = self.items[i]
        if site not in item.egress:
            return 0
        return min(item.pods, self.box[i][1]) if site in item.lost_alone else item.pods

    def best_on(self, site: int, worth: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """The least of f(s) less what the pods are worth, and the pods by item that attain it."""
        table = self.sites[site]
        filled: list[list[tuple[int, int, int]]] = []
        least = table.costs
        for axis, workload in enumerate(table.workloads):
            mine = [
                (worth[i], self.most(i, site), i)
                for i, item in enumerate(self.items)
                if item.workload == workload and self.most(i, site)
            ]
            # Of pods that are alike to nodes those are held first that are worth most.
            mine.sort(key=lambda entry: (-entry[0], entry[2]))
            filled.append(mine)
            each = np.repeat([w for w, _, _ in mine], [n for _, n, _ in mine]).astype(np.int64)
            values = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(each)])
            along = [1] * len(table.workloads)
            along[axis] = len(values)
            least = least[(slice(None),) * axis + (slice(0, len(values)),)]
            least = (least << BITS if axis == 0 else least) - values.reshape(along)
        at = np.unravel_index(int(least.argmin()), least.shape)
        held = [0] * len(self.items)
        for pods, mine in zip(at, filled, strict=True):
            left = int(pods)
            for _, n, i in mine:
                held[i] = min(left, n)
                left -= held[i]
        return int(least[at]), tuple(held)
