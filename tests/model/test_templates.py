"""The templates of a problem, each once."""

from __future__ import annotations

from dataclasses import replace

from binwright_optimizer.model.templates import templates_of
from builders import instance_type, pod, problem


def test_templates_are_told_apart_by_identity_and_come_in_order() -> None:
    """Two workloads share a template; a third has an equal one of its own."""
    one, other = pod("one", cpu=1), pod("other", cpu=1)
    shared = replace(other, name="shared", template=one.template)
    asked = problem([one, shared, other], [instance_type("node", cpu=8, memory_gib=8, price=1)])
    found = templates_of(asked)
    assert [id(template) for template in found] == [id(one.template), id(other.template)]
    assert templates_of(asked) is found
