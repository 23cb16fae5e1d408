"""``binwright plan diff``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.main import main
from click.testing import CliRunner


def plan(total: float, nodes: int, *, bought: float = 0.0) -> dict[str, Any]:
    purchase = {"instance_type": "m5.large", "capacity_type": "on-demand", "zone": "", "nodes": nodes}
    mix = {
        "region": "us-east-1",
        "zone": "",
        "share_of_busiest_hour": {"flat": 1.0},
        "scenario": "certain",
        "hours_of_week": 168,
        "on_demand": {"purchases": [purchase]},
        "spot": {"purchases": []},
    }
    return {
        "cloud": "aws",
        "total_cost_usd": total,
        "lower_bound_usd": total,
        "expected_cost_usd": total,
        "without_commitments_usd": total,
        "upfront_usd": 0.0,
        "churn_usd": 0.0,
        "scenarios": [{"name": "certain", "probability": 1.0, "cost_usd": total}],
        "periods": [
            {
                "name": "2027-Q1",
                "start": "2027-01-01",
                "end": "2027-04-01",
                "expected_cost_usd": total,
                "mixes": [mix],
            }
        ],
        "commitments": [{"offer": "1 year", **term(bought)}] if bought else [],
        "held_commitments": [],
    }


def term(usd_per_hour: float, types: tuple[str, ...] = (), nodes: int | None = None) -> dict[str, Any]:
    return {
        "start": "2027-01-01",
        "end": "2028-01-01",
        "covers": {"instance_types": list(types), "region": "us-east-1" if types else "", "zone": ""},
        "nodes": nodes,
        "discount": 0.25,
        "usd_per_hour": usd_per_hour,
    }


def saved(tmp_path: Path, name: str, document: object) -> str:
    file = tmp_path / name
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["plan", "diff", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_changes_are_told_by_figure_commitment_and_type(tmp_path: Path) -> None:
    """Two nodes become three, for all 168 hours; 1.50 $/h are committed to."""
    before = saved(tmp_path, "a.json", plan(1000, 2))
    after = saved(tmp_path, "b.json", plan(900, 3, bought=1.5))
    code, out, error = run(before, after, "-o", "json")
    assert code == 0, error
    document = json.loads(out)
    totals = {row["figure"]: row["change"] for row in document["figures"]}
    assert totals["total_cost"] == -100
    assert document["commitments_usd_per_hour"][0]["after"] == 1.5
    assert document["node_hours_per_week"] == [
        {
            "period": "2027-Q1",
            "region": "us-east-1",
            "instance_type": "m5.large",
            "capacity_type": "on-demand",
            "before": 336.0,
            "after": 504.0,
            "change": 168.0,
        }
    ]
    code, out, _ = run(before, after)
    assert code == 0
    assert "Reserved nodes" not in out
    assert "total cost" in out
    assert "+168" in out
    assert "-100" in out


def test_plans_for_other_days_or_another_cloud_are_told_first(tmp_path: Path) -> None:
    later = plan(1000, 2) | {"cloud": "gcp"}
    later["periods"][0] |= {"name": "2027-Q2", "start": "2027-04-01", "end": "2027-07-01"}
    arguments = saved(tmp_path, "a.json", plan(1000, 2)), saved(tmp_path, "b.json", later)
    days, clouds = json.loads(run(*arguments, "-o", "json")[1])["warnings"]
    assert "for other days, 2027-01-01 to 2027-04-01 and 2027-04-01 to 2027-07-01: totals differ" in days
    assert clouds == "the plans are for other clouds, aws and gcp"
    assert run(*arguments)[1].startswith("warning: the plans are for other days")


def test_equal_plans_agree(tmp_path: Path) -> None:
    file = saved(tmp_path, "a.json", plan(1000, 2))
    code, out, _ = run(file, file)
    assert (code, out.strip()) == (0, "the plans agree")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"total_cost_usd": "x"}', '"plan"']
)
def test_file_that_holds_no_plan_is_bad_input(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text, encoding="utf-8")
    code, _, error = run(str(file), str(file))
    assert code == 2
    assert "a.json" in error
    assert "Traceback" not in error
    assert "Error:" not in error.removeprefix("Error:")
    if text == "{}":
        assert "scenarios: is no plan of `binwright plan -o json`: is missing" in " ".join(error.split())


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_figure_that_is_not_finite_is_refused(tmp_path: Path, figure: float) -> None:
    file = saved(tmp_path, "a.json", plan(figure, 2))
    code, _, error = run(file, file)
    assert code == 2
    assert "must be a finite number" in " ".join(error.split())


def test_commitments_of_one_name_are_told_apart_by_what_they_cover(tmp_path: Path) -> None:
    """1.50 $/h for everything become 1.50 $/h for one type: one goes, one comes."""
    narrow = plan(1000, 2) | {"commitments": [{"offer": "1 year", **term(1.5, ("m5.large",))}]}
    before = saved(tmp_path, "a.json", plan(1000, 2, bought=1.5))
    code, out, error = run(before, saved(tmp_path, "b.json", narrow), "-o", "json")
    assert code == 0, error
    changes = {row["covers"]: row["change"] for row in json.loads(out)["commitments_usd_per_hour"]}
    assert changes == {"everything": -1.5, "m5.large, us-east-1": 1.5}


def test_what_one_plan_buys_and_the_next_holds_is_no_change(tmp_path: Path) -> None:
    """1.50 $/h and four reserved nodes, bought in the first plan and held in the second."""
    bought = [("1 year", term(1.5)), ("m5 nodes", term(0.2, ("m5.large",), 4))]
    first = plan(1000, 2) | {"commitments": [{"offer": name, **one} for name, one in bought]}
    second = plan(1000, 2) | {"held_commitments": [{"name": name, **one} for name, one in bought]}
    before, after = saved(tmp_path, "a.json", first), saved(tmp_path, "b.json", second)
    assert run(before, after)[1].strip() == "the plans agree"
    code, out, error = run(before, saved(tmp_path, "c.json", plan(1000, 2)), "-o", "json")
    assert code == 0, error
    document = json.loads(out)
    assert [row["change"] for row in document["commitments_usd_per_hour"]] == [-1.5]
    assert [row["change"] for row in document["reserved_nodes"]] == [-4]
