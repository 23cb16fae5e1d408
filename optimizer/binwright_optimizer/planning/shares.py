"""How many pods of each demand which site must hold, and a bound on what any such split costs.

Items ``i`` (pods d_i of a workload that one region wants), sites ``j``, losses ``f`` (sites that fail
together, P_if pods to be kept), regions ``r`` with quotas K_r, cuts ``q``: the engine's proof that a site's
pods cost at least y_q each, whatever their number (`verify.bound.worth_of_pods`). With s_ij the pods that
site j can hold and t_ij those that run there while all is well,

    minimise  sum_j theta_j + sum_ij g_ij t_ij          g: data sent home
    cost      theta_j >= sum_i y_qi s_ij                for every cut q of site j        alpha_q >= 0
    demand    sum_j t_ij >= d_i,   t_ij <= s_ij
    loss      sum_{j not in f} s_ij >= P_if             for every item and loss          phi_if >= 0
    quota     sum_{j in r, i} c_i s_ij <= K_r                                            kappa_r >= 0

This is Benders' master problem of the plan of one cell; the engine solves the sites for the split found, and
its proofs are the next cuts.

**Bound** (`SplitProof`): for weights alpha of each site's cuts with sum at most 1, any kappa >= 0, and Y_ij =
sum_q alpha_q y_qi + kappa_r c_i, scale phi_i down until sum_{f without j} phi_if <= Y_ij for all j. Then what
is left, sigma_ij, is the least worth of running a pod there, and

    cost >= sum_i d_i min_j (g_ij + sigma_ij) + sum_if phi_if P_if - sum_r kappa_r K_r

in exact arithmetic. Where an item may lose any one of its k sites and keeps P pods, (k - 1) sum_j s_ij >= k P
with whole s_ij, so that (k - 1) ceil(k P / (k - 1)) - k P times the least phi comes on top (`rounding`). At
other prices a cut carries over by the least ratio of prices, as in `programme.Proof`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import highspy

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import Certificate
from binwright_optimizer.planning.programme import Proof, Rows, optimum
from binwright_optimizer.planning.sites import Item, Site

TREE_NODES = 200
"""Branches looked at for whole numbers of pods; what remains is the rounding of a few pods."""
GAP, GAP_ON_NODES = 1e-6, 2e-3
"""Gaps at which a split by cuts, and one with the nodes known, is good enough: the engine packs it again."""
SCALE = 1e6
EXCESS_PRICE, LEAST_EXCESS = 1e4, 1e-6
"""Of a CPU beyond a quota, above all that data costs; what counts as none, in CPUs."""


class NoRoomError(PlanningError):
    """Quotas leave no room for the demand."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What a pod of each workload costs at least on one site, micro-dollars an hour.

    Parameters
    ----------
    factors
        Of prices, by group of on-demand nodes: what the cut was proven at.
    places, certificate
        The workloads and the engine's proof that it was made of; none in examples.
    """

    worth: Mapping[int, Fraction]
    factors: Mapping[int, Fraction]
    places: tuple[int, ...] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One cell's question for one kind of nodes.

    Parameters
    ----------
    quotas
        Milli-CPU of requests that each region takes at most, by region.
    """

    items: tuple[Item, ...]
    sites: tuple[Site, ...]
    quotas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Split:
    """An answer.

    Parameters
    ----------
    pods
        Pods that each site must hold, by (item, site).
    running
        Pods that run there while all is well.
    egress
        Micro-dollars an hour for data.
    proof
        Of what any split costs.
    """

    pods: Mapping[tuple[int, int], int]
    running: Mapping[tuple[int, int], int]
    egress: int
    proof: SplitProof


@dataclass(frozen=True, slots=True)
class SplitProof:
    """A bound on the cost of one cell, whatever the split; see the module.

    Parameters
    ----------
    cuts
        For each site its cuts with their weights, which sum to one at most.
    losses
        phi by (item, loss).
    quotas
        kappa by region.
    groups
        Groups of on-demand nodes that a site's prices depend on.
    """

    question: Question
    cuts: tuple[tuple[tuple[Cut, Fraction], ...], ...]
    losses: Mapping[tuple[int, int], Fraction]
    quotas: Mapping[str, Fraction]
    groups: tuple[tuple[int, ...], ...]

    @property
    def bound(self) -> int:
        """Micro-dollars an hour at list prices, rounded down."""
        ones = {group: Fraction(1) for groups in self.groups for group in groups}
        return int(self.at(ones, Fraction(1)))

    def at(self, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """The bound at prices times factors; what no commitment covers costs ``full``."""
        worths, least = [], full
        for site, cuts in enumerate(self.cuts):
            own = {group: factors[group] for group in self.groups[site]}
            worth: dict[int, Fraction] = {}
            for cut, weight in cuts:
                ratio = Proof(1, cut.factors).at(own, full)
                least = min(least, ratio)
                for workload, value in cut.worth.items():
                    worth[workload] = worth.get(workload, Fraction(0)) + ratio * weight * value
            worths.append(worth)
        total = Fraction(0)
        question = self.question
        for i, item in enumerate(question.items):
            total += self._item(i, item, worths, least, full)
        for region, kappa in self.quotas.items():
            total -= least * kappa * question.quotas[region]
        return max(Fraction(0), total)

    def _item(
        self, i: int, item: Item, worths: Sequence[Mapping[int, Fraction]], least: Fraction, full: Fraction
    ) -> Fraction:
        worth, taken = [], []
        for site in item.sites:
            region = self.question.sites[site].region
            kappa = least * self.quotas.get(region, Fraction(0)) * item.cpu_milli
            worth.append(worths[site].get(item.workload, Fraction(0)) + kappa)
            taken.append(
                sum(
                    (self.losses.get((i, f), Fraction(0)) for f, (lost, _) in enumerate(item.losses)
                     if site not in lost),
                    Fraction(0),
                )
            )  # fmt: skip
        scale = min([full, *(w / t for w, t in zip(worth, taken, strict=True) if t)])
        kept = sum(
            (self.losses.get((i, f), Fraction(0)) * pods for f, (_, pods) in enumerate(item.losses)),
            Fraction(0),
        )
        if item.losses:
            least_phi = min(self.losses.get((i, f), Fraction(0)) for f in range(len(item.losses)))
            kept += least_phi * rounding(item)
        running = min(
            full * egress + w - scale * t for egress, w, t in zip(item.egress, worth, taken, strict=True)
        )
        return scale * kept + running * item.pods


def rounding(item: Item) -> int:
    """What whole pods add to the sum of an item's losses if any one site may fail and the rest keep the same.

    Examples
    --------
    Five of six sites keep 12 pods: 14.4 would do, so 15 are held, and each is kept by five of six losses.

    >>> losses = tuple((frozenset({site}), 12) for site in range(6))
    >>> rounding(Item(0, "home", 12, 1000, tuple(range(6)), (0,) * 6, losses))
    3
    """
    sites, kept = len(item.sites), {pods for _, pods in item.losses}
    lost = {lost for lost, _ in item.losses}
    if (
        sites < 2
        or len(kept) != 1
        or len(item.losses) != sites
        or lost != {frozenset({s}) for s in item.sites}
    ):
        return 0
    (pods,) = kept
    return -(-sites * pods // (sites - 1)) * (sites - 1) - sites * pods


@dataclass(frozen=True, slots=True)
class Node:
    """A node that the engine bought on some site: pods by workload as pairs, and its price."""

    pods: tuple[tuple[int, int], ...]
    microusd_per_hour: int


def split(
    question: Question,
    cuts: Sequence[Sequence[Cut]],
    groups: Sequence[tuple[int, ...]],
    nodes: Sequence[Sequence[Node]] = (),
    left: Mapping[str, int] | None = None,
) -> Split:
    """The split of least cost as far as the cuts know, in whole pods.

    Parameters
    ----------
    cuts, groups
        By site.
    nodes
        By site; if given, the split is that of least cost with these nodes. Cuts know nothing of pods that
        share a node badly, which matters where few pods are split.
    left
        What others leave of the quotas, by region; all of them by default. The proof supposes nothing of it.

    Raises
    ------
    NoRoomError
        If quotas leave no room for the demand.
    """
    built = _Master(question, cuts)
    _, duals = built.run(is_whole=False)
    proof = built.proof(duals, tuple(groups))
    if nodes or left is not None:
        own = question if left is None else replace(question, quotas=left)
        built = _Master(own, cuts, nodes)
    whole, _ = built.run(is_whole=True)
    pods = built.read(whole, built.held)
    running = _exactly(question, built.read(whole, built.runs))
    egress = sum(
        count * question.items[i].egress[question.items[i].sites.index(site)]
        for (i, site), count in running.items()
    )
    return Split(pods, running, egress, proof)


def _exactly(question: Question, running: Mapping[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """The pods that run, no more than are wanted: the dearest data goes first, then what has most."""
    found = dict(running)
    for i, item in enumerate(question.items):
        egress = dict(zip(item.sites, item.egress, strict=True))
        mine = [site for at, site in found if at == i]
        for _ in range(sum(found[i, site] for site in mine) - item.pods):
            most = max((site for site in mine if found[i, site]), key=lambda s: (egress[s], found[i, s], -s))
            found[i, most] -= 1
    return {key: count for key, count in found.items() if count}


def quotas_needed(question: Question) -> dict[str, int]:
    """The quotas that would do, milli-CPU by region: those that are too small raised by the least in all.

    Raises
    ------
    NoRoomError
        If no quota would do.
    """
    built = _Master(question, [()] * len(question.sites), is_elastic=True)
    values, _ = built.run(is_whole=True)
    return {
        region: question.quotas[region] + round(1000 * values[variable])
        for region, variable in built.excess.items()
        if values[variable] > LEAST_EXCESS
    }


class _Master:
    """Benders' master problem of one cell; an elastic one may exceed quotas, at a high price."""

    def __init__(
        self,
        question: Question,
        cuts: Sequence[Sequence[Cut]],
        nodes: Sequence[Sequence[Node]] = (),
        *,
        is_elastic: bool = False,
    ) -> None:
        self._question = question
        self._cuts = cuts
        self._nodes = nodes
        self._bought: list[int] = []
        self._costs: list[float] = []
        self._rows = Rows()
        self.held: dict[tuple[int, int], int] = {}
        self.runs: dict[tuple[int, int], int] = {}
        self._cut_rows: list[list[int]] = []
        self._loss_rows: dict[tuple[int, int], int] = {}
        self._quota_rows: dict[str, int] = {}
        self._is_elastic = is_elastic
        self.excess: dict[str, int] = {}
        self._build()

    def _variable(self, cost: float) -> int:
        self._costs.append(cost)
        return len(self._costs) - 1

    def _build(self) -> None:
        rows, infinity = self._rows, highspy.kHighsInf
        for i, item in enumerate(self._question.items):
            for site, egress in zip(item.sites, item.egress, strict=True):
                self.held[i, site] = self._variable(0.0)
                self.runs[i, site] = self._variable(egress / SCALE)
                rows.add([(self.runs[i, site], 1.0), (self.held[i, site], -1.0)], -infinity, 0.0)
            rows.add([(self.runs[i, site], 1.0) for site in item.sites], float(item.pods), infinity)
            for f, (lost, pods) in enumerate(item.losses):
                left = [(self.held[i, site], 1.0) for site in item.sites if site not in lost]
                self._loss_rows[i, f] = rows.add(left, float(pods), infinity)
        for site in range(len(self._question.sites)):
            if self._nodes:
                self._hold_on_nodes(site)
            else:
                self._hold_by_cuts(site)
        for region, quota in self._question.quotas.items():
            entries = [
                (variable, self._question.items[i].cpu_milli / 1000)
                for (i, site), variable in self.held.items()
                if self._question.sites[site].region == region
            ]
            if entries and self._is_elastic:
                self.excess[region] = self._variable(EXCESS_PRICE)
                entries.append((self.excess[region], -1.0))
            if entries:
                self._quota_rows[region] = rows.add(entries, -infinity, quota / 1000)

    def _hold_by_cuts(self, site: int) -> None:
        theta = self._variable(1.0)
        here = []
        for cut in self._cuts[site]:
            entries = [(theta, 1.0)]
            for (i, at), variable in self.held.items():
                worth = cut.worth.get(self._question.items[i].workload)
                if at == site and worth:
                    entries.append((variable, -float(worth) / SCALE))
            here.append(self._rows.add(entries, 0.0, highspy.kHighsInf))
        self._cut_rows.append(here)

    def _hold_on_nodes(self, site: int) -> None:
        room: dict[int, list[tuple[int, float]]] = {}
        for node in self._nodes[site]:
            bought = self._variable(node.microusd_per_hour / SCALE)
            self._bought.append(bought)
            for workload, pods in node.pods:
                room.setdefault(workload, []).append((bought, float(pods)))
        wanted: dict[int, list[tuple[int, float]]] = {}
        for (i, at), variable in self.held.items():
            if at == site:
                wanted.setdefault(self._question.items[i].workload, []).append((variable, -1.0))
        for workload, entries in wanted.items():
            self._rows.add([*room.get(workload, ()), *entries], 0.0, highspy.kHighsInf)

    def run(self, *, is_whole: bool) -> tuple[list[float], list[float]]:
        integers = sorted([*self.held.values(), *self.runs.values(), *self._bought]) if is_whole else []
        try:
            gap = GAP_ON_NODES if self._nodes else GAP
            return optimum(self._costs, [0.0] * len(self._costs), self._rows, integers, TREE_NODES, gap)
        except PlanningError as error:
            raise NoRoomError(
                "some demand has no room: quotas, allowed regions and what must be survived contradict it"
            ) from error

    def read(
        self, values: Sequence[float], variables: Mapping[tuple[int, int], int]
    ) -> dict[tuple[int, int], int]:
        found = {key: round(values[variable]) for key, variable in variables.items()}
        return {key: count for key, count in found.items() if count > 0}

    def proof(self, duals: Sequence[float], groups: tuple[tuple[int, ...], ...]) -> SplitProof:
        """The duals as a proof; whatever rounding did to them, weights sum to one at most."""
        weighted = []
        for cuts, rows in zip(self._cuts, self._cut_rows, strict=True):
            weights = [max(Fraction(0), Fraction(duals[row])) for row in rows]
            total = max(Fraction(1), sum(weights, Fraction(0)))
            weighted.append(
                tuple((cut, weight / total) for cut, weight in zip(cuts, weights, strict=True) if weight)
            )
        micro = Fraction(10**6)
        return SplitProof(
            self._question,
            tuple(weighted),
            {key: max(Fraction(0), Fraction(duals[row]) * micro) for key, row in self._loss_rows.items()},
            {
                r: max(Fraction(0), Fraction(-duals[row]) * micro / 1000)
                for r, row in self._quota_rows.items()
            },
            groups,
        )
