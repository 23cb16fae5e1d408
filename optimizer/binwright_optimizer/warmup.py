"""Compiles the numba kernels ahead of the first solve."""
