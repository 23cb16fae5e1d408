"""After the search: pods and nodes move where that costs less than the wishes between pods it meets.

The packing stays one that the instance allows. A node to be bought may become another that no pod on it can
tell from the first: of the same type in another zone, or with another value of a label that its NodePool
leaves open. Pods go to nodes that hold them, change places with others, or open a node. Each step lowers
dollars and penalties together, the first that does is taken, and where none does the answer stands, unless
another start (`second_start`) finds a better one.
"""

from __future__ import annotations

from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.pod_wishes import PodWishes
from binwright_optimizer.settle.moves import Moves
from binwright_optimizer.settle.nodes import Nodes
from binwright_optimizer.settle.settled import Settled
from binwright_optimizer.stopping import Stop

MOST_STEPS = 200_000
"""Steps that are tried, whatever time is left: the answer does not depend on a clock where they are few."""
STEP_UNITS = 40.0
"""Units of work of a step, measured on 10,000 pods of 300 workloads."""


def settle(
    instance: Instance, packing: Packing, wishes: PodWishes, stop: Stop, most_units: float | None = None
) -> Settled:
    """A placement of the same pods that costs no more, wishes between pods counted.

    Parameters
    ----------
    most_units
        Units of `work` that may be done; None leaves it to ``stop`` and `MOST_STEPS`.
    """
    nodes = Nodes(instance, packing, wishes)
    most_steps = MOST_STEPS if most_units is None else min(MOST_STEPS, int(most_units / STEP_UNITS))
    moves = Moves(instance, nodes, wishes, stop, most_steps)
    moves.run()
    return Settled(nodes.placed(), packing.cost - packing.charge + moves.dollars)
