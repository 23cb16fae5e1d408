"""The Cluster Autoscaler expander: what it chooses, and what it says of it."""

from __future__ import annotations

import pytest
from autoscaler import (
    C5_LARGE,
    CHEAP,
    DEAR,
    G4DN_XLARGE,
    T4_PODS,
    Options,
    k8s_node,
    k8s_pod,
    scale_up,
    t4_options,
)
from expanding import chosen, group_of


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


def test_options_without_pods_are_decided_by_cost() -> None:
    options: Options = {
        "dear": (1, k8s_node("m5.4xlarge"), []),
        "cheap": (3, k8s_node("m5.large"), []),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "cheap"
    assert "no option tells its pods" in choice.reason
