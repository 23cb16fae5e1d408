"""The packing problems of a plan: one question to the engine each, answered on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Catalog, Workload
from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.mix import with_headroom
from binwright_optimizer.planning.rolling import Kept, Nodes, kept_mix
from binwright_optimizer.planning.scopes import Scopes, repriced


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """Which nodes hold some pods for the least money.

    Parameters
    ----------
    zone
        The only zone to buy in; empty for any of the region.
    asked
        Pods by workload: pairs (index, replicas above zero).
    ppm
        Prices to choose by: pairs (group of on-demand nodes, parts per million of the list price); groups
        that are not named are at their list price.
    """

    region: str
    zone: str
    kind: CapacityType
    asked: tuple[tuple[int, int], ...]
    ppm: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Shop:
    """What the questions about one forecast are asked of: its pods and price lists."""

    forecast: Forecast
    catalogs: Mapping[str, Catalog]
    scopes: Scopes
    _zoned: dict[tuple[str, str], Catalog] = field(default_factory=dict)

    def price_list(self, question: Question) -> Catalog:
        """What a question may buy, at the prices it chooses by."""
        catalog = self.catalog(question.region, question.zone)
        if not question.ppm:
            return catalog
        return repriced(catalog, question.region, self.scopes, dict(question.ppm))

    def keep(self, question: Question, held: Nodes, surcharge: int, limits: SolveParams) -> Kept:
        """The best mix where nodes that are not held cost a surcharge, and what is proven of both."""
        listed = self.catalog(question.region, question.zone)
        workloads, priced = self.workloads(question), self.price_list(question)
        found = kept_mix(workloads, listed, priced, held, surcharge, limits)
        assert found.mix.packed is not None, "mixes that keep nodes are packed"
        packed = replace(found.mix.packed, places=tuple(at for at, _ in question.asked))
        return replace(found, mix=replace(found.mix, packed=packed))

    def workloads(self, question: Question) -> tuple[Workload, ...]:
        """The pods of a question, so large that nodes keep the forecast's headroom."""
        utilisation = Fraction(self.forecast.fill_ppm, PPM)
        return tuple(
            with_headroom(
                Workload(self.forecast.workloads[at].name, self.forecast.workloads[at].template, replicas),
                utilisation,
            )
            for at, replicas in question.asked
        )

    def catalog(self, region: str, zone: str = "") -> Catalog:
        """What a region sells, or one zone of it."""
        if not zone:
            return self.catalogs[region]
        key = region, zone
        if key not in self._zoned:
            self._zoned[key] = in_zone(self.catalogs[region], zone)
        return self._zoned[key]


def in_zone(catalog: Catalog, zone: str) -> Catalog:
    """What a catalogue sells in one zone."""
    types = []
    for instance_type in catalog.instance_types:
        offerings = tuple(offering for offering in instance_type.offerings if offering.zone == zone)
        if offerings:
            types.append(replace(instance_type, offerings=offerings))
    return Catalog(f"{catalog.name}, zone {zone}", tuple(types))
