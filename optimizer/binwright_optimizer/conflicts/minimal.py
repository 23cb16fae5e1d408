"""A minimal set that cannot be kept, by divide and conquer.

U. Junker, QuickXplain: preferred explanations and relaxations for over-constrained problems, AAAI 2004,
https://cdn.aaai.org/AAAI/2004/AAAI04-027.pdf: about k log(n / k) questions for k of n constraints, where
deletion one by one asks n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def minimal_conflict(
    constraints: Sequence[int], can_keep: Callable[[frozenset[int]], bool]
) -> tuple[int, ...] | None:
    """Constraints that cannot be kept together, though all but any one of them can; None if all can.

    Parameters
    ----------
    can_keep
        Whether a set can be kept; if it can, so can each part of it.

    Examples
    --------
    1 and 3 exclude each other:

    >>> minimal_conflict(range(5), lambda kept: not {1, 3} <= kept)
    (1, 3)
    """
    if can_keep(frozenset(constraints)):
        return None

    def search(kept: frozenset[int], is_fresh: bool, rest: Sequence[int]) -> list[int]:
        if is_fresh and not can_keep(kept):
            return []
        if len(rest) == 1:
            return list(rest)
        half = len(rest) // 2
        first, second = rest[:half], rest[half:]
        of_second = search(kept.union(first), bool(first), second)
        of_first = search(kept.union(of_second), bool(of_second), first)
        return of_first + of_second

    if not constraints or not can_keep(frozenset()):
        return ()
    return tuple(sorted(search(frozenset(), False, list(constraints))))
