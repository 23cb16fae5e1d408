"""Which pod is on which device of its node: the packing of shares and cuts, with names at last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.device_claims import ClaimName, NodeView, own_claims
from binwright_optimizer.instance.device_packing import (
    MOST_STEPS,
    NEED_COUNT,
    NEED_MEMORY,
    NEED_MILLI,
    gpus_cut,
    place_shares,
)
from binwright_optimizer.instance.devices import (
    Asked,
    Devices,
    by_size,
    claimed_beside,
    mig_tables,
    needs,
    states_share,
)
from binwright_optimizer.instance.node_devices import NodeDevices
from binwright_optimizer.model import DeviceUse, PodRange, SharingStrategy
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import MigModel, MigProfile
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.queues import ByClass


@dataclass(frozen=True, slots=True)
class Piece:
    """A share or an instance: of pod number ``pod`` of class ``i`` on the node."""

    i: int
    pod: int
    device: int
    profile: str = ""
    start: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The devices of a pattern's pods, by device.

    Parameters
    ----------
    is_told
        Whether counting devices does not say where the pods stand: some have parts of devices, or claims.
    first_whole
        Device from which on pods have whole ones.
    devices
        Devices from 0 on that shares, instances and whole devices reach to.
    states_memory
        Whether any share on it states a memory.
    resource
        Under which whole devices of the node are requested.
    claims_on
        The node, if some pods have claims: as claims see it, and its number if it runs already.
    """

    pieces: tuple[Piece, ...] = ()
    is_told: bool = False
    first_whole: int = 0
    devices: int = 0
    states_memory: bool = False
    resource: str = NVIDIA_GPU
    claims_on: tuple[NodeView, int] | None = None

    def fits(self, others: DeviceColumns, own: int) -> NDArray[np.bool_]:
        """Rows whose devices hold, one for one, what those of row ``own`` hold: bool array (row,)."""
        result = others.count >= self.devices
        if self.states_memory:
            result &= others.memory >= others.memory[own]
        if any(piece.profile for piece in self.pieces):
            result &= others.model == others.model[own]
        return result


COUNTED = Plan()
"""Where whole devices are counted, if any."""


@dataclass(frozen=True, slots=True)
class DeviceColumns:
    """GPUs of a variant's rows, as far as alternatives go: int64 arrays (row,)."""

    count: NDArray[np.int64]
    memory: NDArray[np.int64]
    model: NDArray[np.int64]

    @classmethod
    def of(cls, devices: Sequence[NodeDevices]) -> DeviceColumns:
        """Columns of these rows; ``model`` numbers the models that are cut."""
        names = sorted({node.mig.gpu_model for node in devices if node.mig})
        rows = [
            (node.count, node.memory, names.index(node.mig.gpu_model) if node.mig else -1) for node in devices
        ]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
        return cls(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())


class DevicePlans:
    """Plans over one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._asked = Asked.by(instance.requests, instance.resources)
        self._has_claims = _classes_with_claims(instance)
        self._is_counted = not self._asked.any and instance.origin.claimed.is_empty
        if self._asked.any:
            self._need, self._mig = needs(instance.requests, instance.resources, self._asked.profiles)
            self._claimed = claimed_beside(instance.requests, instance.resources, self._need)
            self._geometries, self._most = mig_tables(self._asked.models, self._asked.profiles)

    def plan(self, j: int, pattern: NDArray[np.int32], existing: int = -1) -> Plan:
        """Where the pods of a pattern stand on a candidate, or on the running node ``existing``."""
        if self._is_counted:
            return COUNTED
        instance = self._instance
        claimed, problem = instance.origin.claimed, instance.problem
        has_claims = bool(self._has_claims[pattern > 0].any())
        view = NodeView()
        if existing >= 0:
            view = claimed.view_of_node(existing)
        elif not claimed.is_empty:
            pool = problem.node_pools[instance.pool_of[j]]
            view = claimed.view_of_type(int(instance.shelf.type_of[instance.row_of[j]]), pool)
        plan = Plan()
        if self._asked.any:
            plan = self._plan_of_parts(self._devices_of(j, existing), claimed.sort(view), pattern)
        if has_claims:
            resource = view.resource or NVIDIA_GPU
            plan = replace(plan, is_told=True, resource=resource, claims_on=(view, existing))
        return plan

    def cuts(self, j: int, resource: str) -> bool:
        """Whether a candidate to be bought gives a resource by cutting GPUs."""
        return self._asked.any and self._devices_of(j, -1).cuts(resource)

    def uses(self, plan: Plan, by_class: ByClass) -> tuple[DeviceUse, ...]:
        """The plan with names."""
        if not plan.is_told:
            return ()
        found: list[DeviceUse] = []
        for piece in plan.pieces:
            ranges = by_class[piece.i]
            workload, ordinal = _nth(ranges, piece.pod)
            last = found[-1] if found else None
            if (
                last is not None
                and not piece.profile
                and (last.device, last.profile, last.pods.workload) == (piece.device, "", workload)
                and last.pods.first + last.pods.count == ordinal
            ):
                pods = PodRange(workload, last.pods.first, last.pods.count + 1)
                found[-1] = DeviceUse(piece.device, pods)
            else:
                found.append(
                    DeviceUse(piece.device, PodRange(workload, ordinal, 1), piece.profile, piece.start)
                )
        in_parts = {piece.i for piece in plan.pieces if not piece.profile}
        ranges = [pods for i, mine in by_class.items() if i not in in_parts for pods in mine]
        found += self._whole_devices(plan, ranges)
        return tuple(
            sorted(found, key=lambda use: (use.device, use.start, use.pods.workload, use.pods.first))
        )

    def _whole_devices(self, plan: Plan, ranges: Sequence[PodRange]) -> Iterator[DeviceUse]:
        """Devices of pods that have whole ones, by request, by claims of their own and by shared ones."""
        workloads, claimed = self._instance.problem.workloads, self._instance.origin.claimed
        device = plan.first_whole
        shared: dict[ClaimName, list[int]] = {}
        for pods in ranges:
            workload = workloads[pods.workload]
            template = workload.template
            wanted = [("", template.requests[plan.resource])]
            if plan.claims_on is not None:
                view, _ = plan.claims_on
                wanted += [(claim.label, view.taken(claim) or 0) for claim in own_claims(template)]
            for ordinal in range(pods.first, pods.first + pods.count):
                for title, count in wanted:
                    for _ in range(count):
                        yield DeviceUse(device, PodRange(pods.workload, ordinal, 1), claim=title)
                        device += 1
            for claim in template.device_claims if plan.claims_on is not None else ():
                name = (workload.namespace, claim.name)
                if not claim.name or claimed.shared[name].nodes:
                    continue  # where running pods have it, newcomers take no further device
                if name not in shared:
                    count = plan.claims_on[0].taken(claim) or 0 if plan.claims_on else 0
                    shared[name] = list(range(device, device + count))
                    device += count
                for its in shared[name]:
                    yield DeviceUse(its, pods, claim=claim.label)

    def _devices_of(self, j: int, existing: int) -> NodeDevices:
        instance = self._instance
        if existing >= 0:
            return NodeDevices.of_node(existing, instance.problem, instance.origin.claimed)
        part = instance.origin.shelved[instance.variant_of[j]]
        found: NodeDevices = part.devices[int(np.searchsorted(part.rows, instance.row_of[j]))]
        return found

    def _plan_of_parts(self, node: NodeDevices, sort: int, pattern: NDArray[np.int32]) -> Plan:
        """Shares and instances, whole devices behind them; empty where whole devices are counted."""
        if not self._has_parts(node, pattern):
            return Plan()
        held = pattern.astype(np.int64)
        devices = Devices(
            self._need,
            by_size(self._need, self._claimed),
            np.ascontiguousarray(self._mig),
            np.array([node.packing_row(self._asked.models, sort)], dtype=np.int64),
            self._geometries,
            self._most,
            np.zeros(len(self._instance.resources), dtype=np.int64),
            self._claimed,
        )
        cuts = np.empty(max(node.count, 1), dtype=np.int64)
        is_whole = self._need[:, NEED_MILLI] >= WHOLE_GPU_MILLI
        if node.sharing.strategy is SharingStrategy.EXCLUSIVE:
            is_whole = np.ones_like(is_whole)
        asked = held * (self._need[:, NEED_COUNT] + self._claimed[sort + 1])
        whole = int(asked[is_whole].sum())
        free = node.count - whole
        cut = int(gpus_cut(devices, devices.room[0], held, free, cuts))
        left = free - cut
        placed = np.empty((int(asked[~is_whole].sum()), 3), dtype=np.int64)
        fits = left >= 0 and place_shares(devices, devices.room[0], held, left, placed, MOST_STEPS)
        assert fits, "a pattern that the search made does not fit the devices of its node"
        found = [Piece(i, pod, cut + device) for i, pod, device in placed.tolist()]
        if cut and node.mig is not None:
            model = self._asked.models.index(node.mig.gpu_model)
            found += self._instances(node.mig, held, self._geometries[model][cuts[:cut]])
        found.sort(key=lambda piece: (piece.device, piece.start, piece.i, piece.pod))
        used = 1 + max((piece.device for piece in found), default=-1)
        return Plan(
            tuple(found),
            is_told=True,
            first_whole=cut + left,  # whole devices are the last ones
            devices=node.count if whole else used,
            states_memory=bool((self._need[pattern > 0, NEED_MEMORY] > 0).any()),
        )

    def _has_parts(self, node: NodeDevices, pattern: NDArray[np.int32]) -> bool:
        """Whether any pod of the pattern has less than whole devices on such a node."""
        held = pattern > 0
        if node.mig is not None and self._mig[held].any():
            return True
        has_share = states_share(self._need[held])
        return node.sharing.strategy is SharingStrategy.FRACTION and bool(has_share.any())

    def _instances(
        self, model: MigModel, held: NDArray[np.int64], cuts: NDArray[np.int64]
    ) -> Iterator[Piece]:
        """MIG instances of the pods on the first GPUs, cut by these geometries (gpu, profile)."""
        waiting: list[list[tuple[int, int]]] = []
        for f in range(len(self._asked.profiles)):
            pods: list[tuple[int, int]] = []
            for i in np.flatnonzero((held > 0) & (self._mig[:, f] > 0)).tolist():
                for pod in range(int(held[i])):
                    pods += [(i, pod)] * int(self._mig[i, f])
            waiting.append(pods[::-1])
        for gpu, geometry in enumerate(cuts.tolist()):
            chosen: list[tuple[MigProfile, tuple[int, int]]] = []
            for f, name in enumerate(self._asked.profiles):
                profile = model.profile(name)
                if profile is not None:
                    number = min(geometry[f], len(waiting[f]))
                    chosen += [(profile, waiting[f].pop()) for _ in range(number)]
            starts = _starts([profile for profile, _ in chosen], 0)
            assert starts is not None, "a geometry that the model does not allow"
            for (profile, (i, pod)), start in zip(chosen, starts, strict=True):
                yield Piece(i, pod, gpu, profile.name, start)


def _classes_with_claims(instance: Instance) -> NDArray[np.bool_]:
    """Classes of which some pods claim devices: bool array (i,)."""
    result = np.zeros(instance.n_classes, dtype=bool)
    kinds, localized = instance.origin.kinds, instance.origin.localized
    if instance.origin.claimed.is_empty:
        return result
    has_claims = [
        bool(kinds.shared[k] or own_claims(kinds.placements[p])) for k, p in enumerate(kinds.placement_of)
    ]
    for i, content in zip(instance.origin.class_of_local.tolist(), localized.contents, strict=True):
        if i >= 0:
            result[i] |= any(has_claims[k] for k, _ in content)
    return result


def _nth(ranges: Sequence[PodRange], number: int) -> tuple[int, int]:
    """Workload and ordinal of a pod, given its number among these."""
    for pods in ranges:
        if number < pods.count:
            return pods.workload, pods.first + number
        number -= pods.count
    raise IndexError(number)


def _starts(profiles: Sequence[MigProfile], taken: int) -> list[int] | None:
    """Legal first slices of these instances beside the slices of the bit set ``taken``; None if none."""
    if not profiles:
        return []
    mask = (1 << profiles[0].size) - 1
    for start in profiles[0].starts:
        if not taken & mask << start:
            rest = _starts(profiles[1:], taken | mask << start)
            if rest is not None:
                return [start, *rest]
    return None
