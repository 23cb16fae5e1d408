"""The certificate of a plan as plain values, as `verify.plan` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from binwright_optimizer.model import Certificate
from binwright_optimizer.model.mixes import Packed, PackedMix
from binwright_optimizer.planning.mix import Mix
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.records import mixes_to_record

FORM = 1
"""Version of the document; raised when its meaning changes."""


def certificate_document(plan: Plan) -> dict[str, Any] | None:
    """The certificate as plain values; None where the plan has none."""
    evidence = plan.evidence
    if evidence is None:
        return None
    table = _Table()
    answers = []
    for mixes in plan.mixes:
        key = mixes.region, mixes.zone, mixes.period, mixes.scenario, mixes.block
        question, proof = evidence.proofs[key]
        answers.append(
            " ".join(
                (
                    table.number(mixes.region, (), at_list_prices(mixes.on_demand)),
                    table.number(mixes.region, question.ppm, proof.packed),
                    table.number(mixes.region, (), at_list_prices(mixes.spot)),
                )
            )
        )
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
                "ppm": [[sorted(evidence.groups[g][0]), evidence.groups[g][1], ppm] for g, ppm in prices],
                "workloads": list(places),
            }
            for region, prices, places in table.families
        ],
        "family_of_mix": " ".join(map(str, table.family_of)),
        **mixes_to_record(table.mixes),
        "answers": answers,
    }


@dataclass(slots=True)
class _Table:
    """Mixes and families, each once."""

    families: dict[tuple[str, tuple[tuple[int, int], ...], tuple[int, ...]], int] = field(
        default_factory=dict
    )
    numbers: dict[tuple[int, PackedMix], int] = field(default_factory=dict)
    mixes: list[PackedMix] = field(default_factory=list)
    family_of: list[int] = field(default_factory=list)

    def number(self, region: str, ppm: Sequence[tuple[int, int]], packed: Packed | None) -> str:
        """The number of a mix at these prices; a dash where there is nothing to hold."""
        if packed is None:
            return "-"
        found = self.families.setdefault((region, tuple(ppm), packed.places), len(self.families))
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
