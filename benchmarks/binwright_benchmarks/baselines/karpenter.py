"""Karpenter-like provisioning: first-fit decreasing onto superpositions, price looked at last.

After ``pkg/controllers/provisioning`` of kubernetes-sigs/karpenter (commit 2266468) and the launch
rules of aws/karpenter-provider-aws (commit 1d92708):

- Pods are queued by CPU, then memory, both falling, then by age (here: order of the input).
- A pod goes to a running node (first fit by name), else to a NodeClaim opened before (those with the
  fewest pods first), else to a new NodeClaim of the heaviest NodePool that takes it (equal weights in
  reverse order of names).
- A NodeClaim is the set of instance types that still hold its pods. A pod is accepted as long as one
  survives, whatever it costs, so claims grow to the largest type there is.
- NodePool limits are charged with the largest surviving type when a claim is opened.
- At launch, GPU and bare-metal types are dropped unless nothing else survives, spot dearer than the
  cheapest on-demand too; then reserved goes before spot before on-demand, and the cheapest is bought.

What EC2 would then choose among spot pools, and consolidation afterwards, are outside this rule; both
a cheapest type and a standing start favour the baseline.
"""

from __future__ import annotations

import numpy as np
from binwright_optimizer.model import CapacityType, labels
from binwright_optimizer.model.resources import NVIDIA_GPU
from numpy.typing import NDArray

from binwright_benchmarks.baselines.kernels.superpose import superpose
from binwright_benchmarks.baselines.market import Market
from binwright_benchmarks.baselines.result import BaselineResult, Filled, result_of
from binwright_benchmarks.baselines.standing import fill_standing

NAME = "karpenter-like"

_EXOTIC = frozenset(
    {
        NVIDIA_GPU,
        "amd.com/gpu",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neuroncore",
        "aws.amazon.com/neurondevice",
        "habana.ai/gaudi",
    }
)
"""Resources that make a type exotic, as bare metal does; network interfaces do not."""
_CAPACITY_TYPE_RANK = {CapacityType.RESERVED: 0, CapacityType.SPOT: 1, CapacityType.ON_DEMAND: 2}


def karpenter(market: Market) -> BaselineResult:
    """What Karpenter would launch for the pending pods."""
    instance = market.instance
    cpu, memory = market.cpu_and_memory[market.pods].T
    age = np.arange(len(market.pods))
    standing = fill_standing(market, market.pods[np.lexsort((age, -memory, -cpu))])
    groups = _Groups(market)
    representative = groups.representative
    is_pool_limit = np.array([row.pool >= 0 for row in instance.limits], dtype=bool)
    claims, _, mask, pattern = superpose(
        standing.pods,
        instance.requests,
        np.ascontiguousarray(instance.compatible[:, representative]),
        instance.allocatable[representative],
        groups.first_group,
        np.ascontiguousarray(instance.limit_use[representative][:, is_pool_limit]),
        standing.room[is_pool_limit],
    )
    launch = _Launch(market, standing.room, ~is_pool_limit)
    chosen = [launch.choose(groups.candidates(mask[c])) for c in range(claims)]
    bought = np.array([j >= 0 for j in chosen], dtype=bool)
    candidates = np.array(chosen, dtype=np.int64)[bought]
    filled = standing.filled + Filled(candidates, pattern[:claims][bought])
    return result_of(NAME, market, filled)


class _Groups:
    """Candidates merged where no pod and no limit can tell them apart, by template.

    Templates are NodePool variants: heaviest pool first, equal weights by name in reverse.
    """

    def __init__(self, market: Market) -> None:
        instance = market.instance
        pools = instance.problem.node_pools
        ranked = sorted(
            range(len(instance.variants)),
            key=lambda v: (-pools[instance.variants[v].pool].weight, _Reversed(_pool_name(market, v)), v),
        )
        rank = np.empty(len(ranked), dtype=np.int64)
        rank[ranked] = np.arange(len(ranked))
        count = market.n_bought
        template_of = rank[instance.variant_of[:count]]
        compatible = np.packbits(instance.compatible[:, :count], axis=0).T
        table = np.column_stack(
            [template_of, instance.allocatable[:count], compatible, instance.limit_use[:count]]
        ).astype(np.int64)
        # Rows come out sorted, so those of one template are together, the first template first.
        distinct, self.representative, group_of = np.unique(
            table, axis=0, return_index=True, return_inverse=True
        )
        self._group_of = group_of.reshape(-1)
        self.first_group = np.searchsorted(distinct[:, 0], np.arange(len(ranked) + 1)).astype(np.int64)

    def candidates(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Candidates of the groups that survive."""
        return np.flatnonzero(mask[self._group_of])


class _Reversed(str):
    """A name that sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _pool_name(market: Market, variant: int) -> str:
    instance = market.instance
    return instance.problem.node_pools[instance.variants[variant].pool].name


class _Launch:
    """Chooses what to buy for a claim; what is sold out is passed over.

    Parameters
    ----------
    room
        int64 array (k,): what each limit leaves.
    is_supply
        bool array (k,): limits that are the supply of a scarce offering.
    """

    def __init__(self, market: Market, room: NDArray[np.int64], is_supply: NDArray[np.bool_]) -> None:
        instance = market.instance
        types = instance.problem.catalog.instance_types
        rows = instance.row_of[: market.n_bought]
        kinds = [types[t] for t in instance.shelf.type_of[rows]]
        sold = zip(kinds, instance.shelf.offering_of[rows], strict=True)
        self._rank = np.array(
            [_CAPACITY_TYPE_RANK[kind.offerings[o].capacity_type] for kind, o in sold], dtype=np.int64
        )
        exotic = {
            id(kind): bool(_EXOTIC & set(kind.capacity.names()))
            or dict(kind.labels).get(labels.BARE_METAL) == "true"
            for kind in types
        }
        self._is_exotic = np.array([exotic[id(kind)] for kind in kinds], dtype=bool)
        self._price = instance.price
        self._left = room[is_supply]
        self._use = instance.limit_use[:, is_supply]

    def choose(self, candidates: NDArray[np.intp]) -> int:
        """The candidate bought for a claim that ``candidates`` survive; -1 if all are sold out."""
        left = candidates[(self._use[candidates] <= self._left).all(axis=1)]
        if not len(left):
            return -1
        plain = left[~self._is_exotic[left]]
        left = plain if len(plain) else left
        spot, on_demand = (_CAPACITY_TYPE_RANK[c] for c in (CapacityType.SPOT, CapacityType.ON_DEMAND))
        regular = self._price[left[self._rank[left] == on_demand]]
        if len(regular):
            left = left[(self._rank[left] != spot) | (self._price[left] <= regular.min())]
        best = left[np.lexsort((left, self._price[left], self._rank[left]))[0]]
        self._left -= self._use[best]
        return int(best)
