"""Compiles the kernels of optimizer and server, or loads them, before the server reports that it serves.

Run as ``python -m binwright_server.warmup`` at set-up.
"""

from __future__ import annotations

import sys
import time

from binwright.vendor.autoscaler import expander_pb2
from binwright.vendor.kubernetes import core_v1_pb2
from binwright_optimizer import warmup

from binwright_server.convert.expansion import scale_up_question
from binwright_server.expansion.scanned import ScannedRequest


def warm_up() -> float:
    """Run every kernel once; returns the seconds it took."""
    began = time.perf_counter()
    warmup.warm_up()
    node = core_v1_pb2.Node()
    node.status.allocatable["cpu"].string = "1"
    request = expander_pb2.BestOptionsRequest(nodeBytesMap={"group": node.SerializeToString()})
    request.options.add(nodeGroupId="group", podBytes=[b"", b""])
    scale_up_question(ScannedRequest.of(request.SerializeToString()))
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.stderr.write(f"kernels of the server ready after {warm_up():.1f} s\n")
