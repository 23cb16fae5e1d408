"""What is paid for whether it is used or not, as the terminal shows it."""

from __future__ import annotations

from binwright.v1 import decision_pb2
from binwright_clients.cli.render.paid import accelerators_text, commitments_text


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
