"""Rules about numbers of pods in domains: zones, capacity types, spot pools, or any other node label.

A kind of pod that such a rule speaks of is split into *local kinds*, one per domain, each admitted
only to the candidates of that domain, so that its patterns need no further rule. What is left is a
system of linear rows over the numbers ``y`` of pods per kind and domain (`Linking`). Column generation
solves it together with the master; whole-number answers first allocate pods to domains, then pack.
"""

from binwright_optimizer.instance.domains.eligibility import Eligibility
from binwright_optimizer.instance.domains.linking import Linking
from binwright_optimizer.instance.domains.localize import Localized, localize
from binwright_optimizer.instance.domains.rows import linking_of

__all__ = ["Eligibility", "Linking", "Localized", "linking_of", "localize"]
