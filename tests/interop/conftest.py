"""Fixtures over the real components; a test is skipped, with the reason, where one is missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from availability import require
from cluster import Cluster
from transcript import Transcript, results_folder

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-scheduler", "kwok")


def scenario(request: pytest.FixtureRequest) -> str:
    """What the test is called in the results folder."""
    return re.sub(r"\W+", "-", request.node.name.removeprefix("test").replace("_", "-")).strip("-")


@pytest.fixture
def transcript(request: pytest.FixtureRequest) -> Transcript:
    """The transcript of this scenario, named after the test."""
    return Transcript(scenario(request))


@pytest.fixture
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A fresh control plane; the logs of its components are left beside the transcript."""
    require(*CONTROL_PLANE)
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so that no certificates can be made")
    logs = results_folder() / f"{scenario(request)}-logs"
    logs.mkdir(exist_ok=True)
    with Cluster(tmp_path, logs) as started:
        yield started
