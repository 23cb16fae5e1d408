"""Published bin packing instances; the seed is the number of the instance in its set."""

from __future__ import annotations

from functools import partial

from binwright_optimizer.model import Problem

from binwright_benchmarks.registry import SharedData, register
from binwright_benchmarks.vector_packing import (
    CONFIGS,
    SETS,
    conflict_questions,
    packing_problem,
    vector_questions,
)


def _vector(name: str, seed: int, data: SharedData) -> Problem:
    found = [question for question in vector_questions(name, data) if question.is_expressible]
    return packing_problem(found[seed % len(found)])


def _conflicts(config: str, seed: int, data: SharedData) -> Problem:
    found = conflict_questions(config, data)
    return packing_problem(found[seed % len(found)])


for _name in SETS:
    register(
        f"vbp-{_name}",
        f"vector bin packing, {_name.title()} set; the seed chooses among its instances",
        is_seeded=True,
        deadline_s=2.0,
    )(partial(_vector, _name))
for _config in CONFIGS:
    _short = _config.removesuffix("_linear").replace("types", "t").replace("_", "-")
    register(
        f"vsbppc-{_short}",
        f"bins of several sizes, items that must not meet ({_config})",
        is_seeded=True,
    )(partial(_conflicts, _config))
