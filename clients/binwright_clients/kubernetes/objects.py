"""One object of a manifest, and how its mistakes and remarks are reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from binwright_clients.assembly import Assembly
from binwright_clients.origins import Origin


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller that an object belongs to, in the object's own namespace."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class ManifestObject:
    """An object whose fields have been checked against the schema of its kind.

    Parameters
    ----------
    namespace
        ``default`` where the manifest names none; empty for kinds without namespaces.
    owner
        The owner reference that is marked as controller, if any.
    is_quiet
        Whether remarks are of no use: the object is not to be placed.
    """

    origin: Origin
    kind: str
    namespace: str
    name: str
    body: dict[str, Any]
    assembly: Assembly = field(repr=False)
    owner: Owner | None = None
    is_quiet: bool = False

    @property
    def metadata(self) -> dict[str, Any]:
        """The object's metadata."""
        return self.body.get("metadata") or {}

    @property
    def spec(self) -> dict[str, Any]:
        """The object's spec."""
        return self.body.get("spec") or {}

    def problem(self, path: str, value: str, description: str) -> None:
        """Report a mistake at a field path."""
        self.assembly.problems.add(
            self.origin.file, description, place=self.origin.place, field=path, value=value
        )

    def note(self, text: str) -> None:
        """Tell the user something about this object."""
        if self.is_quiet:
            return
        self.assembly.notes.add(self.origin.file, text, self.origin.place)
