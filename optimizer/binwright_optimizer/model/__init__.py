"""The domain: frozen dataclasses of exact integers, standard library only."""

from binwright_optimizer.model.cluster import DaemonSet, ExistingNode
from binwright_optimizer.model.decision import (
    HOURS_PER_MONTH,
    Alternative,
    Certificate,
    Decision,
    ExistingPlacement,
    NodeClaim,
    PhaseTiming,
    PodRange,
    Refusal,
    SolutionStatus,
    StopReason,
    Unschedulable,
    relative_gap,
)
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import (
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PriceSource,
)
from binwright_optimizer.model.pods import PodTemplate, PreferredTerm, Workload
from binwright_optimizer.model.problem import Problem
from binwright_optimizer.model.requirements import NodeSelectorTerm, Operator, Requirement
from binwright_optimizer.model.resources import Container, Resources, effective_request
from binwright_optimizer.model.taints import Taint, TaintEffect, Toleration

__all__ = [
    "HOURS_PER_MONTH",
    "Alternative",
    "CapacityType",
    "Catalog",
    "Certificate",
    "Container",
    "DaemonSet",
    "Decision",
    "ExistingNode",
    "ExistingPlacement",
    "InstanceType",
    "NodeClaim",
    "NodePool",
    "NodeSelectorTerm",
    "Offering",
    "Operator",
    "PhaseTiming",
    "PodRange",
    "PodTemplate",
    "PreferredTerm",
    "PriceSource",
    "Problem",
    "Refusal",
    "Requirement",
    "Resources",
    "SolutionStatus",
    "StopReason",
    "Taint",
    "TaintEffect",
    "Toleration",
    "Unschedulable",
    "Workload",
    "effective_request",
    "relative_gap",
]
