"""Volumes that pods mount, and how many a node takes."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import catalog_pb2, problem_pb2
from binwright_optimizer.model.volumes import AttachLimit, Volume

from binwright_server.convert.selection import refuse_contradiction, term_from_message
from binwright_server.convert.violations import Violations


def volumes_from_messages(
    messages: Iterable[problem_pb2.Volume], path: str, out: Violations
) -> tuple[Volume, ...]:
    """The volumes; wrong ones are recorded and left out."""
    volumes = [_volume(message, f"{path}[{k}]", out) for k, message in enumerate(messages)]
    known = tuple(volume for volume in volumes if volume is not None)
    if len(known) == len(volumes):
        # Volumes without a name are each a volume of their own.
        out.refuse_repeated(path, "name", (volume.name or k for k, volume in enumerate(known)))
    return known


def _volume(message: problem_pb2.Volume, path: str, out: Violations) -> Volume | None:
    before = len(out.found)
    terms = []
    for k, term_message in enumerate(message.topology):
        at = f"{path}.topology[{k}]"
        terms.append(term_from_message(term_message, at, out))
        refuse_contradiction(terms[-1], f"{at}.match_expressions", out)
    if len(out.found) > before:
        return None
    return out.build(
        path,
        lambda: Volume(
            name=message.name,
            driver=message.driver,
            topology=tuple(terms),
            is_exclusive=message.exclusive,
            is_single_node=message.single_node,
        ),
    )


def attach_limits_from_messages(
    messages: Iterable[catalog_pb2.AttachLimit], path: str, out: Violations
) -> tuple[AttachLimit, ...]:
    """The limits by driver, sorted; wrong ones are recorded and left out."""
    limits = [_limit(message, f"{path}[{k}]", out) for k, message in enumerate(messages)]
    known = [limit for limit in limits if limit is not None]
    if len(known) == len(limits):
        out.refuse_repeated(path, "driver", (limit.driver for limit in known))
    return tuple(sorted(known, key=lambda limit: limit.driver))


def attach_limits_to_messages(limits: Iterable[AttachLimit]) -> list[catalog_pb2.AttachLimit]:
    """The limits as messages."""
    return [catalog_pb2.AttachLimit(driver=limit.driver, count=limit.count) for limit in limits]


def _limit(message: catalog_pb2.AttachLimit, path: str, out: Violations) -> AttachLimit | None:
    return out.build(path, lambda: AttachLimit(message.driver, message.count))
