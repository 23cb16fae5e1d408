"""Shared by the tests of the extender: one that knows a small cluster, and processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clusters import Cluster, template
from extender_harness import Webhook, extending, put
from extender_process import Start, extenders
from harness import serving


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    """An extender whose server knows node a, which is empty, node b, which is full, and a tainted one."""
    cluster = Cluster().node("a").node("b").node("tainted", taint="x").pod("full", "b", template("4"))
    with serving() as server, extending(server.address) as running:
        put(server.address, cluster)
        yield running


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``binwright extender`` with options."""
    with extenders() as begin:
        yield begin
