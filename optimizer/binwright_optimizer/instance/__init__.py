"""The problem as arrays: pod classes, candidates, compatibility, limits."""

from binwright_optimizer.instance.build import build_instance
from binwright_optimizer.instance.instance import Instance
from binwright_optimizer.instance.limits import NODES, LimitRow, MinimumRow
from binwright_optimizer.instance.shelf import UNLIMITED

__all__ = ["NODES", "UNLIMITED", "Instance", "LimitRow", "MinimumRow", "build_instance"]
