"""What decides which node a pod may use: requirements, labels, taints and tolerations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from binwright.v1 import problem_pb2
from binwright_optimizer.model.requirements import (
    NodeSelectorTerm,
    Operator,
    Requirement,
    contradiction,
)
from binwright_optimizer.model.taints import Taint, TaintEffect, Toleration

from binwright_server.convert.violations import Violations, entry

_OPERATORS = {operator.value: operator for operator in Operator}
_EFFECTS = {effect.value: effect for effect in TaintEffect}


def requirement_from_message(
    message: problem_pb2.Requirement, path: str, out: Violations, *, is_for_node_pool: bool = False
) -> Requirement | None:
    """The requirement, or None if it is wrong."""
    operator = _OPERATORS.get(message.operator)
    if not message.key:
        out.add(f"{path}.key", "", "a requirement needs a label key")
    if operator is None:
        out.add(f"{path}.operator", message.operator, f"must be one of {', '.join(_OPERATORS)}")
    values = tuple(message.values)
    min_values = message.min_values or None
    if min_values is not None and not _is_min_values_sound(message, is_for_node_pool, path, out):
        return None
    if operator is None or not message.key:
        return None
    try:
        return Requirement(message.key, operator, values, min_values)
    except ValueError as error:
        out.add(f"{path}.values", list(values), str(error))
        return None


def _is_min_values_sound(
    message: problem_pb2.Requirement, is_for_node_pool: bool, path: str, out: Violations
) -> bool:
    if message.min_values < 0:
        out.add(f"{path}.min_values", message.min_values, "must not be negative")
    elif not is_for_node_pool:
        out.add(f"{path}.min_values", message.min_values, "is understood on NodePools only")
    elif message.operator == Operator.IN and message.min_values > len(set(message.values)):
        out.add(f"{path}.min_values", message.min_values, "asks for more values than are listed")
    else:
        return True
    return False


def term_from_message(message: problem_pb2.NodeSelectorTerm, path: str, out: Violations) -> NodeSelectorTerm:
    """The requirements of a term; wrong ones are recorded and left out."""
    found = (
        requirement_from_message(expression, f"{path}.match_expressions[{k}]", out)
        for k, expression in enumerate(message.match_expressions)
    )
    return tuple(requirement for requirement in found if requirement is not None)


def selector_from_map(selector: Mapping[str, str], path: str, out: Violations) -> tuple[Requirement, ...]:
    """A node selector as requirements, by key."""
    return tuple(
        Requirement(key, Operator.IN, (value,)) for key, value in labels_from_map(selector, path, out)
    )


def labels_from_map(labels: Mapping[str, str], path: str, out: Violations) -> tuple[tuple[str, str], ...]:
    """Sorted pairs of labels."""
    if not labels:
        return ()
    if "" in labels:
        out.add(entry(path, ""), labels[""], "a label needs a key")
    return tuple(sorted((key, value) for key, value in labels.items() if key))


def refuse_contradiction(requirements: Iterable[Requirement], path: str, out: Violations) -> bool:
    """Whether the requirements clash; recorded with those that do."""
    clash = contradiction(requirements)
    if clash:
        shown = " and ".join(str(requirement) for requirement in clash)
        out.add(path, shown, f"these requirements on {clash[0].key} contradict each other")
    return bool(clash)


def toleration_from_message(message: problem_pb2.Toleration, path: str, out: Violations) -> Toleration | None:
    """The toleration, or None if it is wrong."""
    if message.operator not in ("", "Equal", "Exists"):
        out.add(f"{path}.operator", message.operator, "must be Equal, Exists or empty")
        return None
    if message.effect and message.effect not in _EFFECTS:
        out.add(f"{path}.effect", message.effect, f"must be empty or one of {', '.join(_EFFECTS)}")
        return None
    try:
        return Toleration(
            key=message.key,
            value=message.value,
            exists=message.operator == "Exists",
            effect=_EFFECTS.get(message.effect),
        )
    except ValueError as error:
        field, value = ("value", message.value) if message.value and message.key else ("key", message.key)
        out.add(f"{path}.{field}", value, str(error))
        return None


def tolerations_from_messages(
    messages: Iterable[problem_pb2.Toleration], path: str, out: Violations
) -> tuple[Toleration, ...]:
    """The tolerations; wrong ones are recorded and left out."""
    found = (toleration_from_message(m, f"{path}[{k}]", out) for k, m in enumerate(messages))
    return tuple(toleration for toleration in found if toleration is not None)


def taints_from_messages(
    messages: Iterable[problem_pb2.Taint], path: str, out: Violations
) -> tuple[Taint, ...]:
    """The taints; wrong ones are recorded and left out."""
    taints = []
    for k, message in enumerate(messages):
        if not message.key:
            out.add(f"{path}[{k}].key", "", "a taint needs a key")
        if message.effect not in _EFFECTS:
            out.add(f"{path}[{k}].effect", message.effect, f"must be one of {', '.join(_EFFECTS)}")
        elif message.key:
            taints.append(Taint(message.key, message.value, _EFFECTS[message.effect]))
    return tuple(taints)
