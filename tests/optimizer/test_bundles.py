"""Bundles: pods that come to a node together, as one item of the knapsack."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import (
    AttachLimit,
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    Problem,
    Volume,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from builders import instance_type, microusd, pod, problem


def near(*apps: str) -> PodAffinity:
    """Required affinity by hostname to pods of these apps."""
    return PodAffinity(
        tuple(PodAffinityTerm(labels.HOSTNAME, LabelSelector.of_labels({"app": app})) for app in apps)
    )


def asked(*pods: tuple[str, int, PodAffinity], cpus: tuple[int, ...] = (4,)) -> Problem:
    """Workloads of 1-CPU pods, labelled by name; types of these sizes at a dollar per CPU."""
    workloads = []
    for name, replicas, affinity in pods:
        plain = pod(name, cpu=1, replicas=replicas)
        template = dataclasses.replace(plain.template, labels=(("app", name),), pod_affinity=affinity)
        workloads.append(dataclasses.replace(plain, template=template))
    return problem(workloads, [instance_type(f"c{cpu}", cpu=cpu, price=cpu) for cpu in cpus])


def contents(question: Problem) -> list[tuple[tuple[int, int], ...]]:
    return sorted(set(build_instance(question).origin.localized.contents))


def test_a_group_that_selects_itself_is_one_item_whole_or_as_large_as_some_node() -> None:
    """Six pods; nodes hold four: the whole group, which fits nowhere, and four of them."""
    assert contents(asked(("web", 6, near("web")))) == [((0, 4),), ((0, 6),)]


def test_a_follower_comes_with_a_leader_in_any_number_that_fits() -> None:
    """A node of four CPUs holds a leader with up to three followers."""
    question = asked(("db", 2, PodAffinity()), ("web", 5, near("db")))
    assert contents(question) == [((0, 1),), ((0, 1), (1, 1)), ((0, 1), (1, 2)), ((0, 1), (1, 3))]


def test_a_pod_that_waits_for_nobody_is_no_part_of_a_bundle() -> None:
    question = asked(("db", 1, PodAffinity()), ("web", 1, near("db")), ("batch", 3, PodAffinity()))
    assert ((2, 1),) in contents(question)
    assert not any(k == 2 and len(content) > 1 for content in contents(question) for k, _ in content)


def test_the_followers_of_one_leader_need_its_node() -> None:
    """One database and six web pods beside it: 7 CPUs, so the node of 8; two of 4 would cost as much."""
    decision = solve(
        asked(("db", 1, PodAffinity()), ("web", 6, near("db")), cpus=(4, 8)), SolveParams(gap=0.0)
    )
    assert [sum(pods.count for pods in claim.pods) for claim in decision.node_claims] == [7]
    assert decision.cost_microusd_per_hour == microusd(8)


def test_the_bound_knows_that_a_group_is_on_one_node() -> None:
    """Five pods fit a node of 8 for 8; without the rule, 4 + 1 CPUs would cost 5."""
    decision = solve(asked(("web", 5, near("web")), cpus=(1, 4, 8)), SolveParams(gap=0.0))
    assert decision.cost_microusd_per_hour == microusd(8)
    assert decision.bound_microusd_per_hour == microusd(8)


def test_a_volume_is_attached_once_by_the_pods_that_share_it() -> None:
    """A node takes one volume: all four pods that share it fit there, and no pod with another one."""
    box = dataclasses.replace(instance_type("box", cpu=8, price=1), attach_limits=(AttachLimit("d", 1),))

    def mounting(name: str, replicas: int, volume: str) -> Workload:
        plain = pod(name, cpu=1, replicas=replicas)
        return dataclasses.replace(
            plain, template=dataclasses.replace(plain.template, volumes=(Volume(volume, "d"),))
        )

    question = problem([mounting("web", 4, "shared"), mounting("db", 1, "own")], [box])
    decision = solve(question, SolveParams(gap=0.0))
    assert decision.cost_microusd_per_hour == microusd(2)
    assert sorted(sum(p.count for p in claim.pods) for claim in decision.node_claims) == [1, 4]
