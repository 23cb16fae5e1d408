"""What may stand together on a node: host ports, caps, volumes and accelerators; worked on paper.

What is sold is a box of 4 CPUs at a dollar in zone a, and at two in zone b. The volume cases are those of
https://kubernetes.io/docs/concepts/storage/storage-limits/ and
https://karpenter.sh/docs/concepts/scheduling/#persistent-volume-topology.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import (
    AttachLimit,
    GpuNodePolicy,
    HostPort,
    InstanceType,
    NodeCap,
    Policies,
    Problem,
    Protocol,
    Volume,
    Workload,
)
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import daemon_set, instance_type, node_pool, offering, problem, requires
from conformance import PARAMS, Unproven, conforms, conforms_not
from rules import ZONE, apps, node, ruled, running, spread

DRIVER = "ebs.csi.aws.com"
BOX = dataclasses.replace(
    instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(2, zone="b")]),
    attach_limits=(AttachLimit(DRIVER, 2),),
)


def sold(*workloads: Workload, **parts: Any) -> Problem:
    return dataclasses.replace(problem(workloads, [BOX]), **parts)


# --- host ports -------------------------------------------------------------------------------------


def test_two_replicas_with_a_port_need_two_nodes() -> None:
    conforms(sold(ruled("web", 2, host_ports=(HostPort(80),))), 2)


def test_two_workloads_with_one_port_need_two_nodes() -> None:
    """The third, on another port, shares a node with one of them."""
    question = sold(*(ruled(n, host_ports=(HostPort(p),)) for n, p in (("a", 80), ("b", 80), ("c", 81))))
    conforms(question, 2)


def test_protocols_and_addresses_tell_ports_apart() -> None:
    """TCP and UDP; two addresses: all four on one box."""
    ports = (
        HostPort(80, host_ip="10.0.0.1"),
        HostPort(80, host_ip="10.0.0.2"),
        HostPort(80, Protocol.UDP),
        HostPort(80, Protocol.SCTP),
    )
    conforms(sold(*(ruled(f"w{n}", host_ports=(port,)) for n, port in enumerate(ports))), 1)


def test_every_address_includes_each() -> None:
    """``0.0.0.0`` clashes with 10.0.0.1: two boxes."""
    pair = (
        ruled("a", host_ports=(HostPort(80),)),
        ruled("b", host_ports=(HostPort(80, host_ip="10.0.0.1"),)),
    )
    conforms(sold(*pair), 2)


def test_a_running_pod_holds_its_port() -> None:
    """The free node is of no use to the pod with port 80; it takes the other."""
    old = node("old", running(ruled("proxy", host_ports=(HostPort(80),))), zone="a")
    question = sold(ruled("web", host_ports=(HostPort(80),)), ruled("batch"), existing_nodes=(old,))
    conforms(question, 1, lambda a: (a.on("web"), a.on("batch")) == ({"new": 1}, {"old": 1}))


def test_a_daemon_holds_its_port() -> None:
    """The daemon is on nodes of zone a: the pod goes to b."""
    plain = daemon_set("agent", selector={ZONE: "a"})
    agent = dataclasses.replace(
        plain, template=dataclasses.replace(plain.template, host_ports=(HostPort(9100),))
    )
    question = sold(ruled("web", host_ports=(HostPort(9100),)), daemon_sets=(agent,))
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"b": 1})


# --- caps per node ----------------------------------------------------------------------------------


def test_at_most_two_of_a_kind_on_a_node() -> None:
    conforms(sold(ruled("web", 4, node_caps=(NodeCap(apps("web"), 2),))), 2)


def test_interference_binds_only_where_the_sensitive_pod_is() -> None:
    """At most one batch pod beside ``web``: web with one, the other three on a second box."""
    question = sold(ruled("web", node_caps=(NodeCap(apps("batch"), 1),)), ruled("batch", 4))
    conforms(question, 2)


def test_a_cap_of_zero_keeps_them_apart() -> None:
    question = sold(ruled("web", node_caps=(NodeCap(apps("batch"), 0),)), ruled("batch", 3))
    conforms(question, 2, lambda a: a.together() == [{"batch": 3}, {"web": 1}])


def test_a_running_pods_cap_binds_newcomers() -> None:
    """It bears two batch pods beside it; the third needs a box."""
    old = node("old", running(ruled("web", node_caps=(NodeCap(apps("batch"), 2),))))
    conforms(
        sold(ruled("batch", 3), existing_nodes=(old,)),
        1,
        lambda a: a.on("batch") == {"old": 2, "new": 1},
        unproven=Unproven.PART,
    )


# --- volumes ----------------------------------------------------------------------------------------


def test_a_pod_goes_where_its_volume_is() -> None:
    """The claim is bound to a volume in zone b."""
    volume = Volume("data", DRIVER, topology=((requires(ZONE, "In", "b"),),))
    conforms(sold(ruled("app", volumes=(volume,))), 2, lambda a: a.by(ZONE, "app") == {"b": 1})


def test_an_unbound_claim_may_go_to_any_zone_of_its_class() -> None:
    """Allowed topologies a and b: the cheaper one."""
    volume = Volume("data", DRIVER, topology=((requires(ZONE, "In", "a", "b"),),))
    conforms(sold(ruled("app", volumes=(volume,))), 1)


def test_two_volumes_in_two_zones_fit_nowhere() -> None:
    volumes = tuple(Volume(z, DRIVER, topology=((requires(ZONE, "In", z),),)) for z in "ab")
    conforms_not(sold(ruled("app", volumes=volumes)), placed=0)


def test_a_node_takes_so_many_volumes() -> None:
    """Limit 2: five pods with a volume of their own need three boxes."""
    conforms(sold(ruled("db", 5, volumes=(Volume(driver=DRIVER),))), 3)


def test_a_shared_volume_is_attached_once() -> None:
    """Four pods share one claim, so that another volume still fits beside them."""
    shared = ruled("web", 3, volumes=(Volume("shared", DRIVER),))
    conforms(sold(shared, ruled("db", volumes=(Volume(driver=DRIVER),))), 1)


def _one_or_any_number(price_of_any: float) -> tuple[InstanceType, InstanceType]:
    """A type at a dollar that takes one volume, and one that takes any number of them."""
    one = dataclasses.replace(instance_type("one", cpu=4, price=1), attach_limits=(AttachLimit(DRIVER, 1),))
    return one, instance_type("any", cpu=4, price=price_of_any)


def test_pods_of_different_shared_volumes_do_not_move_to_a_cheaper_type_that_takes_one() -> None:
    """Two volumes, two pods each: one node for all at 1.90, or two at a dollar; never all on one of those."""
    mounting = {"a": "x", "b": "x", "c": "y", "d": "y"}
    pods = [ruled(name, volumes=(Volume(volume, DRIVER),)) for name, volume in mounting.items()]
    conforms(problem(pods, _one_or_any_number(1.9)), 1.9, unproven=Unproven.SHARED)


def test_a_type_that_takes_one_volume_is_no_alternative_for_two() -> None:
    """Each pod mounts a volume of its own and one that both share."""
    both = (Volume(driver=DRIVER), Volume("shared", DRIVER))
    question = problem([ruled("web", 2, cpu=4, volumes=both)], _one_or_any_number(1))
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    assert [[a.instance_type for a in claim.alternatives] for claim in decision.node_claims] == [["any"]] * 2


def test_claims_of_one_pod_each_count_as_its_own() -> None:
    """Three replicas of a stateful set over two zones, each with a claim of its own name: three nodes."""
    by_zone = {"topology_spread": (spread(ZONE, 1, apps("db")),)}
    pods = [ruled(f"db-{n}", app="db", volumes=(Volume(f"data-{n}", DRIVER),), **by_zone) for n in range(3)]
    kind = dataclasses.replace(
        instance_type("box", cpu=4, offerings=[offering(1, zone=z) for z in "ab"]),
        attach_limits=(AttachLimit(DRIVER, 1),),
    )
    conforms(problem(pods, [kind]), 3)


def test_a_volume_of_its_own_counts_beside_a_shared_one() -> None:
    """Each pod mounts both and a node takes one: no pod has a place."""
    pool = dataclasses.replace(node_pool(), attach_limits=(AttachLimit(DRIVER, 1),))
    both = (Volume(driver=DRIVER), Volume("shared", DRIVER))
    conforms_not(sold(ruled("web", 2, volumes=both), node_pools=(pool,)), placed=0)


def test_the_pools_limit_counts_if_it_is_lower() -> None:
    pool = dataclasses.replace(node_pool(), attach_limits=(AttachLimit(DRIVER, 1),))
    conforms(sold(ruled("db", 2, volumes=(Volume(driver=DRIVER),)), node_pools=(pool,)), 2)


def test_a_running_node_has_so_many_left() -> None:
    """One attachment is free, and one volume is attached already: two pods go there, the third does not."""
    old = node(
        "old",
        running(ruled("x", volumes=(Volume("shared", DRIVER),))),
        attach_limits=[AttachLimit(DRIVER, 1)],
    )
    question = sold(
        ruled("web", volumes=(Volume("shared", DRIVER),)),
        ruled("db", 2, volumes=(Volume(driver=DRIVER),)),
        existing_nodes=(old,),
    )
    conforms(question, 1, lambda a: a.on("db") == {"old": 1, "new": 1})


def test_read_write_once_keeps_its_pods_on_one_node() -> None:
    """Four pods of 1.5 CPU share a volume for one node; a box holds two: so two wait."""
    volume = Volume("data", DRIVER, is_single_node=True)
    conforms_not(sold(ruled("web", 3, cpu=1.5, volumes=(volume,))), placed=2)


def test_read_write_once_pod_serves_one_pod() -> None:
    conforms_not(sold(ruled("web", 2, volumes=(Volume("data", DRIVER, is_exclusive=True),))), placed=1)


def test_a_volume_for_one_node_follows_the_running_pod() -> None:
    """It is mounted on the node in b, which has room."""
    old = node("old", running(ruled("x", volumes=(Volume("data", DRIVER),))), zone="b")
    web = ruled("web", volumes=(Volume("data", DRIVER, is_single_node=True),))
    conforms(sold(web, existing_nodes=(old,)), 0, lambda a: a.on("web") == {"old": 1})


# --- accelerated nodes ------------------------------------------------------------------------------

GPU = instance_type("gpu", cpu=8, gpu=1, price=0.5)
NEVER = Policies(gpu_nodes=GpuNodePolicy.NEVER)


def test_pods_without_accelerator_take_a_cheap_gpu_node_by_default() -> None:
    conforms(problem([ruled("web", 2)], [BOX, GPU]), 0.5)


def test_never_keeps_them_off_it() -> None:
    """1.0 for a box, although the GPU node costs half and holds both."""
    question = dataclasses.replace(
        problem([ruled("web", 2), ruled("train", gpu=1)], [BOX, GPU]), policies=NEVER
    )
    conforms(question, 1.5, lambda a: a.together() == [{"train": 1}, {"web": 2}])


def test_never_holds_for_running_nodes() -> None:
    question = dataclasses.replace(
        sold(ruled("web", 2)), existing_nodes=(node("old", gpu=1),), policies=NEVER
    )
    conforms(question, 1, lambda a: a.on("web") == {"new": 2})
