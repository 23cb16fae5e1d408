"""From pods left out to the conflict of each of their workloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from binwright_optimizer.conflicts.links import linked_with
from binwright_optimizer.conflicts.minimal import minimal_conflict
from binwright_optimizer.conflicts.stated import Constraint, constraints_of
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.explain_gangs import unplaced_gangs
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.instance.gang_members import members_running
from binwright_optimizer.model import Conflict, Gang, PodRange, Problem
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search import Search
from binwright_optimizer.stopping import Stop
from binwright_optimizer.work import Work, WorkLimit

MOST_WORKLOADS = 20
"""Workloads left out, and workloads linked with one, beyond which conflicts are not looked for."""
MOST_PODS = 2_000
"""Pods of a part of a problem beyond which it is not solved again and again."""
QUESTION_UNITS = 2_000_000
"""Counted work after which a question stays open: some two seconds."""
RESERVE_SHARE, MOST_RESERVE_S = 0.2, 2.0
"""Share of the time, and seconds, kept for conflicts where it is plain that pods have no place."""
ANY_GAP = 0.999
"""Any solution is good enough."""


class _OutOfTimeError(Exception):
    """A question is open when its time is over."""


class _TooLargeError(Exception):
    """A part of a problem is too large to be solved again and again."""


def conflicts_of(problem: Problem, left_out: Sequence[PodRange], stop: Stop) -> dict[int, Conflict | None]:
    """Conflicts by workload, for pods that have no place whatever the others do.

    None stands for workloads whose pods would have a place if others made room; those are missing of which
    neither is known in time.
    """
    workloads = list(dict.fromkeys(pods.workload for pods in left_out))[:MOST_WORKLOADS]
    if not workloads or stop.remaining_s() <= 0:
        return {}
    links = linked_with(problem)
    unplaced = unplaced_gangs(problem, left_out)
    found: dict[int, Conflict | None] = {}
    known: dict[tuple[int, ...], Conflict | None] = {}
    for w in workloads:
        linked = links[w]
        workload = problem.workloads[w]
        is_of_unplaced = (workload.namespace, workload.gang) in unplaced
        try:
            if linked not in known or len(linked) == 1 or is_of_unplaced:
                known[linked] = _conflict(problem, w, linked, unplaced, stop)
        except _TooLargeError:
            continue
        except _OutOfTimeError:
            break  # those found so far are right
        found[w] = known[linked]
    return found


def conflict_reserve_s(instance: Instance, stop: Stop) -> float:
    """Seconds to keep for conflicts: some if there are pods that no node holds."""
    if not _has_homeless(instance):
        return 0.0
    return min(MOST_RESERVE_S, RESERVE_SHARE * max(0.0, stop.remaining_s()))


def _has_homeless(instance: Instance) -> bool:
    """Whether no node holds the pods of some workload, even one by one."""
    is_linked = instance.origin.localized.is_linked[instance.origin.kinds.workload_kind]
    return bool(((instance.class_of < 0) & ~is_linked).any())


def _conflict(
    problem: Problem, w: int, linked: tuple[int, ...], unplaced: Mapping[tuple[str, str], Gang], stop: Stop
) -> Conflict | None:
    for part, asked in _parts(problem, w, linked, unplaced):
        questions = _Questions(part, constraints_of(part, asked, unplaced), stop)
        everything = range(len(questions.constraints))
        conflict = minimal_conflict(everything, questions.can_keep)
        if conflict is None:
            continue
        names = [constraint.name for constraint in questions.constraints]
        relaxed = [(questions.relaxed_cost(c), c) for c in conflict]
        price, cheapest = min(((price, c) for price, c in relaxed if price is not None), default=(0, -1))
        return Conflict(tuple(names[c] for c in conflict), names[cheapest] if cheapest >= 0 else "", price)
    return None


@dataclass(slots=True)
class _Questions:
    """What a part of a problem costs if some of its constraints are kept; each is asked once."""

    part: Problem
    constraints: list[Constraint]
    stop: Stop
    _known: dict[frozenset[int], int | None] = field(default_factory=dict)

    def can_keep(self, kept: frozenset[int]) -> bool:
        """Whether all pods have a place."""
        return self.cost(kept) is not None

    def relaxed_cost(self, dropped: int) -> int | None:
        """Micro-dollars per hour of some placement of all pods if one constraint is dropped."""
        relaxed = self.constraints[dropped].relaxed
        if relaxed is not None:
            return _cost_of_some(relaxed(self.part), self.stop)
        return self.cost(frozenset(range(len(self.constraints))) - {dropped})

    def cost(self, kept: frozenset[int]) -> int | None:
        """Micro-dollars per hour of some placement of all pods; None if there is none."""
        if kept not in self._known:
            problem = self.part
            for number, constraint in enumerate(self.constraints):
                if number not in kept:
                    problem = constraint.without(problem)
            self._known[kept] = _cost_of_some(problem, self.stop)
        return self._known[kept]


def _parts(
    problem: Problem, w: int, linked: tuple[int, ...], unplaced: Mapping[tuple[str, str], Gang]
) -> Iterator[tuple[Problem, int]]:
    """Ever larger parts of a problem with some pods of the workload, and its index there."""
    workload = problem.workloads[w]
    needs_others = bool(workload.template.pod_affinity.required or workload.gang)
    has_shares = bool(workload.spot or problem.policies.spot)  # of one pod they would be others
    gang = unplaced.get((workload.namespace, workload.gang))
    if not needs_others and not has_shares and workload.replicas > 1:
        yield _part(problem, (w,), 1), 0
    elif gang is not None and linked == (w,):
        yield _part(problem, (w,), _needed(problem, gang)), 0
    if not needs_others or linked == (w,):
        yield _part(problem, (w,)), 0
    if len(linked) > 1:
        yield _part(problem, linked), linked.index(w)


def _needed(problem: Problem, gang: Gang) -> int | None:
    """Waiting pods of a gang that have to be placed if any is; None for all of them."""
    if gang.min_members is None:
        return None
    return max(1, gang.min_members - members_running(problem)[gang.namespace, gang.name])


def _part(problem: Problem, chosen: tuple[int, ...], most: int | None = None) -> Problem:
    workloads = [problem.workloads[w] for w in chosen]
    if most is not None:
        workloads = [replace(w, replicas=min(most, w.replicas), names=()) for w in workloads]
    if len(workloads) > MOST_WORKLOADS or sum(workload.replicas for workload in workloads) > MOST_PODS:
        raise _TooLargeError
    gangs = {(workload.namespace, workload.gang) for workload in workloads}
    return replace(
        problem,
        workloads=tuple(workloads),
        node_pools=tuple(replace(pool, min_nodes=0) for pool in problem.node_pools),
        gangs=tuple(gang for gang in problem.gangs if (gang.namespace, gang.name) in gangs),
        reservations=(),
        savings_plans=(),
    )


def _cost_of_some(problem: Problem, stop: Stop) -> int | None:
    """Micro-dollars per hour of some placement of all pods; None if there is none."""
    if stop.remaining_s() <= 0 or stop.is_cancelled():
        raise _OutOfTimeError
    try:
        instance = build_instance(problem)
    except InvalidProblemError:
        return None
    if _has_homeless(instance):
        return None
    work = Work(deadline=stop)
    params = SolveParams(gap=ANY_GAP, work_limit=QUESTION_UNITS)
    found = Search(instance, params, WorkLimit(work, QUESTION_UNITS), work=work).run()
    if not found.packing.is_partial(instance) and not found.packing.short:
        return found.packing.cost - found.packing.charge
    if not found.is_exhausted:
        raise _OutOfTimeError
    return None
