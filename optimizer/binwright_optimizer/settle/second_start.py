"""A second start where wishes between pods cost much: solutions in which they are rules.

The search leaves these wishes out, and no step of `settle` leads from its answer to one of another make:
from one node for all pods to three small ones in three zones. What the problem with wishes as rules
(`as_rules`) allows, the problem allows as well, so that its answer is taken if it costs less in all. All
wishes are tried together, then each kind by itself; then, beside those of the best answer, all wishes of the
pods that still pay most. Wishes that stay wishes are settled afterwards. None of this is a proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import replace

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.extract import extract
from binwright_optimizer.head_start import head_start
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import Problem
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.penalties import penalties_of
from binwright_optimizer.pod_wishes import Kind, PodWishes, has_pod_wishes
from binwright_optimizer.priorities import highest_first
from binwright_optimizer.search import Search
from binwright_optimizer.settle import settle
from binwright_optimizer.settle.as_rules import Wished, as_rules, turnable
from binwright_optimizer.settle.settled import Settled
from binwright_optimizer.stopping import Reserved, Stop
from binwright_optimizer.work import Work, WorkLimit

LEAST_PAID_SHARE = 0.01
"""Share of the total that pods have to pay for wishes between them for another start to be worth its time."""
START_SHARE = 0.4
"""Share of the time, or of a work limit beside it, that all other starts may take."""
STAKE_SHARE = 0.2
"""Share of the cost that pods would pay if no wish were met, from which that time is kept free."""
TRY_SHARE = 0.7
"""Share of what is left of that for one of them: the first, with all wishes as rules, is worth most."""
SETTLE_SHARE = 0.2
"""Share of that for moving pods for wishes that stay wishes."""
TIMES_BUILT = 3.0
"""How many times as long as the problem itself one with more rules may take to be read: with less time for a
start there is none."""
MOST_TRIES = 7
"""Starts: all wishes as rules, each of three kinds alone, and some with those of the pods that pay most."""


class _OutOfTimeError(Exception):
    """Reading a problem with more rules takes longer than there is time."""


class SecondStart:
    """Other starts for one problem.

    Parameters
    ----------
    wishes
        None if there are none, or they have no price.
    stop
        Of the whole solve, which is about to search.
    built_s
        Seconds that building ``instance`` took.
    """

    def __init__(
        self, instance: Instance, wishes: PodWishes | None, params: SolveParams, stop: Stop, built_s: float
    ) -> None:
        self._instance = instance
        self._params = params
        self._share_s = START_SHARE * max(0.0, stop.remaining_s())
        self._least_s = TIMES_BUILT * built_s
        self._at_stake = 0 if wishes is None else _at_stake(instance.problem, wishes)
        self._cost: int | None = None

    def note(self, packing: Packing) -> None:
        """Weigh what is at stake against the cost of the answer so far."""
        self._cost = packing.cost

    def reserve_s(self) -> float:
        """Seconds to keep for it; none where wishes are worth little beside nodes."""
        is_much = self._cost is not None and self._at_stake > STAKE_SHARE * self._cost
        return self._share_s if is_much else 0.0

    def better(self, so_far: Settled, wishes: PodWishes, stop: Stop, naming_s: float) -> Settled:
        """The cheapest of the answer so far and of those that start anew, wishes counted.

        Parameters
        ----------
        so_far
            It stands where less than `LEAST_PAID_SHARE` of it is paid for wishes between pods.
        naming_s
            Seconds to keep for placing and charging what a start finds.
        """
        problem = self._instance.problem
        best, least = so_far, so_far.total(problem, wishes)
        if least - so_far.total(problem, None) <= LEAST_PAID_SHARE * least:
            return so_far
        units = None if self._params.work_limit is None else START_SHARE * self._params.work_limit
        within = stop if units is not None else Reserved.within(stop, self._share_s)
        everything = turnable(problem)
        first = [everything, *(frozenset(w for w in everything if w[1] is kind) for kind in Kind)]
        taken: frozenset[Wished] = frozenset()
        tried = {taken}
        while len(tried) <= MOST_TRIES and self._has_time(within):
            turned = first.pop(0) if first else self._with_payers(best, wishes, taken, everything, tried)
            if turned is None:
                break
            if turned in tried:
                continue
            tried.add(turned)
            if units is None:
                until = Reserved.within(within, TRY_SHARE * within.remaining_s())
                found = self._started(turned, until, naming_s)
            else:
                found = self._started(turned, within, naming_s, TRY_SHARE * units)
                units -= TRY_SHARE * units
            if found is None or found.placed.left_out != so_far.placed.left_out:
                continue
            total = found.total(problem, wishes)
            if total < least:
                best, least, taken = found, total, turned
        return best

    def _has_time(self, stop: Stop) -> bool:
        left_s = stop.remaining_s()
        is_counted = self._params.work_limit is not None
        return not stop.is_cancelled() and left_s > (0.0 if is_counted else self._least_s / TRY_SHARE)

    def _with_payers(
        self,
        best: Settled,
        wishes: PodWishes,
        taken: Set[Wished],
        everything: Set[Wished],
        tried: Set[frozenset[Wished]],
    ) -> frozenset[Wished] | None:
        """The rules of the best answer, and all wishes of the pods that pay most there as well."""
        for template in self._payers(best, wishes):
            turned = frozenset({*taken, *(wished for wished in everything if wished[0] == template)})
            if turned not in tried:
                return turned
        return None

    def _payers(self, settled: Settled, wishes: PodWishes) -> list[int]:
        """Templates whose pods pay for wishes between pods, those that pay most first."""
        problem, placed = self._instance.problem, settled.placed
        number = {id(template): t for t, template in enumerate(templates_of(problem))}
        alone = set(penalties_of(problem, placed.node_claims, placed.existing))
        paid: Counter[int] = Counter()
        for penalty in penalties_of(problem, placed.node_claims, placed.existing, wishes):
            if penalty not in alone:
                paid[number[id(problem.workloads[penalty.workload].template)]] += penalty.microusd_per_hour
        return sorted(paid, key=lambda t: (-paid[t], t))

    def _started(
        self, turned: frozenset[Wished], stop: Stop, naming_s: float, units: float | None = None
    ) -> Settled | None:
        """What is found with these wishes as rules; None if that is nothing, or no answer in time."""
        problem = as_rules(self._instance.problem, turned)
        try:
            instance = build_instance(problem, lambda: _in_time(stop))
        except (_OutOfTimeError, InvalidProblemError):  # rules that link too many pods are refused
            return None
        wishes = PodWishes(instance) if has_pod_wishes(problem) else None
        settle_s = 0.0 if wishes is None else SETTLE_SHARE * max(0.0, stop.remaining_s())
        work, search_stop = Work(), Reserved(stop, naming_s + settle_s)
        if units is None:
            found = self._search(instance, search_stop, work)
        else:
            work = Work(deadline=search_stop)
            found = self._search(instance, WorkLimit(work, int(units)), work)
        if found.short:
            return None
        answer = Settled(extract(instance, found, stop.is_cancelled), found.cost - found.charge)
        if wishes is not None:
            most_units = None if units is None else SETTLE_SHARE * units
            moved = settle(instance, found, wishes, Reserved(stop, naming_s), most_units)
            if moved.total(problem, wishes) < answer.total(problem, wishes):
                answer = moved
        return replace(answer, placed=highest_first(self._instance, answer.placed))

    def _search(self, instance: Instance, stop: Stop, work: Work) -> Packing:
        head = head_start(instance, self._params, stop, work)
        return Search(instance, self._params, stop, work=work, head=head).run().packing


def _in_time(stop: Stop) -> None:
    if stop.is_cancelled() or stop.remaining_s() <= 0:
        raise _OutOfTimeError


def _at_stake(problem: Problem, wishes: PodWishes) -> int:
    """Micro-dollars per hour that pods would pay if no wish between them were met."""
    points = 0
    for w, workload in enumerate(problem.workloads):
        sort = int(wishes.sort_of[w])
        if sort >= 0:
            points += workload.replicas * sum(wishes.wishes[g].points for g in wishes.stated_by[sort])
    return points * problem.policies.weight_price
