"""What a cap on one spot pool's share of each service costs, and what it is worth.

``python -m binwright_benchmarks.spot_risk`` solves generated services on all that AWS sells in a region, from
no cap to on demand only. Of each answer every spot pool (instance type and zone) is taken away in turn: no
service may lose more of its pods than the cap promises. Two rules stand beside: Karpenter's packing on spot
capacity alone, which it prefers where it may have it, and on demand alone; both on the families c, m and r
that its getting-started guide admits, since on everything that is sold it buys giants.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import (
    CapacityType,
    Decision,
    Operator,
    Policies,
    Problem,
    Requirement,
    Share,
    SpotPolicy,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.warmup import warm_up
from rich.console import Console

from binwright_benchmarks.arguments import add_output, count, duration
from binwright_benchmarks.baselines import open_market
from binwright_benchmarks.baselines.karpenter import karpenter
from binwright_benchmarks.instances.micro_services import CURATED, MEANS, OTHER_REGION, micro_services
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.results import markdown_table, publish

CAPS_PERCENT = (None, 50, 33, 25, 20, 10, 0)
"""Most of a service that one spot pool may hold; None without a cap, 0 on demand only."""

PODS, CLASSES = 500, 8
FIRST_SEED = 3000
LIMIT_S = 30.0
STEM = "spot-risk"
RULE = "karpenter-like"
MICROUSD = 1e6
PPM_OF_PERCENT = 10_000


class BrokenPromiseError(Exception):
    """A reclaimed pool would take more than the cap promises: a bug of ours, never a result."""


@dataclass(frozen=True, slots=True)
class Point:
    """One answer, and what the loss of each of its spot pools takes.

    Parameters
    ----------
    who
        ``binwright`` or the rule.
    cap_percent
        Most of a service that one pool may hold; None without a cap.
    bound_usd
        Proven; 0 for rules.
    pools
        Spot pools in use, each of which was taken away.
    worst_service_share
        Largest share of one service's pods, of two pods or more, that a pool takes.
    worst_total_share
        Largest share of all pods that a pool takes.
    """

    seed: int
    who: str
    cap_percent: int | None
    usd: float
    bound_usd: float
    pools: int
    worst_service_share: float
    worst_total_share: float


def question(seed: int, cap_percent: int | None) -> Problem:
    """The services of a seed under a cap that holds for each of them."""
    problem = micro_services(seed, PODS, CLASSES, MEANS["eu"])
    pool = problem.node_pools[0]
    anything = Requirement(labels.CAPACITY_TYPE, Operator.IN, ("spot", "on-demand"))
    problem = replace(problem, node_pools=(replace(pool, requirements=(*pool.requirements, anything)),))
    if cap_percent is None:
        return problem
    if cap_percent == 0:
        spot = SpotPolicy(min_on_demand=Share(ppm=100 * PPM_OF_PERCENT))
    else:
        spot = SpotPolicy(max_per_pool=Share(ppm=cap_percent * PPM_OF_PERCENT))
    return replace(problem, policies=Policies(spot=spot))


def losses(decision: Decision) -> dict[tuple[str, str], dict[int, int]]:
    """Pods of each workload that go with each spot pool, were it reclaimed."""
    lost: dict[tuple[str, str], dict[int, int]] = {}
    for claim in decision.node_claims:
        if claim.capacity_type is CapacityType.SPOT:
            taken = lost.setdefault((claim.instance_type, claim.zone), {})
            for pods in claim.pods:
                taken[pods.workload] = taken.get(pods.workload, 0) + pods.count
    return lost


def point_of(seed: int, who: str, cap_percent: int | None, problem: Problem, decision: Decision) -> Point:
    """Take every spot pool away, and note the worst; raises BrokenPromiseError if that breaks the cap."""
    lost = losses(decision)
    replicas = [workload.replicas for workload in problem.workloads]
    for (kind, zone), taken in lost.items():
        for w, pods in taken.items():
            promised = replicas[w] if cap_percent is None else replicas[w] * cap_percent // 100
            if pods > promised:
                name = problem.workloads[w].name
                raise BrokenPromiseError(f"{kind} in {zone} takes {pods} of {name}, {promised} are promised")
    shares = [pods / replicas[w] for taken in lost.values() for w, pods in taken.items() if replicas[w] > 1]
    return Point(
        seed=seed,
        who=who,
        cap_percent=cap_percent,
        usd=decision.cost_microusd_per_hour / MICROUSD,
        bound_usd=decision.bound_microusd_per_hour / MICROUSD,
        pools=len(lost),
        worst_service_share=max(shares, default=0.0),
        worst_total_share=max((sum(t.values()) for t in lost.values()), default=0) / sum(replicas),
    )


def by_rule(seed: int, capacity_type: str) -> Point:
    """The rule's answer on one capacity type."""
    problem = question(seed, None)
    pool = problem.node_pools[0]
    only = Requirement(labels.CAPACITY_TYPE, Operator.IN, (capacity_type,))
    kept = tuple(r for r in pool.requirements if r.key != labels.CAPACITY_TYPE)
    catalog = embedded_catalog("aws", (OTHER_REGION,), CURATED)
    problem = replace(problem, catalog=catalog, node_pools=(replace(pool, requirements=(*kept, only)),))
    result = karpenter(open_market(problem)).checked()
    return point_of(seed, f"{RULE}, {capacity_type}", None, problem, result.decision())


def points(seeds: Sequence[int], limit_s: float) -> Iterator[Point]:
    """Everything that is measured."""
    for seed in seeds:
        for cap in CAPS_PERCENT:
            problem = question(seed, cap)
            decision = solve(problem, SolveParams(deadline_s=limit_s, seed=seed))
            yield point_of(seed, "binwright", cap, problem, decision)
        for capacity_type in ("spot", "on-demand"):
            yield by_rule(seed, capacity_type)


def points_of(payload: dict[str, Any]) -> tuple[Point, ...]:
    """What a result file holds; raises KeyError or TypeError if it is none."""
    return tuple(Point(**entry) for entry in payload["spot_risk"])


HEADS = ("Seed", "Who", "Cap", "$/h", "Gap", "Spot pools", "Most of a service lost", "Most of all pods lost")


def rows(measured: Sequence[Point]) -> list[tuple[str, ...]]:
    """Cells under `HEADS`."""
    table: list[tuple[str, ...]] = []
    for point in measured:
        gap = f"{(point.usd - point.bound_usd) / point.usd:.2%}" if point.bound_usd else "-"
        cap = "none" if point.cap_percent is None else f"{point.cap_percent} %"
        table.append(
            (
                str(point.seed), point.who, cap, f"{point.usd:.3f}", gap, str(point.pools),
                f"{point.worst_service_share:.0%}", f"{point.worst_total_share:.0%}",
            )
        )  # fmt: skip
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, take pools away, and keep the report."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.spot_risk", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--seeds", metavar="N", type=count, default=2, help="default: %(default)s")
    parser.add_argument(
        "--limit", metavar="S", type=duration, default=LIMIT_S, help="seconds a solve (default: %(default)s)"
    )
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    notes = Console(stderr=True, width=100, highlight=False, soft_wrap=True)
    warm_up()
    measured = []
    for point in points(range(FIRST_SEED, FIRST_SEED + options.seeds), options.limit):
        measured.append(point)
        notes.print(" ".join(rows([point])[0]), markup=False)
    text = markdown_table(HEADS, rows(measured))
    payload = {"limit_s": options.limit, "spot_risk": [asdict(point) for point in measured]}
    publish(options.output, STEM, started, machine, payload, "Spot: cost against risk", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
