"""Contradicting constraints are told by name, none of them too many; worked on paper."""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer.conflicts.minimal import minimal_conflict
from binwright_optimizer.model import (
    AttachLimit,
    Conflict,
    Gang,
    GangTopology,
    LabelSelector,
    LossBound,
    PodAffinity,
    PodAffinityTerm,
    Policies,
    Problem,
    Requirement,
    RunningPods,
    Share,
    SpotPolicy,
    TopologySpread,
    Volume,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from builders import existing_node, instance_type, node_pool, offering, pod, problem, requires, resources
from hypothesis import given, settings
from hypothesis import strategies as st

PARAMS = SolveParams(deadline_s=60.0, gap=0.0)
BOX = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(2, zone="b")])
HUGE = instance_type("huge", cpu=64, offerings=[offering(9, zone="b")])


def conflict(question: Problem) -> Conflict:
    """The one conflict that the pods left out are told."""
    decision = solve(question, PARAMS)
    [found] = {entry.conflict for entry in decision.unschedulable}
    assert found is not None
    return found


def ruled(name: str, replicas: int = 1, cpu: float = 1, **rules: object) -> Workload:
    plain = pod(name, cpu=cpu, replicas=replicas)
    template = dataclasses.replace(plain.template, labels=(("app", name),), **rules)  # type: ignore[arg-type]
    return dataclasses.replace(plain, template=template)


def zone(*names: str) -> Requirement:
    return requires(labels.ZONE, "In", *names)


def app(name: str) -> LabelSelector:
    return LabelSelector.of_labels({"app": name})


def test_a_zone_that_is_not_sold() -> None:
    """Nothing else matters; without it the pod takes a box in a, for a dollar."""
    found = conflict(problem([ruled("web", node_selector=(zone("x"),))], [BOX]))
    assert found == Conflict(
        ("node selector topology.kubernetes.io/zone In [x]",),
        "node selector topology.kubernetes.io/zone In [x]",
        1_000_000,
    )


def test_a_request_and_a_zone_contradict_each_other_and_the_cheaper_way_out_is_named() -> None:
    """64 CPUs are sold in b only, for 9; without the request a box in a costs 1."""
    found = conflict(problem([ruled("web", cpu=64, node_selector=(zone("a"),))], [BOX, HUGE]))
    assert found == Conflict(
        ("request cpu 64", "node selector topology.kubernetes.io/zone In [a]"), "request cpu 64", 1_000_000
    )


def test_selectors_that_exclude_each_other() -> None:
    both = (zone("a"), zone("b"))
    found = conflict(problem([ruled("web", node_selector=both)], [BOX]))
    assert len(found.constraints) == 2
    assert found.relaxation == "node selector topology.kubernetes.io/zone In [b]"


def test_an_unknown_topology_key() -> None:
    spread = TopologySpread("example.com/rack", 1, selector=app("web"))
    found = conflict(problem([ruled("web", 2, topology_spread=(spread,))], [BOX]))
    assert found.constraints == ("topology spread over example.com/rack (maxSkew 1)",)


def test_affinity_by_an_unknown_topology_key() -> None:
    """A node without the label satisfies no affinity, that of pods to their own kind included."""
    near = PodAffinity((PodAffinityTerm("example.com/rack", app("web")),))
    found = conflict(problem([ruled("web", 2, pod_affinity=near)], [BOX]))
    assert found.constraints == ("pod affinity by example.com/rack to app In [web]",)


def test_more_domains_than_pods_may_be_in() -> None:
    """Three pods over at least three zones, of which two are sold: a zone may have one pod."""
    spread = TopologySpread(labels.ZONE, 1, selector=app("web"), min_domains=3)
    found = conflict(problem([ruled("web", 3, topology_spread=(spread,))], [BOX]))
    assert found.constraints == (
        "topology spread over topology.kubernetes.io/zone (maxSkew 1, minDomains 3)",
    )


def test_near_and_away_from_the_same_pods() -> None:
    term = PodAffinityTerm(labels.ZONE, app("db"))
    web = ruled("web", pod_affinity=PodAffinity((term,)), pod_anti_affinity=PodAffinity((term,)))
    found = conflict(problem([ruled("db"), web], [BOX]))
    assert [name.split(" by ")[0] for name in found.constraints] == ["pod affinity", "pod anti-affinity"]


def test_a_taint_and_its_pool() -> None:
    pools = [node_pool("batch", taints=["team=x:NoSchedule"])]
    found = conflict(problem([ruled("web")], [BOX], pools))
    assert found.constraints == ("taint team=x:NoSchedule of NodePool batch",)


def on_spot(*offerings: str) -> Problem:
    """Four pods of 1 CPU; a box on spot in zone a, for a dollar, and one on demand for two if asked for."""
    sold = [offering(n + 1, zone="a", capacity_type=name) for n, name in enumerate(offerings)]
    return problem([ruled("web", 4)], [instance_type("box", cpu=4, offerings=sold)])


def with_policy(question: Problem, spot: SpotPolicy, **rules: object) -> Problem:
    workloads = [
        dataclasses.replace(w, spot=spot, template=dataclasses.replace(w.template, **rules))  # type: ignore[arg-type]
        for w in question.workloads
    ]
    return dataclasses.replace(question, workloads=tuple(workloads))


def test_a_rule_of_a_spot_policy_is_named_with_its_value_and_dropped_by_itself() -> None:
    """Half of four pods on demand, all on spot: without the first, a box on spot holds them for a dollar.

    That all of them may be in one spot pool is another rule, which contradicts nothing.
    """
    policy = SpotPolicy(min_on_demand=Share(ppm=500_000), max_per_pool=Share(count=4))
    spot = requires(labels.CAPACITY_TYPE, "In", "spot")
    found = conflict(with_policy(on_spot("spot", "on-demand"), policy, node_selector=(spot,)))
    half = "spot policy (min-on-demand 50%)"
    assert found == Conflict((f"node selector {spot}", half), half, 1_000_000)


def test_pods_beyond_those_of_one_spot_pool() -> None:
    """Two of four may be in the one pool that is sold."""
    most = "spot policy (max-per-spot-pool 2)"
    found = conflict(with_policy(on_spot("spot"), SpotPolicy(max_per_pool=Share(count=2))))
    assert found == Conflict((most,), most, 1_000_000)


def test_a_bound_on_what_is_lost_is_told_with_its_probability_and_window() -> None:
    """The pool's rate is not known: with one interruption a month of 730 hours, all four are lost within two
    with 1 - e^(-2/730) = 0.27 %, where more than one may be with 0.2 %."""
    bound = SpotPolicy(loss=LossBound(Share(count=1), 2_000, 7_200))
    text = "spot policy (max-loss 1, max-loss-probability 0.2%, max-loss-window 2h)"
    assert conflict(with_policy(on_spot("spot"), bound)).constraints == (text,)


def test_a_workloads_rule_gives_no_way_to_the_policy_of_the_problem() -> None:
    """The problem would have all on demand, and none is sold: without its own rule, web is bound by none."""
    question = with_policy(on_spot("spot"), SpotPolicy(max_per_pool=Share(count=2)))
    policies = Policies(spot=SpotPolicy(min_on_demand=Share(ppm=1_000_000)))
    most = "spot policy (max-per-spot-pool 2)"
    found = conflict(dataclasses.replace(question, policies=policies))
    assert found == Conflict((most,), most, 1_000_000)


def test_a_rule_of_the_problems_spot_policy() -> None:
    policies = Policies(spot=SpotPolicy(min_on_demand=Share(count=1)))
    found = conflict(dataclasses.replace(on_spot("spot"), policies=policies))
    assert found.constraints == ("spot policy of the problem (min-on-demand 1)",)


def test_a_volume_is_told_with_its_zone() -> None:
    """The volume is in b, where a box costs 2; without it the selected zone has one for 1."""
    volume = Volume("data", topology=((zone("b"),),), is_single_node=True)
    found = conflict(problem([ruled("db", node_selector=(zone("a"),), volumes=(volume,))], [BOX]))
    bound = "volume data (ReadWriteOnce, topology.kubernetes.io/zone In [b])"
    assert found == Conflict((f"node selector {zone('a')}", bound), bound, 1_000_000)


def test_min_values_are_a_statement_of_their_own() -> None:
    """64 CPUs are on one type; that a launch is left two is in the way, and not which two they are.

    Without the request both are sold in b only, where a box costs 2; without the minimum a huge one costs 9.
    """
    either = dataclasses.replace(requires(labels.INSTANCE_TYPE, "In", "box", "huge"), min_values=2)
    found = conflict(problem([ruled("web", cpu=64)], [BOX, HUGE], [node_pool("p", either)]))
    two = "minValues 2 of requirement node.kubernetes.io/instance-type of NodePool p"
    assert found == Conflict(("request cpu 64", two), "request cpu 64", 2_000_000)


def test_values_too_few_for_min_values() -> None:
    """In b, one of the two types has 4 CPUs; beside them a huge one would do, or one CPU, or no choice."""
    small = instance_type("small", cpu=1, offerings=[offering(1, zone="b")])
    only = dataclasses.replace(requires(labels.INSTANCE_TYPE, "In", "box", "small"), min_values=2)
    found = conflict(problem([ruled("web", cpu=4)], [BOX, HUGE, small], [node_pool("p", only)]))
    assert found.constraints == (
        "request cpu 4",
        "minValues 2 of requirement node.kubernetes.io/instance-type of NodePool p",
        "requirement node.kubernetes.io/instance-type In [box, small] of NodePool p",
    )


def test_attach_limits_are_told_by_driver() -> None:
    """Two volumes of a pod's own, of which a node takes one."""
    own = (Volume("a", driver="disk.csi"), Volume("b", driver="disk.csi"))
    pool = dataclasses.replace(node_pool("p"), attach_limits=(AttachLimit("disk.csi", 1),))
    found = conflict(problem([ruled("db", volumes=own)], [BOX], [pool]))
    assert found.constraints == ("volume a", "volume b", "attach limits (disk.csi 1) of NodePool p")


def ganged(name: str, replicas: int = 1, **others: object) -> Workload:
    return dataclasses.replace(ruled(name, replicas, **others), gang="g")  # type: ignore[arg-type]


def with_gang(question: Problem, gang: Gang) -> Problem:
    return dataclasses.replace(question, gangs=(gang,))


SMALL_POOL = dataclasses.replace(node_pool("small"), limits=(("cpu", 4_000),))


def test_a_gang_that_is_larger_than_the_limits() -> None:
    """Six CPUs for one zone, of which the pool may add four: fewer pods would find a place."""
    gang = Gang("g", topology=(GangTopology(labels.ZONE),))
    found = conflict(with_gang(problem([ganged("ring", 6)], [BOX], [SMALL_POOL]), gang))
    assert found.constraints == (
        "request cpu 1",
        "all or none of the 6 members of gang g",
        "limit cpu 4 of NodePool small",
    )
    assert found.relaxation != "all or none of the 6 members of gang g"  # six would not fit all the same


def test_a_minimum_of_a_gang_beyond_the_limits() -> None:
    """Five of six would need 5 CPUs, and the pool may add four."""
    question = with_gang(problem([ganged("ring", 6)], [BOX], [SMALL_POOL]), Gang("g", min_members=5))
    assert conflict(question).constraints == (
        "request cpu 1",
        "minimum of 5 members of gang g",
        "limit cpu 4 of NodePool small",
    )


def test_a_gang_with_fewer_pods_than_its_minimum() -> None:
    """Without the minimum the two pods share a box in a, for a dollar."""
    minimum = "minimum of 3 members of gang g"
    question = with_gang(problem([ganged("ring", 2)], [BOX]), Gang("g", min_members=3))
    assert conflict(question) == Conflict((minimum,), minimum, 1_000_000)


def test_a_gang_of_which_one_member_has_no_place() -> None:
    """The coordinator asks for a zone that is not sold; the others would find a place without it."""
    lead = ganged("lead", node_selector=(zone("x"),))
    decision = solve(with_gang(problem([lead, ganged("ring", 2)], [BOX]), Gang("g")), PARAMS)
    by_workload = {entry.pods.workload: entry.conflict for entry in decision.unschedulable}
    selector = "node selector topology.kubernetes.io/zone In [x] of lead"
    together = "all or none of the 3 members of gang g"
    assert by_workload[0] == Conflict((selector,), selector, 1_000_000)
    assert by_workload[1] == Conflict((selector, together), selector, 1_000_000)


def test_members_beyond_the_minimum_have_the_conflict_of_all() -> None:
    """Four of six are placed; that the other two are not is no fault of the minimum."""
    question = with_gang(problem([ganged("ring", 6)], [BOX], [SMALL_POOL]), Gang("g", min_members=3))
    assert conflict(question).constraints == ("request cpu 1", "limit cpu 4 of NodePool small")


def test_a_mig_profile_that_no_gpu_offers() -> None:
    wanted = pod("train", cpu=1)
    template = dataclasses.replace(
        wanted.template, requests=resources(cpu=1, **{"nvidia.com/mig-9g.90gb": 1})
    )
    found = conflict(problem([dataclasses.replace(wanted, template=template)], [BOX]))
    assert found.constraints == ("request nvidia.com/mig-9g.90gb 1",)


def test_running_pods_that_close_every_zone_are_named() -> None:
    """db-0 and db-1 keep web out of both zones that are sold; without their term it fits where they are."""
    to_web = PodAffinityTerm(labels.ZONE, app("web"))
    keeping = dataclasses.replace(
        pod("db").template, labels=(("app", "db"),), pod_anti_affinity=PodAffinity((to_web,))
    )
    nodes = [
        dataclasses.replace(
            existing_node(f"n{n}", cpu=4, node_labels={labels.ZONE: name}),
            pods=(RunningPods(keeping, names=(f"db-{n}",)),),
        )
        for n, name in enumerate("ab")
    ]
    found = conflict(problem([ruled("web")], [BOX], existing=nodes))
    term = (
        "anti-affinity by topology.kubernetes.io/zone to app In [web] of running pods db-0, db-1 (on n0, n1)"
    )
    assert found == Conflict((term,), term, 0)


def test_pods_that_others_leave_no_room_have_no_conflict() -> None:
    """The pool may add one box; three of the five pods fit it by themselves, two workloads do not."""
    pool = node_pool("one", max_nodes=1)
    decision = solve(problem([ruled("a", 3), ruled("b", 2)], [BOX], [pool]))
    assert [entry.conflict for entry in decision.unschedulable] == [None]


@given(
    sets=st.lists(st.frozensets(st.integers(0, 6), min_size=1, max_size=4), min_size=1, max_size=4),
    size=st.integers(0, 7),
)
@settings(max_examples=300)
def test_a_minimal_conflict_cannot_be_kept_and_each_part_of_it_can(
    sets: list[frozenset[int]], size: int
) -> None:
    def can_keep(kept: frozenset[int]) -> bool:
        return not any(excluded <= kept for excluded in sets)

    found = minimal_conflict(range(size), can_keep)
    if can_keep(frozenset(range(size))):
        assert found is None
        return
    assert found is not None
    assert not can_keep(frozenset(found))
    assert all(can_keep(frozenset(found) - {c}) for c in found)


@pytest.mark.parametrize("size", [0, 1])
def test_what_cannot_be_kept_without_any_constraint_is_no_fault_of_theirs(size: int) -> None:
    assert minimal_conflict(range(size), lambda _: False) == ()
