"""Exchanges: smaller pods may stand wherever a larger one stands.

If every node that takes a pod of class ``k`` would also take some smaller pods in its place, these
should not cost more together than ``k`` does. Such inequalities keep the duals of a master with few
columns from going astray; in the primal they are columns that use up the place of one pod for others
(J. M. Valerio de Carvalho, Using extra dual cuts to accelerate column generation, 2005,
doi:10.1287/ijoc.1030.0060; H. Ben Amor, J. Desrosiers and J. M. Valerio de Carvalho, Dual-optimal
inequalities for stabilized column generation, 2006, doi:10.1287/opre.1060.0278).

One pod for one is always possible. Several for one ignore the pod slots they take, so that the
master is slightly too optimistic while it has them; they leave it before it converges. A class that a
node rule or a cap per node speaks of takes nobody's place, since the rule might not allow one more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.kernels.exchange import nearest
from binwright_optimizer.instance import Instance

NEAREST = 4
"""Exchanges of each kind for one class."""
SEEDS = 12
"""Smaller classes from which sets of pods are built up for one class."""
MOST_PODS = 6
"""Pods that may take the place of one."""
MOST_CLASSES = 1_500
"""Classes beyond which comparing all pairs takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Columns of the master that place some pods where one of another class stood.

    Parameters
    ----------
    starts
        int32 array (e,): where each begins in the arrays below; its first entry is the class whose
        place is taken, with a count of -1.
    classes, counts
        int32 array (q,) and float64 array (q,).
    """

    starts: NDArray[np.int32]
    classes: NDArray[np.int32]
    counts: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.starts)


def exchanges(instance: Instance, worth: NDArray[np.float64]) -> Exchanges:
    """The nearest exchanges for each class.

    Parameters
    ----------
    worth
        float64 array (i,): rough prices of pods, by which sets for one place are compared.
    """
    present = np.flatnonzero(instance.demand > 0)
    if len(present) > MOST_CLASSES or not len(present):
        return Exchanges(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0))
    requests, compatible = instance.requests[present], instance.compatible[present]
    refuses = compatible.astype(np.float32) @ (~compatible).T.astype(np.float32)
    may_stand = refuses == 0.0  # [k, i]: whatever takes k takes i
    is_ruled = instance.rules.concerned() | (instance.node_cap < instance.demand)
    may_stand[:, is_ruled[present]] = False
    capacity = len(present) * (2 * NEAREST) * (MOST_PODS + 1)
    starts = np.empty(len(present) * 2 * NEAREST, dtype=np.int32)
    classes = np.empty(capacity, dtype=np.int32)
    counts = np.empty(capacity)
    by_worth = np.lexsort((present, -worth[present]))
    is_slot = np.array([resource == "pods" for resource in instance.resources])
    e, q = nearest(
        requests, may_stand, worth[present], by_worth, is_slot, NEAREST, SEEDS, MOST_PODS, starts, classes,
        counts,
    )  # fmt: skip
    return Exchanges(starts[:e].copy(), present[classes[:q]].astype(np.int32), counts[:q].copy())
