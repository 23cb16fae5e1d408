"""Domains that one more node could have on which a pod would fit if it had the node to itself.

They are the domains that a topology spread constraint has to balance although nothing stands there yet.
A node that a NodePool may buy counts if an offering is left, the pool's limits have room for one, its
labels and taints admit the pod, and the pod fits beside the daemons: by amounts, host ports, the
topology and the number of its volumes, and the policy on accelerated nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    GpuNodePolicy,
    NodeInclusionPolicy,
    NodePool,
    Operator,
    PodTemplate,
    Problem,
    TopologySpread,
    labels,
)
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.compatibility import LabelRows
from binwright_optimizer.verify.device_claims import Claimable, claimable_of_type, devices_taken
from binwright_optimizer.verify.gpu_nodes import asks_for_accelerator, has_accelerator
from binwright_optimizer.verify.held import sold_columns
from binwright_optimizer.verify.host_ports import clash
from binwright_optimizer.verify.offerings import LabelColumn
from binwright_optimizer.verify.purchase import Variant, buyable, is_custom_key, pool_terms, variants
from binwright_optimizer.verify.volumes import attach_limits, own_attachments

BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]


class Reach:
    """Domains within reach of the pods of one problem."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._columns = sold_columns(problem)
        self._shelves: dict[frozenset[str], list[_Shelf]] = {}
        self._known: dict[tuple[object, ...], dict[str, frozenset[str]]] = {}

    def values(self, template: PodTemplate, keys: tuple[str, ...]) -> dict[str, frozenset[str]]:
        """By key, the values on nodes that carry all of these keys and could hold the pod."""
        shown = (
            template.requests,
            template.node_selector,
            template.node_affinity,
            template.tolerations,
            template.volumes,
            template.host_ports,
            template.gpu_share is None,
            template.device_claims,
            keys,
        )
        found = self._known.get(shown)
        if found is None:
            values: dict[str, set[str]] = {key: set() for key in keys}
            for shelf in self._shelves_for(template, keys):
                if untolerated(shelf.pool.taints, template.tolerations) is None:
                    shelf.add(values, template)
            found = self._known[shown] = {key: frozenset(some) for key, some in values.items()}
        return found

    def _shelves_for(self, template: PodTemplate, keys: tuple[str, ...]) -> list[_Shelf]:
        """What can be bought, with the labels told apart that somebody mentions."""
        templates = (template, *(daemon.template for daemon in self._problem.daemon_sets))
        terms = [term for t in templates for term in (t.node_selector, *t.node_affinity)]
        terms += [term for volume in template.volumes for term in volume.topology]
        mentioned = frozenset({r.key for term in terms for r in term} | set(keys))
        shelves = self._shelves.get(mentioned)
        if shelves is None:
            shelves = self._shelves[mentioned] = []
            for pool, terms_of_pool in zip(self._problem.node_pools, pool_terms(self._problem), strict=True):
                columns = self._columns.of_pool(pool, self._problem.catalog.instance_types)
                offerings = np.flatnonzero(buyable(pool, terms_of_pool, columns))
                if len(offerings):
                    for variant in variants(pool, self._columns, mentioned):
                        shelves.append(_shelf(self._problem, pool, variant, offerings, mentioned))
        return shelves


def is_undecided(problem: Problem, key: str) -> bool:
    """Whether the decision chooses the value of a label on nodes of some pool."""
    columns = sold_columns(problem)
    return any(
        requirement.key == key and is_custom_key(key, pool, columns.defined_keys)
        for pool in problem.node_pools
        for requirement in pool.requirements
    )


def is_open(problem: Problem, key: str) -> bool:
    """Whether some pool may choose a value of a label that nobody lists."""
    columns = sold_columns(problem)
    return any(
        is_custom_key(key, pool, columns.defined_keys)
        and all(r.operator is not Operator.IN for r in pool.requirements if r.key == key)
        for pool in problem.node_pools
        if any(r.key == key for r in pool.requirements)
    )


def are_too_few(problem: Problem, template: PodTemplate, constraint: TopologySpread) -> bool:
    """Whether there are fewer domains than a constraint asks for, whatever nodes are bought for anybody."""
    key = constraint.topology_key
    if constraint.min_domains <= 1 or key == labels.HOSTNAME or is_open(problem, key):
        return False
    columns = sold_columns(problem)
    values = {dict(node.labels).get(key) for node in problem.existing_nodes}
    if key in columns.defined_keys:
        values |= set(columns.label(key).values)
    for pool in problem.node_pools:
        values.add(pool.name if key == labels.NODE_POOL else dict(pool.labels).get(key))
        values |= {v for r in pool.requirements if r.key == key for v in r.values}
    if constraint.node_affinity_policy is NodeInclusionPolicy.HONOR:
        terms = [(*template.node_selector, *term) for term in template.node_affinity or ((),)]
        values = {v for v in values if any(all(r.key != key or r.admits(v) for r in t) for t in terms)}
    return len(values - {None}) < constraint.min_domains


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Offerings (row,) that a pool may buy, with one choice of its custom labels.

    Parameters
    ----------
    lands
        Of each daemon of the problem, where it lands: bool (row,).
    overhead
        What daemons and pool take, by resource: (row,).
    """

    problem: Problem
    pool: NodePool
    type_of: NDArray[np.intp]
    rows: LabelRows
    lands: tuple[BoolArray, ...]
    overhead: dict[str, Int64Array]

    def add(self, values: dict[str, set[str]], template: PodTemplate) -> None:
        """Add the values of nodes that could hold the pod, unless they lack one of the keys."""
        suits = self._suits(template)
        for key in values:
            if key in self.rows.columns:
                column = self.rows.columns[key]
                suits &= np.array([value is not None for value in column.values])[column.codes]
        if not suits.any():
            return
        of_key = {key: self._values(key, suits) for key in values}
        if all(of_key.values()):
            for key, some in of_key.items():
                values[key] |= some

    def _values(self, key: str, suits: BoolArray) -> set[str]:
        """Values of a label over some rows; those that the pool lists where they are still open."""
        if key in self.rows.columns:
            column = self.rows.columns[key]
            return {str(column.values[code]) for code in np.unique(column.codes[suits])}
        if key in self.rows.undecided:
            wanted = self.rows.undecided[key]
            listed = {v for r in wanted if r.operator is Operator.IN for v in r.values}
            return {v for v in listed if all(r.admits(v) for r in wanted)}
        if key == labels.HOSTNAME:
            return {"(new)"}
        fixed = self.rows.fixed.get(key)
        return set() if fixed is None else {fixed}

    def _suits(self, template: PodTemplate) -> BoolArray:
        """Rows that could hold the pod if it had the node to itself."""
        suits = self.rows.admit(template)
        for volume in template.volumes:
            if volume.topology:
                suits &= self.rows.admit(PodTemplate(node_affinity=volume.topology))
        for daemon, lands in zip(self.problem.daemon_sets, self.lands, strict=True):
            if clash(template.host_ports, daemon.template.host_ports):
                suits &= ~lands
        kinds = self.problem.catalog.instance_types
        wanted = own_attachments(template)
        never = self.problem.policies.gpu_nodes is GpuNodePolicy.NEVER and not asks_for_accelerator(template)
        if wanted or never or template.device_claims:
            is_fine = np.ones(len(kinds), dtype=bool)
            for t, kind in enumerate(kinds):
                limits = attach_limits(kind.attach_limits, self.pool.attach_limits)
                is_fine[t] = not (never and has_accelerator(kind)) and all(
                    count <= limits.get(driver, count) for driver, count in wanted.items()
                )
                is_fine[t] &= _meets_claims(template, claimable_of_type(kind, self.pool))
            suits &= is_fine[self.type_of]
        columns = sold_columns(self.problem).of_pool(self.pool, kinds)
        amounts = dict(template.requests)
        amounts[PODS] = amounts.get(PODS, 0) + 1
        for name in amounts.keys() | self.overhead.keys():
            needed = amounts.get(name, 0) + self.overhead.get(name, 0)
            suits &= needed <= columns.allocatable(name)[self.type_of]
        return suits


def _meets_claims(template: PodTemplate, devices: Claimable) -> bool:
    """Whether a node's devices are enough for a pod's claims and requests together."""
    taken = [devices_taken(claim, devices) for claim in template.device_claims]
    total = sum(number or 0 for number in taken) + template.requests[devices.resource]
    return None not in taken and (not taken or total <= devices.total)


def _shelf(
    problem: Problem,
    pool: NodePool,
    variant: Variant,
    offerings: NDArray[np.intp],
    mentioned: frozenset[str],
) -> _Shelf:
    columns = sold_columns(problem)
    shown = {}
    for key in sorted(mentioned & columns.defined_keys):
        whole = columns.label(key)
        shown[key] = LabelColumn(whole.codes[offerings], whole.values)
    rows = LabelRows(len(offerings), shown, variant.fixed, variant.undecided)
    overhead = {name: np.full(len(offerings), amount, dtype=np.int64) for name, amount in pool.overhead}
    landing = []
    for daemon in problem.daemon_sets:
        lands = rows.admit(daemon.template)
        if untolerated(pool.taints, daemon.template.tolerations) is not None:
            lands[:] = False
        landing.append(lands)
        for name, amount in (*daemon.template.requests, (PODS, 1)):
            before = overhead.setdefault(name, np.zeros(len(offerings), dtype=np.int64))
            before += amount * lands
    return _Shelf(problem, pool, columns.type_of[offerings], rows, tuple(landing), overhead)
