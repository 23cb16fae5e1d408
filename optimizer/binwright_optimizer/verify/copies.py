"""Classes of pods, once for everything that their pods may be charged beside the price of a node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.verify.market import Int64Array, Market


@dataclass(frozen=True, slots=True)
class Copies:
    """Classes of pods, each once for everything that its pods may be charged.

    Parameters
    ----------
    of_class, charge
        (copy,): class, and micro-dollars per hour.
    is_admitted
        bool (row, copy).
    """

    of_class: NDArray[np.intp]
    charge: list[int]
    is_admitted: NDArray[np.bool_]

    @classmethod
    def of(cls, shop: Market, classes: NDArray[np.intp]) -> Copies:
        """Copies of these classes."""
        if shop.charge is None:
            return cls(classes, [0] * len(classes), np.ascontiguousarray(shop.is_admitted[:, classes]))
        of_class: list[int] = []
        charge: list[int] = []
        admitted = [np.zeros((len(shop.is_admitted), 0), dtype=bool)]
        for i in classes.tolist():
            mine = shop.is_admitted[:, i]
            for level in np.unique(shop.charge[mine, i]).tolist() or [0]:
                of_class.append(i)
                charge.append(level)
                admitted.append((mine & (shop.charge[:, i] == level))[:, None])
        rows = np.ascontiguousarray(np.concatenate(admitted, axis=1))
        return cls(np.array(of_class, dtype=np.intp), charge, rows)

    def __len__(self) -> int:
        return len(self.of_class)

    def pod(self, prices: Int64Array, bits: int) -> Int64Array:
        """Prices of copies whose charges are part of the prices (class,) of their classes."""
        left = [
            max(0, int(price) - (charge << bits))
            for price, charge in zip(prices[self.of_class], self.charge, strict=True)
        ]
        return np.array(left, dtype=np.int64)

    def prices(self, pod: Int64Array, bits: int) -> dict[int, int]:
        """By class, the price of a pod with its charge wherever both are least."""
        found: dict[int, int] = {}
        for i, value, charge in zip(self.of_class.tolist(), pod.tolist(), self.charge, strict=True):
            price = value + (charge << bits)
            found[i] = min(price, found.get(i, price))
        return found
