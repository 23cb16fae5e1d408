"""Branching on numbers of nodes: the parts, their bounds, and the certificate they make."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.certify import tree_certificate
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.master import Solution
from binwright_optimizer.columns.tree import MOST_DEPTH, Part, Tree
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import Problem, StopReason
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import prove_bound
from builders import instance_type, microusd, pod, problem
from exhaustive import cheapest_cost
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solver_parts import candidate, converged_generation
from tiny_problems import tiny_problems

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)
CLOSE = 1e-6
"""Dollars by which floating point may err."""


def tens_and_fives() -> Problem:
    """Three pods of 5 cpu; a ten for 1.00 holds two, a five for 0.61 one: 1.61, relaxed 1.50."""
    kinds = [instance_type("ten", cpu=10, price=1.00), instance_type("five", cpu=5, price=0.61)]
    return problem([pod(cpu=5, replicas=3)], kinds)


def tree_of(instance: Instance) -> Tree:
    generation = converged_generation(instance)
    return Tree(generation, generation.bound)


def grown(tree: Tree, cutoff: float, most_leaves: int = 20) -> list[float]:
    """Branch as `search` does; the tree's bound after each part."""
    stop = Deadline(60.0)
    bounds = [tree.dollars]
    while (part := tree.next_part(cutoff)) is not None:
        tree.enter(part)
        solution = tree.solve(part, cutoff, stop)
        bounds.append(tree.dollars)
        if part.bound.dollars >= cutoff:
            continue
        if solution is None or tree.n_leaves >= most_leaves or not tree.split(part, solution):
            part.is_closed = True
    return bounds


def solution_of(generation: Generation, nodes_of: dict[int, float]) -> Solution:
    """A made-up solution that buys so many nodes of these candidates, empty ones if need be."""
    empty = np.zeros((len(nodes_of), generation.instance.n_classes), dtype=np.int32)
    generation.add(np.array(list(nodes_of), dtype=np.intp), empty)
    candidates, _ = generation.pool.arrays()
    nodes = np.zeros(len(candidates))
    for j, count in nodes_of.items():
        nodes[np.flatnonzero(candidates == j)[0]] = count
    return Solution(0.0, nodes, np.zeros(0), generation.rows.zero_duals())


def optimum(question: Problem, instance: Instance) -> int:
    """Cheapest cost of the pods that the instance has, in micro-dollars."""
    held = [w.replicas if i >= 0 else 0 for w, i in zip(question.workloads, instance.class_of, strict=True)]
    cost = cheapest_cost(question, held)
    assume(cost is not None)
    assert cost is not None
    return cost


def part_with(tree: Tree, dollars: float) -> Part:
    """A part with the prices of the tree's root and a made-up bound."""
    return Part(replace(tree.root.bound, dollars=dollars), {}, {})


def divided(part: Part, fewer: Part, more: Part) -> Part:
    part.level, part.at_most, part.fewer, part.more = microusd(1.0), 1, fewer, more
    return part


def test_a_certificate_is_split_no_further_than_its_bound_needs() -> None:
    """Together the parts prove 11: the half of at least 11 needs no parts of its own."""
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    needed = divided(part_with(tree, 10.5), part_with(tree, 11.0), part_with(tree, 12.0))
    needless = divided(part_with(tree, 11.5), part_with(tree, 13.0), part_with(tree, 14.0))
    split = tree_certificate(instance, divided(part_with(tree, 10.0), needed, needless)).split
    assert split is not None
    assert split.fewer.split is not None
    assert split.more.split is None


def test_parts_that_prove_no_more_than_the_whole_are_left_out_of_the_certificate() -> None:
    """One half is not looked at yet, and has the bound of the whole."""
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    root = divided(part_with(tree, 10.0), part_with(tree, 10.0), part_with(tree, 12.0))
    assert tree_certificate(instance, root).split is None


class Halving:
    """A column generation with its relaxation at 2.00, whose rounds halve the distance of the bound to it."""

    def __init__(self, bound: Bound) -> None:
        self.bound = replace(bound, dollars=1.0)
        self.solution = Solution(2.0, np.zeros(0), np.zeros(0), bound.duals)

    @property
    def is_converged(self) -> bool:
        return self.bound.dollars > 2.0 - CLOSE

    def round(self, _: Deadline) -> None:
        self.bound = replace(self.bound, dollars=1.0 + self.bound.dollars / 2)


@pytest.mark.parametrize(("is_last", "dollars"), [(False, 1.5), (True, 2.0)])
def test_a_part_is_solved_nearly_before_a_split_and_wholly_without_one(is_last: bool, dollars: float) -> None:
    """With a cutoff of 12, half a dollar is less than a tenth of the ten above the relaxation."""
    root = tree_of(build_instance(tens_and_fives())).root.bound
    tree = Tree(cast(Generation, Halving(root)), root)
    tree.solve(tree.root, 12.0, Deadline(60.0), is_last=is_last)
    assert tree.root.bound.dollars == pytest.approx(dollars, abs=CLOSE)


def test_a_bound_part_way_to_a_better_one_has_prices_between_theirs() -> None:
    """From 1 at a price of 1 to 101 at one of 201, a hundredth of the way proves 2 at 3."""
    root = tree_of(build_instance(tens_and_fives())).root.bound
    low, high = (
        replace(root, dollars=dollars, duals=replace(root.duals, pods=np.array([price])))
        for dollars, price in ((1.0, 1.0), (101.0, 201.0))
    )
    assert low.part_way(high, 2.0).dollars == 2.0
    assert low.part_way(high, 2.0).duals.pods == pytest.approx([3.0])
    assert low.part_way(high, 200.0) is high


def test_a_part_without_solutions_is_closed_by_small_prices() -> None:
    """A pod of 8 cpu needs a ten. Without tens nothing holds it: its price would be a penalty."""
    kinds = [instance_type("ten", cpu=10, price=1.00), instance_type("five", cpu=5, price=0.61)]
    tree = tree_of(build_instance(problem([pod(cpu=8), pod("small", cpu=5)], kinds)))
    cutoff = tree.dollars + 0.5
    tree.generation.add_level(microusd(1.0))
    part = Part(tree.root.bound, {}, {microusd(1.0): 0})
    tree.enter(part)
    tree.solve(part, cutoff, Deadline(60.0))
    assert cutoff <= part.bound.dollars <= 1.1 * cutoff + CLOSE
    assert part.bound.duals.pods.max() < 10.0


def test_branching_proves_the_optimum_that_the_relaxation_misses() -> None:
    question = tens_and_fives()
    instance = build_instance(question)
    tree = tree_of(instance)
    assert tree.dollars == pytest.approx(1.50)
    bounds = grown(tree, cutoff=1.60 + CLOSE)
    assert bounds == sorted(bounds)
    assert tree.dollars == pytest.approx(1.61)
    root = tree.root
    assert (root.level, root.at_most) == (microusd(1), 1)
    assert root.fewer is not None
    assert root.more is not None
    assert root.fewer.bound.dollars == pytest.approx(1.61)
    assert root.more.bound.dollars >= 1.60
    certificate = tree_certificate(instance, root)
    assert certificate.leaves() == tree.n_leaves == 2
    assert prove_bound(question, certificate, [3]) == microusd(1.61)


def test_a_whole_solution_is_not_split() -> None:
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    ten = candidate(instance, "ten")
    assert not tree.split(tree.root, solution_of(tree.generation, {ten: 2.0}))
    assert tree.root.is_closed
    assert tree.next_part(math.inf) is None
    assert tree.n_leaves == 1


def test_the_dearest_fraction_of_a_node_is_split() -> None:
    """Half a ten is worth 0.50; from 0.61 on there are 0.9 nodes, a tenth of one off at 0.061."""
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    assert tree.split(tree.root, solution_of(tree.generation, {ten: 0.5, five: 0.4}))
    assert (tree.root.level, tree.root.at_most) == (microusd(1), 0)


def test_a_part_as_deep_as_certificates_nest_is_not_split() -> None:
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    deep = Part(tree.root.bound, {}, {}, depth=MOST_DEPTH)
    assert not tree.split(deep, solution_of(tree.generation, {candidate(instance, "ten"): 0.5}))
    assert deep.is_closed


def test_a_part_that_contradicts_itself_is_closed_and_bounds_nothing() -> None:
    """At most one node from 0.61 on: then there cannot be two from 1.00 on."""
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    assert tree.split(tree.root, solution_of(tree.generation, {five: 1.5}))
    few = tree.root.fewer
    assert few is not None
    assert few.most == {microusd(0.61): 1}
    assert tree.split(few, solution_of(tree.generation, {ten: 1.5}))
    assert few.fewer is not None
    assert few.more is not None
    assert few.more.is_closed
    assert few.more.bound.dollars == math.inf
    assert not few.fewer.is_closed


def test_a_part_restricts_the_generation_to_its_own_bounds() -> None:
    instance = build_instance(tens_and_fives())
    tree = tree_of(instance)
    assert tree.split(tree.root, solution_of(tree.generation, {candidate(instance, "ten"): 1.5}))
    fewer, more = tree.root.fewer, tree.root.more
    assert fewer is not None
    assert more is not None
    rows = tree.generation.rows
    for part, least, most in ((fewer, 0.0, 1.0), (more, 2.0, math.inf), (tree.root, 0.0, math.inf)):
        tree.enter(part)
        assert (rows.least.tolist(), rows.most.tolist()) == ([least], [most])
        assert tree.generation.bound is part.bound


@given(tiny_problems())
@SETTINGS
def test_bounds_never_fall_nor_pass_the_optimum(tiny: Problem) -> None:
    """Neither the tree's, from split to split, nor a part's below that of the part it came from."""
    instance = build_instance(tiny)
    assume(instance.n_classes)
    best = optimum(tiny, instance)
    tree = tree_of(instance)
    bounds = grown(tree, cutoff=best * 1e-6 - CLOSE)
    assert all(after >= before for before, after in itertools.pairwise(bounds))
    assert tree.dollars <= best * 1e-6 + CLOSE
    pending = [tree.root]
    while pending:
        part = pending.pop()
        for child in (part.fewer, part.more):
            if child is not None:
                assert child.bound.dollars >= part.bound.dollars
                pending.append(child)
    held = [w.replicas if i >= 0 else 0 for w, i in zip(tiny.workloads, instance.class_of, strict=True)]
    assert prove_bound(tiny, tree_certificate(instance, tree.root), held) <= best


@functools.cache
def twos_threes_and_fours() -> Generation:
    """Nine pods of 1 cpu on nodes of 2, 3 and 4 cpu for 1.00, 2.00 and 3.00."""
    kinds = [instance_type(f"type-{k}", cpu=k + 2, price=k + 1) for k in range(3)]
    return converged_generation(build_instance(problem([pod(cpu=1, replicas=9)], kinds)))


def counted(prices: list[int], nodes: list[float]) -> dict[int, float]:
    """Nodes from each price on."""
    return {p: sum(n for q, n in zip(prices, nodes, strict=True) if q >= p) for p in prices}


def admits(part: Part, count: dict[int, float]) -> bool:
    return all(count[level] >= n for level, n in part.least.items()) and all(
        count[level] <= n for level, n in part.most.items()
    )


@given(st.data())
@SETTINGS
def test_every_purchase_is_in_exactly_one_part(data: st.DataObject) -> None:
    """Split at random, as no solution would; contradictory parts admit no purchase."""
    generation = twos_threes_and_fours()
    tree = Tree(generation, generation.bound)
    prices = [int(p) for p in generation.instance.price]
    for _ in range(data.draw(st.integers(0, 6))):
        leaves = [leaf for leaf in tree.root.leaves() if not leaf.is_closed]
        if not leaves:
            break
        part = data.draw(st.sampled_from(leaves))
        halves = data.draw(st.tuples(*(st.integers(0, 6) for _ in prices)))
        nodes = {j: count / 2 for j, count in enumerate(halves)}
        if admits(part, counted(prices, list(nodes.values()))):
            tree.split(part, solution_of(generation, nodes))
    for bought in np.ndindex(4, 4, 4):
        homes = [leaf for leaf in tree.root.leaves() if admits(leaf, counted(prices, list(bought)))]
        assert len(homes) == 1
        assert homes[0].bound.dollars < math.inf


def test_what_branching_proves_the_checker_proves_too() -> None:
    """Six workloads of 93 pods on real prices: some twenty parts, of which one holds nothing.

    Branching had closed that one by prices of a thousand dollars, by which the checker proved nothing at all.
    """
    asked = (("frontend", 24, 0.25, 0.5, 0), ("api", 40, 0.5, 1, 0), ("search", 8, 1.5, 14, 0),
             ("inference", 12, 3, 12, 1), ("training", 3, 11.5, 48, 1), ("ingest", 6, 2, 8, 0))  # fmt: skip
    pods = [pod(n, cpu=cpu, memory_gib=m, gpu=gpu, replicas=r) for n, r, cpu, m, gpu in asked]
    catalog = embedded_catalog("aws", ("us-east-1",), ("m5.*", "g4dn.*"))
    question = replace(problem(pods, []), catalog=catalog)
    decision = solve(question, SolveParams(deadline_s=600.0, work_limit=4_000_000))
    assert decision.stop_reason is StopReason.OPTIMAL
