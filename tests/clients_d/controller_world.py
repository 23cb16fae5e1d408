"""A cluster without network for the controller's cycle: pods, NodeClaims, time, and what goes wrong."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from binwright_clients.cluster.errors import (
    ClusterError,
    ConflictError,
    UnreachableError,
)
from binwright_clients.controller.claims import PlannedClaim
from binwright_clients.controller.cycle import Cycle, Outcome, Plan
from binwright_clients.controller.nomination import Patience, is_on_its_way
from binwright_clients.controller.observation import (
    MANAGED_BY,
    NOMINATED_ANNOTATION,
    ClaimView,
    LeftOutPool,
    Observation,
    Offered,
    PendingPod,
    observe,
)
from binwright_clients.controller.tally import Figures
from binwright_clients.controller.window import Window
from kube_double import node_class, node_pool

PATIENCE = Patience(launch_s=300, register_s=900, bind_s=120)


def claim_json(
    name: str, uids: Iterable[str], created_s: float, instance_type: str = "c5.2xlarge"
) -> dict[str, Any]:
    stamp = datetime.datetime.fromtimestamp(created_s, datetime.UTC).isoformat()
    return {
        "kind": "NodeClaim",
        "metadata": {
            "name": name,
            "labels": {MANAGED_BY: "binwright"},
            "annotations": {NOMINATED_ANNOTATION: json.dumps(sorted(uids))},
            "creationTimestamp": stamp,
        },
        "spec": {
            "requirements": [
                {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [instance_type]}
            ]
        },
        "status": {},
    }


@dataclass
class World:
    """Pods, NodeClaims and time, as API server, Karpenter and kube-scheduler would change them."""

    now: float = 1_000_000.0
    pods: dict[str, PendingPod] = field(default_factory=dict)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    leads: bool = True
    lose_answers: int = 0
    fail_writes: int = 0
    refuse: ClusterError | None = None
    unreachable: bool = False
    plans: list[list[str]] = field(default_factory=list)
    without: list[list[Offered]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    on_their_way: list[tuple[str, str]] = field(default_factory=list)
    hopeless: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    """Claims whose nodes other pods took."""
    warnings: tuple[str, ...] = ()
    figures: Figures | None = None
    pods_each: int = 2
    search_s: float = 0.0
    spare: int = 0
    """Pods that nodes which exist have room for."""
    node_classes: list[dict[str, Any]] = field(
        default_factory=lambda: [{"kind": "EC2NodeClass", **node_class()}]
    )

    # the cluster port

    def waiting(self) -> frozenset[str]:
        return frozenset(self.pods)

    def may_write(self) -> bool:
        return self.leads

    def observe(self) -> Observation:
        if self.unreachable:
            raise UnreachableError("no route")
        seen = observe([*self.claims.values(), {"kind": "NodePool", **node_pool()}, *self.node_classes])
        claims = tuple(
            replace(claim, crowded_out=claim.pods) if claim.name in self.full else claim
            for claim in seen.claims
        )
        return Observation(seen.objects, dict(self.pods), claims, seen.node_pools, seen.left_out)

    def create_claim(self, claim: PlannedClaim) -> str:
        if self.fail_writes:
            self.fail_writes -= 1
            raise UnreachableError("never arrived")
        if self.refuse is not None:
            raise self.refuse
        if claim.name in self.claims:
            raise ConflictError("it exists")
        self.claims[claim.name] = claim_json(claim.name, [p.uid for p in claim.pods], self.now)
        self.created.append(claim.name)
        self.full.discard(claim.name)
        if self.lose_answers:
            self.lose_answers -= 1
            raise UnreachableError("the answer broke off")
        return f"uid-{claim.name}"

    # the reporter

    def claim(self, claim: PlannedClaim, outcome: Outcome, *, uid: str = "", message: str = "") -> None:  # noqa: ARG002
        self.told.append((outcome, claim.name))

    def unplaced(self, pod: PendingPod, reason: str) -> None:  # noqa: ARG002
        self.told.append(("unplaced", pod.uid))

    def left_out(self, pool: LeftOutPool) -> None:
        self.told.append(("left-out", str(pool)))

    def awaited(self, claim: str, stage: str) -> None:
        self.on_their_way.append((claim, stage))

    def remark(self, message: str) -> None:
        self.told.append(("remark", message))

    # the planner: nodes for `pods_each` pods

    def plan(self, seen: Observation, pods: Iterable[PendingPod], without: Iterable[Offered]) -> Plan:
        wanted = [pod for pod in pods if pod.uid not in self.hopeless]
        self.plans.append([pod.uid for pod in wanted])
        self.without.append(list(without))
        self.now += self.search_s
        fitting = tuple((pod, "n1") for pod in wanted[: self.spare])
        groups = [wanted[k : k + self.pods_each] for k in range(self.spare, len(wanted), self.pods_each)]
        claims = tuple(planned(group, seen.claims) for group in groups)
        lost = tuple((pod, "too big") for pod in seen.pending.values() if pod.uid in self.hopeless)
        return Plan(claims, lost, fitting, warnings=self.warnings, figures=self.figures)

    # the rest of the world

    def add(self, *uids: str, gang: str = "") -> None:
        for uid in uids:
            self.pods[uid] = PendingPod(uid, "default", uid, gang)

    def launch(self, name: str) -> None:
        self.claims[name]["status"]["providerID"] = f"i-{name}"

    def get_ready(self, name: str, *, is_full: bool = False) -> None:
        stamp = datetime.datetime.fromtimestamp(self.now, datetime.UTC).isoformat()
        ready = {"type": "Initialized", "status": "True", "lastTransitionTime": stamp}
        self.claims[name]["status"] = {"providerID": f"i-{name}", "conditions": [ready]}
        if is_full:
            self.full.add(name)

    def not_ready(self) -> list[str]:
        """Claims whose node may still come.

        Karpenter deletes a claim that is late (``nodeclaim/lifecycle/liveness.go``), and a node is
        initialised once.
        """
        views = observe(self.claims.values()).claims
        return sorted(c.name for c in views if c.ready_s is None and is_on_its_way(c, self.now, PATIENCE))

    def nominations(self) -> list[str]:
        """UIDs that live claims are for, each as often as it is named."""
        views = observe(self.claims.values()).claims
        on_their_way = [claim for claim in views if is_on_its_way(claim, self.now, PATIENCE)]
        return [uid for claim in on_their_way if claim.name not in self.full for uid in claim.pods]


def planned(pods: list[PendingPod], earlier: tuple[ClaimView, ...] = ()) -> PlannedClaim:
    uids = {pod.uid for pod in pods}
    lapsed = sum(1 for claim in earlier if claim.pods & uids)
    name = "general-" + "-".join(sorted(uids)) + (f"-again{lapsed}" if lapsed else "")
    return PlannedClaim(claim_json(name, uids, 0), tuple(pods), "because")


def cycle_of(world: World, *, apply: bool = True) -> Cycle:
    return Cycle(
        world, world.plan, world, lambda: world.now, apply=apply, window=Window(1.0, 10.0), patience=PATIENCE
    )


def let_pass(world: World, cycle: Cycle, seconds: float) -> None:
    for _ in range(round(seconds / 0.25)):
        world.now += 0.25
        cycle.tick()
