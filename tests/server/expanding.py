"""The expander's choice, made in process."""

from __future__ import annotations

import datetime

from autoscaler import Options, scale_up
from binwright.vendor.autoscaler import expander_pb2
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_server.convert.expansion import scale_up_question
from binwright_server.expansion.choose import Choice, choose
from binwright_server.expansion.question import ScaleUpQuestion
from binwright_server.expansion.scanned import ScannedRequest


def scale_up_question_from_bytes(data: bytes) -> ScaleUpQuestion:
    """The question as a front scans it and a lane reads it."""
    return scale_up_question(ScannedRequest.unpacked(ScannedRequest.of(data).packed()))


PRICED = datetime.date(2026, 7, 20)
"""Day of the embedded on-demand prices of AWS."""


def chosen(request: expander_pb2.BestOptionsRequest, days_later: int = 0) -> Choice | None:
    """What is chosen, so many days after the prices were taken."""
    question = scale_up_question_from_bytes(request.SerializeToString())
    return choose(question, solve, 5.0, Deadline(5.0), PRICED + datetime.timedelta(days_later))


def group_of(options: Options, version: str = "1.35") -> str:
    """The node group that is chosen."""
    choice = chosen(scale_up(options, version))
    assert choice is not None
    return choice.option.node_group
