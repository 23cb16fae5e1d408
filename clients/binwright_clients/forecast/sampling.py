"""Futures to be drawn from the bands of a forecast: ``scenarios: {count: 100, seed: 1, common: 0.5}``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from binwright_optimizer.model.forecast import PPM, Sampling

from binwright_clients.kubernetes.schema import Record, Scalar, shown

SAMPLING = Record({"count": Scalar("integer"), "seed": Scalar("integer"), "common": Scalar("number")})


def read_sampling(
    entry: Mapping[str, Any] | None, report: Callable[[str, str, str], None]
) -> Sampling | None:
    """The samples asked for; None if there are none, or if a mistake was reported."""
    if entry is None:
        return None
    common, seed = entry.get("common"), entry.get("seed") or 0
    common = 0.5 if common is None else common
    if not math.isfinite(common) or not 0 <= common <= 1:
        report("scenarios.common", shown(common), "must be in 0..1: the share of the variance that all share")
        return None
    if entry.get("count") is None:
        report("scenarios.count", "", "must be given")
        return None
    try:
        return Sampling(entry["count"], seed, round(common * PPM))
    except ValueError as error:
        report("scenarios.count", shown(entry["count"]), str(error))
        return None
