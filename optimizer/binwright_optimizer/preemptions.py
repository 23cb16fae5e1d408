"""Running pods that kube-scheduler would evict for pods whose place is yet to be bought, or that have none.

A decision evicts nobody. kube-scheduler does, before any node comes up: it takes pods from its queue by
priority; one that finds no room on a running node gets it where pods of lower priority can make room
(https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/). Its queue is followed
here:

- Pods go to where the decision puts them on running nodes; a pod of higher priority that the decision buys a
  node for comes first nevertheless, where there is room on a running node.
- On a node all pods of lower priority go, and come back one by one, the highest first, while there is room
  (``SelectVictimsOnNode`` in k8s.io/kubernetes). Of the first `CANDIDATES` nodes where that helps, the one is
  taken whose victims' highest priority is lowest, then their sum, then their number
  (``pickOneNodeForPreemption``).

Not looked at are PodDisruptionBudgets, which kube-scheduler heeds where it can; when pods started, which
decides between equals; and rules about other pods, ports, volumes, devices and gangs: of pods under these it
is said that they may preempt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.extract import Placed
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.candidates import resource_vector
from binwright_optimizer.instance.selections import Selections
from binwright_optimizer.model import PodRange, PodTemplate, Problem, RunningPods, Workload
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.preemption_words import Eviction, counted, told

CANDIDATES = 100
"""Nodes among which one is chosen, as kube-scheduler does (``minCandidateNodesAbsolute``)."""
MOST_WEIGHED = 500
"""Evictions that are worked out, some 30 microseconds each; what is left then is only counted."""
MOST_ENTRIES = 10_000
"""Entries of running pods that are looked at; kube-scheduler, too, tries a part of the nodes only."""
MOST_PAIRS = 1_000_000
"""Kinds of pods times running nodes that are looked at, some 10 milliseconds."""
LEAST_PRIORITY = -(2**31)
"""Priorities are 32 bits wide; counted from here, a sum of them is never less for more pods."""

Loss = tuple[int, int, int]
"""What is lost by an eviction: the highest priority, the sum, how many pods."""
KindOfPods = tuple[int, bool]
"""Number of the kind in `Kinds`, and whether its pods preempt."""


def preemptions(instance: Instance, placed: Placed) -> tuple[str, ...]:
    """Warnings about running pods that kube-scheduler would evict for pods bought for or left out."""
    problem = instance.problem
    nodes = problem.existing_nodes
    top = max((w.template.priority for w in problem.workloads if w.template.preempts), default=LEAST_PRIORITY)
    lowest = min((pods.template.priority for node in nodes for pods in node.pods), default=top)
    if lowest >= top:
        return ()
    waiting = [
        pods
        for pods in chain(chain.from_iterable(claim.pods for claim in placed.node_claims), placed.left_out)
        if problem.workloads[pods.workload].template.priority > lowest
    ]
    if not waiting:
        return ()
    queue = _Queue(instance, {pods.workload for pods in waiting}, top)
    queue.serve(waiting, _placed_above(problem, placed, lowest))
    return tuple(told(problem, list(queue.evictions.values()), queue.unseen))


def _placed_above(problem: Problem, placed: Placed, lowest: int) -> list[tuple[int, PodRange]]:
    """Pods above a priority that the decision puts on running nodes, with these by number."""
    number = {node.name: n for n, node in enumerate(problem.existing_nodes)}
    return [
        (number[placement.node], pods)
        for placement in placed.existing
        for pods in placement.pods
        if problem.workloads[pods.workload].template.priority > lowest
    ]


class _Queue:
    """kube-scheduler's queue, followed on the running nodes."""

    def __init__(self, instance: Instance, waiting: Collection[int], top: int) -> None:
        self.evictions: dict[tuple[int, int], Eviction] = {}
        """By node and kind."""
        self.unseen = 0
        """Pods that were not looked at."""
        self._problem = instance.problem
        self._localized = instance.origin.localized
        self._kind_of = instance.origin.kinds.workload_kind
        kinds, samples = np.unique(self._kind_of, return_index=True)
        self._sample = {
            k: self._problem.workloads[w] for k, w in zip(kinds.tolist(), samples.tolist(), strict=True)
        }
        asked = {name for each in self._sample.values() for name, _ in each.template.requests}
        self._resources = (PODS, *sorted(asked - {PODS}))
        self._requests: dict[int, NDArray[np.int64]] = {}
        self._room = _room(instance, self._resources)
        self._taken: set[int] = set()
        self._local_kinds: dict[int, list[int]] = defaultdict(list)
        for local, content in enumerate(self._localized.contents):
            for k, _ in content:
                self._local_kinds[k].append(local)
        self._running, self._is_cut = self._entries(waiting, top)
        priorities = [pods.template.priority for _, pods in self._running]
        self._priority = np.array(priorities, dtype=np.int64)
        self._left = [pods.count for _, pods in self._running]
        self._node = np.array([n for n, _ in self._running], dtype=np.intp)
        self._first = np.searchsorted(self._node, np.arange(len(self._room) + 1)).tolist()
        self._amounts = _amounts([pods for _, pods in self._running], self._resources)
        self._kept_away = _kept_away(self._problem)
        self._pairs = self._weighed = 0

    def _entries(self, waiting: Collection[int], top: int) -> tuple[list[tuple[int, RunningPods]], bool]:
        """Pods below a priority, those of a node together and the highest first; whether there are more.

        Only those of nodes that admit some of the workloads that wait.
        """
        preempting = {int(self._kind_of[w]) for w in waiting if self._problem.workloads[w].template.preempts}
        reach = np.zeros(len(self._room), dtype=bool)
        for k in preempting:
            reach |= self._is_open(k)
        found: list[tuple[int, RunningPods]] = []
        for n in np.flatnonzero(reach).tolist():
            if len(found) > MOST_ENTRIES:
                return found, True
            lower = [pods for pods in self._problem.existing_nodes[n].pods if pods.template.priority < top]
            lower.sort(key=_priority, reverse=True)
            found += [(n, pods) for pods in lower]
        return found, False

    def serve(self, waiting: Iterable[PodRange], placed: Iterable[tuple[int, PodRange]]) -> None:
        """Follow the queue.

        Parameters
        ----------
        waiting
            Pods that have no running node.
        placed
            Pods that the decision puts on a running node, by its number.
        """
        seated: dict[int, list[tuple[int, PodRange]]] = defaultdict(list)
        for n, pods in placed:
            seated[self._template(pods).priority].append((n, pods))
        standing: dict[int, list[PodRange]] = defaultdict(list)
        for pods in waiting:
            standing[self._template(pods).priority].append(pods)
        for priority in sorted({*seated, *standing}, reverse=True):
            kinds: dict[KindOfPods, list[PodRange]] = {}
            for pods in (*standing[priority], *self._seat(seated[priority])):
                key = int(self._kind_of[pods.workload]), self._template(pods).preempts
                kinds.setdefault(key, []).append(pods)
            if not kinds:
                continue
            freeable = self._freeable(priority)
            for (k, preempts), ranges in kinds.items():
                self._find_room(k, ranges[::-1], freeable, priority if preempts else LEAST_PRIORITY)

    def _template(self, pods: PodRange) -> PodTemplate:
        return self._problem.workloads[pods.workload].template

    def _seat(self, placed: Sequence[tuple[int, PodRange]]) -> list[PodRange]:
        """Give pods their places; returns those whose places others took before."""
        if not placed:
            return []
        kinds = [int(self._kind_of[pods.workload]) for _, pods in placed]
        nodes = np.array([n for n, _ in placed], dtype=np.intp)
        counts = np.array([pods.count for _, pods in placed], dtype=np.int64)
        wanted = np.array([self._request(k) for k in kinds]) * counts[:, None]
        is_taken = np.isin(nodes, list(self._taken))
        np.subtract.at(self._room, nodes[~is_taken], wanted[~is_taken])
        late = []
        for i in np.flatnonzero(is_taken).tolist():
            n, pods = placed[i]
            stay = min(pods.count, self._places(n, kinds[i]))
            self._room[n] -= self._request(kinds[i]) * stay
            if stay < pods.count:
                late.append(PodRange(pods.workload, pods.first + stay, pods.count - stay))
        return late

    def _freeable(self, priority: int) -> NDArray[np.int64]:
        """What pods of lower priority have: int64 array (node, r)."""
        freeable = np.zeros_like(self._room)
        is_lower = self._priority < priority
        had = self._amounts[is_lower] * np.array(self._left, dtype=np.int64)[is_lower, None]
        np.add.at(freeable, self._node[is_lower], had)
        return freeable

    def _places(self, n: int, k: int) -> int:
        """How many pods of a kind there is room for on a node."""
        wanted = self._request(k) > 0
        return max(0, int((self._room[n, wanted] // self._request(k)[wanted]).min()))

    def _find_room(self, k: int, pods: list[PodRange], freeable: NDArray[np.int64], priority: int) -> None:
        """Put pods of one kind where there is room, or where pods below a priority make it.

        Parameters
        ----------
        pods
            The last are the next; emptied as far as a place is found.
        freeable
            As `_freeable` has it; kept up to date.
        """
        self._pairs += len(self._room)
        if self._pairs > MOST_PAIRS or self._weighed > MOST_WEIGHED:
            self.unseen += counted(pods)
            return
        columns = np.flatnonzero(self._request(k))
        wanted = self._request(k)[columns]
        is_open = self._is_open(k)
        has_place = is_open & (self._room[:, columns] >= wanted).all(axis=1)
        is_sure = not _is_ruled(self._sample[k]) and not self._kept_away & {each.workload for each in pods}
        if is_sure:
            for n in np.flatnonzero(has_place).tolist():
                self._take(n, k, _next(pods, self._places(n, k)))
                if not pods:
                    return
        if priority == LEAST_PRIORITY:
            return
        could = is_open & ((self._room + freeable)[:, columns] >= wanted).all(axis=1)
        could &= freeable.any(axis=1)
        if not is_sure:
            could &= ~has_place  # something else keeps them off these
        candidates = iter(np.flatnonzero(could).tolist())
        weighed: list[tuple[Loss, int, list[tuple[int, int]]]] = []
        while pods:
            while len(weighed) < CANDIDATES and (n := next(candidates, -1)) >= 0:
                self._weigh(n, k, priority, weighed)
            if not weighed:
                self.unseen += counted(pods) if self._is_cut else 0
                return
            if self._weighed > MOST_WEIGHED:
                self.unseen += counted(pods)
                return
            _, n, gone = heappop(weighed)
            eviction = self.evictions.setdefault((n, k), Eviction(n, is_sure=is_sure))
            self._evict(n, gone, eviction, freeable)
            come = _next(pods, self._places(n, k) if is_sure else 1)
            self._take(n, k, come)
            eviction.pods += come
            if is_sure:
                self._weigh(n, k, priority, weighed)

    def _take(self, n: int, k: int, pods: Sequence[PodRange]) -> None:
        self._taken.add(n)
        self._room[n] -= self._request(k) * counted(pods)

    def _weigh(
        self, n: int, k: int, priority: int, weighed: list[tuple[Loss, int, list[tuple[int, int]]]]
    ) -> None:
        """Work out who has to go from a node for one pod of a kind, as entries and numbers of pods."""
        self._weighed += 1
        columns = np.flatnonzero(self._request(k))
        entries = slice(self._first[n], self._first[n + 1])
        lower = [
            (e, self._left[e], has)
            for e, (own, has) in enumerate(
                zip(self._priority[entries].tolist(), self._amounts[entries, columns].tolist(), strict=True),
                start=self._first[n],
            )
            if own < priority and self._left[e]
        ]
        spare = (self._room[n, columns] - self._request(k)[columns]).tolist()
        for _, count, has in lower:
            spare = [left + count * one for left, one in zip(spare, has, strict=True)]
        if min(spare) < 0:
            return
        gone: list[tuple[int, int]] = []
        total = 0
        for e, count, has in lower:
            stay = min(count, *(left // one for left, one in zip(spare, has, strict=True) if one))
            spare = [left - stay * one for left, one in zip(spare, has, strict=True)]
            if stay < count:
                gone.append((e, count - stay))
                total += (_priority(self._running[e][1]) - LEAST_PRIORITY) * (count - stay)
        if gone:
            loss = _priority(self._running[gone[0][0]][1]), total, sum(count for _, count in gone)
            heappush(weighed, (loss, n, gone))

    def _evict(
        self, n: int, gone: Sequence[tuple[int, int]], eviction: Eviction, freeable: NDArray[np.int64]
    ) -> None:
        for e, count in gone:
            (_, entry), left = self._running[e], self._left[e]
            names = entry.names[left - count : left] if len(entry.names) == entry.count else ()
            eviction.gone.append((entry, count, names))
            self._left[e] -= count
            self._room[n] += self._amounts[e] * count
            freeable[n] -= self._amounts[e] * count

    def _request(self, k: int) -> NDArray[np.int64]:
        """What one pod of a kind asks for: int64 array (r,)."""
        if k not in self._requests:
            asked = self._sample[k].template.requests
            self._requests[k] = resource_vector(asked, self._resources, pod_slots=1)
        return self._requests[k]

    def _is_open(self, k: int) -> NDArray[np.bool_]:
        """Running nodes that admit a kind, room aside: bool array (node,)."""
        rows = self._localized.placement_of[self._local_kinds[k]]
        return np.asarray(self._localized.admitted[rows, -len(self._room) :].any(axis=0), dtype=np.bool_)


def _priority(pods: RunningPods) -> int:
    return pods.template.priority


def _room(instance: Instance, resources: Sequence[str]) -> NDArray[np.int64]:
    """Free amounts of the running nodes: int64 array (node, r)."""
    free = instance.origin.existing_free
    known = {name: r for r, name in enumerate(instance.resources[: free.shape[1]])}
    nodes = instance.problem.existing_nodes
    columns = [
        free[:, known[name]] if name in known else np.array([n.free[name] for n in nodes], dtype=np.int64)
        for name in resources
    ]
    return np.stack(columns, axis=1)


def _amounts(running: Sequence[RunningPods], resources: tuple[str, ...]) -> NDArray[np.int64]:
    """What one pod of each entry has: int64 array (entry, r)."""
    known: dict[int, list[int]] = {}  # templates are shared by equal pods
    for pods in running:
        if id(pods.template) not in known:
            vector = resource_vector(pods.template.requests, resources, pod_slots=1)
            known[id(pods.template)] = vector.tolist()
    amounts = [known[id(pods.template)] for pods in running]
    return np.array(amounts, dtype=np.int64).reshape(-1, len(resources))


def _kept_away(problem: Problem) -> set[int]:
    """Workloads that the anti-affinity of running pods speaks of."""
    stating = {  # templates are shared by equal pods
        (id(pods.template), pods.namespace): pods
        for node in problem.existing_nodes
        for pods in node.pods
        if pods.template.pod_anti_affinity.required
    }
    if not stating:
        return set()
    selections = Selections(problem)
    found: set[int] = set()
    for pods in stating.values():
        own = dict(pods.template.labels)
        for term in pods.template.pod_anti_affinity.required:
            selection = selections.of_term(term, own, pods.namespace)
            if selection >= 0:
                found.update(selections.workloads(selection).tolist())
    return found


def _is_ruled(workload: Workload) -> bool:
    """Whether more than room, labels and taints decides where pods may run."""
    own = workload.template
    return bool(
        workload.gang
        or own.pod_affinity.required
        or own.pod_anti_affinity.required
        or any(spread.is_required for spread in own.topology_spread)
        or own.node_caps
        or own.host_ports
        or own.volumes
        or own.gpu_share
        or own.device_claims
    )


def _next(pods: list[PodRange], most: int) -> list[PodRange]:
    """Take the next pods, the last of the list."""
    found = []
    while pods and most:
        own = pods.pop()
        count = min(own.count, most)
        found.append(PodRange(own.workload, own.first, count))
        most -= count
        if count < own.count:
            pods.append(PodRange(own.workload, own.first + count, own.count - count))
    return found
