"""Resource lists of manifests: YAML text and numbers to checked quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY

from binwright_clients.kubernetes.schema import Report
from binwright_clients.spelling import suggestion

_NATIVE = (CPU, MEMORY, EPHEMERAL_STORAGE)


def quantity_text(value: str | int | float) -> str:
    """A quantity as text; YAML lets it be a number."""
    return value.strip() if isinstance(value, str) else repr(value)


def read_quantities(amounts: Mapping[str, Any] | None, path: str, report: Report) -> dict[str, str]:
    """Quantities by resource; malformed ones are reported and left out."""
    texts = {}
    for resource, value in (amounts or {}).items():
        text = quantity_text(value)
        try:
            parse_quantity(text, resource)
        except ValueError as error:
            report(f"{path}[{resource}]", text, str(error))
        else:
            texts[resource] = text
    return texts


def read_container_quantities(amounts: Mapping[str, Any] | None, path: str, report: Report) -> dict[str, str]:
    """Quantities that a container may ask for: native resources and names with a domain.

    Kubernetes refuses other names, so that ``cpus: 2`` is a mistake and not a new resource.
    """
    texts = read_quantities(amounts, path, report)
    for resource in tuple(texts):
        if resource not in _NATIVE and "/" not in resource and not resource.startswith("hugepages-"):
            hint = suggestion(resource, (*_NATIVE, "nvidia.com/gpu"))
            report(
                f"{path}[{resource}]",
                texts.pop(resource),
                f"is no resource of Kubernetes: extended resources look like example.com/name{hint}",
            )
    return texts
