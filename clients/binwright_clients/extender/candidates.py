"""The nodes that kube-scheduler asks about, by name."""

from __future__ import annotations

from binwright_clients.extender.ratings import NodeNames


class Candidates:
    """Names in the order of a question, with where the server has them.

    Lists that come again are the same object, so that what is found out about one is found out once.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._nodes: NodeNames | None = None
        self._positions: tuple[int, ...] = ()

    def positions(self, nodes: NodeNames) -> tuple[int, ...]:
        """Positions of the candidates among the server's nodes, -1 where it does not know one.

        >>> Candidates(("b", "nowhere", "a")).positions(NodeNames(b"", ("a", "b")))
        (1, -1, 0)
        """
        if nodes is not self._nodes:
            self._positions = tuple(map(nodes.position_of.__getitem__, self.names))
            self._nodes = nodes
        return self._positions

    def unknown(self, nodes: NodeNames) -> tuple[str, ...]:
        """The candidates that the server does not know.

        >>> Candidates(("b", "nowhere", "a")).unknown(NodeNames(b"", ("a", "b")))
        ('nowhere',)
        """
        positions = self.positions(nodes)
        if -1 not in positions:
            return ()
        return tuple(name for name, position in zip(self.names, positions, strict=True) if position < 0)
