"""Label selectors: which pods, or which namespaces, a constraint speaks of.

Semantics: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors.
Where Kubernetes has a pointer to a selector, we have ``LabelSelector | None``: a selector that is not
given selects nothing, an empty one selects everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.requirements import Operator, Requirement, contradiction

SELECTOR_OPERATORS = (Operator.IN, Operator.NOT_IN, Operator.EXISTS, Operator.DOES_NOT_EXIST)
"""Operators of label selectors; Gt and Lt compare node labels only."""


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Requirements on labels that must all hold; sorted and distinct, so that equal ones compare equal.

    Raises
    ------
    WrongFieldError
        If an operator compares numbers, or the requirements contradict each other.

    Examples
    --------
    >>> web = LabelSelector.of_labels({"app": "web"})
    >>> web.matches({"app": "web", "tier": "front"}), web.matches({"app": "db"})
    (True, False)
    >>> LabelSelector().matches({})
    True
    """

    requirements: tuple[Requirement, ...] = ()

    def __post_init__(self) -> None:
        for requirement in self.requirements:
            if requirement.operator not in SELECTOR_OPERATORS:
                known = ", ".join(SELECTOR_OPERATORS)
                raise WrongFieldError("operator", requirement.operator, f"must be one of {known}")
        clash = contradiction(self.requirements)
        if clash:
            shown = " and ".join(str(requirement) for requirement in clash)
            raise WrongFieldError("", shown, "contradict each other: no labels can match")
        ordered = sorted(set(self.requirements), key=lambda r: (r.key, r.operator, r.values))
        object.__setattr__(self, "requirements", tuple(ordered))

    @classmethod
    def of_labels(cls, labels: Mapping[str, str] | Iterable[tuple[str, str]]) -> LabelSelector:
        """The selector of everything that carries all of these labels."""
        pairs = labels.items() if isinstance(labels, Mapping) else labels
        return cls(tuple(Requirement(key, Operator.IN, (value,)) for key, value in pairs))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels is selected."""
        return all(requirement.admits(labels.get(requirement.key)) for requirement in self.requirements)

    def with_own_values(
        self, keys: Iterable[str], labels: Mapping[str, str], operator: Operator = Operator.IN
    ) -> LabelSelector:
        """The selector that also compares ``keys`` with the values in ``labels``.

        This is how ``matchLabelKeys`` (`Operator.IN`) and ``mismatchLabelKeys`` (`Operator.NOT_IN`) are
        meant; a key that ``labels`` lacks is left out.

        Examples
        --------
        >>> web = LabelSelector.of_labels({"app": "web"})
        >>> [str(r) for r in web.with_own_values(["hash", "zone"], {"hash": "a1"}).requirements]
        ['app In [web]', 'hash In [a1]']
        """
        own = tuple(Requirement(key, operator, (labels[key],)) for key in keys if key in labels)
        return LabelSelector((*self.requirements, *own)) if own else self

    def __str__(self) -> str:
        return ", ".join(str(requirement) for requirement in self.requirements) or "everything"
