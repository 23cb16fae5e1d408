"""Weights of shares in the proof of a bound: no device holds more than one whole, and sums get sharp."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from binwright_optimizer.model import Certificate, GpuShare, InstanceType, Workload
from binwright_optimizer.verify import prove_bound
from binwright_optimizer.verify.device_weights import WHOLE, _maximal
from builders import GIB, instance_type, pod, problem
from hypothesis import given
from hypothesis import strategies as st


def sharing(name: str, milli: int, replicas: int) -> Workload:
    workload = pod(name, cpu=1, gpu=1, replicas=replicas)
    return dataclasses.replace(
        workload, template=dataclasses.replace(workload.template, gpu_share=GpuShare(milli, 0))
    )


def gpu_type(gpus: int, price: float, cpu: float = 64) -> InstanceType:
    kind = instance_type(f"with-{gpus}", cpu=cpu, gpu=gpus, price=price, gpu_model="t4")
    return dataclasses.replace(kind, gpu_memory_bytes=16 * GIB)


def test_three_shares_above_a_quarter_stand_on_a_device_whatever_the_rests_add_up_to() -> None:
    """A device holds three shares of 260, so three devices hold nine, though their sum lets eleven on.

    At one dollar a pod no node of nine dollars is worth more than it costs: 90 pods cost 90 dollars.
    """
    question = problem([sharing("s", 260, 90)], [gpu_type(3, 9.0)])
    assert prove_bound(question, Certificate(0, (1_000_000,)), [90]) == 90_000_000


def test_shares_of_two_sizes_weigh_what_they_leave_no_room_for() -> None:
    """Beside 260 + 260 a device holds 480, so one 480 weighs a third, like each 260: 2 devices hold 6 pods.

    The sum alone would let seven of 260 on two devices.
    """
    question = problem([sharing("a", 260, 12), sharing("b", 480, 6)], [gpu_type(2, 6.0)])
    assert prove_bound(question, Certificate(0, (1_000_000, 1_000_000)), [12, 6]) == 18_000_000


def test_a_whole_device_weighs_as_much_as_it_leaves_out() -> None:
    """Three dollars for a whole device and one for each 260, three to a device: six dollars fill a node."""
    question = problem([pod("w", cpu=1, gpu=1, replicas=4), sharing("s", 260, 12)], [gpu_type(2, 6.0)])
    assert prove_bound(question, Certificate(0, (3_000_000, 1_000_000)), [4, 12]) == 24_000_000


@pytest.mark.parametrize(("cpu", "nodes"), [(4, 5), (5, 4), (9, 2)])
def test_weights_suit_nodes_short_of_other_resources(cpu: int, nodes: int) -> None:
    """With 4 CPUs beside 3 GPUs a node holds four of 18 pods, with 5 five, with 9 nine."""
    question = problem([sharing("s", 260, 18)], [gpu_type(3, 9.0, cpu=cpu)])
    assert prove_bound(question, Certificate(0, (9_000_000 // cpu,)), [18]) == nodes * 9_000_000


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True),
    st.lists(st.floats(0, 5), min_size=5, max_size=5),
    st.floats(0, 10),
)
def test_no_content_of_a_device_weighs_more_than_a_whole(
    sizes: list[int], worth: list[float], dearest: float
) -> None:
    """Every content of a device with 20 places, one by one."""
    sizes = sorted(sizes)
    weights = _maximal(np.array(worth[: len(sizes)]), np.array(sizes, dtype=np.int64), 20, dearest)
    assert (weights >= 0).all()
    for counts in itertools.product(*(range(20 // size + 1) for size in sizes)):
        if np.dot(counts, sizes) <= 20:
            assert np.dot(counts, weights) <= WHOLE
