"""Gangs: enough members or none, and all of them in one domain of each key that the gang names."""

from __future__ import annotations

from binwright_optimizer.instance.domains.counting import Counting
from binwright_optimizer.instance.domains.table import NO_DOMAIN
from binwright_optimizer.instance.gang_members import members_running
from binwright_optimizer.model import Gang, GangTopology, labels


def add_gangs(counting: Counting, left_out: dict[int, int]) -> None:
    """Rows of every gang.

    Parameters
    ----------
    left_out
        The variable of the pods left out of each linked kind.
    """
    gangs = {(gang.namespace, gang.name): gang for gang in counting.problem.gangs}
    members: dict[tuple[str, str], list[int]] = {}
    for k in counting.local:
        name = counting.kinds.stated[k].gang
        if name in gangs:
            members.setdefault(name, []).append(k)
    for name, kinds in members.items():
        _add_minimum(counting, gangs[name], kinds, left_out)
        for rule in gangs[name].topology:
            if rule.is_required and rule.topology_key != labels.HOSTNAME:
                _add_topology(counting, gangs[name], rule, kinds)


def _add_minimum(counting: Counting, gang: Gang, kinds: list[int], left_out: dict[int, int]) -> None:
    """All members, or at least so many, or none."""
    builder = counting.builder
    total = int(sum(counting.demand[k] for k in kinds))
    running = members_running(counting.problem)[gang.namespace, gang.name]
    least = total if gang.min_members is None else max(0, gang.min_members - running)
    if least > total:  # cannot be met: none is placed
        for k in kinds:
            builder.row([left_out[k]], lower=float(counting.demand[k]))
        return
    runs = builder.variable(0.0, 1.0, is_integer=True)
    everyone = dict.fromkeys((left_out[k] for k in kinds), 1.0)
    builder.row({**everyone, runs: float(least)}, upper=float(total))  # placed = total - left out >= least
    builder.row({**everyone, runs: float(total)}, lower=float(total))  # none without running


def _add_topology(counting: Counting, gang: Gang, rule: GangTopology, kinds: list[int]) -> None:
    """All new members in one domain, one that running members are in if there are any."""
    builder, key = counting.builder, rule.topology_key
    held = set()
    for n, node in enumerate(counting.problem.existing_nodes):
        if any((pods.namespace, pods.gang) == (gang.namespace, gang.name) for pods in node.pods):
            held.add(int(counting.table.existing_codes(key)[n]))
    held.discard(NO_DOMAIN)
    chosen: dict[int, int] = {}
    for k in kinds:
        counting.forbid(k, key, NO_DOMAIN)
        for d, mine in sorted(counting.by_domain(k, key).items()):
            if d == NO_DOMAIN:
                continue
            if d not in chosen:
                allowed = not held or d in held
                chosen[d] = builder.variable(0.0, 1.0 if allowed else 0.0, is_integer=True)
            builder.row({**mine, chosen[d]: -float(counting.demand[k])}, upper=0.0)
    builder.row(chosen.values(), upper=1.0)
