"""``binwright solve``: files in, the cheapest verified nodes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
from binwright.v1 import catalog_pb2, decision_pb2
from binwright_optimizer.errors import BinwrightError, InvalidProblemError

from binwright_clients.cli.clusters import cluster_options, open_api
from binwright_clients.cli.connection import Connection, server_options
from binwright_clients.cli.engines import Engine, open_engine
from binwright_clients.cli.examples import examples
from binwright_clients.cli.exit_codes import UNSCHEDULABLE
from binwright_clients.cli.exports import (
    DEFAULT_CLUSTER_NAME,
    FORMATS,
    check_export,
    print_export,
    warn_of_unplaced,
)
from binwright_clients.cli.failures import located
from binwright_clients.cli.files import check_writable, write_message
from binwright_clients.cli.interrupt import run_cancellable
from binwright_clients.cli.output import (
    output_option,
    print_message,
    print_table,
    stderr_console,
    table_width,
)
from binwright_clients.cli.prices import bought_price_sources
from binwright_clients.cli.progress import progress_display
from binwright_clients.cli.question import (
    ANY_CAPACITY_TYPE,
    CAPACITY_TYPES,
    Question,
    build_question,
)
from binwright_clients.cli.render.decision import decision_view, price_lines
from binwright_clients.cli.render.text import counted
from binwright_clients.cli.values import DURATION, PRICE, RATIO
from binwright_clients.errors import InputError
from binwright_clients.snapshot.files import objects_of_snapshot, source_name
from binwright_clients.snapshot.take import take_snapshot
from binwright_clients.usable import LiveObjects, about_pools

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    short_help="The cheapest nodes that hold all pods.",
    epilog=examples(
        "binwright solve -f deployment.yaml",
        "binwright solve --cluster --context prod --capacity-type any",
        "binwright solve -f pods.csv --catalog gcp --region europe-west4 --capacity-type any",
        "binwright solve -f manifests/ --nodepools pools.yaml -o karpenter > nodeclaims.yaml",
        "binwright solve -f manifests/ --cluster-name prod -o eksctl > cluster.yaml",
        "binwright solve -f pods.csv --catalog gcp --cluster-name prod -o terraform > nodes.tf.json",
        "binwright solve -f pods.csv -o json --save-problem problem.json > decision.json",
    ),
)
@click.option(
    "-f",
    "--filename",
    "paths",
    metavar="PATH",
    multiple=True,
    help="Manifests (YAML, JSON), workload tables (CSV, Parquet), a folder of them, or - for standard "
    "input. Repeat for more.",
)
@click.option(
    "--cluster",
    "from_cluster",
    is_flag=True,
    help="Take the pods and nodes of a live cluster, as snapshot does.",
)
@cluster_options
@click.option(
    "--catalog",
    metavar="aws|gcp|azure|FILE",
    help="What may be bought: the catalogue of a cloud, or a file (CSV, YAML).  [default: aws]",
)
@click.option(
    "--region",
    "regions",
    metavar="REGION",
    multiple=True,
    help="Region to buy in; repeat for more.  [default: us-east-1 (aws), us-central1 (gcp), eastus (azure)]",
)
@click.option("--instance-types", metavar="GLOB", multiple=True, help="Only these types; repeat for more.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Never these types; repeat for more.")
@click.option("--nodepools", metavar="FILE", multiple=True, help="Manifests with Karpenter NodePools.")
@click.option("--deadline", type=DURATION, default="10s", show_default=True, help="Time to search.")
@click.option("--gap", type=RATIO, help="Stop once this close to the proven bound: 0.1% or 0.001.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, help="Seed of everything random.")
@click.option(
    "--work-limit",
    type=click.IntRange(1, 2**63 - 1),
    metavar="N",
    help="End after so many units of counted work, about a microsecond each: the answer is then the same on "
    "any machine, if the deadline does not come first.",
)
@click.option(
    "--capacity-type",
    "capacity_types",
    type=click.Choice([*CAPACITY_TYPES, ANY_CAPACITY_TYPE]),
    multiple=True,
    help="How nodes may be bought; repeat for more. Without it the NodePools decide, and without "
    "those it is on-demand.",
)
@click.option(
    "--preference-price",
    type=PRICE,
    metavar="DOLLARS",
    help="What a weight point of a preference (about nodes, or about other pods) is worth, an hour and pod; "
    "0 leaves preferences out of account.  [default: 0.00001]",
)
@click.option(
    "--restart-cost",
    type=PRICE,
    metavar="DOLLARS",
    help="What an interruption costs of pods that do not say (binwright.dev/restart-cost).  [default: 0]",
)
@click.option(
    "--max-price-age",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="Flag on-demand prices older than this.  [default: 30]",
)
@click.option(
    "--max-spot-price-age",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="Flag spot prices older than this.  [default: 7]",
)
@server_options
@output_option(
    *FORMATS,
    remark="clusterautoscaler is the Deployment that scales the node groups, for EKS; it is tested against "
    "published schemas and the autoscaler's libraries, not with the program itself.",
)
@click.option(
    "--cluster-name",
    metavar="NAME",
    default=DEFAULT_CLUSTER_NAME,
    show_default=True,
    help="Cluster that -o eksctl, terraform and clusterautoscaler write.",
)
@click.option(
    "--expander-url",
    metavar="HOST:PORT",
    default="",
    help="gRPC expander that -o clusterautoscaler asks before least-waste; its authority is expected in "
    "the Secret binwright-expander-ca. Tested with the autoscaler's wire protocol and libraries, not with "
    "the program itself.",
)
@click.option("--save-problem", type=_FILE, metavar="FILE", help="Keep the request (JSON, or binary as .pb).")
@click.option("--save-decision", type=_FILE, metavar="FILE", help="Keep the decision (JSON, or .pb).")
@click.option("--fail-unschedulable", is_flag=True, help="Exit with 3 if any pod has no place.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on standard error.")
def solve(
    paths: tuple[str, ...],
    from_cluster: bool,
    kubeconfig: Path | None,
    context: str | None,
    catalog: str | None,
    regions: tuple[str, ...],
    instance_types: tuple[str, ...],
    exclude: tuple[str, ...],
    nodepools: tuple[str, ...],
    deadline: float,
    gap: float | None,
    seed: int,
    work_limit: int | None,
    capacity_types: tuple[str, ...],
    preference_price: int | None,
    restart_cost: int | None,
    max_price_age: int | None,
    max_spot_price_age: int | None,
    connection: Connection | None,
    output: str,
    cluster_name: str,
    expander_url: str,
    save_problem: Path | None,
    save_decision: Path | None,
    fail_unschedulable: bool,
    quiet: bool,
) -> None:
    """Find the cheapest nodes that hold all pods, and prove how good they are.

    Reads Pods, Deployments, StatefulSets, ReplicaSets, Jobs, CronJobs, DaemonSets (as overhead),
    Nodes and Karpenter NodePools, and tables with the columns name, replicas, cpu_milli, memory_mib.

    Ctrl-C ends the search and prints the best decision so far; a second one quits. With --server
    the first one quits too, because a cancelled call has no answer.
    """
    if not paths and not from_cluster:
        raise click.UsageError("Missing option '-f' / '--filename', or --cluster.")
    if not from_cluster and (kubeconfig is not None or context is not None):
        raise click.UsageError("--kubeconfig and --context need --cluster.")
    if expander_url and output != "clusterautoscaler":
        raise click.UsageError("--expander-url needs -o clusterautoscaler.")
    for path in (save_problem, save_decision):
        if path is not None:
            check_writable(path)
    left_out: list[str] = []
    live = None
    if from_cluster:
        snapshot = take_snapshot(open_api(kubeconfig, context))
        live = LiveObjects(source_name(snapshot), snapshot.objects, left_out.append)
    else:
        # What a snapshot gives elsewhere is what the cluster gives: the same objects are left out.
        held = [(path, objects) for path in paths if (objects := objects_of_snapshot(path)) is not None]
        if len(held) == 1:
            live = LiveObjects(*held[0], left_out.append)
            paths = tuple(path for path in paths if path != live.name)
    ask_of = partial(
        build_question,
        paths,
        nodepools=nodepools,
        catalog=catalog,
        regions=regions,
        instance_types=instance_types,
        exclude=exclude,
        deadline_s=deadline,
        gap=gap,
        seed=seed,
        work_limit=work_limit,
        capacity_types=capacity_types,
        preference_price=preference_price,
        restart_cost=restart_cost,
        max_price_age_days=max_price_age,
        max_spot_price_age_days=max_spot_price_age,
    )

    def ask(without_node_pools: frozenset[str]) -> Question:
        ask_about = partial(ask_of, without_node_pools=without_node_pools)
        question = ask_about() if live is None else live.read(lambda source: ask_about(snapshot=source))
        check_export(output, question)
        if save_problem is not None:
            write_message(save_problem, question.request, with_defaults=False)
        return question

    question = ask(frozenset())  # mistakes in the files come before those in the connection
    with open_engine(connection) as engine:
        question, decision = _decided(engine, question, ask, live, left_out, quiet=quiet)
        sources, complaint = _price_sources(engine, question, decision)
    decision.warnings.extend(left_out)
    # A disk that is full by now must not cost the answer: print first, fail afterwards.
    unsaved = _save(save_decision, decision)
    _print(decision, sources, (*question.notes, *complaint), left_out, output=output, quiet=quiet)
    if output in FORMATS:
        print_export(output, decision, question, cluster_name=cluster_name, expander_url=expander_url)
        warn_of_unplaced(decision)
    if unsaved is not None:
        raise unsaved
    if fail_unschedulable and (decision.unschedulable_pods or (live is not None and live.left_out)):
        raise click.exceptions.Exit(UNSCHEDULABLE)


def _print(
    decision: decision_pb2.Decision,
    sources: list[catalog_pb2.PriceSource],
    notes: Sequence[str],
    left_out: Sequence[str],
    *,
    output: str,
    quiet: bool,
) -> None:
    """The decision to standard output, unless as an export; notes into its table, or to standard error."""
    if output == "table":
        print_table(decision_view(decision, price_sources=sources, notes=notes, width=table_width()))
        return
    if not quiet:
        console = stderr_console()
        unplaced = len(decision.unschedulable_pods)
        # JSON and YAML hold the warnings; the formats of other programs, as comments. What a cluster's
        # objects are not part of is told here all the same.
        warnings = decision.warnings if output in FORMATS else left_out
        prices = (f"prices: {line}" for line in price_lines(sources))
        for note in (*(f"warning: {line}" for line in warnings), *notes, *prices):
            console.print(note, markup=False)
        if unplaced and output not in FORMATS:
            console.print(f"{counted(unplaced, 'pod')} unschedulable; the decision says why", markup=False)
    if output not in FORMATS:
        print_message(decision, output)


def _save(path: Path | None, decision: decision_pb2.Decision) -> InputError | None:
    """Write the decision if asked to; the error if that failed."""
    if path is not None:
        try:
            write_message(path, decision)
        except InputError as error:
            return error
    return None


def _price_sources(
    engine: Engine, question: Question, decision: decision_pb2.Decision
) -> tuple[list[catalog_pb2.PriceSource], tuple[str, ...]]:
    """Sources of the prices paid, or a note why they are unknown: no reason to lose the decision."""
    try:
        return bought_price_sources(question.request, decision, engine), ()
    except BinwrightError as error:
        return [], (f"the sources of the prices are unknown: {error}",)


def _decided(
    engine: Engine,
    question: Question,
    ask: Callable[[frozenset[str]], Question],
    live: LiveObjects | None,
    left_out: list[str],
    *,
    quiet: bool,
) -> tuple[Question, decision_pb2.Decision]:
    """The question that was answered and its decision, mistakes traced to where the user wrote them.

    Objects of a live cluster that are refused are left out. So are NodePools of a cluster that no node can
    be made from, with a line in ``left_out`` for each, as long as others are there; those written for this
    question are an error.
    """
    unusable: frozenset[str] = frozenset()
    while True:
        try:
            return question, _search(engine, question, quiet=quiet)
        except InvalidProblemError as error:
            rest = error if live is None else live.without(error, question.origins)
            if rest is not None:
                pools = question.request.problem.node_pools
                told = about_pools(rest, pools)
                others = {pool.name for pool in pools} - (told.pools if told is not None else frozenset())
                if told is None or not others or not told.pools <= question.live_node_pools:
                    with located(question.locate):
                        raise
                left_out.extend(told.remarks)
                unusable |= told.pools
            question = ask(unusable)


def _search(engine: Engine, question: Question, *, quiet: bool) -> decision_pb2.Decision:
    """The decision, with progress shown; raises InvalidProblemError with paths of the request."""
    console = stderr_console()
    display = progress_display(console, quiet=quiet)

    def work(cancel: threading.Event) -> decision_pb2.Decision:
        return engine.solve(question.request, display.update, cancel)

    def say() -> None:
        if engine.can_cancel:
            console.print("stopping; the best decision so far follows, Ctrl-C again quits", markup=False)
        else:
            console.print(f"interrupted at: {display.latest}", markup=False)

    with display:
        return run_cancellable(work, say, can_cancel=engine.can_cancel)
