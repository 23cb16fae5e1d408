"""The cheapest decision on a tiny problem, by trying them all, and a reading of every rule, pod by pod.

Slow and plain on purpose: nothing is counted by class, no answer is carried over, and no code is shared
with the solver or the verifier. What a rule means is in the docstrings of `binwright_optimizer.model`; how it
is read here is said beside it.

Not read here: shares of GPUs that run already, several savings plans.
"""

from brute_force.commitments import paid
from brute_force.daemons import daemon_overhead
from brute_force.devices import devices_by_pod
from brute_force.fitting import selects_node, tolerates
from brute_force.nodes import Node, Option, Placement, Pod, existing_nodes, node_labels, running_pods
from brute_force.purchase import options
from brute_force.rules import broken_rules
from brute_force.search import cheapest
from brute_force.selection import counts_for, selected
from brute_force.wishes import charges

__all__ = [
    "Node",
    "Option",
    "Placement",
    "Pod",
    "broken_rules",
    "charges",
    "cheapest",
    "counts_for",
    "daemon_overhead",
    "devices_by_pod",
    "existing_nodes",
    "node_labels",
    "options",
    "paid",
    "running_pods",
    "selected",
    "selects_node",
    "tolerates",
]
