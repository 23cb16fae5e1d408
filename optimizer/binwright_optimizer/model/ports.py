"""Host ports: two pods that want the same port of a node cannot share it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError

ANY_IP = "0.0.0.0"  # noqa: S104 - the spelling of Kubernetes for every address of the node


class Protocol(StrEnum):
    """Transport protocol of a port; ports of different protocols do not clash."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that a pod takes for itself.

    Raises
    ------
    WrongFieldError
        If the port is outside 1..65535.

    Examples
    --------
    >>> HostPort(80).clashes_with(HostPort(80, host_ip="10.0.0.1"))
    True
    >>> HostPort(80, host_ip="10.0.0.2").clashes_with(HostPort(80, host_ip="10.0.0.1"))
    False
    """

    port: int
    protocol: Protocol = Protocol.TCP
    host_ip: str = ANY_IP

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:
            raise WrongFieldError("port", self.port, "must be in 1..65535")
        if not self.host_ip:
            object.__setattr__(self, "host_ip", ANY_IP)

    def clashes_with(self, other: HostPort) -> bool:
        """Whether one node cannot give both."""
        if (self.port, self.protocol) != (other.port, other.protocol):
            return False
        return self.host_ip == other.host_ip or ANY_IP in (self.host_ip, other.host_ip)
