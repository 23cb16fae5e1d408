"""Who belongs to whom: a cluster's dump holds a Deployment, its ReplicaSet and its Pods.

Each pod must count once. Live pods count for themselves, the topmost owner among the inputs
for the pods that are missing, and owners in between not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.workloads import is_finished


class Ownership:
    """Topmost owners among the objects of the input."""

    def __init__(self, objects: Sequence[ManifestObject]) -> None:
        self._by_name = {(thing.kind, thing.namespace, thing.name): thing for thing in objects}
        self._pods: dict[ManifestObject, list[str]] = {}
        for thing in objects:
            if thing.kind == "Pod" and not is_finished(thing.body):
                root = self.root(thing)
                if root is not None:
                    self._pods.setdefault(root, []).append(thing.name)

    def root(self, thing: ManifestObject) -> ManifestObject | None:
        """The topmost owner among the inputs, or None if no owner is there."""
        root: ManifestObject | None = None
        seen = {thing}
        current = thing
        while current.owner is not None:
            above = self._by_name.get((current.owner.kind, thing.namespace, current.owner.name))
            if above is None or above in seen:
                break
            seen.add(above)
            root = current = above
        return root

    def pods_of(self, root: ManifestObject) -> tuple[str, ...]:
        """Names of the live pods among the inputs that belong to a topmost owner."""
        return tuple(self._pods.get(root, ()))
