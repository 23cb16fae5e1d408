"""The domain: frozen dataclasses of exact integers, standard library only."""

from binwright_optimizer.model.affinity import PodAffinity, PodAffinityTerm, PreferredPodTerm
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.cel import DeviceSelector
from binwright_optimizer.model.claims import DeviceClaim, DeviceRequest
from binwright_optimizer.model.cluster import DaemonSet, ExistingNode, RunningPods
from binwright_optimizer.model.commitments import Reservation, SavingsPlan
from binwright_optimizer.model.decision import (
    HOURS_PER_MONTH,
    AcceleratorUse,
    Alternative,
    Certificate,
    CommitmentUse,
    Conflict,
    Cover,
    Decision,
    DeviceUse,
    ExistingPlacement,
    LocalPrices,
    NodeClaim,
    Penalty,
    PhaseTiming,
    PodRange,
    Refusal,
    SolutionStatus,
    Split,
    StopReason,
    Unschedulable,
    relative_gap,
)
from binwright_optimizer.model.devices import Device
from binwright_optimizer.model.gangs import Gang, GangTopology
from binwright_optimizer.model.gpu_sharing import GpuShare, GpuSharing, SharingStrategy
from binwright_optimizer.model.namespaces import Namespace
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import (
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PriceSource,
)
from binwright_optimizer.model.overlays import NodeOverlay, PriceChange
from binwright_optimizer.model.pods import PodTemplate, PreferredTerm, Workload
from binwright_optimizer.model.policies import (
    GpuNodePolicy,
    MinValuesPolicy,
    Policies,
    PreferencePolicy,
)
from binwright_optimizer.model.ports import HostPort, Protocol
from binwright_optimizer.model.problem import Problem
from binwright_optimizer.model.requirements import NodeSelectorTerm, Operator, Requirement
from binwright_optimizer.model.resources import Container, Resources, effective_request
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.spot import LossBound, Share, SpotPolicy
from binwright_optimizer.model.taints import Taint, TaintEffect, Toleration
from binwright_optimizer.model.topology import NodeInclusionPolicy, TopologySpread, WhenUnsatisfiable
from binwright_optimizer.model.volumes import AttachLimit, Volume

__all__ = [
    "HOURS_PER_MONTH",
    "AcceleratorUse",
    "Alternative",
    "AttachLimit",
    "CapacityType",
    "Catalog",
    "Certificate",
    "CommitmentUse",
    "Conflict",
    "Container",
    "Cover",
    "DaemonSet",
    "Decision",
    "Device",
    "DeviceClaim",
    "DeviceRequest",
    "DeviceSelector",
    "DeviceUse",
    "ExistingNode",
    "ExistingPlacement",
    "Gang",
    "GangTopology",
    "GpuNodePolicy",
    "GpuShare",
    "GpuSharing",
    "HostPort",
    "InstanceType",
    "LabelSelector",
    "LocalPrices",
    "LossBound",
    "MinValuesPolicy",
    "Namespace",
    "NodeCap",
    "NodeClaim",
    "NodeInclusionPolicy",
    "NodeOverlay",
    "NodePool",
    "NodeSelectorTerm",
    "Offering",
    "Operator",
    "Penalty",
    "PhaseTiming",
    "PodAffinity",
    "PodAffinityTerm",
    "PodRange",
    "PodTemplate",
    "Policies",
    "PreferencePolicy",
    "PreferredPodTerm",
    "PreferredTerm",
    "PriceChange",
    "PriceSource",
    "Problem",
    "Protocol",
    "Refusal",
    "Requirement",
    "Reservation",
    "Resources",
    "RunningPods",
    "SavingsPlan",
    "Share",
    "SharingStrategy",
    "SolutionStatus",
    "Split",
    "SpotPolicy",
    "StopReason",
    "Taint",
    "TaintEffect",
    "Toleration",
    "TopologySpread",
    "Unschedulable",
    "Volume",
    "WhenUnsatisfiable",
    "Workload",
    "effective_request",
    "relative_gap",
]
