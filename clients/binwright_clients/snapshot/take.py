"""Takes a snapshot: every kind at one and the same version of the API server's store.

The first list says which version it shows; all others are asked for exactly that version
(``resourceVersionMatch=Exact``), so that no pod is seen both pending and bound. Where that version is
compacted away meanwhile, all begins anew; where a kind has a store of its own, or an old server does
not know exact versions, its latest is taken and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from binwright_clients.cluster.api import ClusterApi, Json, ObjectList
from binwright_clients.cluster.errors import (
    ClusterError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    UnauthorizedError,
    UnreachableError,
)
from binwright_clients.cluster.kinds import SNAPSHOT_KINDS, Kind
from binwright_clients.snapshot.trim import trimmed

ATTEMPTS = 3
"""How often a snapshot whose version went away is begun anew."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a cluster held.

    Parameters
    ----------
    cluster
        Its name, for messages.
    resource_version
        Version of the store that the objects show.
    objects
        Kubernetes objects as JSON, without what scheduling does not look at.
    counts
        Number of objects by kind; kinds that are not installed are absent.
    notes
        What is not as exact as it might be.
    """

    cluster: str
    resource_version: str
    objects: tuple[Json, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def manifest(self) -> Json:
        """All objects as one ``List``."""
        return {
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": self.resource_version},
            "items": list(self.objects),
        }


def take_snapshot(
    api: ClusterApi,
    kinds: Sequence[Kind] = SNAPSHOT_KINDS,
    on_step: Callable[[str], None] | None = None,
) -> Snapshot:
    """All objects of some kinds.

    Parameters
    ----------
    on_step
        Called with the kind that is read next.

    Raises
    ------
    ForbiddenError
        If a kind may not be read; it names every one.
    ClusterError
        If the API server cannot be reached or answers with something else.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _take_once(api, kinds, on_step)
        except GoneError:
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _take_once(api: ClusterApi, kinds: Sequence[Kind], on_step: Callable[[str], None] | None) -> Snapshot:
    version = ""
    objects: list[Json] = []
    counts: dict[str, int] = {}
    notes: list[str] = []
    forbidden: list[str] = []
    for kind in kinds:
        if on_step is not None:
            on_step(kind.resource)
        try:
            found, is_exact = list_at(api, kind, version)
        except ForbiddenError:
            forbidden.append(kind.resource)
            continue
        except NotFoundError:
            if kind.is_core:
                raise
            continue
        if not is_exact:
            notes.append(f"{kind.resource} are of another moment than {kinds[0].resource}")
        version = version or found.resource_version
        counts[kind.name] = counts.get(kind.name, 0) + len(found.items)
        objects.extend(trimmed(item) for item in found.items)
    if forbidden:
        raise ForbiddenError(
            f"{api.name}: no permission to list {', '.join(forbidden)}; "
            "binwright snapshot --print-rbac prints what is needed"
        )
    return Snapshot(api.name, version, tuple(objects), counts, tuple(notes))


def list_at(api: ClusterApi, kind: Kind, version: str) -> tuple[ObjectList, bool]:
    """The list at the version, or the latest where the server cannot say that version of it.

    An empty version means the latest. The second value says whether it is that version; raises ClusterError.
    """
    try:
        return api.list(kind.path, at_version=version, field_selector=kind.field_selector), True
    except (ForbiddenError, GoneError, NotFoundError, UnauthorizedError, UnreachableError):
        raise
    except ClusterError:
        # 400 from servers without exact versions, 504 "Too large resource version" from other stores.
        if not version:
            raise
        return api.list(kind.path, field_selector=kind.field_selector), False
