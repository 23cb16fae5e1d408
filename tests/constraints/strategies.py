"""Hypothesis strategies: tiny problems in which all rules may meet, and placements of them at random.

Sizes are such that `brute_force` tries every decision in well under a second: at most five pods, up to
two instance types in up to three zones, up to two running nodes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import (
    AttachLimit,
    CapacityType,
    DeviceClaim,
    DeviceRequest,
    DeviceSelector,
    Gang,
    GangTopology,
    GpuNodePolicy,
    HostPort,
    InstanceType,
    LabelSelector,
    LossBound,
    Namespace,
    NodeCap,
    NodeInclusionPolicy,
    Operator,
    PodAffinity,
    PodAffinityTerm,
    PodTemplate,
    Policies,
    PreferredPodTerm,
    PreferredTerm,
    Problem,
    Requirement,
    Resources,
    RunningPods,
    Share,
    SpotPolicy,
    TopologySpread,
    Volume,
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
    resources,
    tolerates,
)
from claims_by_hand import MEANING
from held_strategies import GPU_PARTS, GPU_SHARING, MODEL_MEMORY, commitments
from hypothesis import assume
from hypothesis import strategies as st

RACK = "example.com/rack"
TAINT = "team=x:NoSchedule"
SOFT_TAINT = "team=x:PreferNoSchedule"
DRIVER = "ebs.csi.aws.com"
FAMILIES = (
    *("spread", "affinity", "anti-affinity", "caps", "ports", "volumes", "gang", "spot", "gpu"),
    *("preferences", "restarts", "claims"),
)
"""What a problem may be about; each problem draws a few."""

APPS = (
    LabelSelector.of_labels({"app": "x"}),
    LabelSelector.of_labels({"app": "y"}),
    LabelSelector((Requirement("app", Operator.IN, ("x", "y")),)),
    LabelSelector((Requirement("app", Operator.NOT_IN, ("x",)),)),
    LabelSelector(),
    None,
)
SLOT = "example.com/slot"
DOMAIN_KEYS = st.sampled_from(
    [
        *[labels.ZONE, labels.HOSTNAME] * 3,
        *(labels.CAPACITY_TYPE, RACK, SLOT, labels.NODE_POOL, labels.INSTANCE_TYPE),
    ]
)
SELECTORS = st.sampled_from(APPS)


def _some(draw: st.DrawFn, make: Any, chance: int = 2) -> bool:
    """Whether to state a rule of a family: once in ``chance``."""
    return bool(draw(st.integers(1, chance)) == 1 and make)


@st.composite
def spreads(draw: st.DrawFn) -> TopologySpread:
    """DoNotSchedule, with everything else it may say."""
    selector = draw(SELECTORS)
    return TopologySpread(
        topology_key=draw(DOMAIN_KEYS),
        max_skew=draw(st.sampled_from([1, 1, 2])),
        selector=selector,
        min_domains=draw(st.sampled_from([1, 1, 2, 3])),
        node_affinity_policy=draw(st.sampled_from(NodeInclusionPolicy)),
        node_taints_policy=draw(st.sampled_from(NodeInclusionPolicy)),
        match_label_keys=draw(st.sampled_from([(), (), ("hash",)])) if selector is not None else (),
    )


@st.composite
def terms(draw: st.DrawFn) -> PodAffinityTerm:
    """An affinity term with namespaces and label keys."""
    selector = draw(SELECTORS)
    keys = draw(st.sampled_from([((), ()), ((), ()), (("hash",), ()), ((), ("hash",))]))
    return PodAffinityTerm(
        draw(DOMAIN_KEYS),
        selector,
        namespaces=draw(st.sampled_from([(), (), ("shop",), ("default", "shop")])),
        namespace_selector=draw(
            st.sampled_from([None, None, LabelSelector(), LabelSelector.of_labels({"team": "a"})])
        ),
        match_label_keys=keys[0] if selector is not None else (),
        mismatch_label_keys=keys[1] if selector is not None else (),
    )


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    """A claim that pods share, or a volume of their own."""
    name = draw(st.sampled_from(["", "", "data", "logs"]))
    return Volume(
        name=name,
        driver=draw(st.sampled_from(["", DRIVER, DRIVER])),
        topology=draw(st.sampled_from([(), (), ((requires(labels.ZONE, "In", "a"),),)])),
        is_exclusive=draw(st.sampled_from([False, False, True])),
        is_single_node=draw(st.booleans()),
    )


REQUESTS = st.builds(
    DeviceRequest,
    name=st.just("r"),
    device_class=st.just("gpu"),
    selectors=st.lists(st.sampled_from(sorted(MEANING)), max_size=1).map(
        lambda texts: tuple(map(DeviceSelector, texts))
    ),
    count=st.sampled_from([0, 1, 1, 2]),
    is_admin=st.sampled_from([False, False, False, True]),
)


def _title(claim: DeviceClaim) -> str:
    return claim.label


@st.composite
def claims(draw: st.DrawFn) -> DeviceClaim:
    """A claim of a pod's own, or one that pods share: those of a name ask for the same."""
    name = draw(st.sampled_from(["", "", "", "team"]))
    if name:
        return DeviceClaim(name, ((DeviceRequest("r", "gpu"),),), title="team")
    requests = st.lists(st.lists(REQUESTS, min_size=1, max_size=2).map(tuple), max_size=2)
    attributes = st.sampled_from([(), (), (), ("resource.kubernetes.io/pcieRoot",)])
    return DeviceClaim(
        requests=tuple(draw(requests)),
        match_attributes=draw(attributes),
        title=draw(st.sampled_from(["a", "b"])),
    )


@st.composite
def preferred_terms(draw: st.DrawFn) -> PreferredTerm:
    """A wish about labels that zones, types, pools and nodes may have."""
    wanted = st.sampled_from(
        [
            requires(labels.ZONE, "In", "a"),
            requires(labels.ZONE, "NotIn", "a"),
            requires(labels.CAPACITY_TYPE, "In", "on-demand"),
            requires(labels.INSTANCE_TYPE, "In", "type-0"),
            requires(RACK, "Exists"),
            requires(SLOT, "In", "s2"),
            requires(labels.HOSTNAME, "In", "old-0"),
            requires(labels.NODE_POOL, "NotIn", "plain"),
        ]
    )
    term = tuple(draw(st.lists(wanted, min_size=1, max_size=2)))
    return PreferredTerm(draw(st.sampled_from([1, 10, 100])), term)


@st.composite
def templates(draw: st.DrawFn, families: tuple[str, ...]) -> PodTemplate:
    """A pod with rules of these families, or without."""
    own = {
        "app": draw(st.sampled_from(["x", "x", "y"])),
        **draw(st.sampled_from([{}, {"hash": "1"}, {"hash": "2"}])),
    }
    rules: dict[str, Any] = {}
    if _some(draw, "spread" in families):
        rules["topology_spread"] = tuple(draw(st.lists(spreads(), min_size=1, max_size=2)))
    if _some(draw, "affinity" in families):
        rules["pod_affinity"] = PodAffinity(tuple(draw(st.lists(terms(), min_size=1, max_size=2))))
    if _some(draw, "anti-affinity" in families):
        rules["pod_anti_affinity"] = PodAffinity(tuple(draw(st.lists(terms(), min_size=1, max_size=2))))
    if _some(draw, "caps" in families):
        selector = draw(st.sampled_from([app for app in APPS if app is not None]))
        least = 1 if selector.matches(own) else 0
        rules["node_caps"] = (NodeCap(selector, draw(st.integers(least, 2))),)
    if _some(draw, "ports" in families):
        rules["host_ports"] = (
            HostPort(draw(st.sampled_from([80, 80, 81])), host_ip=draw(st.sampled_from(["", "10.0.0.1"]))),
        )
    if _some(draw, "volumes" in families):
        rules["volumes"] = tuple(
            draw(st.lists(volumes(), min_size=1, max_size=2, unique_by=lambda v: v.name or id(v)))
        )
    if _some(draw, "preferences" in families):
        rules["preferred_affinity"] = tuple(draw(st.lists(preferred_terms(), min_size=1, max_size=2)))
    if _some(draw, "restarts" in families):
        rules["restart_cost_microusd"] = draw(st.sampled_from([1, 73_000_000, 1_460_000_000]))
    if _some(draw, "claims" in families):
        rules["device_claims"] = tuple(draw(st.lists(claims(), min_size=1, max_size=2, unique_by=_title)))
    needs = draw(
        st.sampled_from(
            [(), (), (), (), (requires(labels.ZONE, "In", "a", "b"),), (requires(RACK, "Exists"),)]
        )
    )
    wants_gpu = "gpu" in families and draw(st.booleans())
    base = PodTemplate(labels=tuple(sorted(own.items())), node_selector=needs, **rules)
    requests = resources(cpu=draw(st.integers(1, 2)), gpu=int(wants_gpu))
    if "shares" in families:
        amounts, share = draw(GPU_PARTS)
        requests = Resources.of({**dict(requests), "nvidia.com/gpu": 0, **amounts})
        base = dataclasses.replace(base, gpu_share=share)
    tolerated = (tolerates(TAINT),) if draw(st.integers(0, 3)) == 0 else ()
    return dataclasses.replace(base, requests=requests, tolerations=tolerated)


SPOT_POLICIES = st.builds(
    SpotPolicy,
    min_on_demand=st.sampled_from([None, Share(count=1), Share(ppm=500_000)]),
    max_per_pool=st.sampled_from([None, Share(count=1), Share(ppm=500_000)]),
    loss=st.none()
    | st.builds(
        LossBound,
        share=st.sampled_from([Share(count=0), Share(count=1), Share(count=2), Share(ppm=500_000)]),
        probability_ppm=st.sampled_from([1, 20_000, 150_000, 600_000]),
        window_s=st.sampled_from([3_600, 730 * 3_600, 1_460 * 3_600]),
    ),
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
