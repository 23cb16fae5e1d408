"""Items of the knapsack, before equal ones share a class: pods, and bundles of pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles import Content
from binwright_optimizer.instance.bundles.bundle import ContentSums
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.stated import Rules


@dataclass(frozen=True, slots=True)
class Items:
    """What items are in sum.

    Parameters
    ----------
    requests
        int64 array (item, r).
    demand
        int64 array (item,): how many there may be.
    priority
        int64 array (item,): the highest of their pods.
    texts
        What rules about single nodes see of them, in words.
    """

    requests: NDArray[np.int64]
    demand: NDArray[np.int64]
    priority: NDArray[np.int64]
    texts: list[str]

    @classmethod
    def of(
        cls,
        contents: Sequence[Content],
        kinds: Kinds,
        rules: Rules,
        sums: ContentSums,
        demand: NDArray[np.int64],
    ) -> Items:
        """Items of these contents, given the demand of kinds."""
        texts = [rules.node_text(*pair) for pair in zip(kinds.stated, kinds.selected, strict=True)]
        first = np.array([content[0][0] for content in contents], dtype=np.intp)
        result = cls(
            sums.requests[first],
            demand[first].copy(),
            kinds.priority[first],
            [texts[k] for k in first.tolist()],
        )
        for n, content in enumerate(contents):
            if sums.once[content[0][0]]:
                result.requests[n] = sums.of(content)
            if len(content) > 1 or content[0][1] > 1:
                result.requests[n] = sums.of(content)
                result.demand[n] = min(int(demand[k]) // pods for k, pods in content)
                result.priority[n] = max(int(kinds.priority[k]) for k, _ in content)
                inside = sorted((texts[k], pods) for k, pods in content if texts[k])
                result.texts[n] = repr(inside) if inside else ""
        return result
