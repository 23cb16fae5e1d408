"""What the harness itself costs: a webhook that reads a question, looks at nothing and sends a ready answer.

No extender in Python can be faster than this on the same machine beside the same callers, so that its
figures stand beside ours. ``python -m binwright_benchmarks.bare_webhook NODES`` prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping

from binwright_benchmarks.extender_load import node_name


class BareWebhook(asyncio.Protocol):
    """One connection."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers
        self._head = b""
        self._verb = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport), "a TCP connection"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the question; answer once it is whole."""
        if not self._left:
            self._head += data
            head, found, rest = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = b""
            self._verb = head.partition(b"/")[2].partition(b" ")[0]
            self._left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            data = rest
        self._left -= len(data)
        if not self._left:
            self._transport.write(self._answers[self._verb])


def ready_answers(nodes: int) -> dict[bytes, bytes]:
    """Answers that pass every node, with their heads."""
    names = [node_name(index) for index in range(nodes)]
    tight = (",", ":")
    passed = json.dumps({"NodeNames": names, "FailedNodes": {}, "Error": ""}, separators=tight)
    scored = json.dumps([{"Host": name, "Score": 5} for name in names], separators=tight)
    return {
        verb: f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        for verb, body in ((b"filter", passed), (b"prioritize", scored))
    }


async def serve(nodes: int) -> None:
    """Serve until killed."""
    answers = ready_answers(nodes)
    server = await asyncio.get_running_loop().create_server(lambda: BareWebhook(answers), "127.0.0.1", 0)
    sys.stdout.write(f"listens on 127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
