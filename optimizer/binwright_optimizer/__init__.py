"""Binwright's optimizer: the cheapest verified set of nodes for a set of pods.

Read the packages in this order to follow the method: ``model`` (what is asked and
answered), ``catalog`` (what the clouds sell), ``instance`` (the problem as arrays),
``heuristics``, ``bounds`` and ``columns`` (how it is solved), ``extract`` (arrays back to
names), ``verify`` (the independent checker) and ``solve`` (the wiring).
"""
