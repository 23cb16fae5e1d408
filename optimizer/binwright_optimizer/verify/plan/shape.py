"""Whether a certificate has a part for all that its forecast asks, and names nothing that is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.document import CertificateRecord, Ppm, WholePrices
from binwright_optimizer.verify.plan.places import Site


def wrong_shape(
    record: CertificateRecord,
    forecast: Forecast,
    instruments: Instruments,
    sites: Collection[Site],
    n_futures: int,
    n_cells: int,
    *,
    is_split: bool,
) -> Iterator[str]:
    """What is missing, too much or out of range.

    Parameters
    ----------
    n_cells
        Periods times futures times blocks of hours.
    is_split
        Whether pods are split over sites.
    """
    own_splits = n_cells if is_split else 0
    for what, found, wanted in (
        ("answers", len(record.answers), n_cells * len(sites)),
        ("splits", len(record.splits), 2 * n_cells if is_split else 0),
        ("splits of its own without commitments", len(record.alone_splits) or own_splits, own_splits),
        ("rows of commitment prices", len(record.prices), n_cells),
        ("scenario weights", len(record.weights), n_futures),
        ("families of mixes", len(record.family_of_mix), len(record.mixes)),
    ):
        if found != wanted:
            yield f"the certificate has {found} {what}, the forecast wants {wanted}"
    if any(len(row) != len(instruments.all) or any(price < 0 for price in row) for row in record.prices):
        yield "commitment prices must be at least zero, one for each commitment"
    for instrument, bought, units in record.units:
        if not 0 <= instrument < instruments.n_offered:
            yield f"commitment {instrument} is bought and not offered"
        elif not 0 <= bought < len(forecast.periods) or units < 1:
            yield f"{units} units are bought in period {bought}"
    if not 0 <= record.aversion <= 1 or not 0 <= record.level < 1:
        yield "the risk measure must have an aversion in 0..1 and a level below 1"
    yield from _wrong_families(record, forecast, instruments, sites)
    if record.whole_prices is not None:
        yield from _wrong_prices(record.whole_prices, instruments, n_cells if is_split else 0)
    for answer in record.answers:
        for number in (answer.on_demand, answer.proof, answer.spot, answer.alone):
            if number is not None and number >= len(record.mixes):
                yield f"an answer names mix {number}, which is not there"
                return


def _wrong_families(
    record: CertificateRecord, forecast: Forecast, instruments: Instruments, sites: Collection[Site]
) -> Iterator[str]:
    for family in record.families:
        if Site(family.region, family.zone) not in sites:
            yield f"{family.zone or family.region} is no site of the forecast"
        if any(at >= len(forecast.workloads) for at in family.workloads):
            yield "a family names a workload that the forecast does not have"
        if len(set(family.workloads)) < len(family.workloads):
            yield "a family names a workload twice"
        if not _are_prices(family.ppm, instruments):
            yield "a family has prices of nodes that no commitment tells apart"
    if any(not 0 <= at < len(record.families) for at in record.family_of_mix):
        yield "a mix is of a family that is not there"


def _wrong_prices(prices: WholePrices, instruments: Instruments, n_cells: int) -> Iterator[str]:
    """What is wrong with the price lists of cells that are bounded in whole nodes."""
    if len(prices.of_cells) != n_cells:
        yield f"{len(prices.of_cells)} cells have prices of whole nodes or none, {n_cells} are split"
    if len(prices.tree_of_cells) != len(prices.of_cells):
        yield f"{len(prices.tree_of_cells)} cells have prices of pods or none, {n_cells} are split"
    if any(number is not None and number >= len(prices.trees) for number in prices.tree_of_cells):
        yield "a cell names prices of pods that are not there"
    if any(number is not None and number >= len(prices.lists) for number in prices.of_cells):
        yield "a cell names prices of whole nodes that are not there"
    if not all(_are_prices(one.ppm, instruments) for one in prices.lists):
        yield "prices of whole nodes are of nodes that no commitment tells apart"
    if any(one.surcharge < 0 for one in prices.lists):
        yield "a surcharge of whole nodes is below zero"


def _are_prices(ppm: Ppm, instruments: Instruments) -> bool:
    """Whether these are parts of list prices of nodes that commitments tell apart."""
    return all((covers, price) in instruments.keys and 0 <= share <= PPM for covers, price, share in ppm)
