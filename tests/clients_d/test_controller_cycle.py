"""The controller's decisions without network: windows, failures, and never two nodes for one pod."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from binwright_clients.cluster.errors import ConflictError, InvalidError, UnreachableError
from binwright_clients.controller.claims import PlannedClaim, claim_name
from binwright_clients.controller.cycle import Cycle, Outcome, Plan
from binwright_clients.controller.nomination import Patience, is_on_its_way
from binwright_clients.controller.observation import (
    MANAGED_BY,
    NOMINATED_ANNOTATION,
    ClaimView,
    Observation,
    PendingPod,
    observe,
    pending_pod,
    problem_objects,
)
from binwright_clients.controller.window import Window
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kube_double import node, node_pool, pod

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
    refuse: bool = False
    unreachable: bool = False
    plans: list[list[str]] = field(default_factory=list)
    without: list[list[str]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    hopeless: set[str] = field(default_factory=set)
    pods_each: int = 2

    # the cluster port

    def waiting(self) -> frozenset[str]:
        return frozenset(self.pods)

    def may_write(self) -> bool:
        return self.leads

    def observe(self) -> Observation:
        if self.unreachable:
            raise UnreachableError("no route")
        seen = observe([*self.claims.values(), {"kind": "NodePool", **node_pool()}])
        return Observation(seen.objects, dict(self.pods), seen.claims, seen.node_pools)

    def create_claim(self, claim: PlannedClaim) -> str:
        if self.fail_writes:
            self.fail_writes -= 1
            raise UnreachableError("never arrived")
        if self.refuse:
            raise InvalidError("HTTP 422: spec.requirements")
        if claim.name in self.claims:
            raise ConflictError("it exists")
        self.claims[claim.name] = claim_json(claim.name, [p.uid for p in claim.pods], self.now)
        self.created.append(claim.name)
        if self.lose_answers:
            self.lose_answers -= 1
            raise UnreachableError("the answer broke off")
        return f"uid-{claim.name}"

    # the reporter

    def claim(self, claim: PlannedClaim, outcome: Outcome, *, uid: str = "", message: str = "") -> None:  # noqa: ARG002
        self.told.append((outcome, claim.name))

    def unplaced(self, pod: PendingPod, reason: str) -> None:  # noqa: ARG002
        self.told.append(("unplaced", pod.uid))

    def remark(self, message: str) -> None:
        self.told.append(("remark", message))

    # the planner: nodes for `pods_each` pods

    def plan(self, seen: Observation, pods: Iterable[PendingPod], without: Iterable[str]) -> Plan:
        wanted = [pod for pod in pods if pod.uid not in self.hopeless]
        self.plans.append([pod.uid for pod in wanted])
        self.without.append(list(without))
        groups = [wanted[k : k + self.pods_each] for k in range(0, len(wanted), self.pods_each)]
        claims = tuple(planned(group, seen.claims) for group in groups)
        lost = tuple((pod, "too big") for pod in seen.pending.values() if pod.uid in self.hopeless)
        return Plan(claims, lost)

    # the rest of the world

    def add(self, *uids: str) -> None:
        for uid in uids:
            self.pods[uid] = PendingPod(uid, "default", uid)

    def launch(self, name: str) -> None:
        self.claims[name]["status"]["providerID"] = f"i-{name}"

    def not_ready(self) -> list[str]:
        """Claims whose node may still come.

        Karpenter deletes a claim that is late (``nodeclaim/lifecycle/liveness.go``), and a node is initialised once.
        """
        views = observe(self.claims.values()).claims
        return sorted(c.name for c in views if c.ready_s is None and is_on_its_way(c, self.now, PATIENCE))

    def nominations(self) -> list[str]:
        """UIDs that live claims are for, each as often as it is named."""
        seen = self.observe() if not self.unreachable else observe(self.claims.values())
        on_their_way = [claim for claim in seen.claims if is_on_its_way(claim, self.now, PATIENCE)]
        return [uid for claim in on_their_way for uid in claim.pods]


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


def test_a_batch_waits_until_no_pod_has_come_for_a_second() -> None:
    world, window = World(), Window(1.0, 10.0)
    cycle = cycle_of(world)
    world.add("a")
    let_pass(world, cycle, 0.75)
    world.add("b")
    let_pass(world, cycle, 0.75)
    assert world.plans == []
    let_pass(world, cycle, 0.75)
    assert world.plans == [["a", "b"]]
    assert not window.is_open


def test_a_batch_that_never_rests_ends_after_ten_seconds() -> None:
    world = World(pods_each=100)
    cycle = cycle_of(world)
    for k in range(12):
        world.add(f"p{k:02d}")
        let_pass(world, cycle, 1.0 - 0.25)
        world.now += 0.25
        if world.plans:
            break
    assert 9.0 <= len(world.plans[0]) <= 11


def test_nominated_pods_are_not_solved_again_after_a_restart() -> None:
    world = World()
    world.add("a", "b")
    let_pass(world, cycle_of(world), 2)
    let_pass(world, cycle_of(world), 30)  # a new process that remembers nothing
    assert world.plans == [["a", "b"]]
    assert world.created == ["general-a-b"]


def test_pods_of_a_claim_that_fails_are_solved_again_without_its_type() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.claims["general-a-b"]["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    del world.claims["general-a-b"]
    let_pass(world, cycle, 12)
    assert world.plans == [["a", "b"], ["a", "b"]]
    assert world.without == [[], ["c5.2xlarge"]]
    assert world.created == ["general-a-b", "general-a-b"]


def test_pods_wait_for_a_launched_claim_and_are_solved_again_when_it_times_out() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.launch("general-a-b")
    world.pods_each = 1
    let_pass(world, cycle, 880)
    assert len(world.plans) == 1
    let_pass(world, cycle, 60)
    assert world.plans[1] == ["a", "b"]
    assert world.created == ["general-a-b", "general-a-again1", "general-b-again1"]


def test_nothing_is_solved_while_a_claim_has_not_launched() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.add("c")
    let_pass(world, cycle, 20)
    assert len(world.plans) == 1
    world.launch("general-a-b")
    let_pass(world, cycle, 2)
    assert world.plans[1] == ["c"]


def test_a_lost_answer_does_not_make_a_second_node() -> None:
    world = World(lose_answers=1)
    world.add("a", "b")
    cycle = cycle_of(world)
    with pytest.raises(UnreachableError):
        let_pass(world, cycle, 2)
    let_pass(world, cycle, 20)
    assert world.created == ["general-a-b"]


def test_a_claim_the_server_refuses_is_told_and_not_tried_every_second() -> None:
    world = World(refuse=True)
    world.add("a")
    cycle = cycle_of(world)
    let_pass(world, cycle, 30)
    assert world.told == [(Outcome.REFUSED, "general-a")]
    let_pass(world, cycle, 60)
    assert len(world.told) == 2


def test_a_pod_without_any_node_is_told_once_and_does_not_stop_others() -> None:
    world = World(hopeless={"big"})
    world.add("big", "a")
    cycle = cycle_of(world)
    let_pass(world, cycle, 200)
    assert world.told.count(("unplaced", "big")) == 1
    assert "general-a" in world.created


def test_a_dry_run_creates_nothing_and_tells_each_plan_once() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world, apply=False)
    let_pass(world, cycle, 60)
    world.add("c")
    let_pass(world, cycle, 60)
    assert world.created == []
    assert world.told == [(Outcome.PLANNED, "general-a-b"), (Outcome.PLANNED, "general-c")]


def test_leadership_lost_in_a_round_drops_the_rest_of_it() -> None:
    world = World(leads=False)
    world.add("a")
    let_pass(world, cycle_of(world), 2)
    assert world.created == []
    assert ("remark", "leadership was lost; the rest of the decision is dropped") in world.told


def test_a_ready_node_that_did_not_get_its_pods_is_followed_by_another() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.launch("general-a-b")
    ready = {"type": "Initialized", "status": "True", "lastTransitionTime": "1970-01-12T13:46:45Z"}
    world.claims["general-a-b"]["status"]["conditions"] = [ready]  # 1,000,005 s
    let_pass(world, cycle, 150)
    assert world.created == ["general-a-b", "general-a-b-again1"]


def test_names_of_claims_depend_on_pods_and_on_what_failed_for_them() -> None:
    a, b = PendingPod("a", "default", "a"), PendingPod("b", "default", "b")
    first = claim_name("general", [a, b], ())
    assert claim_name("general", [b, a], ()) == first
    assert claim_name("general", [a], ()) != first
    others = ClaimView("general-x", frozenset({"c"}), 0.0)
    assert claim_name("general", [a, b], [others]) == first
    failed = ClaimView(first, frozenset({"a", "b"}), 0.0)
    assert claim_name("general", [a, b], [failed]) not in ("", first)


def test_a_ready_node_holds_its_pods_for_two_minutes() -> None:
    claim = ClaimView("n", frozenset({"a"}), 0.0, is_launched=True, ready_s=1_000.0)
    assert is_on_its_way(claim, 1_119.0, PATIENCE)
    assert not is_on_its_way(claim, 1_121.0, PATIENCE)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["spec"].update(nodeName="n1"),
        lambda p: p["metadata"].update(deletionTimestamp="2026-11-23T12:00:00Z"),
        lambda p: p["status"].update(nominatedNodeName="n1"),
        lambda p: p["status"].update(conditions=[]),
        lambda p: p["status"]["conditions"][0].update(reason="SchedulingGated"),
        lambda p: p["metadata"].update(ownerReferences=[{"kind": "DaemonSet", "name": "d"}]),
        lambda p: p.update(status=None),
    ],
)
def test_only_pods_that_kube_scheduler_gave_up_on_are_ours(change: Callable[[Any], None]) -> None:
    waiting = pod("a")
    assert pending_pod(waiting) == PendingPod("uid-default-a", "default", "a")
    change(waiting)
    assert pending_pod(waiting) is None


def test_a_machine_without_a_node_yet_takes_part_with_the_room_it_will_have() -> None:
    """7,910m allocatable less 6,100m of its own pods and daemons leaves 1,810m."""
    claim = claim_json("general-a", ["a"], 0.0)
    claim["spec"] |= {
        "resources": {"requests": {"cpu": "6100m", "memory": "1Gi", "pods": "3"}},
        "taints": [{"key": "t", "effect": "NoSchedule"}],
    }
    amounts = {"cpu": "7910m", "memory": "14Gi", "pods": "58"}
    claim["status"] = {"providerID": "i-1", "allocatable": amounts, "capacity": {**amounts, "cpu": "8"}}
    seen = observe([claim, {"kind": "NodePool", **node_pool()}])
    (coming,) = [item for item in problem_objects(seen, ()) if item["kind"] == "Node"]
    assert coming["status"]["allocatable"] == {"cpu": "1810m", "memory": "13Gi", "pods": "55"}
    assert coming["status"]["capacity"]["cpu"] == "8"
    assert coming["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "c5.2xlarge"
    registered = {"kind": "Node", **node("n1")}
    claim["status"]["nodeName"] = "n1"
    both = list(problem_objects(observe([claim, registered]), ()))
    assert [item["metadata"]["name"] for item in both] == ["n1"]


def test_the_room_of_pods_that_are_not_bound_yet_is_taken() -> None:
    """Pod a was promised the node n1; pod b, which is to be placed, must not find that room free."""
    claim = claim_json("general-a", ["uid-default-a"], 0.0)
    claim["status"] = {"providerID": "i-1", "nodeName": "n1"}
    waiting = [{"kind": "Pod", **pod(name)} for name in ("a", "b", "c")]
    seen = observe([claim, {"kind": "Node", **node("n1")}, *waiting])
    pods = {
        item["metadata"]["name"]: item["spec"].get("nodeName", "")
        for item in problem_objects(seen, {"uid-default-b"})
        if item["kind"] == "Pod"
    }
    assert pods == {"a": "n1", "b": ""}


def test_a_claim_of_karpenter_s_own_offers_its_room_to_the_pods_it_may_be_for() -> None:
    claim = claim_json("karpenter-x", ["a"], 0.0)
    del claim["metadata"]["labels"]
    claim["spec"]["resources"] = {"requests": {"cpu": "6"}}
    claim["status"] = {"providerID": "i-1", "allocatable": {"cpu": "7910m", "pods": "58"}}
    seen = observe([claim])
    assert not seen.claims[0].is_ours
    assert seen.claims[0].pods == frozenset()
    (coming,) = [item for item in problem_objects(seen, ()) if item["kind"] == "Node"]
    assert coming["status"]["allocatable"]["cpu"] == "7910m"


def test_nothing_is_solved_while_karpenter_launches_a_claim_of_its_own() -> None:
    world = World()
    world.add("a")
    claim = claim_json("karpenter-x", [], world.now)
    del claim["metadata"]["labels"]
    world.claims["karpenter-x"] = claim
    cycle = cycle_of(world)
    let_pass(world, cycle, 20)
    assert world.plans == []
    del world.claims["karpenter-x"]
    let_pass(world, cycle, 3)
    assert world.plans == [["a"]]
    assert world.without == [[]]  # what Karpenter gave up says nothing of our types


def test_static_deleted_and_unready_pools_make_no_nodes() -> None:
    static = {"kind": "NodePool", **node_pool("static", replicas=3)}
    going = {"kind": "NodePool", **node_pool("going")}
    going["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    unready = {"kind": "NodePool", **node_pool("unready")}
    unready["status"] = {"conditions": [{"type": "Ready", "status": "False"}]}
    fine = {"kind": "NodePool", **node_pool("fine")}
    assert list(observe([static, going, unready, fine]).node_pools) == ["fine"]


def test_a_claim_whose_annotation_was_edited_is_still_seen() -> None:
    claim = claim_json("n", ["a"], 0.0)
    claim["metadata"]["annotations"][NOMINATED_ANNOTATION] = "{ not json"
    (view,) = observe([claim]).claims
    assert view.pods == frozenset()


class OneNodeForEachPod(RuleBasedStateMachine):
    """Pods come and go, answers get lost, controllers crash, two lead at once, Karpenter gives up.

    Whatever happens, no pod is named by two claims that are on their way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.controllers = [cycle_of(self.world)]
        self.count = 0

    @rule(pods=st.integers(1, 3))
    def pods_come(self, pods: int) -> None:
        self.world.add(*(f"p{self.count + k:03d}" for k in range(pods)))
        self.count += pods

    @rule(data=st.data())
    def a_pod_goes(self, data: st.DataObject) -> None:
        if self.world.pods:
            del self.world.pods[data.draw(st.sampled_from(sorted(self.world.pods)))]

    @rule(seconds=st.sampled_from([0.25, 1.0, 5.0, 30.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(times=st.sampled_from([1, 3, 6, 25]), which=st.integers(0, 1))
    def a_controller_works(self, times: int, which: int) -> None:
        cycle = self.controllers[which % len(self.controllers)]
        for _ in range(times):
            self.world.now += 0.5
            with contextlib.suppress(UnreachableError):
                cycle.tick()

    @rule()
    def the_controller_is_started_anew(self) -> None:
        self.controllers[0] = cycle_of(self.world)

    @precondition(lambda self: len(self.controllers) == 1)
    @rule()
    def a_second_controller_leads_too(self) -> None:
        self.controllers.append(cycle_of(self.world))

    @rule()
    def an_answer_gets_lost(self) -> None:
        self.world.lose_answers = 1

    @rule()
    def a_request_gets_lost(self) -> None:
        self.world.fail_writes = 1

    @rule(size=st.integers(1, 3))
    def another_packing_is_best(self, size: int) -> None:
        self.world.pods_each = size

    @rule(is_down=st.booleans())
    def the_server_comes_and_goes(self, is_down: bool) -> None:
        self.world.unreachable = is_down

    @rule(data=st.data())
    def karpenter_launches(self, data: st.DataObject) -> None:
        if names := self.world.not_ready():
            self.world.launch(data.draw(st.sampled_from(names)))

    @rule(data=st.data())
    def a_node_is_ready_but_other_pods_are_bound_to_it(self, data: st.DataObject) -> None:
        if names := self.world.not_ready():
            claim = self.world.claims[data.draw(st.sampled_from(names))]
            stamp = datetime.datetime.fromtimestamp(self.world.now, datetime.UTC).isoformat()
            ready = {"type": "Initialized", "status": "True", "lastTransitionTime": stamp}
            claim["status"] = {"providerID": "i", "conditions": [ready]}

    @rule(data=st.data())
    def karpenter_gives_up(self, data: st.DataObject) -> None:
        if self.world.claims:
            del self.world.claims[data.draw(st.sampled_from(sorted(self.world.claims)))]

    @rule(data=st.data())
    def a_node_is_ready_and_its_pods_are_bound(self, data: st.DataObject) -> None:
        if self.world.claims:
            claim = self.world.claims[data.draw(st.sampled_from(sorted(self.world.claims)))]
            claim["status"]["providerID"] = "i"
            for uid in json.loads(claim["metadata"]["annotations"][NOMINATED_ANNOTATION]):
                self.world.pods.pop(uid, None)

    @invariant()
    def no_pod_has_two_nodes_on_their_way(self) -> None:
        named = [uid for uid in self.world.nominations() if uid in self.world.pods]
        assert len(named) == len(set(named)), named

    def teardown(self) -> None:
        """Left in peace, every pod that waits gets its claim."""
        self.world.unreachable, self.world.lose_answers, self.world.fail_writes = False, 0, 0
        cycle = cycle_of(self.world)
        for _ in range(6):
            for name in self.world.not_ready():
                self.world.launch(name)
            let_pass(self.world, cycle, 15)
            if set(self.world.pods) <= set(self.world.nominations()):
                return
        raise AssertionError(set(self.world.pods) - set(self.world.nominations()))


OneNodeForEachPod.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestOneNodeForEachPod = OneNodeForEachPod.TestCase
