"""The real Karpenter scheduler asked about a market; its answer in the terms of the baselines.

The program is built from ``benchmarks/peers/karpenter``. What comes back is checked like any baseline:
the amounts on both sides are the same, so a valid answer of Karpenter's is a valid answer here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from binwright_optimizer.model import labels

from binwright_benchmarks.baselines import BaselineResult, Market
from binwright_benchmarks.baselines.result import Filled, result_of
from binwright_benchmarks.baselines.standing import fill_standing
from binwright_benchmarks.peers.components import component
from binwright_benchmarks.peers.question import question

NAME = "karpenter (real)"
TIMEOUT_S = 600.0
"""Karpenter stops after a minute and goes on in the next loop; here it may finish what it began."""


class PeerError(Exception):
    """The original program failed, or answered something that cannot be read."""


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What the original program would buy.

    Parameters
    ----------
    seconds
        Its own time, without starting and reading the question.
    has_timed_out
        Whether it stopped before every pod was tried.
    """

    result: BaselineResult
    seconds: float
    has_timed_out: bool


class Karpenter:
    """The program with one question, which is put once for each seed.

    Parameters
    ----------
    program
        The harness; None takes the one that is built.

    Raises
    ------
    ComponentUnavailableError
        If it is not built.
    UnsaidError
        If the question cannot be put.
    """

    def __init__(self, market: Market, timeout_s: float = TIMEOUT_S, program: Path | None = None) -> None:
        self._market = market
        self._timeout_s = timeout_s
        self._program = program or component("karpenter-peer")
        self._question = json.dumps(question(market)).encode()
        self._candidates = _candidates_by_name(market)

    def run(self, seed: int) -> PeerAnswer:
        """The answer; seeds other than 0 draw the order of pods that the queue cannot tell apart.

        Raises
        ------
        PeerError
            If the program fails.
        BrokenBaselineError
            If the independent checker finds the answer invalid.
        """
        command = [str(self._program), "--seed", str(seed), "--timeout", f"{self._timeout_s:g}s"]
        # Reading a large question takes seconds of its own.
        limit = self._timeout_s + 60.0
        try:
            done = subprocess.run(command, input=self._question, capture_output=True, timeout=limit)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self._program.name} did not answer in {limit:g} s") from None
        if done.returncode:
            raise PeerError(done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}")
        answer = json.loads(done.stdout)
        filled = self._filled(answer)
        result = result_of(NAME, self._market, filled).checked()
        return PeerAnswer(result, answer["seconds"], answer["timedOut"])

    def _filled(self, answer: dict[str, Any]) -> Filled:
        """Nodes and pods of the answer as candidates and patterns; standing nodes come first."""
        market = self._market
        standing = fill_standing(market, np.empty(0, dtype=np.int64)).filled
        patterns = [np.zeros(market.instance.n_classes, dtype=np.int32) for _ in standing.candidates]
        for node in answer["standing"]:
            patterns[int(node["node"].removeprefix("standing-"))] += self._pattern(node["pods"])
        candidates = standing.candidates.tolist()
        for claim in answer["nodeClaims"]:
            if claim.get("error"):
                raise PeerError(
                    f"a claim of NodePool {claim['nodePool']} cannot be launched: {claim['error']}"
                )
            pattern = self._pattern(claim["pods"])
            candidates.append(self._candidate(claim, pattern))
            patterns.append(pattern)
        table = np.array(patterns, dtype=np.int32).reshape(len(patterns), market.instance.n_classes)
        return Filled(np.array(candidates, dtype=np.int64), table)

    def _pattern(self, pods: Sequence[dict[str, int]]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        pattern = np.zeros(self._market.instance.n_classes, dtype=np.int32)
        for entry in pods:
            i = self._market.instance.class_of[entry["workload"]]
            if i < 0:
                name = self._market.instance.problem.workloads[entry["workload"]].name
                raise PeerError(f"it places {name}, whose pods fit nothing here")
            pattern[i] += entry["count"]
        return pattern

    def _candidate(self, claim: dict[str, Any], pattern: np.ndarray[tuple[int], np.dtype[np.int32]]) -> int:
        """The candidate that a claim is; of the variants of its NodePool one that admits its pods."""
        key = (claim["nodePool"], claim["instanceType"], claim["zone"], claim["capacityType"])
        found = self._candidates.get(key, ())
        classes = np.flatnonzero(pattern)
        for j in found:
            if self._market.instance.compatible[classes, j].all():
                return j
        raise PeerError(f"{' '.join(key)} with its pods is for sale there but not here")


def _candidates_by_name(market: Market) -> dict[tuple[str, str, str, str], list[int]]:
    """Candidates that are bought, by NodePool, instance type, zone and capacity type."""
    instance = market.instance
    kinds = instance.problem.catalog.instance_types
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for j, row in enumerate(instance.row_of[: market.n_bought].tolist()):
        kind = kinds[instance.shelf.type_of[row]]
        offering = kind.offerings[instance.shelf.offering_of[row]]
        pool = dict(instance.variants[instance.variant_of[j]].fixed)[labels.NODE_POOL]
        key = (str(pool), kind.name, offering.zone, offering.capacity_type.value)
        found.setdefault(key, []).append(j)
    return found
