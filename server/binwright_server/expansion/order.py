r"""Which purchase goes first, when each takes all the pods that it helps.

The autoscaler buys no mix: a growth holds every pod that it helps and that is left. So options are put
into a sequence of growths that ends with no pod left, and the sequence with the least cost in all is looked
for: from the groups of the cheapest mix and from the single growth that fits it best, by taking out
and putting in one growth at a time. What comes first in it is grown; of those that could as well be first,
the one whose pods are worth most, so that few rounds are needed.

With :math:`w_i` what a pod of kind ``i`` costs in the mix, growing group ``g`` by its ``n_g`` nodes at price
``c_g``, which helps ``h_gi`` pods of each kind, costs

    regret_g = n_g c_g - sum_i h_gi w_i

dollars more than the mix pays for the same pods; its share of the growth's own cost tells how well it fits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_server.expansion.demand import Demand
from binwright_server.expansion.question import ScaleUpOption

MOST_CANDIDATES = 12
"""Options that fit the mix best and may be put anywhere into a sequence, as its own; others come first."""

MOST_STEPS = 12
"""Growths put in or taken out."""


@dataclass(frozen=True, slots=True)
class First:
    """The option to grow first.

    Parameters
    ----------
    regret
        What it costs more than its pods do in the mix, micro-dollars an hour; negative if it costs less.
    then
        Options of the growths that follow in the sequence.
    total
        Estimated cost of the sequence, micro-dollars an hour.
    """

    option: ScaleUpOption
    regret: float
    then: tuple[ScaleUpOption, ...]
    total: float


@dataclass(frozen=True, eq=False)
class _Growths:
    """Options as growths of what is left."""

    demand: Demand
    options: Sequence[ScaleUpOption]
    worth: NDArray[np.float64]

    @cached_property
    def cost(self) -> NDArray[np.float64]:
        return np.array([option.cost_microusd_per_hour for option in self.options], dtype=float)

    @cached_property
    def held(self) -> NDArray[np.float64]:
        held: NDArray[np.float64] = self.demand.helps @ self.worth
        return held

    @cached_property
    def share(self) -> NDArray[np.float64]:
        share: NDArray[np.float64] = (self.cost - self.held) / np.maximum(1.0, self.cost)
        return share

    def _bounds(self, k: int, pods: NDArray[np.int64]) -> tuple[float, float]:
        """Nodes by the scarcest resource, and if no two kinds shared one."""
        filled, on_its_own = self._shares(k)
        mixed = float((pods @ filled).max())
        return mixed, max(mixed, float(pods @ on_its_own))

    def _shares(self, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        known = self._known.get(k)
        if known is None:
            filled = self.demand.filled(self.options[k])
            fit = np.maximum(1, np.floor(1 / np.maximum(filled.max(axis=1), 1e-9) + 1e-9))
            known = self._known[k] = (filled, 1 / fit)
        return known

    @cached_property
    def _known(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        return {}

    def nodes(self, k: int, pods: NDArray[np.int64]) -> float:
        """Nodes for some of its pods.

        Where the autoscaler's number for all lies between the bounds tells how well they mix; some of them
        are taken to mix as well.
        """
        number = max(1, self.options[k].node_count)
        least, most = self._bounds(k, self.demand.helps[k])
        apart = min(1.0, max(0.0, (number - least) / (most - least))) if most > least else 0.0
        least, most = self._bounds(k, pods)
        return float(min(number, np.ceil(least + apart * (most - least) - 1e-6)))

    def total(self, sequence: Sequence[int]) -> float:
        """Cost of growths one after the other, micro-dollars an hour; infinite if a kind has no help.

        Pods of a kind that is helped in part are left at their worth.
        """
        rest, total = self.demand.counts, 0.0
        reached = np.zeros(len(rest), dtype=bool)
        for place, k in enumerate(sequence):
            taken = np.minimum(rest, self.demand.helps[k])
            if place == 0:
                total += float(self.cost[k])
            elif taken.any():
                total += self.nodes(k, taken) * self.options[k].price.microusd_per_hour
            rest = rest - taken
            reached |= self.demand.helps[k] > 0
        return total + float(rest @ self.worth) if reached.all() else float("inf")

    def completed(self, sequence: list[int]) -> list[int]:
        """The sequence and those that fit best, until every kind is helped."""
        out = list(sequence)
        reached = (self.demand.helps[out] > 0).any(axis=0)
        while not reached.all():
            able = [k for k in range(len(self.options)) if (self.demand.helps[k][~reached] > 0).any()]
            k = min(able, key=lambda k: (round(float(self.share[k]), 6), -float(self.held[k])))
            out.append(k)
            reached |= self.demand.helps[k] > 0
        return out

    def improved(self, sequence: list[int], candidates: Collection[int]) -> tuple[float, list[int]]:
        """The best sequence that changes of one growth at a time lead to, and its cost."""
        total = self.total(sequence)
        for _ in range(MOST_STEPS):
            changed = [sequence[:p] + sequence[p + 1 :] for p in range(len(sequence))]
            changed += [
                [*sequence[:p], k, *sequence[p:]]
                for k in range(len(self.options))
                if k not in sequence
                for p in range(len(sequence) if k in candidates else 1)
            ]
            costs = [self.total(other) for other in changed]
            least = min(range(len(costs)), key=costs.__getitem__, default=None)
            if least is None or costs[least] > total - 1:
                break
            total, sequence = costs[least], changed[least]
        return total, sequence


def first_to_grow(
    demand: Demand, options: Sequence[ScaleUpOption], worth: NDArray[np.float64], bought: Collection[str]
) -> First:
    """The option to grow first.

    Parameters
    ----------
    worth
        What a pod of each kind costs in the mix, micro-dollars an hour.
    bought
        Node groups of the mix.
    """
    growths = _Growths(demand, options, worth)
    names = [option.node_group for option in options]
    by_share = sorted(
        range(len(options)), key=lambda k: (round(float(growths.share[k]), 6), -growths.held[k], names[k])
    )
    in_mix = sorted((k for k, name in enumerate(names) if name in bought), key=lambda k: growths.held[k])
    candidates = {*by_share[:MOST_CANDIDATES], *in_mix}
    starts = [growths.completed(in_mix), growths.completed(by_share[:1])]
    total, sequence = min(growths.improved(start, candidates) for start in starts)
    first = sequence[0]
    for k in sequence[1:]:
        again = [k, *(other for other in sequence if other != k)]
        if growths.held[k] > growths.held[first] and growths.total(again) <= total + 1:
            first = k
    same = [
        k
        for k, option in enumerate(options)
        if option.price.microusd_per_hour == options[first].price.microusd_per_hour
        and (option.node_count, option.allocatable) == (options[first].node_count, options[first].allocatable)
        and np.array_equal(option.helps, options[first].helps)
    ]
    chosen = min(same, key=names.__getitem__)
    then = tuple(options[k] for k in sequence if k not in (first, chosen))
    return First(options[chosen], float(growths.cost[chosen] - growths.held[chosen]), then, total)
