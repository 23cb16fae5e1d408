"""Pod affinity and anti-affinity: near to, or away from, other pods.

Semantics are kube-scheduler's (https://kubernetes.io/docs/concepts/scheduling-eviction/
assign-pod-node/#inter-pod-affinity-and-anti-affinity, plugin InterPodAffinity):

- A required affinity term admits a node that carries ``topology_key`` and whose domain holds a pod the
  term selects. Where no pod anywhere is selected by any of the pod's terms and the pod selects itself,
  the first one may start a domain on any node that carries the keys.
- A required anti-affinity term refuses the domains that hold a pod it selects. It also works the other
  way round: a pod placed already keeps away every later pod that its own terms select.
- A node without ``topology_key`` satisfies no affinity term and violates no anti-affinity term.
- A preferred term adds its weight to the nodes of such domains, or takes it away, once for each pod there.

Preferred terms are priced: see `PreferredPodTerm`.

A decision is judged by its final state. The affinity of a placed pod holds there if every one of its
terms finds in its domain a pod that all of its terms select and that can come before it: one that runs,
one without affinity, one whose own affinity holds so in turn; or if the pod may start the domain, which
takes that it selects itself, that no pod selected by its terms runs, and that none is placed elsewhere.
So pods that select themselves share one domain unless some of their like run already, and then they go
where those are; and pods that could only wait for each other are never placed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.topology import check_label_keys


@dataclass(frozen=True, slots=True)
class PodAffinityTerm:
    """Which pods, and how near: in the same domain of ``topology_key``.

    Parameters
    ----------
    selector
        Which pods, by label; None selects none.
    namespaces
        Namespaces of those pods, beside those that ``namespace_selector`` selects. Without either, the
        namespace of the pod that has the term.
    namespace_selector
        Namespaces by label; an empty selector means all of them.
    match_label_keys, mismatch_label_keys
        Keys whose values in the pod's own labels the others must, or must not, have.

    Raises
    ------
    WrongFieldError
        If a field is outside Kubernetes' rules.
    """

    topology_key: str
    selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.topology_key:
            raise WrongFieldError("topology_key", "", "must name a node label")
        if "" in self.namespaces:
            raise WrongFieldError("namespaces", "", "a namespace must not be empty")
        check_label_keys(self.match_label_keys, "match_label_keys", self.selector)
        check_label_keys(self.mismatch_label_keys, "mismatch_label_keys", self.selector)
        both = set(self.match_label_keys) & set(self.mismatch_label_keys)
        if both:
            raise WrongFieldError("mismatch_label_keys", min(both), "is among the keys to match too")
        for field in ("namespaces", "match_label_keys", "mismatch_label_keys"):
            object.__setattr__(self, field, tuple(sorted(set(getattr(self, field)))))

    def effective_selector(self, own_labels: Mapping[str, str]) -> LabelSelector | None:
        """The selector for a pod with these labels, the label keys included.

        Raises
        ------
        WrongFieldError
            If the keys contradict the selector, so that no pod could be selected.
        """
        if self.selector is None:
            return None
        equal = self.selector.with_own_values(self.match_label_keys, own_labels)
        return equal.with_own_values(self.mismatch_label_keys, own_labels, Operator.NOT_IN)

    def covers(self, namespace: str, namespace_labels: Mapping[str, str], own_namespace: str) -> bool:
        """Whether pods of a namespace with these labels are meant by a pod of ``own_namespace``."""
        if not self.namespaces and self.namespace_selector is None:
            return namespace == own_namespace
        if namespace in self.namespaces:
            return True
        return self.namespace_selector is not None and self.namespace_selector.matches(namespace_labels)


@dataclass(frozen=True, slots=True)
class PreferredPodTerm:
    """A preferred pod affinity term with a weight of 1 to 100.

    What a decision is charged for it, in the final state: each placed pod that states the term pays its
    weight where the domain of its node holds no other pod that the term selects; as anti-affinity, where
    it does hold one. Running pods are selected, and pay nothing themselves. A node without the label
    satisfies no affinity and violates no anti-affinity. kube-scheduler adds the weight up over the pods
    selected, and counts the terms of the pods that are there already as well: here a term counts once,
    and for the pod that states it.
    """

    weight: int
    term: PodAffinityTerm

    def __post_init__(self) -> None:
        if not 1 <= self.weight <= 100:
            raise WrongFieldError("weight", self.weight, "must be in 1..100")

    def words(self, *, is_near: bool) -> str:
        """The wish, of affinity or of anti-affinity, in words."""
        whom = "nobody" if self.term.selector is None else str(self.term.selector)
        where = "near" if is_near else "away from"
        return f"{where} pods with {whom} in {self.term.topology_key} (weight {self.weight})"


@dataclass(frozen=True, slots=True)
class PodAffinity:
    """Terms that must all hold, and terms that are preferred; of affinity or of anti-affinity."""

    required: tuple[PodAffinityTerm, ...] = ()
    preferred: tuple[PreferredPodTerm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.required or self.preferred)
