"""The certificate: dual prices as integers that anyone can evaluate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.tree import Part
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.domains.linking import Linking, Scope
from binwright_optimizer.model import Certificate, LocalPrices, PodTemplate, Split, SpotPolicy
from binwright_optimizer.pricing import MICRO

SCALE_BITS = 20
"""Dual prices are rounded to 2**-20 micro-dollars: the bound loses less than one part in 10**9."""
SCALE_BITS_OF_SPEND = 32
"""The same where some are prices of a micro-dollar committed, of which there are very many."""


def tree_certificate(instance: Instance, part: Part) -> Certificate:
    """Integer dual prices for the parts that the search split the problem into, as far as they prove more.

    The least bound of all parts is what they prove together. Where a part has as good a bound by itself, its
    own parts are left out: to prove each of them takes as long.
    """
    return _parts_below(instance, part, min(leaf.bound.dollars for leaf in part.leaves()))


def _parts_below(instance: Instance, part: Part, dollars: float) -> Certificate:
    """The certificate of a part, split as far as bounds are below so many dollars per hour."""
    if part.fewer is None or part.more is None or part.bound.dollars >= dollars:
        return certificate(instance, part.bound)
    split = Split(
        part.level,
        part.at_most,
        _parts_below(instance, part.fewer, dollars),
        _parts_below(instance, part.more, dollars),
    )
    return Certificate(SCALE_BITS, (), split=split)


def certificate(instance: Instance, bound: Bound) -> Certificate:
    """Integer dual prices: of each workload's pods, and of limits, minimums and price levels.

    Rounding is down for pods and minimums and up for limits; whatever the rounding, `verify`
    evaluates the integers for what they are.
    """
    bits = SCALE_BITS_OF_SPEND if instance.problem.savings_plans else SCALE_BITS
    scale = 2.0**bits / MICRO
    pods = [int(value) for value in np.floor(bound.duals.pods * scale)]
    pools = instance.problem.node_pools
    return Certificate(
        scale_bits=bits,
        pod_prices=tuple(pods[i] if i >= 0 else 0 for i in instance.class_of),
        limit_prices=tuple(
            (pools[row.pool].name, row.resource, int(np.ceil(price * scale)))
            for row, price in zip(instance.limits, bound.duals.limits, strict=True)
            if price > 0 and row.pool >= 0  # supplies of offerings are priced by whoever evaluates the bound
        ),
        minimum_prices=tuple(
            (pools[row.pool].name, int(price * scale))
            for row, price in zip(instance.minimums, bound.duals.minimums, strict=True)
            if price > 0
        ),
        level_prices=tuple(
            (level, int(price * scale))
            for level, price in zip(bound.levels, bound.duals.levels, strict=False)
            if price
        ),
        local_prices=_local_prices(instance, pods, bits),
        commitment_prices=tuple(
            (row.commitment, int(np.ceil(price * scale)))
            for row, price in zip(instance.limits, bound.duals.limits, strict=True)
            if price > 0 and row.commitment
        ),
    )


def _local_prices(instance: Instance, pods: list[int], bits: int) -> tuple[LocalPrices, ...]:
    """Prices of linked kinds by domain, those of narrower domains first.

    What pods are charged somewhere is part of their price: whoever evaluates the bound takes it off there.
    """
    linking = instance.linking
    if linking is None:
        return ()
    charge = [int(micro) << bits for micro in linking.charge]
    prices: list[dict[Scope, int]] = [{} for _ in linking.kinds]
    shares = _shares(instance, linking)
    for part in np.flatnonzero(_is_whole(linking)):
        v, q, share = linking.part_of[part], linking.part_kind[part], shares[part]
        scope, price = linking.scopes[v], int(share * (pods[linking.class_of[v]] + charge[v]))
        prices[q][scope] = min(price, prices[q].get(scope, price))
    alike = _alike(instance)
    return tuple(
        LocalPrices(workloads, tuple(sorted(prices[q].items(), key=lambda pair: -len(pair[0]))))
        for q, kind in enumerate(linking.kinds)
        for workloads in alike[int(kind)]
    )


def _alike(instance: Instance) -> dict[int, list[tuple[int, ...]]]:
    """Workloads of each kind, those that differ in nothing at all together."""
    problem = instance.problem
    distinct: dict[int, int] = {}  # templates by identity, which the problem keeps alive
    number: dict[PodTemplate, int] = {}
    found: dict[int, dict[tuple[int, str, SpotPolicy], list[int]]] = {}
    for w, kind in enumerate(instance.origin.kinds.workload_kind.tolist()):
        workload = problem.workloads[w]
        template = distinct.get(id(workload.template))
        if template is None:
            template = number.setdefault(workload.template, len(number))
            distinct[id(workload.template)] = template
        key = template, workload.namespace, workload.spot or problem.policies.spot
        found.setdefault(kind, {}).setdefault(key, []).append(w)
    return {kind: [tuple(mine) for mine in groups.values()] for kind, groups in found.items()}


def _shares(instance: Instance, linking: Linking) -> NDArray[np.float64]:
    """What one pod of a part is worth of its bundle, by the requests of its kind: float64 array (part,)."""
    if (linking.part_pods == 1).all() and len(linking.part_of) == linking.n_local:
        return np.ones(linking.n_local)
    size = instance.origin.sizes[linking.kinds[linking.part_kind]]
    total = np.zeros(linking.n_local)
    np.add.at(total, linking.part_of, size * linking.part_pods)
    return np.asarray(size / total[linking.part_of])


def _is_whole(linking: Linking) -> NDArray[np.bool_]:
    """Parts whose bundles say what a pod is worth: of a group on one node, the whole of it: bool (part,).

    A smaller bundle of a group is for decisions that leave pods of it out.
    """
    placed = linking.demand - linking.left_least
    in_group = linking.families[linking.part_of] >= 0
    return np.asarray(~in_group | (linking.part_pods == placed[linking.part_kind]))
