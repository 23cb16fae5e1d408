"""Node selectors, node affinity and tolerations: manifests to messages."""

from __future__ import annotations

from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model.requirements import Operator, Requirement
from binwright_optimizer.model.taints import Taint, TaintEffect, Toleration

from binwright_clients.kubernetes.schema import Report, shown
from binwright_clients.spelling import suggestion

OPERATORS = tuple(str(operator) for operator in Operator)
EFFECTS = tuple(str(effect) for effect in TaintEffect)

_MAX_MIN_VALUES = 50
"""Karpenter's own limit on minValues."""


def read_requirements(
    expressions: list[dict[str, Any]], path: str, report: Report
) -> tuple[Requirement, ...]:
    """Requirements of a term or NodePool; wrong ones are reported and left out."""
    requirements = []
    for index, expression in enumerate(expressions):
        here = f"{path}[{index}]"
        name = expression.get("operator") or ""
        if name not in OPERATORS:
            report(
                f"{here}.operator",
                name,
                f"must be one of {', '.join(OPERATORS)}{suggestion(name, OPERATORS)}",
            )
            continue
        values = tuple(expression.get("values") or ())
        min_values = expression.get("minValues")
        try:
            requirement = Requirement(expression.get("key") or "", Operator(name), values, min_values)
        except ValueError as error:
            report(here, shown(expression), str(error))
            continue
        if min_values is not None:
            most = len(requirement.values) if requirement.operator is Operator.IN else _MAX_MIN_VALUES
            if not 1 <= min_values <= min(most, _MAX_MIN_VALUES):
                report(
                    f"{here}.minValues",
                    str(min_values),
                    f"must be from 1 to {min(most, _MAX_MIN_VALUES)}"
                    + (", the number of values" if most < _MAX_MIN_VALUES else ""),
                )
                continue
        requirements.append(requirement)
    return tuple(requirements)


def requirement_message(requirement: Requirement) -> problem_pb2.Requirement:
    """A requirement as a message."""
    return problem_pb2.Requirement(
        key=requirement.key,
        operator=str(requirement.operator),
        values=requirement.values,
        min_values=requirement.min_values or 0,
    )


def exact_requirements(labels: dict[str, str]) -> tuple[Requirement, ...]:
    """Requirements that labels have exactly these values."""
    return tuple(Requirement(key, Operator.IN, (value,)) for key, value in labels.items())


def read_node_affinity(
    affinity: dict[str, Any],
    template: problem_pb2.PodTemplate,
    path: str,
    report: Report,
) -> None:
    """Add required and preferred node affinity to a pod template."""
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is not None:
        here = f"{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        _read_required(required.get("nodeSelectorTerms") or [], template, here, report)
    here = f"{path}.preferredDuringSchedulingIgnoredDuringExecution"
    for index, term in enumerate(affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []):
        weight = term.get("weight") or 0
        if not 1 <= weight <= 100:
            report(f"{here}[{index}].weight", str(weight), "must be from 1 to 100")
            continue
        expressions = (term.get("preference") or {}).get("matchExpressions") or []
        requirements = read_requirements(expressions, f"{here}[{index}].preference.matchExpressions", report)
        if requirements:
            template.node_affinity.preferred.add(weight=weight, preference=_term_message(requirements))


def _read_required(
    terms: list[dict[str, Any]], template: problem_pb2.PodTemplate, path: str, report: Report
) -> None:
    """Add the terms of which one must hold.

    As in Kubernetes a term without expressions matches no node. One that contradicts itself or the node
    selector matches none either, which is no mistake in reading: decisions say that these pods have no place.
    """
    has_live_term = False
    for index, term in enumerate(terms):
        expressions = term.get("matchExpressions") or []
        requirements = read_requirements(expressions, f"{path}[{index}].matchExpressions", report)
        if expressions:
            template.node_affinity.required.append(_term_message(requirements))
        has_live_term = has_live_term or bool(expressions or term.get("matchFields"))
    if not terms:
        report(path, "", "needs at least one term")
    elif not has_live_term:
        report(path, shown(terms), "every term is empty, and an empty term matches no node")


def _term_message(requirements: tuple[Requirement, ...]) -> problem_pb2.NodeSelectorTerm:
    return problem_pb2.NodeSelectorTerm(
        match_expressions=[requirement_message(requirement) for requirement in requirements]
    )


def read_tolerations(
    tolerations: list[dict[str, Any]], template: problem_pb2.PodTemplate, path: str, report: Report
) -> None:
    """Add tolerations to a pod template; wrong ones are reported."""
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        operator = toleration.get("operator") or "Equal"
        if operator not in ("Equal", "Exists"):
            hint = suggestion(operator, ("Equal", "Exists"))
            report(f"{here}.operator", operator, f"must be Equal or Exists{hint}")
            continue
        effect = toleration.get("effect") or ""
        if effect and not _is_effect(effect, f"{here}.effect", report):
            continue
        key, value = toleration.get("key") or "", toleration.get("value") or ""
        try:
            Toleration(key, value, operator == "Exists", TaintEffect(effect) if effect else None)
        except ValueError as error:
            report(here, shown(toleration), str(error))
            continue
        template.tolerations.add(key=key, operator=operator, value=value, effect=effect)


def read_taints(taints: list[dict[str, Any]], path: str, report: Report) -> tuple[Taint, ...]:
    """Taints of a node or NodePool; wrong and repeated ones are reported and left out."""
    read: dict[tuple[str, str], Taint] = {}
    for index, taint in enumerate(taints):
        here = f"{path}[{index}]"
        key, effect = taint.get("key") or "", taint.get("effect") or ""
        if not key:
            report(f"{here}.key", "", "must not be empty")
        elif _is_effect(effect, f"{here}.effect", report):
            if (key, effect) in read:
                report(here, shown(taint), "repeats key and effect of another taint")
            read[key, effect] = Taint(key, taint.get("value") or "", TaintEffect(effect))
    return tuple(read.values())


def taint_messages(taints: tuple[Taint, ...]) -> list[problem_pb2.Taint]:
    """Taints as messages."""
    return [problem_pb2.Taint(key=t.key, value=t.value, effect=str(t.effect)) for t in taints]


def _is_effect(effect: str, path: str, report: Report) -> bool:
    if effect in EFFECTS:
        return True
    report(path, effect, f"must be one of {', '.join(EFFECTS)}{suggestion(effect, EFFECTS)}")
    return False
