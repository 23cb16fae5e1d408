"""Hypothesis strategies: tiny problems in which all rules may meet, and placements of them at random.

Sizes are such that `brute_force` tries every decision in well under a second: at most five pods, up to
two instance types in up to three zones, up to two running nodes.
"""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import (
    AttachLimit,
    CapacityType,
    Gang,
    GangTopology,
    GpuNodePolicy,
    HostPort,
    InstanceType,
    Namespace,
    Operator,
    PodAffinity,
    PodTemplate,
    Policies,
    PreferredPodTerm,
    Problem,
    Requirement,
    RunningPods,
    SpotPolicy,
    WhenUnsatisfiable,
    Workload,
    labels,
)
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify.rulebook import stated_rules
from brute_force import Placement, Pod, existing_nodes, options
from builders import (
    REGION,
    daemon_set,
    existing_node,
    instance_type,
    node_pool,
    offering,
    problem,
    requires,
)
from held_strategies import GPU_SHARING, MODEL_MEMORY, commitments
from hypothesis import assume
from hypothesis import strategies as st
from rule_strategies import (
    DRIVER,
    FAMILIES,
    RACK,
    SLOT,
    SOFT_TAINT,
    SPOT_POLICIES,
    TAINT,
    spreads,
    templates,
    terms,
)


def _one_in_four(draw: st.DrawFn) -> int:
    return int(draw(st.integers(0, 3)) == 0)


def _free_devices(draw: st.DrawFn, kind: InstanceType) -> int:
    return draw(st.integers(0, kind.allocatable["nvidia.com/gpu"]))


def _most_pods(n_options: int) -> int:
    """Pods that can be placed in every way on so many options in a fraction of a second."""
    return next((most for most, fewest in ((5, 4), (4, 6), (3, 12)) if n_options <= fewest), 2)


LIMITS = st.sampled_from([(("cpu", 3_000),), (("cpu", 6_000),), (("cpu", 6_000), ("nvidia.com/gpu", 1))])


@st.composite
def ruled_problems(draw: st.DrawFn, families: tuple[str, ...] = FAMILIES) -> Problem:
    """A problem about up to three families of rules."""
    chosen: tuple[str, ...] = ()
    if families:
        chosen = tuple(draw(st.lists(st.sampled_from(families), min_size=1, max_size=3, unique=True)))
    if "choice" in chosen:  # alternatives under further rules are the verifier's own tests'
        chosen = ("choice",)
    if "shares" in chosen:  # claims beside shares are drawn in `test_rule_device_claims`
        chosen = tuple(family for family in chosen if family != "claims")
    has_spot = draw(st.booleans()) or "spot" in chosen or "restarts" in chosen
    kinds = []
    for t in range(draw(st.integers(1, 3 if "choice" in chosen else 2))):
        zones = draw(st.sampled_from([("a",), ("a", "b"), ("a", "b"), ("a", "b", "c")]))
        sold = [
            offering(
                draw(st.integers(1, 9)),
                zone=zone,
                available=draw(st.sampled_from([None, None, None, 0, 1])),
            )
            for zone in zones
        ]
        if has_spot:
            for zone in zones[:2]:
                spot = offering(draw(st.integers(1, 3)), zone=zone, capacity_type="spot")
                rate = draw(st.sampled_from([None, 0, 50_000, 200_000, 1_000_000]))
                sold.append(dataclasses.replace(spot, interruption_ppm_per_month=rate))
        model = draw(st.sampled_from(["t4", "a100-40gb", "amd", ""])) if "claims" in chosen else ""
        devices = draw(st.integers(1, 3)) if model else 1 if "gpu" in chosen and t == 0 else 0
        if "shares" in chosen:
            devices = draw(st.integers(0, 2))
            model = draw(st.sampled_from(["t4", "a100-40gb"])) if devices else ""
        kinds.append(
            dataclasses.replace(
                instance_type(
                    f"type-{t}",
                    cpu=draw(st.integers(1, 4)),
                    gpu=0 if model == "amd" else devices,
                    gpu_model=model,
                    offerings=sold,
                    **{"amd.com/gpu": devices if model == "amd" else 0},
                    extra_labels=draw(st.sampled_from([{}, {RACK: f"r{t}"}])),
                ),
                attach_limits=draw(
                    st.sampled_from([(), (AttachLimit(DRIVER, 1),), (AttachLimit(DRIVER, 2),)])
                ),
                gpu_memory_bytes=MODEL_MEMORY.get(model, 0) if "shares" in chosen else 0,
            )
        )
    # A minimum that cannot be met makes a problem invalid.
    can_buy = any(o.available is None for kind in kinds for o in kind.offerings)
    pools = [
        node_pool(
            "plain",
            max_nodes=draw(st.sampled_from([None, None, None, 2])),
            min_nodes=draw(st.sampled_from([0, 0, 0, 0, 1])) if can_buy else 0,
        )
    ]
    if not pools[0].min_nodes and draw(st.integers(0, 5)) == 0:
        pools[0] = dataclasses.replace(pools[0], limits=draw(LIMITS))
    if "shares" in chosen:
        pools[0] = dataclasses.replace(pools[0], gpu_sharing=draw(GPU_SHARING))
    if "choice" in chosen:
        keys = [labels.INSTANCE_TYPE]
        if all(RACK in dict(kind.labels) for kind in kinds):
            keys.append(RACK)
        key, least = draw(st.sampled_from(keys)), draw(st.integers(1, 3))
        wanted = (*pools[0].requirements, Requirement(key, Operator.EXISTS, (), least))
        pools[0] = dataclasses.replace(pools[0], requirements=wanted, min_nodes=0)
    if draw(st.integers(0, 3)) == 0:
        pools.append(node_pool("tainted", taints=[TAINT]))
    if "preferences" in chosen and draw(st.booleans()):
        pools[0] = dataclasses.replace(pools[0], taints=node_pool("soft", taints=[SOFT_TAINT]).taints)
        pools.append(node_pool("welcoming", max_nodes=1))
    if draw(st.integers(0, 3)) == 0:
        pools.append(node_pool("slotted", requires(SLOT, "In", "s1", "s2")))
    existing = []
    for n in range(draw(st.integers(0, 2))):
        zone = {labels.ZONE: draw(st.sampled_from(["a", "b"]))} if draw(st.integers(0, 4)) else {}
        has_devices = "claims" in chosen or "shares" in chosen
        if has_devices or "commitments" in chosen:
            kind = draw(st.sampled_from(kinds))
            zone[labels.INSTANCE_TYPE] = kind.name
        if "commitments" in chosen:
            zone[labels.REGION] = REGION
            zone[labels.CAPACITY_TYPE] = draw(st.sampled_from(["on-demand", "reserved"]))
        more = draw(st.sampled_from([{}, {RACK: "r0"}, {labels.CAPACITY_TYPE: "spot"}]))
        node = existing_node(
            f"old-{n}",
            cpu=draw(st.integers(0, 2)),
            gpu=_free_devices(draw, kind) if has_devices else _one_in_four(draw) * ("gpu" in chosen),
            node_labels={**zone, **more},
            taints=draw(st.sampled_from([(), (), (), (TAINT,), (SOFT_TAINT,)])),
            pool=draw(st.sampled_from(["", "plain"])),
            capacity=kind.capacity if has_devices else None,
        )
        running = draw(
            st.lists(
                st.builds(
                    RunningPods,
                    template=templates(tuple(family for family in chosen if family != "shares")),
                    count=st.integers(1, 2),
                    namespace=st.sampled_from(["default", "default", "shop"]),
                    gang=st.sampled_from(["", "ring"]),
                ),
                max_size=2,
            )
        )
        limits = draw(st.sampled_from([(), (), (AttachLimit(DRIVER, 0),), (AttachLimit(DRIVER, 1),)]))
        existing.append(dataclasses.replace(node, pods=tuple(running), attach_limits=limits))
    workloads = []
    held, plans = draw(commitments(kinds)) if "commitments" in chosen else ((), ())
    kept = 2 * sum(r.capacity_type is CapacityType.RESERVED for r in held)
    left = _most_pods(len(pools) * (kept + sum(len(kind.offerings) for kind in kinds)))
    for w in range(draw(st.integers(1, 3))):
        replicas = draw(st.integers(1, min(3, left)))
        left -= replicas
        workloads.append(
            Workload(
                f"w-{w}",
                draw(templates(chosen)),
                replicas,
                namespace=draw(st.sampled_from(["default", "default", "default", "shop"])),
                gang="ring" if "gang" in chosen and draw(st.booleans()) else "",
                spot=draw(SPOT_POLICIES) if "spot" in chosen and draw(st.booleans()) else SpotPolicy(),
            )
        )
        if not left:
            break
    daemons = []
    if draw(st.integers(0, 4)) == 0:
        daemon = daemon_set("agent", selector=draw(st.sampled_from([None, {labels.ZONE: "a"}])))
        ports = (HostPort(80),) if "ports" in chosen else ()
        daemons.append(
            dataclasses.replace(daemon, template=dataclasses.replace(daemon.template, host_ports=ports))
        )
    gangs = [
        Gang(
            "ring",
            namespace,
            min_members=draw(st.sampled_from([None, None, 1, 2, 3])),
            topology=draw(
                st.sampled_from(
                    [
                        (),
                        (GangTopology(labels.ZONE),),
                        (GangTopology(RACK),),
                        (GangTopology(labels.HOSTNAME),),
                    ]
                )
            ),
        )
        for namespace in sorted({w.namespace for w in workloads if w.gang})
    ]
    wishes = "preferences" in chosen
    return dataclasses.replace(
        problem(workloads, kinds, pools, existing=existing, daemons=daemons),
        gangs=tuple(gangs),
        reservations=held,
        savings_plans=plans,
        namespaces=(Namespace("shop", (("team", "a"),)),),
        policies=Policies(
            gpu_nodes=draw(
                st.sampled_from(GpuNodePolicy)
                if {"gpu", "shares"} & set(chosen)
                else st.just(GpuNodePolicy.IF_CHEAPER)
            ),
            spot=draw(SPOT_POLICIES) if "spot" in chosen and draw(st.booleans()) else SpotPolicy(),
            microusd_per_weight_hour=draw(st.sampled_from([0, 7, 20_000, 300_000])) if wishes else 0,
            restart_cost_microusd=draw(st.sampled_from([0, 730_000_000])) if "restarts" in chosen else 0,
        ),
    )


@st.composite
def placements(draw: st.DrawFn, question: Problem) -> Placement:
    """Pods anywhere, or left out: mostly wrong."""
    sold = options(question)
    nodes = existing_nodes(question)
    for _ in range(draw(st.integers(0, 3)) if sold else 0):
        nodes.append(draw(st.sampled_from(sold)).node(f"n{len(nodes)}"))
    pods = []
    for w, workload in enumerate(question.workloads):
        for _ in range(workload.replicas):
            if nodes and draw(st.integers(0, 5)):
                node = draw(st.sampled_from(nodes))
                pods.append(Pod(workload.template, workload.namespace, node, w, workload.gang))
    return Placement(nodes, pods)


FAMILY_RULES = {
    "spread": Rule.TOPOLOGY_SPREAD,
    "affinity": Rule.POD_AFFINITY,
    "anti-affinity": Rule.POD_ANTI_AFFINITY,
    "caps": Rule.NODE_CAPS,
    "ports": Rule.HOST_PORTS,
    "volumes": Rule.VOLUMES,
    "gang": Rule.GANGS,
    "spot": Rule.SPOT,
    "gpu": Rule.GPU_NODES,
    "claims": Rule.DEVICE_CLAIMS,
    "choice": Rule.MIN_VALUES,
}


FAMILIES_HELD = (*FAMILY_RULES, "preferences", "restarts", "shares", "commitments")
"""What the engine can be asked about; wishes are no rules, and nothing waives them."""


@st.composite
def enforced_problems(draw: st.DrawFn) -> Problem:
    """Problems that state only rules that nothing waives."""
    families = tuple(family for family in FAMILIES_HELD if FAMILY_RULES.get(family) not in WAIVED)
    question = draw(ruled_problems(families))
    nodes, daemons, policies = question.existing_nodes, question.daemon_sets, question.policies
    if Rule.RUNNING_PODS in WAIVED:
        nodes = tuple(dataclasses.replace(n, pods=tuple(map(_plain, n.pods))) for n in nodes)
    if Rule.DAEMON_PORTS in WAIVED:
        daemons = ()
    if Rule.PROBLEM_SPOT in WAIVED:
        policies = dataclasses.replace(policies, spot=SpotPolicy())
    made = dataclasses.replace(question, existing_nodes=nodes, daemon_sets=daemons, policies=policies)
    assume(not stated_rules(made) & WAIVED)
    return made


@st.composite
def wishing_problems(draw: st.DrawFn) -> Problem:
    """The same, some of whose pods state wishes about other pods."""
    question = draw(enforced_problems())
    price = draw(st.sampled_from([7, 20_000]))
    policies = dataclasses.replace(question.policies, microusd_per_weight_hour=price)
    workloads = []
    for workload in question.workloads:
        template = workload.template
        if draw(st.booleans()):
            soft = [
                dataclasses.replace(c, when_unsatisfiable=WhenUnsatisfiable.SCHEDULE_ANYWAY)
                for c in draw(st.lists(spreads(), max_size=2))
                if c.min_domains == 1
            ]
            template = dataclasses.replace(
                template,
                topology_spread=(*template.topology_spread, *soft),
                pod_affinity=draw(preferring(template.pod_affinity)),
                pod_anti_affinity=draw(preferring(template.pod_anti_affinity)),
            )
        workloads.append(dataclasses.replace(workload, template=template))
    return dataclasses.replace(question, workloads=tuple(workloads), policies=policies)


def preferring(affinity: PodAffinity) -> st.SearchStrategy[PodAffinity]:
    """The affinity with some preferred terms."""
    preferred = st.builds(PreferredPodTerm, weight=st.sampled_from([1, 10, 100]), term=terms())
    return st.lists(preferred, max_size=2).map(
        lambda some: dataclasses.replace(affinity, preferred=tuple(some))
    )


def _plain(pods: RunningPods) -> RunningPods:
    template = PodTemplate(labels=pods.template.labels, volumes=pods.template.volumes)
    return dataclasses.replace(pods, template=template)
