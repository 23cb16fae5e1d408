"""How large the nodes are that a plan may buy: as the forecast says, or as one of its pods needs."""

from __future__ import annotations

from fractions import Fraction

from binwright_optimizer.model import Catalog, InstanceType, PodTemplate, Workload, labels
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.planning.mix import STEADY, most_that_fit, with_headroom


def most_node_cpu(forecast: Forecast, catalog: Catalog) -> int:
    """Milli-CPU of the largest node to buy from a price list.

    A pod that fits no node of the forecast's limit raises it to the smallest that it fits.
    """
    most = forecast.max_node_cpu_milli
    types = sorted(catalog.instance_types, key=lambda kind: kind.capacity[CPU])
    fill = Fraction(forecast.fill_ppm, PPM)
    for workload in forecast.workloads:
        pod = with_headroom(Workload(workload.name, workload.template, 1), fill).template
        pod = with_defaults(pod, EMBEDDED_CATALOG_DEFAULTS)
        most = max(most, next((kind.capacity[CPU] for kind in types if _holds(kind, pod)), most))
    return most


def _holds(kind: InstanceType, pod: PodTemplate) -> bool:
    """Whether an empty node of a type has room for a pod and the labels that it wants."""
    if not most_that_fit(pod.requests, kind.allocatable.minus(STEADY.overhead)):
        return False
    own = dict(kind.labels)
    for requirement in (*STEADY.requirements, *pod.node_selector):
        if requirement.key == labels.CAPACITY_TYPE:
            if not any(requirement.admits(str(offering.capacity_type)) for offering in kind.offerings):
                return False
        elif not requirement.admits(own.get(requirement.key)):
            return False
    return True
