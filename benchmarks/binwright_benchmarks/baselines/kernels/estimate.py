"""Cluster Autoscaler's binpacking estimator on pod classes and runs of equal nodes."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def estimate(order, demand, requests, allocatable, most_nodes, out_count, out_pattern):
    """First-fit decreasing onto nodes of one kind; returns (runs, nodes).

    Pods of one class are equal, so they are placed together: on the nodes opened so far, first
    to last, and then on nodes that are opened for them. Nodes opened one after the other with the
    same pods form a run, which is split where a class fills a part of it. That is exactly what
    placing pod by pod does, at a cost that does not depend on the number of replicas.

    Parameters
    ----------
    order
        int64 array: classes that fit the node, highest score first.
    demand
        int64 array (i,): pending pods.
    requests, allocatable
        int64 arrays (i, r) and (r,).
    most_nodes
        Nodes after which the estimator stops opening more.
    out_count, out_pattern
        int64 (run,) and int32 (run, i): receive the runs; ``4 * len(order)`` rows are enough.

    Notes
    -----
    A class splits at most one run, in three, and opens at most two: never more than four more runs.
    """
    n_resources = requests.shape[1]
    free = np.empty((out_count.shape[0], n_resources), dtype=np.int64)
    runs = 0
    nodes = 0
    for position in range(order.shape[0]):
        i = order[position]
        left = demand[i]
        u = 0
        while u < runs and left > 0:
            fit = left
            for r in range(n_resources):
                if requests[i, r] > 0:
                    fit = min(fit, free[u, r] // requests[i, r])
            if fit == 0:
                u += 1
                continue
            full = min(out_count[u], left // fit)
            if full == out_count[u]:
                _add(u, i, fit, requests, free, out_pattern)
                left -= fit * full
                u += 1
                continue
            # Only the first `full` nodes get `fit` pods, the next one the rest, the others none.
            rest = left - fit * full
            pieces = (1 if full > 0 else 0) + (1 if rest > 0 else 0)
            remaining = out_count[u] - full - (1 if rest > 0 else 0)
            shift = pieces + (1 if remaining > 0 else 0) - 1
            for v in range(runs - 1, u, -1):
                out_count[v + shift] = out_count[v]
                free[v + shift] = free[v]
                out_pattern[v + shift] = out_pattern[v]
            for v in range(u + 1, u + shift + 1):
                free[v] = free[u]
                out_pattern[v] = out_pattern[u]
            runs += shift
            if full > 0:
                out_count[u] = full
                _add(u, i, fit, requests, free, out_pattern)
                u += 1
            if rest > 0:
                out_count[u] = 1
                _add(u, i, rest, requests, free, out_pattern)
                u += 1
            if remaining > 0:
                out_count[u] = remaining
            left = 0
        if left > 0 and nodes < most_nodes:
            per_node = left
            for r in range(n_resources):
                if requests[i, r] > 0:
                    per_node = min(per_node, allocatable[r] // requests[i, r])
            full = min(left // per_node, most_nodes - nodes)
            if full > 0:
                _open(runs, full, i, per_node, requests, allocatable, free, out_count, out_pattern)
                runs += 1
                nodes += full
                left -= full * per_node
            if 0 < left < per_node and nodes < most_nodes:
                _open(runs, 1, i, left, requests, allocatable, free, out_count, out_pattern)
                runs += 1
                nodes += 1
    return runs, nodes


@njit(cache=True, nogil=True)
def _add(u, i, count, requests, free, out_pattern):
    """Put ``count`` pods of class ``i`` on every node of run ``u``."""
    for r in range(requests.shape[1]):
        free[u, r] -= count * requests[i, r]
    out_pattern[u, i] += count


@njit(cache=True, nogil=True)
def _open(u, nodes, i, count, requests, allocatable, free, out_count, out_pattern):
    """Open a run of nodes with ``count`` pods of class ``i`` each."""
    out_count[u] = nodes
    free[u] = allocatable
    out_pattern[u] = 0
    _add(u, i, count, requests, free, out_pattern)
