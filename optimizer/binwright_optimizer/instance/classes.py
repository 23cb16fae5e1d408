"""Pod classes: pods equal for scheduling, with a count.

Templates that differ only in ways no offering can tell apart end in one class.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.admission import Placement, placement_key
from binwright_optimizer.instance.attachments import attachments, limited_drivers
from binwright_optimizer.instance.candidates import resource_vector
from binwright_optimizer.instance.claims import ClaimName
from binwright_optimizer.instance.device_claims import ClaimedDevices, claim_names
from binwright_optimizer.instance.device_sums import amounts_asked
from binwright_optimizer.instance.stated import Rules, Stated
from binwright_optimizer.model import PodTemplate, Problem
from binwright_optimizer.model.resources import PODS, Resources


@dataclass(frozen=True, slots=True)
class Kinds:
    """Distinct (requests, placement, priority, rules) among the workloads, before placements are merged.

    Parameters
    ----------
    requests
        Effective requests of each kind.
    placement_of
        intp array (kind,): index into ``placements``.
    priority
        int64 array (kind,).
    placements
        One template of each distinct placement, to evaluate selectors with.
    workload_kind
        intp array (workload,): kind of each workload.
    stated, selected
        Rules about other pods that each kind states; numbers of the selections it is in.
    shared
        Device claims of each kind that pods share: no part of ``requests``.
    """

    requests: list[Resources]
    placement_of: NDArray[np.intp]
    priority: NDArray[np.int64]
    placements: list[PodTemplate]
    workload_kind: NDArray[np.intp]
    stated: list[Stated]
    selected: list[tuple[int, ...]]
    shared: list[tuple[ClaimName, ...]]

    def alike_but_for_priority(self) -> list[list[int]]:
        """Kinds that nothing but their priority tells apart, several each."""
        groups: dict[tuple[object, ...], list[int]] = {}
        columns = (self.requests, self.placement_of.tolist(), self.stated, self.selected, self.shared)
        for k, all_but_priority in enumerate(zip(*columns, strict=True)):
            groups.setdefault(all_but_priority, []).append(k)
        return [group for group in groups.values() if len(group) > 1]


def kinds_of(problem: Problem, rules: Rules, claims: Collection[ClaimName], claimed: ClaimedDevices) -> Kinds:
    """Kinds in order of first appearance.

    Parameters
    ----------
    claims
        Volumes by name that several pods mount.
    """
    request_of = amounts_asked(problem.workloads, claimed)
    limited = limited_drivers(problem)
    by_identity: dict[tuple[int, str, int, tuple[int, ...]], int] = {}
    by_value: dict[tuple[Resources, Placement, int, Stated, tuple[int, ...], tuple[ClaimName, ...]], int] = {}
    of_claims: list[tuple[ClaimName, ...]] = []
    stated: list[Stated] = []
    selected: list[tuple[int, ...]] = []
    placement_index: dict[Placement, int] = {}
    placements: list[PodTemplate] = []
    requests: list[Resources] = []
    placement_of: list[int] = []
    priority: list[int] = []
    kinds = np.empty(len(problem.workloads), dtype=np.intp)
    for w, workload in enumerate(problem.workloads):
        template = workload.template
        identity = id(template), workload.namespace, id(rules.stated[w]), rules.selected[w]
        kind = by_identity.get(identity)
        if kind is None:
            placement = placement_key(template, problem)
            shared = {name for namespace, name in claims if namespace == workload.namespace}
            amounts = request_of(template) + attachments(template, limited, shared)
            # A claim that only workloads without pods name is nobody's.
            names = tuple(n for n in claim_names(template, workload.namespace) if n in claimed.shared)
            key = (amounts, placement, template.priority, rules.stated[w], rules.selected[w], names)
            kind = by_value.get(key)
            if kind is None:
                kind = by_value[key] = len(requests)
                if placement not in placement_index:
                    placement_index[placement] = len(placements)
                    placements.append(template)
                requests.append(amounts)
                placement_of.append(placement_index[placement])
                priority.append(template.priority)
                stated.append(rules.stated[w])
                selected.append(rules.selected[w])
                of_claims.append(names)
            by_identity[identity] = kind
        kinds[w] = kind
    return Kinds(
        requests,
        np.array(placement_of, dtype=np.intp),
        np.array(priority, dtype=np.int64),
        placements,
        kinds,
        stated,
        selected,
        of_claims,
    )


def requested_resources(kinds: Kinds, further: Collection[str] = ()) -> tuple[str, ...]:
    """Names any pod requests, and further ones, pod slots first, then sorted."""
    names = {name for amounts in kinds.requests for name, _ in amounts} | set(further)
    return (PODS, *sorted(names - {PODS}))


def request_matrix(kinds: Kinds, resources: tuple[str, ...]) -> NDArray[np.int64]:
    """Requests of one pod of each kind, its pod slot included: int64 array (kind, r)."""
    matrix = np.zeros((len(kinds.requests), len(resources)), dtype=np.int64)
    for index, amounts in enumerate(kinds.requests):
        matrix[index] = resource_vector(amounts, resources, pod_slots=1)
    return matrix


def merge_kinds(
    requests: NDArray[np.int64],
    placement_of: NDArray[np.intp],
    admitted: NDArray[np.bool_],
    priority: NDArray[np.int64],
    texts: Sequence[str],
    is_linked: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Classes in canonical order: (local kind -> class, class -> one of its local kinds).

    Parameters
    ----------
    requests
        int64 array (local kind, r).
    placement_of, admitted
        intp array (local kind,), bool array (placement, candidate): where it may run.
    priority, texts
        int64 array (local kind,); what rules about single nodes see of it, in words.
    is_linked
        bool array (local kind,): its number of pods is linked to others'; no class holds both sorts.

    Notes
    -----
    The order depends on the pods' properties only, never on the order of the input.
    """
    columns = np.packbits(admitted, axis=1)
    content = [columns[p].tobytes() for p in placement_of]
    keys = [
        (-int(priority[k]), tuple(-requests[k]), content[k], texts[k], bool(is_linked[k]))
        for k in range(len(requests))
    ]
    order = sorted(set(keys))
    position = {key: index for index, key in enumerate(order)}
    class_of = np.array([position[key] for key in keys], dtype=np.intp)
    representative = np.zeros(len(order), dtype=np.intp)
    representative[class_of[::-1]] = np.arange(len(keys) - 1, -1, -1)
    return class_of, representative
