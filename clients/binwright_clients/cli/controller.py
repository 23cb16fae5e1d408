"""``binwright controller``: NodeClaims for pods that wait, as they come."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click
from binwright.v1 import decision_pb2, provisioning_service_pb2

from binwright_clients.cli.clusters import cluster_options, open_api
from binwright_clients.cli.connection import Connection, server_options
from binwright_clients.cli.engines import Engine, open_engine
from binwright_clients.cli.examples import examples
from binwright_clients.cli.exports import cloud_of
from binwright_clients.cli.failures import BadInput, Failure
from binwright_clients.cli.output import output_option, print_yaml
from binwright_clients.cli.question import ANY_CAPACITY_TYPE, CAPACITY_TYPES, build_question, check_catalog
from binwright_clients.cli.render.text import printable
from binwright_clients.cli.values import DURATION, RATIO, host_and_port
from binwright_clients.cluster.api import Json
from binwright_clients.cluster.errors import ClusterError
from binwright_clients.controller.health import STALLED_S
from binwright_clients.controller.permissions import controller_permissions
from binwright_clients.controller.planner import Asked, OptimizingPlanner
from binwright_clients.controller.run import Settings, run_controller
from binwright_clients.karpenter.nodeclaims import MAX_INSTANCE_TYPES
from binwright_clients.snapshot.permissions import DEFAULT_NAMESPACE
from binwright_clients.sources import Source


@click.command(
    short_help="Creates Karpenter NodeClaims for pending pods.",
    epilog=examples(
        "binwright controller --context prod",
        "binwright controller --apply --catalog aws.json -o json",
        "binwright controller --apply --server binwright:50051 --tls",
        "binwright controller --print-rbac | kubectl apply -f -",
    ),
)
@cluster_options
@click.option("--apply", is_flag=True, help="Create NodeClaims. Without it, only say what would be created.")
@click.option(
    "--catalog", metavar="aws|gcp|azure|FILE", help="What may be bought.  [default: where the nodes are]"
)
@click.option(
    "--region", "regions", metavar="REGION", multiple=True, help="Region to buy in; repeat for more."
)
@click.option("--instance-types", metavar="GLOB", multiple=True, help="Only these types; repeat for more.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Never these types; repeat for more.")
@click.option(
    "--capacity-type",
    "capacity_types",
    type=click.Choice([*CAPACITY_TYPES, ANY_CAPACITY_TYPE]),
    multiple=True,
    help="How nodes may be bought; repeat for more.  [default: as the NodePools say]",
)
@click.option(
    "--deadline", type=DURATION, default="5s", show_default=True, help="Time to search, each batch."
)
@click.option("--gap", type=RATIO, help="Stop once this close to the proven bound: 0.1% or 0.001.")
@click.option(
    "--batch-idle", type=DURATION, default="1s", show_default=True, help="A batch ends after this quiet."
)
@click.option(
    "--batch-max", type=DURATION, default="10s", show_default=True, help="A batch ends after this long."
)
@click.option(
    "--alternatives",
    type=click.IntRange(1, MAX_INSTANCE_TYPES),
    default=1,
    show_default=True,
    metavar="N",
    help="Instance types a NodeClaim may name, the chosen one first.",
)
@click.option("--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="Where the Lease lies.")
@click.option(
    "--health-address",
    metavar="HOST:PORT",
    help="Where kubelets ask for /healthz (its loop goes round) and /readyz (the cluster is listed), and"
    " Prometheus for /metrics.",
)
@click.option("--print-rbac", is_flag=True, help="Print the permissions the controller needs, and end.")
@server_options
@output_option()
def controller(
    kubeconfig: Path | None,
    context: str | None,
    apply: bool,
    catalog: str | None,
    regions: tuple[str, ...],
    instance_types: tuple[str, ...],
    exclude: tuple[str, ...],
    capacity_types: tuple[str, ...],
    deadline: float,
    gap: float | None,
    batch_idle: float,
    batch_max: float,
    alternatives: int,
    namespace: str,
    health_address: str | None,
    print_rbac: bool,
    connection: Connection | None,
    output: str,
) -> None:
    """Watch pending pods, and create the cheapest Karpenter NodeClaims that hold them.

    Pods are gathered as Karpenter gathers them, solved together with the nodes that run, and get
    NodeClaims of an exact instance type, zone and capacity type within the NodePools' limits. Events
    on pods and NodeClaims tell cost, bound and reason. Of several controllers one leads (Lease).

    Each step is a line on standard output: text, JSON or YAML. Ends cleanly on SIGTERM and Ctrl-C.
    """
    if print_rbac:
        print_yaml(*controller_permissions(namespace))
        return
    check_catalog(catalog)
    health = host_and_port(health_address, "--health-address") if health_address is not None else None
    stop = threading.Event()
    record = _recorder(output)
    noted: set[str] = set()

    def remark(message: str) -> None:
        if message not in noted:  # once, not with every batch
            noted.add(message)
            record({"event": "remark", "reason": message})

    def ask_for(source: Source) -> Asked:
        question = build_question(
            (),
            snapshot=source,
            catalog=catalog,
            regions=regions,
            instance_types=instance_types,
            exclude=exclude,
            deadline_s=deadline,
            gap=gap,
            capacity_types=capacity_types,
        )
        for note in question.notes:
            if note.startswith("catalogue "):
                remark(note)
        return Asked(
            question.request,
            dict(question.node_classes),
            cloud_of(question.request.problem.catalog),
            question.origins,
        )

    settings = Settings(
        apply=apply,
        namespace=namespace,
        identity=f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}",
        idle_s=batch_idle,
        max_s=batch_max,
        health=health,
        stalled_s=STALLED_S + deadline,
    )
    api = open_api(kubeconfig, context)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_engine(connection):
        pass  # files that are missing or wrong are told before anything begins
    solve = _solver(lambda: open_engine(connection), stop)
    run_controller(api, OptimizingPlanner(ask_for, solve, remark, alternatives), settings, stop, record)


def _solver(
    opened: Callable[[], AbstractContextManager[Engine]], stop: threading.Event
) -> Callable[[provisioning_service_pb2.SolveRequest], decision_pb2.Decision]:
    """Solves until told to stop; then the decision is dropped, so that nothing is half carried out.

    Parameters
    ----------
    opened
        Connects to the engine, for each solve anew: tokens and certificates are replaced while we run.
    """

    def solve(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        try:
            with opened() as engine:
                decision = engine.solve(request, lambda _progress: None, stop)
        except KeyboardInterrupt:
            raise ClusterError("stopped during the search") from None
        except (Failure, BadInput) as error:
            raise ClusterError(error.message) from error
        except OSError as error:
            raise ClusterError(f"the connection to the server cannot be set up: {error}") from error
        if stop.is_set():
            raise ClusterError("stopped during the search")
        return decision

    return solve


def _recorder(output: str) -> Callable[[Json], None]:
    """Prints records as they come, from any thread."""
    lock = threading.Lock()

    def record(step: Json) -> None:
        with lock:
            if output == "json":
                click.echo(json.dumps(step, ensure_ascii=False))
            elif output == "yaml":
                click.echo("---")
                print_yaml(step)
            else:
                about = step.get("node_claim") or step.get("pod") or step.get("node_pool")
                subject = f" {about}:" if about else ":"
                click.echo(printable(f"{step['event']}{subject} {step['reason']}"))

    return record
