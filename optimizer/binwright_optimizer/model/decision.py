"""An answer: nodes to buy, where each pod goes, and the proof of how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.resources import Resources

HOURS_PER_MONTH = 730
"""Hours in a month, as cloud price lists count it: 8,760 / 12."""


class SolutionStatus(StrEnum):
    """What we hold."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    NONE = "none"


class StopReason(StrEnum):
    """Why the search ended."""

    OPTIMAL = "optimal"
    GAP = "gap"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    EXHAUSTED = "exhausted"
    WORK_LIMIT = "work limit"


@dataclass(frozen=True, slots=True)
class PodRange:
    """Replicas ``first`` to ``first + count - 1`` of the workload with index ``workload``."""

    workload: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What pods have of one device of their node: which GPU a share is on, how a GPU is cut.

    Each pod of the range has its `GpuShare` of the device (all of it if it states none), or one MIG
    instance; a pod that asks for several devices or instances is in as many entries.

    Parameters
    ----------
    device
        Number of the device on its node, from 0; on a running node only devices free of other pods
        are numbered, or the only device it has.
    profile, start
        MIG profile and the memory slice it begins at; empty and 0 where the device is not cut.
    claim
        What the pods call the claim that the device is given for; empty if they request it.
    """

    device: int
    pods: PodRange
    profile: str = ""
    start: int = 0
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """An instance type that would also hold a NodeClaim's pods in its zone and capacity type."""

    instance_type: str
    price_microusd_per_hour: int


@dataclass(frozen=True, slots=True)
class Cover:
    """What a commitment pays of one node.

    Parameters
    ----------
    commitment
        Name of the reservation, which pays all but its own price, or of the savings plan.
    microusd_per_hour
        What the node takes from a savings plan; 0 for a reservation.
    """

    commitment: str
    microusd_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class CommitmentUse:
    """How much of a commitment is used: nodes of a reservation, micro-dollars per hour of a savings plan.

    Parameters
    ----------
    held
        All there is.
    running
        What nodes that run already use.
    used
        What the NodeClaims use.
    """

    commitment: str
    is_reservation: bool
    held: int
    running: int
    used: int

    @property
    def unused(self) -> int:
        """What is paid for and used by nobody."""
        return self.held - self.running - self.used


@dataclass(frozen=True, slots=True)
class AcceleratorUse:
    """Accelerators of one resource on all nodes bought; amounts in devices, thousandths and micro-dollars.

    A pod with a share of a GPU uses its thousandths or its part of the device's memory (rounded up),
    whichever is more: either keeps others off the device. All pods of a device use at most all of it.

    A device is stranded if nobody uses it although it is bought, and nothing of the problem that asks for
    one fits beside the pods of its node any more: CPU, memory or pod slots are full. Its cost is its share
    of what the node costs beyond the cheapest node without accelerators that has as much CPU and memory, in
    the same zone and bought in the same way, rounded down for each node; of all the node costs if there is
    none. What is paid already costs nothing.
    """

    resource: str
    bought: int = 0
    used_milli: int = 0
    stranded_milli: int = 0
    unused_microusd: int = 0
    stranded_microusd: int = 0


@dataclass(frozen=True, slots=True)
class NodeClaim:
    """One node to buy.

    Parameters
    ----------
    price_microusd_per_hour
        What it costs on top of what is sunk: what ``covers`` pay is taken off.
    labels
        All labels of the node but its hostname, as sorted pairs.
    requests
        Sum of the requests of its pods, pod slots included, without daemons. Where ``devices`` says what
        is on each GPU, GPUs are counted by how many are in use.
    allocatable
        Allocatable of the instance type, before daemons.
    daemon_overhead
        Requests of the daemons that land on it, pod slots included.
    alternatives
        Instance types of the same pool, zone and capacity type that would also hold these
        pods, cheapest first; the first is the chosen one.
    devices
        Which devices its pods are on, where any has a share of a GPU, a MIG instance or a claim.
    covers
        Commitments that pay for it: one reservation, or savings plans.
    """

    name: str
    node_pool: str
    instance_type: str
    region: str
    zone: str
    capacity_type: CapacityType
    price_microusd_per_hour: int
    labels: tuple[tuple[str, str], ...]
    requests: Resources
    allocatable: Resources
    daemon_overhead: Resources
    pods: tuple[PodRange, ...]
    alternatives: tuple[Alternative, ...] = ()
    devices: tuple[DeviceUse, ...] = ()
    covers: tuple[Cover, ...] = ()


@dataclass(frozen=True, slots=True)
class ExistingPlacement:
    """Pods that go to a node already running."""

    node: str
    pods: tuple[PodRange, ...]
    devices: tuple[DeviceUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One constraint and how many offerings and existing nodes it refuses.

    ``constraint`` is a short stable word (``cpu``, ``taint``, ``node-affinity``, ``gang``, ``limit`` ...,
    ``undecided`` where the time ended before it was known); ``message`` says it in full.
    """

    constraint: str
    refused: int
    message: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Constraints that no placement keeps together, whatever other pods do; without any one of them one may.

    Parameters
    ----------
    constraints
        In the words of the manifests; empty if nothing stated matters, since no node can be had at all.
    relaxation
        The one to drop at least cost, so that all pods concerned have a place; empty if dropping one is
        not enough.
    relaxed_cost_microusd_per_hour
        What nodes for them would cost then, if they had nodes to themselves.
    """

    constraints: tuple[str, ...]
    relaxation: str = ""
    relaxed_cost_microusd_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """Pods of one workload that were not placed, and why.

    Parameters
    ----------
    nearest_miss
        The offering that comes closest and what it lacks, devices first; empty if some hold such a pod,
        but for what it asks beside room and devices, or if none comes into question.
    conflict
        What contradicts each other; None if there is a place but for other pods.
    """

    pods: PodRange
    refusals: tuple[Refusal, ...]
    nearest_miss: str = ""
    conflict: Conflict | None = None


@dataclass(frozen=True, slots=True)
class LocalPrices:
    """Dual prices of the pods of equal workloads by where they are placed.

    Parameters
    ----------
    workloads
        Indices of the workloads; no other entry names them.
    prices
        Pairs (label values, price of a pod on a node that carries them all); a value of None means
        that the node lacks the label. The first pair whose labels a node has counts, on any other
        node a pod is worth nothing.
    """

    workloads: tuple[int, ...]
    prices: tuple[tuple[tuple[tuple[str, str | None], ...], int], ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Dual prices that prove the lower bound; whoever doubts the bound evaluates them.

    With S = 2**`scale_bits`, the integers below are micro-dollars per hour times S.

    Parameters
    ----------
    pod_prices
        ``pod_prices[w]`` is the dual price of one pod of workload ``w``; at least zero.
    limit_prices
        Triples (NodePool, resource, dual price of one unit of its limit); resource ``nodes``
        is the cap on the number of nodes.
    minimum_prices
        Pairs (NodePool, dual price of its minimum number of nodes).
    level_prices
        Pairs (micro-dollars per hour, dual price of the number of nodes bought that cost at least
        so much). They count where a `Split` above bounds that number: from below if positive, from
        above if negative.
    local_prices
        Prices by domain of the workloads that rules spread over domains; their ``pod_prices`` are of
        no account.
    commitment_prices
        Pairs (commitment, dual price of a node of a reservation or of a micro-dollar of a savings plan).
    split
        If any, both sides of the split prove their own bound; the prices above, if there are any, hold
        for any number of pods and prove less.

    Notes
    -----
    Any such numbers prove a bound, good duals prove a good one: see `verify.bound`.
    """

    scale_bits: int
    pod_prices: tuple[int, ...]
    limit_prices: tuple[tuple[str, str, int], ...] = ()
    minimum_prices: tuple[tuple[str, int], ...] = ()
    level_prices: tuple[tuple[int, int], ...] = ()
    local_prices: tuple[LocalPrices, ...] = ()
    commitment_prices: tuple[tuple[str, int], ...] = ()
    split: Split | None = None

    def leaves(self) -> int:
        """How many sets of prices it holds."""
        return 1 if self.split is None else self.split.fewer.leaves() + self.split.more.leaves()


@dataclass(frozen=True, slots=True)
class Split:
    """Two cases of which one holds for every decision; the bound is the lower of theirs.

    Parameters
    ----------
    level_microusd_per_hour
        What is counted: nodes bought that cost at least so much.
    at_most
        In ``fewer`` there are at most so many of them, in ``more`` at least one more.
    """

    level_microusd_per_hour: int
    at_most: int
    fewer: Certificate
    more: Certificate


@dataclass(frozen=True, slots=True)
class PhaseTiming:
    """Seconds spent in one phase of the solve."""

    phase: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Penalty:
    """A wish of a workload that a decision does not meet for some of its pods, priced.

    Parameters
    ----------
    workload
        Its index.
    wish
        In words.
    pods
        How many of its pods go without.
    microusd_per_hour
        What that weighs, at the exchange rate of `Policies`.
    """

    workload: int
    wish: str
    pods: int
    microusd_per_hour: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a `Problem`.

    Parameters
    ----------
    cost_microusd_per_hour
        Sum of the prices of the NodeClaims.
    bound_microusd_per_hour
        Proven: no decision that places at least the pods placed here has a smaller total.
    warnings
        What the user should know, such as constraints that are not enforced.
    commitments
        How much of each commitment is used.
    interruption_microusd_per_hour
        Expected cost of interruptions of the pods placed on spot capacity.
    penalties
        Preferences that are not met.
    accelerators
        Use of every accelerator resource that is bought, by name.
    """

    status: SolutionStatus
    stop_reason: StopReason
    cost_microusd_per_hour: int
    bound_microusd_per_hour: int
    node_claims: tuple[NodeClaim, ...]
    existing_placements: tuple[ExistingPlacement, ...]
    unschedulable: tuple[Unschedulable, ...]
    certificate: Certificate
    timings: tuple[PhaseTiming, ...] = ()
    warnings: tuple[str, ...] = ()
    commitments: tuple[CommitmentUse, ...] = ()
    interruption_microusd_per_hour: int = 0
    penalties: tuple[Penalty, ...] = ()
    accelerators: tuple[AcceleratorUse, ...] = ()

    @property
    def penalty_microusd_per_hour(self) -> int:
        """What all preferences that are not met weigh together."""
        return sum(penalty.microusd_per_hour for penalty in self.penalties)

    @property
    def total_microusd_per_hour(self) -> int:
        """What is minimised and bounded: the cost of nodes, expected interruptions and penalties."""
        return (
            self.cost_microusd_per_hour + self.interruption_microusd_per_hour + self.penalty_microusd_per_hour
        )

    @property
    def gap(self) -> float:
        """(total - bound) / total; 0 for a free decision."""
        return relative_gap(self.total_microusd_per_hour, self.bound_microusd_per_hour)


def relative_gap(cost: int, bound: int) -> float:
    """(cost - bound) / cost, and 0 where the cost is 0."""
    return (cost - bound) / cost if cost > 0 else 0.0
