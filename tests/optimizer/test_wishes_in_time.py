"""Answers with wishes between pods keep their deadline, by processor time: other programs do not count."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

from binwright_benchmarks.instances.constrained import wishing
from binwright_benchmarks.registry import SharedData
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import verify
from binwright_optimizer.warmup import warm_up

DEADLINE_S = 1.0
LATE_S = 0.1
"""Twice what the benchmark of promptness allows."""


def test_moving_pods_for_wishes_ends_when_the_deadline_comes() -> None:
    """2,000 pods that all prefer zones in balance: without a deadline they are moved for many seconds."""
    warm_up()
    question = wishing(3000, SharedData())
    solve(question, SolveParams(deadline_s=60.0, work_limit=1))  # reads the catalogue, once for all questions
    gc.collect()
    gc.freeze()  # what other tests have left is not looked through in the middle of it
    began = time.process_time()
    params = SolveParams(deadline_s=DEADLINE_S)
    decision = solve(replace(question), params, Deadline(DEADLINE_S, clock=time.process_time))
    late_s = time.process_time() - began - DEADLINE_S
    gc.unfreeze()
    assert late_s <= LATE_S
    assert {timing.phase for timing in decision.timings} >= {"settle"}
    assert decision.penalties
    assert verify(question, decision) == ()
