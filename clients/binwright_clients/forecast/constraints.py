"""The ``nodeSelector`` and ``tolerations`` of a workload in a forecast document, as in a pod's spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from binwright_optimizer.model import Requirement, labels
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.taints import TaintEffect, Toleration

from binwright_clients.kubernetes.schema import STRING, STRINGS, ListOf, Record, Schema, shown
from binwright_clients.spelling import suggestion

CONSTRAINTS: dict[str, Schema] = {
    "nodeSelector": STRINGS,
    "tolerations": ListOf(Record({"key": STRING, "operator": STRING, "value": STRING, "effect": STRING})),
}
"""Fields of a workload."""
_ELSEWHERE = {
    labels.CAPACITY_TYPE: "is what capacityType says",
    labels.REGION: "is where demand and regions say",
    labels.ZONE: "is the plan's to choose: zones are no part of what a workload asks for",
    labels.HOSTNAME: "names one node, and plans buy nodes by kind",
    labels.NODE_POOL: "names a NodePool, and plans have none",
}
Report = Callable[[str, str, str], None]


def read_constraints(
    path: str, entry: Mapping[str, Any], report: Report
) -> tuple[tuple[Requirement, ...], tuple[Toleration, ...]]:
    """What the nodes of a workload must be, and the taints that its pods ignore; mistakes are reported.

    The nodes of a plan have no taints, so that tolerations change nothing yet.
    """
    selector = []
    for key, value in (entry.get("nodeSelector") or {}).items():
        where = f"{path}.nodeSelector[{key}]"
        if key in _ELSEWHERE:
            report(where, str(value), _ELSEWHERE[key])
        elif not key or not value:
            report(where, shown(value), "must be a label and its value")
        else:
            selector.append(Requirement(key, Operator.IN, (value,)))
    tolerations = [
        _toleration(f"{path}.tolerations[{at}]", one or {}, report)
        for at, one in enumerate(entry.get("tolerations") or ())
    ]
    return tuple(selector), tuple(one for one in tolerations if one is not None)


def _toleration(path: str, entry: Mapping[str, Any], report: Report) -> Toleration | None:
    operator, effect = entry.get("operator") or "Equal", entry.get("effect") or ""
    for field, value, known in (
        ("operator", operator, ["Equal", "Exists"]),
        ("effect", effect, ["", *map(str, TaintEffect)]),
    ):
        if value not in known:
            names = ", ".join(filter(None, known))
            report(f"{path}.{field}", value, f"must be one of {names}{suggestion(value, known)}")
            return None
    try:
        return Toleration(
            entry.get("key") or "",
            entry.get("value") or "",
            operator == "Exists",
            TaintEffect(effect) if effect else None,
        )
    except ValueError as error:
        report(path, shown(entry), str(error))
        return None
