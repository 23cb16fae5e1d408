"""The garbage collector waits while an answer is named, and goes on as it was before."""

from __future__ import annotations

import gc
import weakref

import pytest
from binwright_optimizer import collecting
from binwright_optimizer.collecting import without_collecting


def test_it_waits_until_the_last_one_leaves() -> None:
    assert gc.isenabled()
    with without_collecting():
        with without_collecting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_done_by_hand_where_answers_overlap_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two overlap for longer than is allowed: the one that leaves first frees what refers to itself."""

    class Loop:
        def __init__(self) -> None:
            self.itself = self

    monkeypatch.setattr(collecting, "LONGEST_S", 0.0)
    with without_collecting():
        gone = weakref.ref(Loop())
        with without_collecting():
            assert gone() is not None
        assert gone() is None


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(KeyError), without_collecting():
        raise KeyError
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with without_collecting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
