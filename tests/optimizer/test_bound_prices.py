"""Prices that once proved too much in the search, or too little in the checker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from binwright_optimizer.bounds import feasible_prices
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import Certificate, Split
from binwright_optimizer.verify import prove_bound
from builders import instance_type, microusd, node_pool, pod, problem
from solver_parts import converged_generation


def test_rounding_errors_in_a_prize_do_not_raise_the_bound() -> None:
    """A ten for 1.221001 or a five for 1.165601; at least two tens: 2.442002 is the optimum.

    `without_prizes` cuts a level price of 3.60 to a ten's price, up to rounding: its threshold
    becomes -2e-16, for which `feasible_prices` divides nothing (at 0.0 it sets the pods to 0).
    """
    kinds = [instance_type("ten", cpu=10, price=1.221001), instance_type("five", cpu=5, price=1.165601)]
    instance = build_instance(problem([pod(cpu=5, replicas=3)], kinds))
    generation = converged_generation(instance)
    generation.add_level(1_221_001)
    generation.restrict(np.array([2.0]), np.array([np.inf]), replace(generation.bound, dollars=0.0))
    duals = replace(
        generation.rows.zero_duals(), pods=np.array([0.42]), levels=np.array([3.6009261490624214])
    )
    generation.sweep(duals)
    assert generation.bound.dollars <= 2.442002 + 1e-9  # is 3.702002


def test_a_threshold_just_below_zero_makes_pods_worth_nothing() -> None:
    instance = build_instance(problem([pod(cpu=5)], [instance_type("node", cpu=10, price=1.0)]))
    for threshold in (0.0, -1e-16):
        prices = feasible_prices(
            instance, np.array([0.4]), np.array([threshold]), np.array([0.4]), np.zeros(1, dtype=bool)
        )
        assert prices.tolist() == [0.0]
        prices = feasible_prices(
            instance, np.array([0.4]), np.array([threshold]), np.zeros(1), np.zeros(1, dtype=bool)
        )
        assert prices.tolist() == [0.4]  # not nan, where nothing is worth anything there


def test_level_prices_prove_the_same_in_any_order() -> None:
    """Thirteen pods of 5 cpu; a ten for $1 holds two, a five for $0.61 one.

    The part: six tens at least, seven nodes at most. A node costs 2.00 more for being one of the
    seven, a ten 2.61 less for being one of the six asked for: tens 0.39, fives 2.61. With pods worth
    nothing that is 6 x 2.61 - 7 x 2.00 = 1.66. If the 2.61 comes first it is cut to 1.00, though.
    """
    kinds = [instance_type("ten", cpu=10, price=1.00), instance_type("five", cpu=5, price=0.61)]
    question = problem([pod(cpu=5, replicas=13)], kinds)
    ten, five = microusd(1.00), microusd(0.61)

    def dollars(amount: float) -> int:
        return round(amount * 1e6 * 2**20)

    def proven(*levels: tuple[int, int]) -> int:
        part = Certificate(20, (0,), level_prices=levels)
        many = Certificate(20, (0,), level_prices=((five, dollars(0.61)),))  # eight nodes or more
        few = Certificate(20, (dollars(0.61),), level_prices=((ten, dollars(-0.22)),))  # five tens at most
        more = Certificate(20, (), split=Split(five, 7, part, many))
        certificate = Certificate(20, (), split=Split(ten, 5, few, more))
        return prove_bound(question, certificate, [13], on_whole_nodes=False)

    paid, asked = (five, dollars(-2.00)), (ten, dollars(2.61))
    assert proven(paid, asked) == microusd(1.66)
    assert proven(asked, paid) == microusd(1.66)  # is 0


def test_a_minimum_is_priced_by_what_can_be_bought_without_limit() -> None:
    """Two nodes at least: the only cheap one for 1.00, another for 2.00. At 2.00 for each of the two
    the cheap one is 1.00 too good: 2 x 2.00 - 1.00 = 3.00. Cut to 1.00 the minimum proves 2.00."""
    kinds = [instance_type("cheap", cpu=4, price=1.0, available=1), instance_type("dear", cpu=4, price=2.0)]
    question = problem([pod(cpu=1)], kinds, [node_pool(min_nodes=2)])
    price = round(2e6 * 2**20)
    assert prove_bound(
        question, Certificate(20, (0,), minimum_prices=(("default", price),)), [1]
    ) == microusd(3)


def test_a_pod_that_only_scarce_nodes_hold_may_be_worth_more_than_any_node() -> None:
    """Two special nodes, for 1.00, are all that hold the two GPU pods, and have room for one small
    pod beside each; the other four small ones need a plain node each: 6.00.

    With a GPU pod at 8.00 and a small one at 1.00 a special node is worth 9.00, 8.00 too much:
    2 x 8 + 6 x 1 - 2 x 8 = 6. A GPU pod cut to 1.00 would leave six small ones as its best pattern.
    """
    kinds = [
        instance_type("special", cpu=9, gpu=1, price=1.0, available=2),
        instance_type("plain", cpu=1, price=1.0),
    ]
    question = problem([pod("train", cpu=8, gpu=1, replicas=2), pod("web", cpu=1, replicas=6)], kinds)
    one = round(1e6 * 2**20)
    assert prove_bound(question, Certificate(20, (8 * one, one)), [2, 6]) == microusd(6)
