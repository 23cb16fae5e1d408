"""Verification of capacity plans: cost and bound proven again from the saved plan and the forecast alone.

Nothing here is shared with `planning`, which makes plans: demand, commitments, costs and the bound are worked
out once more from the domain model, in whole numbers and fractions. What the forecast means is stated in
`demand` and `commitments`, what is checked in `check`.
"""

from binwright_optimizer.verify.plan.check import PlanFindings, verify_plan
from binwright_optimizer.verify.plan.churn import HeldNodes
from binwright_optimizer.verify.plan.document import UnverifiableError

__all__ = ["HeldNodes", "PlanFindings", "UnverifiableError", "verify_plan"]
