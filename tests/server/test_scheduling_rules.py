"""SchedulingService: required rules between pods, in filtering and scores."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from asked import Asked
from binwright.v1 import problem_pb2, scheduling_service_pb2
from clusters import SMALL, Cluster, delta, template
from hypothesis import given
from hypothesis import strategies as st
from ruled_pods import HOST, ZONE, apart, labelled, near, spread, zones


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
