"""Hypothesis strategies: parts of GPUs that pods ask for, and commitments held."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import (
    CapacityType,
    GpuShare,
    GpuSharing,
    InstanceType,
    Reservation,
    SavingsPlan,
    SharingStrategy,
    labels,
)
from builders import GIB, REGION, requires
from hypothesis import strategies as st

GPU_PARTS: st.SearchStrategy[tuple[dict[str, int], GpuShare | None]] = st.one_of(
    st.just(({}, None)),
    st.just(({"nvidia.com/gpu": 1}, None)),
    st.tuples(
        st.sampled_from([{"nvidia.com/gpu": 1}, {"nvidia.com/gpu": 1}, {"nvidia.com/gpu": 2}]),
        st.builds(
            GpuShare,
            milli=st.sampled_from([100, 300, 500, 501, 700]),
            memory_bytes=st.sampled_from([0, 0, 4 * GIB, 12 * GIB]),
        ),
    ),
    st.tuples(
        st.sampled_from(["1g.5gb", "3g.20gb", "4g.20gb", "7g.40gb"]).map(
            lambda profile: {f"nvidia.com/mig-{profile}": 1}
        ),
        st.none(),
    ),
)
"""What a pod requests of GPUs, and its share of each."""

MODEL_MEMORY = {"t4": 16 * GIB, "a100-40gb": 40 * GIB}
GPU_SHARING = st.sampled_from(
    [
        *[GpuSharing()] * 3,
        GpuSharing(mig=False),
        GpuSharing(SharingStrategy.EXCLUSIVE),
        GpuSharing(SharingStrategy.TIME_SLICING, 2),
        GpuSharing(SharingStrategy.MPS, 2),
    ]
)
"""How a NodePool may share its GPUs."""


@st.composite
def commitments(
    draw: st.DrawFn, kinds: list[InstanceType]
) -> tuple[tuple[Reservation, ...], tuple[SavingsPlan, ...]]:
    """Up to two reservations and a savings plan, of which any part saves whole micro-dollars."""
    reservations = st.builds(
        Reservation,
        name=st.just("held"),
        instance_type=st.sampled_from([kind.name for kind in kinds]),
        region=st.just(REGION),
        count=st.integers(0, 2),
        zone=st.sampled_from(["", "a", "b"]),
        capacity_type=st.sampled_from([CapacityType.ON_DEMAND, CapacityType.RESERVED]),
        price_microusd_per_hour=st.sampled_from([0, 0, 500_000]),
    )
    held = draw(st.lists(reservations, max_size=2))
    plans = st.builds(
        SavingsPlan,
        name=st.just("plan"),
        microusd_per_hour=st.sampled_from([300_000, 1_500_000, 6_000_000]),
        discount_ppm=st.sampled_from([0, 250_000, 500_000]),
        requirements=st.sampled_from(
            [(), (requires(labels.INSTANCE_TYPE, "In", "type-0"),), (requires(labels.ZONE, "In", "a"),)]
        ),
    )
    numbered = tuple(dataclasses.replace(r, name=f"held-{n}") for n, r in enumerate(held))
    return numbered, tuple(draw(st.lists(plans, max_size=1)))
