"""Everything that a problem states and could do without, by the name it has in the manifests."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace

from binwright_optimizer.explain_gangs import gang_name
from binwright_optimizer.explain_words import share_words, spot_words, terms_words, volume_words
from binwright_optimizer.instance.kept_away import KeptAway, kept_away, meant_by
from binwright_optimizer.instance.selections import Selections
from binwright_optimizer.model import (
    Gang,
    GpuNodePolicy,
    GpuSharing,
    MinValuesPolicy,
    NodePool,
    Operator,
    PodTemplate,
    Problem,
    Requirement,
    Resources,
    RunningPods,
    Share,
    SpotPolicy,
    Workload,
    labels,
)
from binwright_optimizer.model.mig import mig_profile
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.model.taints import untolerated


@dataclass(frozen=True, slots=True)
class Constraint:
    """One statement, and the problem without it.

    Parameters
    ----------
    without
        What is left to be placed if the statement is dropped.
    relaxed
        The problem without the statement and with all of its pods, where that is another one.
    """

    name: str
    without: Callable[[Problem], Problem]
    relaxed: Callable[[Problem], Problem] | None = None


def constraints_of(
    problem: Problem, asked: int = 0, unplaced: Container[tuple[str, str]] = ()
) -> list[Constraint]:
    """All of them: those of pods first, then gangs, NodePools, running pods and the rest.

    Parameters
    ----------
    asked
        The workload that it is about.
    unplaced
        Gangs, by namespace and name, whose number of members counts as a statement.
    """
    found: list[Constraint] = []
    for w, workload in enumerate(problem.workloads):
        whose = f" of {_name(workload)}" if len(problem.workloads) > 1 else ""
        found += [Constraint(f"{c.name}{whose}", c.without) for c in _of_workload(w, workload)]
    for gang in problem.gangs:
        if (gang.namespace, gang.name) in unplaced:
            found += _of_members(gang, problem, asked)
        found += _of_gang(gang)
    for pool in problem.node_pools:
        found += _of_pool(pool, problem)
    found += _of_running(problem)
    found += _of_rest(problem)
    return found


def _name(workload: Workload) -> str:
    return workload.name if workload.namespace == "default" else f"{workload.namespace}/{workload.name}"


def _of_workload(w: int, workload: Workload) -> Iterator[Constraint]:
    template = workload.template

    def dropping(change: Callable[[PodTemplate], PodTemplate]) -> Callable[[Problem], Problem]:
        def without(problem: Problem) -> Problem:
            workloads = list(problem.workloads)
            workloads[w] = replace(workloads[w], template=change(workloads[w].template))
            return replace(problem, workloads=tuple(workloads))

        return without

    def one(field: str, item: object) -> Callable[[Problem], Problem]:
        """Without one entry of a tuple; equal entries are one statement."""
        return dropping(
            lambda t: replace(t, **{field: tuple(i for i in getattr(t, field) if i != item)})  # type: ignore[arg-type]
        )

    def term(field: str, item: object) -> Callable[[Problem], Problem]:
        def change(t: PodTemplate) -> PodTemplate:
            affinity = getattr(t, field)
            kept = tuple(i for i in affinity.required if i != item)
            return replace(t, **{field: replace(affinity, required=kept)})

        return dropping(change)

    for name, amount in template.requests:
        yield Constraint(
            f"request {name} {format_quantity(amount, name)}",
            dropping(lambda t, name=name: replace(t, requests=_less(t.requests, name))),  # type: ignore[misc]
        )
    if template.gpu_share is not None:
        text = f"GPU share ({share_words(template.gpu_share)})"
        yield Constraint(text, dropping(lambda t: replace(t, gpu_share=None)))
    for claim in dict.fromkeys(template.device_claims):
        asked = " and ".join(
            " or ".join(f"{r.count or 'all'} of {r.device_class}" for r in alternatives)
            for alternatives in claim.requests
        )
        text = f"device claim {claim.label} ({claim.missing or asked})"
        yield Constraint(text, one("device_claims", claim))
    for requirement in dict.fromkeys(template.node_selector):
        yield Constraint(f"node selector {requirement}", one("node_selector", requirement))
    if template.node_affinity:
        text = terms_words(template.node_affinity)
        yield Constraint(f"node affinity {text}", dropping(lambda t: replace(t, node_affinity=())))
    for spread in template.topology_spread:
        if spread.is_required:
            least = f", minDomains {spread.min_domains}" if spread.min_domains > 1 else ""
            yield Constraint(
                f"topology spread over {spread.topology_key} (maxSkew {spread.max_skew}{least})",
                one("topology_spread", spread),
            )
    for field, text in (("pod_affinity", "pod affinity"), ("pod_anti_affinity", "pod anti-affinity")):
        for wanted in dict.fromkeys(getattr(template, field).required):
            yield Constraint(f"{text} by {wanted.topology_key} to {meant_by(wanted)}", term(field, wanted))
    for port in template.host_ports:
        yield Constraint(f"host port {port.port}/{port.protocol.value}", one("host_ports", port))
    for cap in template.node_caps:
        yield Constraint(f"at most {cap.max_pods} pods on a node of {cap.selector}", one("node_caps", cap))
    for volume in template.volumes:
        yield Constraint(volume_words(volume), one("volumes", volume))
    for field, text in spot_words(workload.spot):
        yield Constraint(
            f"spot policy ({text})",
            lambda problem, field=field: _without_spot_rule(problem, w, field),  # type: ignore[misc]
        )


def _without_spot_rule(problem: Problem, w: int, field: str) -> Problem:
    """A workload left without any rule gets one that asks for nothing, lest the problem's policy bind it."""
    workloads = list(problem.workloads)
    spot = replace(workloads[w].spot, **{field: None})
    if not spot and problem.policies.spot:
        spot = SpotPolicy(min_on_demand=Share())
    workloads[w] = replace(workloads[w], spot=spot)
    return replace(problem, workloads=tuple(workloads))


def _less(amounts: Resources, name: str) -> Resources:
    return Resources.of({other: amount for other, amount in amounts if other != name})


def _of_members(gang: Gang, problem: Problem, asked: int) -> Iterator[Constraint]:
    """How many members a gang needs; without that, one pod of a workload may be placed for itself."""
    same = gang.namespace, gang.name
    members = [
        w for w, workload in enumerate(problem.workloads) if (workload.namespace, workload.gang) == same
    ]
    if any(problem.workloads[w].template.pod_affinity.required for w in members):
        return  # a pod for itself might lack those that it must be near
    total = sum(problem.workloads[w].replicas for w in members)

    def relaxed(given: Problem) -> Problem:
        gangs = (replace(g, min_members=1) if (g.namespace, g.name) == same else g for g in given.gangs)
        return replace(given, gangs=tuple(gangs))

    def without(given: Problem) -> Problem:
        workloads = list(given.workloads)
        for w in members:
            workloads[w] = replace(workloads[w], replicas=int(w == asked), names=())
        return replace(relaxed(given), workloads=tuple(workloads))

    if gang.min_members is None and total > 1:
        name = f"all or none of the {total} members of gang {gang_name(gang)}"
        yield Constraint(name, without, relaxed)
    elif gang.min_members is not None and gang.min_members > 1:
        name = f"minimum of {gang.min_members} members of gang {gang_name(gang)}"
        yield Constraint(name, without, relaxed)


def _of_gang(gang: Gang) -> Iterator[Constraint]:
    def changed(change: Callable[[Gang], Gang]) -> Callable[[Problem], Problem]:
        def without(problem: Problem) -> Problem:
            same = gang.namespace, gang.name
            gangs = (change(g) if (g.namespace, g.name) == same else g for g in problem.gangs)
            return replace(problem, gangs=tuple(gangs))

        return without

    for rule in gang.topology:
        if rule.is_required:
            yield Constraint(
                f"gang {gang_name(gang)} within one {rule.topology_key}",
                changed(lambda g, r=rule: replace(g, topology=tuple(o for o in g.topology if o != r))),  # type: ignore[misc]
            )


def _of_pool(pool: NodePool, problem: Problem) -> Iterator[Constraint]:
    def changed(change: Callable[[NodePool], NodePool]) -> Callable[[Problem], Problem]:
        def without(given: Problem) -> Problem:
            pools = (change(p) if p.name == pool.name else p for p in given.node_pools)
            return replace(given, node_pools=tuple(pools))

        return without

    for taint in pool.taints:
        if any(untolerated((taint,), workload.template.tolerations) for workload in problem.workloads):
            yield Constraint(
                f"taint {taint} of NodePool {pool.name}",
                changed(lambda p, t=taint: replace(p, taints=tuple(o for o in p.taints if o != t))),  # type: ignore[misc]
            )
    defined = {key for kind in problem.catalog.instance_types for key, _ in kind.labels}
    defined |= {labels.ZONE, labels.REGION, labels.CAPACITY_TYPE}
    is_strict = problem.policies.min_values is MinValuesPolicy.STRICT
    for requirement in pool.requirements:
        if is_strict and requirement.min_values:
            text = f"minValues {requirement.min_values} of requirement {requirement.key}"
            yield Constraint(
                f"{text} of NodePool {pool.name}",
                changed(lambda p, r=requirement: _without_min_values(p, r)),  # type: ignore[misc]
            )
        if requirement.key in defined:  # others give the nodes a label
            yield Constraint(
                f"requirement {requirement} of NodePool {pool.name}",
                changed(lambda p, r=requirement: _without_requirement(p, r)),  # type: ignore[misc]
            )
    for text, without in _of_sharing(pool.gpu_sharing, problem):
        yield Constraint(
            f"{text} of NodePool {pool.name}",
            changed(lambda p, w=without: replace(p, gpu_sharing=w(p.gpu_sharing))),  # type: ignore[misc]
        )
    for name, amount in pool.limits:
        yield Constraint(
            f"limit {name} {format_quantity(amount, name)} of NodePool {pool.name}",
            changed(lambda p, n=name: replace(p, limits=tuple(o for o in p.limits if o[0] != n))),  # type: ignore[misc]
        )
    if pool.max_nodes is not None:
        yield Constraint(
            f"limit nodes {pool.max_nodes} of NodePool {pool.name}",
            changed(lambda p: replace(p, max_nodes=None)),
        )
    if pool.attach_limits:
        text = ", ".join(f"{limit.driver} {limit.count}" for limit in pool.attach_limits)
        yield Constraint(
            f"attach limits ({text}) of NodePool {pool.name}", changed(lambda p: replace(p, attach_limits=()))
        )


def _is_same(one: Requirement, other: Requirement) -> bool:
    """Whether two requirements name the same values, whatever ``minValues`` they have."""
    return (one.key, one.operator, one.values) == (other.key, other.operator, other.values)


def _without_min_values(pool: NodePool, requirement: Requirement) -> NodePool:
    """Without the number of values that a launch must be left to choose from."""
    kept = (replace(r, min_values=None) if r == requirement else r for r in pool.requirements)
    return replace(pool, requirements=tuple(kept))


def _without_requirement(pool: NodePool, requirement: Requirement) -> NodePool:
    """Without the values; ``minValues`` is a statement of its own, and stays with any value."""
    kept = []
    for other in pool.requirements:
        if not _is_same(other, requirement):
            kept.append(other)
        elif other.min_values is not None:
            kept.append(replace(other, operator=Operator.EXISTS, values=()))
    return replace(pool, requirements=tuple(kept))


def _of_sharing(
    sharing: GpuSharing, problem: Problem
) -> Iterator[tuple[str, Callable[[GpuSharing], GpuSharing]]]:
    """Settings of GPUs that keep them from being cut for pods of the problem, and GPUs without them.

    Replicas are among them only if no pod requests ``nvidia.com/gpu``: of those there are fewer without.
    """
    requested = {name for workload in problem.workloads for name, _ in workload.template.requests}
    if not any(mig_profile(name) is not None for name in requested):
        return
    if not sharing.mig:
        yield "mig false", lambda s: replace(s, mig=True)
    if sharing.is_replicated and NVIDIA_GPU not in requested:
        name = f"GPU sharing ({sharing.strategy}, replicas {sharing.replicas})"
        yield name, lambda s: GpuSharing(mig=s.mig)


def _of_running(problem: Problem) -> Iterator[Constraint]:
    """Anti-affinity of running pods that keeps pods of the problem away."""
    if not any(node.pods for node in problem.existing_nodes):
        return
    for entry in kept_away(problem, Selections(problem)):
        yield Constraint(
            f"anti-affinity by {entry.term.topology_key} to {meant_by(entry.term)} of {entry.who(problem)}",
            lambda given, e=entry: _with_running(given, e),  # type: ignore[misc]
        )


def _with_running(problem: Problem, entry: KeptAway) -> Problem:
    """Without the term, on all running pods that state it."""

    def without(pods: RunningPods) -> RunningPods:
        affinity = pods.template.pod_anti_affinity
        if pods.namespace != entry.namespace or entry.term not in affinity.required:
            return pods
        kept = tuple(term for term in affinity.required if term != entry.term)
        template = replace(pods.template, pod_anti_affinity=replace(affinity, required=kept))
        return replace(pods, template=template)

    nodes = (replace(node, pods=tuple(map(without, node.pods))) for node in problem.existing_nodes)
    return replace(problem, existing_nodes=tuple(nodes))


def _of_rest(problem: Problem) -> Iterator[Constraint]:
    if problem.daemon_sets:
        yield Constraint("what DaemonSets take of nodes", lambda p: replace(p, daemon_sets=()))
    if problem.policies.gpu_nodes is GpuNodePolicy.NEVER:
        yield Constraint("policy that keeps other pods off GPU nodes", _with_gpu_nodes)
    for field, text in spot_words(problem.policies.spot):
        yield Constraint(
            f"spot policy of the problem ({text})",
            lambda p, field=field: replace(  # type: ignore[misc]
                p, policies=replace(p.policies, spot=replace(p.policies.spot, **{field: None}))
            ),
        )
    kinds = problem.catalog.instance_types
    if any(offering.available is not None for kind in kinds for offering in kind.offerings):
        yield Constraint("availability of offerings", _with_plenty)


def _with_gpu_nodes(problem: Problem) -> Problem:
    return replace(problem, policies=replace(problem.policies, gpu_nodes=GpuNodePolicy.IF_CHEAPER))


def _with_plenty(problem: Problem) -> Problem:
    kinds = tuple(
        replace(kind, offerings=tuple(replace(o, available=None) for o in kind.offerings))
        for kind in problem.catalog.instance_types
    )
    return replace(problem, catalog=replace(problem.catalog, instance_types=kinds))
