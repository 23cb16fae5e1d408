"""The rules the suite compares with, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from binwright_benchmarks.baselines.cluster_autoscaler import ClusterAutoscaler
from binwright_benchmarks.baselines.estimator import Estimator
from binwright_benchmarks.baselines.expanders import Expander, chain, least_nodes, most_pods, priority
from binwright_benchmarks.baselines.first_fit import best_fit
from binwright_benchmarks.baselines.karpenter import karpenter
from binwright_benchmarks.baselines.least_waste import least_waste
from binwright_benchmarks.baselines.market import Market
from binwright_benchmarks.baselines.price import price
from binwright_benchmarks.baselines.result import BaselineResult

SPOT_FIRST = {50: ["/spot$"], 10: [".*"]}
"""Levels of the priority expander as its documentation and most users have them: spot before the rest."""

EXPANDERS: Mapping[str, Expander] = {
    "least-waste": least_waste,
    "most-pods": most_pods,
    "least-nodes": least_nodes,
    "price": price,
}
RULES = (
    "least-waste",
    "most-pods",
    "least-nodes",
    "price",
    "least-waste,price",
    "priority,least-waste",
    "karpenter-like",
    "best-fit",
)
"""All rules, in the order of reports. A list of expanders is Cluster Autoscaler with ``--expander=`` it."""

MAIN_RULES = ("least-waste", "karpenter-like", "best-fit")
"""What most clusters run, and what one could write oneself."""

Run = Callable[[int], BaselineResult]
"""Answers for a seed."""


def open_rules(market: Market, names: Iterable[str] = RULES) -> dict[str, Run]:
    """The rules by name, ready to run on a market.

    ``priority`` puts spot first; where no pod may run on spot it would keep everything, and is left out.

    Raises
    ------
    ValueError
        If there is no such rule, or something follows ``price``, which leaves nothing to choose.
    """
    estimator = Estimator(market)
    is_useful = market.instance.compatible[:, : market.n_bought].any(axis=0)
    may_use_spot = any(market.group_name(int(j)).endswith("/spot") for j in np.flatnonzero(is_useful))
    rules: dict[str, Run] = {}
    for name in names:
        if name == "karpenter-like":
            rules[name] = lambda _seed: karpenter(market)
        elif name == "best-fit":
            rules[name] = lambda _seed: best_fit(market)
        elif may_use_spot or "priority" not in name:
            rules[name] = ClusterAutoscaler(name, estimator, expander(name, market)).run
    return rules


def expander(flag: str, market: Market) -> Expander:
    """What ``--expander=`` a comma list chooses by; raises ValueError as `open_rules` does."""
    words = flag.split(",")
    if "price" in words[:-1]:
        raise ValueError(f"{flag}: price keeps one group, so nothing may follow it")
    found = []
    for word in words:
        if word == "priority":
            found.append(priority(SPOT_FIRST, market.group_name))
        elif word in EXPANDERS:
            found.append(EXPANDERS[word])
        else:
            raise ValueError(f"no rule is called {word!r}; there are {', '.join(RULES)}")
    return chain(*found)


def is_random(name: str) -> bool:
    """Whether the rule may draw between equal options, so that one run says little."""
    return name not in ("karpenter-like", "best-fit") and not name.endswith("price")
