"""Accelerator models in one spelling for all clouds, and the spellings found in the wild.

A model has one canonical name, such as ``t4`` or ``a100-80gb``; the memory is part of the name
where boards of one model are sold with different memory. A slice of a board that a cloud sells as
a device of its own has the memory of the slice in its name (``a10-4gb``), so that a pod that asks
for the board never lands on a slice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

MEMORY_TOLERANCE = 0.1
"""Clouds report up to 7 % less device memory than the board's nominal size (ECC, rounding of GB
and GiB); the sizes of boards of one model differ by at least 15 %."""


WHOLE_DEVICES = {
    "nvidia.com/gpu": "nvidia",
    "amd.com/gpu": "amd",
    "habana.ai/gaudi": "habana",
    "aws.amazon.com/neuron": "aws",
}
"""Resources that count whole devices, and who makes these."""


@dataclass(frozen=True, slots=True)
class GpuModel:
    """An accelerator.

    Parameters
    ----------
    name
        Canonical name.
    family
        Name without memory; what it is called where the memory is not told.
    manufacturer
        ``nvidia``, ``amd``, ``aws``, ``habana`` or ``qualcomm``.
    memory_gib
        Nominal memory of one device; 0 where it plays no role.
    aliases
        Further spellings, in the form of `_key`, that no rule of `canonical_gpu_models` covers.
    is_slice
        A part of a board; its family alone does not mean it.
    """

    name: str
    family: str
    manufacturer: str
    memory_gib: int = 0
    aliases: tuple[str, ...] = ()
    is_slice: bool = False


GPU_MODELS: tuple[GpuModel, ...] = (
    GpuModel("k80", "k80", "nvidia", 12),
    GpuModel("m60", "m60", "nvidia", 8),
    GpuModel("p4", "p4", "nvidia", 8),
    GpuModel("p40", "p40", "nvidia", 24),
    GpuModel("p100", "p100", "nvidia", 16),
    GpuModel("v100-16gb", "v100", "nvidia", 16, ("v100m16",)),
    GpuModel("v100-32gb", "v100", "nvidia", 32, ("v100m32",)),
    GpuModel("t4", "t4", "nvidia", 16),
    GpuModel("t4g", "t4g", "nvidia", 16),
    GpuModel("a2", "a2", "nvidia", 16),
    GpuModel("a10", "a10", "nvidia", 24),
    GpuModel("a10-4gb", "a10", "nvidia", 4, is_slice=True),
    GpuModel("a10-8gb", "a10", "nvidia", 8, is_slice=True),
    GpuModel("a10-12gb", "a10", "nvidia", 12, is_slice=True),
    GpuModel("a10g", "a10g", "nvidia", 24),
    GpuModel("a16", "a16", "nvidia", 16),
    GpuModel("a30", "a30", "nvidia", 24),
    GpuModel("a40", "a40", "nvidia", 48),
    # GKE calls the 40 GB board by its family alone: cloud.google.com/gke-accelerator.
    GpuModel("a100-40gb", "a100", "nvidia", 40, ("nvidia-tesla-a100",)),
    GpuModel("a100-80gb", "a100", "nvidia", 80),
    GpuModel("a800-40gb", "a800", "nvidia", 40),
    GpuModel("a800-80gb", "a800", "nvidia", 80),
    GpuModel("l4", "l4", "nvidia", 24),
    GpuModel("l20", "l20", "nvidia", 48),
    GpuModel("l40", "l40", "nvidia", 48),
    GpuModel("l40s", "l40s", "nvidia", 48),
    GpuModel("h20", "h20", "nvidia", 96),
    GpuModel("h100-80gb", "h100", "nvidia", 80),
    GpuModel("h100-94gb", "h100", "nvidia", 94, ("h100-nvl",)),
    GpuModel("h200", "h200", "nvidia", 141),
    GpuModel("h800", "h800", "nvidia", 80),
    GpuModel("b200", "b200", "nvidia", 180),
    GpuModel("b300", "b300", "nvidia", 288),
    GpuModel("rtx-3090", "rtx-3090", "nvidia", 24),
    GpuModel("rtx-4090", "rtx-4090", "nvidia", 24),
    GpuModel("rtx-5090", "rtx-5090", "nvidia", 32),
    GpuModel("rtx-a6000", "rtx-a6000", "nvidia", 48),
    GpuModel("rtx-pro-4500", "rtx-pro-4500", "nvidia", 32),
    GpuModel(
        "rtx-pro-6000",
        "rtx-pro-6000",
        "nvidia",
        96,
        ("rtx-pro-server-6000", "rtx-pro-6000-blackwell", "rtx-pro-6000-blackwell-server-edition"),
    ),
    GpuModel("radeon-pro-v520", "radeon-pro-v520", "amd", 8, ("v520",)),
    GpuModel("radeon-pro-v620", "radeon-pro-v620", "amd", 32, ("v620",)),
    GpuModel("radeon-pro-v620-8gb", "radeon-pro-v620", "amd", 8, is_slice=True),
    GpuModel("radeon-pro-v620-16gb", "radeon-pro-v620", "amd", 16, is_slice=True),
    GpuModel("radeon-pro-v710", "radeon-pro-v710", "amd", 24, ("v710",)),
    GpuModel("radeon-pro-v710-4gb", "radeon-pro-v710", "amd", 4, is_slice=True),
    GpuModel("radeon-pro-v710-8gb", "radeon-pro-v710", "amd", 8, is_slice=True),
    GpuModel("radeon-pro-v710-12gb", "radeon-pro-v710", "amd", 12, is_slice=True),
    GpuModel("mi25", "mi25", "amd", 16),
    GpuModel("mi300x", "mi300x", "amd", 192),
    GpuModel("inferentia", "inferentia", "aws", aliases=("inferentia1",)),
    GpuModel("inferentia2", "inferentia2", "aws", 32),
    GpuModel("trainium", "trainium", "aws", 32, ("trainium1",)),
    GpuModel("trainium2", "trainium2", "aws", 96),
    GpuModel("gaudi", "gaudi", "habana", 32, ("gaudi-hl-205", "hl-205")),
    GpuModel("qualcomm-ai100", "qualcomm-ai100", "qualcomm", 0, ("ai100", "cloud-ai-100")),
)
"""Every model this program can name."""

_NOISE = frozenset({
    "nvidia", "tesla", "geforce", "amd", "instinct", "aws", "habana", "intel", "qualcomm", "gpu",
    "sxm", "sxm2", "sxm3", "sxm4", "sxm5", "pcie", "pcie3", "pcie4", "pcie5", "oam", "hbm2", "hbm2e",
    "hbm3", "hbm3e", "mega",
})  # fmt: skip
"""Words that makers, clouds and drivers put around a model: maker, board form, memory kind."""

_MEMORY = re.compile(r"^(\d{1,4})(?:g|gb|gib)$")


def canonical_gpu_models(name: str) -> tuple[str, ...]:
    """Canonical models that a name in the wild may mean, sorted.

    A name without memory means every board of its family, but no slice of one. A name that is
    not known comes back in lower case as it is: it matches no offering, and the reason shown then
    names what the user wrote.

    Raises
    ------
    ValueError
        If the name is empty.

    Examples
    --------
    >>> canonical_gpu_models("NVIDIA-Tesla-T4"), canonical_gpu_models("A100-SXM4-80GB")
    (('t4',), ('a100-80gb',))
    >>> canonical_gpu_models("V100"), canonical_gpu_models("V100M32"), canonical_gpu_models("G2")
    (('v100-16gb', 'v100-32gb'), ('v100-32gb',), ('g2',))
    """
    key = _key(name)
    if not key:
        raise ValueError("a GPU model needs a name, such as t4 or a100-80gb")
    exact = _spellings().get(key)
    if exact is not None:
        return exact
    words: list[str] = []
    memories: list[int] = []
    for word in key.split("-"):
        memory = _MEMORY.match(word)
        if memory is not None:
            memories.append(int(memory[1]))
        elif word not in _NOISE:
            words.append(word)
    # Two sizes name a MIG slice (1g.5gb), which is none of our models.
    if len(memories) <= 1:
        models = _spellings().get("-".join(words), ())
        if models and memories:
            family = _by_name()[models[0]].family
            models = tuple(m.name for m in GPU_MODELS if (m.family, m.memory_gib) == (family, memories[0]))
        if models:
            return models
    return (name.strip().lower(),)


def gpu_model_with_memory(name: str, memory_mib: int) -> GpuModel:
    """The model that ``name`` means, told apart by the memory of one device.

    Parameters
    ----------
    memory_mib
        As the cloud reports it; 0 if it does not.

    Raises
    ------
    ValueError
        If no model, or more than one, agrees.

    Examples
    --------
    >>> gpu_model_with_memory("H100", 95830).name
    'h100-94gb'
    """
    models = [_by_name()[model] for model in canonical_gpu_models(name) if model in _by_name()]
    if memory_mib and len(models) > 1:
        models.sort(key=lambda model: abs(model.memory_gib * 1024 - memory_mib))
        nearest = models[0].memory_gib * 1024
        models = models[:1] if abs(nearest - memory_mib) <= MEMORY_TOLERANCE * nearest else []
    if len(models) != 1:
        raise ValueError(f"no single GPU model is called {name!r} and has {memory_mib} MiB")
    return models[0]


def gpu_model(name: str) -> GpuModel:
    """The model with this canonical name; raises KeyError if there is none."""
    return _by_name()[name]


def _key(name: str) -> str:
    """Lower case, with single dashes for whatever separates words.

    >>> _key(" NVIDIA_Tesla T4")
    'nvidia-tesla-t4'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@cache
def _by_name() -> dict[str, GpuModel]:
    return {model.name: model for model in GPU_MODELS}


@cache
def _spellings() -> dict[str, tuple[str, ...]]:
    """Models by exact key: canonical names and aliases, then families."""
    spellings: dict[str, tuple[str, ...]] = {}
    for model in GPU_MODELS:
        if not model.is_slice:
            spellings[model.family] = tuple(sorted((*spellings.get(model.family, ()), model.name)))
    for model in GPU_MODELS:
        for key in (*model.aliases, model.name):
            # A family whose one board bears its name stays as it is.
            spellings[key] = (model.name,)
    return spellings
