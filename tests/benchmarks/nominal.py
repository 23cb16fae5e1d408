"""The AWS GPU types of the worked cases with their nominal amounts, us-east-1 on demand."""

from __future__ import annotations

from builders import instance_type

_SHAPES = (
    ("g4dn.xlarge", 4, 16, 1, 0.526),
    ("g4dn.2xlarge", 8, 32, 1, 0.752),
    ("g4dn.4xlarge", 16, 64, 1, 1.204),
    ("g4dn.8xlarge", 32, 128, 1, 2.176),
    ("g4dn.12xlarge", 48, 192, 4, 3.912),
    ("g4dn.16xlarge", 64, 256, 1, 4.352),
    ("g4dn.metal", 96, 384, 8, 7.824),
    ("g5.xlarge", 4, 16, 1, 1.006),
    ("g5.2xlarge", 8, 32, 1, 1.212),
    ("p3.2xlarge", 8, 61, 1, 3.06),
)

AWS_GPU_TYPES = tuple(
    instance_type(name, cpu=cpu, memory_gib=memory, gpu=gpu, price=price)
    for name, cpu, memory, gpu, price in _SHAPES
)
"""Allocatable is the nominal capacity, so that the arithmetic can be followed with a pencil."""
