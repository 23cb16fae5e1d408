"""All rules about domains as one linear system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance.claims import Claim, ClaimName
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.domains.affinity import add_affinity
from binwright_optimizer.instance.domains.counting import Counting, LocalKind, scopes_by_kind
from binwright_optimizer.instance.domains.eligibility import Eligibility
from binwright_optimizer.instance.domains.exclusive import add_exclusive_claims
from binwright_optimizer.instance.domains.gangs import add_gangs
from binwright_optimizer.instance.domains.linking import Linking, LinkingBuilder
from binwright_optimizer.instance.domains.localize import Localized
from binwright_optimizer.instance.domains.spot import add_spot
from binwright_optimizer.instance.domains.spread import add_spread
from binwright_optimizer.instance.domains.table import DomainTable
from binwright_optimizer.instance.stated import Rules
from binwright_optimizer.model import Problem

MOST_CHARGED = 2**62
"""Largest sum of charges, in micro-dollars per hour: sums over all pods stay inside int64."""


def linking_of(
    problem: Problem,
    rules: Rules,
    kinds: Kinds,
    localized: Localized,
    table: DomainTable,
    eligibility: Eligibility,
    demand: NDArray[np.int64],
    class_of_local: NDArray[np.intp],
    claims: Mapping[ClaimName, Claim],
) -> Linking | None:
    """The system over all linked kinds; None if there are none.

    Parameters
    ----------
    demand
        int64 array (kind,).
    class_of_local
        intp array (local kind,): pod class, -1 where nothing holds it.
    claims
        Volumes by name that several pods mount.
    """
    linked = np.flatnonzero(localized.is_linked & (demand > 0))
    if not len(linked):
        return None
    _check_charges(localized, demand)
    chosen = [
        local
        for local, content in enumerate(localized.contents)
        if class_of_local[local] >= 0 and all(localized.is_linked[k] and demand[k] for k, _ in content)
    ]
    contents = [localized.contents[local] for local in chosen]
    scopes = [localized.scopes[local] for local in chosen]
    builder = LinkingBuilder(len(chosen), len(linked))
    position = {int(k): q for q, k in enumerate(linked)}
    local: dict[int, list[LocalKind]] = {int(k): [] for k in linked}
    local |= scopes_by_kind(contents, scopes)
    most = np.array([min(demand[k] // n for k, n in content) for content in contents], dtype=np.int64)
    sample = localized.sample[chosen]
    counting = Counting(
        problem, rules, kinds, table, local, demand, most, builder,
        eligibility, localized.spread_over, sample,
    )  # fmt: skip
    left_out = {k: builder.left_out(q) for k, q in position.items()}
    add_affinity(counting)  # first, since it closes domains that need no row then
    add_spread(counting, left_out)
    add_gangs(counting, left_out)
    add_spot(counting)
    add_exclusive_claims(counting, claims)
    families = [localized.families[local] for local in chosen]
    _add_families(families, builder)
    for k in position:
        terms = {**{v: float(pods) for v, pods, _ in local[k]}, left_out[k]: 1.0}
        builder.row(terms, lower=float(demand[k]), upper=float(demand[k]))
    parts = [(v, position[k], pods) for v, content in enumerate(contents) for k, pods in content]
    part_of, part_kind, part_pods = np.array(parts, dtype=np.int64).reshape(len(parts), 3).T
    rows = [(sorted(terms.items()), lower, upper) for terms, lower, upper in builder.rows]
    starts = np.cumsum([0, *(len(terms) for terms, _, _ in rows)])
    return Linking(
        class_of=class_of_local[chosen],
        part_of=part_of.astype(np.intp),
        part_kind=part_kind.astype(np.intp),
        part_pods=part_pods.copy(),
        families=np.array(families, dtype=np.intp),
        most=most,
        charge=localized.charge[chosen],
        scopes=tuple(scopes),
        kinds=linked,
        demand=demand[linked],
        priority=kinds.priority[linked],
        left_least=np.zeros(len(linked), dtype=np.int64),
        left_most=demand[linked],
        aux_lower=np.array([low for low, _, _ in builder.aux]),
        aux_upper=np.array([high for _, high, _ in builder.aux]),
        aux_is_integer=np.array([whole for _, _, whole in builder.aux], dtype=bool),
        starts=starts.astype(np.int32),
        index=np.array([v for terms, _, _ in rows for v, _ in terms], dtype=np.int32),
        value=np.array([c for terms, _, _ in rows for _, c in terms], dtype=np.float64),
        lower=np.array([low for _, low, _ in rows]),
        upper=np.array([high for _, _, high in rows]),
    )


def _check_charges(localized: Localized, demand: NDArray[np.int64]) -> None:
    """Refuse charges whose sum could overflow, however pods are placed."""
    most = max((int(charge) for charge in localized.charge), default=0)
    total = most * int(demand.sum())
    if total >= MOST_CHARGED:
        raise InvalidProblemError.of(
            "policies", total, "penalties and interruptions of all pods are too large to add up exactly"
        )


def _add_families(families: Sequence[int], builder: LinkingBuilder) -> None:
    """At most one item of each family."""
    members: dict[int, list[int]] = {}
    for v, family in enumerate(families):
        if family >= 0:
            members.setdefault(family, []).append(v)
    for _, mine in sorted(members.items()):
        builder.row(mine, upper=1.0)
