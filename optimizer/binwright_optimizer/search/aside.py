"""A second thread that betters the answer while the search works on the bound.

It groups pods of the incumbent's nodes anew (`Regroup`) as long as the search goes on, and hands over what it
finds; the search looks there between its stages. The kernel does without the interpreter's lock, so that
neither waits for the other. When an answer is found then depends on the machine: under a work limit there is
no second thread, and the search does the same in turns.
"""

from __future__ import annotations

import threading

from binwright_optimizer.heuristics.regroup import Float, Regroup
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing

SLICE_UNITS, NODE_UNITS = 10_000.0, 20.0
"""Units of work between two looks at what the search has found, and beside them for each node: grouping nodes
that are alike takes a tenth of it, in which the search has to wait for the interpreter."""


class Aside:
    """Regrouping beside a search, which must `close` it.

    Parameters
    ----------
    flag
        Ends the work of ``regroup`` once it is set.
    """

    def __init__(self, regroup: Regroup, flag: bytearray) -> None:
        self._regroup = regroup
        self._flag = flag
        self._lock = threading.Lock()
        self._given: tuple[Instance, Packing, Float] | None = None
        self._found: Packing | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def give(self, target: Instance, packing: Packing, worth: Float) -> None:
        """Go on from this packing if it is the best so far; starts the thread the first time.

        Parameters
        ----------
        target
            The instance with pods allocated to domains as in the packing.
        worth
            float64 array (i,): dollars one pod is worth.
        """
        with self._lock:
            self._given = target, packing, worth
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="binwright-regroup", daemon=True)
            self._thread.start()

    def take(self) -> Packing | None:
        """The best packing found since the last call, if any."""
        with self._lock:
            found, self._found = self._found, None
        if self._failure is not None:
            raise self._failure
        return found

    def close(self) -> None:
        """End the thread, at once."""
        self._flag[0] = 1
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._better_what_is_given()
        except BaseException as failure:  # raised again in the thread of the search
            self._failure = failure

    def _better_what_is_given(self) -> None:
        assert self._given is not None
        target, packing, worth = self._given
        while not self._flag[0]:
            with self._lock:
                given, self._given = self._given, None
            if given is not None:
                worth = given[2]
                if given[1].cost < packing.cost:
                    target, packing = given[0], given[1]
            better = self._regroup.run(target, packing, worth, SLICE_UNITS + NODE_UNITS * packing.nodes)
            if better is not packing:
                packing = better
                with self._lock:
                    self._found = packing
