"""Small builders for tests: each call shows only what matters to the case.

Amounts are cores, GiB and counts; prices are dollars per hour. A worked example::

    from builders import instance_type, pod, problem

    question = problem(
        [pod("web", cpu=2, replicas=3)],
        [instance_type("small", cpu=4, price=0.10), instance_type("large", cpu=8, price=0.18)],
    )

Two of three such pods fit a ``small``, so the cheapest answer is one ``large`` (0.18).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    DaemonSet,
    ExistingNode,
    InstanceType,
    NodePool,
    NodeSelectorTerm,
    Offering,
    Operator,
    PodTemplate,
    PriceSource,
    Problem,
    Requirement,
    Resources,
    Taint,
    TaintEffect,
    Toleration,
    Workload,
    labels,
)

GIB = 2**30
MICROUSD = 1_000_000
REGION = "region-1"
ZONE = "zone-a"
SOURCE = PriceSource(name="test", date="2026-01-01")


def microusd(dollars: float) -> int:
    """Whole micro-dollars."""
    return round(dollars * MICROUSD)


def resources(cpu: float = 0, memory_gib: float = 0, gpu: int = 0, pods: int = 0, **others: int) -> Resources:
    """Amounts in cores, GiB and counts; other resource names are taken as they are."""
    return Resources.of(
        {
            "cpu": round(cpu * 1000),
            "memory": round(memory_gib * GIB),
            "nvidia.com/gpu": gpu,
            "pods": pods,
            **others,
        }
    )


def requires(key: str, operator: str, *values: str) -> Requirement:
    """A requirement, such as ``requires("team", "In", "a", "b")``."""
    return Requirement(key, Operator(operator), values)


def taint(text: str) -> Taint:
    """A taint as kubectl writes it: ``key=value:NoSchedule`` or ``key:NoExecute``."""
    mark, _, effect = text.partition(":")
    key, _, value = mark.partition("=")
    return Taint(key, value, TaintEffect(effect or "NoSchedule"))


def tolerates(text: str) -> Toleration:
    """The toleration of exactly the taint that `taint` makes of the same text."""
    wanted = taint(text)
    return Toleration(key=wanted.key, value=wanted.value, effect=wanted.effect)


def template(
    cpu: float = 0,
    memory_gib: float = 0,
    gpu: int = 0,
    *,
    selector: Mapping[str, str] | None = None,
    needs: Sequence[Requirement] = (),
    affinity: Sequence[NodeSelectorTerm] = (),
    tolerations: Sequence[str | Toleration] = (),
    priority: int = 0,
    **others: int,
) -> PodTemplate:
    """A pod template; ``selector`` pairs and ``needs`` must all hold, of ``affinity`` one term."""
    chosen = tuple(requires(key, "In", value) for key, value in (selector or {}).items())
    return PodTemplate(
        requests=resources(cpu, memory_gib, gpu, **others),
        node_selector=chosen + tuple(needs),
        node_affinity=tuple(affinity),
        tolerations=tuple(tolerates(t) if isinstance(t, str) else t for t in tolerations),
        priority=priority,
    )


def pod(
    name: str = "pod",
    cpu: float = 0,
    memory_gib: float = 0,
    gpu: int = 0,
    *,
    replicas: int = 1,
    namespace: str = "default",
    selector: Mapping[str, str] | None = None,
    needs: Sequence[Requirement] = (),
    affinity: Sequence[NodeSelectorTerm] = (),
    tolerations: Sequence[str | Toleration] = (),
    priority: int = 0,
    **others: int,
) -> Workload:
    """A workload of ``replicas`` equal pods."""
    return Workload(
        name=name,
        template=template(
            cpu,
            memory_gib,
            gpu,
            selector=selector,
            needs=needs,
            affinity=affinity,
            tolerations=tolerations,
            priority=priority,
            **others,
        ),
        replicas=replicas,
        namespace=namespace,
    )


def offering(
    price: float,
    *,
    zone: str = ZONE,
    capacity_type: str = "on-demand",
    region: str = REGION,
    available: int | None = None,
) -> Offering:
    """An offering at ``price`` dollars per hour."""
    return Offering(region, zone, CapacityType(capacity_type), microusd(price), SOURCE, available)


def instance_type(
    name: str = "node",
    cpu: float = 0,
    memory_gib: float = 0,
    gpu: int = 0,
    *,
    price: float | None = None,
    offerings: Sequence[Offering] = (),
    pods: int = 0,
    arch: str = "amd64",
    gpu_model: str = "",
    extra_labels: Mapping[str, str] | None = None,
    capacity: Resources | None = None,
    available: int | None = None,
    **others: int,
) -> InstanceType:
    """An instance type, sold at ``price`` in one zone on demand unless ``offerings`` are given.

    ``pods`` 0 leaves the pod slots unlimited. ``capacity`` is the allocatable unless given.
    """
    allocatable = resources(cpu, memory_gib, gpu, pods, **others)
    known = {
        labels.INSTANCE_TYPE: name,
        labels.ARCH: arch,
        labels.OS: "linux",
        **({labels.GPU_MODEL: gpu_model} if gpu_model else {}),
        **(extra_labels or {}),
    }
    sold = tuple(offerings)
    if price is not None:
        sold = (offering(price, available=available), *sold)
    return InstanceType(
        name=name,
        cloud="test",
        arch=arch,
        capacity=allocatable if capacity is None else capacity,
        allocatable=allocatable,
        labels=tuple(sorted(known.items())),
        offerings=sold,
        gpu_model=gpu_model,
        gpu_count=gpu,
    )


def catalog(*instance_types: InstanceType) -> Catalog:
    """A catalogue of these types."""
    return Catalog(name="test", instance_types=instance_types)


def node_pool(
    name: str = "default",
    *requirements: Requirement,
    node_labels: Mapping[str, str] | None = None,
    taints: Sequence[str] = (),
    startup_taints: Sequence[str] = (),
    limits: Mapping[str, int] | None = None,
    min_nodes: int = 0,
    max_nodes: int | None = None,
    weight: int = 0,
    overhead: Resources = Resources(),
) -> NodePool:
    """A NodePool; ``limits`` are raw amounts (milli-CPU, bytes, counts)."""
    return NodePool(
        name=name,
        requirements=tuple(requirements),
        labels=tuple(sorted((node_labels or {}).items())),
        taints=tuple(map(taint, taints)),
        startup_taints=tuple(map(taint, startup_taints)),
        weight=weight,
        limits=tuple(sorted((limits or {}).items())),
        min_nodes=min_nodes,
        max_nodes=max_nodes,
        overhead=overhead,
    )


def existing_node(
    name: str = "existing",
    cpu: float = 0,
    memory_gib: float = 0,
    gpu: int = 0,
    *,
    pods: int = 0,
    node_labels: Mapping[str, str] | None = None,
    taints: Sequence[str] = (),
    capacity: Resources | None = None,
    pool: str = "",
    **others: int,
) -> ExistingNode:
    """A running node with this much room; its capacity equals the room unless given."""
    free = resources(cpu, memory_gib, gpu, pods, **others)
    return ExistingNode(
        name=name,
        free=free,
        labels=tuple(sorted((node_labels or {}).items())),
        taints=tuple(map(taint, taints)),
        capacity=free if capacity is None else capacity,
        node_pool=pool,
    )


def daemon_set(
    name: str = "daemon",
    cpu: float = 0,
    memory_gib: float = 0,
    *,
    selector: Mapping[str, str] | None = None,
    needs: Sequence[Requirement] = (),
    tolerations: Sequence[str | Toleration] = (),
) -> DaemonSet:
    """A daemon with these requests."""
    return DaemonSet(name, template(cpu, memory_gib, selector=selector, needs=needs, tolerations=tolerations))


def problem(
    workloads: Iterable[Workload],
    instance_types: Iterable[InstanceType] = (),
    pools: Iterable[NodePool] | None = None,
    *,
    existing: Iterable[ExistingNode] = (),
    daemons: Iterable[DaemonSet] = (),
) -> Problem:
    """A problem; without ``pools``, one NodePool ``default`` without requirements."""
    return Problem(
        workloads=tuple(workloads),
        node_pools=(node_pool(),) if pools is None else tuple(pools),
        catalog=catalog(*instance_types),
        existing_nodes=tuple(existing),
        daemon_sets=tuple(daemons),
    )


def lumpy() -> Problem:
    """Twelve classes and ten types that do not divide evenly: no search of a second ends with a proof."""
    pods = [
        pod(f"w{k}", cpu=1 + (7 * k % 12) / 5, memory_gib=1 + (5 * k % 12) / 3, replicas=3 + k)
        for k in range(12)
    ]
    kinds = [
        instance_type(f"t{k}", cpu=7 + 3.3 * k, memory_gib=9 + 5.7 * k, price=1.000001 + 0.9 * k)
        for k in range(10)
    ]
    return problem(pods, kinds)
