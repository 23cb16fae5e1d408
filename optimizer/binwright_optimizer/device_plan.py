"""Which pod is on which device of its node: the packing of shares and cuts, with names at last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
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
    NodeDevices,
    by_size,
    mig_tables,
    needs,
)
from binwright_optimizer.model import DeviceUse, PodRange, SharingStrategy
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import MigModel, MigProfile


@dataclass(frozen=True, slots=True)
class Piece:
    """One use of a device: ``pod`` counts the pods of a pattern, class by class."""

    pod: int
    device: int
    profile: str = ""
    start: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The devices of a pattern's pods, by device.

    Parameters
    ----------
    states_memory
        Whether any share on it states a memory.
    """

    pieces: tuple[Piece, ...] = ()
    states_memory: bool = False

    @property
    def devices(self) -> int:
        """Devices in use."""
        return len({piece.device for piece in self.pieces})

    def fits(self, others: DeviceColumns, own: int) -> NDArray[np.bool_]:
        """Rows whose devices hold, one for one, what those of row ``own`` hold: bool array (row,)."""
        result = others.count > max((piece.device for piece in self.pieces), default=-1)
        if self.states_memory:
            result &= others.memory >= others.memory[own]
        if any(piece.profile for piece in self.pieces):
            result &= others.model == others.model[own]
        return result

    def uses(self, pods: Sequence[PodRange]) -> tuple[DeviceUse, ...]:
        """The plan with names, given the pods of the pattern in order."""
        if not self.pieces:
            return ()
        names = [(r.workload, r.first + n) for r in pods for n in range(r.count)]
        found: list[DeviceUse] = []
        for piece in self.pieces:
            workload, ordinal = names[piece.pod]
            last = found[-1] if found else None
            if (
                last is not None
                and not piece.profile
                and (last.device, last.profile, last.pods.workload) == (piece.device, "", workload)
                and last.pods.first + last.pods.count == ordinal
            ):
                pods_of = PodRange(workload, last.pods.first, last.pods.count + 1)
                found[-1] = DeviceUse(piece.device, pods_of)
            else:
                pod = PodRange(workload, ordinal, 1)
                found.append(DeviceUse(piece.device, pod, piece.profile, piece.start))
        return tuple(found)


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
        if self._asked.any:
            self._need, self._mig = needs(instance.requests, instance.resources, self._asked.profiles)
            self._geometries, self._most = mig_tables(self._asked.models, self._asked.profiles)

    def node(self, j: int, existing: int = -1) -> NodeDevices | None:
        """GPUs of a candidate, or of the running node ``existing``; None if nobody asks for parts of any."""
        instance = self._instance
        if not self._asked.any:
            return None
        if existing >= 0:
            return NodeDevices.of_node(instance.problem.existing_nodes[existing], instance.problem)
        part = instance.origin.shelved[instance.variant_of[j]]
        found: NodeDevices = part.devices[int(np.searchsorted(part.rows, instance.row_of[j]))]
        return found

    def plan(self, node: NodeDevices | None, pattern: NDArray[np.int32]) -> Plan:
        """Where the pods of a pattern stand; empty where whole devices are counted."""
        if node is None or not self._has_parts(node, pattern):
            return Plan()
        held = pattern.astype(np.int64)
        devices = Devices(
            self._need,
            by_size(self._need),
            np.ascontiguousarray(self._mig),
            np.array([node.packing_row(self._asked.models)], dtype=np.int64),
            self._geometries,
            self._most,
            np.zeros(len(self._instance.resources), dtype=np.int64),
        )
        cuts = np.empty(max(node.count, 1), dtype=np.int64)
        is_whole = self._need[:, NEED_MILLI] >= WHOLE_GPU_MILLI
        if node.sharing.strategy is SharingStrategy.EXCLUSIVE:
            is_whole = np.ones_like(is_whole)
        asked = held * self._need[:, NEED_COUNT]
        free = node.count - int(asked[is_whole].sum())
        cut = int(gpus_cut(devices, devices.room[0], held, free, cuts))
        left = free - cut
        placed = np.empty((int(asked[~is_whole].sum()), 3), dtype=np.int64)
        fits = left >= 0 and place_shares(devices, devices.room[0], held, left, placed, MOST_STEPS)
        assert fits, "a pattern that the search made does not fit the devices of its node"
        first = np.concatenate([[0], np.cumsum(held)])
        found = [Piece(int(first[i]) + pod, cut + device) for i, pod, device in placed.tolist()]
        device = cut + left  # whole devices are the last ones
        for i in np.flatnonzero(is_whole & (asked > 0)).tolist():
            for pod in range(int(held[i])):
                for _ in range(int(self._need[i, NEED_COUNT])):
                    found.append(Piece(int(first[i]) + pod, device))
                    device += 1
        if cut and node.mig is not None:
            model = self._asked.models.index(node.mig.gpu_model)
            found += self._instances(node.mig, held, first, self._geometries[model][cuts[:cut]])
        found.sort(key=lambda piece: (piece.device, piece.start, piece.pod))
        states_memory = bool((self._need[pattern > 0, NEED_MEMORY] > 0).any())
        return Plan(tuple(found), states_memory)

    def _has_parts(self, node: NodeDevices, pattern: NDArray[np.int32]) -> bool:
        """Whether any pod of the pattern has less than whole devices on such a node."""
        held = pattern > 0
        if node.mig is not None and self._mig[held].any():
            return True
        is_share = self._need[:, NEED_MILLI] < WHOLE_GPU_MILLI
        is_share = (is_share | (self._need[:, NEED_MEMORY] > 0)) & (self._need[:, NEED_COUNT] > 0)
        return node.sharing.strategy is SharingStrategy.FRACTION and bool(is_share[held].any())

    def _instances(
        self, model: MigModel, held: NDArray[np.int64], first: NDArray[np.int64], cuts: NDArray[np.int64]
    ) -> Iterator[Piece]:
        """MIG instances of the pods on the first GPUs, cut by these geometries (gpu, profile)."""
        waiting: list[list[int]] = []
        for f in range(len(self._asked.profiles)):
            pods: list[int] = []
            for i in np.flatnonzero((held > 0) & (self._mig[:, f] > 0)).tolist():
                for pod in range(int(held[i])):
                    pods += [int(first[i]) + pod] * int(self._mig[i, f])
            waiting.append(pods[::-1])
        for gpu, geometry in enumerate(cuts.tolist()):
            chosen: list[tuple[MigProfile, int]] = []
            for f, name in enumerate(self._asked.profiles):
                profile = model.profile(name)
                if profile is not None:
                    number = min(geometry[f], len(waiting[f]))
                    chosen += [(profile, waiting[f].pop()) for _ in range(number)]
            starts = _starts([profile for profile, _ in chosen], 0)
            assert starts is not None, "a geometry that the model does not allow"
            for (profile, pod), start in zip(chosen, starts, strict=True):
                yield Piece(pod, gpu, profile.name, start)


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
