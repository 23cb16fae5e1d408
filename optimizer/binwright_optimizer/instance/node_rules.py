"""What may stand together on one node, as arrays: caps on sets of classes, some only beside a certain class.

Rules (`set_rules`) are the same for every node that may be bought. Those that name a single class are no
rules here but `Instance.node_cap`. A class whose items are several pods (see `bundles`) counts with as many
as a set holds of them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.device_packing import MOST_STEPS, devices_hold, most_joining
from binwright_optimizer.instance.devices import NO_DEVICES, Devices
from binwright_optimizer.instance.set_rules import (
    ALWAYS,
    FREE,
    Attached,
    Int,
    SetRule,
    Start,
    combined,
)


class NodeRules(NamedTuple):
    """The rules as arrays that kernels take: sets ``s``, rules ``q``. A named tuple, since numba knows it.

    Attributes
    ----------
    cap
        int64 array (s,): cap of the set without trigger; `FREE` if it has none.
    member_start, member
        Classes of set ``s``: ``member[member_start[s] : member_start[s + 1]]``.
    set_start, set_of, weight
        Sets of class ``i``, likewise, and what one pod of it counts there.
    rule_start, trigger, most
        Triggered rules ``q`` of set ``s``, likewise.
    fired_start, fired, fired_set
        Rules triggered by class ``i``, likewise, and their sets.
    begin_start, begin_set, begin_load, begin_most
        Starts of candidate ``j``, likewise.
    once_into
        int64 array (s,): the set of a driver's volumes in which the pods of a set, who share a volume, count
        one together; -1 for other sets. Empty if there are none.
    devices
        What stands on which GPU. With it there is one more set, the last: it has no members, and its cap
        in the state of a node is the number of the candidate.
    """

    cap: Int
    member_start: Int
    member: Int
    set_start: Int
    set_of: Int
    weight: Int
    rule_start: Int
    trigger: Int
    most: Int
    fired_start: Int
    fired: Int
    fired_set: Int
    begin_start: Int
    begin_set: Int
    begin_load: Int
    begin_most: Int
    once_into: Int
    devices: Devices = NO_DEVICES

    @classmethod
    def of(
        cls, n_classes: int, n_candidates: int, rules: Iterable[SetRule] = (), starts: Iterable[Start] = ()
    ) -> NodeRules:
        """Arrays of these rules; without any rule there is no set, by which kernels know it."""
        starts = list(starts)
        capped, triggered = combined(rules, {start.counted for start in starts})
        sets = sorted({*capped, *(counted for counted, _ in triggered), *(start.counted for start in starts)})
        index = {counted: s for s, counted in enumerate(sets)}
        by_set: list[list[tuple[int, int]]] = [[] for _ in sets]
        for (counted, trigger), most in sorted(triggered.items()):
            by_set[index[counted]].append((trigger, most))
        fired: list[list[tuple[int, int]]] = [[] for _ in range(n_classes)]
        sets_of: list[list[int]] = [[] for _ in range(n_classes)]
        weights_of: list[list[int]] = [[] for _ in range(n_classes)]
        number = 0
        for s, ((_, members, weights), ruled) in enumerate(zip(sets, by_set, strict=True)):
            for i, weight in zip(members, weights or (1,) * len(members), strict=True):
                sets_of[i].append(s)
                weights_of[i].append(weight)
            for trigger, _ in ruled:
                fired[trigger].append((number, s))
                number += 1
        begins: list[list[tuple[int, int, int]]] = [[] for _ in range(n_candidates)]
        for start in starts:
            begins[start.candidate].append((index[start.counted], start.load, start.most))
        return cls(
            _array([capped.get(counted, FREE) for counted in sets]),
            *_rows([members for _, members, _ in sets]),
            *_rows(sets_of),
            _array([weight for weights in weights_of for weight in weights]),
            _starts(by_set),
            _array([trigger for ruled in by_set for trigger, _ in ruled]),
            _array([most for ruled in by_set for _, most in ruled]),
            _starts(fired),
            _array([q for rules_of in fired for q, _ in rules_of]),
            _array([s for rules_of in fired for _, s in rules_of]),
            _starts(begins),
            _array([s for begin in begins for s, _, _ in begin]),
            _array([load for begin in begins for _, load, _ in begin]),
            _array([most for begin in begins for _, _, most in begin]),
            _array([]),
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no rule at all."""
        return not len(self.cap)

    @property
    def has_parts(self) -> bool:
        """Whether the rules among some classes only can be told (`among`)."""
        return self.devices.is_empty and not len(self.once_into)

    def concerned(self) -> NDArray[np.bool_]:
        """Classes that are in some set or trigger some rule, or stand on parts of GPUs: bool array (i,)."""
        result = (np.diff(self.set_start) > 0) | (np.diff(self.fired_start) > 0)
        return result if self.devices.is_empty else result | self.devices.concerned()

    def with_devices(self, devices: Devices) -> NodeRules:
        """The rules, and that the devices of each node hold its pods."""
        return self._with_sets(1)._replace(devices=devices)

    def with_attached(self, drivers: Iterable[Attached]) -> NodeRules:
        """The rules, and how many volumes nodes take that pods share."""
        rules = self
        for attached in drivers:
            users = Counter[int]({i: 0 for classes, _ in attached.shared for i in classes})
            users.update(attached.own)
            total = len(rules.cap)
            begins = [(j, total, 0, room) for j, room in enumerate(attached.room.tolist()) if room < FREE]
            sets = [dict(users)]
            for classes, already in attached.shared:
                begins += [(j, total + len(sets), 1, FREE) for j in sorted(already)]
                sets.append(dict.fromkeys(sorted(classes), 1))
            known = rules.once_into.tolist() or [ALWAYS] * total
            once_into = _array([*known, ALWAYS, *[total] * len(attached.shared)])
            rules = rules._with_sets(len(sets), sets, begins)._replace(once_into=once_into)
        return rules

    def _with_sets(
        self,
        count: int,
        members: Sequence[Mapping[int, int]] = (),
        begins: Iterable[tuple[int, int, int, int]] = (),
    ) -> NodeRules:
        """The rules with so many further sets, which have no caps but those of candidates.

        Parameters
        ----------
        members
            Their classes, with what one of each counts.
        begins
            Candidate, set, load and cap.
        """
        sets_of = _unpacked(self.set_start, self.set_of, self.weight)
        starts = _unpacked(self.begin_start, self.begin_set, self.begin_load, self.begin_most)
        for number, mine in enumerate(members, len(self.cap)):
            for i, weight in mine.items():
                sets_of[i].append((number, weight))
        for j, *begin in begins:
            starts[j].append(tuple(begin))
        ends = [len(self.member) + sum(map(len, members[: n + 1])) for n in range(count)]
        return self._replace(
            cap=_array([*self.cap.tolist(), *[FREE] * count]),
            member_start=_array([*self.member_start.tolist(), *ends]),
            member=_array([*self.member.tolist(), *(i for mine in members for i in mine)]),
            set_start=_starts(sets_of),
            set_of=_array([s for row in sets_of for s, _ in row]),
            weight=_array([w for row in sets_of for _, w in row]),
            rule_start=_array([*self.rule_start.tolist(), *[len(self.trigger)] * count]),
            begin_start=_starts(starts),
            begin_set=_array([s for row in starts for s, _, _ in row]),
            begin_load=_array([load for row in starts for _, load, _ in row]),
            begin_most=_array([most for row in starts for _, _, most in row]),
        )

    def excluded(self, demand: Int) -> Int:
        """Pods that a pod of each class keeps off its node, or that keep it off theirs: (i,)."""
        result = np.zeros(len(demand), dtype=np.int64)
        for s in range(len(self.cap)):
            members = self.member[self.member_start[s] : self.member_start[s + 1]]
            for q in range(self.rule_start[s], self.rule_start[s + 1]):
                if self.most[q] == 0:
                    result[self.trigger[q]] += demand[members].sum()
                    result[members] += demand[self.trigger[q]]
        return result

    def among(
        self, classes: NDArray[np.intp], candidates: NDArray[np.intp], total: int | None = None
    ) -> NodeRules:
        """The rules between these classes only, both numbered in their order; devices are left out.

        Parameters
        ----------
        total
            Number of all classes, if others without rules follow.
        """
        n_classes = len(self.set_start) - 1
        number = np.full(n_classes, -1, dtype=np.intp)
        number[classes] = np.arange(len(classes))
        chosen = {int(s) for i in classes for s in self.set_of[self.set_start[i] : self.set_start[i + 1]]}
        members: dict[int, tuple[int, ...]] = {}
        weights: dict[int, tuple[int, ...]] = {}
        rules: list[SetRule] = []
        for s in sorted(chosen):
            mine = self.member[self.member_start[s] : self.member_start[s + 1]]
            mine = mine[number[mine] >= 0]
            mine = mine[np.argsort(number[mine])]
            members[s] = tuple(number[mine].tolist())
            weights[s] = tuple(self._weight(int(i), s) for i in mine)
            if self.cap[s] < FREE:
                rules.append(SetRule(members[s], int(self.cap[s]), ALWAYS, s, weights[s]))
            rules += [
                SetRule(members[s], int(self.most[q]), int(number[self.trigger[q]]), s, weights[s])
                for q in range(self.rule_start[s], self.rule_start[s + 1])
                if number[self.trigger[q]] >= 0
            ]
        starts = [
            Start(j, members[s], int(self.begin_load[at]), int(self.begin_most[at]), s, weights[s])
            for j, candidate in enumerate(candidates)
            for at in range(self.begin_start[candidate], self.begin_start[candidate + 1])
            if (s := int(self.begin_set[at])) in chosen
        ]
        return NodeRules.of(len(classes) if total is None else total, len(candidates), rules, starts)

    def _weight(self, i: int, s: int) -> int:
        """What one of class ``i`` counts in a set that it is in."""
        mine = slice(self.set_start[i], self.set_start[i + 1])
        return int(self.weight[mine][self.set_of[mine] == s][0])

    def most_alone(self, i: int, candidates: NDArray[np.intp]) -> Int:
        """Most pods of class ``i`` that may stand on each candidate without other new ones: (j,)."""
        mine = slice(self.set_start[i], self.set_start[i + 1])
        weight = dict(zip(self.set_of[mine].tolist(), self.weight[mine].tolist(), strict=True))
        caps = {s: int(self.cap[s]) for s in weight}
        fired = slice(self.fired_start[i], self.fired_start[i + 1])
        conditions = dict(
            zip(self.fired_set[fired].tolist(), self.most[self.fired[fired]].tolist(), strict=True)
        )
        for s in caps.keys() & conditions.keys():
            caps[s] = min(caps[s], conditions[s])
        alone = min((cap // weight[s] for s, cap in caps.items() if weight[s]), default=FREE)
        result = np.full(len(candidates), max(0, alone), dtype=np.int64)
        for position in np.flatnonzero(np.diff(self.begin_start)[candidates]):
            j = candidates[position]
            fresh = self._fresh(int(j), list(caps))
            for at in range(self.begin_start[j], self.begin_start[j + 1]):
                s, load = int(self.begin_set[at]), int(self.begin_load[at])
                if s in caps:
                    room = min(caps[s], int(self.begin_most[at])) - load - fresh[s]
                    room = room // weight[s] if weight[s] else FREE * room if room < 0 else FREE
                    result[position] = max(0, min(result[position], room))
                elif load > conditions.get(s, FREE):
                    result[position] = 0
        if not self.devices.is_empty:
            nothing = np.zeros(len(self.devices.need), dtype=np.int64)
            for at, candidate in enumerate(candidates.tolist()):
                result[at] = most_joining(i, result[at], self.devices, candidate, nothing)
        return result

    def _fresh(self, j: int, sets: Iterable[int]) -> Counter[int]:
        """Volumes of these sets that are not attached to an empty node yet, by the set that counts them."""
        if not len(self.once_into):
            return Counter()
        mine = slice(self.begin_start[j], self.begin_start[j + 1])
        there = set(self.begin_set[mine][self.begin_load[mine] > 0].tolist())
        return Counter(int(self.once_into[s]) for s in sets if s not in there)

    def allows(self, candidate: int, pattern: Sequence[int] | NDArray[np.integer]) -> bool:
        """Whether the pods of a pattern may stand together there.

        Examples
        --------
        At most one pod of class 1 beside class 0:

        >>> rules = NodeRules.of(2, 1, [SetRule((1,), most=1, trigger=0)])
        >>> rules.allows(0, [1, 1]), rules.allows(0, [1, 2]), rules.allows(0, [0, 2])
        (True, False, True)
        """
        if not self.devices.is_empty and not devices_hold(
            self.devices, candidate, np.asarray(pattern, dtype=np.int64), MOST_STEPS
        ):
            return False
        load = np.zeros(len(self.cap), dtype=np.int64)
        cap = self.cap.copy()
        for at in range(self.begin_start[candidate], self.begin_start[candidate + 1]):
            s = self.begin_set[at]
            load[s] += self.begin_load[at]
            cap[s] = min(cap[s], self.begin_most[at])
        added = np.zeros(len(self.cap), dtype=np.int64)
        counts = np.asarray(pattern)
        for i in np.flatnonzero(counts):
            mine = slice(self.set_start[i], self.set_start[i + 1])
            added[self.set_of[mine]] += int(counts[i]) * self.weight[mine]
            for at in range(self.fired_start[i], self.fired_start[i + 1]):
                s = self.fired_set[at]
                if load[s] > self.most[self.fired[at]]:
                    return False  # by pods that run there already
                cap[s] = min(cap[s], self.most[self.fired[at]])
        for s in np.flatnonzero(self.once_into >= 0):
            if added[s] and not load[s]:
                added[self.once_into[s]] += 1
        return bool(((added == 0) | (load + added <= cap)).all())


def _unpacked(starts: Int, *values: Int) -> list[list[tuple[int, ...]]]:
    """Rows of tuples."""
    entries = list(zip(*(value.tolist() for value in values), strict=True))
    return [entries[first:last] for first, last in itertools.pairwise(starts.tolist())]


def _array(values: Sequence[int]) -> Int:
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array


def _starts(rows: Sequence[Sequence[object]]) -> Int:
    """Where each row begins, and where the last one ends."""
    return _array([0, *np.cumsum([len(row) for row in rows], dtype=np.int64).tolist()])


def _rows(rows: Sequence[Sequence[int]]) -> tuple[Int, Int]:
    return _starts(rows), _array([value for row in rows for value in row])
