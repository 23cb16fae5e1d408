"""Labels of the cluster's namespaces, by which terms of pod affinity may choose them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from binwright_optimizer.model import Namespace
from binwright_optimizer.model.namespaces import NAME_LABEL, labels_by_namespace


class Namespaces:
    """Namespaces that were told of; any other has its name for its only label.

    >>> told = Namespaces([Namespace("shop", (("team", "a"),))])
    >>> told.labels("shop")["team"], told.labels("other")
    ('a', {'kubernetes.io/metadata.name': 'other'})
    """

    def __init__(self, told: Iterable[Namespace] = ()) -> None:
        self._told = {namespace.name: namespace for namespace in told}
        self._labels = labels_by_namespace(self._told.values(), ())

    def labels(self, name: str) -> Mapping[str, str]:
        """Labels of a namespace, that of its name among them."""
        found = self._labels.get(name)
        return {NAME_LABEL: name} if found is None else found

    def put(self, namespace: Namespace) -> bool:
        """Add or change a namespace; whether selectors see a difference."""
        before = self.labels(namespace.name)
        self._told[namespace.name] = namespace
        self._labels.update(labels_by_namespace([namespace], ()))
        return self.labels(namespace.name) != before

    def remove(self, name: str) -> bool:
        """Forget a namespace; whether selectors see a difference."""
        before = self.labels(name)
        self._told.pop(name, None)
        self._labels.pop(name, None)
        return self.labels(name) != before

    def copy(self) -> Namespaces:
        """As they are now."""
        return Namespaces(self._told.values())

    def among(self, names: Iterable[str]) -> tuple[Namespace, ...]:
        """Those of these names that were told of, by name."""
        return tuple(self._told[name] for name in sorted(set(names)) if name in self._told)
