"""Splits demand over sites: the engine's proofs make cuts, `shares` splits, the engine solves the sites.

Cuts of one site hold for every period, scenario and hour, since it sells the same in all of them, so that few
problems teach all cells. The first split is an even one; two rounds by cuts follow, and two that
choose splits together with the nodes known, for cuts know nothing of pods that share a node badly. After the
first round cells of few pods are split in whole pods and whole nodes (`whole`), which also proves what any
split costs; those that cost no more are done. Cells of many pods are searched by what whole nodes cost
(`large`), and are done, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from binwright_optimizer.errors import Unserved, UnservedError
from binwright_optimizer.model import CapacityType, Problem
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.planning import shares
from binwright_optimizer.planning.blocks import HourBlock
from binwright_optimizer.planning.large import CLOSE, Found, LargeCells
from binwright_optimizer.planning.mix import STEADY, Mix
from binwright_optimizer.planning.pace import Pace
from binwright_optimizer.planning.scenarios import Scenario
from binwright_optimizer.planning.servable import band_text, unfit_sites
from binwright_optimizer.planning.shares import Cut, Node, NoRoomError, Split
from binwright_optimizer.planning.sites import Site, items_of, sites_of
from binwright_optimizer.planning.subproblems import Question, Shop
from binwright_optimizer.planning.whole import MANY_PODS, running_of, whole_cells
from binwright_optimizer.verify.bound import worth_of_pods

ROUNDS = 2
FINE_ROUNDS = 2
SMALL = 200
"""Pods of a cell up to which a site that holds all of them teaches, too."""
FINE = 4_000
"""Pods of a cell up to which it matters which of them share a node, and the nodes known are combined."""
MOST_LESSONS = 6
"""Cells whose even split teaches the first cuts."""
MOST_CUTS = 24
"""Cuts of a site and kind: those of the problems most different in size."""
MOST_DIFFERENT = 48
"""Different cells of many pods that are searched by prices of pods; each takes about a second."""
PODS_SHARE = 0.5
"""Part of the time for these: what commitments make of the prices is yet to be learnt."""
PROOF_S = 3_600.0
"""Never reached; a limit that were would let the answer depend on the machine's speed."""

CellKey = tuple[int, int, int]
"""Period, scenario, block."""
Key = tuple[CellKey, CapacityType]
Ask = Callable[[Iterable[Question]], Mapping[Question, Mix]]


@dataclass(frozen=True, slots=True)
class SpreadCell:
    """One cell's pods of one kind: the split, and the question of each site by its index.

    ``whole_bound`` is what any split costs on whole nodes, micro-dollars an hour; 0 of cells too large. Of
    these, and where it leaves a gap, ``found`` says what prices of pods prove.
    """

    split: Split
    questions: Mapping[int, Question]
    whole_bound: int = 0
    found: Found | None = None


@dataclass(slots=True)
class Spread:
    """Decides the splits of all cells.

    Parameters
    ----------
    cells
        Splits by cell and kind; those without demand are left out.
    """

    shop: Shop
    sites: tuple[Site, ...]
    wanted: Mapping[Key, shares.Question]
    futures: Sequence[Scenario] = ()
    cells: dict[Key, SpreadCell] = field(default_factory=dict)
    large: LargeCells = field(init=False)
    _cuts: dict[tuple[int, CapacityType], list[Cut]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.large = LargeCells(self.shop, self.sites, self.wanted)

    def decide(self, ask: Ask, pace: Pace) -> dict[Question, Mix]:
        """Choose the splits; the answers to all questions asked on the way.

        Parameters
        ----------
        pace
            Whether a round may begin that makes splits better; the first makes them.

        Raises
        ------
        UnservedError
            If quotas leave no room.
        """
        lessons = [self._questions(key, even_pods(self.wanted[key])) for key in self._teachers()]
        lessons += [
            self._questions(key, all_pods(self.wanted[key]))
            for key in self.wanted
            if self._pods(key) <= SMALL
        ]
        answers = dict(ask({question for mine in lessons for question in mine.values()}))
        self._learn(answers)
        best: dict[Key, int] = {}
        for number in range(ROUNDS + FINE_ROUNDS):
            if number and not pace.another():
                break
            nodes = self._nodes(answers) if number >= ROUNDS else {}
            open_cells = [
                key
                for key in self.wanted
                if (number < ROUNDS or self._pods(key) <= FINE) and not self._is_solved(key, best)
            ]
            splits = self._splits(open_cells, nodes)
            asked = {key: self._questions(key, found.pods) for key, found in splits.items()}
            new = dict(ask({q for mine in asked.values() for q in mine.values() if q not in answers}))
            answers |= new
            for key, mine in asked.items():
                cost = splits[key].egress + sum(answers[q].cost_microusd_per_hour for q in mine.values())
                if key not in best:
                    best[key] = cost
                    self.cells[key] = SpreadCell(splits[key], mine)
                elif cost < best[key] and self.is_allowed(key, splits[key].pods):
                    best[key] = cost
                    self.cells[key] = replace(self.cells[key], split=splits[key], questions=mine)
            self._learn(new)
            if number == 0:
                answers |= self._in_whole_nodes(ask, best)
                answers |= self._by_pods(ask, best, pace)
        for key, cell in self.cells.items():
            # The last cuts prove most; the split stays.
            proof = self._split(key).proof
            if proof.bound > cell.split.proof.bound:
                self.cells[key] = replace(cell, split=replace(cell.split, proof=proof))
        return answers

    def _is_solved(self, key: Key, best: Mapping[Key, int]) -> bool:
        """Whether a split costs what any does at least, or the best one by whole nodes is known.

        Small cells share quotas, and with them none of these ends.
        """
        if key not in best or self.cells[key].found is not None:
            return key in best
        return best[key] <= self.cells[key].whole_bound and not self.wanted[key].quotas

    def _in_whole_nodes(self, ask: Ask, best: dict[Key, int]) -> dict[Question, Mix]:
        """Bounds of small cells, and their best splits where these cost less than the ones known."""
        trials: dict[Key, SpreadCell] = {}
        cells = whole_cells(self.shop, self.sites, self.wanted)
        for key, cell in self.cells.items():
            found = cells[key[1]].least(key)
            if found is None:
                continue
            self.cells[key] = cell = replace(cell, whole_bound=found.bound)
            if found.pods and found.cost < best[key] and self.is_allowed(key, found.pods):
                trials[key] = self.split_by(key, found.pods)
        return self._tried(ask, best, trials)

    def _tried(self, ask: Ask, best: dict[Key, int], trials: Mapping[Key, SpreadCell]) -> dict[Question, Mix]:
        """The answers to other splits; those that cost less are taken."""
        answers = dict(ask({q for cell in trials.values() for q in cell.questions.values()}))
        for key, cell in trials.items():
            cost = cell.split.egress + sum(answers[q].cost_microusd_per_hour for q in cell.questions.values())
            if cost < best[key] and self.is_allowed(key, cell.split.pods):
                best[key] = cost
                self.cells[key] = cell
        return answers

    def _by_pods(self, ask: Ask, best: dict[Key, int], pace: Pace) -> dict[Question, Mix]:
        """Bounds of cells on demand by prices of pods, and their best splits where these cost less."""
        trials: dict[Key, SpreadCell] = {}
        different: set[object] = set()
        open_cells = [
            key
            for key, cell in self.cells.items()
            if key[1] is CapacityType.ON_DEMAND and cell.whole_bound < best[key] * (1 - CLOSE)
        ]
        part = pace.part(PODS_SHARE)
        for key in open_cells:
            different.add(self.wanted[key].items)
            if not self.large.is_known(key) and (len(different) > MOST_DIFFERENT or part.is_over()):
                continue
            starts = [self.cells[key].split.pods, even_pods(self.wanted[key])]
            found = self.large.found(key, starts)
            self.cells[key] = replace(self.cells[key], found=found)
            splits = (pods for cost, pods in (found.splits if found else ()) if cost < best[key])
            allowed = next((pods for pods in splits if self.is_allowed(key, pods)), None)
            if allowed is not None:
                trials[key] = self.split_by(key, allowed)
        pace.has_stopped |= part.has_stopped
        return self._tried(ask, best, trials)

    def split_by(self, key: Key, pods: Mapping[tuple[int, int], int]) -> SpreadCell:
        """A cell split in another way, with what is proven of it."""
        running, egress = running_of(self.wanted[key], pods)
        split = Split(pods, running, egress, self.cells[key].split.proof)
        return replace(self.cells[key], split=split, questions=self._questions(key, pods))

    def is_allowed(self, key: Key, pods: Mapping[tuple[int, int], int]) -> bool:
        """Whether a split keeps what `verify.whole_split` leaves out: losses of several sites, and quotas."""
        asked, (cell, kind) = self.wanted[key], key
        for i, item in enumerate(asked.items):
            for lost, kept in item.losses:
                if sum(pods.get((i, at), 0) for at in item.sites if at not in lost) < kept:
                    return False
        for region, quota in asked.quotas.items():
            used = self._used(key, pods, region)
            for other, known in self.cells.items():
                if other[0] == cell and other[1] is not kind:
                    used += self._used(other, known.split.pods, region)
            if used > quota:
                return False
        return True

    def _used(self, key: Key, pods: Mapping[tuple[int, int], int], region: str) -> int:
        """Milli-CPU that pods of a cell take of a region's quota."""
        items = self.wanted[key].items
        return sum(n * items[i].cpu_milli for (i, at), n in pods.items() if self.sites[at].region == region)

    def _splits(
        self, keys: Iterable[Key], nodes: Mapping[tuple[int, CapacityType], list[Node]]
    ) -> dict[Key, Split]:
        """The splits of cells; hours and quarters that want the same are decided once.

        Pods on spot nodes are split first, and what they take of quotas is not left to the others.
        """
        known: dict[object, Split] = {}
        found: dict[Key, Split] = {}
        for key in sorted(keys, key=lambda key: key[1] is not CapacityType.SPOT):
            left = self._left(key, found)
            same = self.wanted[key].items, key[1], None if left is None else tuple(left.items())
            if same not in known:
                known[same] = self._split(key, nodes, left)
            found[key] = known[same]
        return found

    def _left(self, key: Key, splits: Mapping[Key, Split]) -> dict[str, int] | None:
        """What spot pods leave of the quotas to the others of a cell; None if they leave all."""
        cell, kind = key
        other = cell, CapacityType.SPOT
        if kind is CapacityType.SPOT or not self.wanted[key].quotas or other not in self.wanted:
            return None
        split = splits[other] if other in splits else self.cells[other].split
        left = dict(self.wanted[key].quotas)
        for (i, site), pods in split.pods.items():
            region = self.sites[site].region
            if region in left:
                left[region] -= pods * self.wanted[other].items[i].cpu_milli
        return left

    def _split(
        self,
        key: Key,
        nodes: Mapping[tuple[int, CapacityType], list[Node]] = {},
        left: Mapping[str, int] | None = None,
    ) -> Split:
        _, kind = key
        sites = range(len(self.sites))
        cuts = [self._cuts.get((at, kind), []) for at in sites]
        known = [nodes.get((at, kind), []) for at in sites] if nodes else []
        try:
            return shares.split(self.wanted[key], cuts, self._groups(kind), known, left)
        except NoRoomError as error:
            parts = tuple(self._too_small(key, left))
            raise (UnservedError(parts) if parts else error) from error

    def _too_small(self, key: Key, left: Mapping[str, int] | None) -> Iterator[Unserved]:
        """The quotas that leave no room for the pods of a cell."""
        forecast = self.shop.forecast
        (period, at, _), _ = key
        asked = self.wanted[key] if left is None else replace(self.wanted[key], quotas=left)
        for region, needed in shares.quotas_needed(asked).items():
            number = next(n for n, limit in enumerate(forecast.limits) if limit.region == region)
            quota = forecast.limits[number].cpu_milli
            needed += quota - asked.quotas[region]  # of all kinds of pods
            name = forecast.periods[period].name or str(forecast.periods[period].start)
            largest = self._largest(key, region)
            demand = forecast.demands[largest]
            yield Unserved(
                f"limits[{number}].cpu_milli",
                str(quota),
                f"leaves no room in {name}, scenario {self.futures[at].name}: what must run or stand by in "
                f"{region} requests {format_quantity(needed, CPU)} CPU with headroom and target utilisation, "
                f"most of it {band_text(demand.band)} of {forecast.workloads[demand.workload].name} "
                f"wanted in {demand.region}",
                largest,
            )

    def _largest(self, key: Key, region: str) -> int:
        """The demand that requests most CPU of those that may run in a region, by its number."""
        forecast, asked = self.shop.forecast, self.wanted[key]
        may = [i for i in asked.items if any(self.sites[site].region == region for site in i.sites)]
        item = max(may, key=lambda i: (i.home == region, i.pods * i.cpu_milli))
        return next(
            number
            for number, d in enumerate(forecast.demands)
            if (d.workload, d.region, d.period) == (item.workload, item.home, key[0][0])
        )

    def _pods(self, key: Key) -> int:
        return sum(item.pods for item in self.wanted[key].items)

    def _nodes(self, answers: Mapping[Question, Mix]) -> dict[tuple[int, CapacityType], list[Node]]:
        """Every different node bought so far, by site and kind."""
        found: dict[tuple[int, CapacityType], set[Node]] = {}
        for question, mix in answers.items():
            if mix.packed is None:
                continue
            where = self.sites.index(Site(question.region, question.zone)), question.kind
            for pattern, _ in mix.packed.mix.nodes:
                pods = tuple((mix.packed.places[at], n) for at, n in pattern.pods)
                found.setdefault(where, set()).add(Node(pods, pattern.price_microusd_per_hour))
        return {
            where: sorted(nodes, key=lambda n: (n.microusd_per_hour, n.pods))
            for where, nodes in found.items()
        }

    def _groups(self, kind: CapacityType) -> list[tuple[int, ...]]:
        """Groups of nodes whose prices commitments change, by site."""
        if kind is not CapacityType.ON_DEMAND:
            return [() for _ in self.sites]
        return [self.shop.scopes.region_groups[site.region] for site in self.sites]

    def _teachers(self) -> list[Key]:
        """Cells of each kind that differ most in how many pods they want."""
        found = []
        for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT):
            mine = sorted(
                (key for key in self.wanted if key[1] is kind),
                key=lambda key: (-sum(item.pods for item in self.wanted[key].items), key[0]),
            )
            found += mine[:: max(1, -(-len(mine) // MOST_LESSONS))]
        return found

    def _questions(self, key: Key, pods: Mapping[tuple[int, int], int]) -> dict[int, Question]:
        """The packing problem of each site that holds any pods."""
        by_site: dict[int, dict[int, int]] = {}
        for (i, at), count in pods.items():
            mine = by_site.setdefault(at, {})
            workload = self.wanted[key].items[i].workload
            mine[workload] = mine.get(workload, 0) + count
        return {
            at: Question(self.sites[at].region, self.sites[at].zone, key[1], tuple(sorted(mine.items())))
            for at, mine in sorted(by_site.items())
        }

    def _learn(self, answers: Mapping[Question, Mix]) -> None:
        """Cuts from the proofs of answers, of each site's the largest, the smallest and some between."""
        by_site: dict[tuple[int, CapacityType], list[Question]] = {}
        for question in answers:
            site = self.sites.index(Site(question.region, question.zone))
            by_site.setdefault((site, question.kind), []).append(question)
        for where, questions in by_site.items():
            questions.sort(key=lambda q: (-sum(n for _, n in q.asked), q.asked))
            room = MOST_CUTS - len(self._cuts.get(where, []))
            step = max(1, -(-len(questions) // max(1, room)))
            for question in questions[::step][: max(0, room)]:
                cut = self._cut(question, answers[question])
                if cut is not None:
                    self._cuts.setdefault(where, []).append(cut)

    def _cut(self, question: Question, mix: Mix) -> Cut | None:
        if mix.packed is None:
            return None
        places = mix.packed.places
        many = replace(question, asked=tuple((at, MANY_PODS) for at in places))
        workloads = tuple(
            replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
            for workload in self.shop.workloads(many)
        )
        problem = Problem(workloads, (STEADY,), self.shop.catalog(question.region, question.zone))
        most = [MANY_PODS] * len(places)
        worth, bits = worth_of_pods(problem, mix.packed.mix.certificate, most, time_limit_s=PROOF_S)
        found = {at: Fraction(value, 1 << bits) for at, value in zip(places, worth, strict=True)}
        return Cut(found, {}, places, mix.packed.mix.certificate)


def even_pods(wanted: shares.Question) -> dict[tuple[int, int], int]:
    """The split that gives every site the same."""
    pods: dict[tuple[int, int], int] = {}
    for i, item in enumerate(wanted.items):
        places = len(item.sites)
        kept = max((n for _, n in item.losses), default=0)
        each = max(-(-item.pods // places), -(-kept // max(1, places - 1)))
        pods |= {(i, site): each for site in item.sites}
    return pods


def all_pods(wanted: shares.Question) -> dict[tuple[int, int], int]:
    """Every site holds all that may run there."""
    return {(i, site): item.pods for i, item in enumerate(wanted.items) for site in item.sites}


def spread_of(
    forecast: Forecast, shop: Shop, futures: Sequence[Scenario], blocks: Sequence[HourBlock]
) -> Spread:
    """What all cells want of all sites, nothing decided yet.

    Raises
    ------
    UnservedError
        If a region has too few zones, or a workload no region near enough.
    """
    sites = sites_of(forecast, shop.catalogs)
    unfit = unfit_sites(forecast, sites, shop.catalog)
    quotas = {limit.region: limit.cpu_milli for limit in forecast.limits}
    wanted = {}
    for period in range(len(forecast.periods)):
        for at, scenario in enumerate(futures):
            for b, block in enumerate(blocks):
                for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT):
                    items = items_of(forecast, sites, scenario, block, period, kind, unfit)
                    if items:
                        wanted[(period, at, b), kind] = shares.Question(items, sites, quotas)
    return Spread(shop, sites, wanted, futures)
