"""``minValues`` of NodePools: a NodeClaim leaves the cloud enough to choose from.

A claim's choices are its alternatives, each as a node in the claim's zone under its capacity type; a
claim without alternatives leaves the chosen instance type alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.model import MinValuesPolicy, NodeClaim
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding


def check_min_values(state: FinalState) -> Iterator[Finding]:
    """NodeClaims whose alternatives have fewer values of a label than their NodePool wants."""
    if state.problem.policies.min_values is not MinValuesPolicy.STRICT:
        return
    wanted = {
        pool.name: tuple((r.key, r.min_values) for r in pool.requirements if r.min_values)
        for pool in state.problem.node_pools
    }
    known: dict[tuple[str, int, int], tuple[str, ...]] = {}
    type_labels = {kind.name: dict(kind.labels) for kind in state.problem.catalog.instance_types}
    for claim in state.decision.node_claims:
        keys = wanted.get(claim.node_pool)
        if not keys:
            continue
        shown = (claim.node_pool, id(claim.alternatives), id(claim.labels))
        if shown not in known:
            known[shown] = tuple(_lacking(claim, keys, type_labels))
        for finding in known[shown]:
            yield Finding(Rule.MIN_VALUES, f"node claim {claim.name}: {finding}")


def _lacking(
    claim: NodeClaim, keys: tuple[tuple[str, int], ...], type_labels: dict[str, dict[str, str]]
) -> Iterator[str]:
    own = dict(claim.labels)
    names = [alternative.instance_type for alternative in claim.alternatives] or [claim.instance_type]
    for key, least in keys:
        is_of_type = any(key in pairs for pairs in type_labels.values())
        values = {type_labels.get(name, {}).get(key) if is_of_type else own.get(key) for name in names}
        found = len(values - {None})
        if found < least:
            yield f"its alternatives have {found} values of {key}, NodePool {claim.node_pool} wants {least}"
