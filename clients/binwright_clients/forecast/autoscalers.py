"""HorizontalPodAutoscaler manifests (autoscaling/v2) to the domain's autoscalers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from binwright_optimizer.model.autoscaling import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    HorizontalPodAutoscaler,
    Metric,
    MetricSource,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    TargetType,
)
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import CPU

from binwright_clients.errors import InputError, Problems
from binwright_clients.kubernetes.documents import DocumentError, load_json, load_yaml
from binwright_clients.kubernetes.schema import Model, check, shown
from binwright_clients.sources import Format, read_source, text_of

_T = TypeVar("_T")

API_VERSION = "autoscaling/v2"
KIND = "HorizontalPodAutoscaler"
DEFAULT_METRIC = Metric(MetricSource.RESOURCE, CPU, TargetType.UTILIZATION, 80)
"""What an autoscaler without metrics watches."""
_DETAIL = {
    MetricSource.RESOURCE: "resource",
    MetricSource.CONTAINER_RESOURCE: "containerResource",
    MetricSource.PODS: "pods",
    MetricSource.OBJECT: "object",
    MetricSource.EXTERNAL: "external",
}


def read_autoscalers(path: str) -> dict[str, HorizontalPodAutoscaler]:
    """The autoscalers of a YAML or JSON file, by name; objects of other kinds are passed over.

    Raises
    ------
    InputError
        If anything in it is wrong, or it holds no autoscaler.
    """
    source = read_source(path)
    if source.format not in (Format.YAML, Format.JSON):
        raise InputError.of(path, "is no manifest: autoscalers are YAML or JSON")
    problems = Problems()
    found: dict[str, HorizontalPodAutoscaler] = {}
    load = load_json if source.format is Format.JSON else load_yaml
    try:
        for index, body in enumerate(load(text_of(source)), start=1):
            if isinstance(body, dict) and (body.get("apiVersion"), body.get("kind")) == (API_VERSION, KIND):
                autoscaler = _Reader(path, index, problems).read(body)
                if autoscaler is None:
                    continue
                if autoscaler.name in found:
                    problems.add(
                        path,
                        "is there twice",
                        place=f"document {index}",
                        field="metadata.name",
                        value=autoscaler.name,
                    )
                found[autoscaler.name] = autoscaler
    except DocumentError as error:
        raise InputError.of(path, str(error)) from None
    problems.raise_if_any()
    if not found:
        raise InputError.of(path, f"holds no {KIND} of {API_VERSION}")
    return found


class _Reader:
    """One document while it is read."""

    def __init__(self, file: str, index: int, problems: Problems) -> None:
        self._file = file
        self._place = f"document {index}"
        self._problems = problems

    def read(self, body: Mapping[str, Any]) -> HorizontalPodAutoscaler | None:
        """The autoscaler, or None with its mistakes reported."""
        before = len(self._problems)
        body = _with_text_quantities(body)
        check(body, Model("V2HorizontalPodAutoscaler"), self._report)
        if len(self._problems) > before:
            return None
        metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
        name = metadata.get("name")
        if not name:
            self._report("metadata.name", "", "must be given, as a string")
            return None
        if spec.get("maxReplicas") is None:
            self._report("spec.maxReplicas", "", "must be given")
        metrics = tuple(
            self._metric(f"spec.metrics[{at}]", metric) for at, metric in enumerate(spec.get("metrics") or ())
        )
        behavior = None
        if spec.get("behavior") is not None:
            given = spec["behavior"]
            up = self._rules("spec.behavior.scaleUp", given.get("scaleUp"), DEFAULT_SCALE_UP)
            down = self._rules("spec.behavior.scaleDown", given.get("scaleDown"), DEFAULT_SCALE_DOWN)
            behavior = Behavior(up, down) if up and down else None
        if len(self._problems) > before:
            return None
        least = spec.get("minReplicas")
        return self._build(
            "spec",
            lambda: HorizontalPodAutoscaler(
                name=name,
                target=(spec.get("scaleTargetRef") or {}).get("name") or name,
                min_replicas=1 if least is None else least,
                max_replicas=spec["maxReplicas"],
                metrics=tuple(metric for metric in metrics if metric) or (DEFAULT_METRIC,),
                behavior=behavior,
                namespace=metadata.get("namespace") or "default",
            ),
        )

    def _report(self, path: str, value: str, description: str) -> None:
        self._problems.add(self._file, description, place=self._place, field=path, value=value)

    def _build(self, path: str, make: Callable[[], _T], value: str = "") -> _T | None:
        try:
            return make()
        except ValueError as error:
            self._report(path, value, str(error))
            return None

    def _metric(self, path: str, entry: Mapping[str, Any]) -> Metric | None:
        source = self._build(
            f"{path}.type", partial(_known, MetricSource, entry.get("type")), shown(entry.get("type"))
        )
        if source is None:
            return None
        detail = entry.get(_DETAIL[source])
        if not detail:
            self._report(f"{path}.{_DETAIL[source]}", "", f"must be given for type {source}")
            return None
        where = f"{path}.{_DETAIL[source]}"
        target = detail.get("target") or {}
        name = detail.get("name") or (detail.get("metric") or {}).get("name")
        if not name:
            self._report(f"{where}.name", "", "must be given")
            return None
        kind = self._build(
            f"{where}.target.type", partial(_known, TargetType, target.get("type")), shown(target.get("type"))
        )
        if kind is None:
            return None
        field = {
            TargetType.UTILIZATION: "averageUtilization",
            TargetType.VALUE: "value",
            TargetType.AVERAGE_VALUE: "averageValue",
        }[kind]
        value = target.get(field)
        if value is None:
            self._report(f"{where}.target.{field}", "", f"must be given for a target of type {kind}")
            return None
        amount = self._build(
            f"{where}.target.{field}",
            lambda: value if kind is TargetType.UTILIZATION else parse_milli(str(value)),
            shown(value),
        )
        if amount is None:
            return None
        return self._build(
            f"{where}.target",
            lambda: Metric(source, name, kind, amount, detail.get("container") or ""),
            shown(value),
        )

    def _rules(
        self, path: str, entry: Mapping[str, Any] | None, default: ScalingRules
    ) -> ScalingRules | None:
        """The rules with what is left out filled in."""
        if entry is None:
            return default
        policies = []
        for at, given in enumerate(entry.get("policies") or ()):
            policy = self._build(
                f"{path}.policies[{at}]",
                partial(_policy, given),
                shown(given),
            )
            if policy is None:
                return None
            policies.append(policy)
        window = entry.get("stabilizationWindowSeconds")
        tolerance = entry.get("tolerance")
        return self._build(
            path,
            lambda: ScalingRules(
                policies=tuple(policies) if entry.get("policies") is not None else default.policies,
                stabilization_window_s=default.stabilization_window_s if window is None else window,
                select=_known(SelectPolicy, entry.get("selectPolicy") or "Max"),
                tolerance=None if tolerance is None else parse_milli(str(tolerance)) / 1000,
            ),
        )


def parse_milli(text: str) -> int:
    """A quantity in thousandths, as Kubernetes compares metrics: ``80`` is 80,000 and ``1500m`` 1,500.

    Raises
    ------
    ValueError
        If the text is no quantity, or is negative.

    Examples
    --------
    >>> parse_milli("80"), parse_milli("1500m")
    (80000, 1500)
    """
    return parse_quantity(text, CPU)  # the one resource that is counted in thousandths


_QUANTITIES = {"target": ("value", "averageValue"), "scaleUp": ("tolerance",), "scaleDown": ("tolerance",)}
"""Fields that may be numbers as well as text, by the object that they are in."""


def _with_text_quantities(value: Any, owner: str = "") -> Any:
    """The value with quantities that were written as numbers as text, which the client's schema wants."""
    if isinstance(value, list):
        return [_with_text_quantities(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: str(item)
        if key in _QUANTITIES.get(owner, ()) and isinstance(item, (int, float)) and not isinstance(item, bool)
        else _with_text_quantities(item, key)
        for key, item in value.items()
    }


def _policy(entry: Mapping[str, Any]) -> ScalingPolicy:
    value, period = entry.get("value"), entry.get("periodSeconds")
    if value is None or period is None:
        raise ValueError("must have a type, a value and periodSeconds")
    return ScalingPolicy(_known(PolicyType, entry.get("type")), value, period)


_Enum = TypeVar("_Enum", MetricSource, TargetType, PolicyType, SelectPolicy)


def _known(kind: type[_Enum], text: Any) -> _Enum:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(kind)}") from None
