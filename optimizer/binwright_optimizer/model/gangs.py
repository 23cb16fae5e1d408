"""Gangs: pods that are placed all together or not at all.

The word of the field is *pod group*; here it is gang, because a pod class is a group of pods too.
Read from Kueue (``kueue.x-k8s.io/pod-group-name``), Volcano and coscheduling PodGroups, Kubernetes'
own PodGroups (``scheduling.k8s.io``) and our annotations.
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError


@dataclass(frozen=True, slots=True)
class GangTopology:
    """Members within one domain of a node label: a zone, a NodePool, a rack.

    ``is_required`` False makes it a wish.
    """

    topology_key: str
    is_required: bool = True

    def __post_init__(self) -> None:
        if not self.topology_key:
            raise WrongFieldError("topology_key", "", "must name a node label")


@dataclass(frozen=True, slots=True)
class Gang:
    """A set of pods of one namespace of which at least ``min_members`` run, or none.

    Its members are the workloads, and running pods, whose ``gang`` is its name.

    Parameters
    ----------
    min_members
        Fewest members placed, those already running included, if any is placed; None means all.
    topology
        Same-domain rules that hold for all members placed.

    Raises
    ------
    WrongFieldError
        If a field is out of range.
    """

    name: str
    namespace: str = "default"
    min_members: int | None = None
    topology: tuple[GangTopology, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise WrongFieldError("name", "", "must not be empty")
        if self.min_members is not None and not 1 <= self.min_members < 2**31:
            raise WrongFieldError("min_members", self.min_members, "must be at least 1")
        keys = [rule.topology_key for rule in self.topology]
        for key in keys:
            if keys.count(key) > 1:
                raise WrongFieldError("topology", key, "is named twice")
