"""The mutation table of the rules: the verifier rejects each mutant under the name of the one rule it breaks.

Mutants of room, labels, limits and of what a decision says about itself are in `test_verify_mutations`.
"""

from __future__ import annotations

import pytest
from binwright_optimizer.model import Decision, Problem
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify import check_placement, constraints, verify
from binwright_optimizer.verify.constraints import CHECKS, Check
from brute_force import broken_rules
from decisions import EVERY_RULE, placement_of
from rule_cases import MISCHOSEN, MISPLACED, MUTANTS, RIGHT, RIGHT_CHOICES
from rule_cases.world import Mutant

EVERY_MUTANT = [mutant for of_rule in MUTANTS.values() for mutant in of_rule]


def broken(question: Problem, decision: Decision) -> list[str]:
    """Rules that a placement breaks in the eyes of `brute_force`."""
    placement = placement_of(question, decision)
    return broken_rules(question, placement.nodes, placement.pods)


def by_name(mutants: list[Mutant] | tuple[Mutant, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mutant", mutants, ids=[f"{m.rule.value}: {m.name}" for m in mutants])


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_a_mutant(rule: Rule) -> None:
    assert MUTANTS[rule]


def test_no_mutant_is_told_twice_and_none_is_left_out() -> None:
    names = [(mutant.rule, mutant.name) for mutant in (*MISPLACED, *MISCHOSEN)]
    assert len(set(names)) == len(names) == len(EVERY_MUTANT)


@by_name(EVERY_MUTANT)
def test_the_decision_before_the_mutation_is_accepted(mutant: Mutant) -> None:
    assert verify(mutant.question, mutant.right, waived=EVERY_RULE) == ()


@by_name(EVERY_MUTANT)
def test_the_mutant_is_rejected_under_the_name_of_its_rule_and_no_other(mutant: Mutant) -> None:
    found = verify(mutant.question, mutant.wrong, waived=EVERY_RULE)
    name = f"{mutant.rule.value}: "
    assert any(text.startswith(name) and mutant.finding in text for text in found), found
    assert all(text.startswith(name) for text in found), found


@by_name(EVERY_MUTANT)
def test_nothing_but_that_rule_is_broken(mutant: Mutant) -> None:
    assert verify(mutant.question, mutant.wrong, waived=frozenset({mutant.rule})) == ()


@by_name(EVERY_MUTANT)
def test_the_mutant_leaves_the_process_only_while_its_rule_is_waived(mutant: Mutant) -> None:
    found = check_placement(mutant.question, mutant.wrong)
    assert (found == ()) == (mutant.rule in WAIVED)


@by_name(MISPLACED)
def test_brute_force_reads_the_mutation_alike(mutant: Mutant) -> None:
    assert broken(mutant.question, mutant.right) == []
    assert len(broken(mutant.question, mutant.wrong)) == 1


@pytest.mark.parametrize(("question", "decision"), [c[1:] for c in RIGHT], ids=[c.name for c in RIGHT])
def test_a_right_decision_is_accepted_by_both_readings(question: Problem, decision: Decision) -> None:
    assert verify(question, decision, waived=EVERY_RULE) == ()
    assert broken(question, decision) == []


@pytest.mark.parametrize(
    ("question", "decision"), [c[1:] for c in RIGHT_CHOICES], ids=[c.name for c in RIGHT_CHOICES]
)
def test_a_right_choice_is_accepted(question: Problem, decision: Decision) -> None:
    assert verify(question, decision, waived=EVERY_RULE) == ()


@pytest.mark.parametrize(("rules", "check"), CHECKS, ids=[check.__name__ for _, check in CHECKS])
def test_without_a_check_a_mutant_of_its_rules_survives(
    rules: frozenset[Rule], check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No check is there in vain, and none does the work of another."""
    monkeypatch.setattr(constraints, "CHECKS", [entry for entry in CHECKS if entry[1] is not check])
    survivors = [m for m in EVERY_MUTANT if not check_placement(m.question, m.wrong, waived=EVERY_RULE)]
    assert survivors
    assert {mutant.rule for mutant in survivors} <= rules
