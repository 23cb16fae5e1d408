"""Caps on sets of classes on one node, some only beside a certain class.

A rule says: *if a pod of class t is on the node, at most k pods of the classes in S are*; without a
trigger t it always holds. Hostname anti-affinity, spread over hosts, host ports and caps per node all
have this form, and all are downward closed: a part of an allowed pattern is allowed. A running node begins
with pods that are counted in sets and with caps that its pods impose, which is a start of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]

Counted = tuple[int, tuple[int, ...], tuple[int, ...]]
"""A set: number of the selection of running pods in it, its classes, and what one of each counts; nothing
there if each counts one."""

ALWAYS = -1
"""Trigger of a rule that holds whatever is on the node."""
FREE = 2**40
"""Cap of a set that is not capped."""


@dataclass(frozen=True, slots=True)
class SetRule:
    """If a pod of class ``trigger`` is on a node, at most ``most`` pods of ``members`` are.

    Parameters
    ----------
    members
        Classes, sorted.
    trigger
        A class, or `ALWAYS`.
    running
        Number of the selection of running pods that count as well; sets of the same classes with
        different running pods are different sets.
    weights
        Pods that one of each member counts; empty if each counts one.
    """

    members: tuple[int, ...]
    most: int
    trigger: int = ALWAYS
    running: int = 0
    weights: tuple[int, ...] = ()

    @property
    def counted(self) -> Counted:
        """The set that it caps."""
        return self.running, self.members, self.weights


@dataclass(frozen=True, slots=True)
class Start:
    """What a set of classes has to reckon with on one candidate before any pod is placed there.

    Parameters
    ----------
    load
        Running pods that count in the set.
    most
        Cap that running pods impose on the set, those running included.
    """

    candidate: int
    members: tuple[int, ...]
    load: int = 0
    most: int = FREE
    running: int = 0
    weights: tuple[int, ...] = ()

    @property
    def counted(self) -> Counted:
        """The set that it speaks of."""
        return self.running, self.members, self.weights


@dataclass(frozen=True, slots=True)
class Attached:
    """Volumes of one driver: each that pods share is attached once, whoever of them is there.

    Parameters
    ----------
    own
        By class, volumes that each pod attaches for itself.
    shared
        By volume, the classes that mount it, and the candidates where it is attached already.
    room
        int64 array (j,): volumes that a candidate takes.
    """

    own: Mapping[int, int]
    shared: Sequence[tuple[frozenset[int], frozenset[int]]]
    room: Int


def combined(
    rules: Iterable[SetRule], begun: set[Counted]
) -> tuple[dict[Counted, int], dict[tuple[Counted, int], int]]:
    """Smallest cap of each set, and of each (set, trigger) below that.

    A set of which every member triggers the same cap is simply capped: whatever exceeds it is there.
    Where running pods alone may exceed the cap of a set (it has begun), which only keeps away its
    members, a trigger from outside is still needed.
    """
    capped: dict[Counted, int] = {}
    triggered: dict[tuple[Counted, int], int] = {}
    for rule in rules:
        if rule.trigger == ALWAYS:
            capped[rule.counted] = min(rule.most, capped.get(rule.counted, FREE))
        else:
            key = rule.counted, rule.trigger
            triggered[key] = min(rule.most, triggered.get(key, FREE))
    own: dict[Counted, list[int]] = {}
    for (counted, trigger), most in triggered.items():
        if trigger in counted[1]:
            own.setdefault(counted, []).append(most)
    for counted, caps in own.items():
        if len(caps) == len(counted[1]):
            capped[counted] = min(max(caps), capped.get(counted, FREE))
    triggered = {
        (counted, trigger): most
        for (counted, trigger), most in triggered.items()
        if most < capped.get(counted, FREE) or (trigger not in counted[1] and counted in begun)
    }
    return capped, triggered
