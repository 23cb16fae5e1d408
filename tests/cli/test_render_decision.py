"""Tables of a decision: golden text, and the sums behind them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from binwright.v1 import catalog_pb2, decision_pb2
from binwright_clients.cli.render.decision import decision_view, summary_panel
from binwright_clients.cli.render.mix import node_mix, utilisation
from binwright_clients.cli.render.unschedulable import group_by_reason
from golden_files import expect_golden
from handmade_decisions import add_claims, mixed_decision
from rich.console import Console

SOURCES = (
    catalog_pb2.PriceSource(name="AWS price list", date="2026-07-20"),
    catalog_pb2.PriceSource(name="AWS Spot Advisor", date="2026-07-20", is_estimate=True),
)


def rendered(decision: decision_pb2.Decision, width: int = 100, **options: Any) -> str:
    stream = io.StringIO()
    view = decision_view(decision, width=width, **options)
    Console(file=stream, width=width, highlight=False).print(view)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def rendered_panel(decision: decision_pb2.Decision, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(summary_panel(decision, width=width))
    return stream.getvalue()


def test_a_mixed_decision_looks_as_it_did() -> None:
    text = rendered(mixed_decision(), price_sources=SOURCES, notes=["catalogue aws, us-east-1 (default)"])
    expect_golden("decision.txt", text)


def test_no_line_is_wider_than_100_columns() -> None:
    decision = mixed_decision()
    add_claims(
        decision,
        "a-pool-with-a-very-long-name-indeed-for-a-table",
        "Standard_NC96ads_A100_v4",
        123_456_789,
        zone="northamerica-northeast1-a",
        capacity_type="reserved",
        requests={"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1", "example.com/fpga": "1"},
        allocatable={"cpu": "96", "memory": "880Gi", "nvidia.com/gpu": "4", "example.com/fpga": "2"},
    )
    lines = rendered(decision).splitlines()
    assert max(map(len, lines)) <= 100


def test_a_bound_on_more_than_dollars_says_of_what() -> None:
    decision = mixed_decision()
    decision.hourly_cost_microusd, decision.lower_bound_microusd = 1_000_000, 1_200_000
    decision.hourly_interruption_microusd, decision.hourly_penalty_microusd = 4_000, 200_000
    assert "lower bound $1.2000/h of $1.2040/h in all" in rendered_panel(decision, 100)


def test_on_a_narrow_terminal_names_wrap_and_numbers_do_not() -> None:
    text = rendered(mixed_decision(), width=80)
    assert max(map(len, text.splitlines())) <= 80
    for number in ("15.9000", "0.1341", "9.0240"):
        assert number in text


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_the_summary_of_a_million_pods_cuts_nothing(width: int) -> None:
    decision = decision_pb2.Decision(
        stop_reason=decision_pb2.STOP_REASON_EXHAUSTED,
        hourly_cost_microusd=12_533_333_300,
        monthly_cost_usd=9_149_333.31,
        lower_bound_microusd=12_533_111_100,
        gap=0.0000177,
    )
    for _ in range(1_000):
        decision.node_claims.add(pods=["p"] * 999)
    decision.existing_placements.add(node="n", pods=["p"] * 1_000)
    panel = rendered_panel(decision, width)
    assert "…" not in panel
    assert max(map(len, panel.splitlines())) == width
    for fact in (
        "$12,533.3333/h",
        "$9,149,333.31/month",
        "lower bound $12,533.1111/h",
        "gap 0.002 %",
        "1,000 nodes",
        "1,000,000 of 1,000,000 pods placed",
        "1,000 on existing nodes",
        "stopped: search exhausted",
    ):
        assert fact in panel, fact


def test_nodes_that_are_alike_are_one_row_and_the_dearest_comes_first() -> None:
    rows = node_mix(mixed_decision().node_claims)
    assert [(row.instance_type, row.nodes, row.cost_microusd_per_hour) for row in rows] == [
        ("g4dn.2xlarge", 12, 9_024_000),
        ("c5.2xlarge", 40, 5_364_000),
        ("r5.2xlarge", 3, 1_512_000),
    ]


def test_utilisation_divides_what_pods_request_by_what_nodes_can_allocate() -> None:
    """Two nodes of 8 CPU, requests 6 and 2: half used."""
    decision = decision_pb2.Decision()
    for cpu in ("6", "2"):
        add_claims(decision, "p", "t", 1, requests={"cpu": cpu, "pods": "1"}, allocatable={"cpu": "8"})
    assert utilisation(node_mix(decision.node_claims)) == {"cpu": 0.5}


def test_rows_beyond_the_most_are_summed_in_one() -> None:
    text = rendered(mixed_decision(), most_rows=1)
    assert "2 more rows" in text
    assert "r5.2xlarge" not in text
    assert "15.9000" in text  # the total still counts every row


def test_pods_refused_for_the_same_reasons_share_a_group() -> None:
    groups = group_by_reason(mixed_decision().unschedulable_pods)
    assert [len(group.pods) for group in groups] == [5, 1]
    assert groups[0].workloads == ["Deployment default/big"]


def test_a_name_cannot_drive_the_terminal_or_the_markup() -> None:
    decision = mixed_decision()
    decision.node_claims[0].node_pool = "evil\x1b[2J[bold]pool"
    decision.unschedulable_pods[0].pod = "pod\x07\n[red]name"
    text = rendered(decision)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]name" in text


def test_values_in_brackets_are_printed_and_not_taken_for_markup() -> None:
    """A requirement such as ``pool In [general]`` must keep its values."""
    decision = mixed_decision()
    big = decision.unschedulable_pods[0]
    big.reasons[0].message = "asks for pool In [general]"
    big.nearest_miss = "zone In [red]"
    decision.warnings.append("warned about [bold]")
    decision.timings[0].phase = "[dim]"
    for claim in decision.node_claims:
        claim.node_pool = claim.zone = "[red]x"
        claim.requests.clear()
        claim.requests["example.com/[b]"] = claim.allocatable["example.com/[b]"] = "1"
    notes = ["skipped: [italic]"]
    text = rendered(decision, notes=notes, price_sources=[catalog_pb2.PriceSource(name="[blue] list")])
    words = ("pool In [general]", "zone In [red]", "[bold]", "[dim]", "[red]x", "[b] %", "[italic]", "[blue]")
    for word in words:
        assert word in text, word
    assert rendered(decision, title="[red]title").startswith("╭─ [red]title ")


def test_an_empty_decision_has_no_node_table() -> None:
    text = rendered(decision_pb2.Decision(status=decision_pb2.SOLUTION_STATUS_NONE))
    assert "NodePool" not in text
    assert "0 of 0 pods placed" in text


def test_a_decision_without_any_pod_claims_no_optimum() -> None:
    """Nothing is bought for nothing: bound and gap are met, and say nothing of the two pods."""
    decision = decision_pb2.Decision(
        status=decision_pb2.SOLUTION_STATUS_NONE, stop_reason=decision_pb2.STOP_REASON_OPTIMAL
    )
    for name in ("a", "b"):
        decision.unschedulable_pods.add(pod=name).reasons.add(constraint="cpu", refused=2, message="too much")
    text = rendered(decision)
    assert "0 of 2 pods placed" in text
    assert "stopped: no pod could be placed" in text
    assert "no bound without a pod placed" in text
    assert "optimal" not in text
    assert "gap 0 %" not in text


def test_a_decision_whose_time_ended_before_any_pod_was_placed_says_what_ended_it() -> None:
    decision = decision_pb2.Decision(stop_reason=decision_pb2.STOP_REASON_DEADLINE)
    decision.unschedulable_pods.add(pod="a")
    assert "stopped: deadline" in rendered(decision)
