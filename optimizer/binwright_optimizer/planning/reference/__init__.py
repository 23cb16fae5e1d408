"""The reference platform: 300 nodes in three AWS regions, what they really cost, and what would do.

`platform` states it as it is given, `demand` derives what it serves, `findings` holds the stated budget
against the catalogue, and `compare` puts the optimal mixes and the sizing rule beside it.
"""

from binwright_optimizer.planning.reference.compare import Comparison, RegionMixes, compare
from binwright_optimizer.planning.reference.demand import Split, reference_workloads
from binwright_optimizer.planning.reference.findings import Finding, findings
from binwright_optimizer.planning.reference.platform import (
    BUDGET,
    POOLS,
    REGIONS,
    STATED_TOTAL_USD,
    BudgetLine,
    ReferencePool,
    ReferenceRegion,
    reference_mix,
)

__all__ = [
    "BUDGET",
    "POOLS",
    "REGIONS",
    "STATED_TOTAL_USD",
    "BudgetLine",
    "Comparison",
    "Finding",
    "ReferencePool",
    "ReferenceRegion",
    "RegionMixes",
    "Split",
    "compare",
    "findings",
    "reference_mix",
    "reference_workloads",
]
