"""When pods of the incumbent's nodes are grouped anew: all the time by a second thread, or in turns."""

from __future__ import annotations

import numpy as np

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.regroup import Regroup
from binwright_optimizer.incumbent import Incumbent
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.search.aside import Aside
from binwright_optimizer.work import Work

ASIDE_SEED = 1
"""Sets what the second thread draws apart from what the search draws."""


class Regrouping:
    """`Regroup` over one incumbent after the other, at the prices of the best bound.

    Under a work limit, and with a single processor, there is no second thread, whoever asks for one.
    """

    def __init__(
        self,
        pricing: Pricing,
        downsize: Downsize,
        incumbent: Incumbent,
        generation: Generation,
        rng: np.random.Generator,
        seed: int,
        *,
        has_second_thread: bool = True,
    ) -> None:
        self._instance = pricing.instance
        self._incumbent = incumbent
        self._generation = generation
        self._given: tuple[Packing | None, Bound | None] = None, None
        self._in_turns: Regroup | None = None
        self._aside: Aside | None = None
        if not Regroup.is_possible(self._instance):
            return
        if not (has_second_thread and pricing.work.allows_threads):
            self._in_turns = Regroup(pricing, downsize, rng, pricing.halt.flag, pricing.work)
        else:
            flag, drawn = bytearray(1), np.random.default_rng((seed, ASIDE_SEED))
            self._aside = Aside(Regroup(pricing, downsize, drawn, flag, Work()), flag)

    def go_on(self, units: float) -> bool:
        """Better the incumbent for so much work, or by what the second thread found; whether it is."""
        packing = self._incumbent.packing
        if packing is None or packing.short or packing.is_partial(self._instance):
            return False
        if self._aside is not None:
            return self._exchange(self._aside)
        if self._in_turns is None or units <= 0.0:
            return False
        worth = self._generation.bound.duals.pods
        found = self._in_turns.run(self._target_of(packing), packing, worth, units)
        return found is not packing and self._incumbent.offer(found, "regroup")

    def close(self) -> None:
        """End the second thread, and take what it found."""
        if self._aside is None:
            return
        self._aside.close()
        found = self._aside.take()
        if found is not None:
            self._incumbent.offer(found, "regroup")

    def _exchange(self, aside: Aside) -> bool:
        """Take what the second thread found, and give it what the search found since."""
        found = aside.take()
        is_better = found is not None and self._incumbent.offer(found, "regroup")
        best, bound = self._incumbent.packing, self._generation.bound
        assert best is not None
        if best is not self._given[0] or bound is not self._given[1]:
            self._given = best, bound
            aside.give(self._target_of(best), best, bound.duals.pods)
        return is_better

    def _target_of(self, packing: Packing) -> Instance:
        """What the packing packs: the instance, linked pods allocated to domains as there."""
        allocation = packing.allocation
        return self._instance if allocation is None else self._instance.allocated(allocation)
