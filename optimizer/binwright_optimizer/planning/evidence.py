"""The certificate of a plan: what anybody needs to prove its cost and bound again from the forecast alone.

For every region, period, scenario and block of hours it names the mix that runs, node by node, the one that
would run if nothing were bought ahead, and one proof: a certificate of the engine at the prices that
commitments make. Where pods are split over sites, the splits and their own proofs stand in its place. Where
an earlier plan's nodes are held, a block may have a further proof, of nodes and churn together. With
the units bought, the weights of the scenarios and the dual prices of the commitments these are all that
`commit.prove` uses. `verify.plan` reads it and shares no code with whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from binwright_optimizer.planning.churn import ChurnProof
from binwright_optimizer.planning.commit import Commitments, Risk, affordable, factors_at
from binwright_optimizer.planning.ledger import Key, Ledger, PricedProof
from binwright_optimizer.planning.mix import Mix
from binwright_optimizer.planning.programme import Market
from binwright_optimizer.planning.scopes import Scopes
from binwright_optimizer.planning.shares import Split
from binwright_optimizer.planning.subproblems import Question


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves a plan.

    Parameters
    ----------
    proofs
        For each block the question at the prices that prove most of its on-demand nodes, and its answer;
        empty where pods are split over sites.
    alone
        For each block the on-demand nodes of a plan that buys nothing ahead.
    alone_splits
        Its splits of pods on demand, of cells that the plan splits in another way.
    kept
        For each block of which nodes and churn together prove more, that proof, and its pods by workload.
    churn_microusd
        What a node costs, once a period, that the plan held does not have.
    whole
        For each cell that whole nodes at other than list prices prove something of, the best such proof.
    units, weights, prices
        As in `Commitments`.
    """

    proofs: Mapping[Key, tuple[Question, Mix]]
    alone: Mapping[Key, Mix]
    kept: Mapping[Key, tuple[ChurnProof, tuple[int, ...]]]
    churn_microusd: int
    whole: Mapping[tuple[int, int, int], PricedProof]
    market: Market
    groups: Mapping[int, tuple[frozenset[int], int]]
    units: tuple[int, ...]
    weights: tuple[Fraction, ...]
    prices: tuple[tuple[Fraction, ...], ...]
    risk: Risk
    charges_whole_term: bool
    alone_splits: Mapping[tuple[int, int, int], Split] = field(default_factory=dict)


def evidence_of(ledger: Ledger, chosen: Commitments, risk: Risk, *, charges_whole_term: bool) -> Evidence:
    """The evidence for a choice: of all that is known of a block, the proof that counts."""
    market = ledger.scopes.market
    cells = ledger.cells()
    no_prices = [(Fraction(0),) * len(market.instruments)] * len(cells)
    weights = chosen.weights
    prices = chosen.prices or tuple(no_prices)
    proofs: dict[Key, tuple[Question, Mix]] = {}
    kept: dict[Key, tuple[ChurnProof, tuple[int, ...]]] = {}
    whole: dict[tuple[int, int, int], PricedProof] = {}
    for cell, keys, mine in zip(
        cells, ledger.members().values(), affordable(cells, market, prices), strict=True
    ):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        factors = factors_at(market, cell, weight, mine)
        joint = ledger.joint.get(keys[0][2:])
        if joint is not None and joint.priced:
            whole[keys[0][2:]] = max(joint.priced, key=lambda proof: proof.at(factors, weight))
        for key in keys:
            question = ledger.questions[key][0]
            if ledger.joint:
                continue
            own = {group: factors[group] for group in ledger.scopes.region_groups[key[0]]}
            known = ledger.proofs[question]
            best = max(range(len(known)), key=lambda at: (known[at].at(own, weight), -at))
            proofs[key] = ledger.proven[question][best]
            beside = max(
                ledger.kept_proofs.get(key, ()), key=lambda proof: proof.at(own, weight), default=None
            )
            if beside is not None and beside.at(own, weight) > known[best].at(own, weight):
                kept[key] = beside, tuple(workload for workload, _ in question.asked)
    return Evidence(
        proofs,
        ledger.cheapest(),
        kept,
        ledger.churn_microusd,
        whole,
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
