"""Which pods a NodeClaim is already on its way for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from binwright_clients.controller.observation import ClaimView, Observation
from binwright_clients.kubernetes.fields import at


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a NodeClaim counts as on its way.

    Parameters
    ----------
    launch_s
        Until a machine exists; Karpenter gives a claim up after as long.
    register_s
        Until its node is initialised; Karpenter deletes a claim that has not registered by then.
    bind_s
        From then on until its pods should be bound; what is still pending goes into the next batch. Pods
        whose room kube-scheduler gave to others do not wait for that.
    settle_s
        From when its node is initialised until its room is judged: watches may be a moment behind, and show
        it without the GPUs that made it ready.
    """

    launch_s: float = 300.0
    register_s: float = 900.0
    bind_s: float = 120.0
    settle_s: float = 5.0


def is_on_its_way(claim: ClaimView, now_s: float, patience: Patience) -> bool:
    """Whether the pods of a claim should wait for it."""
    if claim.is_deleting:
        return False
    if claim.ready_s is not None:
        return now_s - claim.ready_s < patience.bind_s
    limit = patience.register_s if claim.is_launched else patience.launch_s
    return now_s - claim.created_s < limit


def is_launching(claim: ClaimView, now_s: float, patience: Patience) -> bool:
    """Whether what it will be is not known yet: its room and its share of a limit are not in the books.

    Karpenter, too, solves nothing while there is such a claim (``Cluster.Synced``).
    """
    return not claim.is_launched and claim.ready_s is None and is_on_its_way(claim, now_s, patience)


def judged(seen: Observation, now_s: float, patience: Patience) -> Observation:
    """What was seen, as far as it is to be believed at this time.

    NodeClaims whose machine or node has not come in time are left out: a node that never gets ready would be
    taken for one that will, and attract pods for ever. And no pod is crowded out of a node that has only just
    got ready.
    """
    late = {
        claim.name
        for claim in seen.claims
        if claim.ready_s is None and not is_on_its_way(claim, now_s, patience)
    }
    claims = tuple(
        replace(claim, crowded_out=frozenset())
        if claim.crowded_out and now_s - (claim.ready_s or 0.0) < patience.settle_s
        else claim
        for claim in seen.claims
    )
    if not late:
        return replace(seen, claims=claims)
    kept = (
        item
        for item in seen.objects
        if item.get("kind") != "NodeClaim" or at(item, "metadata", "name") not in late
    )
    return replace(seen, objects=tuple(kept), claims=claims)


def nominated(claims: Iterable[ClaimView], now_s: float, patience: Patience) -> frozenset[str]:
    """UIDs of the pods that some claim is on its way for."""
    return frozenset(
        uid
        for claim in claims
        if is_on_its_way(claim, now_s, patience)
        for uid in claim.pods - claim.crowded_out
    )
