"""The controller's decisions without network: windows, failures, retries."""

from __future__ import annotations

import pytest
from binwright_clients.cluster.errors import ClusterError, ForbiddenError, InvalidError, UnreachableError
from binwright_clients.controller.claims import claim_name
from binwright_clients.controller.cycle import RESYNC_S, Outcome
from binwright_clients.controller.nomination import is_on_its_way
from binwright_clients.controller.observation import (
    ClaimView,
    Offered,
    PendingPod,
)
from binwright_clients.controller.window import Window
from controller_world import PATIENCE, World, claim_json, cycle_of, let_pass


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


def test_members_of_a_gang_that_were_put_off_are_planned_for_with_the_one_that_was_missing() -> None:
    """Two members wait for a third; when that comes, 20 s later, all three are planned for at once."""
    world = World(pods_each=3)
    cycle = cycle_of(world)
    world.hopeless = {"r0", "r1"}
    world.add("r0", "r1", gang="ring")
    world.add("other")
    let_pass(world, cycle, 20)
    assert world.plans == [["other"]]
    world.launch("general-other")
    world.hopeless = set()
    world.add("r2", gang="ring")
    let_pass(world, cycle, 2)
    assert world.plans[1] == ["r2", "r0", "r1"]
    assert world.created[-1] == "general-r0-r1-r2"


def test_room_on_a_node_that_exists_is_not_promised_to_two_pods() -> None:
    """One pod fits a node that exists. When b comes 5 s after a, one of them gets a new node."""
    world = World(spare=1)
    cycle = cycle_of(world)
    world.add("a")
    let_pass(world, cycle, 5)
    assert world.created == []
    world.add("b")
    let_pass(world, cycle, 5)
    assert sorted(world.plans[1]) == ["a", "b"]
    assert len(world.created) == 1


def test_a_pod_that_found_the_room_of_a_node_taken_is_planned_for_within_a_minute() -> None:
    """However many others come meanwhile, and whichever node they get."""
    world = World(spare=1)
    cycle = cycle_of(world)
    world.add("a")
    let_pass(world, cycle, 2)
    world.spare = 0
    let_pass(world, cycle, 57)
    assert world.created == []
    let_pass(world, cycle, 5)
    assert world.created == ["general-a"]


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


def test_pods_of_a_claim_that_fails_are_solved_again_without_what_it_asked_for() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.claims["general-a-b"]["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    del world.claims["general-a-b"]
    let_pass(world, cycle, 12)
    assert world.plans == [["a", "b"], ["a", "b"]]
    assert world.without == [[], [Offered("c5.2xlarge")]]
    assert world.created == ["general-a-b", "general-a-b"]


def test_a_node_that_came_and_went_while_nothing_waited_was_not_sold_out() -> None:
    """Its pods ended before the first look at its claim; hours later nobody knows of a lack of c5.2xlarge."""
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.pods.clear()
    let_pass(world, cycle, 2)
    world.launch("general-a-b")
    del world.claims["general-a-b"]
    world.now += 7200
    world.add("c")
    let_pass(world, cycle, 2)
    assert world.created == ["general-a-b", "general-c"]
    assert world.without[-1] == []


def test_a_machine_that_is_removed_as_soon_as_it_is_there_was_not_sold_out() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.launch("general-a-b")
    world.claims["general-a-b"]["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    let_pass(world, cycle, 12)
    assert world.plans == [["a", "b"], ["a", "b"]]
    assert world.without == [[], []]


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


def test_each_step_of_a_claim_that_pods_wait_for_is_told_once() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 40)
    assert world.on_their_way == [
        ("general-a-b", "it has no machine yet (c5.2xlarge), 2 pods will run there")
    ]
    world.launch("general-a-b")
    let_pass(world, cycle, 40)
    assert world.on_their_way[1:] == [
        ("general-a-b", "its machine is no node yet (c5.2xlarge), 2 pods will run there")
    ]
    del world.pods["b"]
    world.claims["general-a-b"]["status"]["nodeName"] = "n1"
    let_pass(world, cycle, 40)
    assert world.on_their_way[2:] == [
        ("general-a-b", "its node is not ready yet (c5.2xlarge), 1 pod will run there")
    ]


def test_a_lost_answer_does_not_make_a_second_node() -> None:
    world = World(lose_answers=1)
    world.add("a", "b")
    cycle = cycle_of(world)
    with pytest.raises(UnreachableError):
        let_pass(world, cycle, 2)
    let_pass(world, cycle, 20)
    assert world.created == ["general-a-b"]


@pytest.mark.parametrize("refusal", [InvalidError("spec.taints"), ForbiddenError("denied by a webhook")])
def test_a_claim_the_server_refuses_is_told_and_not_tried_every_second(refusal: ClusterError) -> None:
    world = World(refuse=refusal)
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


def test_pods_are_put_off_from_when_the_search_for_them_has_ended() -> None:
    """A search takes 90 s. A pod without any node is planned for after 1 s, and 60 s after that search."""
    world = World(hopeless={"big"}, search_s=90.0)
    world.add("big")
    cycle = cycle_of(world)
    let_pass(world, cycle, 59)
    assert len(world.plans) == 1
    let_pass(world, cycle, 5)
    assert len(world.plans) == 2


def test_a_dry_run_creates_nothing_and_tells_each_plan_once() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world, apply=False)
    let_pass(world, cycle, 60)
    world.add("c")
    let_pass(world, cycle, 60)
    assert world.created == []
    assert world.told == [(Outcome.PLANNED, "general-a-b"), (Outcome.PLANNED, "general-c")]


def test_a_warning_is_told_once_until_it_changes() -> None:
    world = World(warnings=("prices are old",))
    cycle = cycle_of(world)
    for pod in ("a", "b"):
        world.add(pod)
        let_pass(world, cycle, 3)
        for name in world.created:
            world.launch(name)
    world.warnings = ("prices are older",)
    world.add("c")
    let_pass(world, cycle, 3)
    assert len(world.plans) == 3
    assert [told for told in world.told if told[0] == "remark"] == [
        ("remark", "warning: prices are old"),
        ("remark", "warning: prices are older"),
    ]


def test_a_node_pool_that_is_left_out_is_told_once_and_again_when_it_is_ready() -> None:
    """Its node class is there, goes, and comes back; each time a pod comes, so that the controller looks."""
    world = World()
    cycle = cycle_of(world)
    classes = world.node_classes
    for pod, there in (("a", classes), ("b", []), ("c", []), ("d", classes)):
        world.node_classes = there
        world.add(pod)
        let_pass(world, cycle, 3)
        for name in world.created:
            world.launch(name)
    assert [told for told in world.told if told[0] in ("left-out", "remark")] == [
        ("left-out", "NodePool general is left out: EC2NodeClass default is not there"),
        ("remark", "NodePool general is ready again"),
    ]


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
    world.get_ready("general-a-b")
    let_pass(world, cycle, 115)
    assert world.created == ["general-a-b"]
    let_pass(world, cycle, 35)
    assert world.created == ["general-a-b", "general-a-b-again1"]


def test_pods_whose_node_others_took_are_planned_for_at_the_next_look() -> None:
    world = World()
    world.add("a", "b")
    cycle = cycle_of(world)
    let_pass(world, cycle, 2)
    world.get_ready("general-a-b", is_full=True)
    let_pass(world, cycle, RESYNC_S + 1)
    assert world.created == ["general-a-b", "general-a-b-again1"]
    let_pass(world, cycle, 60)
    assert len(world.created) == 2


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
