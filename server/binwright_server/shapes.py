"""Decisions whose NodeClaims leave out what they have in common, made whole."""

from __future__ import annotations

from binwright.v1 import decision_pb2
from binwright_optimizer.errors import InvalidProblemError, Violation


def make_whole(decision: decision_pb2.Decision) -> None:
    """Merge the shape that each NodeClaim names into it; nothing changes if all are whole.

    Raises
    ------
    InvalidProblemError
        With every claim that names a shape that is not there; the decision is as it was then.
    """
    shapes = decision.node_shapes
    wrong = [
        Violation(f"node_claims[{k}].shape", str(claim.shape), f"must be in 0..{len(shapes)}")
        for k, claim in enumerate(decision.node_claims)
        if not 0 <= claim.shape <= len(shapes)
    ]
    if wrong:
        raise InvalidProblemError(wrong)
    for claim in decision.node_claims:
        if claim.shape:
            claim.MergeFrom(shapes[claim.shape - 1])
            claim.ClearField("shape")
    decision.ClearField("node_shapes")


def whole(decision: decision_pb2.Decision) -> decision_pb2.Decision:
    """The decision if its NodeClaims are whole, else a copy that is; raises InvalidProblemError."""
    if not decision.node_shapes and not any(claim.shape for claim in decision.node_claims):
        return decision
    made = decision_pb2.Decision()
    made.CopyFrom(decision)
    make_whole(made)
    return made
