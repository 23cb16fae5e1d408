"""The certificate of a plan as plain values, as `verify.plan` reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from binwright_optimizer.model import CapacityType, Certificate
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.model.mixes import Packed, PackedMix
from binwright_optimizer.planning.evidence import Evidence
from binwright_optimizer.planning.mix import Mix
from binwright_optimizer.planning.plan import BlockMix, Plan
from binwright_optimizer.planning.records import mixes_to_record
from binwright_optimizer.planning.shares import Split
from binwright_optimizer.planning.sites import Site
from binwright_optimizer.verify.pod_prices import Halves, Tree

FORM = 3
"""Version of the document; raised when its meaning changes. Since the third, churn is part of it."""


def certificate_document(plan: Plan) -> dict[str, Any] | None:
    """The certificate as plain values; None where the plan has none."""
    evidence = plan.evidence
    if evidence is None:
        return None
    table = _Table()
    answers = [" ".join(_answer(table, mixes, evidence)) for mixes in sorted(plan.mixes, key=_by_site(plan))]
    splits, cuts = _splits(plan)
    churn, kept = _churn(table, plan, evidence)
    hours = [0] * sum(block.hours for block in plan.blocks)
    for at, block in enumerate(plan.blocks):
        for hour in block.members:
            hours[hour] = at
    return {
        "form": FORM,
        "total_microusd": plan.total,
        "bound_microusd": plan.bound,
        "risk": {"aversion": str(evidence.risk.aversion), "level": str(evidence.risk.level)},
        "charges_whole_term": evidence.charges_whole_term,
        "block_of_hour": " ".join(map(str, hours)),
        "units": [
            [p.instrument, p.bought, units]
            for p, units in zip(evidence.market.purchasables, evidence.units, strict=True)
            if units
        ],
        "scenario_weights": [str(weight) for weight in evidence.weights],
        "commitment_prices": [" ".join(map(str, mine)) for mine in evidence.prices],
        "families": [
            {
                "region": region,
                "zone": zone,
                "ppm": _prices(evidence, prices),
                "workloads": list(places),
            }
            for (region, zone), prices, places in table.families
        ],
        "family_of_mix": " ".join(map(str, table.family_of)),
        **mixes_to_record(
            table.mixes,
            {"cut_certificates": [certificate for *_, certificate in cuts], "churn_certificates": kept},
        ),
        "answers": answers,
        "churn": churn,
        **_whole_prices(plan, evidence),
        "splits": splits,
        **_alone_splits(plan, evidence),
        "cuts": [
            {"site": site, "kind": str(kind), "workloads": list(places)} for site, kind, places, _ in cuts
        ],
    }


def _by_site(plan: Plan) -> Callable[[BlockMix], tuple[int, int, int, int]]:
    """The order of a certificate's answers: site by site."""
    sites = plan.sites or tuple(Site(region) for region in plan.forecast.regions)
    number = {(site.region, site.zone): at for at, site in enumerate(sites)}
    return lambda m: (number[m.region, m.zone], m.period, m.scenario, m.block)


def _answer(table: _Table, mixes: BlockMix, evidence: Evidence) -> tuple[str, str, str, str]:
    """Numbers of the mixes of a block: what runs on demand, its proof, spot nodes, what would run alone."""
    key = mixes.region, mixes.zone, mixes.period, mixes.scenario, mixes.block
    where = mixes.region, mixes.zone
    question, proof = evidence.proofs.get(key, (None, None))
    return (
        table.number(where, (), at_list_prices(mixes.on_demand)),
        "-" if question is None or proof is None else table.number(where, question.ppm, proof.packed),
        table.number(where, (), at_list_prices(mixes.spot)),
        table.number(where, (), at_list_prices(evidence.alone[key])),
    )


def _prices(evidence: Evidence, ppm: Sequence[tuple[int, int]]) -> list[list[Any]]:
    """Parts of list prices: what covers a group, its price where nodes are counted, parts per million."""
    return [[sorted(evidence.groups[g][0]), evidence.groups[g][1], share] for g, share in ppm]


def _whole_prices(plan: Plan, evidence: Evidence) -> dict[str, Any]:
    """The prices at which cells are bounded in whole nodes, and by cell which; none where all are at list."""
    if not evidence.whole:
        return {}
    numbers: dict[tuple[tuple[tuple[int, int], ...], int], int] = {}
    cells = sorted({(mixes.period, mixes.scenario, mixes.block) for mixes in plan.mixes})
    trees: dict[Tree, int] = {}
    of_cells, of_trees = [], []
    for proof in map(evidence.whole.get, cells):
        known = None if proof is None else proof.tree
        of_trees.append("-" if known is None else str(trees.setdefault(known, len(trees))))
        if proof is None:
            of_cells.append("-")
            continue
        ppm = tuple((group, int(factor * PPM)) for group, factor in proof.factors.items())
        of_cells.append(str(numbers.setdefault((ppm, proof.surcharge), len(numbers))))
    lists = [{"surcharge": surcharge, "ppm": _prices(evidence, ppm)} for ppm, surcharge in numbers]
    return {
        "whole_prices": {
            "lists": lists,
            "of_cells": " ".join(of_cells),
            "trees": [_tree(tree) for tree in trees],
            "tree_of_cells": " ".join(of_trees),
        }
    }


def _tree(tree: Tree) -> dict[str, Any]:
    """Prices of pods as plain values, half by half."""
    if isinstance(tree, Halves):
        halves = {"fewer": _tree(tree.fewer), "more": _tree(tree.more)}
        return {"item": tree.item, "at_most": tree.at_most, **halves}
    return {
        "running": " ".join(map(str, tree.running)),
        "kept": " ".join(map(str, tree.kept)),
        "losses": [" ".join(map(str, own)) for own in tree.losses],
        "quotas": " ".join(map(str, tree.quotas)),
    }


def _churn(table: _Table, plan: Plan, evidence: Evidence) -> tuple[dict[str, Any] | None, list[Certificate]]:
    """What a node added costs, the proofs of nodes and churn together, and the number of each answer's."""
    if not evidence.churn_microusd:
        return None, []
    numbers: dict[tuple[int, int, int, Certificate], int] = {}
    of_answers = []
    for mixes in sorted(plan.mixes, key=_by_site(plan)):
        found = evidence.kept.get((mixes.region, mixes.zone, mixes.period, mixes.scenario, mixes.block))
        if found is None:
            of_answers.append("-")
            continue
        proof, places = found
        family = table.family((mixes.region, mixes.zone), proof.ppm, places)
        key = family, proof.surcharge, proof.amount, proof.certificate
        of_answers.append(str(numbers.setdefault(key, len(numbers))))
    return {
        "microusd_per_node": evidence.churn_microusd,
        "proofs": [list(key[:3]) for key in numbers],
        "of_answers": " ".join(of_answers),
    }, [certificate for *_, certificate in numbers]


_CutKey = tuple[int, CapacityType, tuple[int, ...], Certificate]


def _splits(plan: Plan) -> tuple[list[dict[str, Any] | None], list[_CutKey]]:
    """Where pods are split over sites: every cell's splits with their proofs, and the cuts that these use."""
    if not plan.sites:
        return [], []
    cuts: dict[_CutKey, int] = {}
    found: list[dict[str, Any] | None] = []
    cells = sorted({(mixes.period, mixes.scenario, mixes.block) for mixes in plan.mixes})
    for cell in cells:
        for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT):
            own = plan.spread.get((cell, kind))
            found.append(None if own is None else _split(plan, cell, kind, own.split, cuts))
    return found, list(cuts)


def _split(
    plan: Plan, cell: tuple[int, int, int], kind: CapacityType, split: Split, cuts: dict[_CutKey, int]
) -> dict[str, Any]:
    items, demand = split.proof.question.items, _demands(plan, cell, split)
    weights = []
    for site, own in enumerate(split.proof.cuts):
        for cut, weight in own:
            assert cut.certificate is not None, "cuts of a plan come from the engine"
            key = site, kind, cut.places, cut.certificate
            weights.append(f"{cuts.setdefault(key, len(cuts))}:{weight}")
    return {
        "pods": _pods(split, demand),
        "cuts": " ".join(weights),
        "losses": [
            [demand[i], items[i].lost[f], str(phi)]
            for (i, f), phi in sorted(split.proof.losses.items())
            if phi
        ],
        "quotas": {region: str(kappa) for region, kappa in split.proof.quotas.items() if kappa},
    }


def _demands(plan: Plan, cell: tuple[int, int, int], split: Split) -> list[int]:
    """The number of each item's demand."""
    numbers = {(d.workload, d.region, d.period): at for at, d in enumerate(plan.forecast.demands)}
    return [numbers[item.workload, item.home, cell[0]] for item in split.proof.question.items]


def _pods(split: Split, demand: Sequence[int]) -> str:
    """Demand, site, pods held and pods running of each part of a split."""
    return " ".join(
        f"{demand[i]}:{site}:{pods}:{split.running.get((i, site), 0)}"
        for (i, site), pods in sorted(split.pods.items())
    )


def _alone_splits(plan: Plan, evidence: Evidence) -> dict[str, Any]:
    """For each cell how a plan that buys nothing ahead splits its pods, where that is another way."""
    if not evidence.alone_splits:
        return {}
    cells = sorted({(mixes.period, mixes.scenario, mixes.block) for mixes in plan.mixes})
    found = []
    for cell in cells:
        split = evidence.alone_splits.get(cell)
        found.append(None if split is None else _pods(split, _demands(plan, cell, split)))
    return {"alone_splits": found}


@dataclass(slots=True)
class _Table:
    """Mixes and families, each once."""

    families: dict[tuple[tuple[str, str], tuple[tuple[int, int], ...], tuple[int, ...]], int] = field(
        default_factory=dict
    )
    numbers: dict[tuple[int, PackedMix], int] = field(default_factory=dict)
    mixes: list[PackedMix] = field(default_factory=list)
    family_of: list[int] = field(default_factory=list)

    def family(self, where: tuple[str, str], ppm: Sequence[tuple[int, int]], places: tuple[int, ...]) -> int:
        """The number of a family."""
        return self.families.setdefault((where, tuple(ppm), places), len(self.families))

    def number(self, where: tuple[str, str], ppm: Sequence[tuple[int, int]], packed: Packed | None) -> str:
        """The number of a mix at these prices; a dash where there is nothing to hold."""
        if packed is None:
            return "-"
        found = self.family(where, ppm, packed.places)
        known = self.numbers.get((found, packed.mix))
        if known is None:
            known = self.numbers[found, packed.mix] = len(self.mixes)
            self.mixes.append(packed.mix)
            self.family_of.append(found)
        return str(known)


def at_list_prices(mix: Mix) -> Packed | None:
    """The nodes of a mix at what they really cost; without a proof where they were chosen by other prices."""
    if mix.packed is None:
        return None
    prices = {(p.instance_type, p.zone, p.capacity_type): p.price_microusd_per_hour for p in mix.purchases}
    nodes = tuple(
        (replace(p, price_microusd_per_hour=prices[p.instance_type, p.zone, p.capacity_type]), count)
        for p, count in mix.packed.mix.nodes
    )
    if nodes == mix.packed.mix.nodes:
        return mix.packed
    cost = mix.cost_microusd_per_hour
    return replace(mix.packed, mix=PackedMix(nodes, cost, 0, Certificate(0, ())))


def is_proven(mix: Mix) -> bool:
    """Whether the bound of a mix holds at list prices; else the mix was chosen by others."""
    packed = at_list_prices(mix)
    return packed is None or bool(packed.mix.certificate.pod_prices or packed.mix.certificate.split)
