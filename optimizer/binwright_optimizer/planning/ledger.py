"""What is known of every block of a plan: questions, the mixes that serve them, and what is proven."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Certificate
from binwright_optimizer.model.forecast import PPM, Period
from binwright_optimizer.model.mixes import NodePattern, Packed, PackedMix
from binwright_optimizer.planning.blocks import HourBlock
from binwright_optimizer.planning.churn import ChurnProof, surcharge_of
from binwright_optimizer.planning.commit import (
    Choices,
    Prices,
    factors_at,
    units_in,
)
from binwright_optimizer.planning.mix import Mix, Purchase
from binwright_optimizer.planning.pace import Pace
from binwright_optimizer.planning.programme import Block, Bounding, Cell, Option, Proof
from binwright_optimizer.planning.recombine import Piece, recombined, trimmed
from binwright_optimizer.planning.rolling import Kept, Nodes, added
from binwright_optimizer.planning.scopes import Scopes
from binwright_optimizer.planning.shares import SplitProof
from binwright_optimizer.planning.subproblems import Question
from binwright_optimizer.verify.pod_prices import Tree

MOST_COMBINATIONS, FEW = 600, 24
"""Recombinations, and different packing problems, of plans small enough to try all that could be reserved."""
NEARLY_FREE = 64
"""Where nodes cost less than this part of their price, commitments pay for them and churn is what counts."""

Key = tuple[str, str, int, int, int]
"""Region, zone (empty for any), period, scenario, block."""
Ask = Callable[[Iterable[Question]], Mapping[Question, Mix]]
Keep = Callable[[Question, Nodes, int], Kept]
"""The best mix for a question where nodes that are not held cost a surcharge, and what is proven of both."""


@dataclass(frozen=True, slots=True)
class PricedProof(Proof):
    """What any split of a cell costs at least, from whole nodes at other than list prices.

    Parameters
    ----------
    surcharge
        Micro-dollars an hour of each on-demand node that the plan held does not have, where it has any.
    tree
        Prices of pods that prove it; none of small cells, of which splits are looked at.
    """

    surcharge: int = 0
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class Joint:
    """What the sites of a cell have in common where demand is split over them.

    Parameters
    ----------
    egress
        Micro-dollars an hour for data.
    proof, whole_bound, spot_bound
        Bounds on all sites together: two of on-demand nodes with their egress, and one of spot nodes.
    priced
        Further bounds of on-demand nodes, at the prices that commitments and churn make.
    """

    egress: int = 0
    proof: SplitProof | None = None
    whole_bound: int = 0
    spot_bound: int = 0
    priced: tuple[PricedProof, ...] = ()


@dataclass(slots=True)
class Ledger:
    """Questions of all blocks and the answers so far.

    Parameters
    ----------
    questions
        For each block, its on-demand pods and its spot pods at list prices.
    joint
        By period, scenario and block; cells that are not here have no demand that is split.
    held, churn_microusd
        On-demand nodes that an earlier plan has for a block, and what each further one costs.
    known
        For each question at list prices, the mixes that serve it; the cheapest at list prices first.
    proofs
        For each question at list prices, the bounds proven at these and at other prices.
    proven
        For each of these proofs, the question and the mix that it came with.
    kept_proofs
        For each block with nodes held, the bounds proven of nodes and churn together.
    all_nodes
        For a question of few pods all nodes worth considering, and one of each bought; else none.
    recombined
        Questions and reserved units by instrument for which mixes were put together.
    """

    periods: tuple[Period, ...]
    blocks: tuple[HourBlock, ...]
    questions: Mapping[Key, tuple[Question, Question]]
    scopes: Scopes
    joint: Mapping[tuple[int, int, int], Joint] = field(default_factory=dict)
    held: Mapping[Key, Nodes] = field(default_factory=dict)
    churn_microusd: int = 0
    answered: set[Question] = field(default_factory=set)
    known: dict[Question, list[Mix]] = field(default_factory=dict)
    proofs: dict[Question, list[Proof]] = field(default_factory=dict)
    proven: dict[Question, list[tuple[Question, Mix]]] = field(default_factory=dict)
    kept_proofs: dict[Key, list[ChurnProof]] = field(default_factory=dict)
    all_nodes: Callable[[Question], Sequence[tuple[NodePattern, Purchase]]] = lambda _: ()
    recombined: set[tuple[Question, tuple[int, ...]]] = field(default_factory=set)

    def learn(self, answers: Mapping[Question, Mix]) -> None:
        """Keep answers."""
        for question, mix in sorted(answers.items(), key=lambda item: item[0]):
            if question in self.answered:
                continue
            self.answered.add(question)
            base = replace(question, ppm=())
            self.add(base, mix)
            factors = {group: Fraction(ppm, PPM) for group, ppm in question.ppm}
            self.proofs.setdefault(base, []).append(Proof(mix.bound_microusd_per_hour, factors))
            self.proven.setdefault(base, []).append((question, mix))

    def add(self, question: Question, mix: Mix) -> bool:
        """Keep a way to serve a question unless the same is known; whether it is new."""
        known = self.known.setdefault(question, [])
        is_new = all(mix.purchases != other.purchases for other in known)
        if is_new:
            known.append(mix)
        return is_new

    def members(self) -> dict[tuple[int, int, int], list[Key]]:
        """Blocks of each cell."""
        found: dict[tuple[int, int, int], list[Key]] = {}
        for key in self.questions:
            found.setdefault(key[2:], []).append(key)
        return found

    def cells(self) -> list[Cell]:
        """Cells over what is known: a block for each region's on-demand pods, and one for all spot pods."""
        blocks = {question: self._block(question) for question, _ in self.questions.values()}
        found = []
        for cell, keys in self.members().items():
            period, scenario, block = cell
            own = [self._with_churn(key, blocks[self.questions[key][0]]) for key in keys]
            spot = [self.known[self.questions[key][1]][0] for key in keys]
            cost = sum(mix.cost_microusd_per_hour for mix in spot)
            joint = self.joint.get(cell)
            if joint is None:
                least = sum(mix.bound_microusd_per_hour for mix in spot)
                rest = Block((Option({}, cost),), (), (), least)
            else:
                groups = tuple(sorted({group for one in own for group in one.groups}))
                proofs: tuple[Bounding, ...] = ()
                if joint.proof is not None:
                    proofs = joint.proof, Proof(joint.whole_bound), *joint.priced
                rest = Block((Option({}, cost + joint.egress),), proofs, groups, joint.spot_bound)
                own = [replace(one, proofs=(), estimate=_proven(one)) for one in own]
            hours = self.periods[period].hours * self.blocks[block].hours
            found.append(Cell(period, scenario, hours, (*own, rest)))
        return found

    def _block(self, question: Question) -> Block:
        return Block(
            tuple(Option(self.scopes.values(question.region, mix.purchases)) for mix in self.known[question]),
            tuple(self.proofs[question]),
            self.scopes.region_groups[question.region],
        )

    def churn(self, key: Key, mix: Mix) -> int:
        """Micro-dollars an hour of a period for nodes that the plan held does not have, rounded up."""
        nodes = self.held.get(key)
        if nodes is None:
            return 0
        return -(-added(mix, nodes) * self.churn_microusd // self.periods[key[2]].hours)

    def _with_churn(self, key: Key, block: Block) -> Block:
        if key not in self.held:
            return block
        mixes = self.known[self.questions[key][0]]
        options = tuple(
            replace(option, extra=self.churn(key, mix))
            for option, mix in zip(block.options, mixes, strict=True)
        )
        proofs = () if key[2:] in self.joint else tuple(self.kept_proofs.get(key, ()))
        return replace(block, options=options, proofs=(*block.proofs, *proofs))

    def mixes(self, choices: Choices) -> dict[Key, tuple[Mix, Mix]]:
        """On-demand and spot mix of every block under a choice of options."""
        found = {}
        for keys, chosen in zip(self.members().values(), choices, strict=True):
            for key, at in zip(keys, chosen, strict=False):  # the last one is of the spot pods
                on_demand, spot = self.questions[key]
                found[key] = self.known[on_demand][at], self.known[spot][0]
        return {key: found[key] for key in self.questions}

    def cheapest(self) -> dict[Key, Mix]:
        """The cheapest on-demand mix of every block at list prices."""
        return {key: self.known[question][0] for key, (question, _) in self.questions.items()}

    def at_prices(self, weights: Sequence[Fraction], prices: Prices) -> list[Question]:
        """The on-demand questions at the prices that commitments make; those known are left out."""
        priced = self._priced(weights, prices)
        asked = (_at(question, own, most) for _, question, own, most, _ in priced if most)
        return [question for question in asked if question not in self.answered]

    def keep_at(self, keep: Keep, weights: Sequence[Fraction], prices: Prices, pace: Pace) -> None:
        """Learn the best mixes beside nodes held at the prices that commitments make, and what they prove.

        Blocks that there is no time for keep the mixes that they have, and pay for their churn.
        """
        for key, question, own, most, weight in self._priced(weights, prices):
            nodes = self.held.get(key)
            if nodes is None:
                continue
            if pace.is_over():
                break
            churn = Fraction(self.churn_microusd, self.periods[key[2]].hours)
            if NEARLY_FREE * most < weight:
                # Churn is nearly all that these nodes cost.
                at, surcharge = replace(question, ppm=tuple((group, 0) for group in own)), int(churn)
            else:
                at, surcharge = _at(question, own, most), surcharge_of(churn, weight / most)
            kept = keep(at, nodes, surcharge)
            self.add(question, kept.mix)
            factors = {group: Fraction(ppm, PPM) for group, ppm in at.ppm}
            proof = ChurnProof(kept.bound, surcharge, churn, factors, kept.certificate)
            known = self.kept_proofs.setdefault(key, [])
            if proof not in known:
                known.append(proof)

    def _priced(
        self, weights: Sequence[Fraction], prices: Prices
    ) -> Iterator[tuple[Key, Question, dict[int, Fraction], Fraction, Fraction]]:
        """Each block's on-demand question, what its groups cost now, the most of it, and full price."""
        market = self.scopes.market
        for (cell, keys), mine in zip(
            zip(self.cells(), self.members().values(), strict=True), prices, strict=True
        ):
            weight = weights[cell.scenario] * Fraction(cell.hours, 168)
            if not weight:
                continue
            factors = factors_at(market, cell, weight, mine)
            for key in keys:
                question = self.questions[key][0]
                own = {group: factors[group] for group in self.scopes.region_groups[key[0]]}
                if question.asked:
                    yield key, question, own, max(own.values(), default=weight), weight

    @property
    def is_small(self) -> bool:
        """Whether different packing problems are so few that all nodes of each may be looked at."""
        return len({question for question, _ in self.questions.values()}) <= FEW

    def recombine(self, units: Sequence[int]) -> bool:
        """Mixes for so many units of each purchasable; whether any is new."""
        pieces = self._known_pieces()
        is_new = False
        for key, (question, _) in self.questions.items():
            reserved = [int(n) for n in units_in(self.scopes.market, units, key[2])]
            is_new |= self._recombine(question, reserved, pieces)
        return is_new

    def recombine_all(self) -> None:
        """Where the plan is small, mixes for all numbers of reserved nodes that could be of use."""
        market = self.scopes.market
        asked = {(question, key[2]) for key, (question, _) in self.questions.items() if question.asked}
        most = max((sum(pods for _, pods in question.asked) for question, _ in asked), default=0)
        bought = sorted({p.instrument for p in market.purchasables if self.scopes.counts_nodes(p.instrument)})
        numbers = (most + 1) ** len(bought)
        if not bought or numbers * len(asked) > MOST_COMBINATIONS or not self.is_small:
            return
        pieces = self._known_pieces()
        for question, period in sorted(asked):
            held = [int(n) for n in market.held_units(period)]
            here = [at for at in bought if self._is_reservation(at, question.region)]
            enough = sum(pods for _, pods in question.asked)
            for counts in itertools.product(range(enough + 1), repeat=len(here)):
                if sum(counts) <= enough:
                    more = dict(zip(here, counts, strict=True))
                    reserved = [n + more.get(at, 0) for at, n in enumerate(held)]
                    self._recombine(question, reserved, pieces)

    def _known_pieces(self) -> dict[tuple[str, str], list[Piece]]:
        """The patterns of all mixes known, by region and zone."""
        pieces: dict[tuple[str, str], list[Piece]] = {}
        for question, mixes in self.known.items():
            if question.kind is CapacityType.ON_DEMAND:
                found = pieces.setdefault((question.region, question.zone), [])
                found += [piece for mix in mixes for piece in self._pieces(question.region, mix)]
        return pieces

    def _recombine(
        self, question: Question, reserved: Sequence[int], pieces: Mapping[tuple[str, str], list[Piece]]
    ) -> bool:
        """A mix for so many units of each instrument; whether it is new."""
        here = tuple(n if self._is_reservation(at, question.region) else 0 for at, n in enumerate(reserved))
        if not question.asked or not any(here) or (question, here) in self.recombined:
            return False
        self.recombined.add((question, here))
        supply = [(self.scopes.market.instruments[at], n) for at, n in enumerate(here) if n]
        places = tuple(workload for workload, _ in question.asked)
        full = [
            self._piece(question.region, pattern, places, purchase.price_microusd_per_hour)
            for pattern, purchase in self.all_nodes(question)
        ]
        known = full or pieces[question.region, question.zone]
        chosen = recombined(dict(question.asked), known, supply, is_exact=bool(full))
        return chosen is not None and self.add(question, self._mix(question, chosen))

    def _is_reservation(self, instrument: int, region: str) -> bool:
        """Whether an instrument reserves nodes of a region."""
        worth = self.scopes.market.instruments[instrument].worth
        return self.scopes.counts_nodes(instrument) and any(
            group in worth for group in self.scopes.region_groups[region]
        )

    def _pieces(self, region: str, mix: Mix) -> Iterable[Piece]:
        if mix.packed is None:
            return
        prices = {(p.instance_type, p.zone): p.price_microusd_per_hour for p in mix.purchases}
        for pattern, _ in mix.packed.mix.nodes:
            price = prices[pattern.instance_type, pattern.zone]
            yield self._piece(region, pattern, mix.packed.places, price)

    def _piece(self, region: str, pattern: NodePattern, places: Sequence[int], price: int) -> Piece:
        pods = tuple((places[at], n) for at, n in pattern.pods)
        group = self.scopes.group_of[region, pattern.instance_type, pattern.zone]
        return Piece(replace(pattern, price_microusd_per_hour=price), pods, price, group)

    def _mix(self, question: Question, chosen: Mapping[Piece, int]) -> Mix:
        """A mix of patterns, as if it had been solved for the question."""
        known = {
            (p.instance_type, p.zone): p
            for other, mixes in self.known.items()
            if other.region == question.region
            for mix in mixes
            for p in mix.purchases
            if p.capacity_type is CapacityType.ON_DEMAND
        } | {(p.instance_type, p.zone): p for _, p in self.all_nodes(question)}
        places = tuple(workload for workload, _ in question.asked)
        bought: dict[tuple[str, str], int] = {}
        nodes = []
        for piece, pods, count in trimmed(dict(question.asked), chosen):
            where = piece.pattern.instance_type, piece.pattern.zone
            bought[where] = bought.get(where, 0) + count
            own = tuple((places.index(workload), n) for workload, n in pods)
            nodes.append((replace(piece.pattern, pods=own), count))
        purchases: list[Purchase] = [replace(known[where], nodes=n) for where, n in bought.items()]
        purchases.sort(key=lambda p: (-p.cost_microusd_per_hour, p.instance_type, p.zone))
        cost = sum(p.cost_microusd_per_hour for p in purchases)
        packed = PackedMix(tuple(sorted(nodes)), cost, 0, Certificate(0, ()))
        return Mix(tuple(purchases), cost, 0, Packed(packed, places))


def _at(question: Question, own: Mapping[int, Fraction], most: Fraction) -> Question:
    """The question at prices of which only ratios matter: the dearest group keeps its list price."""
    ppm = ((group, int(factor * PPM / most)) for group, factor in own.items() if factor != most)
    return replace(question, ppm=tuple(ppm))


def _proven(block: Block) -> int:
    return max((proof.bound for proof in block.proofs), default=0)
