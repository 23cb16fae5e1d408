"""Topology spread constraints: pods evenly over zones, nodes or any other node label.

Semantics are kube-scheduler's (https://kubernetes.io/docs/concepts/scheduling-eviction/
topology-spread-constraints/ and its plugin PodTopologySpread). For a pod of the constraint:

- Only pods of the pod's own namespace that `TopologySpread.selects` count, those already running
  included; the pod itself counts only if it selects itself.
- Domains are the values of ``topology_key`` on eligible nodes: nodes that carry the keys of *all*
  DoNotSchedule constraints of the pod, that its node selector and required node affinity admit
  (unless ``node_affinity_policy`` is Ignore), and, if ``node_taints_policy`` is Honor, whose taints it
  tolerates.
- After each placement, (count in the domain) - (smallest count over all domains) <= ``max_skew``,
  where the smallest count is taken as 0 while there are fewer than ``min_domains`` domains. So with
  more ``min_domains`` than there can be, ``max_skew`` is a plain cap per domain.

With ScheduleAnyway a constraint is priced. In the final state,

- a domain's excess is (count in the domain) - (smallest count over all domains) - ``max_skew``, as far as
  it is positive. Pods are counted on nodes that carry ``topology_key`` and that the two policies admit;
  all domains are those of such running nodes and of nodes that could be bought for the pod. A further
  node can always be had, so that the smallest count by host name is 0.
- Of the placed pods in a domain that state equal constraints, with equal selectors, node selection and
  tolerations, as many pay `SPREAD_WEIGHT` points as the excess is, if there are so many: those of the
  first workloads.
- So does each placed pod on a node without the label.

kube-scheduler gives these constraints no weight: it compares nodes by their counts, those of constraints
with more domains weighing more, when one pod comes. Here only what is beyond ``max_skew`` counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.selectors import LabelSelector

SPREAD_WEIGHT = 100
"""Weight of a pod beyond ``max_skew`` of a constraint with ScheduleAnyway; Kubernetes gives these none."""


class WhenUnsatisfiable(StrEnum):
    """What a constraint that cannot be kept does: forbid the node, or make it less welcome."""

    DO_NOT_SCHEDULE = "DoNotSchedule"
    SCHEDULE_ANYWAY = "ScheduleAnyway"


class NodeInclusionPolicy(StrEnum):
    """Whether node affinity or taints decide which nodes form the domains."""

    HONOR = "Honor"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class TopologySpread:
    """One topology spread constraint of a pod, named and defaulted as in Kubernetes.

    Parameters
    ----------
    selector
        Which pods count; None selects none.
    min_domains
        Fewest domains; only with DoNotSchedule.
    match_label_keys
        Keys whose values in the pod's own labels are added to the selector.

    Raises
    ------
    WrongFieldError
        If a field is outside Kubernetes' rules.
    """

    topology_key: str
    max_skew: int
    when_unsatisfiable: WhenUnsatisfiable = WhenUnsatisfiable.DO_NOT_SCHEDULE
    selector: LabelSelector | None = None
    min_domains: int = 1
    node_affinity_policy: NodeInclusionPolicy = NodeInclusionPolicy.HONOR
    node_taints_policy: NodeInclusionPolicy = NodeInclusionPolicy.IGNORE
    match_label_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.topology_key:
            raise WrongFieldError("topology_key", "", "must name a node label")
        if not 1 <= self.max_skew < 2**31:
            raise WrongFieldError("max_skew", self.max_skew, "must be at least 1")
        if not 1 <= self.min_domains < 2**31:
            raise WrongFieldError("min_domains", self.min_domains, "must be at least 1")
        if self.min_domains > 1 and not self.is_required:
            raise WrongFieldError("min_domains", self.min_domains, "goes with DoNotSchedule only")
        check_label_keys(self.match_label_keys, "match_label_keys", self.selector)
        object.__setattr__(self, "match_label_keys", tuple(sorted(set(self.match_label_keys))))

    def __str__(self) -> str:
        whom = "nobody" if self.selector is None else str(self.selector)
        return f"spread over {self.topology_key} with maxSkew {self.max_skew} of pods with {whom}"

    @property
    def is_required(self) -> bool:
        """Whether it forbids nodes, rather than making them less welcome."""
        return self.when_unsatisfiable is WhenUnsatisfiable.DO_NOT_SCHEDULE

    def effective_selector(self, own_labels: Mapping[str, str]) -> LabelSelector | None:
        """The selector for a pod with these labels, `match_label_keys` included."""
        if self.selector is None:
            return None
        return self.selector.with_own_values(self.match_label_keys, own_labels)

    def selects(self, own_labels: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        """Whether a pod with ``labels``, in the namespace of the constraint's pod, counts."""
        selector = self.effective_selector(own_labels)
        return selector is not None and selector.matches(labels)


def check_label_keys(keys: tuple[str, ...], field: str, selector: LabelSelector | None) -> None:
    """Refuse label keys without a selector or without a name.

    A key that the selector names too is refused where problems are read, as API servers do, and not here:
    they write the values of these keys into the selectors of pods that they create.
    """
    if keys and selector is None:
        raise WrongFieldError(field, ", ".join(keys), "goes with a label selector only")
    if "" in keys:
        raise WrongFieldError(field, "", "a label key must not be empty")
