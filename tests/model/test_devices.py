"""What DRA drivers show of devices, as far as a catalogue knows it."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model.cel import Version
from binwright_optimizer.model.devices import Device, device_of, shown_device
from binwright_optimizer.model.gpus import GPU_MODELS
from builders import GIB, instance_type


def test_an_nvidia_device_is_what_nvml_says() -> None:
    """16 GiB of a T4 are 15 GiB to its driver."""
    kind = dataclasses.replace(instance_type("g", gpu=1, gpu_model="t4", price=1), gpu_memory_bytes=16 * GIB)
    assert shown_device(kind) == Device(
        "gpu.nvidia.com",
        {
            "gpu.nvidia.com/type": "gpu",
            "gpu.nvidia.com/productName": "Tesla T4",
            "gpu.nvidia.com/architecture": "Turing",
            "gpu.nvidia.com/cudaComputeCapability": Version(7, 5, 0),
        },
        {"gpu.nvidia.com/memory": 15 * GIB},
    )


def test_boards_of_azures_nc_series_are_pcie_boards() -> None:
    kind = instance_type("Standard_NC24ads_A100_v4", gpu=1, gpu_model="a100-80gb", price=1)
    for cloud, name in (("azure", "NVIDIA A100 80GB PCIe"), ("aws", "NVIDIA A100-SXM4-80GB")):
        device = shown_device(dataclasses.replace(kind, cloud=cloud))
        assert device is not None
        assert device.attributes["gpu.nvidia.com/productName"] == name


def test_devices_of_other_makers_show_what_their_drivers_publish() -> None:
    amd = instance_type("a", price=1, gpu_model="mi300x", **{"amd.com/gpu": 8})
    neuron = instance_type("trn1.2xlarge", price=1, gpu_model="trainium", **{"aws.amazon.com/neuron": 1})
    amd, neuron = (dataclasses.replace(kind, gpu_memory_bytes=32 * GIB) for kind in (amd, neuron))
    expected = Device("gpu.amd.com", {"gpu.amd.com/type": "amdgpu"}, {"gpu.amd.com/memory": 32 * GIB})
    assert shown_device(amd) == expected
    assert shown_device(neuron) == Device(
        "neuron.aws.com", {"neuron.aws.com/instanceType": "trn1.2xlarge"}, {}
    )
    assert shown_device(instance_type("c", cpu=1, price=1)) is None
    assert device_of(instance_type("c", cpu=1, price=1), "qualcomm") is None


def test_no_board_shows_more_memory_than_it_has() -> None:
    for model in GPU_MODELS:
        kind = instance_type("g", gpu=1, gpu_model=model.name, price=1)
        kind = dataclasses.replace(kind, gpu_memory_bytes=model.memory_gib * GIB)
        device = device_of(kind, model.manufacturer)
        memory = 0 if device is None else device.capacity.get("gpu.nvidia.com/memory", 0)
        assert memory <= model.memory_gib * GIB
        if memory and not model.is_slice:
            assert memory >= 0.9 * model.memory_gib * GIB
