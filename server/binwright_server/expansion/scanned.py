"""A BestOptionsRequest whose pods are told apart but still bytes, and small enough to be passed on."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass

import numpy as np
from binwright.vendor.autoscaler import expander_pb2
from binwright_optimizer.errors import InvalidProblemError
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from binwright_server.expansion.kernels import scan


@dataclass(frozen=True, slots=True, eq=False)
class ScannedRequest:
    """A request; arrays as in `scan.tell_apart`.

    Parameters
    ----------
    data
        uint8 array that ``starts`` and ``stops`` point into.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    pod: NDArray[np.int64]
    field: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    rest: NDArray[np.uint8]
    rest_offsets: NDArray[np.int64]
    others: NDArray[np.uint8]

    @classmethod
    def of(cls, message: bytes) -> ScannedRequest:
        """The request that a message spells; raises InvalidProblemError if it spells none."""
        data = np.frombuffer(message, dtype=np.uint8)
        n_options, *sizes = scan.count(data)
        if n_options < 0:
            raise _no_request(len(message))
        return cls(data, *scan.tell_apart(data, n_options, *sizes))

    @classmethod
    def unpacked(cls, content: bytes) -> ScannedRequest:
        """The request that `packed` wrote, in another process of ours."""
        file = io.BytesIO(content)
        offsets, pod, field, sizes, data, rest, rest_offsets, others = (
            np.lib.format.read_array(file, allow_pickle=False) for _ in range(8)
        )
        stops = np.cumsum(sizes, dtype=np.int64)
        starts = stops - sizes
        return cls(data, offsets, pod.astype(np.int64), field, starts, stops, rest, rest_offsets, others)

    def packed(self) -> bytes:
        """The same with each distinct pod once: 1 % of the size where options share their pods."""
        pods = b"".join(self.pod_bytes(pod) for pod in range(self.n_pods))
        file = io.BytesIO()
        for array in (
            self.offsets,
            self.pod.astype(np.int32),
            self.field,
            self.stops - self.starts,
            np.frombuffer(pods, dtype=np.uint8),
            self.rest,
            self.rest_offsets,
            self.others,
        ):
            np.lib.format.write_array(file, array, allow_pickle=False)
        return file.getvalue()

    @property
    def n_pods(self) -> int:
        """Distinct pods."""
        return len(self.starts)

    def options(self) -> tuple[expander_pb2.Option, ...]:
        """The options without their pods; raises InvalidProblemError."""
        text, ends = self.rest.tobytes(), self.rest_offsets.tolist()
        try:
            return tuple(
                expander_pb2.Option.FromString(text[start:stop]) for start, stop in itertools.pairwise(ends)
            )
        except DecodeError as error:
            raise _no_request(len(self.data)) from error

    def nodes(self) -> expander_pb2.BestOptionsRequest:
        """The template nodes; raises InvalidProblemError."""
        try:
            return expander_pb2.BestOptionsRequest.FromString(self.others.tobytes())
        except DecodeError as error:
            raise _no_request(len(self.data)) from error

    def pod_bytes(self, pod: int) -> bytes:
        """A distinct pod, serialized."""
        return self.data[self.starts[pod] : self.stops[pod]].tobytes()

    def pods_of(self, option: int) -> NDArray[np.int64]:
        """Distinct pods of an option, with repetitions."""
        span = slice(self.offsets[option], self.offsets[option + 1])
        pods, fields = self.pod[span], self.field[span]
        # Writers of both forms fill both; the deprecated one is read only where it is alone.
        current = fields == scan.POD_BYTES_FIELD
        return pods[current] if current.any() else pods

    def path_of(self, pod: int) -> str:
        """Where a distinct pod stands first."""
        position = int(np.argmax(self.pod == pod))
        option = int(np.searchsorted(self.offsets, position, side="right")) - 1
        name = "podBytes" if self.field[position] == scan.POD_BYTES_FIELD else "pod"
        span = slice(self.offsets[option], position)
        index = int(np.count_nonzero(self.field[span] == self.field[position]))
        return f"options[{option}].{name}[{index}]"


def _no_request(size: int) -> InvalidProblemError:
    return InvalidProblemError.of("", f"{size} bytes", "is no serialized BestOptionsRequest")
