"""Flavours: price lists, assumptions, filters, scores and what would change them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from binwright_clients.cli.main import main
from binwright_optimizer.catalog import regions
from binwright_optimizer.errors import CatalogError, PlanningError
from binwright_optimizer.model import PriceSource
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.flavors import (
    CRITERIA,
    FLAVORS,
    Area,
    FlavorCost,
    Needs,
    SupportLevel,
    Tier,
    admit,
    costs_at,
    recommend,
)
from binwright_optimizer.planning.flavors.bare_metal import SERVERS, bare_metal_catalog
from binwright_optimizer.planning.flavors.catalogue import (
    AWS_BUSINESS,
    AWS_ENTERPRISE,
    AZURE_PRODIRECT,
    EKS,
    REGION_OF,
)
from binwright_optimizer.planning.flavors.operations import EFFORT
from binwright_optimizer.planning.flavors.requirements import check_gpu_models
from binwright_optimizer.planning.flavors.score import flips, normalise, score
from binwright_optimizer.planning.mix import Mix
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

QUICK = SolveParams(deadline_s=2.0, gap=0.02)
MODELS = {flavor.name: frozenset({"t4"}) for flavor in FLAVORS}


@pytest.fixture(scope="module")
def hundred() -> tuple[FlavorCost, ...]:
    return costs_at(100, params=QUICK)


@pytest.mark.parametrize(
    ("plan", "bill", "charge"),
    [
        (AWS_BUSINESS, 85_000, 6_150),  # the example of AWS's own page
        (AWS_BUSINESS, 500, 100),  # the minimum
        (AWS_ENTERPRISE, 1_200_000, 70_500),  # the example of AWS's own page
        (AWS_ENTERPRISE, 20_000, 15_000),
        (AZURE_PRODIRECT, 10**6, 1_000),  # flat
    ],
)
def test_support_costs_what_the_provider_says(plan: object, bill: int, charge: int) -> None:
    assert plan.microusd_per_month(bill * 10**6) == charge * 10**6  # type: ignore[attr-defined]


def test_every_area_names_regions_that_have_prices() -> None:
    for (cloud, _), region in REGION_OF.items():
        assert region in regions(cloud)


def test_every_flavour_has_stated_effort_and_dated_prices() -> None:
    assert set(EFFORT) == {flavor.name for flavor in FLAVORS}
    for flavor in FLAVORS:
        sources: list[PriceSource] = [price.source for price in flavor.tiers.values()]
        sources += [plan.source for plan in flavor.support.values()]
        assert all(source.name and len(source.date) == 10 for source in sources)
        assert bool(flavor.tiers) != flavor.has_own_control_plane


def test_servers_say_that_their_prices_are_estimates() -> None:
    catalog = bare_metal_catalog()
    assert len(catalog.instance_types) == len(SERVERS)
    for instance_type in catalog.instance_types:
        assert instance_type.allocatable.fits_in(instance_type.capacity)
        assert all(offering.source.is_estimate for offering in instance_type.offerings)


def test_total_is_the_sum_of_its_parts(hundred: tuple[FlavorCost, ...]) -> None:
    by_name = {cost.flavor.name: cost for cost in hundred}
    eks = by_name["eks"]
    assert eks.control_plane_microusd == 73 * 10**6
    assert eks.compute_microusd == eks.mix.cost_microusd_per_hour * 730
    bill = eks.compute_microusd + eks.control_plane_microusd
    assert eks.support_microusd == AWS_BUSINESS.microusd_per_month(bill)
    assert eks.operations_microusd == round(eks.operations_hours * 85 * 10**6)
    assert by_name["vanilla"].mix is eks.mix
    assert by_name["aks"].support_microusd == 1_000 * 10**6
    for cost in hundred:
        assert cost.mix.bound_microusd_per_hour <= cost.mix.cost_microusd_per_hour
        assert not cost.missing


def test_same_workloads_get_the_same_gpus_everywhere(hundred: tuple[FlavorCost, ...]) -> None:
    """A hundred reference nodes have twenty T4s; GCP and servers of one's own pack several on a node."""
    aws = next(cost for cost in hundred if cost.flavor.name == "eks")
    assert sum(p.nodes for p in aws.mix.purchases if p.instance_type.startswith("g4dn")) == 20
    gcp = next(cost for cost in hundred if cost.flavor.name == "gke")
    assert (
        sum(p.nodes * int(p.instance_type[-1]) for p in gcp.mix.purchases if "+t4x" in p.instance_type) == 20
    )


def test_price_that_is_only_negotiated_is_not_guessed() -> None:
    fake = tuple(flavor for flavor in FLAVORS if flavor.name in ("aks", "eks"))
    costs = costs_at(3, support=SupportLevel.ENTERPRISE, tier=Tier.FREE, flavors=fake, params=QUICK)
    missing = {cost.flavor.name: cost.missing for cost in costs}
    assert missing["aks"] == "has no list price for enterprise support, it is negotiated"
    assert missing["eks"] == "has no control plane of tier free"
    admitted, excluded = admit(costs, Needs(), MODELS, Tier.FREE)
    assert not admitted
    assert len(excluded) == 2
    with pytest.raises(PlanningError, match="no flavour meets"):
        recommend(admitted)


@pytest.mark.parametrize(
    ("needs", "left"),
    [
        (Needs(), {"vanilla", "eks", "gke", "aks", "bare-metal"}),
        (Needs(on_premises=True), {"bare-metal"}),
        (Needs(windows=True), {"eks", "gke", "aks"}),
        (Needs(scale_nodes=10_000), {"eks", "gke"}),
        (Needs(scale_nodes=20_000), {"eks"}),
        (Needs(gpu_models=("t4",)), {"vanilla", "eks", "gke", "aks", "bare-metal"}),
        (Needs(gpu_models=("h100-80gb",)), set()),
        (Needs(budget_usd=20_000), {"bare-metal"}),
    ],
)
def test_hard_requirements_filter(hundred: tuple[FlavorCost, ...], needs: Needs, left: set[str]) -> None:
    admitted, excluded = admit(hundred, needs, MODELS, Tier.STANDARD)
    assert {cost.flavor.name for cost in admitted} == left
    assert {exclusion.flavor for exclusion in excluded} == {f.name for f in FLAVORS} - left
    assert all(exclusion.reasons for exclusion in excluded)


def test_unknown_gpu_model_is_an_error() -> None:
    with pytest.raises(CatalogError, match="unknown GPU model 'warp9'"):
        check_gpu_models(["warp9"], ["t4"])


def fixed(name: str, dollars: int, hours: float) -> FlavorCost:
    flavor = next(flavor for flavor in FLAVORS if flavor.name == name)
    nothing = Mix((), 0, 0)
    return FlavorCost(flavor, 1, nothing, dollars * 10**6, 0, 0, 0, hours, ())


def test_ranking_by_hand() -> None:
    """Only cost (weight 3) and operations (1): EKS 100 $ and 50 h, AKS 200 $ and 10 h.

    Normalised EKS (1, 0), AKS (0, 1): 0.75 against 0.25. Level when the weights are equal: cost at 1,
    operations at 3.
    """
    weights = dict.fromkeys(CRITERIA, 0.0) | {"cost": 3.0, "operations": 1.0}
    found = recommend([fixed("eks", 100, 50), fixed("aks", 200, 10)], Area.US, weights)
    assert found.scores == (("eks", 0.75), ("aks", 0.25))
    levels = {flip.criterion: (flip.weight, flip.challenger) for flip in found.flips}
    assert levels["cost"] == (1.0, "aks")
    assert levels["operations"] == (3.0, "aks")


def test_single_candidate_wins_and_nothing_flips() -> None:
    found = recommend([fixed("gke", 100, 5)])
    assert found.winner == "gke"
    assert all(flip.weight is None for flip in found.flips)


@given(
    table=st.lists(st.tuples(*[st.integers(0, 20).map(float)] * 3), min_size=2, max_size=5),
    weights=st.tuples(*[st.integers(1, 9).map(float)] * 3),
)
def test_beyond_its_flip_a_weight_makes_another_win(
    table: list[tuple[float, ...]], weights: tuple[float, ...]
) -> None:
    """At the flip the challenger is level; a little beyond, the old winner is no longer ahead of it."""
    names = ("cost", "scale", "control")
    values = {f"f{i}": dict(zip(names, row, strict=True)) for i, row in enumerate(table)}
    chosen = dict(zip(names, weights, strict=True))
    normalised = normalise(values)
    scores = {name: score(row, chosen) for name, row in normalised.items()}
    winner = min(scores, key=lambda name: (-scores[name], name))
    for flip in flips(normalised, chosen):
        if flip.weight is None:
            continue
        beyond = chosen | {flip.criterion: flip.weight}
        if sum(beyond.values()):
            level = score(normalised[winner], beyond) - score(normalised[flip.challenger], beyond)
            assert abs(level) < 1e-9


@pytest.mark.parametrize("weights", [{"cost": -1.0}, dict.fromkeys(CRITERIA, 0.0)])
def test_impossible_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(PlanningError, match="weights"):
        recommend([fixed("gke", 100, 5)], Area.US, weights)


def test_flavour_without_tiers_is_limited_by_kubernetes() -> None:
    bare = replace(EKS, tiers={}, max_nodes=5_000)
    costs = [replace(fixed("eks", 1, 1), flavor=bare)]
    admitted, excluded = admit(costs, Needs(scale_nodes=6_000), MODELS, Tier.STANDARD)
    assert not admitted
    assert "5,000 nodes" in excluded[0].reasons[0]


def test_commands_print_json() -> None:
    result = CliRunner().invoke(main, ["flavors", "compare", "--nodes", "3", "-q", "-o", "json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["warnings"][0].startswith("on-demand prices are up to ")
    rows = document["sizes"][0]["flavors"]
    assert [row["flavor"] for row in rows] == [flavor.name for flavor in FLAVORS]
    for row in rows:
        parts = [row[f"{part}_usd"] for part in ("compute", "control_plane", "support", "operations")]
        assert sum(parts) == pytest.approx(row["total_usd"])
    arguments = ["flavors", "recommend", "--nodes", "3", "--require", "windows", "-q", "-o", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["winner"] in {"eks", "gke", "aks"}
    assert answer["warnings"][0].startswith("on-demand prices are up to ")
    assert set(answer["excluded"]) == {"vanilla", "bare-metal"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "--nodes", "3,x"], "--nodes"),
        (["compare", "--nodes", "3,3"], "names a number twice"),
        (["compare", "--nodes", "0"], "--nodes"),
        (["recommend", "--require", "window"], "did you mean 'windows'"),
        (["recommend", "--require", "gpu=warp9"], "unknown GPU model 'warp9'"),
        (["recommend", "--weight", "prize=3"], "unknown criterion"),
        (["recommend", "--weight", "cost=-3"], "from 0 to 1000"),
        (["recommend", "--weight", "cost=nan"], "from 0 to 1000"),
        (
            ["recommend", *(word for name in CRITERIA for word in ("--weight", f"{name}=0"))],
            "--weight: one criterion at least must count (got 'cost=0, ",
        ),
        (["recommend", "--nodes", "3", "--budget", "1"], "no flavour meets every requirement"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["flavors", *arguments, "-q"])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_only_flavour_left_has_the_full_score() -> None:
    """It is the best by every criterion."""
    assert normalise({"a": {"cost": 100.0, "scale": 3.0}}) == {"a": {"cost": 1.0, "scale": 1.0}}
