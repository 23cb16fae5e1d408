"""The templates of a problem, each once: workloads are many, and most share theirs with others."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from binwright_optimizer.model.pods import PodTemplate
from binwright_optimizer.model.problem import Problem

_known: WeakKeyDictionary[Problem, tuple[PodTemplate, ...]] = WeakKeyDictionary()
_lock = threading.Lock()


def templates_of(problem: Problem) -> tuple[PodTemplate, ...]:
    """Distinct templates of the workloads in order, told apart by identity; found out once."""
    with _lock:
        found = _known.get(problem)
    if found is None:
        found = tuple({id(workload.template): workload.template for workload in problem.workloads}.values())
        with _lock:
            _known[problem] = found
    return found
