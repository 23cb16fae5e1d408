"""How long it takes to turn a packing into a verified decision, learnt from the decisions made so far.

What comes after a search cannot be cut short, so that its time has to be kept free before. It goes by what
the decision has of everything: nodes, kinds of nodes, ranges of pods; and by the size of the question. How
fast this machine is today, and how much else it does, shows in how long that took the last times.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from binwright_optimizer.packing import Packing

NODE_S, KIND_S, RANGE_S = 3e-6, 45e-6, 0.7e-6
"""Seconds for a node, for a pattern on an offering with its alternatives, and for a range of pods: measured
on traces and generated questions of 1,000 to 100,000 pods."""
WORKLOAD_S, OFFERING_S = 1.5e-6, 0.4e-6
"""Seconds for a workload, and for an offering that some NodePool may buy, whatever is bought."""
FIRST_SLOWNESS, FIRST_UNDER_RULES = 1.5, 8.0
"""Taken for the slowness of a machine that nothing is known of, and the same with rules between pods or
shares of devices, where every alternative of a node is checked: 11,000 nodes of the Tianchi applications
took 10."""
LEAST_SLOWNESS, MOST_SLOWNESS = 0.3, 40.0
LEARNT_SHARE = 0.3
"""How far the slowness known goes down to a lower one that was measured; up it goes at once."""
MOST_RISE = 2.0
"""Factor by which one measurement may raise it: a moment's standstill says little."""
LEAST_LEARNT_S = 0.002
"""Decisions that should take less are no measure: whatever else happens takes longer."""
FIXED_S = 0.002
"""Seconds that any decision takes, however small."""


def naming_s(packing: Packing, workloads: int, offerings: int) -> float:
    """Seconds that naming and verifying a packing takes on the machine where it was measured."""
    ranges = int(packing.counts @ (packing.patterns > 0).sum(axis=1))
    of_packing = NODE_S * packing.nodes + KIND_S * len(packing.counts) + RANGE_S * ranges
    return of_packing + reading_s(workloads, offerings)


def reading_s(workloads: int, offerings: int) -> float:
    """The part of it that depends on the question only."""
    return WORKLOAD_S * workloads + OFFERING_S * offerings


@dataclass(slots=True)
class Slowness:
    """How many times as long this process takes, rules between pods and shares of devices apart.

    From any thread. ``known`` is by whether a question has such rules.
    """

    known: dict[bool, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, has_rules: bool) -> float:
        """The factor to reckon with."""
        return self.known.get(has_rules, FIRST_UNDER_RULES if has_rules else FIRST_SLOWNESS)

    def learn(self, has_rules: bool, expected_s: float, measured_s: float) -> None:
        """Take in that naming took so long where `naming_s` says ``expected_s``."""
        if expected_s < LEAST_LEARNT_S:
            return
        with self._lock:
            before = self.of(has_rules)
            now = measured_s / expected_s
            after = min(now, MOST_RISE * before) if now > before else before + LEARNT_SHARE * (now - before)
            self.known[has_rules] = min(max(after, LEAST_SLOWNESS), MOST_SLOWNESS)


SLOWNESS = Slowness()
"""Of this process."""
