"""``binwright snapshot``: a live cluster as manifests."""

from __future__ import annotations

from pathlib import Path

import click

from binwright_clients.cli.clusters import cluster_options, open_api
from binwright_clients.cli.examples import examples
from binwright_clients.cli.files import check_writable
from binwright_clients.cli.output import output_option, print_yaml, stderr_console
from binwright_clients.cli.summary import print_summary
from binwright_clients.snapshot.files import snapshot_bytes, write_snapshot
from binwright_clients.snapshot.permissions import snapshot_permissions
from binwright_clients.snapshot.take import take_snapshot


@click.command(
    short_help="A live cluster as manifests that solve reads.",
    epilog=examples(
        "binwright snapshot --context prod --save cluster.json",
        "binwright snapshot -o yaml | less",
        "binwright snapshot --print-rbac | kubectl apply -f -",
    ),
)
@cluster_options
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="Write the manifests as JSON; an existing folder gets a file for each kind.",
)
@click.option("--print-rbac", is_flag=True, help="Print the permissions a snapshot needs, and end.")
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def snapshot(
    kubeconfig: Path | None,
    context: str | None,
    save: Path | None,
    print_rbac: bool,
    output: str,
    quiet: bool,
) -> None:
    """Read everything of a cluster that scheduling depends on, at one moment.

    Pods, Nodes, DaemonSets, PriorityClasses, Namespaces, volumes and their claims and classes,
    device claims, gangs, PodDisruptionBudgets, and Karpenter's NodePools, NodeClaims, NodeOverlays
    and EC2NodeClasses. Environments, commands and probes of containers, and userData, are left out.
    -o json and -o yaml print the manifests, -o table counts them.
    """
    if print_rbac:
        print_yaml(*snapshot_permissions())
        return
    if save is not None and not save.is_dir():
        check_writable(save)
    console = stderr_console()

    def say(resource: str) -> None:
        if not quiet:
            console.print(f"reading {resource}", markup=False)

    taken = take_snapshot(open_api(kubeconfig, context), on_step=say)
    if save is not None:
        write_snapshot(taken, save)
    if output == "json":
        click.echo(snapshot_bytes(taken), nl=False)
    elif output == "yaml":
        print_yaml(taken.manifest())
    else:
        figures: dict[str, str | int | list[str]] = {"cluster": taken.cluster}
        figures |= {"resource_version": taken.resource_version}
        figures |= {kind: taken.counts[kind] for kind in taken.counts}
        figures |= {"notes": list(taken.notes)}
        if save is not None:
            figures["saved"] = str(save)
        print_summary(figures, output)
