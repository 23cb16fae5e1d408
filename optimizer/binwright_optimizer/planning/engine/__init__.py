"""Engines: who does the tasks of a plan. Every engine gives the same results, in whatever order they end."""

from binwright_optimizer.planning.engine.engine import Check, Engine, EngineError
from binwright_optimizer.planning.engine.local import LocalEngine

__all__ = ["Check", "Engine", "EngineError", "LocalEngine"]
