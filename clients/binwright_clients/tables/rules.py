"""Cells that say how a row's pods relate to each other."""

from __future__ import annotations

from collections.abc import Mapping

from binwright.v1 import problem_pb2
from binwright_optimizer.model.affinity import PodAffinityTerm
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.topology import TopologySpread, WhenUnsatisfiable

from binwright_clients.kubernetes.labels import is_label_key
from binwright_clients.kubernetes.selectors import selector_message
from binwright_clients.tables import cells

RULE_COLUMNS = frozenset({"labels", "topology_spread", "anti_affinity", "max_per_node", "restart_cost_usd"})
"""Columns that shape the pods of a row."""

_NEED_LABELS = "needs the column labels: they tell the row's pods from others"


def parse_spread(text: str, labels: Mapping[str, str]) -> tuple[TopologySpread, ...]:
    """Constraints of ``key:maxSkew|key:maxSkew:ScheduleAnyway`` on pods with these labels.

    Examples
    --------
    >>> [c.max_skew for c in parse_spread("zone:1|rack:2:ScheduleAnyway", {"app": "web"})]
    [1, 2]
    """
    selector = _own(labels)
    constraints = []
    for entry in text.split("|"):
        key, _, rest = (part.strip() for part in entry.partition(":"))
        skew, _, when = (part.strip() for part in rest.partition(":"))
        if not skew.isascii() or not skew.isdigit() or len(skew) > 9 or not is_label_key(key):
            raise ValueError("must look like topology.kubernetes.io/zone:1|example.com/rack:2:ScheduleAnyway")
        if when and when not in tuple(WhenUnsatisfiable):
            raise ValueError(f"{when!r} must be one of {', '.join(WhenUnsatisfiable)}")
        choice = WhenUnsatisfiable(when) if when else WhenUnsatisfiable.DO_NOT_SCHEDULE
        constraints.append(TopologySpread(key, int(skew), choice, selector))
    keys = [(c.topology_key, c.when_unsatisfiable) for c in constraints]
    if len(set(keys)) < len(keys):
        raise ValueError("names a key twice")
    return tuple(constraints)


def parse_anti_affinity(text: str, labels: Mapping[str, str]) -> tuple[PodAffinityTerm, ...]:
    """Required terms: at most one pod with these labels in each domain of the keys of ``key|key``."""
    selector = _own(labels)
    keys = cells.parse_choices(text)
    for key in keys:
        if not is_label_key(key):
            raise ValueError(f"{key!r} is no node label")
    return tuple(PodAffinityTerm(key, selector) for key in keys)


def parse_max_per_node(text: str, labels: Mapping[str, str]) -> NodeCap:
    """Most pods with these labels on a node."""
    cap = NodeCap(_own(labels), cells.parse_count(text, cells.MAX_REPLICAS))
    cap.check_admits_itself(labels)
    return cap


def _own(labels: Mapping[str, str]) -> LabelSelector:
    if not labels:
        raise ValueError(_NEED_LABELS)
    return LabelSelector.of_labels(labels)


def add_spread(constraints: tuple[TopologySpread, ...], template: problem_pb2.PodTemplate) -> None:
    """Put constraints on a template."""
    for constraint in constraints:
        assert constraint.selector is not None
        template.topology_spread_constraints.add(
            topology_key=constraint.topology_key,
            max_skew=constraint.max_skew,
            when_unsatisfiable=str(constraint.when_unsatisfiable),
            label_selector=selector_message(constraint.selector),
        )


def add_anti_affinity(terms: tuple[PodAffinityTerm, ...], template: problem_pb2.PodTemplate) -> None:
    """Put anti-affinity terms on a template."""
    for term in terms:
        assert term.selector is not None
        template.pod_anti_affinity.required.add(
            topology_key=term.topology_key, label_selector=selector_message(term.selector)
        )
