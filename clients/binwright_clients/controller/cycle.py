"""What the controller does next: batches, solves, creates; pure but for the ports it is given.

A round looks at the whole cluster at one moment and plans for the pods that wait and that no NodeClaim
is on its way for. All it remembers between rounds is a convenience: after a restart the NodeClaims say
which pods they are for. So that one pod never gets two nodes,

- NodeClaims are read in the same moment as pods, after everything written before;
- a claim whose fate is unknown (the answer was lost) ends the round, and the next one looks;
- a claim's name is made from its pods, so that even a second leader meets the first one's claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from binwright_optimizer.errors import BinwrightError

from binwright_clients.cluster.errors import ConflictError, ForbiddenError, InvalidError
from binwright_clients.controller.claims import PlannedClaim
from binwright_clients.controller.nomination import Patience, is_launching, is_on_its_way, judged, nominated
from binwright_clients.controller.observation import LeftOutPool, Observation, Offered, PendingPod
from binwright_clients.controller.tally import Figures, RoundOutcome, Tally
from binwright_clients.controller.window import Window

SOLD_OUT_S = 180.0
"""How long what could not be launched is left out, as Karpenter keeps insufficient capacity."""

RESYNC_S = 10.0
"""Pods that wait for a claim are looked at again this often, in case it failed."""

UNPLACED_S = 60.0
"""Pods that no claim can be made for are planned for again this often."""

RETRY_S = 1.0
"""Pause after a round that could not be finished."""

SHORTEST_LIFE_S = 60.0
"""No machine is launched, becomes a node and is removed again faster than this: of a claim that is gone as
soon after it was seen without a machine, it is known that there never was one."""


class Outcome(StrEnum):
    """What came of a planned NodeClaim."""

    CREATED = "created"
    EXISTED = "existed"
    REFUSED = "refused"
    PLANNED = "planned"
    """Not created: dry run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about some pods.

    Parameters
    ----------
    unplaced
        Pods without any possible node, and why.
    on_existing
        Pods that fit nodes that exist, with the node's name; kube-scheduler will find them.
    warnings
        What to know about the decision: prices that are old, for instance.
    figures
        Of the decision; None where nothing could be asked.
    """

    claims: tuple[PlannedClaim, ...]
    unplaced: tuple[tuple[PendingPod, str], ...] = ()
    on_existing: tuple[tuple[PendingPod, str], ...] = ()
    warnings: tuple[str, ...] = ()
    figures: Figures | None = None


class ClusterPort(Protocol):
    """The cluster as the cycle sees it."""

    def waiting(self) -> frozenset[str]:
        """UIDs of the pods that wait, as far as the watch has told."""
        ...

    def observe(self) -> Observation:
        """The cluster at one moment, now; raises ClusterError."""
        ...

    def create_claim(self, claim: PlannedClaim) -> str:
        """UID of the NodeClaim created; raises ConflictError if it exists, ClusterError."""
        ...

    def may_write(self) -> bool:
        """Whether we still lead."""
        ...


class Reporter(Protocol):
    """Where the cycle tells what it does."""

    def claim(self, claim: PlannedClaim, outcome: Outcome, *, uid: str = "", message: str = "") -> None:
        """A NodeClaim was handled; ``uid`` is that of a new one."""
        ...

    def unplaced(self, pod: PendingPod, reason: str) -> None:
        """A pod has no possible node."""
        ...

    def left_out(self, pool: LeftOutPool) -> None:
        """No nodes are made from a NodePool for now."""
        ...

    def awaited(self, claim: str, stage: str) -> None:
        """A NodeClaim is on its way; told again when it gets further."""
        ...

    def remark(self, message: str) -> None:
        """Anything else worth a line."""
        ...


Planner = Callable[[Observation, Iterable[PendingPod], Iterable[Offered]], Plan]
"""Plans for pods in an observed cluster, without what is sold out; raises BinwrightError."""


@dataclass(slots=True)
class Cycle:
    """The controller without its threads.

    Parameters
    ----------
    apply
        Create NodeClaims; otherwise every plan is only reported, once.
    now_s
        Seconds since the epoch.
    """

    cluster: ClusterPort
    plan: Planner
    reporter: Reporter
    now_s: Callable[[], float]
    apply: bool = False
    window: Window = field(default_factory=Window)
    patience: Patience = Patience()
    tally: Tally = field(default_factory=Tally)
    _covered: frozenset[str] = frozenset()
    """Pods that a claim was on its way for at the last look."""
    _deferred: dict[str, float] = field(default_factory=dict)
    """Pods that no claim is made for, and until when."""
    _told: dict[str, str] = field(default_factory=dict)
    """What was said last of a pod without a node; not said again."""
    _sold_out: dict[Offered, float] = field(default_factory=dict)
    """What is left out, and until when."""
    _unlaunched: dict[str, frozenset[Offered]] = field(default_factory=dict)
    """What our claims that had no machine when last seen ask for, by name."""
    _seen_s: float = float("-inf")
    """When the claims were last seen, or one was made."""
    _fitting: frozenset[str] = frozenset()
    """Pods that the last plan found room for on nodes that exist."""
    _warned: tuple[str, ...] = ()
    """Warnings of the last plan; not said again while they stay the same."""
    _awaited: dict[str, str] = field(default_factory=dict)
    """What was said of NodeClaims that are waited for; not said again while it stays true."""
    _left_out: dict[str, LeftOutPool] = field(default_factory=dict)
    """NodePools that were left out at the last look; not said again while the reason stays the same."""
    _looked_s: float = float("-inf")
    _not_before_s: float = float("-inf")

    def tick(self) -> bool:
        """Do what is due; whether a round was made. Raises BinwrightError if one failed."""
        now = self.now_s()
        waiting = self.cluster.waiting()
        self._deferred = {uid: until for uid, until in self._deferred.items() if until > now}
        self.window.observe(waiting - self._covered - self._deferred.keys(), now)
        is_due = self.window.is_due(now) or (not self.window.is_open and now - self._looked_s >= RESYNC_S)
        if not waiting or not is_due or now < self._not_before_s:
            return False
        try:
            outcome = self._round(now)
        except BinwrightError:
            self.tally.rounds[RoundOutcome.FAILED] += 1
            raise
        finally:  # looking at a large cluster takes seconds
            self._not_before_s = self.now_s() + RETRY_S
        self.tally.rounds[outcome] += 1
        if outcome is not RoundOutcome.PUT_OFF:
            self.window.close()
            self._looked_s = now
        return True

    def _round(self, now: float) -> RoundOutcome:
        """Look, plan, act; unless it is put off, every pod that waits is accounted for."""
        seen = judged(self.cluster.observe(), now, self.patience)
        self._note_failures(seen, now)
        self._tell_awaited(seen, now)
        self._tell_left_out(seen)
        self._covered = nominated(seen.claims, now, self.patience)
        self._told = {uid: reason for uid, reason in self._told.items() if uid in seen.pending}
        pods = [
            pod
            for uid, pod in sorted(seen.pending.items())
            if uid not in self._covered and uid not in self._deferred
        ]
        if not pods:
            return RoundOutcome.NOTHING_NEW
        pods += self._along(seen, pods)
        if any(is_launching(claim, now, self.patience) for claim in seen.claims):
            return RoundOutcome.PUT_OFF
        plan = self.plan(seen, pods, sorted(self._sold_out))
        now = self.now_s()  # the search may have taken longer than pods are put off
        if plan.figures is not None:
            self.tally.decision, self.tally.decided_s = plan.figures, now
        for warning in plan.warnings:
            if warning not in self._warned:
                self.reporter.remark(f"warning: {warning}")
        self._warned = plan.warnings
        for pod, reason in plan.unplaced:
            self._deferred[pod.uid] = now + UNPLACED_S
            if self._told.get(pod.uid) != reason:
                self._told[pod.uid] = reason
                self.reporter.unplaced(pod, reason)
        for pod, _ in plan.on_existing:
            self._deferred[pod.uid] = now + UNPLACED_S
        self._fitting = frozenset(pod.uid for pod, _ in plan.on_existing)
        for claim in plan.claims:
            if self.apply and not self.cluster.may_write():
                self.reporter.remark("leadership was lost; the rest of the decision is dropped")
                return RoundOutcome.PUT_OFF
            self._carry_out(claim, now)
        return RoundOutcome.DECIDED

    def _along(self, seen: Observation, pods: list[PendingPod]) -> list[PendingPod]:
        """Further pods that are planned for together with some, however long each is put off by itself.

        Those of the same gangs wait because one of these was missing; and nothing but a plan for all keeps
        the room on nodes that exist for those that were to go there.
        """
        gangs = {(pod.namespace, pod.gang) for pod in pods if pod.gang}
        return [
            pod
            for uid, pod in sorted(seen.pending.items())
            if ((pod.namespace, pod.gang) in gangs or uid in self._fitting)
            and uid not in self._covered
            and self._deferred.get(uid, float("inf")) < float("inf")
        ]

    def _carry_out(self, claim: PlannedClaim, now: float) -> None:
        """Create one claim; raises ClusterError if it is not known whether it exists now."""
        uids = frozenset(pod.uid for pod in claim.pods)
        if not self.apply:
            self._deferred |= dict.fromkeys(uids, float("inf"))
            self._tell(claim, Outcome.PLANNED)
            return
        uid = ""
        try:
            uid = self.cluster.create_claim(claim)
        except (ForbiddenError, InvalidError) as error:  # by admission, perhaps, which takes the next one
            self._deferred |= dict.fromkeys(uids, now + UNPLACED_S)
            self._tell(claim, Outcome.REFUSED, message=str(error))
            return
        except ConflictError:
            outcome = Outcome.EXISTED
        else:
            outcome = Outcome.CREATED
            self._unlaunched[claim.name], self._seen_s = claim.offered, self.now_s()
        self._covered |= uids
        self._tell(claim, outcome, uid=uid)

    def _tell(self, claim: PlannedClaim, outcome: Outcome, *, uid: str = "", message: str = "") -> None:
        self.tally.claims[outcome] += 1
        self.reporter.claim(claim, outcome, uid=uid, message=message)

    def _tell_awaited(self, seen: Observation, now: float) -> None:
        """Say which NodeClaims are on their way and how far they are, whenever that changes."""
        awaited: dict[str, str] = {}
        for claim in seen.claims:
            pods = len(claim.pods & seen.pending.keys())
            is_ahead = claim.ready_s is None and is_on_its_way(claim, now, self.patience)
            if is_ahead and (pods or not claim.is_launched):
                kind = f" ({claim.instance_type})" if claim.instance_type else ""
                stage = "its node is not ready yet" if claim.node_name else "its machine is no node yet"
                if not claim.is_launched:
                    stage = "it has no machine yet"
                for_pods = f", {pods} pod{'s' if pods != 1 else ''} will run there" if pods else ""
                awaited[claim.name] = f"{stage}{kind}{for_pods}"
        for name, stage in awaited.items():
            if self._awaited.get(name) != stage:
                self.reporter.awaited(name, stage)
        self._awaited = awaited

    def _tell_left_out(self, seen: Observation) -> None:
        """Say which NodePools are not ready, and which are again."""
        left_out = {pool.name: pool for pool in seen.left_out}
        for name, pool in left_out.items():
            if self._left_out.get(name) != pool:
                self.reporter.left_out(pool)
        for name in self._left_out.keys() - left_out.keys():
            if name in seen.node_pools:
                self.reporter.remark(f"NodePool {name} is ready again")
        self._left_out = left_out

    def _note_failures(self, seen: Observation, now: float) -> None:
        """Leave out what claims asked for that went away before there was a machine."""
        alive = {claim.name for claim in seen.claims if claim.is_launched or not claim.is_deleting}
        is_known = now - self._seen_s < SHORTEST_LIFE_S
        self._seen_s = now
        for name, offered in self._unlaunched.items():
            if name not in alive and offered and is_known:
                self._sold_out |= dict.fromkeys(offered, now + SOLD_OUT_S)
                self.reporter.remark(
                    f"NodeClaim {name} was given up before it launched: "
                    f"{'; '.join(map(str, sorted(offered)))} left out for {SOLD_OUT_S:.0f} s"
                )
        self._sold_out = {offered: until for offered, until in self._sold_out.items() if until > now}
        self._unlaunched = {
            claim.name: claim.offered
            for claim in seen.claims
            if claim.name in alive and claim.is_ours and not claim.is_launched
        }
