"""One spelling of accelerators for all clouds."""

from __future__ import annotations

import re

import pytest
from binwright_optimizer.model.gpus import (
    GPU_MODELS,
    canonical_gpu_models,
    gpu_model,
    gpu_model_with_memory,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("T4", ("t4",)),
        ("t4g", ("t4g",)),
        ("NVIDIA-Tesla-T4", ("t4",)),
        ("nvidia-l4", ("l4",)),
        ("Tesla-V100-SXM2-16GB", ("v100-16gb",)),
        ("Tesla V100-PCIE-32GB", ("v100-32gb",)),
        ("V100M16", ("v100-16gb",)),
        ("V100M32", ("v100-32gb",)),
        ("V100", ("v100-16gb", "v100-32gb")),
        ("nvidia_tesla_p100", ("p100",)),
        ("A10", ("a10",)),
        ("A10G", ("a10g",)),
        ("A100", ("a100-40gb", "a100-80gb")),
        ("nvidia-tesla-a100", ("a100-40gb",)),
        ("nvidia-a100-80gb", ("a100-80gb",)),
        ("A100-SXM4-80GB", ("a100-80gb",)),
        ("A800-SXM4-80GB", ("a800-80gb",)),
        ("NVIDIA-H100-80GB-HBM3", ("h100-80gb",)),
        ("nvidia-h100-mega-80gb", ("h100-80gb",)),
        ("NVIDIA H100 NVL", ("h100-94gb",)),
        ("nvidia-h200-141gb", ("h200",)),
        ("H800", ("h800",)),
        ("RTX Pro 6000", ("rtx-pro-6000",)),
        ("NVIDIA-GeForce-RTX-4090", ("rtx-4090",)),
        ("AMD Instinct MI300X", ("mi300x",)),
        ("V710", ("radeon-pro-v710",)),
        ("a10-4gb", ("a10-4gb",)),
    ],
)
def test_names_in_the_wild_have_a_canonical_model(name: str, models: tuple[str, ...]) -> None:
    assert canonical_gpu_models(name) == models


@pytest.mark.parametrize("name", ["G2", "G3", "GPU-series-1", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A10-6GB"])
def test_unknown_names_come_back_in_lower_case(name: str) -> None:
    assert canonical_gpu_models(name) == (name.lower(),)


def test_a_board_never_means_a_slice_of_it() -> None:
    slices = {model.name for model in GPU_MODELS if model.is_slice}
    assert slices
    for model in GPU_MODELS:
        assert not slices & set(canonical_gpu_models(model.family))


def test_every_canonical_name_and_alias_means_its_own_model() -> None:
    for model in GPU_MODELS:
        for name in (model.name, *model.aliases):
            assert canonical_gpu_models(name) == (model.name,)
        assert model.name in canonical_gpu_models(model.family) or model.is_slice
        assert gpu_model(model.name) is model


def test_canonical_names_are_valid_label_values() -> None:
    for model in GPU_MODELS:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", model.name)
    assert len({model.name for model in GPU_MODELS}) == len(GPU_MODELS)


@pytest.mark.parametrize(
    ("name", "memory_mib", "model"),
    [
        ("v100", 16_384, "v100-16gb"),
        ("v100", 32_768, "v100-32gb"),
        ("a100", 40_960, "a100-40gb"),
        ("H100", 81_559, "h100-80gb"),
        ("H100", 95_830, "h100-94gb"),
        ("L4", 22_888, "l4"),
        ("t4", 0, "t4"),
    ],
)
def test_memory_tells_boards_of_one_name_apart(name: str, memory_mib: int, model: str) -> None:
    assert gpu_model_with_memory(name, memory_mib).name == model


@pytest.mark.parametrize(("name", "memory_mib"), [("v100", 24_576), ("a100", 0), ("g2", 16_384)])
def test_a_model_that_memory_cannot_settle_is_an_error(name: str, memory_mib: int) -> None:
    with pytest.raises(ValueError, match="no single GPU model"):
        gpu_model_with_memory(name, memory_mib)


@pytest.mark.parametrize("name", ["", "  ", "--"])
def test_an_empty_name_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        canonical_gpu_models(name)


@given(st.sampled_from([model.name for model in GPU_MODELS]), st.sampled_from(["-", "_", " "]), st.booleans())
def test_case_separators_and_the_maker_do_not_matter(name: str, separator: str, maker: bool) -> None:
    written = name.upper().replace("-", separator)
    if maker:
        written = f"NVIDIA{separator}{written}"
    assert canonical_gpu_models(written) == (name,)
