"""Where pods may run at all: by labels, taints, the zones of their volumes, policy and daemons' ports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved, admitted_rows, existing_labels
from binwright_optimizer.instance.device_claims import ClaimedDevices, own_claims
from binwright_optimizer.instance.labels import LabelColumns, Mask
from binwright_optimizer.instance.node_devices import NodeDevices
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import (
    DaemonSet,
    DeviceClaim,
    ExistingNode,
    GpuNodePolicy,
    GpuShare,
    NodeSelectorTerm,
    PodTemplate,
    Problem,
    Requirement,
    Toleration,
    labels,
)
from binwright_optimizer.model.mig import mig_profile
from binwright_optimizer.model.ports import HostPort
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.model.taints import untolerated

Placement = tuple[
    tuple[Requirement, ...],
    tuple[NodeSelectorTerm, ...],
    tuple[Toleration, ...],
    tuple[tuple[NodeSelectorTerm, ...], ...],
    tuple[HostPort, ...],
    tuple[GpuShare, int] | None,
    bool,
    tuple[DeviceClaim, ...],
]
"""Node selector, required node affinity, tolerations, topologies of volumes, ports that daemons may hold,
the shares of GPUs that some nodes cannot give, whether the pod is to be kept off nodes with an
accelerator, and its own device claims: all that decides where pods may run."""

ACCELERATORS = frozenset(
    {
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "amd.com/gpu",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neuroncore",
        "aws.amazon.com/neurondevice",
        "habana.ai/gaudi",
        "google.com/tpu",
    }
)
"""Extended resources that are accelerators; NVIDIA's MIG devices are as well."""


def placement_key(template: PodTemplate, problem: Problem) -> Placement:
    """What decides where pods of a template may run; equal for pods that may run in the same places."""
    has_ports = template.host_ports and any(d.template.host_ports for d in problem.daemon_sets)
    is_kept_off = problem.policies.gpu_nodes is GpuNodePolicy.NEVER and not _asks_for_accelerator(template)
    return (
        template.node_selector,
        template.node_affinity,
        template.tolerations,
        tuple(volume.topology for volume in template.volumes if volume.topology),
        template.host_ports if has_ports else (),
        _picky_share(template, problem),
        is_kept_off,
        own_claims(template),
    )


def admitted(
    problem: Problem,
    placements: Sequence[PodTemplate],
    shelf: Shelf,
    shelved: Sequence[Shelved],
    claimed: ClaimedDevices,
) -> NDArray[np.bool_]:
    """Where pods may run: bool array (placement, candidate), a template given for each placement."""
    nodes = problem.existing_nodes
    node_columns = existing_labels(nodes)
    with_ports = [daemon for daemon in problem.daemon_sets if daemon.template.host_ports]
    rows = []
    for template in placements:
        share, keeps_off, claims = placement_key(template, problem)[-3:]
        parts = []
        for part in shelved:
            taints = problem.node_pools[part.variant.pool].taints
            fixed = dict(part.variant.fixed)
            if untolerated(taints, template.tolerations) is None:
                mask = _by_labels(template, shelf.labels, fixed)[part.rows]
                for daemon in _clashing(template, with_ports):
                    if untolerated(taints, daemon.template.tolerations) is None:
                        mask = mask & ~admitted_rows(daemon.template, shelf.labels, fixed)[part.rows]
                if keeps_off:
                    mask = mask & ~_accelerated_types(problem)[shelf.type_of[part.rows]]
                if share and part.devices:
                    mask = mask & np.array([not node.refusal(template) for node in part.devices], dtype=bool)
                if claims:
                    pool = problem.node_pools[part.variant.pool]
                    is_met = [
                        claimed.taken(claims, claimed.view_of_type(t, pool)) is not None
                        for t in range(len(problem.catalog.instance_types))
                    ]
                    mask = mask & np.array(is_met, dtype=bool)[shelf.type_of[part.rows]]
                parts.append(mask)
            else:
                parts.append(np.zeros(len(part.rows), dtype=bool))
        mask = _by_labels(template, node_columns, {})
        is_open = np.array([untolerated(n.taints, template.tolerations) is None for n in nodes], dtype=bool)
        for daemon in _clashing(template, with_ports):
            lands = [untolerated(n.taints, daemon.template.tolerations) is None for n in nodes]
            is_open &= ~(admitted_rows(daemon.template, node_columns, {}) & np.array(lands, dtype=bool))
        if keeps_off:
            is_open &= ~np.array([has_accelerator(node) for node in nodes], dtype=bool)
        if share:
            found = [NodeDevices.of_node(n, problem, claimed) for n in range(len(nodes))]
            is_open &= np.array([not devices.refusal(template) for devices in found], bool)
        if claims:
            views = [claimed.view_of_node(n) for n in range(len(nodes))]
            is_open &= np.array([claimed.taken(claims, view) is not None for view in views], dtype=bool)
        parts.append(mask & is_open)
        rows.append(np.concatenate(parts))
    width = sum(len(s.rows) for s in shelved) + len(nodes)
    return np.array(rows, dtype=bool).reshape(len(placements), width)


def _picky_share(template: PodTemplate, problem: Problem) -> tuple[GpuShare, int] | None:
    """The share and the GPUs of a pod that not every node with GPUs could hold."""
    share, gpus = template.gpu_share, template.requests[NVIDIA_GPU]
    if share is None or not gpus or template.device_claims:
        return None  # a pod with claims has whole devices
    is_plain = gpus == 1 and not share.memory_bytes
    if is_plain and not any(pool.gpu_sharing.is_replicated for pool in problem.node_pools):
        return None
    return share, gpus


def _by_labels(template: PodTemplate, columns: LabelColumns, fixed: dict[str, str | None]) -> Mask:
    """Rows that node selection and the zones of every volume admit."""
    mask = admitted_rows(template, columns, fixed)
    for volume in template.volumes:
        if volume.topology:
            mask = mask & columns.mask_any(volume.topology, fixed)
    return mask


def _clashing(template: PodTemplate, daemons: Iterable[DaemonSet]) -> list[DaemonSet]:
    """Daemons that hold a port which the pod wants."""
    return [
        daemon
        for daemon in daemons
        if any(a.clashes_with(b) for a in template.host_ports for b in daemon.template.host_ports)
    ]


def _is_accelerator(resource: str) -> bool:
    return resource in ACCELERATORS or mig_profile(resource) is not None


def _asks_for_accelerator(template: PodTemplate) -> bool:
    if template.gpu_share is not None or template.device_claims:
        return True
    return any(_is_accelerator(resource) for resource, _ in template.requests)


def _accelerated_types(problem: Problem) -> NDArray[np.bool_]:
    """Instance types with an accelerator: bool array (t,)."""
    return np.array(
        [
            bool(kind.gpu_count or kind.gpu_model) or any(_is_accelerator(name) for name, _ in kind.capacity)
            for kind in problem.catalog.instance_types
        ],
        dtype=bool,
    )


def has_accelerator(node: ExistingNode) -> bool:
    """Whether a running node has an accelerator, by its label or what it advertises."""
    names = {*node.capacity.names(), *node.free.names()}
    return labels.GPU_MODEL in dict(node.labels) or any(map(_is_accelerator, names))
