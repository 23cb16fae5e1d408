"""Host ports: no two pods of a node want the same port; daemons and running pods have theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from binwright_optimizer.model import DaemonSet, HostPort
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding, Node
from binwright_optimizer.verify.shapes import pod_refusal


def clash(wanted: tuple[HostPort, ...], taken: tuple[HostPort, ...]) -> HostPort | None:
    """A wanted port that a taken one keeps from being given; None if there is none."""
    for port in wanted:
        if any(port.clashes_with(other) for other in taken):
            return port
    return None


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who holds ports of one node, and the rule that a pod breaks that wants one of them.

    ``kind`` is that of placed pods, -1 for running pods and daemons, who have a ``name``.
    """

    ports: tuple[HostPort, ...]
    rule: Rule
    name: str = ""
    kind: int = -1


def check_host_ports(state: FinalState) -> Iterator[Finding]:
    """Placed pods whose host ports another pod of the node holds."""
    holders: dict[int, list[_Holder]] = {}
    for running in state.book.running:
        ports = state.book.kinds[running.kind].template.host_ports
        if ports:
            holders.setdefault(running.node, []).append(_Holder(ports, Rule.RUNNING_PODS, "a running pod"))
    daemons = _Daemons(state)
    for k in state.placed_kinds():
        ports = state.book.kinds[k].template.host_ports
        if not ports:
            continue
        placed = state.new(k)
        for n, count in zip(placed.nodes.tolist(), placed.counts.tolist(), strict=True):
            on_node = holders.setdefault(n, [])
            if count > 1:
                yield Finding(
                    Rule.HOST_PORTS,
                    f"{count} pods like {state.pod(k, n)} want port {_text(ports[0])} "
                    f"of {state.nodes[n].name}",
                )
            for holder in (*on_node, *daemons.on(n)):
                port = clash(ports, holder.ports)
                if port is not None:
                    who = holder.name or f"pod {state.pod(holder.kind, n)}"
                    yield Finding(
                        holder.rule,
                        f"pod {state.pod(k, n)} wants port {_text(port)} of {state.nodes[n].name}, "
                        f"which {who} holds",
                    )
            on_node.append(_Holder(ports, Rule.HOST_PORTS, kind=k))


class _Daemons:
    """Daemons with host ports on each node; equal nodes share the answer."""

    def __init__(self, state: FinalState) -> None:
        self._state = state
        self._daemons = [daemon for daemon in state.problem.daemon_sets if daemon.template.host_ports]
        self._known: dict[tuple[int, int], list[_Holder]] = {}

    def on(self, n: int) -> list[_Holder]:
        """Those that land on a node."""
        if not self._daemons:
            return []
        node = self._state.nodes[n]
        key = (id(node.labels), id(node.taints))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = [
                _Holder(daemon.template.host_ports, Rule.DAEMON_PORTS, f"daemon {daemon.name}")
                for daemon in self._daemons
                if _runs_on(daemon, node)
            ]
        return found


def _runs_on(daemon: DaemonSet, node: Node) -> bool:
    return not pod_refusal(daemon.template, node.labels, node.taints, is_new=node.is_new)


def _text(port: HostPort) -> str:
    return f"{port.port}/{port.protocol.value} of {port.host_ip}"
