"""The certificate of a saved plan, read value by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from binwright_optimizer.errors import BinwrightError
from binwright_optimizer.model import CapacityType, Certificate, Split
from binwright_optimizer.model.mixes import NodePattern, PackedMix
from binwright_optimizer.verify.plan.split import SplitRecord
from binwright_optimizer.verify.pod_prices import Halves, PodPrices, Tree

FORMS = (2, 3)
"""Versions that are read; plans of the second know no churn."""
_MOST_DEPTH = 64


class UnverifiableError(BinwrightError):
    """The plan has no certificate that can be read; nothing is said about the plan itself."""


Ppm = tuple[tuple[frozenset[int], int, int], ...]
"""Triples (instruments that cover a group of nodes, price where nodes are counted, parts per million)."""


@dataclass(frozen=True, slots=True)
class FamilyRecord:
    """Which pods mixes hold, and the prices they were chosen by."""

    region: str
    zone: str
    ppm: Ppm
    workloads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """Numbers of the mixes of one block; None where nothing is held.

    ``alone`` is what would run on demand if nothing were bought ahead.
    """

    on_demand: int | None
    proof: int | None
    spot: int | None
    alone: int | None


@dataclass(frozen=True, slots=True)
class CutRecord:
    """A proof of what pods cost at least on a site, by the site's number, whatever their number."""

    site: int
    is_spot: bool
    workloads: tuple[int, ...]
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A proof of what nodes and changes to those held cost together, in micro-dollars an hour."""

    family: int
    surcharge: int
    bound: int
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class ChurnRecord:
    """What a node costs that the earlier plan does not have, and by answer the number of a proof, if any."""

    microusd_per_node: int
    proofs: tuple[KeptRecord, ...]
    of_answers: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class WholeList:
    """Parts of list prices, and micro-dollars an hour that on-demand nodes cost on top that are not held."""

    ppm: Ppm
    surcharge: int


@dataclass(frozen=True, slots=True)
class WholePrices:
    """Prices at which cells are bounded in whole nodes, and for each cell the number of one, if any.

    Parameters
    ----------
    trees, tree_of_cells
        Prices of pods on sites, and for each cell the number of those that prove it, if any do.
    """

    lists: tuple[WholeList, ...]
    of_cells: tuple[int | None, ...]
    trees: tuple[Tree, ...] = ()
    tree_of_cells: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """Everything that a certificate states.

    Parameters
    ----------
    alone_splits
        Of pods on demand by cell, where a plan that buys nothing ahead splits them in another way.
    """

    total: int
    bound: int
    aversion: Fraction
    level: Fraction
    charges_whole_term: bool
    block_of_hour: tuple[int, ...]
    units: tuple[tuple[int, int, int], ...]
    weights: tuple[Fraction, ...]
    prices: tuple[tuple[Fraction, ...], ...]
    families: tuple[FamilyRecord, ...]
    family_of_mix: tuple[int, ...]
    mixes: tuple[PackedMix, ...]
    answers: tuple[AnswerRecord, ...]
    splits: tuple[SplitRecord | None, ...]
    alone_splits: tuple[SplitRecord | None, ...]
    cuts: tuple[CutRecord, ...]
    churn: ChurnRecord | None
    whole_prices: WholePrices | None


def read_certificate(document: Mapping[str, Any]) -> CertificateRecord:
    """The certificate of a plan document.

    Raises
    ------
    UnverifiableError
        If there is none, or it cannot be read.
    """
    record = document.get("certificate")
    if record is None and "total_cost_usd" not in document:
        raise UnverifiableError("is no plan of `binwright plan -o json`: total_cost_usd is missing")
    if record is None:
        raise UnverifiableError("the plan holds no certificate")
    try:
        if record["form"] not in FORMS:
            raise UnverifiableError(
                f"certificates of form {record['form']} are unknown: another version made the plan"
            )
        return _read(record)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise UnverifiableError(f"the certificate cannot be read: {type(error).__name__}: {error}") from error


def _read(record: Mapping[str, Any]) -> CertificateRecord:
    patterns = [_pattern(text) for text in record["patterns"]]
    certificates = [_certificate(entry, 0) for entry in record["certificates"]]
    mixes = []
    for text, cost, bound, certificate in record["mixes"]:
        nodes = tuple((patterns[_index(p)], n) for p, n in _pairs(text))
        mixes.append(PackedMix(nodes, _whole(cost), _whole(bound), certificates[_index(certificate)]))
    return CertificateRecord(
        _whole(record["total_microusd"]),
        _whole(record["bound_microusd"]),
        _fraction(record["risk"]["aversion"]),
        _fraction(record["risk"]["level"]),
        _truth(record["charges_whole_term"]),
        tuple(map(int, record["block_of_hour"].split())),
        tuple((_whole(i), _whole(t), _whole(n)) for i, t, n in record["units"]),
        tuple(_fraction(text) for text in record["scenario_weights"]),
        tuple(tuple(_fraction(part) for part in text.split()) for text in record["commitment_prices"]),
        tuple(
            FamilyRecord(
                str(entry["region"]),
                str(entry["zone"]),
                _ppm(entry["ppm"]),
                tuple(_index(at) for at in entry["workloads"]),
            )
            for entry in record["families"]
        ),
        tuple(map(int, record["family_of_mix"].split())),
        tuple(mixes),
        tuple(_answer(text) for text in record["answers"]),
        tuple(None if entry is None else _split(entry) for entry in record["splits"]),
        tuple(
            None if pods is None else SplitRecord(*_held(pods), (), {}, {})
            for pods in record.get("alone_splits", ())
        ),
        tuple(
            CutRecord(
                _index(entry["site"]),
                CapacityType(entry["kind"]) is CapacityType.SPOT,
                tuple(_index(at) for at in entry["workloads"]),
                certificates[_index(number)],
            )
            for entry, number in zip(record["cuts"], record.get("cut_certificates", ()), strict=True)
        ),
        _churn(record, certificates),
        _whole_prices(record.get("whole_prices")),
    )


def _ppm(record: Sequence[Any]) -> Ppm:
    return tuple(
        (frozenset(map(_whole, covers)), _whole(price), _whole(ppm)) for covers, price, ppm in record
    )


def _numbers(text: str) -> tuple[int | None, ...]:
    return tuple(None if part == "-" else _index(int(part)) for part in text.split())


def _whole_prices(record: Mapping[str, Any] | None) -> WholePrices | None:
    if record is None:
        return None
    lists = (WholeList(_ppm(entry["ppm"]), _whole(entry["surcharge"])) for entry in record["lists"])
    of_cells = _numbers(record["of_cells"])
    of_trees = _numbers(record["tree_of_cells"]) if "trees" in record else (None,) * len(of_cells)
    trees = (_tree(entry, 0) for entry in record.get("trees", ()))
    return WholePrices(tuple(lists), of_cells, tuple(trees), of_trees)


def _tree(record: Mapping[str, Any], depth: int) -> Tree:
    if depth > _MOST_DEPTH:
        raise ValueError("boxes are halved too often")
    if "item" in record:
        halves = (_tree(record[side], depth + 1) for side in ("fewer", "more"))
        return Halves(_index(record["item"]), _whole(record["at_most"]), *halves)

    def amounts(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split()))

    return PodPrices(
        amounts(record["running"]),
        amounts(record["kept"]),
        tuple(amounts(own) for own in record["losses"]),
        amounts(record["quotas"]),
    )


def _churn(record: Mapping[str, Any], certificates: Sequence[Certificate]) -> ChurnRecord | None:
    churn = record["churn"] if record["form"] > FORMS[0] else None
    if churn is None:
        return None
    proofs = zip(churn["proofs"], record.get("churn_certificates", ()), strict=True)
    return ChurnRecord(
        _whole(churn["microusd_per_node"]),
        tuple(
            KeptRecord(_index(family), _whole(surcharge), _whole(bound), certificates[_index(number)])
            for (family, surcharge, bound), number in proofs
        ),
        _numbers(churn["of_answers"]),
    )


def _held(record: str) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """Pods held and running by demand and site."""
    held, running = {}, {}
    for text in record.split():
        demand, site, holds, runs = map(int, text.split(":"))
        held[_index(demand), _index(site)] = holds
        running[demand, site] = runs
    return held, running


def _split(record: Mapping[str, Any]) -> SplitRecord:
    held, running = _held(record["pods"])
    weights = []
    for text in record["cuts"].split():
        cut, weight = text.split(":")
        weights.append((_index(int(cut)), _fraction(weight)))
    return SplitRecord(
        held,
        running,
        tuple(weights),
        {(_index(demand), str(name)): _fraction(phi) for demand, name, phi in record["losses"]},
        {str(region): _fraction(kappa) for region, kappa in record["quotas"].items()},
    )


def _answer(text: str) -> AnswerRecord:
    on_demand, proof, spot, alone = _numbers(text)
    return AnswerRecord(on_demand, proof, spot, alone)


def _pattern(text: str) -> NodePattern:
    pool, kind, region, zone, capacity_type, price, pods = text.split("|")
    return NodePattern(pool, kind, region, zone, CapacityType(capacity_type), int(price), _pairs(pods))


def _certificate(record: Mapping[str, Any], depth: int) -> Certificate:
    if depth > _MOST_DEPTH:
        raise ValueError("a certificate is split too often")
    bits, split = _whole(record["scale_bits"]), record.get("split")
    if split is None:
        return Certificate(
            bits,
            tuple(map(int, record["pods"].split())),
            limit_prices=tuple((str(a), str(b), _whole(c)) for a, b, c in record.get("limits", ())),
            level_prices=tuple((_whole(a), _whole(b)) for a, b in record.get("levels", ())),
            commitment_prices=tuple((str(a), _whole(b)) for a, b in record.get("commitments", ())),
        )
    return Certificate(
        bits,
        tuple(map(int, record["pods"].split())),
        split=Split(
            _whole(split["level"]),
            _whole(split["at_most"]),
            _certificate(split["fewer"], depth + 1),
            _certificate(split["more"], depth + 1),
        ),
    )


def _pairs(text: str) -> tuple[tuple[int, int], ...]:
    found = []
    for part in text.split():
        key, count = part.split(":")
        found.append((_index(int(key)), int(count)))
    return tuple(found)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _index(value: object) -> int:
    found = _whole(value)
    if found < 0:
        raise ValueError(f"{found} is no index")
    return found


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _fraction(text: object) -> Fraction:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no fraction in text")
    return Fraction(text)
