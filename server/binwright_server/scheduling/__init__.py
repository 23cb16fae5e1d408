"""Scheduling in a running cluster: its state as arrays, a plan for it, and scores that follow the plan.

``records`` are the objects of the cluster, ``state`` holds them, ``table`` is the nodes as arrays. A
``view`` answers for one kind of pods which nodes admit it; ``plan`` is what the optimizer would keep, made
in the background by ``planner``; ``score`` turns both into numbers.
"""
