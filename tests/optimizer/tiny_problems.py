"""Hypothesis strategies: problems small enough to solve by exhaustive enumeration."""

from __future__ import annotations

from binwright_optimizer.model import Problem
from builders import existing_node, instance_type, node_pool, offering, pod, problem
from hypothesis import strategies as st


@st.composite
def tiny_problems(draw: st.DrawFn) -> Problem:
    """Up to three workloads and three instance types in one or two NodePools.

    Pods may pick a type by label, tolerate the second pool's taint, and the pools may have limits
    and minimums; there may be an existing node. Some pods may fit nowhere.
    """
    kinds = [
        instance_type(
            f"type-{t}",
            cpu=draw(st.integers(1, 6)),
            memory_gib=draw(st.integers(1, 6)),
            gpu=draw(st.sampled_from([0, 0, 1, 2])),
            pods=draw(st.sampled_from([0, 2, 4])),
            offerings=[
                offering(
                    draw(st.integers(1, 12)), available=draw(st.sampled_from([None, 1, 2])) if t else None
                )
            ],
            extra_labels={"size": draw(st.sampled_from(["s", "l"]))},
        )
        for t in range(draw(st.integers(1, 3)))
    ]
    workloads = [
        pod(
            f"w-{w}",
            cpu=draw(st.integers(0, 3)),
            memory_gib=draw(st.integers(0, 3)),
            gpu=draw(st.sampled_from([0, 0, 0, 1])),
            replicas=draw(st.integers(1, 3)),
            selector=draw(st.sampled_from([None, None, {"size": "s"}])),
            tolerations=draw(st.sampled_from([(), ("team=x:NoSchedule",)])),
        )
        for w in range(draw(st.integers(1, 3)))
    ]
    pools = [node_pool("plain", max_nodes=draw(st.sampled_from([None, None, 2])))]
    if draw(st.booleans()):
        pools.append(
            node_pool("tainted", taints=["team=x:NoSchedule"], min_nodes=draw(st.sampled_from([0, 0, 1])))
        )
    existing = [existing_node("old", cpu=2, memory_gib=2, pods=2)] if draw(st.booleans()) else []
    return problem(workloads, kinds, pools, existing=existing)
