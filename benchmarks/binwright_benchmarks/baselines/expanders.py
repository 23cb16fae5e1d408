"""Expanders of Cluster Autoscaler that look at counts, and how several are chained.

After ``pkg/expander`` of kubernetes-sigs/cluster-autoscaler (commit 33c3f97). An expander keeps the
best node groups; ``--expander=a,b`` lets ``b`` see what ``a`` kept, stops as soon as one group is left,
and what is left after the last is drawn at random. `least_waste` and `price` have files of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from binwright_benchmarks.baselines.estimator import Option

Expander = Callable[[Sequence[Option], int], Sequence[Option]]
"""Keeps the best of at least one option, or some groups of it; the second argument is the number of
nodes in the cluster."""


def most_pods(options: Sequence[Option], _cluster_nodes: int) -> Sequence[Option]:
    """The options that place the most pods, however many nodes it takes."""
    most = max(option.pods for option in options)
    return [option for option in options if option.pods == most]


def least_nodes(options: Sequence[Option], _cluster_nodes: int) -> Sequence[Option]:
    """The options that open the fewest nodes, however few pods they place."""
    fewest = min(option.nodes for option in options)
    return [option for option in options if option.nodes == fewest]


def chain(*expanders: Expander) -> Expander:
    """Each expander on what the one before kept, until a single group is left."""

    def chained(options: Sequence[Option], cluster_nodes: int) -> Sequence[Option]:
        for expander in expanders:
            options = expander(options, cluster_nodes)
            if sum(len(option.groups) for option in options) <= 1:
                break
        return options

    return chained


def priority(levels: Mapping[int, Sequence[str]], name_of: Callable[[int], str]) -> Expander:
    """The groups of the highest level that has any.

    As the ConfigMap ``cluster-autoscaler-priority-expander`` says it. Groups that no level names are
    not used, unless none is named: then all stay.

    Parameters
    ----------
    levels
        Regular expressions by level; an expression may match any part of a name.
    name_of
        Name of a node group.
    """
    patterns = {level: [re.compile(text) for text in texts] for level, texts in levels.items()}

    def level_of(group: int) -> int | None:
        name = name_of(group)
        return max((n for n, found in patterns.items() if any(p.search(name) for p in found)), default=None)

    def highest(options: Sequence[Option], _cluster_nodes: int) -> Sequence[Option]:
        by_group = {group: level_of(group) for option in options for group in option.groups}
        top = max((level for level in by_group.values() if level is not None), default=None)
        if top is None:
            return options
        return [
            kept
            for option in options
            if (kept := _only(option, [by_group[group] == top for group in option.groups])).groups
        ]

    return highest


def _only(option: Option, keep: Sequence[bool]) -> Option:
    """The option with some of its groups."""
    groups = tuple(group for group, kept in zip(option.groups, keep, strict=True) if kept)
    prices = tuple(price for price, kept in zip(option.prices, keep, strict=True) if kept)
    return replace(option, groups=groups, prices=prices)
