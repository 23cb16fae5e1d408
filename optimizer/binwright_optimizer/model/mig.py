"""MIG: the legal ways to cut an NVIDIA GPU into instances.

A GPU has memory slices in a row (8, and 4 on an A30). An instance of a profile takes ``size``
consecutive ones from one of the profile's start positions; instances must not overlap. That alone
keeps compute within its 7 (4) slices. A profile with media extensions (``+me``) may exist once.

Source: NVIDIA Multi-Instance GPU User Guide, "Supported MIG Profiles"
(https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html), and the start
positions that ``nvidia-smi mig -lgipp`` prints, in the section "Getting Started with MIG" and,
for H100, as published by its users. Profiles of one shape have the same positions on all 8-slice models.

Examples
--------
>>> mig_profile("nvidia.com/mig-1g.5gb.me")
'1g.5gb+me'
>>> a100 = MIG_MODELS["a100-40gb"]
>>> a100.holds({"3g.20gb": 2}), a100.holds({"4g.20gb": 1, "3g.20gb": 1, "1g.5gb": 1})
(True, False)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

RESOURCE_PREFIX = "nvidia.com/mig-"
_MEDIA = "+me"


@dataclass(frozen=True, slots=True)
class MigProfile:
    """A kind of GPU instance.

    Parameters
    ----------
    name
        As NVIDIA writes it: ``1g.5gb``, ``1g.5gb+me``.
    compute_slices, size
        Compute and memory slices it takes.
    starts
        Memory slices at which it may begin.
    most
        Instances of it on one GPU.
    """

    name: str
    compute_slices: int
    size: int
    starts: tuple[int, ...]
    most: int

    @property
    def resource(self) -> str:
        """Resource that the device plugin advertises under the ``mixed`` strategy."""
        return RESOURCE_PREFIX + self.name.replace("+", ".")


@dataclass(frozen=True, slots=True)
class MigModel:
    """A GPU model that MIG can cut.

    Parameters
    ----------
    gpu_model
        Canonical name, as in `binwright_optimizer.model.gpus`.
    memory_slices
        Slices in a row.
    profiles
        By falling size; profiles with media extensions after those without.
    """

    gpu_model: str
    memory_slices: int
    profiles: tuple[MigProfile, ...]

    def profile(self, name: str) -> MigProfile | None:
        """The profile of this name, or None if the model has no such profile."""
        return next((profile for profile in self.profiles if profile.name == name), None)

    def holds(self, counts: Mapping[str, int]) -> bool:
        """Whether one GPU can be cut into at least these instances, by profile name."""
        wanted = []
        for name, count in counts.items():
            profile = self.profile(name)
            if count and (profile is None or count > profile.most):
                return False
            wanted.extend([profile] * count if profile else [])
        wanted.sort(key=lambda p: (-p.size, len(p.starts), p.name))
        return sum(p.size for p in wanted) <= self.memory_slices and _fits(tuple(wanted), 0)

    def geometries(self) -> tuple[tuple[int, ...], ...]:
        """Every maximal cut: counts by profile, in the order of `profiles`, to which nothing can be added."""
        return _geometries(self)


def _fits(wanted: tuple[MigProfile, ...], taken: int) -> bool:
    """Whether the instances fit beside the slices of the bit set ``taken``."""
    if not wanted:
        return True
    first, rest = wanted[0], wanted[1:]
    mask = (1 << first.size) - 1
    return any(not taken & mask << start and _fits(rest, taken | mask << start) for start in first.starts)


@cache
def _geometries(model: MigModel) -> tuple[tuple[int, ...], ...]:
    found: set[tuple[int, ...]] = set()
    _extend(model, [0] * len(model.profiles), 0, found)
    names = [profile.name for profile in model.profiles]

    def can_grow(counts: tuple[int, ...]) -> bool:
        return any(
            model.holds(dict(zip(names, (*counts[:k], counts[k] + 1, *counts[k + 1 :]), strict=True)))
            for k in range(len(counts))
        )

    return tuple(sorted((counts for counts in found if not can_grow(counts)), reverse=True))


def _extend(model: MigModel, counts: list[int], first: int, found: set[tuple[int, ...]]) -> None:
    """Add every cut with more instances of the profiles from ``first`` on."""
    found.add(tuple(counts))
    names = [profile.name for profile in model.profiles]
    for k in range(first, len(counts)):
        counts[k] += 1
        if model.holds(dict(zip(names, counts, strict=True))):
            _extend(model, counts, k, found)
        counts[k] -= 1


def _eight_slices(gpu_model: str, one: str, two: str, half: str, whole: str) -> MigModel:
    """An 8-slice model from the memory in its profiles' names: 1/8, 2/8, 4/8 and all of it."""
    return MigModel(
        gpu_model,
        8,
        (
            MigProfile(f"7g.{whole}gb", 7, 8, (0,), 1),
            MigProfile(f"4g.{half}gb", 4, 4, (0,), 1),
            MigProfile(f"3g.{half}gb", 3, 4, (0, 4), 2),
            MigProfile(f"2g.{two}gb", 2, 2, (0, 2, 4), 3),
            MigProfile(f"1g.{two}gb", 1, 2, (0, 2, 4, 6), 4),
            MigProfile(f"1g.{one}gb", 1, 1, (0, 1, 2, 3, 4, 5, 6), 7),
            MigProfile(f"1g.{one}gb{_MEDIA}", 1, 1, (0, 1, 2, 3, 4, 5, 6), 1),
        ),
    )


MIG_MODELS: Mapping[str, MigModel] = {
    model.gpu_model: model
    for model in (
        MigModel(
            "a30",
            4,
            (
                MigProfile("4g.24gb", 4, 4, (0,), 1),
                MigProfile("2g.12gb", 2, 2, (0, 2), 2),
                MigProfile(f"2g.12gb{_MEDIA}", 2, 2, (0, 2), 1),
                MigProfile("1g.6gb", 1, 1, (0, 1, 2, 3), 4),
                MigProfile(f"1g.6gb{_MEDIA}", 1, 1, (0, 1, 2, 3), 1),
            ),
        ),
        _eight_slices("a100-40gb", "5", "10", "20", "40"),
        _eight_slices("a100-80gb", "10", "20", "40", "80"),
        _eight_slices("h100-80gb", "10", "20", "40", "80"),
        _eight_slices("h100-94gb", "12", "24", "47", "94"),
        _eight_slices("h200", "18", "35", "71", "141"),
    )
}
"""Models that MIG can cut, by canonical name."""


def mig_profile(resource: str) -> str | None:
    """The profile that a resource name asks for; None if it is no MIG resource."""
    if not resource.startswith(RESOURCE_PREFIX):
        return None
    name = resource.removeprefix(RESOURCE_PREFIX)
    return name.removesuffix(".me") + _MEDIA if name.endswith(".me") else name


def mig_models_with(profile: str) -> tuple[str, ...]:
    """GPU models that have a profile of this name, sorted; empty if none has."""
    return tuple(sorted(name for name, model in MIG_MODELS.items() if model.profile(profile)))


def known_profiles() -> Iterator[str]:
    """Every profile name once, by model."""
    yield from dict.fromkeys(p.name for model in MIG_MODELS.values() for p in model.profiles)
