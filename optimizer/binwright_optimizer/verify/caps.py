"""Caps per node: beside a pod that has one, at most so many selected pods."""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding


def check_caps(state: FinalState) -> Iterator[Finding]:
    """Nodes with more pods than the cap of one of them allows, where a placed pod has a part in it."""
    for k, kind in enumerate(state.book.kinds):
        if not len(state.new(k).nodes) and not len(state.running(k).nodes):
            continue
        for cap in kind.template.node_caps:
            kinds = state.book.selected(cap.selector, frozenset((kind.namespace,)))
            count = state.count_on_nodes(kinds)
            for n in state.new(k).nodes.tolist():
                if count.get(n, 0) > cap.max_pods:
                    yield Finding(
                        Rule.NODE_CAPS,
                        f"pod {state.pod(k, n)} is on {state.nodes[n].name} with {count[n]} pods of "
                        f"{cap.selector}, its cap is {cap.max_pods}",
                    )
            newcomers = None
            for n in state.running(k).nodes.tolist():
                if count.get(n, 0) <= cap.max_pods:
                    continue
                if newcomers is None:
                    newcomers = state.count_on_nodes(kinds, only_new=True)
                if newcomers.get(n, 0):
                    yield Finding(
                        Rule.RUNNING_PODS,
                        f"{state.nodes[n].name} runs a pod whose cap on pods of {cap.selector} is "
                        f"{cap.max_pods}; {newcomers[n]} placed ones make it {count[n]}",
                    )
