"""Which constraints contradict each other where pods find no place: a minimal set of them, by name.

For pods left out, the smallest part of the problem is looked for that has no solution by itself: one pod,
its workload, the workloads that rules link it with. Of that part, everything that its manifests state and
that could be left unsaid is a constraint (`stated`), and QuickXplain (`minimal`) finds a set of them that
cannot be kept together, while any of its constraints could be dropped to keep the others.
"""

from binwright_optimizer.conflicts.find import conflict_reserve_s, conflicts_of

__all__ = ["conflict_reserve_s", "conflicts_of"]
