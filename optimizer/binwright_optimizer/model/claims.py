"""Dynamic resource allocation: devices that pods claim by class and by conditions.

Structured parameters of ``resource.k8s.io`` (https://kubernetes.io/docs/concepts/scheduling-eviction/
dynamic-resource-allocation/). A claim is met by whole devices of one node, which no other claim and no pod
that requests devices has; all devices of a node are alike. A request with alternatives takes the first that
the node can meet when nothing new is on it: of all combinations over the requests of a claim, the first
in lexicographic order.
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.cel import DeviceSelector

MOST_DEVICES = 32
"""Devices of one request, as Kubernetes' AllocationResultsMaxSize."""
MOST_REQUESTS = 32
"""Requests of one claim, as Kubernetes' DeviceRequestsMaxSize."""
MOST_ALTERNATIVES = 8
"""Alternatives of one request, as Kubernetes' FirstAvailableDeviceRequestMaxSize."""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Devices of one class; the selectors of its DeviceClass are among its own.

    Parameters
    ----------
    selectors
        What each device must pass, all of them.
    count
        Devices; 0 means all that a node has (``allocationMode: All``), of which none may be taken already.
    is_admin
        Whether it only watches devices that others may have (``adminAccess``): they must be there, and
        none is taken.
    """

    name: str
    device_class: str
    selectors: tuple[DeviceSelector, ...] = ()
    count: int = 1
    is_admin: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise WrongFieldError("name", "", "must not be empty")
        if not 0 <= self.count <= MOST_DEVICES:
            raise WrongFieldError("count", self.count, f"must be in 0..{MOST_DEVICES}, 0 for all")


@dataclass(frozen=True, slots=True)
class DeviceClaim:
    """A ResourceClaim as a pod uses it.

    Parameters
    ----------
    name
        Claim that pods share, within their namespace; empty if each pod has its own (a template).
    requests
        Each an ordered choice of alternatives (``firstAvailable``), of which one must be met.
    match_attributes
        Attributes that must be there, and equal, on all devices of the claim.
    title
        What the pod calls it (``spec.resourceClaims[].name``); for messages.
    node
        Node where the claim is allocated already; empty if it is not.
    missing
        What it names and nobody knows, in words; empty if nothing. kube-scheduler leaves the pods of such a
        claim pending, so that no node meets it unless it has its devices already.
    """

    name: str = ""
    requests: tuple[tuple[DeviceRequest, ...], ...] = ()
    match_attributes: tuple[str, ...] = ()
    title: str = ""
    node: str = ""
    missing: str = ""

    def __post_init__(self) -> None:
        if len(self.requests) > MOST_REQUESTS:
            raise WrongFieldError("requests", len(self.requests), f"must be at most {MOST_REQUESTS}")
        for index, alternatives in enumerate(self.requests):
            if not alternatives:
                raise WrongFieldError(f"requests[{index}]", "", "needs at least one alternative")
            if len(alternatives) > MOST_ALTERNATIVES:
                raise WrongFieldError(
                    f"requests[{index}]", len(alternatives), f"has more than {MOST_ALTERNATIVES} alternatives"
                )
        if self.node and not self.name:
            raise WrongFieldError("node", self.node, "goes with a claim that has a name")

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.title or self.name or "(without a name)"
