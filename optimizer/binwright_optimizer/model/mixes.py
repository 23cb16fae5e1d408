"""Packed mixes: nodes by pattern, with what proves that they are enough and that little less would be.

A pattern counts pods by the place of their workload in the list that the mix was packed for, so that
equal nodes are a number and not copies.
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.decision import Certificate, relative_gap
from binwright_optimizer.model.offerings import CapacityType


@dataclass(frozen=True, slots=True, order=True)
class NodePattern:
    """One node with its pods: pairs (place of the workload, pods), places rising, pods above zero."""

    node_pool: str
    instance_type: str
    region: str
    zone: str
    capacity_type: CapacityType
    price_microusd_per_hour: int
    pods: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PackedMix:
    """Nodes that hold some pods of each workload, and the proof of a bound on what they must cost.

    Parameters
    ----------
    nodes
        Pairs (pattern, number of such nodes).
    bound_microusd_per_hour
        Proven by ``certificate``: no nodes hold these pods for less.
    certificate
        Prices of pods in the order of the workloads.
    """

    nodes: tuple[tuple[NodePattern, int], ...]
    cost_microusd_per_hour: int
    bound_microusd_per_hour: int
    certificate: Certificate

    @property
    def gap(self) -> float:
        """(cost - bound) / cost."""
        return relative_gap(self.cost_microusd_per_hour, self.bound_microusd_per_hour)


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed mix of workloads of a longer list: ``places`` says where in it each of the mix's own is."""

    mix: PackedMix
    places: tuple[int, ...]
