"""Our own kinds (``apiVersion: binwright.dev/v1``): what is held already, and a problem's policies.

::

    kind: Reservation        # nodes paid for already
    metadata: {name: ml-block}
    spec: {instanceType: p5.48xlarge, region: us-east-1, zone: us-east-1a, count: 4}

    kind: SavingsPlan        # spend committed already
    metadata: {name: compute-2026}
    spec: {commitment: "12.50", discount: "28%", requirements: []}

    kind: Policies           # at most one
    metadata: {name: default}
    spec: {dollarsPerWeightPoint: "0.001", gpuNodePolicy: Never, spot: {minOnDemand: "30%"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binwright.v1 import policies_pb2
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.policies import GpuNodePolicy, MinValuesPolicy, PreferencePolicy
from binwright_optimizer.model.quantity import parse_price
from binwright_optimizer.model.spot import LossBound, Share

from binwright_clients.kubernetes.durations import parse_duration
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.requirements import read_requirements, requirement_message
from binwright_clients.kubernetes.schema import ANY, INTEGER, STRING, ListOf, Record, Scalar, Schema
from binwright_clients.kubernetes.selectors import build
from binwright_clients.spelling import suggestion

API_VERSION = "binwright.dev/v1"

_NUMBER_OR_TEXT: Schema = Scalar("quantity")
_SPOT = Record(
    {
        "minOnDemand": _NUMBER_OR_TEXT,
        "maxPerSpotPool": _NUMBER_OR_TEXT,
        "maxLoss": _NUMBER_OR_TEXT,
        "maxLossProbability": STRING,
        "maxLossWindow": STRING,
    }
)
_REQUIREMENT = Record({"key": STRING, "operator": STRING, "values": ListOf(STRING)})
_SPECS: dict[str, dict[str, Schema]] = {
    "Reservation": {
        "instanceType": STRING,
        "region": STRING,
        "zone": STRING,
        "count": INTEGER,
        "capacityType": STRING,
        "price": _NUMBER_OR_TEXT,
    },
    "SavingsPlan": {
        "commitment": _NUMBER_OR_TEXT,
        "discount": STRING,
        "requirements": ListOf(_REQUIREMENT),
    },
    "Policies": {
        "preferencePolicy": STRING,
        "dollarsPerWeightPoint": _NUMBER_OR_TEXT,
        "restartCost": _NUMBER_OR_TEXT,
        "minValuesPolicy": STRING,
        "gpuNodePolicy": STRING,
        "spot": _SPOT,
    },
}
OWN_SCHEMAS: dict[tuple[str, str], Schema] = {
    (API_VERSION, kind): Record({"apiVersion": STRING, "kind": STRING, "metadata": ANY, "spec": Record(spec)})
    for kind, spec in _SPECS.items()
}
"""Schemas of our kinds."""


def add_reservation(thing: ManifestObject) -> None:
    """Add nodes that are paid for already."""
    spec = thing.spec
    message = thing.assembly.add_reservation(thing.origin)
    message.name = thing.name
    message.instance_type = _required(thing, "instanceType")
    message.region = spec.get("region") or ""  # that of the catalogue, where it has one only
    message.zone = spec.get("zone") or ""
    count = spec.get("count")
    if count is None or not 0 <= count <= 10**9:
        thing.problem("spec.count", "" if count is None else str(count), "must be from 0 to 1000000000")
    else:
        message.count = count
    known = (str(CapacityType.RESERVED), str(CapacityType.ON_DEMAND))
    message.capacity_type = _one_of(thing, "capacityType", known)
    message.price_microusd_per_hour = _price(thing, "price")


def add_savings_plan(thing: ManifestObject) -> None:
    """Add spend that is committed already."""
    message = thing.assembly.add_savings_plan(thing.origin)
    message.name = thing.name
    _required(thing, "commitment")
    message.microusd_per_hour = _price(thing, "commitment")
    text = _required(thing, "discount")
    if text:
        discount = _percentage(text)
        if discount is None or discount == 1_000_000:
            thing.problem("spec.discount", text, "must be a percentage below 100% such as 28%")
        else:
            message.discount_ppm = discount
    found = read_requirements(thing.spec.get("requirements") or [], "spec.requirements", thing.problem)
    message.requirements.extend(map(requirement_message, found))


def set_policies(thing: ManifestObject) -> None:
    """Set the policies of the problem."""
    message = thing.assembly.problem.policies
    message.preference_policy = _one_of(thing, "preferencePolicy", tuple(map(str, PreferencePolicy)))
    message.min_values_policy = _one_of(thing, "minValuesPolicy", tuple(map(str, MinValuesPolicy)))
    message.gpu_node_policy = _one_of(thing, "gpuNodePolicy", tuple(map(str, GpuNodePolicy)))
    if thing.spec.get("dollarsPerWeightPoint") is not None:
        message.microusd_per_weight_hour = _price(thing, "dollarsPerWeightPoint")
    message.restart_cost_microusd = _price(thing, "restartCost")
    spot = thing.spec.get("spot")
    if spot:
        message.spot.CopyFrom(_spot(thing, spot))


def _spot(thing: ManifestObject, spec: Mapping[str, Any]) -> policies_pb2.SpotPolicy:
    policy = policies_pb2.SpotPolicy(
        min_on_demand=_share(thing, spec, "minOnDemand"), max_per_pool=_share(thing, spec, "maxPerSpotPool")
    )
    most = _share(thing, spec, "maxLoss")
    probability_text = spec.get("maxLossProbability") or ""
    if bool(most) is not bool(probability_text):
        given = "maxLoss" if most else "maxLossProbability"
        thing.problem(f"spec.spot.{given}", str(spec[given]), "maxLoss and maxLossProbability go together")
    if not most or not probability_text:
        return policy
    window_s = 3_600
    try:
        window_s = parse_duration(spec.get("maxLossWindow") or "1h")
    except ValueError as error:
        thing.problem("spec.spot.maxLossWindow", spec["maxLossWindow"], str(error))
    probability = _percentage(probability_text)
    if not probability or probability == 1_000_000:
        thing.problem(
            "spec.spot.maxLossProbability", probability_text, "must be a percentage above 0% and below 100%"
        )
        return policy
    bound = build(
        lambda: LossBound(Share.parse(most), probability, window_s), "spec.spot.maxLoss", thing.problem
    )
    if bound is not None:
        policy.loss.share = most
        policy.loss.probability_ppm = probability
        policy.loss.window_seconds = window_s
    return policy


def _share(thing: ManifestObject, spec: Mapping[str, Any], field: str) -> str:
    value = spec.get(field)
    if value is None:
        return ""
    try:
        return str(Share.parse(str(value)))
    except ValueError as error:
        thing.problem(f"spec.spot.{field}", str(value), getattr(error, "description", str(error)))
        return ""


def _percentage(text: str) -> int | None:
    """Parts per million of ``28%``; None if the text is no percentage."""
    try:
        share = Share.parse(text)
    except ValueError:
        return None
    return share.ppm if text.strip().endswith("%") else None


def _required(thing: ManifestObject, field: str) -> str:
    value = thing.spec.get(field)
    if value is None or value == "":
        thing.problem(f"spec.{field}", "", "must be given")
        return ""
    return str(value)


def _price(thing: ManifestObject, field: str) -> int:
    value = thing.spec.get(field)
    if value is None:
        return 0
    try:
        return parse_price(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        thing.problem(f"spec.{field}", str(value), str(error))
        return 0


def _one_of(thing: ManifestObject, field: str, known: tuple[str, ...]) -> str:
    text: str = thing.spec.get(field) or ""
    if text and text not in known:
        hint = suggestion(text, known)
        thing.problem(f"spec.{field}", text, f"must be one of {', '.join(known)}{hint}")
        return ""
    return text
