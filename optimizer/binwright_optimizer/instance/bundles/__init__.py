"""Pods that come to a node together, as one item.

Some rules ask for pods to be *beside* others: required pod affinity by hostname, gangs and volumes that
want one node. A part of an allowed set of pods then need not be allowed, while all searches rely on it.
So kinds of pods that such rules bind are placed in *bundles*, sets of pods that are right by themselves:
the whole of a group that wants one node, or one pod that others want to be near with some of those. A
bundle is an item like any pod, with the requests of its pods; whatever bundles and pods a node holds,
every part of them may stay alone. How many bundles of which content there are is linked by rows: their
pods add up to the demand (see `domains`).
"""

from binwright_optimizer.instance.bundles.build import bundles_of
from binwright_optimizer.instance.bundles.bundle import NO_BUNDLES, Bundle, Bundles, Content

__all__ = ["NO_BUNDLES", "Bundle", "Bundles", "Content", "bundles_of"]
