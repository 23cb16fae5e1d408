r"""Which purchase goes first, when each takes all the pods that it helps.

With :math:`w_i` what a pod of kind ``i`` costs in the cheapest mix, growing group ``g`` by its ``n_g`` nodes
at price ``c_g``, which helps ``h_gi`` pods of each kind, costs

    regret_g = n_g c_g - sum_i h_gi w_i

dollars more than the mix pays for the same pods. Options are compared by the share of their own cost that is
regret: the greedy rule of weighted set covering. A share of the whole mix would call any waste on few pods
negligible. Of the options with about the least share, the one whose pods are worth most goes first, so
that few rounds are needed.

A purchase that helps everything may still be the best for most of its pods and wasteful for some: GPU nodes
that would hold the CPU pods, too. Therefore another option goes before it as long as that one, and then the
first for the pods that are left, cost less together than the first for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_server.expansion.demand import Demand
from binwright_server.expansion.question import ScaleUpOption

NOTICEABLE = 0.01
"""Regret below this share of the purchase counts as none, and beside it what the gap leaves open."""


@dataclass(frozen=True, slots=True)
class First:
    """The option to grow first.

    Parameters
    ----------
    regret
        What it costs more than its pods do in the mix, micro-dollars an hour; negative if it costs less.
    before
        The option that would go first if this one did not spare money by going before it, or None.
    in_two
        Cost of this one and of what is then left of ``before``, micro-dollars an hour, for the pods that
        ``before`` helps.
    """

    option: ScaleUpOption
    regret: float
    before: ScaleUpOption | None = None
    in_two: float = 0.0


def first_to_grow(
    demand: Demand, options: Sequence[ScaleUpOption], worth: NDArray[np.float64], gap: float
) -> First:
    """The option to grow first.

    Parameters
    ----------
    worth
        What a pod of each kind costs in the mix, micro-dollars an hour.
    gap
        Of the mix, as a share of its cost.
    """
    held = demand.helps @ worth
    cost = np.array([option.cost_microusd_per_hour for option in options], dtype=float)
    regret = cost - held
    share = regret / np.maximum(1.0, cost)
    tolerated = NOTICEABLE + gap
    fitting = np.flatnonzero(share <= max(0.0, share.min()) + tolerated).tolist()
    first = min(fitting, key=lambda k: (-round(float(held[k])), cost[k], options[k].node_group))
    before, in_two = None, 0.0
    while True:
        after = _cost_of_two(demand, options, cost, worth, first)
        other = min(
            range(len(options)), key=lambda k: (round(float(after[k])), cost[k], options[k].node_group)
        )
        # The cost of what goes first falls from step to step, so that this ends.
        if cost[first] - after[other] <= tolerated * cost[other] or cost[other] >= cost[first]:
            return First(options[first], float(regret[first]), before, in_two)
        before, in_two, first = options[first], float(after[other]), other


def _cost_of_two(
    demand: Demand,
    options: Sequence[ScaleUpOption],
    cost: NDArray[np.float64],
    worth: NDArray[np.float64],
    first: int,
) -> NDArray[np.float64]:
    """Cost of each option and then ``first`` for what it leaves of its pods, micro-dollars an hour.

    Pods that only the other one helps are taken off at their worth. Nodes are at least as many as the
    scarcest resource asks for, and at most as many as if no two kinds shared one; where the autoscaler's
    number lies between the two tells how well its pods mix, and those left are taken to mix as well.
    """
    option, mine = options[first], demand.helps[first]
    nodes = max(1, option.node_count)
    filled = demand.filled(option)
    on_its_own: NDArray[np.float64] = 1 / np.maximum(
        1, np.floor(1 / np.maximum(filled.max(axis=1), 1e-9) + 1e-9)
    )

    def least_and_most(pods: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mixed: NDArray[np.float64] = (pods @ filled).max(axis=-1)
        return mixed, np.maximum(mixed, pods @ on_its_own)

    least, most = (float(bound) for bound in least_and_most(mine))
    apart = min(1.0, max(0.0, (nodes - least) / (most - least))) if most > least else 0.0
    rest_least, rest_most = least_and_most(np.maximum(mine - demand.helps, 0))
    # Rounded up to whole nodes, and never more than the autoscaler's number for all of them.
    needed = np.minimum(nodes, np.ceil(rest_least + apart * (rest_most - rest_least) - 1e-6))
    others_only = np.maximum(demand.helps - mine, 0) @ worth
    in_two: NDArray[np.float64] = cost + needed * option.price.microusd_per_hour - others_only
    in_two[first] = cost[first]
    return in_two
