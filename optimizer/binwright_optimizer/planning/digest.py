"""Content digests of domain objects: equal objects have equal digests, in any process and on any machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from fractions import Fraction


def digest(value: object) -> str:
    """SHA-256 of a canonical spelling, in hexadecimal.

    Raises
    ------
    TypeError
        If the object holds something that has no canonical spelling.

    Examples
    --------
    >>> digest({"b": 1, "a": (2, 3)}) == digest({"a": (2, 3), "b": 1})
    True
    >>> digest(1) == digest("1")
    False
    """
    return hashlib.sha256(_Speller().spelt(value)).hexdigest()


class _Speller:
    """Spells values; objects that are held in many places are spelt once.

    Every part has its kind and its length or end in front, so that no two values share a spelling.
    """

    def __init__(self) -> None:
        self._names: dict[type, tuple[bytes, tuple[str, ...]]] = {}
        self._known: dict[int, tuple[object, bytes]] = {}

    def spelt(self, value: object) -> bytes:
        """The spelling of a value."""
        if isinstance(value, str) and not isinstance(value, Enum):
            text = value.encode()
            return b"s%d:%s" % (len(text), text)
        if isinstance(value, int) and not isinstance(value, (bool, Enum)):
            return b"i%d;" % value
        if isinstance(value, (tuple, list)):
            return b"t%d:" % len(value) + b"".join(map(self.spelt, value))
        if is_dataclass(value) and not isinstance(value, type):
            known = self._known.get(id(value))
            if known is None:
                # The object is kept with its spelling: another could get its identity otherwise.
                known = self._known[id(value)] = value, self._fields(value)
            return known[1]
        return self._rare(value)

    def _fields(self, value: object) -> bytes:
        head, names = self._names.get(type(value)) or self._head(value)
        return head + b"".join(self.spelt(getattr(value, name)) for name in names)

    def _head(self, value: object) -> tuple[bytes, tuple[str, ...]]:
        names = tuple(field.name for field in fields(value))  # type: ignore[arg-type]
        head = f"o{type(value).__name__}({','.join(names)})".encode()
        found = self._names[type(value)] = head, names
        return found

    def _rare(self, value: object) -> bytes:
        if value is None or isinstance(value, bool):
            return b"c%s;" % repr(value).encode()
        if isinstance(value, Enum):
            return b"e%s.%s;" % (type(value).__name__.encode(), value.name.encode())
        if isinstance(value, float):
            return b"f%s;" % value.hex().encode()
        if isinstance(value, Fraction):
            return b"q%d/%d;" % (value.numerator, value.denominator)
        if isinstance(value, date):
            return b"d%s;" % value.isoformat().encode()
        if isinstance(value, (set, frozenset)):
            return b"u%d:" % len(value) + b"".join(sorted(map(self.spelt, value)))
        if isinstance(value, Mapping):
            pairs = [self.spelt(key) + self.spelt(item) for key, item in value.items()]
            return b"m%d:" % len(pairs) + b"".join(sorted(pairs))
        raise TypeError(f"{type(value).__name__} has no canonical spelling")
