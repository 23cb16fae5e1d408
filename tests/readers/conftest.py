"""Shared by the reader tests: files written from text, read back as a Problem message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from binwright_clients.errors import InputError
from binwright_clients.inputs import Inputs, read_inputs

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file into an empty working folder and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write_file(content: str | bytes, name: str = "in.yaml") -> str:
        data = content if isinstance(content, bytes) else dedent(content).encode()
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        return name

    return write_file


@pytest.fixture
def read(write: Write) -> Callable[..., Inputs]:
    """Reads one file from its content."""

    def read_content(content: str | bytes, name: str = "in.yaml") -> Inputs:
        return read_inputs([write(content, name)])

    return read_content


@pytest.fixture
def mistakes(write: Write) -> Callable[..., str]:
    """The text of the InputError that reading a file raises."""

    def read_content(content: str | bytes, name: str = "in.yaml") -> str:
        with pytest.raises(InputError) as caught:
            read_inputs([write(content, name)])
        return str(caught.value)

    return read_content
