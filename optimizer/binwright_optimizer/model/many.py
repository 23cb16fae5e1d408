"""Many instances of a frozen dataclass at once.

A frozen dataclass sets each of its fields through ``object.__setattr__``: 2 us for a `NodeClaim`, of which a
decision may have tens of thousands. Instances of a twin that may change are made in a fifth of that, and
become instances of the class once they are complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, make_dataclass
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def many(cls: type[T], *columns: Iterable[object]) -> list[T]:
    """Instances of a frozen dataclass with slots, from columns of all its fields in their order.

    The shortest column says how many; the others may go on for ever.
    """
    of: Any = cls
    made: list[Any] = list(map(_twin(of), *columns))
    for each in made:
        each.__class__ = cls
    return made


@cache
def _twin(cls: Any) -> type[Any]:
    """A class with the same slots whose instances may change."""
    names = [(field.name, object) for field in fields(cls)]
    return make_dataclass(f"_{cls.__name__}", names, slots=True, eq=False)
