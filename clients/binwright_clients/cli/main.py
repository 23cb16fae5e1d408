"""The command ``binwright``: registers one command per file."""

from __future__ import annotations

import click

from binwright_clients.cli.benchmark import benchmark
from binwright_clients.cli.catalog import catalog
from binwright_clients.cli.controller import controller
from binwright_clients.cli.examples import examples
from binwright_clients.cli.extender import extender
from binwright_clients.cli.failures import CommandGroup
from binwright_clients.cli.flavors import flavors
from binwright_clients.cli.plan import plan
from binwright_clients.cli.serve import serve
from binwright_clients.cli.snapshot import snapshot
from binwright_clients.cli.solve import solve
from binwright_clients.cli.verify import verify
from binwright_clients.cli.version import installed_version, version

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    cls=CommandGroup,
    context_settings=_CONTEXT,
    epilog=examples(
        "binwright solve -f deployment.yaml --catalog aws --region us-east-1",
        'eval "$(_BINWRIGHT_COMPLETE=bash_source binwright)"   # shell completion; zsh_source, fish_source',
    ),
)
@click.version_option(installed_version(), message="binwright %(version)s")
def main() -> None:
    """The cheapest nodes for your Kubernetes pods, with a proof of how good they are.

    Every command explains itself with --help and shows an example there.

    Exit codes: 0 done, 1 failed or refuted, 2 bad input, 3 unschedulable pods (only with
    --fail-unschedulable), 130 interrupted.
    """


for command in (
    solve,
    verify,
    plan,
    flavors,
    snapshot,
    controller,
    serve,
    extender,
    catalog,
    benchmark,
    version,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="binwright")
