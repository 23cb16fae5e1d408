"""Right decisions about every rule between pods, nodes and what is bought, and the table of wrong ones.

One file for each family of rules. A mutant breaks exactly one rule of `binwright_optimizer.model.rules`, and
names it; the decision that it was made from breaks none.
"""

from __future__ import annotations

from binwright_optimizer.model.rules import Rule

from rule_cases import choices, devices, gangs, node_rules, pod_affinity, priorities, spot, spread
from rule_cases.world import Case, Mutant

OF_PLACEMENTS = (spread, pod_affinity, node_rules, gangs, spot, devices, priorities)
"""Families about where pods are; what NodeClaims leave open is in `choices`."""

RIGHT: tuple[Case, ...] = tuple(case for family in OF_PLACEMENTS for case in family.RIGHT)
RIGHT_CHOICES: tuple[Case, ...] = tuple(choices.RIGHT)

MISPLACED: tuple[Mutant, ...] = tuple(mutant for family in OF_PLACEMENTS for mutant in family.MUTANTS)
MISCHOSEN: tuple[Mutant, ...] = tuple(choices.MUTANTS)

MUTANTS: dict[Rule, tuple[Mutant, ...]] = {
    rule: tuple(mutant for mutant in (*MISPLACED, *MISCHOSEN) if mutant.rule is rule) for rule in Rule
}
"""The mutation table: by rule, every way to break it."""
