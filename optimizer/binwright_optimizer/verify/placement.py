"""Checks of where the pods go: each rule of a problem is one function and one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from binwright_optimizer.model import CapacityType, Decision, Problem, Resources, labels
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify.accelerators import check_accelerators
from binwright_optimizer.verify.claims import Alike, Claims, Pods
from binwright_optimizer.verify.constraints import check_constraints
from binwright_optimizer.verify.gpu_devices import device_findings, room_of_node
from binwright_optimizer.verify.held import commitment_findings, offering_on_commitments
from binwright_optimizer.verify.nodes import lacking
from binwright_optimizer.verify.penalties import check_penalties
from binwright_optimizer.verify.purchase import NODES, pool_terms
from binwright_optimizer.verify.ranges import (
    RangeColumns,
    all_ranges,
    is_partition,
    wrong_coverage,
    wrong_ranges,
)
from binwright_optimizer.verify.shapes import ShapeIndex, pod_refusal

CLAIMS_A_POLL = 200
"""NodeClaims that are looked at between two polls: some milliseconds if all of them are different."""


BEYOND_64_BITS = "ranges of pods cannot be told in 64 bits"


def check_placement(
    problem: Problem,
    decision: Decision,
    waived: frozenset[Rule] = WAIVED,
    poll: Callable[[], object] = lambda: None,
) -> tuple[str, ...]:
    """Violations of the problem's rules by the decision's nodes and pods; empty if there are none.

    Rules that are ``waived`` are not looked at: by default those that decisions say they do not hold.
    ``poll`` is called now and then, and ends the check if it raises.
    """
    findings: list[str] = []
    ranges = all_ranges(decision)
    columns = RangeColumns.of(ranges)
    if columns is None or not is_partition(problem, columns):
        findings += wrong_ranges(problem, ranges)
        if columns is None or findings:
            return (*findings,) or (BEYOND_64_BITS,)  # the other checks need ranges that exist
        findings += wrong_coverage(problem, ranges)
    index = ShapeIndex(problem)
    pods = Pods(problem)
    findings += _names(decision)
    claims = Claims(problem, index, pods)
    contents = pods.contents(columns, [len(claim.pods) for claim in decision.node_claims])
    for number, (claim, content) in enumerate(zip(decision.node_claims, contents, strict=True)):
        if number % CLAIMS_A_POLL == 0:
            poll()
        findings += claims.findings(claim, content)
    poll()
    alike = claims.alike()
    findings += _existing_nodes(problem, pods, decision)
    findings += _supply(problem, index, alike)
    findings += commitment_findings(problem, decision)
    findings += _limits(problem, index, alike)
    findings += _minimums(problem, alike)
    findings += check_constraints(problem, decision, waived, poll)
    findings += check_penalties(problem, decision)
    findings += check_accelerators(problem, decision, alike)
    return tuple(findings)


def _names(decision: Decision) -> Iterator[str]:
    for name, count in _repeated(claim.name for claim in decision.node_claims):
        yield f"node claim name {name} is used {count} times"
    for name, count in _repeated(placement.node for placement in decision.existing_placements):
        yield f"existing node {name} is listed {count} times"


def _repeated(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Names that come more than once, with how often."""
    everything = list(names)
    if len(set(everything)) < len(everything):
        yield from ((name, count) for name, count in Counter(everything).items() if count > 1)


def _existing_nodes(problem: Problem, pods: Pods, decision: Decision) -> Iterator[str]:
    nodes = {node.name: node for node in problem.existing_nodes}
    for placement in decision.existing_placements:
        prefix = f"existing node {placement.node}: "
        node = nodes.get(placement.node)
        if node is None:
            yield prefix + "does not exist"
            continue
        carried = {labels.HOSTNAME: node.name, **dict(node.labels)}
        for p, workload in pods.placements(placement.pods).items():
            reason = pod_refusal(pods.templates[p], carried, node.taints, is_new=False)
            if reason:
                yield f"{prefix}{problem.workloads[workload].name} may not run there: {reason}"
        requests = pods.requests(placement.pods)
        room = room_of_node(problem, node)
        for finding in device_findings(problem, placement.pods, placement.devices, room):
            yield prefix + finding
        if placement.devices:  # these are compared device by device
            requests = Resources.of({n: a for n, a in requests if n != room.resource})
        for name in lacking(requests, node.free, node.capacity):
            yield f"{prefix}pods request {requests[name]} of {name}, {node.free[name]} are free"


def _supply(problem: Problem, index: ShapeIndex, alike: list[Alike]) -> Iterator[str]:
    bought: Counter[tuple[str, str, str, CapacityType, int]] = Counter()
    reserved = {held.name for held in problem.reservations}
    for claim, count in alike:
        kind = index.types.get(claim.instance_type)
        sold = index.offerings(kind, claim.region, claim.zone, claim.capacity_type) if kind else []
        price = claim.price_microusd_per_hour
        if claim.covers:  # a discount does not make more nodes available; what is kept for us is there
            if claim.capacity_type is CapacityType.RESERVED:
                continue
            offering = offering_on_commitments(problem, claim, sold)
            if not isinstance(offering, str):
                of_reservation = claim.covers[0].commitment in reserved
                price = (sold[0] if of_reservation else offering).price_microusd_per_hour
        bought[claim.instance_type, claim.region, claim.zone, claim.capacity_type, price] += count
    for (name, region, zone, capacity_type, price), count in bought.items():
        kind = index.types.get(name)
        for o in index.offerings(kind, region, zone, capacity_type) if kind else ():
            is_same = o.price_microusd_per_hour == price
            if is_same and o.available is not None and count > o.available:
                where = f"{region}/{zone}/{capacity_type.value}"
                yield f"{count} nodes of {name} in {where} are bought, {o.available} are available"


def _limits(problem: Problem, index: ShapeIndex, alike: list[Alike]) -> Iterator[str]:
    for terms in pool_terms(problem):
        mine = [(claim, count) for claim, count in alike if claim.node_pool == terms.name]
        for name, room in terms.room.items():
            if name == NODES:
                used = sum(count for _, count in mine)
            else:
                kinds = ((index.types.get(claim.instance_type), count) for claim, count in mine)
                pool = index.pools[terms.name]
                used = sum(pool.capacity_of(kind)[name] * count for kind, count in kinds if kind)
            if used > room:
                yield f"NodePool {terms.name}: {used} of {name} are bought, its limit leaves {room}"


def _minimums(problem: Problem, alike: list[Alike]) -> Iterator[str]:
    bought: Counter[str] = Counter()
    for claim, count in alike:
        bought[claim.node_pool] += count
    for terms in pool_terms(problem):
        if bought[terms.name] < terms.missing:
            yield (
                f"NodePool {terms.name}: {bought[terms.name]} nodes are bought, "
                f"its minimum needs {terms.missing} more than exist"
            )
