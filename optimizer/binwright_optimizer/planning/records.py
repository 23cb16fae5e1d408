"""Lessons and mixes as plain values, for checkpoints and plan files; reading checks every value's type.

Patterns and certificates that several mixes share are written once and named by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from binwright_optimizer.model import CapacityType, Certificate, Split
from binwright_optimizer.model.mixes import NodePattern, PackedMix
from binwright_optimizer.planning.lessons import Lesson


def lesson_to_record(lesson: Lesson) -> dict[str, Any]:
    """A lesson as plain values."""
    return {
        "columns": [[j, _pairs_to_text(pods)] for j, pods in lesson.columns],
        "certificate": certificate_to_record(lesson.certificate),
    }


def lesson_from_record(record: Mapping[str, Any]) -> Lesson:
    """The lesson; raises ValueError, KeyError or TypeError if it is none."""
    columns = tuple((_integer(j), _pairs_from_text(pods)) for j, pods in record["columns"])
    return Lesson(columns, certificate_from_record(record["certificate"]))


def mixes_to_record(
    mixes: Sequence[PackedMix], further: Mapping[str, Sequence[Certificate]] = MappingProxyType({})
) -> dict[str, Any]:
    """Mixes as plain values, with tables of their patterns and certificates.

    Parameters
    ----------
    further
        Certificates by the name that their numbers have; names without any are left out.
    """
    patterns: dict[NodePattern, int] = {}
    certificates: dict[Certificate, int] = {}
    rows = [
        [
            " ".join(f"{patterns.setdefault(p, len(patterns))}:{n}" for p, n in mix.nodes),
            mix.cost_microusd_per_hour,
            mix.bound_microusd_per_hour,
            certificates.setdefault(mix.certificate, len(certificates)),
        ]
        for mix in mixes
    ]
    numbers = {
        name: [certificates.setdefault(certificate, len(certificates)) for certificate in own]
        for name, own in further.items()
        if own
    }
    return {
        "patterns": [pattern_to_text(p) for p in patterns],
        "certificates": [certificate_to_record(c) for c in certificates],
        "mixes": rows,
        **numbers,
    }


def mixes_from_record(record: Mapping[str, Any]) -> list[PackedMix]:
    """The mixes; raises ValueError, KeyError, IndexError or TypeError if they are none."""
    patterns = [pattern_from_text(text) for text in record["patterns"]]
    certificates = [certificate_from_record(entry) for entry in record["certificates"]]
    found = []
    for nodes, cost, bound, certificate in record["mixes"]:
        pairs = _pairs_from_text(nodes)
        if any(not 0 <= p < len(patterns) for p, _ in pairs) or not 0 <= certificate < len(certificates):
            raise ValueError("names a pattern or certificate that is not there")
        found.append(
            PackedMix(
                tuple((patterns[p], n) for p, n in pairs),
                _integer(cost),
                _integer(bound),
                certificates[certificate],
            )
        )
    return found


def pattern_to_text(pattern: NodePattern) -> str:
    """A pattern on one line: pool, type, region, zone, capacity type, price, pods.

    Examples
    --------
    >>> node = NodePattern("steady", "m5.large", "r", "ra", CapacityType.SPOT, 96000, ((0, 3), (2, 1)))
    >>> pattern_to_text(node)
    'steady|m5.large|r|ra|spot|96000|0:3 2:1'
    >>> pattern_from_text(pattern_to_text(node)) == node
    True
    """
    return "|".join(
        (
            pattern.node_pool,
            pattern.instance_type,
            pattern.region,
            pattern.zone,
            pattern.capacity_type.value,
            str(pattern.price_microusd_per_hour),
            _pairs_to_text(pattern.pods),
        )
    )


def pattern_from_text(text: str) -> NodePattern:
    """The pattern; raises ValueError if it is none."""
    pool, kind, region, zone, capacity_type, price, pods = text.split("|")
    return NodePattern(
        pool, kind, region, zone, CapacityType(capacity_type), int(price), _pairs_from_text(pods)
    )


def certificate_to_record(certificate: Certificate) -> dict[str, Any]:
    """A certificate as plain values; parts that are empty are left out."""
    record: dict[str, Any] = {
        "scale_bits": certificate.scale_bits,
        "pods": " ".join(map(str, certificate.pod_prices)),
    }
    if certificate.split is not None:
        split = certificate.split
        record["split"] = {
            "level": split.level_microusd_per_hour,
            "at_most": split.at_most,
            "fewer": certificate_to_record(split.fewer),
            "more": certificate_to_record(split.more),
        }
        return record
    if certificate.limit_prices:
        record["limits"] = [list(entry) for entry in certificate.limit_prices]
    if certificate.level_prices:
        record["levels"] = [list(entry) for entry in certificate.level_prices]
    if certificate.commitment_prices:
        record["commitments"] = [list(entry) for entry in certificate.commitment_prices]
    return record


def certificate_from_record(record: Mapping[str, Any], depth: int = 0) -> Certificate:
    """The certificate; raises ValueError, KeyError or TypeError if it is none."""
    if depth > _MOST_DEPTH:
        raise ValueError("the certificate is split too often")
    bits = _integer(record["scale_bits"])
    split = record.get("split")
    if split is not None:
        return Certificate(
            bits,
            tuple(int(price) for price in record["pods"].split()),
            split=Split(
                _integer(split["level"]),
                _integer(split["at_most"]),
                certificate_from_record(split["fewer"], depth + 1),
                certificate_from_record(split["more"], depth + 1),
            ),
        )
    return Certificate(
        bits,
        tuple(int(price) for price in record["pods"].split()),
        limit_prices=tuple((str(pool), str(name), _integer(p)) for pool, name, p in record.get("limits", ())),
        level_prices=tuple((_integer(level), _integer(price)) for level, price in record.get("levels", ())),
        commitment_prices=tuple(
            (str(name), _integer(price)) for name, price in record.get("commitments", ())
        ),
    )


_MOST_DEPTH = 64


def _pairs_to_text(pairs: Sequence[tuple[int, int]]) -> str:
    return " ".join(f"{key}:{count}" for key, count in pairs)


def _pairs_from_text(text: str) -> tuple[tuple[int, int], ...]:
    pairs = []
    for part in text.split():
        key, _, count = part.partition(":")
        pairs.append((int(key), int(count)))
    return tuple(pairs)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value
