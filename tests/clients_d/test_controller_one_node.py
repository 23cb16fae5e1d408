"""Whatever happens, no pod is named by two NodeClaims that are on their way."""

from __future__ import annotations

import contextlib
import json

from binwright_clients.cluster.errors import UnreachableError
from binwright_clients.controller.observation import (
    NOMINATED_ANNOTATION,
)
from controller_world import World, cycle_of, let_pass
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule


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

    @rule(data=st.data(), is_full=st.booleans())
    def a_node_is_ready_but_not_for_its_pods(self, data: st.DataObject, is_full: bool) -> None:
        """Late, or other pods were bound to it."""
        if names := self.world.not_ready():
            self.world.get_ready(data.draw(st.sampled_from(names)), is_full=is_full)

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
