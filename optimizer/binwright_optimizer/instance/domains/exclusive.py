"""Volumes that one pod at a time may use (``ReadWriteOncePod``)."""

from __future__ import annotations

from collections.abc import Mapping

from binwright_optimizer.instance.claims import Claim, ClaimName
from binwright_optimizer.instance.domains.counting import Counting


def add_exclusive_claims(counting: Counting, claims: Mapping[ClaimName, Claim]) -> None:
    """At most one pod of all that mount such a volume, and none if one runs that does."""
    for _, claim in sorted(claims.items()):
        if claim.is_exclusive:
            users = {int(counting.kinds.workload_kind[w]) for w in claim.workloads}
            terms = counting.everyone(sorted(users))
            if terms:
                counting.builder.row(terms, upper=0.0 if claim.running else 1.0)
