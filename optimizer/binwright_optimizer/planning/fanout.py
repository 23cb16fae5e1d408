"""Questions of a plan as tasks for an engine: families, pivots, chunks; answers checked and put together.

Equal questions are asked once. Those over the same price list that share workloads are a family
(`family`): its pivots are solved first (`lessons`), then all of it in chunks (`pack`). What a task is
depends on the questions alone, and its result on the task alone, so neither the engine, nor the number of
workers, nor a resumption from a checkpoint can change an answer. Whether a further round of questions is
asked depends on the time left (`pace`): where a deadline binds, a faster engine or a checkpoint, whose
answers cost nothing, leaves room for more rounds, and the plan may be a better one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import CapacityType, Catalog, PodTemplate
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.mixes import Packed, PackedMix
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.planning.checkpoint import Checkpoint
from binwright_optimizer.planning.counted import Steps
from binwright_optimizer.planning.engine import Check, Engine
from binwright_optimizer.planning.family import Family, Wanted, together
from binwright_optimizer.planning.lessons import Lesson, pivots
from binwright_optimizer.planning.mix import STEADY, Mix, Purchase
from binwright_optimizer.planning.subproblems import Question, Shop
from binwright_optimizer.planning.tasks import LearnTask, PackTask, Task

LESSON_STEPS = Steps(gap=0.004, rounds=80)
"""Work for each pivot: 80 rounds solve the relaxation of 140 workloads to 0.2 %."""
PRICED_STEPS = Steps(gap=0.003, repacks=8, parts=12)
"""Work for demands at the prices of commitments: each round gives one more option among several."""
FEWEST_TAUGHT = 4
"""Demands of a family from which pivots pay; fewer are searched one by one."""
CAREFUL = 4_000
"""Demands of a family, times workloads squared, up to which each demand gets a search of its own: a
search of 3 workloads takes a tenth of a second, one of 20 some seconds."""
CAREFUL_CHUNK, QUICK_CHUNK = 6, 50
"""Demands of one task. Larger ones waste less on starting, smaller ones spread and resume better."""

OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class _Group:
    """A family with the questions that it answers; ``places`` are its workloads in the forecast."""

    family: Family
    places: tuple[int, ...]
    demands: list[Wanted]
    questions: dict[Wanted, list[Question]]
    list_prices: Catalog

    @property
    def is_careful(self) -> bool:
        """Whether each demand gets a search of its own."""
        return len(self.demands) * len(self.places) ** 2 <= CAREFUL

    @property
    def is_taught(self) -> bool:
        """Whether pivots are solved first."""
        return len(self.demands) >= FEWEST_TAUGHT or not self.is_careful

    @property
    def steps(self) -> Steps | None:
        """Work for each demand; None for quick ones."""
        if not self.is_careful:
            return None
        return Steps() if self.family.catalog is self.list_prices else PRICED_STEPS


@dataclass
class Answers:
    """Asks an engine the questions of one plan, remembering what is known.

    Parameters
    ----------
    check
        Called several times a second; raises to give up.
    on_progress
        Told how many of how many different problems are solved; the second number may grow.
    """

    shop: Shop
    engine: Engine
    seed: int = 0
    checkpoint: Checkpoint | None = None
    check: Check = lambda: None
    on_progress: OnProgress | None = None
    _known: dict[Question, Mix] = field(default_factory=dict)
    _workloads: dict[int, tuple[str, PodTemplate]] = field(default_factory=dict)
    _done: int = 0
    _total: int = 0

    def ask(self, questions: Iterable[Question]) -> dict[Question, Mix]:
        """The mix of every question.

        Raises
        ------
        PlanningError
            If nothing sold can serve some pods, or the engine fails: there are no partial answers.
        """
        asked = sorted(set(questions))
        for question in asked:
            if not question.asked:
                self._known[question] = Mix((), 0, 0)
        groups = self._groups([q for q in asked if q not in self._known])
        self._total += sum(len(group.demands) for group in groups)
        lessons = self._learn(groups)
        self._pack(groups, lessons)
        return {question: self._known[question] for question in asked}

    def _groups(self, questions: Sequence[Question]) -> list[_Group]:
        """Families of the questions, in their order."""
        by_prices: dict[tuple[object, ...], list[Question]] = {}
        for question in questions:
            by_prices.setdefault((question.region, question.zone, question.ppm), []).append(question)
        found = []
        for same in by_prices.values():
            prices = self.shop.catalog(same[0].region, same[0].zone)
            catalog = self.shop.price_list(same[0])
            members = together([dict(question.asked) for question in same])
            found += [self._group([same[at] for at in own], catalog, prices) for own in members]
        return found

    def _group(self, questions: Sequence[Question], catalog: Catalog, list_prices: Catalog) -> _Group:
        places = tuple(sorted({at for question in questions for at, _ in question.asked}))
        by_demand: dict[Wanted, list[Question]] = {}
        for question in questions:
            asked = dict(question.asked)
            by_demand.setdefault(tuple(asked.get(at, 0) for at in places), []).append(question)
        demands = sorted(by_demand)
        most = tuple(max(amounts) for amounts in zip(*demands, strict=True))
        workloads = tuple(self._workload(question, at) for question, at in _first_with(questions, places))
        family = Family(catalog.name, catalog, (STEADY,), workloads, most)
        return _Group(family, places, demands, by_demand, list_prices)

    def _workload(self, question: Question, at: int) -> tuple[str, PodTemplate]:
        """Name and complete template of a workload that a question asks for."""
        known = self._workloads.get(at)
        if known is None:
            place = [index for index, _ in question.asked].index(at)
            workload = self.shop.workloads(question)[place]
            complete = with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS)
            known = self._workloads[at] = workload.name, complete
        return known

    def _learn(self, groups: Sequence[_Group]) -> list[tuple[Lesson, ...]]:
        """Lessons of each group's pivots."""
        taught = [pivots(group.demands) if group.is_taught else [] for group in groups]
        tasks = [
            LearnTask(group.family, group.demands[at], LESSON_STEPS, self.seed)
            for group, own in zip(groups, taught, strict=True)
            for at in own
        ]
        results = [LearnTask.read(record) for record in self._results(tasks)]
        found, first = [], 0
        for own in taught:
            last = first + len(own)
            found.append(tuple(results[first:last]))
            first = last
        return found

    def _pack(self, groups: Sequence[_Group], lessons: Sequence[tuple[Lesson, ...]]) -> None:
        tasks: list[PackTask] = []
        owners: list[_Group] = []
        for group, learnt in zip(groups, lessons, strict=True):
            size = CAREFUL_CHUNK if group.is_careful else QUICK_CHUNK
            for first in range(0, len(group.demands), size):
                chunk = tuple(group.demands[first : first + size])
                tasks.append(PackTask(group.family, learnt, chunk, group.steps, self.seed))
                owners.append(group)
        for task, group, record in zip(tasks, owners, self._results(tasks), strict=True):
            for wanted, mix in zip(task.demands, PackTask.read(record), strict=True):
                purchases = purchases_of(mix, group.list_prices)
                answer = Mix(
                    purchases,
                    sum(purchase.cost_microusd_per_hour for purchase in purchases),
                    mix.bound_microusd_per_hour,
                    packed=Packed(mix, group.places),
                )
                for question in group.questions[wanted]:
                    self._known[question] = answer

    def _results(self, tasks: Sequence[Task]) -> list[dict[str, Any]]:
        """Results in the order of the tasks, from the checkpoint or the engine."""
        results: dict[int, dict[str, Any]] = {}
        open_tasks = []
        for at, task in enumerate(tasks):
            known = None if self.checkpoint is None else self.checkpoint.load(task.key)
            if known is None:
                open_tasks.append(at)
            else:
                results[at] = known
                self._note(task)
        for index, result in self.engine.run([tasks[at] for at in open_tasks], self._check):
            at = open_tasks[index]
            if self.checkpoint is not None:
                self.checkpoint.save(tasks[at].key, result)
            results[at] = result
            self._note(tasks[at])
        return [results[at] for at in range(len(tasks))]

    def _check(self) -> None:
        try:
            self.check()
        except PlanningError as error:
            kept = "" if self.checkpoint is None else "; what is solved is kept in the checkpoint"
            raise PlanningError(
                f"{error}: {self._done} of {self._total} problems are solved, "
                f"and part of a plan is none{kept}"
            ) from error

    def _note(self, task: Task) -> None:
        self._done += task.problems
        if self.on_progress is not None:
            self.on_progress(self._done, self._total)


def _first_with(questions: Sequence[Question], places: Sequence[int]) -> Iterator[tuple[Question, int]]:
    """For each workload the first question that asks for it."""
    first: dict[int, Question] = {}
    for question in questions:
        for at, _ in question.asked:
            first.setdefault(at, question)
    for at in places:
        yield first[at], at


def purchases_of(mix: PackedMix, list_prices: Catalog) -> tuple[Purchase, ...]:
    """What a mix buys at list prices, dearest first."""
    counts: Counter[tuple[str, str, CapacityType]] = Counter()
    for pattern, nodes in mix.nodes:
        counts[pattern.instance_type, pattern.zone, pattern.capacity_type] += nodes
    types = {kind.name: kind for kind in list_prices.instance_types}
    purchases = []
    for (name, zone, capacity_type), nodes in counts.items():
        offering = next(
            o for o in types[name].offerings if (o.zone, o.capacity_type) == (zone, capacity_type)
        )
        price, cpu = offering.price_microusd_per_hour, types[name].allocatable[CPU]
        purchases.append(Purchase(name, capacity_type, nodes, price, offering.source, cpu, zone))
    return tuple(
        sorted(
            purchases,
            key=lambda p: (-p.cost_microusd_per_hour, p.instance_type, p.capacity_type, p.zone),
        )
    )
