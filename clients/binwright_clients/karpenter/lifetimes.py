"""How long nodes of a NodePool live; Karpenter copies it from the template to each NodeClaim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NodeLifetime:
    """Durations as Karpenter spells them (``720h``, ``Never``); empty where the template is silent."""

    expire_after: str = ""
    termination_grace_period: str = ""

    def fields(self) -> dict[str, str]:
        """Those that are set, as a NodeClaim's spec names them."""
        named = {
            "expireAfter": self.expire_after,
            "terminationGracePeriod": self.termination_grace_period,
        }
        return {field: value for field, value in named.items() if value}


def lifetime_of(template_spec: Mapping[str, Any]) -> NodeLifetime:
    """The lifetime in a NodePool's ``spec.template.spec``.

    Examples
    --------
    >>> lifetime_of({"expireAfter": "Never"}).fields()
    {'expireAfter': 'Never'}
    """
    return NodeLifetime(
        str(template_spec.get("expireAfter") or ""), str(template_spec.get("terminationGracePeriod") or "")
    )
