"""SchedulingService: the plan, and scores that follow it."""

from __future__ import annotations

import datetime
from dataclasses import replace

import numpy as np
from asked import Asked
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_server.convert.scheduling import ClusterReader, plan_from_message, plan_to_message
from binwright_server.scheduling.plan import PlanningProblem
from clusters import GPU, SMALL, Cluster, delta, template, two_half_empty_nodes


def test_plan_keeps_the_fuller_of_two_nodes_that_one_could_replace() -> None:
    plan = Asked(two_half_empty_nodes()).plan()
    assert {node.name: node.is_kept for node in plan.nodes} == {"a": False, "b": True}
    assert (plan.current_cost, plan.cost, plan.bound) == (200_000, 100_000, 100_000)


def test_node_that_the_plan_keeps_scores_above_one_that_it_gives_up() -> None:
    asked = Asked(two_half_empty_nodes())
    asked.plan()
    scores = asked.scores(template("1"))
    assert scores["a"] < 40 <= 70 <= scores["b"]


def test_new_node_counts_as_kept() -> None:
    asked = Asked(two_half_empty_nodes())
    asked.plan()
    asked.put(delta().node("new"))
    assert 40 <= asked.scores(template("1"))["new"] < 70


def test_cpu_pod_scores_low_on_a_node_with_a_free_gpu() -> None:
    asked = Asked(Cluster().node("cpu").node("gpu", GPU))
    assert asked.scores(template("1"))["gpu"] < 10 < asked.scores(template("1"))["cpu"]
    assert asked.scores(template("1", gpus=1), "gpu")["gpu"] >= 40
    asked.put(delta().pod("trainer", "gpu", template("1", gpus=1)))
    assert asked.scores(template("1"))["gpu"] >= 40, "with the GPU taken its CPUs are as good as any"


def test_placement_that_uses_up_room_that_the_plan_needs_scores_lower() -> None:
    """Three pods of 4 CPUs need both nodes: two on ``wide`` (8 CPUs), one on ``odd`` (6 CPUs).

    One more CPU on ``wide`` leaves room for one of them instead of two; on ``odd`` it costs nothing.
    """
    cluster = Cluster().node("wide", {**SMALL, "cpu": "8"}).node("odd", {**SMALL, "cpu": "6"})
    for k in range(3):
        cluster.pod(f"pending-{k}", pod=template("4"))
    asked = Asked(cluster)
    assert all(node.is_kept for node in asked.plan().nodes)
    scores = asked.scores(template("1"))
    assert 40 <= scores["wide"] < scores["odd"] - 5 < 70


def test_fuller_node_scores_higher_where_nothing_else_tells() -> None:
    asked = Asked(Cluster().node("a").node("b").pod("p", "b", template("2")))
    scores = asked.scores(template("1"))
    assert scores["b"] > scores["a"]


def test_pods_that_must_stay_keep_their_node_and_bind_its_room() -> None:
    pinned = template("1")
    pinned.do_not_disrupt = True
    asked = Asked(Cluster().node("a").node("b").pod("p", "a", pinned).pod("q", "b", template("2")))
    plan = asked.plan()
    assert {node.name: node.is_kept for node in plan.nodes} == {"a": True, "b": False}
    assert plan.cost == 100_000


def test_daemons_take_room_but_keep_no_node() -> None:
    cluster = Cluster().node("a").node("b").pod("p", "a", template("1")).pod("q", "b", template("2"))
    for name in ("a", "b"):
        cluster.pod(f"daemon-{name}", name, template("1"), is_daemon=True)
    assert sum(node.is_kept for node in Asked(cluster).plan().nodes) == 1
    cluster.pod("r", "a", template("1"))
    assert sum(node.is_kept for node in Asked(cluster).plan().nodes) == 2


def test_taints_of_nodes_are_part_of_the_plan() -> None:
    cluster = Cluster().node("cheap", taint="gpu", price=10).node("dear", price=1000).pod("p", "dear")
    assert {n.name: n.is_kept for n in Asked(cluster).plan().nodes} == {"cheap": False, "dear": True}
    cluster = Cluster().node("cheap", taint="gpu", price=10).node("dear", price=1000)
    cluster.pod("p", "dear", template(tolerates="gpu"))
    assert {n.name: n.is_kept for n in Asked(cluster).plan().nodes} == {"cheap": True, "dear": False}


def test_plan_on_old_prices_of_a_catalogue_says_so() -> None:
    """The first node has a price of its own, the second that of the catalogue, of July 2026."""
    cluster = Cluster().node("told").pod("p", "told")
    sold = {"node.kubernetes.io/instance-type": "m5.xlarge", "topology.kubernetes.io/region": "us-east-1"}
    asked = Asked(cluster)
    assert asked.plan().warnings == ()
    asked.put(delta().node("sold", labels=sold, price=None))
    planning = PlanningProblem(asked.state.nodes, asked.state.pods, asked.state.namespaces)
    decision = solve(planning.problem(), SolveParams(deadline_s=5.0))
    (warning,) = planning.plan(decision, datetime.date(2027, 7, 20)).warnings
    assert warning.startswith("on-demand prices are up to 365 days old")
    assert planning.plan(decision, datetime.date(2026, 7, 21)).warnings == ()


def test_plan_crosses_the_wire_unchanged() -> None:
    plan = replace(Asked(two_half_empty_nodes()).plan(), warnings=("prices are old",))
    held = plan_from_message(plan_to_message(plan), ClusterReader())
    assert (held.nodes, held.warnings) == (plan.nodes, plan.warnings)
    assert (held.cost, held.bound, held.number) == (plan.cost, plan.bound, plan.number)
    assert [k.groups for k in held.kinds] == [k.groups for k in plan.kinds]
    assert np.allclose([k.worth_microusd for k in held.kinds], [k.worth_microusd for k in plan.kinds])


def test_placement_by_scores_converges_to_the_plan() -> None:
    """Six nodes hold a pod each that two nodes could hold. Pods that are recreated one by one go where
    filter and scores send them; emptied nodes are the ones that the plan gives up."""
    cluster = Cluster()
    for k in range(6):
        cluster.node(f"n{k}").pod(f"p{k}", f"n{k}", template("1300m", "5Gi"))
    asked = Asked(cluster)
    plan = asked.plan()
    kept = {node.name for node in plan.nodes if node.is_kept}
    assert len(kept) == 2
    for key in sorted(asked.state.pods):
        pod = asked.state.pods[key]
        if pod.node in kept:
            continue
        asked.put(delta().without_pod(key[1]))
        possible, _ = asked.filter(template("1300m", "5Gi"))
        scores = asked.scores(template("1300m", "5Gi"), *possible)
        best = max(possible, key=lambda name: (scores[name], name))
        asked.put(delta().pod(key[1], best, template("1300m", "5Gi")))
    assert {pod.node for pod in asked.state.pods.values()} == kept
