"""Rules of pods in manifests: what they become in the message, and how mistakes in them are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs
from binwright_server.convert import problem_from_message
from google.protobuf import json_format

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]

APP = {"matchLabels": {"app": "web"}}


def pod(spec: dict[str, Any] | None = None, labels: dict[str, str] | None = None, **annotations: str) -> str:
    metadata = {
        "name": "p",
        "labels": labels or {},
        "annotations": {f"binwright.dev/{key.replace('_', '-')}": text for key, text in annotations.items()},
    }
    body = {"containers": [{"name": "c"}], **(spec or {})}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body})


def template_of(inputs: Inputs) -> dict[str, Any]:
    """The one workload's template, as JSON without its container."""
    [workload] = inputs.problem.workloads
    found = json_format.MessageToDict(workload.template, preserving_proto_field_name=True)
    found.pop("containers")
    return found


def spread(**changes: Any) -> dict[str, Any]:
    one = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": APP}
    return {"topologySpreadConstraints": [one | changes]}


def expressions(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def affinity(kind: str = "podAntiAffinity", **term: Any) -> dict[str, Any]:
    required = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": APP} | term]
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


def test_spread_constraints_are_carried_in_full(read: Read) -> None:
    body = spread(
        minDomains=3,
        nodeAffinityPolicy="Ignore",
        nodeTaintsPolicy="Honor",
        matchLabelKeys=["hash"],
        maxSkew=2,
    )
    assert template_of(read(pod(body))) == {
        "topology_spread_constraints": [
            {
                "topology_key": "zone",
                "max_skew": 2,
                "when_unsatisfiable": "DoNotSchedule",
                "label_selector": {"match_labels": {"app": "web"}},
                "min_domains": 3,
                "node_affinity_policy": "Ignore",
                "node_taints_policy": "Honor",
                "match_label_keys": ["hash"],
            }
        ]
    }


def test_affinity_terms_are_carried_in_full(read: Read) -> None:
    body = affinity(
        namespaces=["b", "a"],
        namespaceSelector={"matchExpressions": [{"key": "team", "operator": "Exists"}]},
        matchLabelKeys=["v"],
        mismatchLabelKeys=["tenant"],
    )
    body["affinity"]["podAffinity"] = {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 7, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {}}}
        ]
    }
    assert template_of(read(pod(body))) == {
        "pod_anti_affinity": {
            "required": [
                {
                    "topology_key": "kubernetes.io/hostname",
                    "label_selector": {"match_labels": {"app": "web"}},
                    "namespaces": ["a", "b"],
                    "namespace_selector": {"match_expressions": [{"key": "team", "operator": "Exists"}]},
                    "match_label_keys": ["v"],
                    "mismatch_label_keys": ["tenant"],
                }
            ]
        },
        "pod_affinity": {
            "preferred": [{"weight": 7, "pod_affinity_term": {"topology_key": "zone", "label_selector": {}}}]
        },
    }


def test_keys_that_an_api_server_has_written_into_the_selector_of_a_pod_are_not_repeated(read: Read) -> None:
    """The selector alone counts from then on, even if the pod's own label changes later."""
    merged = {**APP, **expressions("hash", "In", "a1")}
    body = spread(labelSelector=merged, matchLabelKeys=["hash"]) | affinity(
        labelSelector=merged, matchLabelKeys=["hash"]
    )
    found = template_of(read(pod(body, {"app": "web", "hash": "b2"})))
    [constraint], [term] = found["topology_spread_constraints"], found["pod_anti_affinity"]["required"]
    for rule in (constraint, term):
        assert rule["label_selector"] == {"match_labels": {"app": "web", "hash": "a1"}}
        assert "match_label_keys" not in rule


def test_templates_must_not_have_a_key_in_both(mistakes: Mistakes) -> None:
    """No API server has written into a Deployment: each of its pods would be refused."""
    spec = spread(labelSelector=expressions("hash", "In", "a1"), matchLabelKeys=["hash"])
    template = {"metadata": {"labels": {"hash": "a1"}}, "spec": {"containers": [{"name": "c"}], **spec}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    text = mistakes(yaml.safe_dump({**body, "spec": {"template": template}}))
    assert "spec.template.spec.topologySpreadConstraints[0].matchLabelKeys[0]: exists in both" in text


def test_selector_that_is_missing_is_not_an_empty_one(read: Read) -> None:
    [missing] = template_of(read(pod(spread(labelSelector=None))))["topology_spread_constraints"]
    assert "label_selector" not in missing


def test_host_ports_come_from_containers_and_sidecars_only(read: Read) -> None:
    body = {
        "containers": [{"name": "c", "ports": [{"containerPort": 1}, {"containerPort": 80, "hostPort": 80}]}],
        "initContainers": [
            {"name": "i", "ports": [{"containerPort": 81, "hostPort": 81}]},
            {
                "name": "s",
                "restartPolicy": "Always",
                "ports": [{"containerPort": 82, "hostPort": 82, "protocol": "UDP", "hostIP": "10.0.0.1"}],
            },
        ],
    }
    assert template_of(read(pod(body)))["host_ports"] == [
        {"port": 80},
        {"port": 82, "protocol": "UDP", "host_ip": "10.0.0.1"},
    ]


def test_every_port_is_a_host_port_under_host_network(read: Read) -> None:
    body = {"hostNetwork": True, "containers": [{"name": "c", "ports": [{"containerPort": 9100}]}]}
    assert template_of(read(pod(body)))["host_ports"] == [{"port": 9100}]


def test_port_that_a_sidecar_and_a_container_both_name_is_taken_once(read: Read) -> None:
    """The API server takes such pods; port 80 of every address is that of 10.0.0.1, too."""
    ports = [{"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 81, "hostIP": "10.0.0.1"}]
    body = {
        "containers": [{"name": "c", "ports": [*ports, {"hostPort": 80}]}],
        "initContainers": [{"name": "s", "restartPolicy": "Always", "ports": [{"hostPort": 80}]}],
    }
    assert template_of(read(pod(body)))["host_ports"] == [{"port": 81, "host_ip": "10.0.0.1"}, {"port": 80}]


GOLD = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: gold}
value: 7
preemptionPolicy: Never
"""


def test_priority_class_brings_value_name_and_preemption_policy(read: Read) -> None:
    template = template_of(read(f"{GOLD}\n---\n{pod({'priorityClassName': 'gold'})}"))
    assert template == {"priority": 7, "priority_class_name": "gold", "preemption_policy": "Never"}


def test_pods_own_preemption_policy_wins_over_its_class(read: Read) -> None:
    body = {"priorityClassName": "gold", "preemptionPolicy": "PreemptLowerPriority"}
    assert "preemption_policy" not in template_of(read(f"{GOLD}\n---\n{pod(body)}"))


def test_namespaces_are_carried_with_their_labels(read: Read) -> None:
    shop = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}"
    [namespace] = read(f"{shop}\n---\n{pod()}").problem.namespaces
    assert (namespace.name, dict(namespace.labels)) == ("shop", {"team": "a"})


def test_annotations_become_caps_shares_costs_and_spot_policy(read: Read) -> None:
    body = {"containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}
    inputs = read(
        pod(
            body | {"terminationGracePeriodSeconds": 90},
            {"app": "web"},
            max_per_node="2",
            node_caps='[{"labelSelector": {"matchLabels": {"app": "db"}}, "max": 0}]',
            gpu_milli="250",
            gpu_memory="4Gi",
            restart_cost="0.05",
            min_on_demand="30%",
            max_per_spot_pool="2",
            max_loss="20%",
            max_loss_probability="0.1%",
            max_loss_window="30m",
        )
    )
    assert template_of(inputs) == {
        "labels": {"app": "web"},
        "node_caps": [
            {"label_selector": {"match_labels": {"app": "web"}}, "max_pods": 2},
            {"label_selector": {"match_labels": {"app": "db"}}},
        ],
        "gpu_share": {"milli": 250, "memory_bytes": str(4 * 2**30)},
        "restart_cost_microusd": "50000",
        "termination_grace_period_seconds": 90,
    }
    assert json_format.MessageToDict(inputs.problem.workloads[0].spot, preserving_proto_field_name=True) == {
        "min_on_demand": "30%",
        "max_per_pool": "2",
        "loss": {"share": "20%", "probability_ppm": 1000, "window_seconds": "1800"},
    }


def test_annotation_of_the_template_wins_over_one_of_the_workload(read: Read) -> None:
    inputs = read(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: d, annotations: {binwright.dev/min-on-demand: "1", binwright.dev/restart-cost: "2"}}
        spec:
          replicas: 3
          template:
            metadata: {annotations: {binwright.dev/min-on-demand: "2"}}
            spec: {containers: [{name: c}]}
        """
    )
    [workload] = inputs.problem.workloads
    assert workload.spot.min_on_demand == "2"
    assert workload.template.restart_cost_microusd == 2_000_000


@pytest.mark.parametrize(
    ("annotations", "limits", "share"),
    [
        ({"gpu-fraction": "0.5"}, {}, {"milli": 500}),
        ({"gpu-fraction": "0.3333"}, {}, {"milli": 334}),
        ({"gpu-memory": "2000"}, {}, {"memory_bytes": str(2000 * 2**20)}),
        ({"gpu-fraction": "0.5", "gpu-fraction-num-devices": "2"}, {}, {"milli": 500}),
        ({}, {"nvidia.com/gpu": 1, "nvidia.com/gpucores": 30}, {"milli": 300}),
        ({}, {"nvidia.com/gpumem": 3000}, {"memory_bytes": str(3000 * 2**20)}),
        ({}, {"nvidia.com/gpu": 1, "nvidia.com/gpumem-percentage": 50}, {"milli": 500}),
    ],
)
def test_shares_of_other_schedulers_are_understood(
    read: Read, annotations: dict[str, str], limits: dict[str, int], share: dict[str, Any]
) -> None:
    """KAI's annotations and HAMi's resources; the devices are requested, the helpers are not."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "annotations": annotations},
        "spec": {"containers": [{"name": "c", "resources": {"limits": limits}}]},
    }
    [workload] = read(yaml.safe_dump(body)).problem.workloads
    found = json_format.MessageToDict(workload.template.gpu_share, preserving_proto_field_name=True)
    assert found == share
    amounts = {**workload.template.containers[0].limits, **workload.template.containers[0].requests}
    assert amounts == {"nvidia.com/gpu": annotations.get("gpu-fraction-num-devices", "1")}


WRONG: list[tuple[str, str]] = [
    (pod(spread(maxSkew=0)), "spec.topologySpreadConstraints[0].maxSkew: must be at least 1 (got '0')"),
    (pod(spread(maxSkew=-1)), "spec.topologySpreadConstraints[0].maxSkew: must be at least 1 (got '-1')"),
    (pod(spread(minDomains=0)), "topologySpreadConstraints[0].minDomains: must be at least 1 (got '0')"),
    (
        pod(spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway")),
        "minDomains: goes with DoNotSchedule only (got '2')",
    ),
    (pod(spread(topologyKey="")), "topologySpreadConstraints[0].topologyKey: must name a node label"),
    (
        pod(spread(whenUnsatisfiable="DoNotschedule")),
        "whenUnsatisfiable: must be one of DoNotSchedule, ScheduleAnyway; did you mean 'DoNotSchedule'?",
    ),
    (pod(spread(whenUnsatisfiable=None)), "whenUnsatisfiable: must be one of DoNotSchedule, ScheduleAnyway"),
    (pod(spread(nodeTaintsPolicy="honour")), "nodeTaintsPolicy: must be one of Honor, Ignore; did you mean"),
    (
        pod(spread(matchLabelKeys=["a"], labelSelector=None)),
        "matchLabelKeys: goes with a label selector only",
    ),
    (
        pod(spread(matchLabelKeys=["hash", "app"]), {"app": "web"}),
        "Constraints[0].matchLabelKeys[1]: exists in both matchLabelKeys and labelSelector (got 'app')",
    ),
    (
        pod(spread(matchLabelKeys=["app"], labelSelector=expressions("app", "In", "web", "db"))),
        "matchLabelKeys[0]: exists in both",
    ),
    (
        pod(affinity(matchLabelKeys=["app"]), {"app": "web"}),
        "requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys[0]: exists in both",
    ),
    (
        pod({"topologySpreadConstraints": spread()["topologySpreadConstraints"] * 2}),
        "topologySpreadConstraints[1].topologyKey: repeats key and whenUnsatisfiable of another constraint",
    ),
    (
        pod(spread(labelSelector={"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]})),
        "labelSelector.matchExpressions[0].operator: must be one of In, NotIn, Exists, DoesNotExist",
    ),
    (
        pod(spread(labelSelector={"matchExpressions": [{"key": "a", "operator": "in", "values": ["1"]}]})),
        "did you mean 'In'? (got 'in')",
    ),
    (
        pod(
            spread(
                labelSelector={
                    "matchLabels": {"a": "b"},
                    "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}],
                }
            )
        ),
        "labelSelector: contradict each other: no labels can match",
    ),
    (pod(spread(labelSelector={"matchLabels": {"a b": "c"}})), "matchLabels[a b]: is no label key"),
    (pod(affinity(topologyKey="")), "topologyKey: must name a node label"),
    (pod(affinity(namespaces=[""])), "namespaces: a namespace must not be empty"),
    (pod(affinity(matchLabelKeys=["a"], mismatchLabelKeys=["a"])), "mismatchLabelKeys: is among"),
    (
        pod(
            {
                "affinity": {
                    "podAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 101, "podAffinityTerm": {"topologyKey": "z"}}
                        ]
                    }
                }
            }
        ),
        "preferredDuringSchedulingIgnoredDuringExecution[0].weight: must be in 1..100 (got '101')",
    ),
    (
        pod({"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 70_000}]}]}),
        "spec.containers[0].ports[0].hostPort: must be in 1..65535 (got '70000')",
    ),
    (
        pod(
            {"containers": [{"name": "c", "ports": [{"hostPort": 1, "containerPort": 1, "protocol": "tcp"}]}]}
        ),
        "ports[0].protocol: must be one of TCP, UDP, SCTP; did you mean 'TCP'?",
    ),
    (
        pod(
            {
                "containers": [
                    {"name": "c", "ports": [{"hostPort": 80}]},
                    {"name": "d", "ports": [{"hostPort": 80, "protocol": "TCP"}]},
                ]
            }
        ),
        "spec.containers[1].ports[0].hostPort: clashes with another host port of the pod (got '80')",
    ),
    (
        pod(
            {
                "containers": [{"name": "c"}],
                "initContainers": [
                    {"name": "s", "restartPolicy": "Always", "ports": [{"hostPort": 80}, {"hostPort": 80}]}
                ],
            }
        ),
        "spec.initContainers[0].ports[1].hostPort: clashes with another host port of the pod (got '80')",
    ),
    (pod({"preemptionPolicy": "never"}), "spec.preemptionPolicy: must be one of PreemptLowerPriority, Never"),
    (pod({"terminationGracePeriodSeconds": -1}), "terminationGracePeriodSeconds: must not be negative"),
    (
        pod(max_per_nod="1"),
        "metadata.annotations[binwright.dev/max-per-nod]: unknown annotation; did you mean",
    ),
    (pod(max_per_node="0", labels={"a": "b"}), "max-per-node]: must be a whole number from 1"),
    (pod(max_per_node="1"), "needs pods with labels"),
    (pod(node_caps="x"), "must be JSON such as"),
    (pod(node_caps='[{"max": 1}]'), "must be a label selector (got 'null')"),
    (pod(node_caps='[{"labelSelector": {}, "max": "1"}]'), "node-caps][0].max: must be a whole number"),
    (pod(node_caps='[{"labelSelector": {}, "max": 0}]'), "must be at least 1: the cap counts the pod itself"),
    (pod(node_caps='[{"labelSelector": {}, "maxi": 0}]'), "unknown field; did you mean 'max'?"),
    (pod(gpu_milli="500"), "is a share of a GPU where the pod requests no nvidia.com/gpu (got '500')"),
    (pod(gpu_milli="1001"), "gpu-milli]: must be a whole number from 1 to 1000"),
    (pod(gpu_memory="lots"), "gpu-memory]: is not a quantity"),
    (pod(restart_cost="-1"), "restart-cost]: must be a price of zero or more dollars (got '-1')"),
    (pod(min_on_demand="half"), "min-on-demand]: must be a number of pods such as 3, or a percentage"),
    (pod(max_per_spot_pool="120%"), "max-per-spot-pool]: must be at most 100%"),
    (pod(max_loss="20%"), "binwright.dev/max-loss and binwright.dev/max-loss-probability go together"),
    (pod(max_loss="20%", max_loss_probability="1"), "must be a percentage above 0% and below 100%"),
    (
        pod(max_loss="20%", max_loss_probability="1%", max_loss_window="soon"),
        "max-loss-window]: is no duration such as 90s, 15m or 1h30m (got 'soon')",
    ),
]


@pytest.mark.parametrize(("document", "expected"), WRONG, ids=[expected for _, expected in WRONG])
def test_wrong_rule_names_document_field_and_value(mistakes: Mistakes, document: str, expected: str) -> None:
    text = mistakes(document, "web.yaml")
    assert text.startswith("web.yaml, document 1 (Pod default/p): ")
    assert expected in text
    assert "\n" not in text


@pytest.mark.parametrize("body", [spread(), affinity(), affinity("podAffinity"), {}])
def test_what_is_read_is_what_the_server_understands(read: Read, body: dict[str, Any]) -> None:
    message = read(pod(body, {"app": "web"}, max_per_node="2")).problem
    small = message.catalog.inline.instance_types.add(name="small", allocatable={"cpu": "4"})
    small.offerings.add(capacity_type="on-demand", price_microusd_per_hour=1)
    template = problem_from_message(message).workloads[0].template
    assert bool(template.topology_spread) is ("topologySpreadConstraints" in body)
    assert bool(template.pod_affinity or template.pod_anti_affinity) is ("affinity" in body)
    assert template.node_caps[0].max_pods == 2


NODE = """
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/zone: a}}
status: {allocatable: {cpu: 4, memory: 8Gi, pods: 10}}
"""


def bound(name: str, **spec: Any) -> str:
    body = {"containers": [{"name": "c", "resources": {"requests": {"cpu": 1}}}], "nodeName": "n1", **spec}
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body})


def test_running_pods_are_carried_on_their_node_equal_ones_counted(read: Read) -> None:
    documents = [NODE, bound("a"), bound("b"), bound("c", **affinity()), pod()]
    inputs = read("\n---\n".join(documents))
    [node] = inputs.problem.existing_nodes
    assert node.free["cpu"] == "1"
    assert node.free["pods"] == "7"
    assert [(pods.namespace, pods.count) for pods in node.pods] == [("shop", 2), ("shop", 1)]
    assert dict(node.pods[0].template.labels) == {"app": "web"}
    assert node.pods[1].template.pod_anti_affinity.required[0].topology_key == "kubernetes.io/hostname"
    assert inputs.notes == ()


def test_remarks_about_pods_that_run_already_are_left_out(read: Read) -> None:
    documents = [NODE, bound("a", schedulerName="volcano", priorityClassName="x"), pod()]
    assert read("\n---\n".join(documents)).notes == ()
