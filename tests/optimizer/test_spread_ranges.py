"""How many pods a domain of a spread may have: what enumeration of all whole numbers finds."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
from binwright_optimizer.instance.domains.linking import LinkingBuilder
from binwright_optimizer.instance.domains.spread_ranges import add_ranges
from binwright_optimizer.verify.spread_counts import SpreadCounts
from hypothesis import given
from hypothesis import strategies as st

NAMES = "abcd"


@st.composite
def spreads(draw: st.DrawFn) -> SpreadCounts:
    """Up to eight pods over up to four domains: some count in any case, some of these have pods."""
    received = NAMES[: draw(st.integers(1, 4))]
    settled = frozenset(draw(st.sets(st.sampled_from(received), min_size=1)))
    running = Counter({name: draw(st.integers(0, 4)) for name in settled})
    pods, skew = draw(st.integers(1, 8)), draw(st.integers(1, 3))
    return SpreadCounts(pods, skew, settled, running, {name: (v,) for v, name in enumerate(received)}, False)


def allowed(spread: SpreadCounts) -> list[tuple[int, ...]]:
    """Every way to place the pods so that no domain that gets one is more than the skew ahead."""
    received = sorted(spread.local)
    found = []
    for counts in itertools.product(range(spread.pods + 1), repeat=len(received)):
        if sum(counts) != spread.pods:
            continue
        total = {name: spread.running[name] + n for name, n in zip(received, counts, strict=True)}
        least = min(total[name] for name in spread.names)
        if all(
            not n or total[name] <= least + spread.max_skew for name, n in zip(received, counts, strict=True)
        ):
            found.append(counts)
    return found


def rows_of_search(spread: SpreadCounts) -> list[tuple[dict[int, float], float, float]]:
    """Rows over variables 0, 1, ... of the domains; the last variable is of pods left out."""
    received = sorted(spread.local)
    builder = LinkingBuilder(len(received), 1)
    add_ranges(
        builder,
        spread.max_skew,
        spread.pods,
        np.array([spread.running[name] for name in received]),
        [received.index(name) for name in spread.names],
        {d: {d: 1.0} for d in range(len(received))},
        {builder.left_out(0): 1.0},
    )
    return builder.rows


@given(spreads())
def test_no_row_excludes_what_the_rule_allows(spread: SpreadCounts) -> None:
    for counts in allowed(spread):
        for terms, most in spread.rows():
            assert sum(c * counts[v] for v, c in terms.items()) <= most
        for terms, lower, upper in rows_of_search(spread):
            placed = sum(c * counts[v] for v, c in terms.items() if v < len(counts))
            assert lower <= placed <= upper


@given(spreads(), st.integers(0, 3))
def test_pods_left_out_relax_the_rows_by_as_many(spread: SpreadCounts, left_out: int) -> None:
    """What fewer pods may do holds the rows for all of them, those that are missing counted."""
    rows = rows_of_search(spread)
    placed = spread.pods - min(left_out, spread.pods)
    fewer = SpreadCounts(placed, spread.max_skew, spread.names, spread.running, spread.local, False)
    for counts in allowed(fewer):
        values = [*counts, spread.pods - placed]
        for terms, lower, upper in rows:
            assert lower <= sum(c * values[v] for v, c in terms.items()) <= upper


@given(spreads())
def test_the_ranges_are_as_narrow_as_a_skew_of_one_over_settled_domains_allows(spread: SpreadCounts) -> None:
    """Where every domain counts, some allowed placement has each end of each range."""
    ways = allowed(spread)
    if spread.max_skew > 1 or spread.names != set(spread.local) or any(spread.running.values()) or not ways:
        return
    for d in range(len(spread.local)):
        rows = [row for row in rows_of_search(spread) if d in row[0]]
        most = min((upper for terms, _, upper in rows if len(terms) == 1), default=spread.pods)
        least = max((lower for terms, lower, _ in rows if len(terms) == 2), default=0)
        assert (least, most) == (min(way[d] for way in ways), max(way[d] for way in ways))


def test_twelve_pods_over_six_zones_are_two_in_each() -> None:
    """In fractions a zone may have as few as 7/6: (12 - 7/6) / 5 in the others is one more."""
    zones = {name: (v,) for v, name in enumerate("abcdef")}
    spread = SpreadCounts(12, 1, frozenset(zones), Counter(), zones, False)
    singles = {(tuple(terms.items()), most) for terms, most in spread.rows() if len(terms) == 1}
    assert singles == {(((v, c),), c * 2) for v in range(6) for c in (1, -1)}
