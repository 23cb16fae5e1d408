"""How long the proof of a bound may take, and what is proven where that is too short."""

from __future__ import annotations

import time

from binwright_optimizer.bounds import volume_prices
from binwright_optimizer.certify import certificate, tree_certificate
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.instance import Instance
from binwright_optimizer.model import Certificate, relative_gap
from binwright_optimizer.naming import FIXED_S, KIND_S, NODE_S, SLOWNESS, naming_s, reading_s
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import MICRO
from binwright_optimizer.search import MOST_PARTS, Found
from binwright_optimizer.stopping import Stop
from binwright_optimizer.verify import prove_bound
from binwright_optimizer.work import UNITS_PER_SECOND

LEAST_PROOF_S = 0.035
"""Seconds the proof may always take: a bound cut short is worth less than a deadline kept to the hair."""
SECOND_PROOF_S = 0.01
"""The same for a proof of simpler prices, where that of the search's own was cut short."""
LOCAL_PROOF_S = 3e-4
"""Seconds more that the proof may always take for each class of pods in a domain, which it tells apart."""
NEARLY_PROVEN = 0.999
"""Share of the search's bound below which the proof counts as cut short."""
LATE_S, LATE_SHARE = 0.05, 0.05
"""Seconds, or share of the time, that an answer may be late by, whichever is more: a proof that would make it
later is given less than it may always take, since those of simpler prices may follow."""
VERIFIED_SHARE = 0.5
"""Share of the time for naming and verifying a decision that comes after the proof."""
NODES_OF_PODS = 0.3
"""Nodes for each pod that are reckoned with before there is any packing."""
OFFERING_S = 1e-6
"""Seconds that the proof takes for each offering, whatever the prices."""
MOST_SHARE = 0.5
"""Share of the time that is kept for what comes after the search, at most."""
LEAST_SEARCH_S = 0.035
"""Seconds that a search has in any case, if the time is as long: the fluid relaxation and a cover of its
shares, without which an answer of thousands of nodes is a tenth from its bound."""
PROOF_SHARE, MOST_RESERVE_S = 0.08, 3.0
"""Share of the time, and the most of it, that is kept for the proof: of GPU traces it took 0.2 s after ten
seconds of search, and up to 1.5 s after a minute, since prices nearer to the optimum are harder to prove."""
PARTS_SHARE = 0.5
"""Share of that in which all parts have to be provable, by what the proof of the whole takes."""
TRIAL_AT, TRIAL_SHARE = 0.65, 0.3
"""Share of the time after which a bound of the search is proven by way of trial, and share of what is kept
for the proof that this may take."""
TRIAL_TIMES = 3.0
"""How many times as long the proof at the end may take: prices nearer to the optimum are harder to prove."""
LEAST_TRIED_S = 0.1
"""Seconds kept for the proof from which it is worth a trial whether fewer are enough."""
LEAST_CHOICE_S = 0.05
"""Seconds left from which the checker is asked for the cheapest choice of whole nodes."""
COUNTED_NODES = 5_000_000
"""Nodes that a knapsack's search may take under a work limit, whatever the clock says: 50 ms. With 100,000
the proof of a GPU trace fell 4 % short of the search's bound."""
PART_UNITS, PART_CELL_UNITS = 2_000.0, 0.02
"""Units of work that the proof of a part takes, beside those of each offering and class."""


class Prover:
    """Proves the bound of a search, in the time that is left or, under a work limit, by counted work."""

    def __init__(self, instance: Instance, params: SolveParams, stop: Stop) -> None:
        self._instance = instance
        self._work_limit = params.work_limit
        self._gap = params.gap
        self._stop = stop
        self._everything = [workload.replicas for workload in instance.problem.workloads]
        self._n_pods = sum(self._everything)
        n_local = 0 if instance.linking is None else instance.linking.n_local
        self._local_s = LOCAL_PROOF_S * n_local
        self._least_s = LEAST_PROOF_S + self._local_s
        offerings = self._offerings = sum(len(part.rows) for part in instance.origin.shelved)
        self._proof_s = max(OFFERING_S * offerings, self._proof_reserve_s()) + self._local_s
        self._total_s = max(0.0, stop.remaining_s())
        self._most_s = MOST_SHARE * self._total_s
        self._all_s = max(self._most_s, self._total_s - LEAST_SEARCH_S)
        self._is_answered = False
        self._is_tried = False
        self._fallback: tuple[Certificate, int] | None = None
        self._given_up_at: float | None = None
        self._has_rules = instance.linking is not None or not instance.rules.is_empty
        few = NODE_S * NODES_OF_PODS * self._n_pods + KIND_S * instance.n_classes
        self._expected_s = few + reading_s(len(instance.problem.workloads), offerings)

    def note(self, packing: Packing) -> None:
        """Reckon with the decision that this packing would give."""
        self._expected_s = naming_s(packing, len(self._instance.problem.workloads), self._offerings)
        self._is_answered = not packing.is_partial(self._instance)

    def note_bound(self, bound: Bound) -> None:
        """Prove this bound by way of trial if that is due: the search may go on where less time will do."""
        left_s = self._stop.remaining_s()
        is_late = TRIAL_SHARE * self._proof_s + self.reserve_s() < left_s <= (1.0 - TRIAL_AT) * self._total_s
        is_long = self._proof_s >= LEAST_TRIED_S and not self._local_s  # those are no guess
        if self._is_tried or not is_late or not is_long or self._work_limit is not None:
            return
        self._is_tried = True
        most_s = TRIAL_SHARE * self._proof_s
        seconds = self._try(bound, most_s)
        if seconds < most_s:
            self._proof_s = min(self._proof_s, max(self._least_s, TRIAL_TIMES * seconds))

    def _try(self, bound: Bound, most_s: float) -> float:
        """Seconds that the proof of a bound takes; what it proves is kept, should a later proof fail."""
        began, proof = time.perf_counter(), certificate(self._instance, bound)
        proven = self._proven(proof, self._everything, most_s)
        if self._fallback is None or proven > self._fallback[1]:
            self._fallback = proof, proven
        return time.perf_counter() - began

    def learn(self, seconds: float) -> None:
        """Take in how long naming and verifying the packing noted last took."""
        SLOWNESS.learn(self._has_rules, self._expected_s, seconds)

    @property
    def _naming_s(self) -> float:
        return FIXED_S + SLOWNESS.of(self._has_rules) * self._expected_s

    def reserve_s(self) -> float:
        """Seconds kept for extraction, proof and verification of what the search has so far.

        An answer that takes longer to be named than there ever was is late in any case, and later the longer
        the search goes on: then nearly all time is kept.
        """
        needed = self._naming_s + self._proof_s
        if self._is_answered and self._naming_s > self._total_s:
            return min(needed, self._all_s)
        return min(needed, self._most_s)

    def most_parts(self, bound: Bound) -> int:
        """Into how many parts the search may split the solutions: the proof of one is timed, or reckoned."""
        if self._work_limit is not None:
            each = PART_UNITS + PART_CELL_UNITS * self._offerings * self._instance.n_classes
            return min(MOST_PARTS, int(PARTS_SHARE * PROOF_SHARE * self._work_limit / each))
        self._is_tried = True
        self._proof_s = max(self._proof_s, self._proof_reserve_s())  # which the proof of the parts will take
        share_s = PARTS_SHARE * self._proof_reserve_s()
        most_s = max(LEAST_PROOF_S, share_s)
        seconds = self._try(bound, most_s)
        if (
            seconds < most_s and share_s < MOST_PARTS * seconds
        ):  # the first proof makes what all of them share
            seconds = min(seconds, self._try(bound, most_s))
        # A proof cut short takes all of the share, which leaves one part.
        return min(MOST_PARTS, int(share_s / seconds))

    def prove(self, found: Found, placed: list[int], cost: int) -> tuple[Certificate, int]:
        """The certificate, and the bound that the independent checker derives from it.

        Where the checker cannot follow the search's dual prices in the time left, prices of the whole
        instead of its parts, or prices that are proven at a glance, may give the better bound; so may those
        of a trial. A gap that prices leave may be closed by the choice of whole nodes.

        Parameters
        ----------
        placed
            Pods placed of each workload.
        cost
            Micro-dollars per hour that their nodes cost.
        """
        instance, whole = self._instance, found.proof.bound
        own = proof = tree_certificate(instance, found.proof)
        bound = self._proven(proof, placed, self.proof_s(), self._goal(cost))
        others = [whole.with_pod_prices(volume_prices(instance))]
        if found.simple is not None:
            others.insert(0, Bound(0.0, found.simple))
        if found.proof.fewer is not None:
            others.insert(0, whole)
        for other in others:
            is_late = self._work_limit is None and self._stop.remaining_s() < -LEAST_PROOF_S
            if is_late or bound >= NEARLY_PROVEN * whole.dollars / MICRO:
                break
            simple = certificate(instance, other)
            proven = self._proven(simple, placed, SECOND_PROOF_S + self._local_s)
            if proven > bound:
                proof, bound = simple, proven
        if self._fallback is not None and self._fallback[1] > bound and placed == self._everything:
            proof, bound = self._fallback
        goal = self._goal(cost)
        if proof is not own and goal is not None and relative_gap(cost, bound) > self._gap:
            bound = max(bound, self._proven(proof, placed, self._left_s, goal))
        return proof, bound

    def _goal(self, cost: int) -> int | None:
        """What the checker may look for the cheapest choice of whole nodes for, if there is time."""
        return cost if self._left_s >= LEAST_CHOICE_S else None

    @property
    def _left_s(self) -> float:
        """Seconds left, but for what comes after the proof."""
        return self._stop.remaining_s() - VERIFIED_SHARE * self._naming_s

    def proof_s(self) -> float:
        """Seconds that the proof of the search's own prices may take from now on."""
        left = self._left_s
        second = SECOND_PROOF_S + self._local_s
        in_time = left + max(LATE_S, LATE_SHARE * self._total_s) - 2 * second
        return max(left, min(self._least_s, max(second, in_time)))

    def _proven(self, proof: Certificate, placed: list[int], seconds: float, goal: int | None = None) -> int:
        problem, poll, gap = self._instance.problem, self._has_given_up, self._gap
        if self._work_limit is None:
            return prove_bound(problem, proof, placed, time_limit_s=seconds, poll=poll, goal=goal, gap=gap)
        return prove_bound(
            problem,
            proof,
            placed,
            time_limit_s=max(seconds, self._stop.remaining_s()),
            most_nodes=COUNTED_NODES,
            poll=poll,
            goal=goal,
            gap=gap,
            counted_s=PROOF_SHARE * self._work_limit / UNITS_PER_SECOND,
        )

    def _has_given_up(self) -> bool:
        """Whether the caller gave up, and longer ago than a proof may always take."""
        if not self._stop.is_cancelled():
            return False
        if self._given_up_at is None:
            self._given_up_at = time.monotonic()
        return time.monotonic() - self._given_up_at >= self._least_s

    def _proof_reserve_s(self) -> float:
        return min(MOST_RESERVE_S, PROOF_SHARE * max(0.0, self._stop.remaining_s()))
