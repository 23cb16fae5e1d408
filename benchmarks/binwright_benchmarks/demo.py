"""``make demo``: the main job on real input, through a real server.

Starts a gRPC server in a process of its own, asks it for the cheapest nodes for the Alibaba GPU trace on
the AWS catalogue and on the five reference node pools, checks the answers with the independent checker,
and holds them against the rules of other autoscalers on the same offerings.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from binwright.v1 import decision_pb2
from binwright_clients.cli.connection import Connection
from binwright_clients.cli.engines import Engine, open_engine
from binwright_clients.cli.output import table_width
from binwright_clients.cli.prices import bought_price_sources
from binwright_clients.cli.progress import progress_display
from binwright_clients.cli.question import Question, build_question
from binwright_clients.cli.render.decision import remarks, summary_panel
from binwright_clients.cli.render.mix import mix_table, node_mix
from binwright_clients.cli.render.unschedulable import unschedulable_view
from binwright_clients.cli.values import parse_duration
from binwright_clients.errors import InputError
from binwright_optimizer.errors import BinwrightError
from binwright_server.convert import request_to_problem
from binwright_server.local import verify_locally
from click import ClickException
from rich.console import Console

from binwright_benchmarks.baselines import MAIN_RULES, BrokenBaselineError, open_market
from binwright_benchmarks.measure import BaselineFigures, Step, run_baselines
from binwright_benchmarks.questions import (
    BUNDLED_TRACE,
    REGION,
    MissingDataError,
    ask_for_whole_gpus,
    reference_node_pools,
)
from binwright_benchmarks.reference import ARRIVALS, CLASSES, GPU_PODS, services_table, trace_table
from binwright_benchmarks.server_process import ServerProcessError, running_server
from binwright_benchmarks.versus import range_line, versus_table

MOST_ROWS = 12
"""Rows of the node mix; a whole trace ends up on dozens of instance types."""

MOST_REASONS = 1
"""Groups of unplaced pods explained in full."""

SERVICE_PODS = 800


class WrongAnswerError(Exception):
    """The checker found something wrong with an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one question."""

    decision: decision_pb2.Decision
    steps: tuple[Step, ...]
    baselines: tuple[BaselineFigures, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns 0, or 1 if anything went wrong."""
    options = _parser().parse_args(arguments)
    console = Console(width=table_width(), highlight=False)
    began = time.monotonic()
    try:
        _demonstrate(console, options.deadline, options.picture)
    except (
        BinwrightError,
        BrokenBaselineError,
        ClickException,
        InputError,
        MissingDataError,
        ServerProcessError,
        WrongAnswerError,
    ) as error:
        Console(stderr=True, highlight=False).print(f"the demonstration failed: {error}", markup=False)
        return 1
    console.print(f"Everything took {time.monotonic() - began:.0f} s.")
    return 0


def _demonstrate(console: Console, deadline_s: float, picture: Path | None) -> None:
    console.rule("[bold]binwright: the cheapest nodes for your pods, with a proven bound", align="left")
    began = time.monotonic()
    with running_server() as server:
        console.print(
            f"gRPC server {server.address} (process {server.process_id}) serves after "
            f"{time.monotonic() - began:.1f} s."
        )
        with open_engine(Connection(server.address)) as engine, tempfile.TemporaryDirectory() as folder:
            console.print()
            console.rule("[bold]1. The whole GPU trace on the AWS catalogue", align="left")
            console.print(
                "8,152 pods of the Alibaba GPU trace (2023), most with one GPU, none shared; everything AWS "
                f"sells on demand in {REGION} for amd64. Time to search: {deadline_s:g} s."
            )
            question = build_question(
                (str(BUNDLED_TRACE),), catalog="aws", regions=(REGION,), deadline_s=deadline_s
            )
            ask_for_whole_gpus(question.request)
            answer = _answer(console, engine, question, "GPU trace on AWS")
            if picture is not None:
                # Imported here: it takes a second, and only pictures need it.
                from binwright_benchmarks.picture import write_picture

                title = f"8,152 pods of the Alibaba GPU trace on AWS {REGION}, on demand"
                write_picture(picture, title, answer.decision, answer.steps, answer.baselines)
                console.print(f"picture written to {picture}", markup=False)

            console.print()
            console.rule("[bold]2. Pods of the trace on the five reference node pools", align="left")
            console.print(
                f"The first {ARRIVALS} arrivals of the trace, tolerating every pool. The largest node here "
                "has 8 vCPU and one T4, and the GPU pool ends at 50 nodes: this is the shortest slice that "
                "fills it. Every pod that fits needs a T4 of its own and the other pools stand at their "
                "minimum, so each rule must buy the same. The other pods ask for more than any node has."
            )
            question = _on_reference_pools(Path(folder) / "arrivals.csv", trace_table(), deadline_s)
            _answer(console, engine, question, "Arrivals on the reference node pools")

            console.print()
            console.rule("[bold]3. Services on the five reference node pools", align="left")
            console.print(
                f"{SERVICE_PODS:,} generated pods of {CLASSES} services and {GPU_PODS} GPU pods. Half of "
                "the services tolerate several pools, so there is a choice. Minimum nodes are bought anyway."
            )
            table = services_table(seed=0, pods=SERVICE_PODS)
            question = _on_reference_pools(Path(folder) / "services.csv", table, min(deadline_s, 5.0))
            _answer(console, engine, question, "Services on the reference node pools")
    console.print()
    console.print("The server has stopped cleanly.")


def _on_reference_pools(path: Path, table: str, deadline_s: float) -> Question:
    """The question of a workload table, which is written to ``path``, on the reference node pools."""
    path.write_text(table, encoding="utf-8")
    return build_question(
        (str(path),),
        nodepools=(reference_node_pools(),),
        catalog="aws",
        regions=(REGION,),
        deadline_s=deadline_s,
    )


def _answer(console: Console, engine: Engine, question: Question, title: str) -> Answer:
    """Ask the server, check what it says, and show it beside the baselines.

    Raises
    ------
    WrongAnswerError
        If the checker has findings.
    """
    display = progress_display(Console(stderr=True, highlight=False, soft_wrap=True), quiet=False)
    steps: list[Step] = []
    began = time.monotonic()

    def note(progress: decision_pb2.Progress) -> None:
        display.update(progress)
        steps.append(Step(time.monotonic() - began, progress.hourly_cost_usd, progress.lower_bound_usd))

    with display:
        decision = engine.solve(question.request, note, threading.Event())
    seconds = time.monotonic() - began
    steps.append(Step(seconds, decision.hourly_cost_usd, decision.lower_bound_usd))
    findings = verify_locally(question.request, decision)
    if findings:
        raise WrongAnswerError(f"{title}: {findings[0]} ({len(findings)} findings)")
    baselines = run_baselines(open_market(request_to_problem(question.request)[0]), MAIN_RULES)
    console.print(summary_panel(decision, title, console.width))
    console.print(mix_table(node_mix(decision.node_claims), MOST_ROWS, console.width))
    if decision.unschedulable_pods:
        console.print()
        console.print(unschedulable_view(decision.unschedulable_pods, MOST_REASONS))
    console.print()
    console.print(remarks(decision, bought_price_sources(question.request, decision, engine), ()))
    console.print()
    console.print(versus_table(decision, baselines))
    ties = range_line(baselines)
    if ties:
        console.print(ties, style="dim", markup=False)
    console.print(
        f"Answered in {seconds:.1f} s over gRPC after {len(steps) - 1:,} steps of progress; placement, cost "
        "and bound were proved again here, by the independent checker.",
        style="dim",
    )
    return Answer(decision, tuple(steps), baselines)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m binwright_benchmarks.demo", description=__doc__)
    parser.add_argument(
        "--deadline", type=_duration, default=10.0, metavar="DURATION", help="time to search (default: 10s)"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write a picture of the first answer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
