"""Registered instances, faithful baselines, and the suites that compare them."""
