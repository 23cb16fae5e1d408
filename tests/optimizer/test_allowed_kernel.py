"""Which parts of a few pods may join what stays on a node: as a plain reading of the rules says."""

from __future__ import annotations

import itertools

import numpy as np
from binwright_optimizer.heuristics.kernels.allowed import allow_parts, mark_meeting
from binwright_optimizer.heuristics.kernels.sharing import MOST_KINDS
from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.instance.set_rules import SetRule
from drawn_rules import Ruleset, rulesets
from hypothesis import assume, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=200, deadline=None)


class Joining:
    """Parts of pods of some classes on top of a base, as the kernel sees them."""

    def __init__(self, rules: NodeRules, kinds: list[int], counts: list[int]) -> None:
        self._rules = rules
        self._kinds = np.array(kinds + [0] * (MOST_KINDS - len(kinds)), dtype=np.int64)
        self._counts = np.array(counts + [0] * (MOST_KINDS - len(kinds)), dtype=np.int64)
        self._n_kinds = len(kinds)
        self._strides = np.cumprod(np.array([1] + [n + 1 for n in counts], dtype=np.int64))
        self._placed = np.zeros(len(rules.set_start) - 1, dtype=np.int64)
        self._load, self._cap = np.zeros_like(rules.cap), rules.cap.copy()
        self.is_meeting = np.zeros(MOST_KINDS, dtype=np.bool_)
        number, first = np.full_like(self._placed, -1), np.full_like(rules.cap, -1)
        mark_meeting(self._n_kinds, self._kinds, rules, number, first, self.is_meeting)
        assert (number == -1).all()
        assert (first == -1).all()

    def on(self, base: dict[int, int], candidate: int) -> dict[tuple[int, ...], bool]:
        """Whether each part may join; checks that the state is left as it was."""
        n_parts = int(self._strides[-1])
        is_allowed = np.ones(n_parts, dtype=np.bool_)
        allow_parts(
            n_parts, self._n_kinds, self._kinds, self._counts, self._strides, self.is_meeting, len(base),
            np.array(list(base), dtype=np.int64), np.array(list(base.values()), dtype=np.int64), candidate,
            self._rules, self._placed, self._load, self._cap, is_allowed,
        )  # fmt: skip
        assert not self._placed.any()
        assert not self._load.any()
        assert (self._cap == self._rules.cap).all()
        ranges = [range(int(n) + 1) for n in self._counts[: self._n_kinds]]
        return {
            part: bool(is_allowed[np.dot(part, self._strides[: self._n_kinds])])
            for part in itertools.product(*ranges)
        }


def test_at_most_one_of_the_other_class_joins_a_part_or_what_stays() -> None:
    """Beside a pod of class 0 there may be one of class 1: among those that join, and on the node."""
    rules = NodeRules.of(2, 1, [SetRule((1,), 1, trigger=0)])
    joining = Joining(rules, [0, 1], [1, 2])
    assert joining.is_meeting[:2].all()
    refused_alone = [part for part, allowed in joining.on({}, -1).items() if not allowed]
    assert refused_alone == [(1, 2)]
    beside_one = [part for part, allowed in joining.on({0: 1}, -1).items() if not allowed]
    assert beside_one == [(0, 2), (1, 2)]
    beside_two_others = [part for part, allowed in joining.on({1: 2}, -1).items() if not allowed]
    assert beside_two_others == [(1, 0), (1, 1), (1, 2)]


def test_classes_without_a_rule_between_them_do_not_meet() -> None:
    rules = NodeRules.of(3, 1, [SetRule((2,), 1, trigger=0)])
    assert not Joining(rules, [0, 1], [1, 1]).is_meeting.any()


@SETTINGS
@given(rulesets(4, 2), st.integers(-1, 1), st.data())
def test_parts_are_allowed_as_the_rules_read(ruleset: Ruleset, candidate: int, data: st.DataObject) -> None:
    rules = ruleset.arrays()
    assume(not rules.is_empty)
    kinds = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
    counts = [data.draw(st.integers(1, 2)) for _ in kinds]
    base = data.draw(st.dictionaries(st.integers(0, 3), st.integers(1, 2), max_size=3))
    plain = Ruleset(4, 2, ruleset.rules) if candidate < 0 else ruleset

    def together(part: tuple[int, ...]) -> list[int]:
        pods = [base.get(i, 0) for i in range(4)]
        for kind, count in zip(kinds, part, strict=True):
            pods[kind] += count
        return pods

    assume(plain.allows(max(0, candidate), together((0,) * len(kinds))))
    for part, allowed in Joining(rules, kinds, counts).on(base, candidate).items():
        assert allowed == plain.allows(max(0, candidate), together(part)), part
