"""Hypothesis strategies: rules of pods, and pods that state some of them."""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import (
    DeviceClaim,
    DeviceRequest,
    DeviceSelector,
    HostPort,
    LabelSelector,
    LossBound,
    NodeCap,
    NodeInclusionPolicy,
    Operator,
    PodAffinity,
    PodAffinityTerm,
    PodTemplate,
    PreferredTerm,
    Requirement,
    Resources,
    Share,
    SpotPolicy,
    TopologySpread,
    Volume,
    labels,
)
from builders import (
    requires,
    resources,
    tolerates,
)
from claims_by_hand import MEANING
from held_strategies import GPU_PARTS
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
        missing=draw(st.sampled_from(["", "", "", "", "", "its class"])),
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
