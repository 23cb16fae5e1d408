"""The fluid relaxation, solved by a second thread while the first answer is made.

Both take about as long, most of it without the interpreter's lock, and neither needs the other: the
relaxation can begin with the candidates that are cheapest for one class alone. Under a work limit, where what
two threads count would come in any order, and where it is over in no time, it is solved when asked for.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.fluid import Fluid, solve_fluid
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.coarsen import Groups
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.stopping import Reserved, Stop
from binwright_optimizer.work import Work

FLUID_SHARE = 0.95
"""Share of the time that the fluid relaxation may take: cut short, it tells nothing."""
WORTH_A_THREAD = 2_000
"""Classes times candidates from which the relaxation takes longer than starting a thread for it."""


class FluidAhead:
    """The fluid relaxation of an instance.

    Parameters
    ----------
    alone
        intp array (i,): the candidate that is cheapest for each class alone.
    groups
        Of classes, where there are many: their bound is lower by a ten-thousandth to a thousandth, and there
        three to ten times as soon.
    """

    def __init__(
        self,
        instance: Instance,
        pricing: Pricing,
        stop: Stop,
        alone: NDArray[np.intp],
        groups: Groups | None,
    ) -> None:
        self._instance = instance
        self._pricing = pricing
        self._stop = stop
        self._alone = np.unique(alone[alone >= 0])
        self._groups = groups
        self._work = Work()
        self._fluid: Fluid | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the thread, if that is worth it.

        Where supply or limits are it is not: these candidates may not hold all pods, those of an answer do.
        """
        instance = self._instance
        is_small = instance.n_classes * instance.n_candidates < WORTH_A_THREAD
        is_finite = bool((instance.supply < UNLIMITED).any()) or len(instance.limits) > 0
        if self._pricing.work.allows_threads and not (is_small or is_finite):
            pricing = self._pricing.twin(self._work)
            thread = threading.Thread(target=self._run, args=(pricing,), name="binwright-fluid", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the process may have no more threads: it is solved when asked for
                return
            self._thread = thread

    @property
    def is_known(self) -> bool:
        """Whether the thread has solved it."""
        return self._fluid is not None

    def result(self, used: NDArray[np.intp]) -> Fluid:
        """The relaxation, as far as there was time for it.

        Parameters
        ----------
        used
            intp array (u,): candidates of a good answer.
        """
        if self._thread is None:
            return self._solve(self._pricing, np.union1d(self._alone, used))
        self.close()
        self._pricing.work.add(self._work.units)
        if self._failure is not None:
            raise self._failure
        assert self._fluid is not None
        return self._fluid

    def close(self) -> None:
        """Wait for the thread, which ends early once the search is halted."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, pricing: Pricing) -> None:
        try:
            self._fluid = self._solve(pricing, self._alone)
        except BaseException as failure:  # raised again in the thread of the search
            self._failure = failure

    def _solve(self, pricing: Pricing, used: NDArray[np.intp]) -> Fluid:
        stop = Reserved.within(self._stop, FLUID_SHARE * self._stop.remaining_s())
        return solve_fluid(self._instance, pricing, stop, used, self._groups)
