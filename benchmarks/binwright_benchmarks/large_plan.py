"""Forecasts of any size for capacity planning, the same for the same seed.

::

    python -m binwright_benchmarks.large_plan --quarters 12 --regions 5 --scenarios 100 > large.json

Workloads have the shapes of services: 0.1 to 4 vCPU, 1 to 8 GiB a vCPU, a third of them interruptible and
bought on spot, half of them at office hours. Demand is lognormal, grows by some per cent a quarter and gets
less sure with time: p90 is 8 % above p50 at first and 30 % in the twelfth quarter.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from typing import Any

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-1", "us-west-2", "eu-central-1")
FIRST_YEAR = 2027
P99_TO_P90 = 1.82
"""Distance of p99 from p50 over that of p90, for a normal distribution."""


def large_forecast(
    quarters: int, regions: int, scenarios: int, workloads: int, seed: int = 1, spot_share: float = 1 / 3
) -> dict[str, Any]:
    """A forecast document.

    Raises
    ------
    ValueError
        If more regions are asked for than there are.
    """
    if not 1 <= regions <= len(REGIONS):
        raise ValueError(f"there are 1 to {len(REGIONS)} regions, not {regions}")
    rng = random.Random(seed)
    periods = [f"{FIRST_YEAR + at // 4}-Q{at % 4 + 1}" for at in range(quarters)]
    return {
        "apiVersion": "binwright.dev/v1",
        "kind": "Forecast",
        "cloud": "aws",
        "headroom": 0,
        "regions": list(REGIONS[:regions]),
        "periods": periods,
        "scenarios": {"count": scenarios, "seed": seed},
        "workloads": [
            _workload(f"service-{at:03d}", REGIONS[:regions], periods, at < spot_share * workloads, rng)
            for at in range(workloads)
        ],
    }


def _workload(
    name: str, regions: tuple[str, ...], periods: list[str], is_spot: bool, rng: random.Random
) -> dict[str, Any]:
    cpu_milli = rng.choice((100, 250, 500, 750, 1000, 1500, 2000, 3000, 4000))
    memory_mib = max(64, round(cpu_milli * 1.024 * rng.choice((1, 2, 3, 4, 6, 8)) * rng.uniform(0.8, 1.2)))
    base, growth = rng.lognormvariate(3.3, 0.8), rng.uniform(1.0, 1.06)
    demand = {
        region: {
            period: _band(base * share * growth**at, 0.08 + 0.02 * at) for at, period in enumerate(periods)
        }
        for region in regions
        for share in (rng.uniform(0.5, 1.2),)
    }
    return {
        "name": name,
        "requests": {"cpu": f"{cpu_milli}m", "memory": f"{memory_mib}Mi"},
        "profile": rng.choice(("flat", "office")),
        **({"capacityType": "spot"} if is_spot else {}),
        "demand": demand,
    }


def _band(median: float, spread: float) -> dict[str, int]:
    p50 = max(1, round(median))
    return {
        "p50": p50,
        "p90": math.ceil(p50 * (1 + spread)),
        "p99": math.ceil(p50 * (1 + P99_TO_P90 * spread)),
    }


def main() -> None:
    """Write a forecast to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quarters", type=int, default=12)
    parser.add_argument("--regions", type=int, default=5)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    document = large_forecast(asked.quarters, asked.regions, asked.scenarios, asked.workloads, asked.seed)
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
