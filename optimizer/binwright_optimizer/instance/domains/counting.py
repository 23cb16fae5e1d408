"""Pods by domain: the variables that stand for them, and those that already run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles import Content
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.domains.eligibility import Eligibility
from binwright_optimizer.instance.domains.linking import LinkingBuilder, Scope
from binwright_optimizer.instance.domains.reach import SpreadDomains
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.stated import Rules, Spread
from binwright_optimizer.model import Problem

LocalKind = tuple[int, int, dict[str, str | None]]
"""A variable of the system, how many pods of a kind each of its items has, and the labels of its domain."""


@dataclass(slots=True)
class Counting:
    """What rules are written with.

    Parameters
    ----------
    kinds
        The kinds before they were split.
    local
        Of each linked kind, the variables whose items have pods of it.
    demand
        int64 array (kind,).
    most
        int64 array (v,): most items of each local kind; rules lower it.
    builder
        Receives rows and further variables.
    spread_over
        Domains that spread constraints balance.
    sample
        intp array (v,): a candidate of each local kind.
    """

    problem: Problem
    rules: Rules
    kinds: Kinds
    table: DomainTable
    local: dict[int, list[LocalKind]]
    demand: NDArray[np.int64]
    most: NDArray[np.int64]
    builder: LinkingBuilder
    eligibility: Eligibility
    spread_over: SpreadDomains
    sample: NDArray[np.intp]
    _members: dict[int, list[int]] = field(default_factory=dict)
    _presence: dict[tuple[int, str, int], int] = field(default_factory=dict)
    _opened: dict[int, int | None] = field(default_factory=dict)
    _running: dict[tuple[int, str], NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for k in self.local:
            for number in self.kinds.selected[k]:
                self._members.setdefault(number, []).append(k)

    def members(self, selection: int) -> list[int]:
        """Linked kinds that a selection holds."""
        return self._members.get(selection, [])

    def by_domain(self, k: int, key: str) -> dict[int, dict[int, float]]:
        """Terms that add up the pods of a kind by domain; those without the label under `NO_DOMAIN`."""
        index: dict[str | None, int] = {value: code for code, value in enumerate(self.table.values(key))}
        found: dict[int, dict[int, float]] = {}
        for v, pods, scope in self.local[k]:
            found.setdefault(index.get(scope.get(key), NO_DOMAIN), {})[v] = float(pods)
        return found

    def everyone(self, kinds: list[int]) -> dict[int, float]:
        """Terms that add up the new pods of some kinds, wherever they are."""
        terms: dict[int, float] = {}
        for k in kinds:
            for v, pods, _ in self.local.get(k, ()):
                terms[v] = terms.get(v, 0.0) + pods
        return terms

    def running_on(self, selection: int, key: str, nodes: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Running pods of a selection on some nodes by domain: int64 array (domain,).

        Parameters
        ----------
        nodes
            bool array (existing node,).
        """
        result = np.zeros(len(self.table.values(key)), dtype=np.int64)
        if selection >= 0 and self.table.n_existing:
            codes = self.table.existing_codes(key)
            inside = nodes & (codes != NO_DOMAIN)
            np.add.at(result, codes[inside], self.rules.selections.running(selection)[inside])
        return result

    def running(self, selection: int, key: str) -> NDArray[np.int64]:
        """Running pods of a selection in each domain: int64 array (domain,)."""
        known = self._running.get((selection, key))
        if known is None:
            everywhere = np.ones(self.table.n_existing, dtype=bool)
            known = self._running[selection, key] = self.running_on(selection, key, everywhere)
        return known

    def running_in_all(self, selections: frozenset[int], key: str) -> NDArray[np.int64]:
        """Running pods that several selections all hold, by domain: int64 array (domain,)."""
        result = np.zeros(len(self.table.values(key)), dtype=np.int64)
        if self.table.n_existing:
            codes = self.table.existing_codes(key)
            inside = codes != NO_DOMAIN
            np.add.at(result, codes[inside], self.rules.selections.running_in_all(selections)[inside])
        return result

    def presence(self, k: int, key: str, domain: int) -> int:
        """A variable that is 1 if any pod of the kind is in the domain."""
        name = k, key, domain
        known = self._presence.get(name)
        if known is None:
            known = self._presence[name] = self.builder.variable(0.0, 1.0, is_integer=True)
            mine = self.by_domain(k, key).get(domain, {})
            self.builder.row({**mine, known: -float(self.demand[k])}, upper=0.0)
        return known

    def opened(self, row: int) -> int | None:
        """A variable that is 1 if and only if some item is where it opens a domain; None if none can be.

        Parameters
        ----------
        row
            Of `SpreadDomains.openings`.
        """
        if row not in self._opened:
            opening = self.spread_over.openings[row]
            items = [v for v in range(len(self.most)) if self.sample[v] >= 0 and opening[self.sample[v]]]
            self._opened[row] = None
            if items:
                variable = self._opened[row] = self.builder.variable(0.0, 1.0, is_integer=True)
                for v in items:
                    self.builder.row({v: 1.0, variable: -float(self.most[v])}, upper=0.0)
                self.builder.row({**dict.fromkeys(items, -1.0), variable: 1.0}, upper=0.0)
        return self._opened[row]

    def pods(self, kinds: list[int], key: str, domain: int) -> dict[int, float]:
        """Terms that add up the new pods of some kinds in a domain."""
        terms: dict[int, float] = {}
        for k in kinds:
            for v, pods in self.by_domain(k, key).get(domain, {}).items():
                terms[v] = terms.get(v, 0.0) + pods
        return terms

    def forbid(self, k: int, key: str, domain: int) -> None:
        """Keep a kind out of a domain."""
        for v in self.by_domain(k, key).get(domain, {}):
            self.most[v] = 0

    def eligible(self, k: int, spread: Spread) -> NDArray[np.bool_]:
        """Candidates on which a constraint of a kind counts pods: bool array (c,)."""
        template = self.kinds.placements[int(self.kinds.placement_of[k])]
        return self.eligibility.of(template, self.kinds.stated[k], spread)


def scopes_by_kind(contents: Sequence[Content], scopes: Sequence[Scope]) -> dict[int, list[LocalKind]]:
    """Variables of each kind with their scopes as mappings."""
    found: dict[int, list[LocalKind]] = {}
    for v, (content, scope) in enumerate(zip(contents, scopes, strict=True)):
        for k, pods in content:
            found.setdefault(k, []).append((v, pods, dict(scope)))
    return found
