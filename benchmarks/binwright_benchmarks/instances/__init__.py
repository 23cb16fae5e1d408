"""Benchmark instances, one small self-registering file each; see `registry`."""
