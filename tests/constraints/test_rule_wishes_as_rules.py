"""Where a wish is worth a node of another make: the search starts again with wishes as rules, on paper.

Nodes of 2, 4 and 8 CPUs are sold for 0.10, 0.19 and 0.36 $ an hour in each of three zones, unless a case says
otherwise. A weight point is worth 0.001 $ an hour: a wish of weight 100 costs 0.1 $ an hour and pod.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from binwright_optimizer.model import (
    ExistingNode,
    InstanceType,
    PodAffinity,
    Policies,
    PreferredPodTerm,
    Problem,
    WhenUnsatisfiable,
    Workload,
)
from binwright_optimizer.model.affinity import PodAffinityTerm
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pod_wishes import Kind
from binwright_optimizer.settle.as_rules import as_rules, turnable
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import instance_type, microusd, offering, problem
from conformance import Unproven, conforms
from rules import HOSTNAME, ZONE, apps, near, node, ruled, spread, term

POINT = 0.001
RACK = "example.com/rack"


def sold(name: str, cpu: float, *prices: float, gpu: int = 0) -> InstanceType:
    """A type of node with its price in zones a, b and c; the last one given holds for the rest."""
    each = [*prices, *prices[-1:] * (3 - len(prices))]
    return instance_type(
        name, cpu=cpu, gpu=gpu, offerings=[offering(p, zone=z) for z, p in zip("abc", each, strict=True)]
    )


SMALL, MIDDLE, LARGE = sold("small", 2, 0.1), sold("middle", 4, 0.19), sold("large", 8, 0.36)


def asked(
    *workloads: Workload,
    types: Sequence[InstanceType] = (SMALL, MIDDLE),
    point: float = POINT,
    existing: Sequence[ExistingNode] = (),
) -> Problem:
    """Wishes have a price."""
    made = problem(workloads, types, existing=existing)
    return dataclasses.replace(made, policies=Policies(microusd_per_weight_hour=microusd(point)))


def wish(weight: int, key: str, name: str) -> PodAffinity:
    """A preferred term about pods of this app."""
    return PodAffinity(preferred=(PreferredPodTerm(weight, term(key, apps(name))),))


def even(name: str, **more: object) -> Workload:
    """A workload whose pods would be spread over zones."""
    return ruled(name, topology_spread=(spread(ZONE, 1, apps(name), anyway=True),), **more)  # type: ignore[arg-type]


WEB = even("web", replicas=6, cpu=0.5)


def test_three_small_nodes_are_bought_for_pods_that_would_be_spread() -> None:
    """Six pods of half a core fit a node for 0.19 $, where five pay 0.5 $; one in each zone: 0.3 $."""
    conforms(
        asked(WEB), 0.3, lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2, "c": 2}, unproven=Unproven.WISHES
    )


def test_where_wishes_are_worth_little_the_penalty_is_paid() -> None:
    """At a hundredth of the rate the five pay 0.005 $ beside the 0.19 $."""
    conforms(asked(WEB, point=POINT / 100), 0.19, charged=0.005, unproven=Unproven.WISHES)


def test_pods_that_would_be_apart_get_nodes_of_their_own() -> None:
    """Four pods of 1.9 cores share a large node for 0.36 $ and pay 0.4 $; two more need 0.10 $ in b: 0.86 $.

    Apart they are on three small nodes and on one of 0.19 $ in b that holds the two as well: 0.49 $.
    """
    conforms(
        asked(
            ruled("a", replicas=2, cpu=0.5, selector={ZONE: "b"}),
            ruled("b", replicas=4, cpu=1.9, pod_anti_affinity=wish(100, HOSTNAME, "b")),
            types=[SMALL, MIDDLE, LARGE],
        ),
        0.49,
        lambda a: a.together() == [{"a": 2, "b": 1}, {"b": 1}, {"b": 1}, {"b": 1}],
        unproven=Unproven.WISHES,
    )


def test_one_kind_of_wish_becomes_a_rule_and_another_stays_a_wish() -> None:
    """Four pods of web on one node would pay 0.3 $: two nodes more are worth it.

    Four of api would be apart for 0.001 $ each, which no node is worth: two of them share one, for 0.002 $.
    """
    web = even("web", replicas=4, cpu=0.25)
    api = ruled("api", replicas=4, cpu=0.25, pod_anti_affinity=wish(1, HOSTNAME, "api"))
    conforms(asked(web, api, types=[SMALL]), 0.3, charged=0.002, unproven=Unproven.WISHES)


def test_of_one_kind_those_become_rules_that_pay_most() -> None:
    """Three pods need a GPU, whose node costs 1 $ in a and 9 $ elsewhere: spread over zones they cost 19 $.

    Together two of them pay 0.2 $. Web has two pods beside them, and a small node in b and in c: 0.2 $.
    """
    gpus = sold("gpus", 8, 1, 9, gpu=4)
    ai = even("ai", replicas=3, cpu=0.5, gpu=1)
    conforms(
        asked(WEB, ai, types=[SMALL, gpus]),
        1.2,
        lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2, "c": 2},
        charged=0.2,
        unproven=Unproven.WISHES,
    )


def test_a_pod_without_any_place_keeps_nobody_from_another_start() -> None:
    """A pod of 99 cores is left out; the six are on three small nodes for 0.30 $ all the same."""
    question = asked(WEB, ruled("huge", cpu=99))
    decision = solve(question, SolveParams(deadline_s=60.0))
    assert verify(question, decision) == ()
    assert [entry.pods.workload for entry in decision.unschedulable] == [1]
    assert decision.total_microusd_per_hour == decision.cost_microusd_per_hour == microusd(0.3)


def test_under_a_work_limit_another_start_has_the_same_answer() -> None:
    """Half a second's work, shared out by counting: 0.30 $ both times, on the same nodes."""
    limit = SolveParams(deadline_s=60.0, work_limit=500_000)
    first, second = (solve(asked(WEB), limit) for _ in range(2))
    assert first.node_claims == second.node_claims
    assert first.total_microusd_per_hour == microusd(0.3)


def test_wishes_that_would_loosen_a_rule_stay_wishes() -> None:
    """Pods spread over racks count on nodes with the keys of all rules: one without a zone would be hidden.

    Where they must be near db, one more term would allow that they are near neither. A host name all have.
    """
    racks, zones, hosts = (
        spread(RACK, 1, apps("web")),
        *(spread(key, 1, apps("web"), anyway=True) for key in (ZONE, HOSTNAME)),
    )
    both = PodAffinity(near(ZONE, "db").required, wish(1, ZONE, "web").preferred)
    web = ruled("web", topology_spread=(racks, zones, hosts), pod_affinity=both)
    question = asked(web, existing=[node("bare")])
    assert turnable(question) == {(0, Kind.EVEN)}
    template = as_rules(question, turnable(question)).workloads[0].template
    assert template.pod_affinity == both
    assert template.topology_spread == (
        racks,
        zones,
        dataclasses.replace(hosts, when_unsatisfiable=WhenUnsatisfiable.DO_NOT_SCHEDULE),
    )


def test_of_several_terms_of_affinity_the_heaviest_becomes_a_rule() -> None:
    """As rules both would ask for one pod that is db and cache at once."""
    terms: dict[str, PodAffinityTerm] = {name: term(ZONE, apps(name)) for name in ("db", "cache")}
    lighter, heavier = PreferredPodTerm(10, terms["db"]), PreferredPodTerm(20, terms["cache"])
    web = ruled("web", pod_affinity=PodAffinity(preferred=(lighter, heavier)))
    question = asked(web)
    template = as_rules(question, turnable(question)).workloads[0].template
    assert template.pod_affinity == PodAffinity((terms["cache"],), (lighter,))
