"""MIG: which sets of instances one GPU can be cut into, against NVIDIA's published tables."""

from __future__ import annotations

import itertools

import pytest
from binwright_optimizer.model.mig import (
    MIG_MODELS,
    MigModel,
    known_profiles,
    mig_models_with,
    mig_profile,
)
from hypothesis import given
from hypothesis import strategies as st

A100 = MIG_MODELS["a100-40gb"]
A30 = MIG_MODELS["a30"]
BASE = ("7g.40gb", "4g.20gb", "3g.20gb", "2g.10gb", "1g.5gb")
"""Profiles of the configuration table of the user guide: without 1g.10gb and media extensions."""


def layouts(model: MigModel, names: tuple[str, ...]) -> list[tuple[tuple[str, int], ...]]:
    """Every way to place instances to which none of these profiles can be added, by brute force."""
    profiles = [profile for name in names if (profile := model.profile(name))]
    spots = [(profile, start) for profile in profiles for start in profile.starts]

    def slices(spot) -> set[int]:  # type: ignore[no-untyped-def]
        profile, start = spot
        return set(range(start, start + profile.size))

    found = []
    for count in range(1, 8):
        for chosen in itertools.combinations(spots, count):
            taken = [slice_ for spot in chosen for slice_ in slices(spot)]
            if len(taken) != len(set(taken)):
                continue
            if not any(slices(spot).isdisjoint(taken) for spot in spots):
                found.append(tuple(sorted((profile.name, start) for profile, start in chosen)))
    return found


def test_an_a100_has_the_nineteen_configurations_of_the_user_guide() -> None:
    """7; 4 or 3 left with 3, 2+1 or 1+1+1 right: 6; {2+2, 2+1+1, 1+1+2, 1+1+1+1} with those three: 12."""
    assert len(layouts(A100, BASE)) == 19


def test_no_layout_takes_more_compute_than_the_gpu_has() -> None:
    for model, most in ((A100, 7), (A30, 4)):
        names = tuple(profile.name for profile in model.profiles)
        for layout in layouts(model, names):
            compute = sum(profile.compute_slices for name, _ in layout if (profile := model.profile(name)))
            assert compute <= most


@pytest.mark.parametrize(
    ("model", "counts", "fits"),
    [
        ("a100-40gb", {"1g.5gb": 7}, True),
        ("a100-40gb", {"1g.5gb": 8}, False),
        ("a100-40gb", {"1g.10gb": 4}, True),
        ("a100-40gb", {"1g.10gb": 3, "1g.5gb": 2}, True),
        ("a100-40gb", {"2g.10gb": 3, "1g.5gb": 1}, True),
        ("a100-40gb", {"2g.10gb": 4}, False),  # 8 slices are there, but 2g cannot begin at slice 6
        ("a100-40gb", {"3g.20gb": 2}, True),
        ("a100-40gb", {"3g.20gb": 2, "1g.5gb": 1}, False),  # 6 of 7 compute slices, all memory
        ("a100-40gb", {"4g.20gb": 1, "3g.20gb": 1}, True),
        ("a100-40gb", {"4g.20gb": 2}, False),
        ("a100-40gb", {"3g.20gb": 1, "2g.10gb": 2}, True),
        ("a100-40gb", {"3g.20gb": 1, "2g.10gb": 2, "1g.5gb": 1}, False),
        ("a100-40gb", {"7g.40gb": 1, "1g.5gb": 1}, False),
        ("a100-40gb", {"1g.5gb+me": 1, "1g.5gb": 6}, True),
        ("a100-40gb", {"1g.5gb+me": 2}, False),
        ("a100-40gb", {}, True),
        ("a100-40gb", {"1g.6gb": 1}, False),
        ("a30", {"1g.6gb": 4}, True),
        ("a30", {"2g.12gb": 1, "1g.6gb": 2}, True),
        ("a30", {"2g.12gb": 2, "1g.6gb": 1}, False),
        ("a30", {"2g.12gb": 1, "2g.12gb+me": 1}, True),
        ("h100-80gb", {"3g.40gb": 1, "1g.20gb": 1, "1g.10gb": 1}, True),
        ("h200", {"1g.35gb": 1, "1g.18gb": 5}, True),
        ("h100-94gb", {"4g.47gb": 1, "3g.47gb": 1}, True),
    ],
)
def test_worked_geometries(model: str, counts: dict[str, int], fits: bool) -> None:
    assert MIG_MODELS[model].holds(counts) is fits


@pytest.mark.parametrize("model", [A30, A100])
def test_geometries_are_the_maximal_cuts(model: MigModel) -> None:
    names = tuple(profile.name for profile in model.profiles)
    cuts = {
        tuple(sum(name == wanted for name, _ in layout) for wanted in names)
        for layout in layouts(model, names)
    }
    # A layout with a gap nothing fits in may be part of a larger cut placed otherwise; media profiles
    # may exist once only, which brute force does not know.
    legal = {cut for cut in cuts if model.holds(dict(zip(names, cut, strict=True)))}
    assert set(model.geometries()) <= legal
    for cut in legal:
        assert any(all(a <= b for a, b in zip(cut, other, strict=True)) for other in model.geometries())


@given(st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_whatever_a_gpu_holds_is_part_of_a_geometry_and_nothing_else_is(counts: list[int]) -> None:
    wanted = dict(zip((profile.name for profile in A100.profiles), counts, strict=True))
    is_part = any(all(a <= b for a, b in zip(counts, cut, strict=True)) for cut in A100.geometries())
    assert A100.holds(wanted) is is_part


def test_t4_cannot_be_cut() -> None:
    assert "t4" not in MIG_MODELS


def test_resources_name_profiles() -> None:
    assert mig_profile("nvidia.com/gpu") is None
    assert mig_models_with("1g.10gb") == ("a100-40gb", "a100-80gb", "h100-80gb")
    assert mig_models_with("1g.7gb") == ()
    for model in MIG_MODELS.values():
        for profile in model.profiles:
            assert mig_profile(profile.resource) == profile.name
            assert profile.name in set(known_profiles())
