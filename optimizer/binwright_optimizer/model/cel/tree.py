"""An expression as a tree, whose nodes know what they yield."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple


class Version(NamedTuple):
    """A semantic version without pre-release: ``semver("8.6.0")``."""

    major: int
    minor: int
    patch: int


Constant = str | int | bool | Version | Fraction | tuple[str, ...] | tuple[int, ...] | tuple[bool, ...]
"""A value in an expression; amounts of capacities are fractions of whole units."""


class Op(StrEnum):
    """What a node of the tree does with those below it."""

    CONSTANT = "constant"
    DRIVER = "device.driver"
    ATTRIBUTE = "device.attributes"
    CAPACITY = "device.capacity"
    HAS_ATTRIBUTE = "has attribute"
    HAS_CAPACITY = "has capacity"
    NOT = "!"
    AND = "&&"
    OR = "||"
    CHOICE = "?:"
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    IN = "in"
    ORDER = "compareTo"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"
    MATCHES = "matches"
    LOWER = "lowerAscii"
    UPPER = "upperAscii"


class Type(StrEnum):
    """What an expression yields; attributes may be of any type."""

    BOOL = "a truth value"
    INT = "a number"
    TEXT = "text"
    VERSION = "a version"
    AMOUNT = "a quantity"
    LIST = "a list"
    ANY = "an attribute"


@dataclass(frozen=True, slots=True)
class Expression:
    """A node of the tree.

    Parameters
    ----------
    value
        The constant, or the qualified name of the attribute or capacity, such as ``gpu.nvidia.com/memory``.
    """

    op: Op
    args: tuple[Expression, ...] = ()
    value: Constant = ""
    type: Type = Type.BOOL

    def names(self) -> frozenset[str]:
        """Qualified names of the attributes and capacities that it looks at."""
        inside: frozenset[str] = frozenset().union(*(arg.names() for arg in self.args))
        return inside | {str(self.value)} if self.op in (Op.ATTRIBUTE, Op.CAPACITY) else inside

    def size(self) -> int:
        """Nodes of the tree, those that ``cel.bind`` repeats counted each time."""
        sizes: dict[int, int] = {}

        def counted(node: Expression) -> int:
            known = sizes.get(id(node))
            if known is None:
                known = sizes[id(node)] = 1 + sum(map(counted, node.args))
            return known

        return counted(self)
