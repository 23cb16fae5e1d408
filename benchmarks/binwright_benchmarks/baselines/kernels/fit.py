"""First fit and best fit of single pods onto nodes."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def first_fit(pods, requests, free, compatible, patterns):
    """Put each pod on the first node that holds it; returns a mask of the pods left over.

    Parameters
    ----------
    pods
        int64 array (pod,): classes, in the order in which they are tried.
    requests
        int64 array (i, r).
    free
        int64 array (n, r): room of each node, reduced in place.
    compatible
        bool array (i, n).
    patterns
        int32 array (n, i), counted up in place.
    """
    n_nodes, n_resources = free.shape
    left = np.ones(pods.shape[0], dtype=np.bool_)
    # Room never grows, so a class that did not fit before node `start[i]` never will.
    start = np.zeros(requests.shape[0], dtype=np.int64)
    for p in range(pods.shape[0]):
        i = pods[p]
        for n in range(start[i], n_nodes):
            fits = compatible[i, n]
            for r in range(n_resources):
                if requests[i, r] > free[n, r]:
                    fits = False
                    break
            if fits:
                for r in range(n_resources):
                    free[n, r] -= requests[i, r]
                patterns[n, i] += 1
                left[p] = False
                break
            start[i] = n + 1
    return left


@njit(cache=True, nogil=True)
def tightest(request, scale, free, compatible, candidates, n_nodes):
    """The node that holds the pod with least room left over, in units of ``scale``; -1 if none.

    Parameters
    ----------
    request
        int64 array (r,).
    scale
        float64 array (r,): worth of one unit of each resource.
    free
        int64 array (n, r).
    compatible
        bool array (j,): candidates that may hold the pod.
    candidates
        int64 array (n,): what each node is.
    n_nodes
        Nodes in use: the first rows of the arrays.
    """
    best = -1
    least = np.inf
    for n in range(n_nodes):
        if not compatible[candidates[n]]:
            continue
        slack = 0.0
        for r in range(request.shape[0]):
            rest = free[n, r] - request[r]
            if rest < 0:
                slack = np.inf
                break
            slack += rest * scale[r]
        if slack < least:
            least = slack
            best = n
    return best
