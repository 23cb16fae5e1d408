"""Each domain by itself for the first allocation: an incumbent, columns, and a bound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.domains import Component, Patterns, Twins, components, joined
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.heuristics.greedy import Columns
from binwright_optimizer.packing import Packing
from binwright_optimizer.search.state import State
from binwright_optimizer.stopping import Reserved, Stop

DOMAINS_SHARE = 0.7
"""Share of the time left that packing every domain by itself may take."""

LARGE_DOMAIN = 20
"""Classes from which a domain takes long to be packed well; spot pools have fewer, and are."""
DOMAIN_GAP = 0.01
"""Gap at which a large domain packed by itself is left: another allocation may gain as much, and the
relaxation of the whole, which says which, needs the time."""

PackDomain = Callable[[Component, Stop, NDArray[np.int64], Patterns], tuple[Packing, Generation]]
"""Packs one domain in time: whose prices have to hold for so many pods (i,), beginning with these columns."""


def pack_domains(state: State, pack: PackDomain) -> None:
    """Offer the domains' answers together, and take over their columns and prices."""
    instance, linking = state.instance, state.instance.linking
    parts = [] if linking is None or state.is_done else components(state.target)
    if linking is None or len(parts) < 2:
        return
    twins = Twins(instance, linking)
    pods = np.zeros(instance.n_classes)
    is_known = np.zeros(instance.n_classes, dtype=bool)
    bought: list[Columns] = []
    known = [state.generation.pool.arrays()]
    for number, part in enumerate(parts):
        left = DOMAINS_SHARE * state.stop.remaining_s() / (len(parts) - number)
        own = joined([part.own(columns) for columns in known])
        packing, generation = pack(
            part, Reserved.within(state.stop, left), instance.demand[part.classes], own
        )
        pods[part.classes] = generation.bound.duals.pods
        is_known[part.classes] = True
        found = part.wide(generation.useful_columns(), instance.n_classes)
        known.append(twins.of_columns(found))
        state.generation.look_as_closely_as(generation.branches)
        candidates, patterns = part.wide((packing.candidates, packing.patterns), instance.n_classes)
        bought.append((candidates, packing.counts, patterns))
    together = [np.concatenate(arrays) for arrays in zip(*bought, strict=True)]
    state.offer((together[0], together[1], together[2]), "domains")
    state.generation.add(*joined(known[1:]))
    duals = state.generation.rows.priced(twins.prices(pods, is_known))
    state.generation.sweep(duals, lift=True)
    state.incumbent.raise_bound(state.generation.bound.dollars, "domains")
