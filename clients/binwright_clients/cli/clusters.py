"""Options that name a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from binwright_clients.cluster.api import ClusterApi

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--kubeconfig`` and ``--context``."""
    for option in (
        click.option(
            "--context", metavar="NAME", help="Context of the kubeconfig.  [default: the current one]"
        ),
        click.option(
            "--kubeconfig",
            type=_FILE,
            metavar="FILE",
            help="How to reach the cluster.  [default: the pod's account, KUBECONFIG, ~/.kube/config]",
        ),
    ):
        command = option(command)
    return command


def open_api(kubeconfig: Path | None, context: str | None) -> ClusterApi:
    """The API of the cluster that the options name."""
    # Imported on first use: the official client takes half a second.
    from binwright_clients.cluster.access import open_cluster

    return open_cluster(kubeconfig, context)
