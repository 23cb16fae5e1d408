"""SchedulingService: plans hold pods to their rules about each other."""

from __future__ import annotations

from asked import Asked
from clusters import Cluster, delta, template
from ruled_pods import HOST, ZONE, apart, apart_by_team, labelled, spread, zones


def test_plan_keeps_a_node_for_each_pod_that_avoids_the_others() -> None:
    """Three pods of 1 CPU fit on one node of 4; apart, they need three, and no more."""
    cluster = Cluster()
    for name in "abcd":
        cluster.node(name)
    for k in range(3):
        cluster.pod(f"db-{k}", "abc"[k], apart(HOST))
    plan = Asked(cluster).plan()
    assert sum(node.is_kept for node in plan.nodes) == 3
    assert (plan.cost, plan.unplaced) == (300_000, 0)


def test_plan_looks_for_no_place_for_pods_that_are_being_deleted() -> None:
    """Two pods of 3 CPU take a node of 4 each; the one that is going and the one to come share a node."""
    cluster = Cluster().node("a").node("b").pod("old", "a", template("3"), is_ending=True)
    plan = Asked(cluster.pod("new", "", template("3"))).plan()
    assert (plan.cost, plan.unplaced) == (100_000, 0)


def test_plan_spreads_over_zones() -> None:
    """Four pods of 1 CPU fit on one node; spread over two zones they need one in each."""
    cluster = zones("a", "a2", "b", "b2")
    for k in range(4):
        cluster.pod(f"w-{k}", "", spread(ZONE))
    plan = Asked(cluster).plan()
    assert sorted({node.name[0] for node in plan.nodes if node.is_kept}) == ["a", "b"]
    assert plan.cost == 200_000


def test_plan_keeps_away_from_pods_that_must_not_move() -> None:
    stuck = labelled({"app": "db"})
    stuck.do_not_disrupt = True
    plan = Asked(zones("a", "b").pod("old", "a", stuck).pod("db-0", "", apart(HOST))).plan()
    assert {node.name for node in plan.nodes if node.is_kept} == {"a", "b"}


def test_plan_knows_the_labels_of_namespaces() -> None:
    """Two databases fit on one node, but not if one avoids the team whose namespace the other is in."""
    cluster = zones("a", "b").pod("db-0", "", apart_by_team("x")).pod("db-0", "", labelled({"app": "db"}))
    cluster.update.pods[1].namespace = "other"
    asked = Asked(cluster)
    assert asked.plan().cost == 100_000
    asked.put(delta().namespace("other", {"team": "x"}))
    assert asked.plan().cost == 200_000


def test_plan_keeps_nobody_away_from_pods_that_a_rule_leaves_out_by_their_labels() -> None:
    """One avoids all pods but those of app "db": a database fits beside it, on one node."""
    wary = labelled({"app": "db"})
    term = wary.pod_anti_affinity.required.add(topology_key=HOST)
    term.label_selector.match_expressions.add(key="app", operator="NotIn", values=["db"])
    plan = Asked(zones("a", "b").pod("wary", "", wary).pod("db-0", "", labelled({"app": "db"}))).plan()
    assert plan.cost == 100_000


def test_labels_that_no_rule_looks_at_make_no_kinds() -> None:
    cluster = Cluster().node("a")
    for k in range(3):
        cluster.pod(f"p-{k}", "a", labelled({"name": f"p-{k}"}))
    assert [kind.count for kind in Asked(cluster).plan().kinds] == [3]
