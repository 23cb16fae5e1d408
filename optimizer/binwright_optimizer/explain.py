"""Why a pod was not placed: which constraint refused how many offerings, and the nearest miss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.explain_devices import (
    asks_for_mig,
    claim_masks,
    device_masks,
    gpus_bought,
    without_repetition,
)
from binwright_optimizer.explain_gangs import GangReasons
from binwright_optimizer.explain_labels import NeededLabel, NeededLabels
from binwright_optimizer.explain_nearest import DeviceMiss, NearestMiss, device_misses
from binwright_optimizer.explain_running import ClosedByRunning
from binwright_optimizer.explain_words import terms_words, wanted_words
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.attachments import attachments, limited_drivers
from binwright_optimizer.instance.candidates import existing_labels, resource_vector
from binwright_optimizer.instance.choices import has_choices, lacks_choice, wants_choice
from binwright_optimizer.instance.device_claims import SORT
from binwright_optimizer.instance.device_sums import GPU_BEYOND, GPU_COMPUTE, GPU_MILLI, with_sums
from binwright_optimizer.instance.domains.table import DomainTable
from binwright_optimizer.instance.labels import LabelColumns
from binwright_optimizer.instance.node_devices import NodeDevices
from binwright_optimizer.instance.on_nodes import RULE_COLUMN
from binwright_optimizer.model import PodRange, PodTemplate, Refusal, Unschedulable, Workload
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, IMPLICIT_NODE_POOL
from binwright_optimizer.model.labels import GPU_MODEL, NODE_POOL
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.taints import untolerated

TAKEN = "offerings and nodes that would hold it are taken by other pods"
"""What is said of places that refuse a pod for no reason of its own."""

GPU, TOPOLOGY = "gpu", "topology"
"""Constraints about what a place has: how far it is from that is told of the nearest miss."""

Masks = dict[str, NDArray[np.bool_]]


def explain(instance: Instance, left_out: tuple[PodRange, ...]) -> tuple[Unschedulable, ...]:
    """Reasons for each range of pods; pods of one kind share them."""
    workloads, kinds = instance.problem.workloads, instance.origin.kinds.workload_kind.tolist()
    tallies: dict[int, _Tally] = {}
    has_running = any(node.pods for node in instance.problem.existing_nodes)
    table = DomainTable(instance.problem, instance.shelf, instance.origin.shelved)
    running = ClosedByRunning(instance, table) if left_out and has_running else None
    needed = NeededLabels(instance.problem, table)
    for w in dict.fromkeys(pods.workload for pods in left_out):
        if kinds[w] not in tallies:
            closed = running.masks(w) if running is not None else {}
            tallies[kinds[w]] = _tally(instance, workloads[w], closed, needed.of(workloads[w]))
    homeless = {pods.workload for pods in left_out if not tallies[kinds[pods.workload]].open_rows}
    gangs = GangReasons(instance.problem, left_out, homeless)
    refusals: dict[tuple[int, str], tuple[Refusal, ...]] = {}
    explained = []
    for pods in left_out:
        has_place = pods.workload not in homeless
        key = kinds[pods.workload], gangs.of(workloads[pods.workload], has_place=has_place)
        if key not in refusals:
            refusals[key] = tallies[key[0]].refusals(key[1])
        explained.append(Unschedulable(pods, refusals[key], tallies[key[0]].nearest_miss()))
    return tuple(explained)


@dataclass(slots=True)
class _Tally:
    """Refusals counted over groups of offerings and existing nodes.

    Limits and scarcity refuse only what would hold the pod otherwise.
    """

    template: PodTemplate
    resources: tuple[str, ...]
    request: NDArray[np.int64]
    nearest: NearestMiss
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    most: dict[int, int] = field(default_factory=dict)
    short: dict[int, int] = field(default_factory=dict)
    rows: int = 0
    open_rows: int = 0

    def refuse(self, constraint: str, message: str, count: int) -> None:
        """Count refusals under one message."""
        if count:
            self.counts[constraint, message] = self.counts.get((constraint, message), 0) + count

    def add(
        self,
        room: NDArray[np.int64],
        taint: str,
        selectors: Masks,
        name: Callable[[int], str],
        others: Mapping[str, Masks],
        labels: Masks,
        devices: Sequence[DeviceMiss],
    ) -> NDArray[np.bool_]:
        """Count one group of rows; returns those that would hold the pod: bool array (row,).

        Parameters
        ----------
        room
            int64 array (row, r).
        taint
            The taint that repels the pod from all of them; empty if none does.
        selectors
            Rows that each part of the pod's node selection admits, by its text.
        name
            Name of a row by position.
        others
            Rows that each further constraint admits, by its name and the reason why it refuses others.
        labels
            Rows that have each label that the pod's node must have, by its key.
        devices
            How far the GPUs of each row are from what the pod asks of them; empty where amounts tell.
        """
        n = len(room)
        if not n:
            return np.zeros(0, dtype=bool)
        self.rows += n
        if taint:
            self.refuse("taint", f"taint {taint} is not tolerated", n)
        admitted = np.full(n, not taint)
        for text, mask in selectors.items():
            self.refuse("node-affinity", f"{text} does not match", int(n - mask.sum()))
            admitted &= mask
        is_near = admitted.copy()
        for constraint, masks in others.items():
            for reason, mask in masks.items():
                self.refuse(constraint, reason, int(n - mask.sum()))
                admitted &= mask
                if constraint not in (GPU, TOPOLOGY):
                    is_near &= mask
        lacking = without_repetition(room < self.request, self.resources)
        for r in range(len(self.resources)):
            if lacking[:, r].any():
                self.short[r] = self.short.get(r, 0) + int(lacking[:, r].sum())
            self.most[r] = max(self.most.get(r, 0), int(room[:, r].max()))
        is_open: NDArray[np.bool_] = admitted & ~lacking.any(axis=1)
        self.open_rows += int(is_open.sum())
        near = np.flatnonzero(is_near & ~is_open)
        self.nearest.consider(near, room, lacking, labels, devices, name)
        return is_open

    def nearest_miss(self) -> str:
        """The place that comes closest and what it lacks; empty where some would hold the pod."""
        return "" if self.open_rows else self.nearest.words

    def refusals(self, of_gang: str) -> tuple[Refusal, ...]:
        """One per constraint and message, those that refuse most first.

        Parameters
        ----------
        of_gang
            Why the pod's gang keeps it from being placed; empty if it does not.
        """
        found = [Refusal(constraint, count, message) for (constraint, message), count in self.counts.items()]
        for r, count in self.short.items():
            constraint, message = wanted_words(
                self.resources[r], int(self.request[r]), self.most[r], self.template
            )
            found.append(Refusal(constraint, count, message))
        is_limited = any(constraint in ("limit", "availability") for constraint, _ in self.counts)
        if of_gang:
            found.append(Refusal("gang", self.open_rows, of_gang))
        elif self.open_rows and not is_limited:
            found.append(Refusal("limit", self.open_rows, TAKEN))
        if not self.rows:
            found.append(Refusal("offering", 0, "no NodePool can buy any offering of the catalogue"))
        return tuple(sorted(found, key=lambda f: (-f.refused, f.constraint, f.message)))


def _tally(instance: Instance, workload: Workload, closed: Masks, needed: Sequence[NeededLabel]) -> _Tally:
    """Refusals of a workload's pods.

    Parameters
    ----------
    closed
        Candidates that no rule about running pods closes, by the reason why others are closed.
    needed
        Labels that the pod's node must have.
    """
    template = workload.template
    problem, origin = instance.problem, instance.origin
    kept = [r for r, n in enumerate(instance.resources) if not n.startswith((RULE_COLUMN, GPU_BEYOND, SORT))]
    resources = tuple(instance.resources[r] for r in kept)
    kept = [r for r in kept if r < origin.existing_free.shape[1]]
    claimed = origin.claimed
    lowered = claimed.lowered(template)
    amounts = (
        with_sums(lowered, cuts=GPU_COMPUTE in resources) if GPU_MILLI in resources else lowered.requests
    )
    amounts = amounts + attachments(template, limited_drivers(problem))
    request = resource_vector(amounts, resources, pod_slots=1)
    tally = _Tally(template, resources, request, NearestMiss(resources, request))
    types = problem.catalog.instance_types
    first = 0
    for part in origin.shelved:
        pool = problem.node_pools[part.variant.pool]

        def name(position: int, rows: NDArray[np.intp] = part.rows, pool_name: str = pool.name) -> str:
            kind = types[instance.shelf.type_of[rows[position]]]
            offering = instance.shelf.offering(problem.catalog, int(rows[position]))
            where = f" in {offering.zone}" if offering.zone else ""
            return f"{kind.name} ({offering.capacity_type}){where} of NodePool {pool_name}"

        taint = untolerated(pool.taints, template.tolerations)
        masks = _selector_masks(template, instance.shelf.labels, dict(part.variant.fixed), part.rows)
        kinds = [types[t] for t in instance.shelf.type_of[part.rows].tolist()]
        gpus = gpus_bought(part, kinds, pool.gpu_sharing, lowered)
        rows = instance.shelf.type_of[part.rows].tolist() if template.device_claims else []
        claims = claim_masks(claimed, [claimed.view_of_type(t, pool) for t in rows], workload)
        if has_choices(problem) and wants_choice(pool):
            lacks = lacks_choice(instance.shelf, pool, part)
            text = ", ".join(f"{r.min_values} values of {r.key}" for r in pool.requirements if r.min_values)
            few_types = int(lacks.sum())
            tally.refuse("min-values", f"NodePool {pool.name} wants {text} to choose from", few_types)
        here = slice(first, first + len(part.rows))
        first += len(part.rows)
        others = {GPU: device_masks(gpus, lowered, pool.name), "device-claim": claims}
        others |= _domains(closed, needed, here)
        is_open = tally.add(
            part.allocatable[:, kept],
            str(taint or ""),
            masks,
            name,
            others,
            {label.key: label.has[here] for label in needed},
            device_misses(gpus, lowered, pool.name),
        )
        scarce = instance.shelf.available[part.rows] < UNLIMITED
        few = int(np.count_nonzero(is_open & scarce))
        tally.refuse("availability", "few nodes of the offering are available", few)
        tally.refuse(*_limit_refusal(instance, part.variant.pool, int(is_open.sum())))
    if problem.existing_nodes:
        nodes = problem.existing_nodes
        masks = _selector_masks(template, existing_labels(nodes), {}, np.arange(len(nodes)))
        for n, node in enumerate(nodes):

            def node_name(_: int, text: str = f"node {node.name}") -> str:
                return text

            taint = untolerated(node.taints, template.tolerations)
            own = {text: mask[n : n + 1] for text, mask in masks.items()}
            gpus = []
            if GPU_MILLI in resources or asks_for_mig(lowered):
                model = dict(node.labels).get(GPU_MODEL, "")
                gpus = [(NodeDevices.of_node(n, problem, claimed), model)]
            claims = claim_masks(claimed, [claimed.view_of_node(n)], workload, n)
            here = slice(first + n, first + n + 1)
            others = {GPU: device_masks(gpus, lowered), "device-claim": claims}
            others |= _domains(closed, needed, here)
            tally.add(
                origin.existing_free[n : n + 1, kept],
                str(taint or ""),
                own,
                node_name,
                others,
                {label.key: label.has[here] for label in needed},
                device_misses(gpus, lowered),
            )
    return tally


def _domains(closed: Masks, needed: Sequence[NeededLabel], here: slice) -> dict[str, Masks]:
    """What rules about domains say of some of the candidates, by constraint."""
    return {
        "pod-anti-affinity": {text: mask[here] for text, mask in closed.items()},
        TOPOLOGY: {label.reason: label.has[here] for label in needed},
    }


def _limit_refusal(instance: Instance, pool: int, rows: int) -> tuple[str, str, int]:
    """Refusal by the limits of a NodePool of ``rows`` offerings that would hold the pod."""
    node_pool = instance.problem.node_pools[pool]
    limits = [row for row in instance.limits if row.pool == pool]
    if not limits:
        return "limit", "", 0
    text = ", ".join(f"{row.resource} {format_quantity(row.room, row.resource)}" for row in limits)
    return "limit", f"NodePool {node_pool.name} may add at most {text}", rows


def _selector_masks(
    template: PodTemplate, columns: LabelColumns, fixed: dict[str, str | None], rows: NDArray[np.intp]
) -> Masks:
    """Rows that each part of the pod's node selection admits, by its text."""
    masks = {}
    for requirement in template.node_selector:
        is_assumed = (
            fixed.get(NODE_POOL) == IMPLICIT_NODE_POOL.name and requirement in EMBEDDED_CATALOG_DEFAULTS
        )
        source = "without a NodePool, the default" if is_assumed else "node selector"
        masks[f"{source} {requirement}"] = columns.mask_all((requirement,), fixed)[rows]
    if template.node_affinity:
        text = terms_words(template.node_affinity)
        masks[f"node affinity {text}"] = columns.mask_any(template.node_affinity, fixed)[rows]
    return masks
