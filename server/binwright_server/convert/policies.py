"""What wishes are worth, and how much spot capacity is borne."""

from __future__ import annotations

from binwright.v1 import policies_pb2
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.policies import (
    DEFAULT_MICROUSD_PER_WEIGHT_HOUR,
    GpuNodePolicy,
    MinValuesPolicy,
    Policies,
    PreferencePolicy,
)
from binwright_optimizer.model.spot import LossBound, Share, SpotPolicy

from binwright_server.convert.violations import Violations

_PREFERENCES = {policy.value: policy for policy in PreferencePolicy}
_MIN_VALUES = {policy.value: policy for policy in MinValuesPolicy}
_GPU_NODES = {policy.value: policy for policy in GpuNodePolicy}

DEFAULT_POLICIES = Policies(microusd_per_weight_hour=DEFAULT_MICROUSD_PER_WEIGHT_HOUR)
"""Those of a request that states none."""

DEFAULT_WINDOW_S = 3_600
"""Window of a bound on losses that names none: an hour."""


def policies_from_message(message: policies_pb2.Policies, path: str, out: Violations) -> Policies:
    """The choices; defaults where they are wrong."""
    preferences = out.choose(
        f"{path}.preference_policy", message.preference_policy, _PREFERENCES, PreferencePolicy.RESPECT
    )
    min_values = out.choose(
        f"{path}.min_values_policy", message.min_values_policy, _MIN_VALUES, MinValuesPolicy.STRICT
    )
    gpu_nodes = out.choose(
        f"{path}.gpu_node_policy", message.gpu_node_policy, _GPU_NODES, GpuNodePolicy.IF_CHEAPER
    )
    spot = spot_policy_from_message(message.spot, f"{path}.spot", out)
    if preferences is None or min_values is None or gpu_nodes is None:
        return DEFAULT_POLICIES
    has_price = message.HasField("microusd_per_weight_hour")
    weight_price = message.microusd_per_weight_hour if has_price else DEFAULT_MICROUSD_PER_WEIGHT_HOUR
    restart_cost = message.restart_cost_microusd
    made = out.build(
        path, lambda: Policies(preferences, weight_price, min_values, gpu_nodes, spot, restart_cost)
    )
    return made or DEFAULT_POLICIES


def spot_policy_from_message(message: policies_pb2.SpotPolicy, path: str, out: Violations) -> SpotPolicy:
    """The policy; rules that are wrong are recorded and left out."""
    loss = None
    if message.HasField("loss"):
        share = _share(message.loss.share, f"{path}.loss.share", out)
        if not message.loss.share:
            out.add(f"{path}.loss.share", "", "must say how much may be lost")
        if share is not None:
            loss = _loss(message.loss, share, f"{path}.loss", out)
    return SpotPolicy(
        min_on_demand=_share(message.min_on_demand, f"{path}.min_on_demand", out),
        max_per_pool=_share(message.max_per_pool, f"{path}.max_per_pool", out),
        loss=loss,
    )


def _loss(message: policies_pb2.LossBound, share: Share, path: str, out: Violations) -> LossBound | None:
    window_s = message.window_seconds or DEFAULT_WINDOW_S
    try:
        return LossBound(share, message.probability_ppm, window_s)
    except WrongFieldError as error:
        field = "window_seconds" if error.field == "window_s" else error.field
        out.add(f"{path}.{field}", error.value, error.description)
        return None


def _share(text: str, path: str, out: Violations) -> Share | None:
    """The share that a text spells; None if it is empty or wrong."""
    if not text:
        return None
    try:
        return Share.parse(text)
    except WrongFieldError as error:
        out.add(path, text, error.description)
    except ValueError as error:
        out.add(path, text, str(error))
    return None
