"""Resources that only the bound knows, beside what pods request: attachments of volumes, and policies."""

from __future__ import annotations

from collections.abc import Callable

from binwright_optimizer.model import ExistingNode, NodePool, PodTemplate, Problem, Resources
from binwright_optimizer.verify.attachments import Attachments, Int64Array
from binwright_optimizer.verify.gpu_nodes import Unaccelerated


class FurtherColumns:
    """What pods of one problem take of such resources, and what nodes have of them."""

    def __init__(self, problem: Problem) -> None:
        every = Attachments(problem), Unaccelerated(problem)
        self._columns = [column for column in every if column.is_needed]

    def beside(self, request_of: Callable[[PodTemplate], Resources]) -> Callable[[PodTemplate], Resources]:
        """``request_of`` with what pods take of them."""
        if not self._columns:
            return request_of

        def with_more(template: PodTemplate) -> Resources:
            more = {n: amount for column in self._columns for n, amount in column.needed(template).items()}
            requests = request_of(template)
            return Resources.of({**dict(requests), **more}) if more else requests

        return with_more

    def of_types(self, name: str, pool: NodePool) -> Int64Array | None:
        """Room on nodes of each instance type in a NodePool, (type,); None of any other resource."""
        for column in self._columns:
            if column.speaks_of(name):
                return column.of_types(name, pool)
        return None

    def of_node(self, names: tuple[str, ...], node: ExistingNode) -> dict[str, int]:
        """Room on a running node."""
        return {
            name: column.of_node(name, node)
            for column in self._columns
            for name in names
            if column.speaks_of(name)
        }
