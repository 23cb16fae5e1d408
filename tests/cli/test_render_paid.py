"""What is paid for whether it is used or not, as the terminal shows it."""

from __future__ import annotations

from binwright.v1 import decision_pb2
from binwright_clients.cli.render.paid import accelerators_text, charges_text, commitments_text


def test_commitments_are_shown_in_nodes_and_in_dollars() -> None:
    uses = [
        decision_pb2.CommitmentUse(commitment="ri", is_reservation=True, held=5, running=1, used=3, unused=1),
        decision_pb2.CommitmentUse(commitment="plan", held=6_500_000, used=6_500_000),
    ]
    assert commitments_text(uses).plain == (
        "Commitments held\n"
        "  ri  5 nodes: 3 nodes used, 1 node by running nodes, 1 node unused\n"
        "  plan  $6.5000/h: $6.5000/h used, $0.0000/h unused"
    )


def test_accelerators_are_shown_with_what_unused_ones_cost() -> None:
    use = decision_pb2.AcceleratorUse(
        resource="nvidia.com/gpu",
        bought=4,
        used_milli=2_500,
        stranded_milli=1_000,
        unused_usd=1.5,
        stranded_usd=1.0,
    )
    assert accelerators_text([use]).plain == (
        "Accelerators\n  nvidia.com/gpu  4 bought, 2.5 used, 1.5 unused ($1.5000/h), of which 1 stranded"
        " ($1.0000/h)"
    )


def test_penalties_and_interruptions_are_shown_apart_the_dearest_first() -> None:
    decision = decision_pb2.Decision(
        hourly_interruption_microusd=4_000,
        hourly_penalty_microusd=3_000_000,
        penalties=[
            decision_pb2.Penalty(
                workload_name="Pod default/a", wish="zone In [b] (weight 40)", pods=1, microusd_per_hour=10**6
            ),
            decision_pb2.Penalty(
                workload_name="Pod default/b", wish="no taint x", pods=2, microusd_per_hour=2 * 10**6
            ),
        ],
    )
    assert charges_text(decision, most=1).plain == (
        "Weighed beside the cost of nodes\n"
        "  interruptions  $0.004000/h on average\n"
        "  preferences not met  $3.000000/h\n"
        "    Pod default/b: 2 pods without no taint x, $2.000000/h\n"
        "    and 1 more"
    )
