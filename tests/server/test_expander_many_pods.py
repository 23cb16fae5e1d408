"""The Cluster Autoscaler expander: many kinds of pods, and too little time for all of them."""

from __future__ import annotations

import re

from autoscaler import (
    CHEAP,
    DEAR,
    G4DN_12XLARGE,
    Options,
    k8s_node,
    k8s_pod,
    scale_up,
    t4_options,
)
from binwright.vendor.kubernetes import core_v1_pb2
from binwright_optimizer.model import Decision
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_server.expansion.choose import MOST_SOLVED, choose
from binwright_server.expansion.demand import demand_of
from expanding import PRICED, chosen, scale_up_question_from_bytes


def distinct_pods(count: int) -> list[core_v1_pb2.Pod]:
    """Pods of 1 CPU and a little more each, no two alike."""
    return [k8s_pod(f"web-{k}", f"{1000 + k}m", f"{1000 + k}Mi") for k in range(count)]


def test_many_distinct_pods_are_grouped_and_said_to_be() -> None:
    """800 pods of 1.4 CPUs in the mean: 2 to 3 a node of 4 CPUs. ``dear`` is twice the price."""
    pods = distinct_pods(800)
    choice = chosen(scale_up({"dear": (400, DEAR, pods), "cheap": (400, CHEAP, pods)}))
    assert choice is not None
    assert choice.option.node_group == "cheap"
    said = re.search(
        r"800 kinds of pods taken for (\d+), each of the mean of requests that differ by 5% at", choice.reason
    )
    assert said is not None
    # A grid of 5 % has log(2000 / 1000) / log(1.05) = 14.2 cells from 1 to 2 CPUs, and memory lies like CPU.
    assert int(said[1]) <= 2 * 15


def test_grouped_pods_ask_for_as_much_in_all_and_fit_where_each_of_them_does() -> None:
    pods = distinct_pods(100)
    request = scale_up({"all": (50, CHEAP, pods), "half": (25, CHEAP, pods[:50])})
    question = scale_up_question_from_bytes(request.SerializeToString())
    demand = demand_of(question, question.options, most=10)
    assert len(demand.requests) < 10
    assert (demand.distinct, demand.n_pods) == (100, 100)
    assert demand.helps.sum(axis=1).tolist() == [100, 50]
    wanted = sum(1000 + k for k in range(100))
    total = sum(r["cpu"] * int(n) for r, n in zip(demand.requests, demand.counts, strict=True))
    assert wanted <= total < wanted + 100
    for requests, helps in zip(demand.requests, demand.helps.T, strict=True):
        assert helps[1] in (0, helps[0]), "pods that other options help are never made one"
        assert 1000 <= requests["cpu"] < 1100


def test_gpus_are_never_averaged() -> None:
    pods = [k8s_pod(f"web-{k}", f"{1000 + k}m", "1Gi", gpus=1 + k % 2) for k in range(20)]
    question = scale_up_question_from_bytes(
        scale_up({"gpu": (20, k8s_node("g4dn.12xlarge", G4DN_12XLARGE), pods)}).SerializeToString()
    )
    demand = demand_of(question, question.options, most=3)
    assert sorted(r["nvidia.com/gpu"] for r in demand.requests) == [1, 2]


def test_without_time_for_a_mix_pods_are_valued_alone_and_that_is_said() -> None:
    """A 2-CPU T4 pod fills a GPU: 0.526 $/h on small nodes, and 0.978 $/h on those that ``large`` adds."""
    question = scale_up_question_from_bytes(scale_up(t4_options()).SerializeToString())
    choice = choose(question, solve, 0.01, Deadline(0.01), PRICED)
    assert choice is not None
    assert choice.option.node_group == "small"
    assert choice.reason.startswith("binwright: no cheapest mix and no bound for 2 pods over 2 options: 0.0")
    assert "0.0000 $/h more than its pods are worth" in choice.reason


def test_too_many_kinds_to_solve_for_are_valued_alone() -> None:
    """No two pods are helped by the same options, so that none can be made one."""
    pods = [k8s_pod(f"web-{k}", f"{2000 + k}m") for k in range(MOST_SOLVED + 1)]
    options: Options = {
        "all": (len(pods), CHEAP, pods),
        **{f"part-{k}": (1, DEAR, [p for i, p in enumerate(pods) if i >> k & 1]) for k in range(10)},
    }

    def never(*_arguments: object) -> Decision:
        raise AssertionError("no solve is begun")

    question = scale_up_question_from_bytes(scale_up(options).SerializeToString())
    choice = choose(question, never, 5.0, Deadline(5.0), PRICED)
    assert choice is not None
    assert "kinds of pods are too many in time" in choice.reason


def test_pods_that_differ_in_name_only_are_one_kind() -> None:
    question = scale_up_question_from_bytes(scale_up(t4_options()).SerializeToString())
    assert [kind.count for kind in question.kinds] == [2]
    assert [option.helps.tolist() for option in question.options] == [[2], [2]]
