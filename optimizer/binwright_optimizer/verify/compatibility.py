"""Which pods may run on which nodes by labels and taints, for many nodes at once.

`nodes` says the same for one node at a time, in plain Python; the bound uses this file and the
placement checks use that one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    DeviceClaim,
    NodeSelectorTerm,
    Operator,
    PodTemplate,
    Requirement,
    Resources,
    Toleration,
    Workload,
    labels,
)
from binwright_optimizer.model.requirements import contradiction
from binwright_optimizer.verify.offerings import LabelColumn

BoolArray = NDArray[np.bool_]

Placement = tuple[
    tuple[Requirement, ...], tuple[NodeSelectorTerm, ...], tuple[Toleration, ...], tuple[DeviceClaim, ...]
]
"""Node selector, required affinity, tolerations and claims: all that decides where a pod may run."""


@dataclass(frozen=True, slots=True)
class PodClasses:
    """Pods equal for scheduling.

    Parameters
    ----------
    requests
        Request of one pod of each class.
    placement_of
        (class,): index into ``placements``.
    placements
        A template of each distinct `Placement`.
    places
        (placement,): what else decides where such pods may be, numbered.
    class_of
        (workload,): class of each workload.
    """

    requests: tuple[Resources, ...]
    placement_of: NDArray[np.intp]
    placements: tuple[PodTemplate, ...]
    places: tuple[int, ...]
    class_of: NDArray[np.intp]


def pod_classes(
    workloads: Sequence[Workload],
    group_of: NDArray[np.intp],
    request_of: Callable[[PodTemplate], Resources],
    place_of: Callable[[int], int],
    charge_key: Callable[[PodTemplate], Hashable] = lambda _: None,
) -> PodClasses:
    """Classes of the workloads by placement, ``group_of`` and what ``request_of`` says of a pod.

    Pods of different ``place_of`` or ``charge_key`` have different placements.

    They are in order of first appearance.
    """
    classes: dict[tuple[int, Resources, int], int] = {}
    placements: dict[tuple[Placement, int, Hashable], int] = {}
    templates: list[PodTemplate] = []
    places: list[int] = []
    seen: dict[tuple[int, int, int], int] = {}  # id of a template that workloads share, group, place
    class_of = np.empty(len(workloads), dtype=np.intp)
    for w, workload in enumerate(workloads):
        template = workload.template
        group, place = int(group_of[w]), place_of(w)
        found = seen.get((id(template), group, place))
        if found is None:
            placement = (
                template.node_selector, template.node_affinity, template.tolerations, template.device_claims
            )  # fmt: skip
            number = placements.setdefault((placement, place, charge_key(template)), len(placements))
            if number == len(templates):
                templates.append(template)
                places.append(place)
            found = classes.setdefault((number, request_of(template), group), len(classes))
            seen[id(template), group, place] = found
        class_of[w] = found
    return PodClasses(
        requests=tuple(requests for _, requests, _ in classes),
        placement_of=np.array([place for place, _, _ in classes], dtype=np.intp),
        placements=tuple(templates),
        places=tuple(places),
        class_of=class_of,
    )


@dataclass(slots=True)
class LabelRows:
    """Labels of ``n_rows`` nodes.

    Parameters
    ----------
    columns
        Labels that differ between rows.
    fixed
        Labels that all rows share; they yield to a column of the same key.
    undecided
        Requirements on custom labels whose value may still be chosen, by key.
    is_new
        Whether the nodes are still to be bought, so that their host names are unknown.
    """

    n_rows: int
    columns: dict[str, LabelColumn]
    fixed: dict[str, str | None] = field(default_factory=dict)
    undecided: dict[str, tuple[Requirement, ...]] = field(default_factory=dict)
    is_new: bool = True

    def admit(self, template: PodTemplate) -> BoolArray:
        """Rows that could satisfy the pod's node selector and required affinity: bool (row,).

        A label still to be chosen may take any one admissible value.
        """
        return self._any_term(template, must_hold=False)

    def surely_admit(self, template: PodTemplate) -> BoolArray:
        """Rows that do so whatever is chosen for the undecided labels; may miss some."""
        return self._any_term(template, must_hold=True)

    def _any_term(self, template: PodTemplate, must_hold: bool) -> BoolArray:
        selector = self._all(template.node_selector, must_hold)
        if not template.node_affinity:
            return selector
        result = np.zeros(self.n_rows, dtype=bool)
        for term in template.node_affinity:
            if term:  # Kubernetes: an empty term matches no node
                result |= self._all((*template.node_selector, *term), must_hold)
        return result

    def _all(self, requirements: Iterable[Requirement], must_hold: bool) -> BoolArray:
        result = np.ones(self.n_rows, dtype=bool)
        chosen: list[Requirement] = []
        for requirement in requirements:
            key = requirement.key
            if self.is_new and key == labels.HOSTNAME:
                result &= new_host_admits(requirement)
            elif key in self.columns:
                column = self.columns[key]
                result &= np.array([requirement.admits(value) for value in column.values])[column.codes]
            elif key in self.undecided:
                chosen += (requirement, *self.undecided[key])
            else:
                result &= requirement.admits(self.fixed.get(key))
        if chosen and (must_hold or contradiction(chosen)):
            result[:] = False
        return result


def new_host_admits(requirement: Requirement) -> bool:
    """Whether a node that has no name yet satisfies a requirement on its host name.

    It will have one, and none that anybody knows.
    """
    return requirement.operator in (Operator.EXISTS, Operator.NOT_IN)
