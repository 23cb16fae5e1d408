"""Pricing of a candidate whose devices are not told by sums: shares packed per device, MIG geometries."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import COUNT
from binwright_optimizer.pricing.kernels.branch import BRANCH_WORK, branch
from binwright_optimizer.pricing.kernels.depth_first import trim
from binwright_optimizer.pricing.kernels.device_contents import WHOLE_WEIGHT, price_contents
from binwright_optimizer.pricing.kernels.rules import begin

CONTENTS_WORK = 1_000
"""Microseconds that pricing by the contents of single GPUs takes, in round numbers."""


@njit(cache=True, nogil=True)
def price_on_devices(
    n, items, limits, shares, values, requests, capacity, mu, value, cost, slack, max_nodes, max_branches,
    halt, chosen, rules, no_rules, j, held, load, cap,
):  # fmt: skip
    """A better pattern than ``chosen``, which is worth ``value``, and a bound on the worth of any.

    Shares are priced by the contents of single GPUs; where that leaves a gap, by branch and bound over the
    sums and one more, the weights that go with the contents. Sums alone tell about MIG.

    Returns
    -------
    value
        Worth of ``chosen``, which is replaced by what is better and stands on the devices.
    upper
        No pattern is worth more.
    work
        About how many microseconds it took.
    """
    devices = rules.devices
    other = np.zeros(n, dtype=np.int64)
    if devices.mig[items[:n]].any():
        _, upper, solved = branch(
            n, items, limits, shares, values, requests, capacity, value, slack, max_branches,
            halt, other, rules, j, held, load, cap,
        )  # fmt: skip
        begin(rules, j, held, load, cap)
        value = _keep_better(n, items, shares, mu, values, value, other, chosen, rules, held, load, cap)
        return value, upper, BRANCH_WORK * solved
    weights = np.zeros(n, dtype=np.int64)
    upper = price_contents(
        n, items, limits, values, requests, capacity, devices, devices.room[j], mu, value, slack, max_nodes,
        halt, other, weights, no_rules, held, load, cap,
    )  # fmt: skip
    work = np.int64(CONTENTS_WORK)
    value = _keep_better(n, items, shares, mu, values, value, other, chosen, rules, held, load, cap)
    if upper <= max(value, cost) + slack:
        return value, upper, work
    n_resources = requests.shape[1]
    room = np.empty(n_resources + 1, dtype=np.int64)
    room[:n_resources] = capacity
    room[n_resources] = WHOLE_WEIGHT * devices.room[j, COUNT]
    weighed = np.zeros((requests.shape[0], n_resources + 1), dtype=np.int64)
    weighed[:, :n_resources] = requests
    weighed_shares = np.empty((n, n_resources + 1))
    weighed_shares[:, :n_resources] = shares[:n]
    for k in range(n):
        weighed[items[k], n_resources] = weights[k]
        weighed_shares[k, n_resources] = weights[k] / room[n_resources]
    other[:] = 0
    _, most, solved = branch(
        n, items, limits, weighed_shares, values, weighed, room, value, slack, max_branches,
        halt, other, rules, j, held, load, cap,
    )  # fmt: skip
    begin(rules, j, held, load, cap)
    work += BRANCH_WORK * solved
    value = _keep_better(n, items, shares, mu, values, value, other, chosen, rules, held, load, cap)
    return value, min(upper, most), work


@njit(cache=True, nogil=True)
def _keep_better(n, items, shares, mu, values, value, other, chosen, rules, held, load, cap):
    """Cut ``other`` down to what the devices hold, and keep it if it is worth more; returns the worth."""
    worth = trim(n, items, shares, mu, values, other, rules, held, load, cap)
    if worth <= value:
        return value
    chosen[:n] = other
    return worth
