"""Where a chance of loss is bounded and rates are unknown, the decision says what was taken for them."""

from __future__ import annotations

from dataclasses import replace

from binwright_optimizer.model import (
    ExistingNode,
    InstanceType,
    LossBound,
    NodePool,
    Share,
    SpotPolicy,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from builders import existing_node, instance_type, node_pool, offering, pod, problem, requires

BOUND = SpotPolicy(loss=LossBound(Share(count=1), 10_000))


def box(*rates: int | None) -> InstanceType:
    """On demand, and on spot in a zone for each of these rates, in parts per million a month."""
    spot = [
        replace(offering(0.5, zone=zone, capacity_type="spot"), interruption_ppm_per_month=rate)
        for zone, rate in zip("abcde", rates, strict=False)
    ]
    return instance_type("box", cpu=4, offerings=[offering(1, zone="a"), *spot])


def warnings(
    kind: InstanceType,
    policy: SpotPolicy = BOUND,
    pools: list[NodePool] | None = None,
    existing: tuple[ExistingNode, ...] = (),
) -> list[str]:
    web = replace(pod("web", cpu=1, replicas=2), spot=policy)
    decision = solve(problem([web], [kind], pools, existing=existing), SolveParams(deadline_s=60.0))
    assert not decision.unschedulable
    return [warning for warning in decision.warnings if "max-loss" in warning]


def test_pools_without_a_rate_are_named_with_what_is_taken_for_it() -> None:
    assert warnings(box(50_000, None)) == [
        "interruption rates of 1 spot pool (box in b) are not known: max-loss takes them for one a month"
    ]


def test_of_many_pools_three_are_named() -> None:
    [warning] = warnings(box(None, None, None, None))
    assert warning.startswith(
        "interruption rates of 4 spot pools (box in a, box in b, box in c, ...) are not"
    )


def test_a_running_spot_node_of_no_known_type_is_such_a_pool() -> None:
    old = existing_node("old", cpu=1, node_labels={labels.CAPACITY_TYPE: "spot", labels.ZONE: "a"})
    [warning] = warnings(box(50_000), existing=(old,))
    assert "1 spot pool (no type in a)" in warning


def test_rates_that_are_known_or_that_nobody_asks_for_are_no_cause_for_a_warning() -> None:
    """Without a bound, or where the NodePool buys nothing on spot, unknown rates change nothing."""
    on_demand = node_pool("steady", requires(labels.CAPACITY_TYPE, "In", "on-demand"))
    assert warnings(box(50_000, 0)) == []
    assert warnings(box(None), SpotPolicy(max_per_pool=Share(count=2))) == []
    assert warnings(box(None), pools=[on_demand]) == []
