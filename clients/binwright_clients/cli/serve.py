"""``binwright serve``: the gRPC server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_yaml

SETTINGS = (
    ("address", "HOST:PORT", "Where to listen; port 0 takes a free one.  [default: 127.0.0.1:50051]"),
    ("metrics_address", "HOST:PORT", "Side port with /metrics and /healthz.  [default: none]"),
    ("workers", "N", "Solves that run at the same time.  [default: one per core]"),
    ("max_queue", "N", "Solves that may wait; further ones are refused.  [default: 64]"),
    ("max_message_mib", "N", "Largest message in either direction, in MiB.  [default: 256]"),
    ("max_pods", "N", "Most pods of one problem.  [default: 1000000]"),
    ("default_deadline_s", "SECONDS", "Time for a solve that names none.  [default: 10]"),
    ("max_deadline_s", "SECONDS", "Longest time a request may ask for.  [default: 3600]"),
    ("default_gap", "RATIO", "Gap at which a solve that names none stops.  [default: 0]"),
    ("grace_s", "SECONDS", "Time that calls under way have at shutdown.  [default: 30]"),
    ("tls_cert", "FILE", "PEM certificate chain; plain text without it."),
    ("tls_key", "FILE", "PEM private key of the certificate."),
    ("tls_client_ca", "FILE", "PEM authorities whose client certificates are demanded (mTLS)."),
    ("token_file", "FILE", "Bearer tokens, one a line, that callers must send; read again when it changes."),
    ("log_format", "console|json", "How log lines look.  [default: console]"),
    ("log_level", "LEVEL", "debug, info, warning or error.  [default: info]"),
)
"""Setting, placeholder and help. The values are checked in one place, the server's configuration,
whether they come from a flag, a variable or a file."""


def _setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, metavar, text in reversed(SETTINGS):
        command = click.option(f"--{name.replace('_', '-')}", name, metavar=metavar, help=text)(command)
    return command


@click.command(
    short_help="Serve the gRPC API.",
    epilog=examples(
        "binwright serve --address 0.0.0.0:50051 --metrics-address 0.0.0.0:9090",
        "binwright serve --config server.yaml --tls-cert tls.crt --tls-key tls.key",
        "binwright serve --address 0.0.0.0:50051 --tls-cert tls.crt --tls-key tls.key --token-file tokens",
        "binwright serve --config server.yaml --check -o yaml",
    ),
)
@_setting_options
@click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML file with settings, named like the flags with underscores.",
)
@click.option("--check", is_flag=True, help="Print the settings in force and stop.")
@output_option()
def serve(file: Path | None, check: bool, output: str, **flags: str | None) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C; a second signal ends calls under way.

    A setting comes from its flag, else from the variable BINWRIGHT_<SETTING> (for example
    BINWRIGHT_MAX_QUEUE), else from the file, else from the default.
    """
    from binwright_server.config import load_config
    from binwright_server.errors import ConfigError

    try:
        config = load_config(file, os.environ, flags)
        if check:
            _print_settings(asdict(config), output)
            return
        # Imported here: it loads the solver, which --check does not need.
        from binwright_server.serve import run

        run(config)
    except ConfigError as error:
        raise BadInput(str(error)) from error


def _print_settings(settings: dict[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(settings, indent=2))
    elif output == "yaml":
        print_yaml(settings)
    else:
        for name, value in settings.items():
            click.echo(f"{name:<20} {value}")
