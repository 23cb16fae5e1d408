"""The proven bound on instances a person can solve, and on random ones against enumeration."""

from __future__ import annotations

import dataclasses
import time

import pytest
from binwright_optimizer.model import Certificate, LocalPrices, Problem, Share, SpotPolicy, labels
from binwright_optimizer.verify import prove_bound
from builders import (
    existing_node,
    instance_type,
    microusd,
    node_pool,
    offering,
    pod,
    problem,
    requires,
    resources,
)
from exhaustive import cheapest_cost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BITS = 20


def certificate(*pod_dollars: float, limits=(), minimums=()) -> Certificate:
    """Prices in dollars, scaled."""
    return Certificate(
        scale_bits=BITS,
        pod_prices=tuple(round(p * 1e6 * 2**BITS) for p in pod_dollars),
        limit_prices=tuple((pool, r, round(p * 1e6 * 2**BITS)) for pool, r, p in limits),
        minimum_prices=tuple((pool, round(p * 1e6 * 2**BITS)) for pool, p in minimums),
    )


def bound_usd(question: Problem, prices: Certificate) -> float:
    return prove_bound(question, prices, [w.replicas for w in question.workloads]) / 1e6


SMALL = instance_type("small", cpu=4, price=0.10)
LARGE = instance_type("large", cpu=8, price=0.18)


def test_lp_duals_prove_the_lp_bound():
    """Six 2-CPU pods: two fit a small node (0.05 each), four a large one (0.045 each).

    At 0.045 a pod no node holds more than it costs: 6 x 0.045 = 0.27. Prices are multiples of
    0.02, so nothing cheaper than 0.28 exists; and one of each costs exactly that.
    """
    question = problem([pod(cpu=2, replicas=6)], [SMALL, LARGE])
    assert bound_usd(question, certificate(0.045)) == 0.28
    assert cheapest_cost(question, [6]) == microusd(0.28)


def test_prices_that_are_too_high_are_divided_down_to_the_lp_bound():
    """A pod priced ten times too high makes a large node worth 1.80; dividing by 10 repairs it."""
    question = problem([pod(cpu=2, replicas=6)], [SMALL, LARGE])
    assert bound_usd(question, certificate(0.45)) == 0.28


def test_division_is_class_by_class():
    """GPU pods and web pods never share a node, so a wrong price of one leaves the other's alone.

    Web: one pod a node at 0.10. GPU: one pod a node at 1.00, priced 5 too high.
    """
    plain = instance_type("plain", cpu=4, price=0.10)
    gpu = instance_type("gpu", cpu=3, gpu=1, price=1.00)
    question = problem([pod("web", cpu=4, replicas=3), pod("train", cpu=1, gpu=1, replicas=2)], [plain, gpu])
    assert bound_usd(question, certificate(0.10, 5.00)) == pytest.approx(2.30)


def test_prices_that_are_too_low_prove_less():
    """0.03 a pod: 600 x 0.03 = 18, a multiple of 0.02; so many are not looked at on whole nodes."""
    question = problem([pod(cpu=2, replicas=600)], [SMALL, LARGE])
    assert bound_usd(question, certificate(0.03)) == 18.0


def test_two_t4_pods_cost_two_nodes():
    """Two pods of 1 GPU each: 2 x 0.526, or a node of four GPUs for 3.912."""
    question = problem(
        [pod(cpu=2, memory_gib=13, gpu=1, replicas=2)],
        [
            instance_type("g4dn.xlarge", cpu=4, memory_gib=16, gpu=1, price=0.526),
            instance_type("g4dn.12xlarge", cpu=48, memory_gib=192, gpu=4, price=3.912),
        ],
    )
    assert bound_usd(question, certificate(0.526)) == 1.052


def test_integer_patterns_count_not_fractions_of_nodes():
    """Pods of 3 CPU on nodes of 8: two fit, although 2.67 would by volume. 4 pods need 2 nodes."""
    question = problem([pod(cpu=3, replicas=4)], [instance_type(cpu=8, price=1.0)])
    assert bound_usd(question, certificate(0.5)) == 2.0


def test_free_room_on_an_existing_node_is_taken_off():
    """Six pods of 0.045; the existing node takes two of them for nothing: 4 x 0.045 = 0.18."""
    question = problem([pod(cpu=2, replicas=6)], [SMALL, LARGE], existing=[existing_node(cpu=5)])
    assert bound_usd(question, certificate(0.045)) == 0.18


def test_a_full_existing_node_takes_nothing():
    """Its pod slots are used up: its capacity names them, its free amounts do not."""
    full = existing_node(cpu=5, capacity=resources(cpu=8, pods=10))
    question = problem([pod(cpu=2, replicas=6)], [SMALL, LARGE], existing=[full])
    assert bound_usd(question, certificate(0.045)) == 0.28


def test_limited_supply_is_paid_for_by_its_own_term():
    """One node of 8 CPU at 0.10 is left; others cost 0.40. Four 4-CPU pods, two a node.

    At 0.20 a pod the scarce node is worth 0.40, 0.30 above its price: 4 x 0.20 - 0.30 = 0.50.
    Dividing instead would give 4 x 0.05 = 0.20.
    """
    question = problem(
        [pod(cpu=4, replicas=4)],
        [
            instance_type("scarce", cpu=8, price=0.10, available=1),
            instance_type("plenty", cpu=8, price=0.40),
        ],
    )
    assert bound_usd(question, certificate(0.20)) == 0.50
    assert cheapest_cost(question, [4]) == microusd(0.50)


def test_unlimited_free_nodes_leave_nothing_to_prove():
    question = problem([pod(cpu=4, replicas=4)], [instance_type(cpu=8, price=0.0)])
    assert bound_usd(question, certificate(0.20)) == 0.0


def test_a_limit_price_raises_the_bound_where_the_limit_binds():
    """The cheap pool may buy 8 CPUs: one node of 8 at 0.10. The dear pool sells the same at 0.40.

    With 0.20 a pod and 0.30 for the limit's 8 CPUs: 4 x 0.20 - 0.30 = 0.50.
    """
    cheap, dear = instance_type("cheap", cpu=8, price=0.10), instance_type("dear", cpu=8, price=0.40)
    pools = [
        node_pool("a", requires("node.kubernetes.io/instance-type", "In", "cheap"), limits={"cpu": 8000}),
        node_pool("b", requires("node.kubernetes.io/instance-type", "In", "dear")),
    ]
    question = problem([pod(cpu=4, replicas=4)], [cheap, dear], pools)
    assert bound_usd(question, certificate(0.20, limits=[("a", "cpu", 0.30 / 8000)])) == 0.50
    assert bound_usd(question, certificate(0.20)) == 0.20  # divided by four instead


def test_a_node_count_limit_has_a_price_too():
    cheap, dear = instance_type("cheap", cpu=8, price=0.10), instance_type("dear", cpu=8, price=0.40)
    pools = [
        node_pool("a", requires("node.kubernetes.io/instance-type", "In", "cheap"), max_nodes=1),
        node_pool("b", requires("node.kubernetes.io/instance-type", "In", "dear")),
    ]
    question = problem([pod(cpu=4, replicas=4)], [cheap, dear], pools)
    assert bound_usd(question, certificate(0.20, limits=[("a", "nodes", 0.30)])) == 0.50


def test_existing_nodes_use_up_a_limit():
    """Nothing may be bought for the cheap pool any more, so two dear nodes are needed."""
    cheap, dear = instance_type("cheap", cpu=8, price=0.10), instance_type("dear", cpu=8, price=0.40)
    pools = [
        node_pool("a", requires("node.kubernetes.io/instance-type", "In", "cheap"), limits={"cpu": 8000}),
        node_pool("b", requires("node.kubernetes.io/instance-type", "In", "dear")),
    ]
    used = existing_node(cpu=0, capacity=resources(cpu=8), pool="a")
    question = problem([pod(cpu=4, replicas=4)], [cheap, dear], pools, existing=[used])
    assert bound_usd(question, certificate(0.20)) == 0.80


def test_a_node_in_a_spot_pool_holds_no_more_than_the_pool_may():
    """Nodes for two pods at 1 and 2 on spot and 3 on demand, and no pool may hold more than one of four.

    At 1 a pod in the first pool and 1.5 anywhere else no node is worth more than it costs, since on spot it
    holds one pod: 1 + 3 x 1.5 = 5.5, and prices are whole dollars. With two pods in each pool's node these
    prices would prove no more than 0.5 + 3 x 1.
    """
    offered = [
        offering(3, zone="a"),
        offering(1, zone="a", capacity_type="spot"),
        offering(2, zone="b", capacity_type="spot"),
    ]
    web = dataclasses.replace(pod("web", cpu=1, replicas=4), spot=SpotPolicy(max_per_pool=Share(count=1)))
    question = problem([web], [instance_type("box", cpu=2, offerings=offered)])
    spot = (labels.CAPACITY_TYPE, "spot"), (labels.INSTANCE_TYPE, "box")
    unit = 10**6 * 2**BITS
    prices = LocalPrices(
        (0,),
        (
            ((*spot, (labels.ZONE, "a")), unit),
            ((*spot, (labels.ZONE, "b")), 3 * unit // 2),
            (((labels.CAPACITY_TYPE, "on-demand"),), 3 * unit // 2),
        ),
    )
    assert bound_usd(question, Certificate(BITS, (0,), local_prices=(prices,))) == 6.0


def test_minimum_nodes_cost_money_without_pods():
    question = problem([], [SMALL, LARGE], [node_pool(min_nodes=3)])
    assert prove_bound(question, certificate(), []) == microusd(0.30)


def test_a_minimum_price_adds_to_what_pods_prove():
    """Pool b must have one node at 0.40, which pool a's pods may not use (taint): 0.10 + 0.40."""
    types = [instance_type("x", cpu=8, price=0.10), instance_type("y", cpu=8, price=0.40)]
    pools = [
        node_pool("a", requires("node.kubernetes.io/instance-type", "In", "x")),
        node_pool(
            "b",
            requires("node.kubernetes.io/instance-type", "In", "y"),
            taints=["b=1:NoSchedule"],
            min_nodes=1,
        ),
    ]
    question = problem([pod(cpu=8)], types, pools)
    assert bound_usd(question, certificate(0.10, minimums=[("b", 0.40)])) == 0.50


def test_a_minimum_price_above_the_node_price_is_cut():
    question = problem([], [SMALL], [node_pool(min_nodes=3)])
    assert bound_usd(question, certificate(minimums=[("default", 7.0)])) == pytest.approx(0.30)


def test_daemons_shrink_every_node():
    """One CPU of four goes to daemons, so one 2-CPU pod a node: 2 x 0.10."""
    pool = node_pool(overhead=resources(cpu=1))
    question = problem([pod(cpu=2, replicas=2)], [SMALL], [pool])
    assert bound_usd(question, certificate(0.10)) == 0.20


def test_pod_slots_count():
    """CPU for four pods, slots for two."""
    question = problem([pod(cpu=1, replicas=4)], [instance_type(cpu=4, pods=2, price=1.0)])
    assert bound_usd(question, certificate(0.5)) == 2.0


def test_a_taint_keeps_cheap_nodes_out_of_the_proof():
    pools = [
        node_pool(
            "a", requires("node.kubernetes.io/instance-type", "In", "small"), taints=["t=1:NoSchedule"]
        ),
        node_pool("b", requires("node.kubernetes.io/instance-type", "In", "large")),
    ]
    question = problem([pod(cpu=4, replicas=2)], [SMALL, LARGE], pools)
    assert bound_usd(question, certificate(0.09)) == 0.18


def test_a_custom_label_of_two_values_is_told_apart():
    """Team a and team b may not share a node whose label is one of the two: 2 x 0.18."""
    pool = node_pool("default", requires("team", "In", "a", "b"))
    question = problem(
        [pod("one", cpu=4, selector={"team": "a"}), pod("two", cpu=4, selector={"team": "b"})],
        [LARGE],
        [pool],
    )
    assert bound_usd(question, certificate(0.18, 0.18)) == 0.36


def test_pods_of_the_same_template_form_one_class():
    question = problem([pod(str(k), cpu=2) for k in range(6)], [SMALL, LARGE])
    assert bound_usd(question, certificate(*[0.045] * 6)) == 0.28


def test_only_placed_pods_count():
    question = problem([pod(cpu=2, replicas=6)], [SMALL, LARGE])
    assert prove_bound(question, certificate(0.045), [2]) == microusd(0.10)  # 0.09 in steps of 0.02


@pytest.mark.parametrize("bits", [-1, 0, 1, 200, 4000, 10**9])
def test_odd_scales_are_harmless(bits):
    question = problem([pod(cpu=2, replicas=6)], [SMALL, LARGE])
    shifted = max(0, min(bits, 4096))
    proven = prove_bound(question, Certificate(bits, (45_000 << shifted,)), [6])
    assert proven <= microusd(0.28)
    if 0 <= bits <= 4096:
        assert proven == microusd(0.28)


def test_huge_numbers_do_not_overflow():
    """Ten million dollars an hour, petabytes and 2**4000: still 3 nodes' worth, no more."""
    giant = instance_type(memory_gib=2**22, price=10_000_000)
    question = problem([pod(memory_gib=2**22, replicas=3)], [giant])
    assert bound_usd(question, Certificate(60, (2**4000,))) == 30_000_000


def test_out_of_time_the_bound_is_weaker_but_stands():
    question = problem([pod(cpu=3, replicas=4)], [instance_type(cpu=8, price=1.0)])
    proven = prove_bound(question, certificate(0.5), [4], time_limit_s=0.0)
    assert 0 < proven <= microusd(2.0)


def test_the_clock_is_kept_even_with_bad_prices():
    """Sixty lumpy classes, forty nodes, prices far too high: hours of search if nobody looked."""
    workloads = [pod(f"w{k}", cpu=1 + (7 * k % 60) / 13, memory_gib=1 + (11 * k % 60) / 7) for k in range(60)]
    types = [instance_type(f"t{k}", cpu=8 + 3.3 * k, memory_gib=20 + 5.7 * k, price=1 + k) for k in range(40)]
    question = problem(workloads, types)
    prices = certificate(*(40.0 + (17 * k % 60) / 60 for k in range(60)))
    started = time.monotonic()
    assert prove_bound(question, prices, [1] * 60, time_limit_s=0.1) > 0
    assert time.monotonic() - started < 5.0


@st.composite
def tiny_problems(draw) -> Problem:
    types = [
        instance_type(
            f"t{k}",
            cpu=draw(st.integers(1, 8)),
            memory_gib=draw(st.integers(0, 8)),
            gpu=draw(st.integers(0, 2)),
            pods=draw(st.integers(0, 3)),
            offerings=[
                offering(
                    draw(st.integers(0, 9)) / 10,
                    zone=zone,
                    available=draw(st.sampled_from([None, None, 0, 1, 2])),
                )
                for zone in draw(st.sampled_from([("z1",), ("z1", "z2")]))
            ],
        )
        for k in range(draw(st.integers(1, 3)))
    ]
    names = [kind.name for kind in types]
    pools = [
        node_pool(
            f"p{k}",
            *(
                [requires("node.kubernetes.io/instance-type", "In", draw(st.sampled_from(names)))]
                if draw(st.booleans())
                else []
            ),
            taints=draw(st.sampled_from([(), (), ("t=1:NoSchedule",)])),
            limits=draw(st.sampled_from([{}, {}, {"cpu": 8000}, {"nvidia.com/gpu": 1}])),
            min_nodes=draw(st.sampled_from([0, 0, 0, 1])),
            max_nodes=draw(st.sampled_from([None, None, 2, 3])),
        )
        for k in range(draw(st.integers(1, 2)))
    ]
    existing = [
        existing_node(
            f"e{k}",
            cpu=draw(st.integers(0, 4)),
            memory_gib=draw(st.integers(0, 4)),
            pods=draw(st.integers(0, 2)),
            taints=draw(st.sampled_from([(), ("t=1:NoSchedule",)])),
            pool=draw(st.sampled_from(["", "p0"])),
        )
        for k in range(draw(st.integers(0, 1)))
    ]
    workloads = [
        pod(
            f"w{k}",
            cpu=draw(st.integers(0, 4)),
            memory_gib=draw(st.integers(0, 4)),
            gpu=draw(st.sampled_from([0, 0, 1])),
            replicas=draw(st.integers(1, 2)),
            tolerations=draw(st.sampled_from([(), ("t=1:NoSchedule",)])),
            selector=draw(st.sampled_from([{}, {}, {"node.kubernetes.io/instance-type": names[0]}])),
        )
        for k in range(draw(st.integers(1, 3)))
    ]
    return problem(workloads, types, pools, existing=existing)


@st.composite
def garbage(draw, question: Problem) -> Certificate:
    price = st.one_of(
        st.integers(-5, 2**21), st.integers(0, 2**80), st.integers(0, 10**6).map(lambda p: p << 20)
    )
    resource = st.sampled_from(["cpu", "nvidia.com/gpu", "nodes", "memory"])
    pool = st.sampled_from([p.name for p in question.node_pools] + ["nobody"])
    return Certificate(
        scale_bits=draw(st.sampled_from([20, 20, 0, 3, 60])),
        pod_prices=tuple(
            draw(st.lists(price, min_size=len(question.workloads), max_size=len(question.workloads)))
        ),
        limit_prices=tuple(draw(st.lists(st.tuples(pool, resource, price), max_size=3))),
        minimum_prices=tuple(draw(st.lists(st.tuples(pool, price), max_size=2))),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_the_certificate_the_bound_never_exceeds_the_optimum(data):
    question = data.draw(tiny_problems())
    prices = data.draw(garbage(question))
    demand = [w.replicas for w in question.workloads]
    optimum = cheapest_cost(question, demand)
    if optimum is not None:
        assert 0 <= prove_bound(question, prices, demand) <= optimum
