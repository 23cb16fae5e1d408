"""Plans: blocks of hours, commitments with a proof, the extensive form, and the command."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import highspy
import numpy as np
import pytest
from binwright_clients.cli.main import main
from binwright_optimizer.errors import UnservedError
from binwright_optimizer.model import CapacityType, Requirement, labels
from binwright_optimizer.model.forecast import (
    EVENING,
    FLAT,
    NIGHT,
    OFFICE,
    PPM,
    Band,
    Forecast,
    Profile,
)
from binwright_optimizer.model.offers import CommitmentOffer, HeldCommitment, Upfront
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.planning.blocks import hour_blocks
from binwright_optimizer.planning.commit import Risk, choose, prove, risk_weighted, scenario_costs
from binwright_optimizer.planning.coverage import spend
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.programme import (
    UNIT_MICROUSD,
    Block,
    Cell,
    Market,
    Option,
    Proof,
    Purchasable,
    Sunk,
)
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import forecast, market

HALF = CommitmentOffer("half", 1, Upfront.NONE, 500_000)
ON_DEMAND = Requirement(labels.CAPACITY_TYPE, Operator.IN, (str(CapacityType.ON_DEMAND),))


# --- blocks of hours ------------------------------------------------------------------------------


def test_equal_hours_are_one_block() -> None:
    assert [(b.hours, b.ppm) for b in hour_blocks([FLAT])] == [(168, (PPM,))]
    assert [b.hours for b in hour_blocks([OFFICE, NIGHT])] == [60, 42, 66]


@given(st.lists(st.integers(0, 5), min_size=168, max_size=168), st.integers(1, 5))
def test_few_blocks_never_understate_demand(levels: list[int], most: int) -> None:
    profile = Profile("any", tuple(200_000 * level for level in levels))
    blocks = hour_blocks([profile, EVENING], most)
    assert len(blocks) <= most
    assert sum(block.hours for block in blocks) == 168
    for at, whole in enumerate((profile, EVENING)):
        assert sum(b.hours * b.ppm[at] for b in blocks) >= sum(whole.ppm)
        assert max(b.ppm[at] for b in blocks) == max(whole.ppm)


# --- commitments ----------------------------------------------------------------------------------


def cell(hours: int, value: int, scenario: int = 0, period: int = 0, bound: int | None = None) -> Cell:
    block = Block((Option({0: value}),), (Proof(value if bound is None else bound),), (0,))
    return Cell(period, scenario, 168 * hours, (block,))


def market_of(offers: list[Purchasable], held_cents: int = 0, held_ppm: int = 500_000) -> Market:
    """Offers 0 and 1 at half price and at a quarter off, and cents an hour held in the last period."""
    instruments = (
        spend(500_000, [0], UNIT_MICROUSD),
        spend(250_000, [0], UNIT_MICROUSD, 1),
        spend(held_ppm, [0], UNIT_MICROUSD),
    )
    last = max((t for offer in offers for t in offer.periods), default=0)
    return Market(instruments, tuple(offers), (Sunk(2, Fraction(held_cents), frozenset({last})),))


def alone(cells: list[Cell]) -> tuple[tuple[int, ...], ...]:
    """The only option of each block."""
    return tuple((0,) for _ in cells)


def test_commitment_for_the_base_load_by_hand() -> None:
    """100 h at 1.00 $/h and 300 h at 0.20 $/h; half price for all 400 h.

    A dollar of base load costs 400 on demand and 200 committed; of the peak 100 against 200. So commit
    0.10 $/h, which pays for 0.20: 0.10 * 400 + 0.80 * 100 = 120 $.
    """
    cells = [cell(100, 1_000_000), cell(300, 200_000)]
    offer = [Purchasable(0, 0, UNIT_MICROUSD, 168 * 400, frozenset({0}))]
    found = choose(cells, market_of(offer), [Fraction(1)])
    assert found.units == (10,)
    assert found.objective == found.bound == 120_000_000


def test_held_commitment_is_used_before_another_is_bought() -> None:
    """The same with 0.10 $/h held: nothing more pays, 0.80 * 100 = 80 $."""
    cells = [cell(100, 1_000_000), cell(300, 200_000)]
    offer = [Purchasable(0, 0, UNIT_MICROUSD, 168 * 400, frozenset({0}))]
    found = choose(cells, market_of(offer, 10), [Fraction(1)])
    assert found.units == (0,)
    assert found.objective == found.bound == 80_000_000


def test_risk_aversion_weighs_the_bad_future() -> None:
    """Demand of 1 $/h with odds 3 : 1 to stay 0; on demand 0 or 100 $, committed 50 $ for sure.

    The mean says 25 $ without, the worst quarter 100 $: at half and half 62.5 $ against 50 $.
    """
    cells = [cell(100, 0, scenario=0), cell(100, 1_000_000, scenario=1)]
    offer = [Purchasable(0, 0, UNIT_MICROUSD, 168 * 100, frozenset({0}))]
    chances = [Fraction(3, 4), Fraction(1, 4)]
    neutral = choose(cells, market_of(offer), chances)
    assert (neutral.units, neutral.objective, neutral.bound) == ((0,), 25_000_000, 25_000_000)
    averse = choose(cells, market_of(offer), chances, Risk(Fraction(1, 2), Fraction(3, 4)))
    assert averse.units == (50,)
    assert averse.objective == 50_000_000
    assert 49_900_000 <= averse.bound <= averse.objective


CELLS = st.lists(
    st.builds(
        cell,
        hours=st.integers(1, 50),
        value=st.integers(0, 6).map(lambda v: v * UNIT_MICROUSD),
        scenario=st.integers(0, 1),
        period=st.integers(0, 1),
    ),
    min_size=1,
    max_size=5,
)
OFFERS = [
    Purchasable(0, 0, UNIT_MICROUSD, 168 * 60, frozenset({0, 1})),
    Purchasable(0, 1, UNIT_MICROUSD, 168 * 30, frozenset({1})),
    Purchasable(1, 0, UNIT_MICROUSD, 168 * 30, frozenset({0})),
]
CHANCES = [Fraction(7, 10), Fraction(3, 10)]


@settings(max_examples=25, deadline=None)
@given(
    cells=CELLS, held=st.integers(0, 5), aversion=st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)])
)
def test_no_choice_beats_the_bound_and_the_chosen_one_is_the_best(
    cells: list[Cell], held: int, aversion: Fraction
) -> None:
    """All choices of whole units, one by one."""
    sold = market_of(OFFERS, held, 400_000)
    risk = Risk(aversion, Fraction(7, 10))
    best = min(
        risk_weighted(scenario_costs(cells, sold, units, alone(cells), 2), CHANCES, risk)[0]
        for units in itertools.product(range(4), range(4), range(6))
    )
    found = choose(cells, sold, CHANCES, risk)
    assert found.bound <= best
    assert float(found.objective) == pytest.approx(float(best), rel=1e-5, abs=2_000)
    assert scenario_costs(cells, sold, found.units, found.choices, 2) == found.scenario_costs


@given(
    cells=CELLS,
    prices=st.lists(
        st.lists(st.integers(0, 900_000).map(Fraction), min_size=3, max_size=3), min_size=5, max_size=5
    ),
)
def test_any_dual_prices_prove_a_true_bound(cells: list[Cell], prices: list[list[Fraction]]) -> None:
    sold = market_of(OFFERS, 2, 400_000)
    bound = prove(cells, sold, CHANCES, prices[: len(cells)])
    for units in itertools.product((0, 3), repeat=3):
        mean, _ = risk_weighted(scenario_costs(cells, sold, units, alone(cells), 2), CHANCES, Risk())
        assert bound <= mean


# --- whole plans ----------------------------------------------------------------------------------


def test_plan_by_hand() -> None:
    """Ten pods of 3 vCPU, four at night, one on each 4-vCPU node of 0.10 $/h; a quarter of 2,160 h.

    60 of 168 hours at 1.00 $/h, 108 at 0.40 $/h. Commit 0.20 $/h at half price for the base of 0.40:
    0.20 * 2160 + 0.60 * 2160 * 60 / 168 = 432 + 462.857... = 894.857143 $.
    """
    offer = CommitmentOffer("half", 1, Upfront.NONE, 500_000)
    found = make_plan(forecast([Band.exactly(10)], (offer,)), PlanParams(20.0), catalogs=market(c4=0.10))
    assert found.total == 894_857_143
    assert found.bound == 894_857_142
    assert [(c.microusd_per_hour, c.start, c.end) for c in found.commitments] == [
        (200_000, date(2027, 1, 1), date(2028, 1, 1))
    ]
    assert found.commitments[0].obligation_microusd == 200_000 * 365 * 24
    assert found.without_commitments == -(-(1_000_000 * 60 + 400_000 * 108) * 2160 // 168)
    assert sum(found.by_period) == found.total


def test_bands_are_three_futures_and_every_one_is_served() -> None:
    found = make_plan(
        forecast([Band(10, 12, 20)], profile="flat"), PlanParams(20.0), catalogs=market(c4=0.10)
    )
    nodes = [mix.on_demand.nodes for mix in found.mixes]
    assert nodes == [10, 12, 20]
    assert [s.permille for s in found.scenarios] == [700, 245, 55]
    assert found.total == found.bound == 2160 * (700 * 10 + 245 * 12 + 55 * 20) * 100


def test_service_level_says_how_much_of_the_demand_at_p99_is_held() -> None:
    """Of 10, 12 and 20 pods at 60 % of 20 no future gets more than 12; a workload's own level goes before."""
    asked = replace(forecast([Band(10, 12, 20)], profile="flat"), service_ppm=600_000)
    found = make_plan(asked, PlanParams(20.0), catalogs=market(c4=0.10))
    assert [mix.on_demand.nodes for mix in found.mixes] == [10, 12, 12]
    own = replace(asked, workloads=(replace(asked.workloads[0], service_ppm=550_000),))
    found = make_plan(own, PlanParams(20.0), catalogs=market(c4=0.10))
    assert [mix.on_demand.nodes for mix in found.mixes] == [10, 11, 11]
    assert found.total == found.bound == 2160 * (700 * 10 + 245 * 11 + 55 * 11) * 100


def test_aversion_to_risk_buys_for_the_bad_future_what_the_mean_does_not() -> None:
    """Nodes of 0.10 $/h; a commitment at 5 % off pays where it is used at least 95 % of the time.

    Ten nodes run always, 20 with 5.5 %. The mean commits to ten: an eleventh unit is used in 5.5 % of cases.
    The mean of the worst 5 % has 20 nodes all the time, and commits to all of them.
    """
    asked = forecast([Band(10, 10, 20)], (CommitmentOffer("5 %", 1, Upfront.NONE, 50_000),), profile="flat")
    costs = {}
    for aversion, nodes in ((Fraction(0), 10), (Fraction(1), 20)):
        risk = Risk(aversion, Fraction(95, 100))
        found = make_plan(asked, PlanParams(20.0, risk), catalogs=market(c4=0.10))
        assert sum(bought.microusd_per_hour for bought in found.commitments) == 95_000 * nodes
        costs[aversion] = found.by_scenario[-1]
        assert found.bound >= found.total - 1
    assert costs[Fraction(1)] == 2160 * 20 * 95_000 < costs[Fraction(0)]


def test_held_commitment_lowers_the_plan_only_in_periods_it_covers() -> None:
    held = HeldCommitment("old", 200_000, 500_000, date(2026, 1, 1), date(2027, 5, 1))
    asked = forecast([Band.exactly(10)] * 2, held=(held,), profile="flat")
    found = make_plan(asked, PlanParams(20.0), catalogs=market(c4=0.10))
    assert found.by_period[0] == 2160 * 600_000
    assert found.by_period[1] == 2184 * 1_000_000  # it ends within the second quarter


@pytest.mark.parametrize("seed", range(3))
def test_extensive_form_confirms_the_plan(seed: int) -> None:
    """One integer programme over all patterns of all blocks, scenarios and commitments together."""
    rng = np.random.default_rng(seed)
    cpu = (1500, 2600)
    prices = {"c4": 0.11, "c8": 0.19 + 0.01 * seed, "c16": 0.41}
    band = Band(*sorted(int(n) for n in rng.integers(2, 9, 3)))
    asked = forecast([band, band], (HALF,), profile="office", cpu=cpu)
    found = make_plan(asked, PlanParams(30.0), catalogs=market(**prices))
    optimum = extensive_form(asked, prices)
    assert found.bound <= optimum * 1e6 + 1
    assert found.total == pytest.approx(optimum * 1e6, rel=1e-6)


def extensive_form(asked: Forecast, prices: dict[str, float]) -> float:
    """Dollars of the optimum, by HiGHS, from patterns enumerated here."""
    sizes = [workload.template.requests["cpu"] for workload in asked.workloads]
    patterns = [
        (counts, price)
        for name, price in prices.items()
        for counts in itertools.product(range(9), repeat=len(sizes))
        # 200m are the daemons' share
        if 0 < sum(c * s for c, s in zip(counts, sizes, strict=True)) <= 1000 * int(name[1:]) - 200
    ]
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", 1e-7)
    chances = {"p50": 0.7, "p90": 0.245, "p99": 0.055}
    hours_in_all = sum(period.hours for period in asked.periods)
    terms = [(at, sum(p.hours for p in asked.periods[at:])) for at in range(len(asked.periods))]
    units = [model.addVariable(0, 10_000, 0.01 * hours) for _, hours in terms]
    for unit in units:
        model.changeColIntegrality(unit.index, highspy.HighsVarType.kInteger)
    assert hours_in_all == terms[0][1]
    for at, period in enumerate(asked.periods):
        for quantile, chance in chances.items():
            for hours, share in ((60, 1.0), (108, 0.4)):
                weight = chance * period.hours * hours / 168
                nodes = [model.addVariable(0, 100, weight * price) for _, price in patterns]
                for node in nodes:
                    model.changeColIntegrality(node.index, highspy.HighsVarType.kInteger)
                for w in range(len(sizes)):
                    wanted = getattr(asked.demands[w * len(asked.periods) + at].band, quantile)
                    need = -(-int(wanted * share * 10) // 10)
                    model.addConstr(
                        sum(
                            n * counts[w] for n, (counts, _) in zip(nodes, patterns, strict=True) if counts[w]
                        )
                        >= need
                    )
                covered = model.addVariable(0, highspy.kHighsInf, -weight)
                model.addConstr(
                    covered <= sum(n * price for n, (_, price) in zip(nodes, patterns, strict=True))
                )
                model.addConstr(covered * 0.5 <= sum(0.01 * unit for unit in units[: at + 1]))
    assert model.run() == highspy.HighsStatus.kOk
    return float(model.getObjectiveValue())


def test_whole_term_charged_keeps_commitments_that_outlast_the_forecast_from_being_bought() -> None:
    """Half price for a year is dear where it is needed for a quarter: nothing is bought."""
    asked = forecast([Band.exactly(10)], (HALF,), profile="flat")
    params = PlanParams(20.0, charges_whole_term=True)
    found = make_plan(asked, params, catalogs=market(c4=0.10))
    assert not found.commitments
    assert found.total == found.bound == 2160 * 1_000_000
    year = forecast([Band.exactly(10)] * 4, (HALF,), profile="flat")
    whole = make_plan(year, params, catalogs=market(c4=0.10))
    assert [c.microusd_per_hour for c in whole.commitments] == [500_000]
    assert whole.total == 8760 * 500_000
    assert whole.bound >= whole.total - 1
    assert sum(whole.by_period) == whole.total


def test_demand_that_nothing_sold_can_serve_is_an_error() -> None:
    with pytest.raises(UnservedError, match="the largest sold in region-1, c4, has 3800m"):
        make_plan(forecast([Band.exactly(2)], cpu=(64_000,)), PlanParams(5.0), catalogs=market(c4=0.10))


def test_no_demand_costs_nothing() -> None:
    found = make_plan(forecast([Band.exactly(0)]), PlanParams(5.0), catalogs=market(c4=0.10))
    assert (found.total, found.bound, found.gap) == (0, 0, 0.0)


SMALL = """workload,region,period,cpu_milli,memory_mib,capacity_type,profile,p50,p90,p99
api,us-east-1,2027-Q1,500,768,,office,40,44,60
api,us-east-1,2027-Q2,500,768,,office,44,48,64
batch,eu-west-1,2027-Q1,1000,1536,spot,night,8,8,8
batch,eu-west-1,2027-Q2,1000,1536,spot,night,8,8,8
"""


def test_command_prints_a_plan_whose_figures_agree(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    file.write_text(SMALL, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", str(file), "--deadline", "6s", "-q", "-o", "json"])
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert {"total_cost_usd", "lower_bound_usd", "gap", "periods", "commitments"} <= plan.keys()
    assert [warning.partition(" are up to ")[0] for warning in plan["warnings"][-2:]] == [
        "on-demand prices",
        "spot prices",
    ]
    assert plan["lower_bound_usd"] <= plan["total_cost_usd"] <= plan["without_commitments_usd"]
    assert plan["gap"] == pytest.approx(1 - plan["lower_bound_usd"] / plan["total_cost_usd"])
    assert sum(p["expected_cost_usd"] for p in plan["periods"]) == pytest.approx(plan["expected_cost_usd"])
    mean = sum(s["probability"] * s["cost_usd"] for s in plan["scenarios"])
    assert mean == pytest.approx(plan["expected_cost_usd"])
    assert all(c["discount_is_estimate"] for c in plan["commitments"])
    for period in plan["periods"]:
        for scenario in ("usual", "high", "extreme"):
            hours = {
                region: sum(
                    m["hours_of_week"]
                    for m in period["mixes"]
                    if (m["region"], m["scenario"]) == (region, scenario)
                )
                for region in ("us-east-1", "eu-west-1")
            }
            assert hours == {"us-east-1": 168, "eu-west-1": 168}


def test_command_takes_options_before_the_forecast_and_a_table_view(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    file.write_text(SMALL, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", "--risk-aversion", "1", "-q", "--deadline", "3s", str(file)])
    assert result.exit_code == 0, result.output
    assert "lower bound" in result.stdout
    assert "2027-Q2" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "none.yaml"], "none.yaml: cannot be read"),
        (["plan", "forecast", "none.csv", "--tail", "1"], "--tail"),
        (["plan", "forecast", "none.csv", "--cloud", "ibm"], "--cloud"),
    ],
)
def test_bad_input_is_exit_code_two(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_unservable_forecast_is_one_error_and_no_partial_plan(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    file.write_text(SMALL.replace("500,768", "5000000,768"), encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", str(file), "--deadline", "2s", "-q", "-o", "json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "demand.csv, line 2: cpu_milli: a pod takes" in result.stderr
    assert "40 to 60 pods of api are wanted in us-east-1 in 2027-Q1" in result.stderr
    assert "(line 2, p50: p50 40, p90 44, p99 60) (got '5000000')" in result.stderr
