"""Flavours of Kubernetes: vanilla, EKS, GKE, AKS and bare metal, at real prices and stated assumptions.

`catalogue` says what each is and what its control plane and support cost, `bare_metal` what a server of
one's own costs an hour, `operations` how many hours people spend. `cost` lets the engine buy the same
workloads from each flavour's price list, so that the clouds are mapped onto each other by solving, not by
a table of look-alikes. `requirements` filters, `score` weighs what is left and says which weight would
change the winner.
"""

from binwright_optimizer.planning.flavors.catalogue import FLAVORS, Area, Flavor, SupportLevel, Tier
from binwright_optimizer.planning.flavors.cost import FlavorCost, costs_at
from binwright_optimizer.planning.flavors.requirements import Exclusion, Needs, admit
from binwright_optimizer.planning.flavors.score import CRITERIA, Flip, Recommendation, recommend

__all__ = [
    "CRITERIA",
    "FLAVORS",
    "Area",
    "Exclusion",
    "Flavor",
    "FlavorCost",
    "Flip",
    "Needs",
    "Recommendation",
    "SupportLevel",
    "Tier",
    "admit",
    "costs_at",
    "recommend",
]
