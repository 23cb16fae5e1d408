"""``binwright extender``: the webhook for kube-scheduler."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click
from binwright_server.tls import TlsFiles

from binwright_clients.cli.clusters import open_api
from binwright_clients.cli.connection import Connection, server_options
from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import print_yaml
from binwright_clients.cli.values import FiniteRange, host_and_port
from binwright_clients.cluster.api import ClusterApi
from binwright_clients.extender.certificates import WebhookCertificates
from binwright_clients.extender.permissions import extender_permissions

DEFAULT_SERVER = "127.0.0.1:50051"
BUDGET_S = 4.0

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  (refused in a URL, not listened on)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    short_help="Serve kube-scheduler's extender webhook.",
    epilog=examples(
        "binwright extender --server binwright:50051 --watch",
        "binwright extender --server binwright:50051 --tls-ca ca.crt --token-file token --watch",
        "binwright extender --server binwright:50051 --watch --bind",
        "binwright extender --watch --http-cert tls.crt --http-key tls.key --http-client-ca ca.crt",
        "binwright extender --print-rbac | kubectl apply -f -",
        "binwright extender --print-config > kube-scheduler.yaml",
        "binwright extender --print-config --url https://extender:8888 --url-ca /etc/kubernetes/ca.crt",
    ),
)
@server_options
@click.option(
    "--address",
    "listen",
    default="127.0.0.1:8888",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the webhook listens; port 0 takes a free one.",
)
@click.option("--http-cert", type=_FILE, metavar="FILE", help="PEM certificate of the webhook, for HTTPS.")
@click.option("--http-key", type=_FILE, metavar="FILE", help="PEM private key of the webhook.")
@click.option(
    "--http-client-ca",
    type=_FILE,
    metavar="FILE",
    help="PEM authorities whose certificates callers must show (mTLS); /healthz, /readyz and /metrics stay"
    " open.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Keep the server's picture of the cluster current: watch nodes, pods and namespaces, in the"
    " cluster or by kubeconfig.",
)
@click.option(
    "--bind",
    is_flag=True,
    help="Serve the verb bind, too: create the Bindings of pods to nodes (pods/binding: create, pods: get).",
)
@click.option("--kubeconfig", type=_FILE, metavar="FILE", help="Kubeconfig for --watch and --bind.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig for --watch and --bind.")
@click.option(
    "--budget",
    type=FiniteRange(0.1, 60.0),
    default=BUDGET_S,
    show_default=True,
    metavar="SECONDS",
    help="Longest time for a call, with new tries while the server restarts; below kube-scheduler's"
    " httpTimeout.",
)
@click.option(
    "--print-rbac",
    is_flag=True,
    help="Print the permissions that --watch needs, and --bind where it is given, and stop.",
)
@click.option("--print-config", is_flag=True, help="Print a KubeSchedulerConfiguration and stop.")
@click.option("--url", metavar="URL", help="With --print-config: where kube-scheduler reaches the webhook.")
@click.option("--url-ca", metavar="FILE", help="With --print-config: kube-scheduler's file of authorities.")
@click.option("--url-cert", metavar="FILE", help="With --print-config: its certificate, for mTLS.")
@click.option("--url-key", metavar="FILE", help="With --print-config: its private key, for mTLS.")
@click.option(
    "--scheduler-kubeconfig",
    metavar="FILE",
    help="With --print-config: kube-scheduler's own kubeconfig, by default /etc/kubernetes/scheduler.conf;"
    ' "" where it runs in a pod with a service account.',
)
def extender(
    connection: Connection | None,
    listen: str,
    http_cert: Path | None,
    http_key: Path | None,
    http_client_ca: Path | None,
    watch: bool,
    bind: bool,
    kubeconfig: Path | None,
    context: str | None,
    budget: float,
    print_rbac: bool,
    print_config: bool,
    url: str | None,
    url_ca: str | None,
    url_cert: str | None,
    url_key: str | None,
    scheduler_kubeconfig: str | None,
) -> None:
    """Serve the HTTP webhook that kube-scheduler's extenders configuration calls.

    It answers filter, prioritize and preempt by asking a Binwright server (--server, by default
    127.0.0.1:50051), whose scores follow the cheapest plan for the whole cluster; of the nodes that
    evictions would free, those remain where least is lost and that the plan would choose. Nodes that
    break required rules between pods, or have a host port taken, score nothing; kube-scheduler checks
    these itself. While the server restarts, calls are tried again; a call that cannot be answered in
    time says so, and with "ignorable: true", as --print-config writes it, kube-scheduler goes on
    without. GET /healthz says that the webhook is alive, /readyz that the cluster is listed and
    followed (--watch) and that the server answers. GET /metrics is for Prometheus.
    """
    host, port = host_and_port(listen, "--address")
    if (http_cert is None) != (http_key is None):
        raise click.UsageError("--http-cert and --http-key go together.")
    if http_client_ca and http_cert is None:
        raise click.UsageError("--http-client-ca needs --http-cert and --http-key.")
    if (url_cert is None) != (url_key is None):
        raise click.UsageError("--url-cert and --url-key go together.")
    if (kubeconfig or context) and not (watch or bind):
        raise click.UsageError("--kubeconfig and --context need --watch or --bind.")
    if (url or url_ca or url_cert) and not print_config:
        raise click.UsageError("--url, --url-ca, --url-cert and --url-key need --print-config.")
    if scheduler_kubeconfig is not None and not print_config:
        raise click.UsageError("--scheduler-kubeconfig needs --print-config.")
    if print_rbac:
        print_yaml(*extender_permissions(binds=bind))
        return
    if print_config:
        if url is None and (host in _EVERY_ADDRESS or port == 0):
            raise BadInput(f"--url: is needed with --address {listen}, which leads nobody to the webhook")
        address = url or f"{'https' if http_cert else 'http'}://{listen}"
        _print_config(address, url_ca, url_cert, url_key, bind, scheduler_kubeconfig)
        return
    tls = None
    if http_cert is not None and http_key is not None:
        tls = WebhookCertificates(TlsFiles(http_cert, http_key, http_client_ca))
    api = open_api(kubeconfig, context) if watch or bind else None
    watched, bound = api if watch else None, api if bind else None
    _serve(connection or Connection(DEFAULT_SERVER), host, port, tls, budget, watched, bound)


def _serve(
    connection: Connection,
    host: str,
    port: int,
    tls: WebhookCertificates | None,
    budget: float,
    watched: ClusterApi | None,
    bound: ClusterApi | None,
) -> None:
    # Imported on first use: gRPC and aiohttp take a noticeable part of the time of `binwright --help`.
    from binwright_clients.extender.backend import Backend
    from binwright_clients.extender.binding import Binder
    from binwright_clients.extender.run import Listening, run_extender
    from binwright_clients.transport import TlsOptions

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    options = None
    if connection.tls:
        options = TlsOptions(connection.ca, connection.cert, connection.key, connection.server_name)

    def backend() -> Backend:
        return Backend(connection.address, tls=options, token_file=connection.token_file, budget_s=budget)

    binder = Binder(bound, budget) if bound is not None else None
    try:
        asyncio.run(run_extender(backend, Listening(host, port, tls), watched, binder))
    except OSError as error:
        raise BadInput(f"--address: cannot listen on {host}:{port}: {error.strerror or error}") from error


def _print_config(
    url: str,
    ca_file: str | None,
    cert_file: str | None,
    key_file: str | None,
    binds: bool,
    kubeconfig: str | None,
) -> None:
    from binwright_clients.extender.configuration import SCHEDULER_KUBECONFIG, scheduler_configuration

    if not url.startswith(("http://", "https://")):
        raise BadInput(f"--url: must begin with http:// or https:// (got {url!r})")
    for option, file in (("--url-ca", ca_file), ("--url-cert", cert_file)):
        if file and not url.startswith("https://"):
            raise BadInput(f"{option}: is of use with an https:// URL only")
    configuration = scheduler_configuration(
        url,
        ca_file,
        cert_file=cert_file,
        key_file=key_file,
        binds=binds,
        kubeconfig=SCHEDULER_KUBECONFIG if kubeconfig is None else kubeconfig,
    )
    print_yaml(configuration)
