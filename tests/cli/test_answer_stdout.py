"""Standard output is the answer's alone while solvers work."""

from __future__ import annotations

import os
import sys

import pytest
from binwright_clients.cli.answer_stdout import answer_only_on_stdout


def test_what_libraries_print_meanwhile_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("before ")
    with answer_only_on_stdout():
        os.write(1, b"noise from C++")
    sys.stdout.write("after")
    sys.stdout.flush()
    assert capfd.readouterr().out == "before after"


def test_standard_output_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), answer_only_on_stdout():
        raise RuntimeError
    os.write(1, b"back")
    assert capfd.readouterr().out == "back"
