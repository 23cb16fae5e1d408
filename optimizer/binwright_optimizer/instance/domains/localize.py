"""Splitting kinds of pods by the domains that some rule tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance.bundles import NO_BUNDLES, Bundle, Bundles, Content
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.device_claims import ClaimName
from binwright_optimizer.instance.domains.charging import ChargeOf, Fluid, weigh
from binwright_optimizer.instance.domains.eligibility import Eligibility
from binwright_optimizer.instance.domains.linking import Cells, Scope
from binwright_optimizer.instance.domains.reach import (
    SpreadDomains,
    balanced,
    spread_domains,
    without_needless_openings,
)
from binwright_optimizer.instance.domains.spot_pools import told_apart, with_spot_pools
from binwright_optimizer.instance.domains.table import DomainTable
from binwright_optimizer.instance.gang_members import short_gangs
from binwright_optimizer.instance.stated import Rules, Stated
from binwright_optimizer.model import Gang, Problem, labels

MOST_LOCAL = 100_000
"""Local kinds beyond which a problem is refused."""


@dataclass(frozen=True, slots=True)
class Localized:
    """Kinds, and bundles of them, split by domain; a kind that no such rule speaks of stays one local kind.

    Parameters
    ----------
    contents
        Pods of one item of each local kind.
    families
        Of each local kind; at most one item of a family is placed. -1: of none.
    placement_of
        intp array (local kind,): row of ``admitted``.
    admitted
        bool array (placement, c): where selectors, taints and domains let local kinds run.
    is_linked
        bool array (kind,): rows link its numbers of pods.
    scopes
        Domain of each local kind.
    spread_over
        Domains that spread constraints balance.
    sample
        intp array (local kind,): one of its candidates; -1 for kinds that are not linked, or have none.
        All of them are alike to every rule about domains.
    charge
        int64 array (local kind,): micro-dollars per hour that one item is charged for being there, or a
        little less (`weigh`).
    is_weighed
        Whether charges tell places apart; False where that would make too many local kinds.
    """

    contents: list[Content]
    families: list[int]
    placement_of: NDArray[np.intp]
    admitted: NDArray[np.bool_]
    is_linked: NDArray[np.bool_]
    scopes: list[Scope]
    spread_over: SpreadDomains
    sample: NDArray[np.intp]
    charge: NDArray[np.int64]
    is_weighed: bool


def localize(
    problem: Problem,
    rules: Rules,
    kinds: Kinds,
    admitted: NDArray[np.bool_],
    table: DomainTable,
    eligibility: Eligibility,
    fluid: Fluid,
    charge_of: ChargeOf,
    bundles: Bundles = NO_BUNDLES,
    is_bounded: NDArray[np.bool_] | None = None,
    meeting: Mapping[ClaimName, NDArray[np.bool_]] | None = None,
    may_stay_empty: NDArray[np.bool_] | None = None,
) -> Localized:
    """Local kinds of a problem.

    Parameters
    ----------
    charge_of
        What pods are charged for places; those that are charged differently become local kinds as well.
    bundles
        Items of several pods; their kinds are placed in no other way.
    is_bounded
        bool array (kind,): further kinds whose numbers of pods rows bound.
    meeting
        bool arrays (c,): where device claims that pods share can be met.
    may_stay_empty
        bool array (c,): nodes that minimums may ask for without any pod.

    Raises
    ------
    InvalidProblemError
        If the kinds and domains are too many to link.
    """
    n_kinds = len(kinds.requests)
    gangs = {(gang.namespace, gang.name): gang for gang in problem.gangs}
    keys_of_selection = _keys_of_selections(problem, rules, kinds)
    if may_stay_empty is None:
        may_stay_empty = np.zeros(table.n_candidates, dtype=bool)
    spread_over = spread_domains(kinds, eligibility, admitted, table, fluid, may_stay_empty)
    admitted = without_needless_openings(spread_over, kinds, admitted, fluid)
    eligible = _eligible_by_selection(kinds, eligibility)
    is_bundled = np.zeros(n_kinds, dtype=bool)
    is_bundled[sorted(bundles.kinds)] = True
    items = [Bundle(((k, 1),)) for k in range(n_kinds) if not is_bundled[k]]
    items += bundles.of
    rows = [int(kinds.placement_of[item.content[0][0]]) for item in items]
    if bundles.of:
        own = [
            _admitted_bundle(bundle, kinds, admitted, table.n_existing, meeting or {})
            for bundle in bundles.of
        ]
        rows[-len(own) :] = range(len(admitted), len(admitted) + len(own))
        admitted = np.concatenate([admitted, np.array(own)])
    charge_of, is_weighed = weigh(charge_of, [item.content for item in items], rows, admitted, fluid)
    cutter = _Cutter(admitted, table)
    pools_of = told_apart(problem, kinds, items, rows, admitted, table, fluid)
    openings_of: dict[int, list[NDArray[np.bool_]]] = {}
    samples: list[int] = []
    charges: list[int] = []
    local: list[tuple[Bundle, int, Scope]] = []  # item, row of the new matrix, scope
    masks: list[NDArray[np.bool_]] = []
    short = short_gangs(problem)
    is_linked: NDArray[np.bool_] = is_bundled.copy()
    if is_bounded is not None:
        is_linked[is_bounded] = True
    for item, placement in zip(items, rows, strict=True):
        parts = [k for k, _ in item.content]
        if not is_bundled[parts[0]] and kinds.stated[parts[0]].gang in short:
            # It has no place, and no row needs to say so: the proof of the others is the better for it.
            local.append((item, len(admitted) + len(masks), ()))
            masks.append(np.zeros(admitted.shape[1], dtype=bool))
            samples.append(-1)
            charges.append(0)
            continue
        keys: set[str] = set()
        for k in parts:
            stated = kinds.stated[k]
            own_keys = _keys(stated, kinds.selected[k], keys_of_selection, gangs)
            is_linked[k] |= bool(own_keys) or bool(stated.gang[1]) or stated.spot[1] >= 0
            keys |= own_keys
        charge = charge_of(item.content)
        if charge is not None and charge[admitted[placement]].any():
            is_linked[parts] = True
        if placement not in openings_of:
            there = admitted[placement]
            openings_of[placement] = [mask for mask in spread_over.openings if (mask & there).any()]
        openings = openings_of[placement]
        if openings:
            is_linked[parts] = True
        if not is_linked[parts[0]]:
            local.append((item, placement, ()))
            samples.append(-1)
            charges.append(0)
            continue
        marks = {
            mask.tobytes(): mask
            for k in parts
            for number in kinds.selected[k]
            for mask in eligible.get(number, ())
        }
        cells = cutter.cells(placement, sorted(keys), [*marks.values(), *openings], charge)
        if item.content in pools_of:
            cells = with_spot_pools(cells, pools_of[item.content], table)
        for scope, mask in cells:
            local.append((item, len(admitted) + len(masks), scope))
            masks.append(mask)
            samples.append(int(np.argmax(mask)) if mask.any() else -1)
            charges.append(int(charge[samples[-1]]) if charge is not None and samples[-1] >= 0 else 0)
        if len(local) > MOST_LOCAL:
            raise InvalidProblemError.of(
                "workloads",
                len(problem.workloads),
                f"topology rules make more than {MOST_LOCAL} pairs of workload and domain",
            )
    wide = np.concatenate([admitted, np.array(masks, dtype=bool).reshape(len(masks), admitted.shape[1])])
    return Localized(
        contents=[item.content for item, _, _ in local],
        families=[item.family for item, _, _ in local],
        placement_of=np.array([row for _, row, _ in local], dtype=np.intp),
        admitted=wide,
        is_linked=is_linked,
        scopes=[scope for _, _, scope in local],
        spread_over=spread_over,
        sample=np.array(samples, dtype=np.intp),
        charge=np.array(charges, dtype=np.int64),
        is_weighed=is_weighed,
    )


def _admitted_bundle(
    bundle: Bundle,
    kinds: Kinds,
    admitted: NDArray[np.bool_],
    n_existing: int,
    meeting: Mapping[ClaimName, NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    """Where all pods of a bundle may run: bool array (c,)."""
    rows = [int(kinds.placement_of[k]) for k, _ in bundle.content]
    result: NDArray[np.bool_] = np.logical_and.reduce(admitted[rows])
    if bundle.nodes is not None:
        first = len(result) - n_existing
        allowed = np.zeros(len(result), dtype=bool)
        allowed[[first + n for n in bundle.nodes]] = True
        result &= allowed
    for name in {name for k, _ in bundle.content for name in kinds.shared[k]}:
        result &= meeting[name]
    return result


def _eligible_by_selection(kinds: Kinds, eligibility: Eligibility) -> dict[int, list[NDArray[np.bool_]]]:
    """For each selection, where constraints that count it count pods at all."""
    found: dict[int, list[NDArray[np.bool_]]] = {}
    for k, stated in enumerate(kinds.stated):
        for spread in balanced(stated):
            template = kinds.placements[int(kinds.placement_of[k])]
            found.setdefault(spread.selection, []).append(eligibility.of(template, stated, spread))
    return found


def _keys_of_selections(problem: Problem, rules: Rules, kinds: Kinds) -> dict[int, set[str]]:
    """Topology keys by which rules count the pods of each selection."""
    keys: dict[int, set[str]] = {}
    for stated in set(kinds.stated):
        for key, selection in _domain_rules(stated):
            keys.setdefault(selection, set()).add(key)
    for node in problem.existing_nodes:
        for pods in node.pods:
            own = dict(pods.template.labels)
            for term in pods.template.pod_anti_affinity.required:
                if term.topology_key != labels.HOSTNAME:
                    number = rules.selections.of_term(term, own, pods.namespace)
                    keys.setdefault(number, set()).add(term.topology_key)
    keys.pop(-1, None)
    return keys


def _domain_rules(stated: Stated) -> list[tuple[str, int]]:
    """Topology keys and selections of the rules about domains larger than a node."""
    found = [(s.constraint.topology_key, s.selection) for s in stated.spread if s.constraint.is_required]
    found += [(n.topology_key, n.selection) for n in (*stated.near, *stated.away)]
    return [(key, selection) for key, selection in found if key != labels.HOSTNAME]


def _keys(
    stated: Stated,
    selected: tuple[int, ...],
    keys_of_selection: dict[int, set[str]],
    gangs: dict[tuple[str, str], Gang],
) -> set[str]:
    """Labels by which rules tell the places of a kind apart."""
    keys = {key for key, _ in _domain_rules(stated)}
    for number in selected:
        keys |= keys_of_selection.get(number, set())
    gang = gangs.get(stated.gang)
    if gang is not None:
        keys |= {rule.topology_key for rule in gang.topology if rule.is_required} - {labels.HOSTNAME}
    if stated.spot[1] >= 0:
        keys.add(labels.CAPACITY_TYPE)
    return keys


@dataclass(slots=True)
class _Cutter:
    """Cuts what a kind is admitted to into domains; kinds of one placement mostly share them."""

    admitted: NDArray[np.bool_]
    table: DomainTable
    _known: dict[tuple[int, tuple[str, ...], tuple[bytes, ...]], Cells] = field(default_factory=dict)

    def cells(
        self,
        placement: int,
        keys: list[str],
        marks: list[NDArray[np.bool_]],
        charge: NDArray[np.int64] | None,
    ) -> Cells:
        """The domains that admitted candidates are in, each with its candidates.

        Those of a cell are marked alike and charged the same.
        """
        admitted = self.admitted[placement]
        columns = np.flatnonzero(admitted)
        levels = np.zeros(0, dtype=np.intp)
        if charge is not None and len(columns):
            levels = np.unique(charge[columns], return_inverse=True)[1].astype(np.intp)
        telling = [mark[columns] for mark in marks]
        telling = [mark for mark in telling if mark.any() and not mark.all()]
        if not keys and not telling and not levels.any():
            return [((), admitted)]
        further = [mark.astype(np.intp) for mark in telling] + ([levels] if levels.any() else [])
        name = placement, tuple(keys), tuple(code.tobytes() for code in further)
        if name not in self._known:
            self._known[name] = self._cut(columns, keys, further)
        return self._known[name]

    def _cut(self, columns: NDArray[np.intp], keys: list[str], further: list[NDArray[np.intp]]) -> Cells:
        codes = [self.table.codes(key)[columns] + 1 for key in keys]  # 0: without the label
        member: NDArray[np.intp] = np.zeros(len(columns), dtype=np.intp)
        for code in (*codes, *further):
            both: NDArray[np.intp] = member * (int(code.max(initial=0)) + 1) + code
            _, found = np.unique(both, return_inverse=True)  # renumbered, so that numbers stay small
            member = found.astype(np.intp)
        cells: Cells = []
        for number in range(int(member.max(initial=-1)) + 1):
            mine = np.flatnonzero(member == number)
            scope = tuple(
                (key, None if code[mine[0]] == 0 else self.table.values(key)[code[mine[0]] - 1])
                for key, code in zip(keys, codes, strict=True)
            )
            mask = np.zeros(self.admitted.shape[1], dtype=bool)
            mask[columns[mine]] = True
            cells.append((scope, mask))
        return cells
