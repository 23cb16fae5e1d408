"""The nodes that kube-scheduler asks about, by name.

kube-scheduler finds the nodes that pass its own filters in parallel, so that a list of 5,000 names hardly
comes twice in one order. What it reads of our answers depends on which nodes were asked about, and not on
their order: lists are recognised as sets. A list in plain spelling is not decoded either: its bytes are cut
at the commas and looked up as they are.
"""

from __future__ import annotations

from collections.abc import Callable

from binwright_clients.extender.node_names import NodeNames


class Candidates:
    """Names in the order of a question, with where the server has them.

    Lists that come again are the same object, so that what is found out about one is found out once.

    Parameters
    ----------
    text
        The list as JSON; empty where ``names`` are given.
    decode
        Reads the names off the text.
    """

    def __init__(
        self, names: tuple[str, ...] | None = None, text: bytes = b"", decode: _Decode | None = None
    ) -> None:
        self._names = names
        self._text = text
        self._decode = decode
        self._nodes: NodeNames | None = None
        self._positions: tuple[int, ...] = ()
        self._chosen: bytes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names; may raise what decoding raises."""
        if self._names is None:
            assert self._decode is not None, "a list is given by its names or by its text"
            self._names = self._decode(self._text)
        return self._names

    @property
    def are_none(self) -> bool:
        """Whether there are no candidates."""
        return not self._text and not self.names

    def positions(self, nodes: NodeNames) -> tuple[int, ...]:
        """Positions of the candidates among the server's nodes, -1 where it does not know one.

        >>> Candidates(("b", "nowhere", "a")).positions(NodeNames(b"", ("a", "b")))
        (1, -1, 0)
        """
        self._locate(nodes)
        return self._positions

    def chosen(self, nodes: NodeNames) -> bytes | None:
        """Which of the server's nodes are candidates, a byte each; None if there are others or repetitions.

        >>> list(Candidates(("c", "a")).chosen(NodeNames(b"", ("a", "b", "c"))))
        [1, 0, 1]
        """
        self._locate(nodes)
        return self._chosen

    def unknown(self, nodes: NodeNames) -> tuple[str, ...]:
        """The candidates that the server does not know.

        >>> Candidates(("b", "nowhere", "a")).unknown(NodeNames(b"", ("a", "b")))
        ('nowhere',)
        """
        if self.chosen(nodes) is not None:
            return ()
        return tuple(
            name for name, position in zip(self.names, self.positions(nodes), strict=True) if position < 0
        )

    def _locate(self, nodes: NodeNames) -> None:
        if nodes is self._nodes:
            return
        found = nodes.plain_positions(self._text)
        if found is None:
            found = tuple(map(nodes.position_of.__getitem__, self.names))
        self._positions, self._nodes = found, nodes
        self._chosen = nodes.chosen(found)


_Decode = Callable[[bytes], tuple[str, ...]]
