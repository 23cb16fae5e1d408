"""The certificate of a plan: what anybody needs to prove its cost and bound again from the forecast alone.

For every region, period, scenario and block of hours it names the mix that runs, node by node, and one
proof: a certificate of the engine at the prices that commitments make. With the units bought, the weights
of the scenarios and the dual prices of the commitments these are all that `commit.prove` uses.
`verify.plan` reads it and shares no code with whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from binwright_optimizer.model import Certificate
from binwright_optimizer.model.mixes import Packed, PackedMix
from binwright_optimizer.planning.commit import Commitments, Risk, affordable, factors_at
from binwright_optimizer.planning.ledger import Key, Ledger
from binwright_optimizer.planning.mix import Mix
from binwright_optimizer.planning.programme import Market
from binwright_optimizer.planning.records import mixes_to_record
from binwright_optimizer.planning.scopes import Scopes
from binwright_optimizer.planning.subproblems import Question

if TYPE_CHECKING:
    from binwright_optimizer.planning.plan import Plan

FORM = 1
"""Version of the document; raised when its meaning changes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves a plan.

    Parameters
    ----------
    proofs
        For each block the question at the prices that prove most of its on-demand nodes, and its answer.
    units, weights, prices
        As in `Commitments`.
    """

    proofs: Mapping[Key, tuple[Question, Mix]]
    market: Market
    groups: Mapping[int, tuple[frozenset[int], int]]
    units: tuple[int, ...]
    weights: tuple[Fraction, ...]
    prices: tuple[tuple[Fraction, ...], ...]
    risk: Risk
    charges_whole_term: bool


def evidence_of(ledger: Ledger, chosen: Commitments, risk: Risk, *, charges_whole_term: bool) -> Evidence:
    """The evidence for a choice: of all that is known of a block, the proof that counts."""
    market = ledger.scopes.market
    cells = ledger.cells()
    no_prices = [(Fraction(0),) * len(market.instruments)] * len(cells)
    weights = chosen.weights
    prices = chosen.prices or tuple(no_prices)
    proofs: dict[Key, tuple[Question, Mix]] = {}
    for cell, keys, mine in zip(
        cells, ledger.members().values(), affordable(cells, market, prices), strict=True
    ):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        factors = factors_at(market, cell, weight, mine)
        for key in keys:
            question = ledger.questions[key][0]
            own = {group: factors[group] for group in ledger.scopes.region_groups[key[0]]}
            known = ledger.proofs[question]
            best = max(range(len(known)), key=lambda at: (known[at].at(own, weight), -at))
            proofs[key] = ledger.proven[question][best]
    return Evidence(
        proofs,
        market,
        _groups(ledger.scopes),
        chosen.units,
        weights,
        prices,
        risk,
        charges_whole_term,
    )


def _groups(scopes: Scopes) -> dict[int, tuple[frozenset[int], int]]:
    """Instruments that cover each group, and the price of its nodes where reservations count them."""
    found = {}
    for group in {g for groups in scopes.region_groups.values() for g in groups}:
        covers = [at for at, one in enumerate(scopes.market.instruments) if group in one.worth]
        counted = [at for at in covers if scopes.counts_nodes(at)]
        price = int(scopes.market.instruments[counted[0]].worth[group]) if counted else 0
        found[group] = frozenset(covers), price
    return found


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
