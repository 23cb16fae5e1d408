"""Simulated failover: a zone, a spot pool or a region is gone; what is rescheduled where, and what is lost.

`bought` is what a plan runs in every hour, `standing` the nodes of one block of hours with their pods on
them, `losses` what may fail, `simulate` what then happens, checked by the verifier.
"""

from binwright_optimizer.planning.failover.bought import Bought, bought_by, bought_in
from binwright_optimizer.planning.failover.losses import Loss, LossKind, Moved, Outcome
from binwright_optimizer.planning.failover.simulate import Failover

__all__ = ["Bought", "Failover", "Loss", "LossKind", "Moved", "Outcome", "bought_by", "bought_in"]
