"""What is meant where nothing is said: the implicit NodePool and pods' silent choices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from binwright_optimizer.model import labels
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.pods import PodTemplate
from binwright_optimizer.model.requirements import Operator, Requirement

IMPLICIT_NODE_POOL = NodePool(name="default", requirements=(Requirement(labels.OS, Operator.IN, ("linux",)),))
"""Used when a problem names no NodePool: every linux type the catalogue sells."""

EMBEDDED_CATALOG_DEFAULTS = (
    Requirement(labels.ARCH, Operator.IN, ("amd64",)),
    Requirement(labels.CAPACITY_TYPE, Operator.IN, ("on-demand",)),
)
"""What a pod gets on the implicit NodePool of an embedded catalogue where it is silent: an image
may not run on arm64, and spot must be asked for."""


def with_defaults(template: PodTemplate, defaults: Iterable[Requirement]) -> PodTemplate:
    """The template with each default added whose key no requirement of the pod names."""
    named = {r.key for r in template.node_selector}
    named.update(r.key for term in template.node_affinity for r in term)
    missing = tuple(r for r in defaults if r.key not in named)
    return replace(template, node_selector=template.node_selector + missing) if missing else template
