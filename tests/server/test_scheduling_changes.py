"""SchedulingService: answers after any changes are those of a server that is told everything at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from asked import Asked
from binwright.v1 import problem_pb2, scheduling_service_pb2
from clusters import Cluster, delta, template
from hypothesis import given, settings
from hypothesis import strategies as st

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
NODES, PODS, APPS, SPACES = ("n0", "n1", "n2"), ("p0", "p1", "p2", "p3"), ("x", "y"), ("default", "other")


@dataclass
class World:
    """What there is, as it was told last."""

    nodes: dict[str, str] = field(default_factory=dict)
    """Zone of each node."""
    pods: dict[tuple[str, str], tuple[str, problem_pb2.PodTemplate, bool]] = field(default_factory=dict)
    """Node and looks of each pod, and whether it is being deleted, by namespace and name."""
    teams: dict[str, str] = field(default_factory=dict)

    def snapshot(self, epoch: str) -> Cluster:
        """All of it."""
        cluster = Cluster(epoch)
        for name, zone in self.nodes.items():
            cluster.node(name, labels={ZONE: zone})
        for (namespace, name), (node, looks, is_ending) in self.pods.items():
            cluster.pod(name, node, looks, is_ending=is_ending)
            cluster.update.pods[-1].namespace = namespace
        for name, team in self.teams.items():
            cluster.namespace(name, {"team": team})
        return cluster


@st.composite
def looks(draw: st.DrawFn) -> problem_pb2.PodTemplate:
    """A pod with one rule about others, or none."""
    pod = template("100m")
    pod.labels["app"] = draw(st.sampled_from(APPS))
    rule = draw(st.sampled_from(("none", "apart", "apart", "near", "spread", "port")))
    of, key = draw(st.sampled_from(APPS)), draw(st.sampled_from((HOST, ZONE)))
    if rule in ("apart", "near"):
        affinity = pod.pod_anti_affinity if rule == "apart" else pod.pod_affinity
        term = affinity.required.add(topology_key=key)
        operator = draw(st.sampled_from(("In", "NotIn")))
        term.label_selector.match_expressions.add(key="app", operator=operator, values=[of])
        where = draw(st.sampled_from(("own", "all", "team", "team")))
        if where != "own":
            term.namespace_selector.SetInParent()
        if where == "team":
            term.namespace_selector.match_labels["team"] = "a"
    elif rule == "spread":
        constraint = pod.topology_spread_constraints.add(
            topology_key=key, max_skew=1, when_unsatisfiable="DoNotSchedule"
        )
        constraint.label_selector.match_labels["app"] = of
    elif rule == "port":
        pod.host_ports.add(port=80, host_ip=draw(st.sampled_from(("", "10.0.0.1"))))
    return pod


PODS_PUT = st.tuples(
    st.just("pod"),
    st.sampled_from(SPACES),
    st.sampled_from(PODS),
    st.sampled_from(("", *NODES)),
    looks(),
    st.booleans(),
)
CHANGES = st.lists(
    st.one_of(
        PODS_PUT,
        PODS_PUT,
        st.tuples(st.just("no pod"), st.sampled_from(SPACES), st.sampled_from(PODS)),
        st.tuples(st.just("node"), st.sampled_from(NODES), st.sampled_from(("a", "b"))),
        st.tuples(st.just("no node"), st.sampled_from(NODES)),
        st.tuples(st.just("team"), st.sampled_from(SPACES), st.sampled_from(("a", "b"))),
        st.tuples(st.just("no team"), st.sampled_from(SPACES)),
        st.tuples(st.just("snapshot")),
    ),
    min_size=1,
    max_size=14,
)


def changed(world: World, change: tuple[object, ...], epoch: str) -> Cluster:
    """The update that tells a change, which is made in the world as well."""
    update = delta(epoch)
    match change:
        case ("pod", str(namespace), str(name), str(node), problem_pb2.PodTemplate() as pod, bool(is_ending)):
            world.pods[namespace, name] = (node, pod, is_ending)
            update.pod(name, node, pod, is_ending=is_ending).update.pods[0].namespace = namespace
        case ("no pod", str(namespace), str(name)):
            world.pods.pop((namespace, name), None)
            update.update.deleted_pods.add(name=name, namespace=namespace)
        case ("node", str(name), str(zone)):
            world.nodes[name] = zone
            update.node(name, labels={ZONE: zone})
        case ("no node", str(name)):
            world.nodes.pop(name, None)
            update.without_node(name)
        case ("team", str(name), str(team)):
            world.teams[name] = team
            update.namespace(name, {"team": team})
        case ("no team", str(name)):
            world.teams.pop(name, None)
            update.without_namespace(name)
    return update


class Caller:
    """Asks for ratings and keeps them, as the webhook does; one for each pod asked about."""

    def __init__(self, namespace: str, pod: problem_pb2.PodTemplate) -> None:
        self._question = scheduling_service_pb2.RateNodesQuestion(pod=pod)
        self._question.name.namespace = namespace
        self._held = scheduling_service_pb2.NodeRatings()

    def ratings(self, asked: Asked) -> tuple[bytes, list[tuple[str, list[int]]]]:
        """Scores and refusals, from what is held where that is in force."""
        self._question.version = self._held.version
        request = scheduling_service_pb2.RateNodesRequest(questions=[self._question])
        response = asyncio.run(asked.service.RateNodes(request, None))  # type: ignore[arg-type]
        if not response.ratings[0].is_unchanged:
            self._held = response.ratings[0]
        refused = sorted((each.constraint, list(each.positions)) for each in self._held.refused)
        return self._held.scores, refused


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PODS_PUT, max_size=4),
    CHANGES,
    st.lists(st.tuples(st.sampled_from(SPACES), looks()), min_size=1, max_size=3),
)
def test_answers_after_changes_are_those_after_one_snapshot(
    first: list[tuple[object, ...]],
    changes: list[tuple[object, ...]],
    questions: list[tuple[str, problem_pb2.PodTemplate]],
) -> None:
    world = World(dict.fromkeys(NODES, "a"))
    for change in first:
        changed(world, change, "")
    asked = Asked(world.snapshot("e0"))
    callers = [Caller(*question) for question in questions]
    epoch = "e0"
    for number, change in enumerate(changes):
        if change == ("snapshot",):
            epoch = f"e{number + 1}"
            asked.put(world.snapshot(epoch))
        else:
            asked.put(changed(world, change, epoch))
        afresh = Asked(world.snapshot("e0"))
        for caller, question in zip(callers, questions, strict=True):
            assert caller.ratings(asked) == Caller(*question).ratings(afresh)
