"""Hypothesis strategies for problems that use every rule of the model."""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import (
    AttachLimit,
    CapacityType,
    DeviceClaim,
    DeviceRequest,
    DeviceSelector,
    Gang,
    GangTopology,
    GpuNodePolicy,
    GpuShare,
    GpuSharing,
    HostPort,
    LabelSelector,
    LossBound,
    MinValuesPolicy,
    Namespace,
    NodeCap,
    NodeInclusionPolicy,
    Operator,
    PodAffinity,
    PodAffinityTerm,
    PodTemplate,
    Policies,
    PreferencePolicy,
    PreferredPodTerm,
    Problem,
    Protocol,
    Requirement,
    Reservation,
    RunningPods,
    SavingsPlan,
    Share,
    SharingStrategy,
    SpotPolicy,
    TopologySpread,
    Volume,
    WhenUnsatisfiable,
    labels,
)
from binwright_optimizer.model.nodeclasses import RESERVABLE, AmiFamily, EvictionThreshold, NodeClass
from binwright_optimizer.model.resources import EPHEMERAL_STORAGE, MEMORY
from builders import existing_node, instance_type, node_pool, offering, pod, problem, resources
from hypothesis import reject
from hypothesis import strategies as st

KEYS = st.sampled_from(["app", "tier", "team", labels.ZONE])
VALUES = st.sampled_from(["a", "b", "web"])
DRIVERS = st.sampled_from(["ebs.csi.aws.com", "pd.csi.storage.gke.io"])
TOPOLOGY = st.sampled_from([labels.ZONE, labels.HOSTNAME, labels.CAPACITY_TYPE, "example.com/rack"])


RESERVED = st.lists(
    st.tuples(st.sampled_from(RESERVABLE), st.integers(0, 2**40)), unique_by=lambda pair: pair[0]
).map(lambda pairs: tuple(sorted(pairs)))


def or_none(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


NODE_CLASSES = st.builds(
    NodeClass,
    ami_family=st.sampled_from(AmiFamily),
    max_pods=or_none(st.integers(0, 500)),
    pods_per_core=st.integers(0, 20),
    kube_reserved=RESERVED,
    system_reserved=RESERVED,
    evicts_below=st.tuples(
        st.tuples(st.just(EPHEMERAL_STORAGE), st.builds(EvictionThreshold, amount=st.integers(0, 2**40))),
        st.tuples(
            st.just(MEMORY),
            st.integers(0, 99_999_999).map(lambda part: EvictionThreshold(percent=part / 1_000_000)),
        ),
    ).map(lambda pairs: tuple(reversed(pairs))),
    root_disk_bytes=or_none(st.integers(1, 2**50)),
    uses_local_disks=st.booleans(),
)


@st.composite
def sound(draw: st.DrawFn, make: Any, **fields: st.SearchStrategy[Any]) -> Any:
    """An object of the model; draws that its rules refuse are drawn again."""
    try:
        return make(**{name: draw(strategy) for name, strategy in fields.items()})
    except ValueError:
        reject()


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    operator = draw(st.sampled_from([Operator.IN, Operator.NOT_IN, Operator.EXISTS, Operator.DOES_NOT_EXIST]))
    takes_values = operator in (Operator.IN, Operator.NOT_IN)
    values = draw(st.lists(VALUES, min_size=1, max_size=2)) if takes_values else []
    return Requirement(draw(KEYS), operator, tuple(values))


SELECTORS = sound(
    LabelSelector,
    requirements=st.lists(requirements(), max_size=2, unique_by=lambda r: r.key).map(tuple),
)
LABEL_KEYS = st.lists(KEYS, max_size=2).map(tuple)
TERMS = st.lists(
    st.lists(requirements(), min_size=1, max_size=2, unique_by=lambda r: r.key).map(tuple), max_size=2
).map(tuple)
SHARES = st.builds(Share, count=st.integers(0, 9)) | st.builds(Share, ppm=st.integers(1, 1_000_000))


def names_keys_once(rule: TopologySpread | PodAffinityTerm) -> bool:
    """Whether no key to match is in the selector too, which is refused where problems are read."""
    named = {requirement.key for requirement in rule.selector.requirements} if rule.selector else set()
    return not named & set(rule.match_label_keys)


SPREADS = sound(
    TopologySpread,
    topology_key=TOPOLOGY,
    max_skew=st.integers(1, 5),
    when_unsatisfiable=st.sampled_from(WhenUnsatisfiable),
    selector=or_none(SELECTORS),
    min_domains=st.integers(1, 3),
    node_affinity_policy=st.sampled_from(NodeInclusionPolicy),
    node_taints_policy=st.sampled_from(NodeInclusionPolicy),
    match_label_keys=LABEL_KEYS,
).filter(names_keys_once)
AFFINITY_TERMS = sound(
    PodAffinityTerm,
    topology_key=TOPOLOGY,
    selector=or_none(SELECTORS),
    namespaces=st.lists(st.sampled_from(["default", "shop"]), max_size=2).map(tuple),
    namespace_selector=or_none(SELECTORS),
    match_label_keys=LABEL_KEYS,
    mismatch_label_keys=LABEL_KEYS,
).filter(names_keys_once)
AFFINITIES = st.builds(
    PodAffinity,
    required=st.lists(AFFINITY_TERMS, max_size=2).map(tuple),
    preferred=st.lists(
        st.builds(PreferredPodTerm, weight=st.integers(1, 100), term=AFFINITY_TERMS), max_size=1
    ).map(tuple),
)
PORTS = st.builds(
    HostPort,
    port=st.integers(1, 65_535),
    protocol=st.sampled_from(Protocol),
    host_ip=st.sampled_from(["", "0.0.0.0", "10.0.0.1"]),
)
VOLUMES = st.builds(
    Volume,
    name=st.sampled_from(["", "data", "logs"]),
    driver=st.just("") | DRIVERS,
    topology=TERMS,
    is_exclusive=st.booleans(),
    is_single_node=st.booleans(),
)
LIMITS = st.lists(
    st.builds(AttachLimit, driver=DRIVERS, count=st.integers(0, 30)), max_size=2, unique_by=lambda x: x.driver
).map(lambda limits: tuple(sorted(limits, key=lambda limit: limit.driver)))
SELECTORS_OF_DEVICES = st.builds(
    DeviceSelector,
    text=st.sampled_from(
        [
            "device.driver == 'gpu.nvidia.com'",
            'device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("40Gi")) >= 0',
        ]
    ),
)
DEVICE_REQUESTS = st.builds(
    DeviceRequest,
    name=VALUES,
    device_class=VALUES,
    selectors=st.lists(SELECTORS_OF_DEVICES, max_size=2).map(tuple),
    count=st.integers(0, 3),
    is_admin=st.booleans(),
)
CLAIMS = st.builds(
    DeviceClaim,
    name=st.sampled_from(["", "shared"]),
    requests=st.lists(st.lists(DEVICE_REQUESTS, min_size=1, max_size=2).map(tuple), max_size=2).map(tuple),
    match_attributes=st.lists(VALUES, max_size=1).map(tuple),
    title=st.sampled_from(["", "gpus"]),
)
SPOT_POLICIES = st.builds(
    SpotPolicy,
    min_on_demand=or_none(SHARES),
    max_per_pool=or_none(SHARES),
    loss=or_none(
        st.builds(
            LossBound, share=SHARES, probability_ppm=st.integers(1, 999_999), window_s=st.integers(1, 9_999)
        )
    ),
)


@st.composite
def templates(draw: st.DrawFn) -> PodTemplate:
    own = tuple(sorted(draw(st.dictionaries(KEYS, VALUES, max_size=2)).items()))
    ports: list[HostPort] = []
    for port in draw(st.lists(PORTS, max_size=3)):
        if not any(port.clashes_with(other) for other in ports):
            ports.append(port)
    caps = [NodeCap(selector, draw(st.integers(1, 5))) for selector in draw(st.lists(SELECTORS, max_size=1))]
    volumes = draw(st.lists(VOLUMES, max_size=2, unique_by=lambda v: v.name or id(v)))
    return PodTemplate(
        requests=resources(cpu=1, gpu=1),
        labels=own,
        topology_spread=tuple(
            draw(
                st.lists(
                    SPREADS, max_size=2, unique_by=lambda c: (c.topology_key, c.when_unsatisfiable)
                ).filter(lambda found: all(agrees(c, own) for c in found))
            )
        ),
        pod_affinity=draw(AFFINITIES.filter(lambda a: all_agree(a, own))),
        pod_anti_affinity=draw(AFFINITIES.filter(lambda a: all_agree(a, own))),
        node_caps=tuple(caps),
        host_ports=tuple(ports),
        volumes=tuple(volumes),
        gpu_share=draw(
            or_none(st.builds(GpuShare, milli=st.integers(1, 1000), memory_bytes=st.integers(0, 2**40)))
        ),
        device_claims=tuple(draw(st.lists(CLAIMS, max_size=1))),
        priority=draw(st.integers(-5, 5)),
        priority_class=draw(st.sampled_from(["", "high"])),
        preempts=draw(st.booleans()),
        restart_cost_microusd=draw(st.integers(0, 10**6)),
        grace_s=draw(st.integers(0, 600)),
        do_not_disrupt=draw(st.booleans()),
    )


def agrees(constraint: TopologySpread | PodAffinityTerm, own: tuple[tuple[str, str], ...]) -> bool:
    """Whether the label keys of a constraint agree with its selector for a pod with these labels."""
    try:
        constraint.effective_selector(dict(own))
    except WrongFieldError:
        return False
    return True


def all_agree(affinity: PodAffinity, own: tuple[tuple[str, str], ...]) -> bool:
    terms = (*affinity.required, *(preferred.term for preferred in affinity.preferred))
    return all(agrees(term, own) for term in terms)


@st.composite
def constrained_problems(draw: st.DrawFn) -> Problem:
    """Two workloads, a gang, running pods, commitments and policies on one instance type."""
    small = dataclasses.replace(
        instance_type(
            "small",
            cpu=8,
            gpu=4,
            gpu_model="t4",
            offerings=[
                dataclasses.replace(
                    offering(0.1, capacity_type="spot"),
                    interruption_ppm_per_month=draw(or_none(st.integers(0, 10**6))),
                )
            ],
            price=0.3,
        ),
        # What a message says of a cloud and of labels that follow from the rest is spelt out when read.
        cloud="",
        attach_limits=draw(LIMITS),
    )
    strategy = draw(st.sampled_from(SharingStrategy))
    replicas = 4 if strategy in (SharingStrategy.MPS, SharingStrategy.TIME_SLICING) else 1
    pool = dataclasses.replace(
        node_pool("pool", limits={"cpu": 0}),
        gpu_sharing=GpuSharing(strategy, replicas, draw(st.booleans())),
        attach_limits=draw(LIMITS),
        node_class=draw(or_none(NODE_CLASSES)),
    )
    ruled = draw(templates())
    workloads = [
        dataclasses.replace(pod("a", replicas=3), template=ruled, gang="ring", spot=draw(SPOT_POLICIES)),
        pod("b", cpu=1),
    ]
    node = dataclasses.replace(
        existing_node("node-1", cpu=2, pods=draw(st.integers(0, 3)), capacity=resources(cpu=4, pods=10)),
        pods=(RunningPods(ruled, 2, "shop", names=("r-0", "r-1")),),
        attach_limits=draw(LIMITS),
    )
    rules = draw(
        st.lists(
            st.builds(GangTopology, topology_key=TOPOLOGY, is_required=st.booleans()),
            max_size=2,
            unique_by=lambda rule: rule.topology_key,
        )
    )
    return dataclasses.replace(
        problem(workloads, [small], [pool], existing=[node]),
        gangs=(Gang("ring", min_members=draw(or_none(st.integers(1, 3))), topology=tuple(rules)),),
        namespaces=(Namespace("shop", (("team", "a"),)),),
        reservations=(
            Reservation("any-zone", "small", "region-1", draw(st.integers(0, 5))),
            Reservation("ri", "small", "region-1", 2, "zone-a", CapacityType.ON_DEMAND),
        ),
        savings_plans=(
            SavingsPlan(
                "plan", draw(st.integers(0, 10**9)), draw(st.integers(0, 999_999)), (draw(requirements()),)
            ),
        ),
        policies=Policies(
            draw(st.sampled_from(PreferencePolicy)),
            draw(st.integers(0, 10**6)),
            draw(st.sampled_from(MinValuesPolicy)),
            draw(st.sampled_from(GpuNodePolicy)),
            draw(SPOT_POLICIES),
        ),
    )
