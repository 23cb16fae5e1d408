"""Checks of NodeClaims: what each buys, what it says of its node, and whether that holds its pods.

A decision may have as many NodeClaims as pods, but few kinds of them: those that state the same about the
same kinds of pods are looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from binwright_optimizer.model import NodeClaim, PodRange, Problem, Resources, labels
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.gpu_devices import (
    DeviceContent,
    any_asks_for_mig,
    counted_requests,
    device_findings,
)
from binwright_optimizer.verify.held import offering_on_commitments
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.nodes import limits_slots
from binwright_optimizer.verify.offerings import offering_columns
from binwright_optimizer.verify.purchase import is_custom_key
from binwright_optimizer.verify.ranges import RangeColumns
from binwright_optimizer.verify.shapes import NodeShape, ShapeIndex

Alike = tuple[NodeClaim, int]
"""A NodeClaim, and how many state the same but for names, labels and pods."""


class Pods:
    """Requests and placements of workloads."""

    def __init__(self, problem: Problem) -> None:
        self._workloads = problem.workloads
        classes = market(problem).classes
        self.templates = classes.placements
        self._placement_of = classes.placement_of[classes.class_of].tolist()
        self._class_of = classes.class_of

    def contents(self, ranges: RangeColumns, lengths: Sequence[int]) -> Iterator[bytes]:
        """How many pods of which class each of the first ranges has; so many of them are on each node.

        Pods of a class request and admit the same: equal contents are alike to a node.
        """
        n_ranges = sum(lengths)
        node = np.repeat(np.arange(len(lengths)), lengths)
        classes = self._class_of[ranges.workload[:n_ranges]]
        is_new = np.ones(n_ranges, dtype=bool)  # ranges of a class that follow each other count as one
        is_new[1:] = (node[1:] != node[:-1]) | (classes[1:] != classes[:-1])
        begins = np.flatnonzero(is_new)
        counts = np.add.reduceat(ranges.count[:n_ranges], begins) if n_ranges else ranges.count[:0]
        table = np.stack([classes[begins], counts], axis=1).astype(np.int64)
        data, width, begin = table.tobytes(), table.strides[0], 0
        for length in np.bincount(node[begins], minlength=len(lengths)).tolist():
            end = begin + width * length
            yield data[begin:end]
            begin = end

    def requests(self, ranges: Iterable[PodRange]) -> Resources:
        """Requests of these pods, their slots included."""
        total: dict[str, int] = {PODS: 0}
        for pods in ranges:
            total[PODS] += pods.count
            for name, amount in self._workloads[pods.workload].template.requests.amounts:
                total[name] = total.get(name, 0) + amount * pods.count
        return Resources(tuple(sorted((name, amount) for name, amount in total.items() if amount)))

    def placements(self, ranges: Iterable[PodRange]) -> dict[int, int]:
        """Distinct placements of these pods, each with the first workload that has it."""
        first: dict[int, int] = {}
        for pods in ranges:
            first.setdefault(self._placement_of[pods.workload], pods.workload)
        return first


@dataclass(slots=True)
class _Bought:
    """What some claims buy and say of it, all of them by the very same objects.

    Parameters
    ----------
    claim
        The first of them.
    shape
        What it buys, or why there is no such thing.
    findings
        What is wrong with it whatever its pods are.
    lists
        By the identity of a list of alternatives: the nodes they would be, or why there are none, and what
        is wrong with the list itself.
    """

    claim: NodeClaim
    shape: NodeShape | str
    findings: tuple[str, ...]
    lists: dict[int, tuple[list[tuple[str, NodeShape | str]], tuple[str, ...]]] = field(default_factory=dict)

    def is_of(self, claim: NodeClaim) -> bool:
        """Whether another claim states the same of what it buys."""
        own = self.claim
        return (
            claim.labels is own.labels
            and claim.allocatable is own.allocatable
            and claim.daemon_overhead is own.daemon_overhead
            and claim.node_pool is own.node_pool
            and claim.instance_type is own.instance_type
            and claim.region is own.region
            and claim.zone is own.zone
            and claim.capacity_type is own.capacity_type
            and claim.price_microusd_per_hour == own.price_microusd_per_hour
            and claim.covers is own.covers
        )


@dataclass(slots=True)
class _Known:
    """The first claim of those that share their findings, and how many there are."""

    claim: NodeClaim
    findings: tuple[str, ...]
    count: int = 0


class Claims:
    """Findings of NodeClaims; claims that state the same about the same classes of pods share them.

    Sharing goes by the identity of what a claim states at length, which is alive as long as the decision
    is.
    """

    def __init__(self, problem: Problem, index: ShapeIndex, pods: Pods) -> None:
        self._problem = problem
        self._index = index
        self._pods = pods
        self._bought: dict[tuple[object, ...], _Bought] = {}
        self._last: _Bought | None = None
        self._known: dict[tuple[object, ...], _Known] = {}
        templates = templates_of(problem)
        self._has_parts = any(t.gpu_share is not None or t.device_claims for t in templates)
        self._has_parts |= any_asks_for_mig(templates)

    def findings(self, claim: NodeClaim, classes: bytes) -> Iterable[str]:
        """What is wrong with one claim, with pods of these classes (`Pods.contents`)."""
        bought = self._last
        if bought is None or not bought.is_of(claim):
            bought = self._last = self._bought_by(claim)
        wrong: list[str] = []
        content, counted = None, None
        if claim.devices or self._has_parts:
            shape = bought.shape
            if not isinstance(shape, str):
                room = shape.devices
                wrong += device_findings(self._problem, claim.pods, claim.devices, room)
                counted = counted_requests(self._pods.requests(claim.pods), claim.devices, room)
                workloads = self._problem.workloads
                content = DeviceContent.of(workloads, claim.pods, claim.devices, room)
        key = (classes, id(bought), id(claim.requests), id(claim.alternatives), content, counted)
        known = self._known.get(key)
        if known is None:
            requests = self._pods.requests(claim.pods) if counted is None else counted
            found = self._check(claim, bought, requests, content)
            known = self._known[key] = _Known(claim, (*bought.findings, *found))
        known.count += 1
        if not wrong and not known.findings:
            return ()
        return [f"node claim {claim.name}: {finding}" for finding in (*wrong, *known.findings)]

    def alike(self) -> list[Alike]:
        """The claims looked at, those that share their findings counted."""
        return [(known.claim, known.count) for known in self._known.values()]

    def _bought_by(self, claim: NodeClaim) -> _Bought:
        key = (
            claim.node_pool,
            claim.instance_type,
            claim.region,
            claim.zone,
            id(claim.capacity_type),
            claim.price_microusd_per_hour,
            claim.covers,
            id(claim.labels),
            id(claim.allocatable),
            id(claim.daemon_overhead),
        )
        bought = self._bought.get(key)
        if bought is None:
            shape = _shape(self._problem, self._index, claim)
            findings = (shape,) if isinstance(shape, str) else tuple(_stated(shape, claim))
            bought = self._bought[key] = _Bought(claim, shape, findings)
        return bought

    def _check(
        self, claim: NodeClaim, bought: _Bought, requests: Resources, content: DeviceContent | None
    ) -> Iterator[str]:
        """What is wrong with its pods, and with its alternatives."""
        shape = bought.shape
        if isinstance(shape, str):
            return
        yield from _amounts(shape, "requests", claim.requests, requests)
        for name in shape.lacking(requests):
            used = (requests + shape.overhead)[name]
            yield f"pods and daemons request {used} of {name}, {shape.allocatable[name]} are allocatable"
        placements = self._pods.placements(claim.pods)
        for placement, workload in placements.items():
            reason = shape.refusal(placement, self._pods.templates[placement])
            if reason:
                yield f"{self._problem.workloads[workload].name} may not run there: {reason}"
        known = bought.lists.get(id(claim.alternatives))
        if known is None:
            wrong = tuple(_wrong_list(claim))
            known = bought.lists[id(claim.alternatives)] = (_others(self._index, shape, claim), wrong)
        others, wrong = known
        yield from wrong
        yield from _alternatives(others, shape, self._pods, requests, placements, content)


def _shape(problem: Problem, index: ShapeIndex, claim: NodeClaim) -> NodeShape | str:
    """What the claim buys, or why there is no such thing."""
    pool = index.pools.get(claim.node_pool)
    if pool is None:
        return f"NodePool {claim.node_pool} does not exist"
    kind = index.types.get(claim.instance_type)
    if kind is None:
        return f"instance type {claim.instance_type} does not exist"
    where = f"{claim.region}/{claim.zone}/{claim.capacity_type.value}"
    sold = index.offerings(kind, claim.region, claim.zone, claim.capacity_type)
    if claim.covers:
        bought = offering_on_commitments(problem, claim, sold)
        if isinstance(bought, str):
            return f"{kind.name} in {where}: {bought}"
    elif not sold:
        return f"{kind.name} is not offered in {where}"
    else:
        at_price = [o for o in sold if o.price_microusd_per_hour == claim.price_microusd_per_hour]
        if not at_price:
            prices = ", ".join(str(o.price_microusd_per_hour) for o in sold)
            return f"{kind.name} in {where} costs {prices}, not {claim.price_microusd_per_hour}"
        bought = at_price[0]
    defined = offering_columns(problem.catalog).defined_keys
    asked = {r.key for r in pool.requirements}
    custom = tuple(
        (key, value) for key, value in claim.labels if key in asked and is_custom_key(key, pool, defined)
    )
    return index.shape(pool, kind, bought, custom)


def _stated(shape: NodeShape, claim: NodeClaim) -> Iterator[str]:
    """What is wrong with what a claim says of its node."""
    refusal = shape.pool_refusal()
    if refusal:
        yield refusal
    yield from _labels(shape, claim)
    yield from _amounts(shape, "allocatable", claim.allocatable, shape.allocatable)
    yield from _amounts(shape, "daemon overhead", claim.daemon_overhead, shape.overhead)


def _labels(shape: NodeShape, claim: NodeClaim) -> Iterator[str]:
    claimed = dict(claim.labels)
    if tuple(sorted(claimed.items())) != claim.labels:
        yield "labels are not sorted and distinct"
    for key in sorted(claimed.keys() | shape.labels.keys()):
        expected, found = shape.labels.get(key), claimed.get(key)
        if expected != found:
            yield f"label {key} is {found}, should be {expected}"


def _amounts(shape: NodeShape, what: str, claimed: Resources, expected: Resources) -> Iterator[str]:
    if claimed == expected:
        return
    has_slots = limits_slots(shape.allocatable, shape.pool.capacity_of(shape.kind))
    if _comparable(claimed, has_slots) != _comparable(expected, has_slots):
        yield f"{what} are stated as {dict(claimed)}, should be {dict(expected)}"


def _comparable(amounts: Resources, has_slots: bool) -> Resources:
    """Amounts without pod slots where the node does not limit them."""
    return amounts if has_slots else Resources(tuple((n, a) for n, a in amounts if n != PODS))


def _wrong_list(claim: NodeClaim) -> Iterator[str]:
    """What is wrong with a list of alternatives whatever the pods are."""
    if not claim.alternatives:
        return
    first = claim.alternatives[0]
    if (first.instance_type, first.price_microusd_per_hour) != (
        claim.instance_type,
        claim.price_microusd_per_hour,
    ):
        yield f"the first alternative is {first.instance_type}, not the chosen {claim.instance_type}"
    prices = [alternative.price_microusd_per_hour for alternative in claim.alternatives]
    if prices != sorted(prices):
        yield "alternatives are not sorted by price"
    if len({alternative.instance_type for alternative in claim.alternatives}) < len(claim.alternatives):
        yield "alternatives repeat an instance type"
    if claim.covers and len(claim.alternatives) > 1:
        yield "there are no alternatives to what a commitment pays for"


def _others(index: ShapeIndex, shape: NodeShape, claim: NodeClaim) -> list[tuple[str, NodeShape | str]]:
    """The nodes that alternatives would be, or why there are none; what a commitment pays for has none."""
    if claim.covers or not claim.alternatives:
        return []
    given = _given_keys(shape)
    place = index.place(
        shape.pool, claim.region, claim.zone, claim.capacity_type,
        tuple((key, value) for key, value in claim.labels if key not in given),
    )  # fmt: skip
    return [
        (other.instance_type, place.shape(other.instance_type, other.price_microusd_per_hour))
        for other in claim.alternatives
    ]


def _alternatives(
    others: list[tuple[str, NodeShape | str]],
    shape: NodeShape,
    pods: Pods,
    requests: Resources,
    placements: dict[int, int],
    content: DeviceContent | None,
) -> Iterator[str]:
    for name, other in others:
        if isinstance(other, str):
            yield f"alternative {name} {other}"
            continue
        reason = other.pool_refusal()
        for placement in placements:
            reason = reason or other.refusal(placement, pods.templates[placement])
        if reason:
            yield f"alternative {name} may not hold these pods: {reason}"
        elif other.lacking(requests):
            yield f"alternative {name} does not hold these pods: too little {other.lacking(requests)[0]}"
        elif content and not content.fits(other.devices, shape.devices):
            yield f"alternative {name} does not hold these pods on its devices"


def _given_keys(shape: NodeShape) -> set[str]:
    """Labels whose values pool, type and offering give; those of others the decision chose."""
    given = {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE, labels.NODE_POOL}
    return given.union((key for key, _ in shape.kind.labels), (key for key, _ in shape.pool.labels))
