"""SchedulingService: required rules between pods, in filtering, scores and plans."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from binwright.v1 import problem_pb2, scheduling_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from clusters import SMALL, Cluster, delta, template
from hypothesis import given
from hypothesis import strategies as st
from test_scheduling import Asked

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def labelled(labels: Mapping[str, str], cpu: str = "1") -> problem_pb2.PodTemplate:
    """A pod with labels."""
    pod = template(cpu)
    pod.labels.update(labels)
    return pod


def apart(key: str, app: str = "db", cpu: str = "1") -> problem_pb2.PodTemplate:
    """A pod of an app that keeps away from its like."""
    pod = labelled({"app": app}, cpu)
    term = pod.pod_anti_affinity.required.add(topology_key=key)
    term.label_selector.match_labels["app"] = app
    return pod


def near(key: str, app: str = "db", own: str = "web") -> problem_pb2.PodTemplate:
    """A pod of one app that must be near to another."""
    pod = labelled({"app": own})
    pod.pod_affinity.required.add(topology_key=key).label_selector.match_labels["app"] = app
    return pod


def spread(key: str, skew: int = 1, app: str = "web", cpu: str = "1") -> problem_pb2.PodTemplate:
    """A pod that is spread evenly with its like."""
    pod = labelled({"app": app}, cpu)
    constraint = pod.topology_spread_constraints.add(
        topology_key=key, max_skew=skew, when_unsatisfiable="DoNotSchedule"
    )
    constraint.label_selector.match_labels["app"] = app
    return pod


def zones(*names: str) -> Cluster:
    """A node of each letter, in the zone of that letter; "a" and "a2" share zone a."""
    cluster = Cluster()
    for name in names:
        cluster.node(name, labels={ZONE: name[0]})
    return cluster


def test_pod_is_kept_off_nodes_of_those_it_avoids_and_such_nodes_score_nothing() -> None:
    asked = Asked(zones("a", "a2", "b").pod("db-0", "a", apart(ZONE)))
    assert asked.filter(apart(ZONE)) == (["b"], {"pod-anti-affinity": ["a", "a2"]})
    scores = asked.scores(apart(ZONE))
    assert (scores["a"], scores["a2"]) == (0, 0)
    assert scores["b"] > 0
    assert asked.filter(template())[0] == ["a", "a2", "b"]


def test_placed_pod_keeps_away_those_that_its_own_rule_names() -> None:
    lonely = labelled({"app": "db"})
    lonely.pod_anti_affinity.required.add(topology_key=HOST).label_selector.match_labels["tier"] = "noisy"
    asked = Asked(zones("a", "b").pod("db-0", "a", lonely))
    assert asked.filter(labelled({"tier": "noisy"})) == (["b"], {"pod-anti-affinity": ["a"]})
    assert asked.filter(labelled({"tier": "quiet"}))[0] == ["a", "b"]
    asked.put(delta().without_pod("db-0"))
    assert asked.filter(labelled({"tier": "noisy"}))[0] == ["a", "b"]


def test_rules_hold_within_the_namespace_that_they_mean() -> None:
    cluster = zones("a", "b").pod("db-0", "a", labelled({"app": "db"}))
    cluster.update.pods[0].namespace = "other"
    asked = Asked(cluster)
    assert asked.filter(apart(HOST))[0] == ["a", "b"]
    everywhere = apart(HOST)
    everywhere.pod_anti_affinity.required[0].namespace_selector.SetInParent()
    assert asked.filter(everywhere)[0] == ["b"]


def apart_by_team(team: str) -> problem_pb2.PodTemplate:
    """A pod that keeps away from databases in the namespaces of a team, and in no others."""
    pod = apart(HOST)
    pod.pod_anti_affinity.required[0].namespace_selector.match_labels["team"] = team
    return pod


def test_namespaces_are_chosen_by_the_labels_that_they_have_at_the_moment() -> None:
    cluster = zones("a", "b").pod("db-0", "a", labelled({"app": "db"}))
    cluster.update.pods[0].namespace = "other"
    asked = Asked(cluster)
    assert asked.filter(apart_by_team("x"))[0] == ["a", "b"]
    asked.put(delta().namespace("other", {"team": "x"}))
    assert asked.filter(apart_by_team("x")) == (["b"], {"pod-anti-affinity": ["a"]})
    assert asked.filter(apart_by_team("y"))[0] == ["a", "b"]
    asked.put(delta().namespace("other", {"team": "y"}))
    assert asked.filter(apart_by_team("x"))[0] == ["a", "b"]
    assert asked.filter(apart_by_team("y"))[0] == ["b"]
    asked.put(delta().without_namespace("other"))
    assert asked.filter(apart_by_team("y"))[0] == ["a", "b"]


def test_every_namespace_has_its_name_for_a_label() -> None:
    cluster = zones("a", "b").pod("db-0", "a", labelled({"app": "db"}))
    cluster.update.pods[0].namespace = "other"
    by_name = apart(HOST)
    chosen = by_name.pod_anti_affinity.required[0].namespace_selector
    chosen.match_labels["kubernetes.io/metadata.name"] = "other"
    assert Asked(cluster).filter(by_name)[0] == ["b"]


def test_namespaces_by_name_and_by_label_are_both_meant() -> None:
    cluster = zones("a", "b", "c")
    for name, namespace in (("a", "other"), ("b", "third")):
        cluster.pod("db-0", name, labelled({"app": "db"}))
        cluster.update.pods[-1].namespace = namespace
    both = apart_by_team("x")
    both.pod_anti_affinity.required[0].namespaces.append("other")
    assert Asked(cluster.namespace("third", {"team": "x"})).filter(both)[0] == ["c"]


def test_placed_pod_keeps_away_pods_of_the_namespaces_that_it_chooses() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart_by_team("x")))
    assert asked.filter(labelled({"app": "db"}))[0] == ["a", "b"]
    asked.put(delta().namespace("default", {"team": "x"}))
    assert asked.filter(labelled({"app": "db"}))[0] == ["b"]


def test_ratings_that_are_held_end_with_the_labels_of_a_namespace() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart_by_team("x")))
    question = scheduling_service_pb2.RateNodesQuestion(pod=labelled({"app": "db"}))

    def rated() -> scheduling_service_pb2.NodeRatings:
        request = scheduling_service_pb2.RateNodesRequest(questions=[question])
        response = asyncio.run(asked.service.RateNodes(request, None))  # type: ignore[arg-type]
        question.version = response.ratings[0].version
        return response.ratings[0]

    assert not rated().refused
    assert rated().is_unchanged
    asked.put(delta().namespace("default", {"team": "x"}))
    assert [list(refused.positions) for refused in rated().refused] == [[0]]


def test_heartbeats_and_namespaces_without_labels_make_no_new_plan() -> None:
    asked = Asked(zones("a").namespace("shop", {"team": "x"}))
    changes = asked.state.changes
    asked.put(delta().namespace("shop", {"team": "x"}).namespace("new", {}).without_namespace("never-there"))
    assert asked.state.changes == changes


def test_a_namespace_without_a_name_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidProblemError, match=r"namespaces\[0\]\.name"):
        Asked(zones("a").namespace("", {"team": "x"}))


def taking(*ports: str) -> problem_pb2.PodTemplate:
    """A pod that takes host ports, each written as ``port``, ``port/protocol`` or ``address:port``."""
    pod = template()
    for port in ports:
        rest, _, protocol = port.partition("/")
        address, _, number = rest.rpartition(":")
        pod.host_ports.add(port=int(number), protocol=protocol, host_ip=address)
    return pod


def test_node_whose_port_is_taken_is_refused_and_scores_nothing() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("80", "443")))
    assert asked.filter(taking("80")) == (["b"], {"host-port": ["a"]})
    scores = asked.scores(taking("80"))
    assert scores["a"] == 0 < scores["b"]
    assert asked.filter(taking("80/UDP"))[0] == ["a", "b"]
    assert asked.filter(taking("8080"))[0] == ["a", "b"]
    assert asked.filter(template())[0] == ["a", "b"]
    asked.put(delta().without_pod("proxy"))
    assert asked.filter(taking("80"))[0] == ["a", "b"]


def test_the_same_port_of_another_address_is_free_and_that_of_all_addresses_is_not() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("10.0.0.1:80")))
    assert asked.filter(taking("10.0.0.2:80"))[0] == ["a", "b"]
    assert asked.filter(taking("10.0.0.1:80"))[0] == ["b"]
    assert asked.filter(taking("80"))[0] == ["b"]


def test_port_that_a_pod_holds_itself_is_free_for_it() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("80", "443")))
    assert asked.filter(taking("80", "443"), "a", "b", own_name="proxy")[0] == ["a", "b"]


def test_ports_follow_nodes_that_go_and_come_back() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("80")))
    asked.put(delta().without_node("a"))
    asked.put(delta().node("c"))  # takes the row of the other
    assert asked.filter(taking("80"))[0] == ["b", "c"]
    asked.put(delta().node("a"))
    assert asked.filter(taking("80"))[0] == ["b", "c"]


def test_ports_are_those_of_the_node_of_that_name_where_a_question_brings_it_along() -> None:
    asked = Asked(zones("a").pod("proxy", "a", taking("80")))
    request = scheduling_service_pb2.FilterRequest(pod=taking("80"))
    for name in ("new", "a"):
        request.nodes.add(name=name, allocatable=SMALL).labels["changed"] = "yes"
    response = asyncio.run(asked.service.Filter(request, None))  # type: ignore[arg-type]
    assert list(response.passed) == [0]


def test_fullest_zone_is_refused_where_one_more_would_be_beyond_the_skew() -> None:
    asked = Asked(zones("a", "a2", "b").pod("w-0", "a", spread(ZONE)))
    assert asked.filter(spread(ZONE)) == (["b"], {"topology-spread": ["a", "a2"]})
    asked.put(delta().pod("w-1", "b", spread(ZONE)))
    assert asked.filter(spread(ZONE))[0] == ["a", "a2", "b"]
    few = spread(ZONE)
    few.topology_spread_constraints[0].min_domains = 3  # as if a third zone were there, and empty
    assert asked.filter(few)[0] == []


def test_spread_does_not_count_pods_that_are_being_deleted_and_anti_affinity_does() -> None:
    """As in kube-scheduler: what is about to go is in nobody's way for spread, but still there for a pod."""
    asked = Asked(zones("a", "b").pod("w-0", "a", spread(ZONE)).pod("db-0", "a", apart(HOST)))
    assert asked.filter(spread(ZONE))[0] == ["b"]
    going = delta().pod("w-0", "a", spread(ZONE), is_ending=True)
    asked.put(going.pod("db-0", "a", apart(HOST), is_ending=True))
    assert asked.filter(spread(ZONE))[0] == ["a", "b"]
    assert asked.filter(apart(HOST))[0] == ["b"]


def test_spread_with_an_empty_selector_counts_nobody_but_wants_the_label() -> None:
    """Kube-scheduler counts no pod for it, though an empty selector is everything elsewhere."""
    everybody = spread(ZONE)
    everybody.topology_spread_constraints[0].label_selector.Clear()
    everybody.topology_spread_constraints[0].label_selector.SetInParent()
    cluster = zones("a", "b").pod("w-0", "a", everybody).pod("w-1", "a", everybody).node("nowhere")
    assert Asked(cluster).filter(everybody) == (["a", "b"], {"topology-spread": ["nowhere"]})


def test_node_without_the_spread_label_is_refused_for_good() -> None:
    asked = Asked(zones("a").node("nowhere"))
    request = scheduling_service_pb2.FilterRequest(pod=spread(ZONE))
    response = asyncio.run(asked.service.Filter(request, None))  # type: ignore[arg-type]
    assert [(r.constraint, r.is_unresolvable) for r in response.refused] == [("topology-spread", True)]


def test_zones_that_the_pod_cannot_use_are_no_domains() -> None:
    asked = Asked(zones("a", "b").pod("w-0", "a", spread(ZONE)))
    only_a = spread(ZONE)
    only_a.node_selector[ZONE] = "a"
    assert asked.filter(only_a)[0] == ["a"]


def test_first_of_pods_that_want_each_other_goes_anywhere_and_the_next_to_it() -> None:
    asked = Asked(zones("a", "a2", "b"))
    ring = near(ZONE, app="ring", own="ring")
    assert asked.filter(ring)[0] == ["a", "a2", "b"]
    assert asked.filter(near(ZONE, app="ring"))[0] == []  # does not want its like
    asked.put(delta().pod("r-0", "a", ring))
    assert asked.filter(ring)[0] == ["a", "a2"]
    assert asked.filter(near(ZONE, app="ring")) == (["a", "a2"], {"pod-affinity": ["b"]})


def test_pod_does_not_avoid_itself() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart(HOST)))
    assert asked.filter(apart(HOST), "a", "b", own_name="db-0")[0] == ["a", "b"]


def test_counts_follow_nodes_that_go_and_come_back() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart(HOST)))
    assert asked.filter(apart(HOST))[0] == ["b"]
    asked.put(delta().without_node("a"))
    asked.put(delta().node("c"))  # takes the row of the other
    assert asked.filter(apart(HOST))[0] == ["b", "c"]
    asked.put(delta().node("a"))
    assert asked.filter(apart(HOST))[0] == ["b", "c"]


def test_nodes_that_a_question_brings_along_are_judged_by_the_cluster() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart(ZONE)))
    request = scheduling_service_pb2.FilterRequest(pod=apart(ZONE))
    for name, zone in (("new-a", "a"), ("new-c", "c")):
        node = request.nodes.add(name=name, allocatable=SMALL)
        node.labels.update({ZONE: zone, HOST: name})
    response = asyncio.run(asked.service.Filter(request, None))  # type: ignore[arg-type]
    assert list(response.passed) == [1]


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


def test_plan_gives_each_pod_that_takes_a_port_a_node_of_its_own() -> None:
    """Three pods of 1 CPU fit on one node of 4; with the same port they need three, with others one."""
    cluster, others = Cluster(), Cluster()
    for name in "abcd":
        cluster.node(name)
        others.node(name)
    for k in range(3):
        cluster.pod(f"proxy-{k}", "", taking("80"))
        others.pod(f"proxy-{k}", "", taking(str(80 + k)))
    assert sum(node.is_kept for node in Asked(cluster).plan().nodes) == 3
    assert sum(node.is_kept for node in Asked(others).plan().nodes) == 1


def test_plan_leaves_ports_to_pods_that_must_not_move() -> None:
    stuck = taking("80")
    stuck.do_not_disrupt = True
    plan = Asked(zones("a", "b").pod("old", "a", stuck).pod("proxy", "", taking("80"))).plan()
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


# --- against a second, slow reading ---------------------------------------------------------------

APPS, KEYS = ("x", "y"), (HOST, ZONE)

pods = st.builds(
    lambda app, kind, key, of, skew: (app, kind, key, of, skew),
    st.sampled_from(APPS),
    st.sampled_from(("none", "apart", "near", "spread")),
    st.sampled_from(KEYS),
    st.sampled_from(APPS),
    st.integers(1, 2),
)
Drawn = tuple[str, str, str, str, int]


def drawn_template(drawn: Drawn) -> problem_pb2.PodTemplate:
    """The pod that was drawn."""
    app, kind, key, of, skew = drawn
    pod = labelled({"app": app}, cpu="10m")
    if kind == "apart":
        pod.pod_anti_affinity.required.add(topology_key=key).label_selector.match_labels["app"] = of
    elif kind == "near":
        pod.pod_affinity.required.add(topology_key=key).label_selector.match_labels["app"] = of
    elif kind == "spread":
        constraint = pod.topology_spread_constraints.add(
            topology_key=key, max_skew=skew, when_unsatisfiable="DoNotSchedule"
        )
        constraint.label_selector.match_labels["app"] = of
    return pod


def may_take(
    node: str, pod: Drawn, placed: list[tuple[Drawn, str]], nodes: Mapping[str, dict[str, str]]
) -> bool:
    """Whether kube-scheduler's rules let a node take a pod, said pod by pod."""
    app, kind, key, of, skew = pod

    def share(one: str, other: str, label: str) -> bool:
        return label in nodes[one] and nodes[one].get(label) == nodes[other].get(label)

    for (_, its_kind, its_key, its_of, _), where in placed:
        if its_kind == "apart" and its_of == app and share(node, where, its_key):
            return False
    # Pods on a node without the label are in no domain, and near to nobody.
    selected = [where for (its_app, *_), where in placed if its_app == of and key in nodes[where]]
    if kind == "apart":
        return not any(share(node, where, key) for where in selected)
    if kind == "near":
        is_first = not selected and of == app
        return key in nodes[node] and (is_first or any(share(node, where, key) for where in selected))
    if kind == "spread":
        if key not in nodes[node]:
            return False
        domains = {labels[key] for labels in nodes.values() if key in labels}
        count = {domain: sum(nodes[where].get(key) == domain for where in selected) for domain in domains}
        return count[nodes[node][key]] + (of == app) - min(count.values()) <= skew
    return True


@given(
    st.lists(st.sampled_from(("a", "b", None)), min_size=1, max_size=4),
    st.lists(st.tuples(pods, st.integers(0, 3)), max_size=6),
    st.lists(st.integers(0, 5), max_size=3),
    pods,
)
def test_filter_agrees_with_the_rules_said_pod_by_pod(
    zone_of: list[str | None], running: list[tuple[Drawn, int]], gone: list[int], pod: Drawn
) -> None:
    nodes = {f"n{k}": {HOST: f"n{k}", **({ZONE: zone} if zone else {})} for k, zone in enumerate(zone_of)}
    cluster = Cluster()
    for name, labels in nodes.items():
        cluster.node(name, labels=labels)
    asked = Asked(cluster)
    asked.filter(drawn_template(pod))  # what it counts is kept current from here on
    placed = {}
    for k, (drawn, where) in enumerate(running):
        node = f"n{where % len(nodes)}"
        asked.put(delta().pod(f"p{k}", node, drawn_template(drawn)))
        placed[k] = (drawn, node)
    for k in gone:
        asked.put(delta().without_pod(f"p{k}"))
        placed.pop(k, None)
    expected = [node for node in sorted(nodes) if may_take(node, pod, list(placed.values()), nodes)]
    assert asked.filter(drawn_template(pod))[0] == expected
