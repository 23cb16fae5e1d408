"""The Cluster Autoscaler expander: what it chooses, says and refuses."""

from __future__ import annotations

import asyncio
import datetime
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import pytest
from autoscaler import C5_LARGE, G4DN_12XLARGE, G4DN_XLARGE, Options, k8s_node, k8s_pod, scale_up
from binwright.vendor.autoscaler import expander_pb2, expander_pb2_grpc
from binwright.vendor.kubernetes import core_v1_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import Decision
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_server.convert.expansion import scale_up_question
from binwright_server.errors import TooLateError
from binwright_server.expansion.choose import MOST_SOLVED, Choice, choose
from binwright_server.expansion.demand import demand_of
from binwright_server.expansion.question import ScaleUpQuestion
from binwright_server.expansion.scanned import ScannedRequest
from binwright_server.expansion.service import ExpanderService
from harness import ServerThread, SlowSolver, serving
from hypothesis import given, settings
from hypothesis import strategies as st


def scale_up_question_from_bytes(data: bytes) -> ScaleUpQuestion:
    """The question as a front scans it and a lane reads it."""
    return scale_up_question(ScannedRequest.unpacked(ScannedRequest.of(data).packed()))


PRICED = datetime.date(2026, 7, 20)
"""Day of the embedded on-demand prices of AWS."""


def chosen(request: expander_pb2.BestOptionsRequest, days_later: int = 0) -> Choice | None:
    question = scale_up_question_from_bytes(request.SerializeToString())
    return choose(question, solve, 5.0, Deadline(5.0), PRICED + datetime.timedelta(days_later))


def group_of(options: Options, version: str = "1.35") -> str:
    choice = chosen(scale_up(options, version))
    assert choice is not None
    return choice.option.node_group


T4_PODS = [k8s_pod(f"t4-{k}", "2", "13Gi", gpus=1) for k in range(2)]


def t4_options() -> Options:
    """Two T4 pods: two small nodes at 0.526 $/h, or one of 3.912 $/h that least-nodes would take."""
    return {
        "large": (1, k8s_node("g4dn.12xlarge", G4DN_12XLARGE), T4_PODS),
        "small": (2, k8s_node("g4dn.xlarge", G4DN_XLARGE), T4_PODS),
    }


@pytest.mark.parametrize("version", ["1.33", "1.34", "1.35"])
def test_two_t4_pods_go_to_two_small_nodes_in_every_message_form(version: str) -> None:
    assert group_of(t4_options(), version) == "small"


def test_cpu_pods_that_gpu_nodes_could_hold_are_bought_first_on_their_own() -> None:
    """4 CPU pods and 2 GPU pods. The GPU group would be grown for all six: the CPU group goes first.

    Growing ``gpu`` by 4 nodes for all pods costs 2.104 $/h; ``cpu`` by 4 (0.34 $/h), then ``gpu`` by 2
    (1.052 $/h) costs 1.392 $/h.
    """
    cpu_pods = [k8s_pod(f"web-{k}", "1900m", "2Gi") for k in range(4)]
    options: Options = {
        "gpu": (4, k8s_node("g4dn.xlarge", G4DN_XLARGE), [*T4_PODS, *cpu_pods]),
        "cpu": (4, k8s_node("c5.large", C5_LARGE), cpu_pods),
    }
    assert group_of(options) == "cpu"


def test_what_holds_more_of_the_mix_goes_first() -> None:
    """Both purchases fit the mix; 20 web pods are worth more than one batch pod."""
    web = [k8s_pod(f"web-{k}", "3") for k in range(20)]
    batch = [k8s_pod("batch", "1900m", "2Gi")]
    options: Options = {
        "batch": (1, k8s_node("c5.large", C5_LARGE), batch),
        "web": (20, k8s_node("m5.xlarge"), web),
    }
    assert group_of(options) == "web"


def test_spot_group_is_taken_before_its_equal_on_demand() -> None:
    spot = {"eks.amazonaws.com/capacityType": "SPOT"}
    pods = [k8s_pod("web")]
    options: Options = {
        "on-demand": (1, k8s_node("m5.xlarge"), pods),
        "spot": (1, k8s_node("m5.xlarge", labels=spot), pods),
    }
    assert group_of(options) == "spot"


def test_equal_options_are_decided_by_name_however_they_are_ordered() -> None:
    pods = [k8s_pod("web")]
    options: Options = {group: (1, k8s_node("m5.xlarge"), pods) for group in ("zone-b", "zone-a", "zone-c")}
    backwards = dict(reversed(options.items()))
    assert group_of(options) == group_of(backwards) == "zone-a"


def test_annotated_price_overrides_the_catalogue() -> None:
    pods = [k8s_pod("web")]
    options: Options = {
        "catalogue": (1, k8s_node("m5.xlarge"), pods),
        "own": (1, k8s_node("m5.xlarge", price="0.001"), pods),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert (choice.option.node_group, choice.option.price.microusd_per_hour) == ("own", 1000)


def test_unknown_types_are_weighed_by_their_resources_and_said_to_be() -> None:
    pods = [k8s_pod("web")]
    options: Options = {
        "big": (1, k8s_node("mainframe", {"cpu": "64", "memory": "256Gi", "pods": "110"}), pods),
        "small": (1, k8s_node("appliance", {"cpu": "2", "memory": "4Gi", "pods": "110"}), pods),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "small"
    assert "no catalogue sells appliance" in choice.reason


FOUR_CPUS = {"cpu": "4", "memory": "16Gi", "pods": "110"}
CHEAP, DEAR = (k8s_node("own", FOUR_CPUS, price=price) for price in ("0.10", "0.20"))


@pytest.mark.parametrize("gpu_pods", [0, 1, 100, 2000])
def test_waste_on_few_pods_is_not_hidden_by_the_cost_of_many(gpu_pods: int) -> None:
    """20 pods of 1 CPU: 5 nodes of 4 CPUs at 0.10 $/h. ``cheap`` may grow by 4 now, ``dear`` at 0.20 by 5.

    Each GPU pod of 3 CPUs takes a node at 0.526 $/h of its own, and three CPU pods another one.
    """
    on_gpus = [k8s_pod(f"gpu-{k}", "3", "4Gi", gpus=1) for k in range(gpu_pods)]
    on_cpus = [k8s_pod(f"cpu-{k}") for k in range(20)]
    options: Options = {
        "gpu": (gpu_pods + 7, k8s_node("g4dn.xlarge", G4DN_XLARGE), [*on_gpus, *on_cpus]),
        "cheap": (4, CHEAP, on_cpus[:16]),
        "dear": (5, DEAR, on_cpus),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "cheap"
    assert "growing cheap by 4 now costs 0.4000 $/h, 0.0000 $/h more than its pods cost" in choice.reason


def test_one_small_pod_goes_to_a_node_of_its_own_before_the_gpu_nodes_are_bought() -> None:
    """It fills a fortieth of a node at 0.10 $/h, which is cheaper than one more GPU node at 0.526 $/h."""
    on_gpus = [k8s_pod(f"gpu-{k}", "3900m", "4Gi", gpus=1) for k in range(100)]
    small = [k8s_pod("small", "100m")]
    options: Options = {
        "gpu": (101, k8s_node("g4dn.xlarge", G4DN_XLARGE), [*on_gpus, *small]),
        "cheap": (1, CHEAP, small),
    }
    assert group_of(options) == "cheap"


def test_growth_that_would_hold_everything_waits_for_one_that_spares_more_than_it_costs() -> None:
    """The mix puts 1-CPU pods beside 10 GPU pods of 2 CPUs, 20 of 40 at no cost; a growth holds all it helps.

    ``gpu`` for all is 20 nodes (60 CPUs of 3 a node): 10.52 $/h. ``cheap`` for the CPU pods is 10 nodes at
    0.10 $/h, and ``gpu`` by 10 for the rest 5.26 $/h: 6.26 $/h.
    """
    on_gpus = [k8s_pod(f"gpu-{k}", "2", "1Gi", gpus=1) for k in range(10)]
    on_cpus = [k8s_pod(f"cpu-{k}", "1", "1Gi") for k in range(40)]
    options: Options = {
        "gpu": (20, k8s_node("g4dn.xlarge", G4DN_XLARGE), [*on_gpus, *on_cpus]),
        "cheap": (10, CHEAP, on_cpus),
    }
    assert group_of(options) == "cheap"


def test_growth_of_everything_waits_where_only_several_before_it_spare_money() -> None:
    """``g2`` holds all in 12 nodes at 0.752 $/h, one per GPU pod: 9.024 $/h, however few CPU pods are left.

    ``cheap`` for 30 CPU pods (8 nodes, 0.80 $/h), ``g1`` for 10 GPU pods (5.26 $/h) and ``g2`` for the 2 that
    need 6 CPUs (1.504 $/h) cost 7.564 $/h. ``cheap`` and ``g2`` alone cost 9.824 $/h; ``g1`` for GPU and
    CPU pods (20 nodes, 10.52 $/h) and ``g2`` cost more, too.
    """
    small = [k8s_pod(f"small-{k}", "3", "1Gi", gpus=1) for k in range(10)]
    large = [k8s_pod(f"large-{k}", "6", "1Gi", gpus=1) for k in range(2)]
    on_cpus = [k8s_pod(f"cpu-{k}", "1", "1Gi") for k in range(30)]
    g2 = {"cpu": "7900m", "memory": "30Gi", "nvidia.com/gpu": "1", "pods": "29"}
    options: Options = {
        "g1": (20, k8s_node("g4dn.xlarge", G4DN_XLARGE), [*small, *on_cpus]),
        "g2": (12, k8s_node("g4dn.2xlarge", g2), [*small, *large, *on_cpus]),
        "cheap": (8, CHEAP, on_cpus),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "cheap"
    assert "with g1, g2 for the pods it leaves about 7.5640 $/h in all" in choice.reason


def test_growth_that_costs_less_than_its_pods_is_said_to() -> None:
    """A pod of 2 CPUs fits beside another one on 4 CPUs; the autoscaler says one node for all three."""
    pods = [k8s_pod(f"web-{k}", "2") for k in range(3)]
    choice = chosen(scale_up({"a": (1, CHEAP, pods), "b": (2, DEAR, pods)}))
    assert choice is not None
    assert "growing a by 1 now costs 0.1000 $/h, 0.1000 $/h less than its pods cost" in choice.reason


def test_only_helpful_option_has_its_cost_and_bound_told() -> None:
    choice = chosen(
        scale_up({"only": (2, CHEAP, [k8s_pod(f"web-{k}", "3") for k in range(2)]), "none": (1, CHEAP, [])})
    )
    assert choice is not None
    assert choice.reason == (
        "binwright: cheapest mix for 2 pods over the only option that helps a pod: 2 x only at 0.2000 $/h,"
        " bound 0.2000 $/h (gap 0.00%); growing only by 2 now costs 0.2000 $/h, 0.0000 $/h more than its"
        " pods cost in the mix; price: binwright.dev/hourly-price"
    )


def test_wrong_price_on_an_option_that_is_not_chosen_is_told() -> None:
    pods = [k8s_pod("web")]
    options: Options = {
        "typo": (1, k8s_node("m5.xlarge", price="12,5"), pods),
        "good": (1, k8s_node("m5.large"), pods),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "good"
    assert "typo: binwright.dev/hourly-price='12,5' is not a price in dollars such as 0.526" in choice.reason


def distinct_pods(count: int) -> list[core_v1_pb2.Pod]:
    """Pods of 1 CPU and a little more each, no two alike."""
    return [k8s_pod(f"web-{k}", f"{1000 + k}m", f"{1000 + k}Mi") for k in range(count)]


def test_many_distinct_pods_are_grouped_and_said_to_be() -> None:
    """800 pods of 1.4 CPUs in the mean: 2 to 3 a node of 4 CPUs. ``dear`` is twice the price."""
    pods = distinct_pods(800)
    choice = chosen(scale_up({"dear": (400, DEAR, pods), "cheap": (400, CHEAP, pods)}))
    assert choice is not None
    assert choice.option.node_group == "cheap"
    said = re.search(
        r"800 kinds of pods taken for (\d+), each of the mean of requests that differ by 5% at", choice.reason
    )
    assert said is not None
    # A grid of 5 % has log(2000 / 1000) / log(1.05) = 14.2 cells from 1 to 2 CPUs, and memory lies like CPU.
    assert int(said[1]) <= 2 * 15


def test_grouped_pods_ask_for_as_much_in_all_and_fit_where_each_of_them_does() -> None:
    pods = distinct_pods(100)
    request = scale_up({"all": (50, CHEAP, pods), "half": (25, CHEAP, pods[:50])})
    question = scale_up_question_from_bytes(request.SerializeToString())
    demand = demand_of(question, question.options, most=10)
    assert len(demand.requests) < 10
    assert (demand.distinct, demand.n_pods) == (100, 100)
    assert demand.helps.sum(axis=1).tolist() == [100, 50]
    wanted = sum(1000 + k for k in range(100))
    total = sum(r["cpu"] * int(n) for r, n in zip(demand.requests, demand.counts, strict=True))
    assert wanted <= total < wanted + 100
    for requests, helps in zip(demand.requests, demand.helps.T, strict=True):
        assert helps[1] in (0, helps[0]), "pods that other options help are never made one"
        assert 1000 <= requests["cpu"] < 1100


def test_gpus_are_never_averaged() -> None:
    pods = [k8s_pod(f"web-{k}", f"{1000 + k}m", "1Gi", gpus=1 + k % 2) for k in range(20)]
    question = scale_up_question_from_bytes(
        scale_up({"gpu": (20, k8s_node("g4dn.12xlarge", G4DN_12XLARGE), pods)}).SerializeToString()
    )
    demand = demand_of(question, question.options, most=3)
    assert sorted(r["nvidia.com/gpu"] for r in demand.requests) == [1, 2]


def test_without_time_for_a_mix_pods_are_valued_alone_and_that_is_said() -> None:
    """A 2-CPU T4 pod fills a GPU: 0.526 $/h on small nodes, and 0.978 $/h on those that ``large`` adds."""
    question = scale_up_question_from_bytes(scale_up(t4_options()).SerializeToString())
    choice = choose(question, solve, 0.01, Deadline(0.01), PRICED)
    assert choice is not None
    assert choice.option.node_group == "small"
    assert choice.reason.startswith("binwright: no cheapest mix and no bound for 2 pods over 2 options: 0.0")
    assert "0.0000 $/h more than its pods are worth" in choice.reason


def test_too_many_kinds_to_solve_for_are_valued_alone() -> None:
    """No two pods are helped by the same options, so that none can be made one."""
    pods = [k8s_pod(f"web-{k}", f"{2000 + k}m") for k in range(MOST_SOLVED + 1)]
    options: Options = {
        "all": (len(pods), CHEAP, pods),
        **{f"part-{k}": (1, DEAR, [p for i, p in enumerate(pods) if i >> k & 1]) for k in range(10)},
    }

    def never(*_arguments: object) -> Decision:
        raise AssertionError("no solve is begun")

    question = scale_up_question_from_bytes(scale_up(options).SerializeToString())
    choice = choose(question, never, 5.0, Deadline(5.0), PRICED)
    assert choice is not None
    assert "kinds of pods are too many in time" in choice.reason


def test_reason_tells_mix_cost_bound_and_price() -> None:
    choice = chosen(scale_up(t4_options()))
    assert choice is not None
    assert choice.reason == (
        "binwright: cheapest mix for 2 pods over 2 options: 2 x small at 1.0520 $/h, bound 1.0520 $/h"
        " (gap 0.00%); growing small by 2 now costs 1.0520 $/h, 0.0000 $/h more than its pods cost in the"
        " mix; price: aws us-east-1 on-demand price of 2026-07-20"
    )


@pytest.mark.parametrize(("days", "is_told"), [(30, False), (31, True)])
def test_prices_that_are_old_are_told_in_the_reason(days: int, is_told: bool) -> None:
    choice = chosen(scale_up(t4_options()), days)
    assert choice is not None
    assert ("; on-demand prices are up to 31 days old" in choice.reason) is is_told


def test_prices_that_were_told_with_the_node_have_no_age() -> None:
    pods = [k8s_pod("web")]
    options: Options = {group: (1, k8s_node("m5.xlarge", price="0.1"), pods) for group in ("a", "b")}
    choice = chosen(scale_up(options), 10_000)
    assert choice is not None
    assert "days old" not in choice.reason


def test_pods_that_differ_in_name_only_are_one_kind() -> None:
    question = scale_up_question_from_bytes(scale_up(t4_options()).SerializeToString())
    assert [kind.count for kind in question.kinds] == [2]
    assert [option.helps.tolist() for option in question.options] == [[2], [2]]


def test_no_options_is_no_scale_up() -> None:
    assert chosen(expander_pb2.BestOptionsRequest()) is None


def test_options_without_pods_are_decided_by_cost() -> None:
    options: Options = {
        "dear": (1, k8s_node("m5.4xlarge"), []),
        "cheap": (3, k8s_node("m5.large"), []),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "cheap"
    assert "no option tells its pods" in choice.reason


def test_option_without_template_node_is_left_out_and_named() -> None:
    pods = [k8s_pod("web")]
    options: Options = {"a": (1, None, pods), "b": (1, k8s_node("m5.4xlarge"), pods)}
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "b"
    assert "a is left out: it has no template node" in choice.reason


def test_options_of_which_none_can_be_judged_are_an_error_with_the_reasons() -> None:
    """No answer would tell Cluster Autoscaler that nothing is to be scaled up."""
    pods = [k8s_pod("web")]
    empty = k8s_node("m5.4xlarge")
    empty.status.ClearField("allocatable")
    empty.status.ClearField("capacity")
    request = scale_up({"a": (1, None, pods), "b": (1, empty, pods)})
    with pytest.raises(InvalidProblemError) as caught:
        chosen(request)
    assert [(v.field, v.value, v.description) for v in caught.value.violations] == [
        ("options[0]", "a", "cannot be judged: it has no template node"),
        ("options[1]", "b", "cannot be judged: its template node has no resources"),
    ]


def test_pod_whose_fields_contradict_each_other_is_left_out_and_named() -> None:
    bad = k8s_pod("bad", cpu="lots")
    good = k8s_pod("good")
    options: Options = {
        "a": (1, k8s_node("m5.xlarge"), [bad, good]),
        "b": (1, k8s_node("m5.4xlarge"), [bad, good]),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "a"
    assert "pods like default/bad are left out: .containers[0].requests" in choice.reason


@pytest.mark.parametrize("version", ["1.33", "1.35"])
def test_undecodable_pod_is_refused_by_its_place(version: str) -> None:
    request = scale_up(t4_options(), version)
    name = "pod" if version == "1.33" else "podBytes"
    getattr(request.options[1], name).append(b"\xff\xff\xff")
    with pytest.raises(InvalidProblemError) as caught:
        scale_up_question_from_bytes(request.SerializeToString())
    assert [v.field for v in caught.value.violations] == [f"options[1].{name}[2]"]
    assert "is no serialized Pod" in str(caught.value)


def test_undecodable_node_is_refused_by_its_place() -> None:
    request = scale_up(t4_options())
    request.nodeBytesMap["small"] = b"\xff\xff\xff"
    with pytest.raises(InvalidProblemError, match=r'nodeBytesMap\["small"\]: is no serialized Node'):
        scale_up_question_from_bytes(request.SerializeToString())


def test_text_that_is_not_utf8_is_refused_by_its_place() -> None:
    request = scale_up(t4_options())
    good = request.options[0].podBytes[0]
    for wanted in (b"cpu", b"t4-0"):
        request.options[0].podBytes[0] = good.replace(wanted, b"\xff" * len(wanted))
        with pytest.raises(InvalidProblemError, match=r"options\[0\].podBytes\[0\]: is no serialized Pod"):
            scale_up_question_from_bytes(request.SerializeToString())


def test_node_group_named_twice_is_refused() -> None:
    request = scale_up(t4_options())
    request.options[1].nodeGroupId = "large"
    with pytest.raises(
        InvalidProblemError, match=r"options\[1\].nodeGroupId: is already that of options\[0\]"
    ):
        scale_up_question_from_bytes(request.SerializeToString())


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_question_or_refused(data: bytes) -> None:
    try:
        expected = expander_pb2.BestOptionsRequest.FromString(data)
    except Exception:
        expected = None
    try:
        question = scale_up_question_from_bytes(data)
    except InvalidProblemError:
        return
    assert expected is not None, "what protobuf refuses is refused"
    assert len(question.options) <= len(expected.options)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_corrupted_request_is_a_question_or_refused(data: st.DataObject) -> None:
    content = bytearray(scale_up(t4_options(), "1.34").SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for corrupted in (bytes(content), bytes(content[:cut])):
        try:
            question = scale_up_question_from_bytes(corrupted)
        except InvalidProblemError:
            continue
        assert sum(kind.count for kind in question.kinds) <= 8


pods_of_options = st.lists(
    st.lists(st.binary(max_size=20), max_size=6), max_size=4
)  # as protobuf sees them, whatever is in them


@given(pods_of_options, st.booleans())
@settings(max_examples=200, deadline=None)
def test_pods_are_told_apart_as_protobuf_reads_them(options: list[list[bytes]], is_old: bool) -> None:
    request = expander_pb2.BestOptionsRequest()
    for k, pods in enumerate(options):
        name = "pod" if is_old else "podBytes"
        request.options.add(nodeGroupId=str(k), nodeCount=k, debug="x" * k, **{name: pods})
    data = request.SerializeToString()
    for scanned in (ScannedRequest.of(data), ScannedRequest.unpacked(ScannedRequest.of(data).packed())):
        assert [o.nodeGroupId for o in scanned.options()] == [o.nodeGroupId for o in request.options]
        distinct = [scanned.pod_bytes(pod) for pod in range(scanned.n_pods)]
        assert [[distinct[p] for p in scanned.pods_of(k)] for k in range(len(options))] == options
        assert len(set(distinct)) == len(distinct)


# --- through a server -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(solve) as running:
        yield running


def test_server_answers_with_one_option(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(t4_options()), timeout=30)
    assert [(o.nodeGroupId, o.nodeCount) for o in answer.options] == [("small", 2)]
    assert answer.options[0].debug.startswith("binwright: cheapest mix for 2 pods")


def test_server_says_what_is_wrong_and_goes_on(server: ServerThread) -> None:
    request = scale_up(t4_options())
    request.options[0].podBytes.append(b"\xff")
    with grpc.insecure_channel(server.address) as channel:
        stub = expander_pb2_grpc.ExpanderStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.BestOptions(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "options[0].podBytes[2]: is no serialized Pod" in caught.value.details()
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/grpcplugin.Expander/BestOptions")(b"\xff\xff", timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert stub.BestOptions(scale_up(t4_options()), timeout=30).options


def test_short_deadline_is_answered_without_a_mix(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        grpc.channel_ready_future(channel).result(30)
        answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(t4_options()), timeout=0.1)
    assert [o.nodeGroupId for o in answer.options] == ["small"]
    assert answer.options[0].debug.startswith("binwright: no cheapest mix and no bound for 2 pods")


class Inline:
    """Workers that work at once."""

    async def run(self, work: Callable[[threading.Event], expander_pb2.BestOptionsResponse]) -> object:
        return work(threading.Event())


class Late:
    """The context of a call whose caller has just ceased to wait."""

    def time_remaining(self) -> float:
        return 0.0


def test_deadline_that_has_passed_is_an_error_not_an_empty_answer() -> None:
    """An empty answer would mean that nothing is to be scaled up."""
    service = ExpanderService(solve, cast("Any", Inline()))
    request = ScannedRequest.of(scale_up(t4_options()).SerializeToString())
    with pytest.raises(TooLateError, match="the deadline has passed"):
        asyncio.run(service.best_options(request, cast("Any", Late())))


def test_expander_does_not_wait_behind_batch_solves() -> None:
    from binwright_clients.client import Client
    from harness import solve_request

    slow = SlowSolver()

    def solver(problem, params, stop=None, on_progress=None):  # type: ignore[no-untyped-def]
        is_batch = problem.node_pools[0].name == "default"
        return (slow if is_batch else solve)(problem, params, stop, on_progress)

    with serving(solver) as server, Client(server.address) as client:
        threads = [
            threading.Thread(target=lambda: client.solve(solve_request(deadline_s=4), timeout=30))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in range(2):
            assert slow.started.acquire(timeout=30)
        with grpc.insecure_channel(server.address) as channel:
            answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(t4_options()), timeout=3)
        assert answer.options
        ends_at = time.monotonic() + 3
        while server.server.workers.waiting < 2 and time.monotonic() < ends_at:
            time.sleep(0.01)  # the answer may be there before the last solve is
        assert server.server.workers.waiting == 2
        for thread in threads:
            thread.join(30)
