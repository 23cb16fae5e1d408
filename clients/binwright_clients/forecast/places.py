"""Where the parts of a forecast were written, for what turns out only when it is planned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from binwright_optimizer.errors import InvalidProblemError, Unserved, UnservedError

from binwright_clients.errors import InputError, InputProblem
from binwright_clients.forecast.draft import DemandCell, Draft, Place

_OF_WORKLOAD = re.compile(r"^workloads\[(\d+)\]\.(.*)$")
_OF_DEMAND = re.compile(r"^demands\[(\d+)\]")
_ABOUT_DEMAND = re.compile(r" \(demands\[(\d+)\]\)$")
"""How a server says which demand a violation concerns."""


@dataclass(frozen=True, slots=True)
class Places:
    """Places of a file's values.

    Parameters
    ----------
    parts
        By path in `model.forecast.Forecast`.
    cells
        Of its demands, in its order.
    """

    file: str
    parts: Mapping[str, Place]
    cells: Sequence[DemandCell]

    @classmethod
    def of(cls, draft: Draft) -> Places:
        """The places of a draft that is finished."""
        return cls(draft.file, draft.parts, draft.cells_in_order())

    def unserved(self, error: UnservedError) -> InputError:
        """The error with the places and the amounts as they were written."""
        return InputError(self._problem(part) for part in error.parts)

    def refused(self, error: InvalidProblemError, order: Sequence[int]) -> InputError:
        """A server's complaint about the forecast, likewise; other fields stay as the server names them.

        Parameters
        ----------
        order
            Numbers of the demands in the order of the message.
        """
        found = []
        for violation in error.violations:
            match = _OF_DEMAND.match(violation.field) or _ABOUT_DEMAND.search(violation.description)
            number = order[int(match[1])] if match else -1
            said = _ABOUT_DEMAND.sub("", violation.description)
            found.append(self._problem(Unserved(violation.field, violation.value, said, number)))
        return InputError(found)

    def _problem(self, part: Unserved) -> InputProblem:
        cell = self.cells[part.demand] if 0 <= part.demand < len(self.cells) else None
        place = self._place(part.field, cell)
        said = part.description
        if cell is not None and place != cell.band_place:
            amount = cell.band_place
            where = ", ".join(filter(None, (amount.place, amount.field)))
            said += f" ({where}: {amount.value})"
        if place is None:
            return InputProblem(self.file, "", part.field, part.value, said)
        return InputProblem(self.file, place.place, place.field, place.value, said)

    def _place(self, path: str, cell: DemandCell | None) -> Place | None:
        match = _OF_WORKLOAD.match(path)
        if match and cell is not None and match[2] in cell.parts:
            return cell.parts[match[2]]
        if path in self.parts:
            return self.parts[path]
        return cell.band_place if cell is not None else None
