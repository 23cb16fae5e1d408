"""Where pods may be beside node selection and taints, for the bound: volumes, ports, other pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from binwright_optimizer.model import HostPort, NodeSelectorTerm, PodTemplate, Problem, Taint
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.compatibility import BoolArray, LabelRows
from binwright_optimizer.verify.host_ports import clash
from binwright_optimizer.verify.other_pods import ALL, Left, OtherPods


@dataclass(frozen=True, slots=True)
class Place:
    """What decides where a pod may be, beside node selection, taints and claims.

    Parameters
    ----------
    topologies
        Of each volume, terms of which a node must satisfy one.
    ports
        Ports that it wants, if any daemon has one.
    left
        What other pods leave to it.
    """

    topologies: tuple[tuple[NodeSelectorTerm, ...], ...] = ()
    ports: tuple[HostPort, ...] = ()
    left: Left = ALL


ANYWHERE = Place()


class Admission:
    """Places of the workloads of one problem.

    Attributes
    ----------
    places
        Distinct ones; the first is `ANYWHERE`.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._others = OtherPods(problem)
        self._daemons = [daemon.template for daemon in problem.daemon_sets if daemon.template.host_ports]
        self._is_simple = not self._daemons and not self._others.has_rules
        self.places = [ANYWHERE]
        self._number: dict[Place, int] = {ANYWHERE: 0}

    def place_of(self, workload: int) -> int:
        """Number of the place of a workload's pods."""
        template = self._problem.workloads[workload].template
        if self._is_simple and not template.volumes:
            return 0
        ports = template.host_ports if self._daemons else ()
        left = self._others.left(workload)
        if not template.volumes and not ports and left is ALL:
            return 0
        topologies = dict.fromkeys(volume.topology for volume in template.volumes if volume.topology)
        place = Place(tuple(topologies), ports, left)
        number = self._number.setdefault(place, len(self.places))
        if number == len(self.places):
            self.places.append(place)
        return number

    def mentioned(self) -> frozenset[str]:
        """Labels that decide about places."""
        terms = [term for place in self.places for topology in place.topologies for term in topology]
        terms += [place.left.where for place in self.places]
        return frozenset(requirement.key for term in terms for requirement in term)

    def on(self, number: int, nodes: LabelRows, taints: Sequence[tuple[Taint, ...]]) -> BoolArray:
        """Which nodes with these labels and taints a pod of a place may be on: bool (row,).

        A label still to be chosen may take any one admissible value; a daemon that may or may not land
        holds no ports.
        """
        place = self.places[number]
        allowed = np.ones(nodes.n_rows, dtype=bool)
        for topology in place.topologies:
            allowed &= nodes.admit(PodTemplate(node_affinity=topology))
        if place.left.where:
            allowed &= nodes.admit(PodTemplate(node_selector=place.left.where))
        if not nodes.is_new and place.left.off:
            allowed[list(place.left.off)] = False
        for daemon in self._daemons if place.ports else ():
            if clash(place.ports, daemon.host_ports):
                lands = nodes.surely_admit(daemon)
                lands &= np.array([untolerated(some, daemon.tolerations) is None for some in taints])
                allowed &= ~lands
        return allowed
