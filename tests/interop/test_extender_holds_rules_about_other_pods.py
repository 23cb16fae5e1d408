"""Required rules about other pods: kube-scheduler refuses nothing that ``binwright extender`` ranks first.

Three zones have a small node (6 CPU, 0.10 $/h) and a large one (16 CPU, 0.40 $/h) each. Twelve pods of 1 CPU
would fit on two small nodes. Three of them are databases that keep off each other's nodes and are spread over
the zones, so that each zone has to keep a node: three small ones, 0.30 $/h; no choice of nodes is cheaper.
"""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from binwright.v1 import scheduling_service_pb2 as api
from binwright.v1 import scheduling_service_pb2_grpc
from cluster import Cluster
from extender_services import Services, ready, scheduler_config
from karpenter_cluster import Json, apply, pod, start_scheduler, wait
from kubernetes import client
from transcript import Transcript

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SMALL = {"small-a", "small-b", "small-c"}
GATE = "binwright.dev/interop"

OUTWEIGHS_ALL = 100
"""With it a step of the extender's scores is worth more than all of kube-scheduler's own together: it takes
what the extender ranks first, unless its filters refuse that."""


def node(size: str, zone: str) -> Json:
    """A node of a zone."""
    cpu, price = {"small": ("6", "0.10"), "large": ("16", "0.40")}[size]
    name = f"{size}-{zone}"
    amounts = {"cpu": cpu, "memory": "64Gi", "pods": "58"}
    own = {HOST: name, ZONE: f"us-east-1{zone}", "binwright.dev/hourly-price": price}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": own},
        "status": {"capacity": amounts, "allocatable": amounts},
    }


def waiting(name: str, namespace: str = "default", **spec: Any) -> Json:
    """A pod that kube-scheduler does not look at before its gate is taken away."""
    made = pod(name, {"cpu": "1", "memory": "1Gi"}, schedulingGates=[{"name": GATE}], **spec)
    made["metadata"] |= {"namespace": namespace, "labels": {"app": name.partition("-")[0]}}
    return made


def pods() -> list[Json]:
    """In the order in which kube-scheduler gets them."""
    alike = {"labelSelector": {"matchLabels": {"app": "db"}}}
    apart = {"podAntiAffinity": {REQUIRED: [{"topologyKey": HOST, **alike}]}}
    spread = [{"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **alike}]
    noisy = {"labelSelector": {}, "namespaceSelector": {"matchLabels": {"team": "noisy"}}}
    shy = {"podAntiAffinity": {REQUIRED: [{"topologyKey": HOST, **noisy}]}}
    proxies = [waiting(f"proxy-{n}") for n in range(2)]
    for proxy in proxies:
        proxy["spec"]["containers"][0]["ports"] = [{"containerPort": 8080, "hostPort": 80}]
    return [
        *(waiting(f"db-{n}", affinity=apart, topologySpreadConstraints=spread) for n in range(3)),
        *proxies,
        waiting("noise", "loud"),
        waiting("quiet", affinity=shy),
        *(waiting(f"web-{n}") for n in range(5)),
    ]


class Asked:
    """The webhook asked as kube-scheduler would, were no node refused by its own filters."""

    def __init__(self, services: Services) -> None:
        folder = services.cluster.folder
        self._url = services.url
        self._context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        self._context.load_cert_chain(folder / "server.pem", folder / "server.key")

    def scores(self, body: Json, nodes: list[str]) -> dict[str, int]:
        """Score of each node, 0 to 10."""
        data = json.dumps({"Pod": body, "Nodes": None, "NodeNames": nodes}).encode()
        request = urllib.request.Request(f"{self._url}/prioritize", data)
        with urllib.request.urlopen(request, timeout=20, context=self._context) as response:
            return {each["Host"]: each["Score"] for each in json.load(response)}


@contextmanager
def server_of(services: Services) -> Iterator[tuple[Any, tuple[tuple[str, str], ...]]]:
    """The scheduling API, and the credentials for it."""
    authority = (services.cluster.folder / "ca.pem").read_bytes()
    metadata = (("authorization", f"Bearer {services.token.read_text().strip()}"),)
    credentials = grpc.ssl_channel_credentials(authority)
    with grpc.secure_channel(f"127.0.0.1:{services.ports[0]}", credentials) as channel:
        yield scheduling_service_pb2_grpc.SchedulingServiceStub(channel), metadata


def is_counted(services: Services, body: Json) -> bool:
    """Whether the server counts a pod on its node: its ratings then have no version."""
    question = api.RateNodesQuestion()
    question.pod.containers.add(requests={"cpu": "1"})
    question.name.name, question.name.namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    with server_of(services) as (stub, metadata):
        answer = stub.RateNodes(api.RateNodesRequest(questions=[question]), metadata=metadata, timeout=20)
    return not answer.ratings[0].version


def plan_of(services: Services) -> api.Plan:
    """The plan in force."""
    with server_of(services) as (stub, metadata):
        stream = stub.WatchPlan(api.WatchPlanRequest(), metadata=metadata, timeout=150)
        plan: api.Plan = next(iter(stream)).plan
        stream.cancel()
        return plan


def kept(plan: api.Plan) -> set[str]:
    """Nodes that a plan keeps."""
    return {each.name for each in plan.nodes if each.is_kept}


def places(api_client: client.ApiClient) -> dict[str, str]:
    """Node of each pod that has one."""
    found = client.CoreV1Api(api_client).list_pod_for_all_namespaces().items
    return {each.metadata.name: each.spec.node_name for each in found if each.spec.node_name}


def test_kube_scheduler_refuses_nothing_that_the_extender_ranks_first(
    cluster: Cluster, transcript: Transcript
) -> None:
    """Each pod goes where it is ranked first; all of them are on the nodes of the plan, by all rules."""
    cluster.start_kwok()
    services = Services.beside(cluster)
    with cluster.api() as client_:
        core = client.CoreV1Api(client_)
        apply(client_, [node(size, zone) for size in ("small", "large") for zone in "abc"])
        loud = {"name": "loud", "labels": {"team": "noisy"}}
        apply(client_, [{"apiVersion": "v1", "kind": "Namespace", "metadata": loud}, *pods()])
        wait(lambda: ready(client_) == 6, "the nodes to be ready")
        nodes = sorted(each.metadata.name for each in core.list_node().items)
        services.start_server("binwright.log")
        services.start_extender()
        wait(lambda: kept(plan_of(services)) == SMALL, "the plan for twelve pods that wait", 150)
        plan = plan_of(services)
        transcript.ask("binwright: plan for three small nodes, three large ones and twelve pods that wait")
        transcript.saw(
            f"it keeps {', '.join(sorted(kept(plan)))}: {plan.hourly_cost_usd:.2f} $/h, "
            f"at least {plan.lower_bound_usd:.2f}; {plan.unplaced_pods} pods have no place"
        )
        assert (round(plan.hourly_cost_usd, 6), plan.unplaced_pods) == (0.30, 0)
        start_scheduler(cluster, scheduler_config(services, weight=OUTWEIGHS_ALL))
        asked = Asked(services)
        for each in pods():
            name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
            body = json.loads(core.read_namespaced_pod(name, namespace, _preload_content=False).data)
            scores = asked.scores(body, nodes)
            first = {on for on, score in scores.items() if score == max(scores.values())}
            opened = [{"op": "remove", "path": "/spec/schedulingGates"}]
            core.patch_namespaced_pod(name, namespace, opened)
            wait(lambda name=name: name in places(client_), f"{name} to be bound", 60)
            chosen = places(client_)[name]
            transcript.ask(f"the extender, about {name} on any node: {scores}")
            transcript.saw(f"kube-scheduler bound {name} to {chosen}")
            assert chosen in first
            wait(lambda each=each: is_counted(services, each), f"the server to know of {name}", 60)
            # So that no plan comes between our question about the next pod and kube-scheduler's.
            wait(lambda old=plan.number: plan_of(services).number > old, "the plan that takes it in", 120)
            plan = plan_of(services)
        where = places(client_)
    transcript.saw(
        f"the plan keeps {', '.join(sorted(kept(plan)))}; pods are on {sorted(set(where.values()))}"
    )
    assert set(where.values()) == kept(plan) == SMALL
    assert {where[f"db-{n}"] for n in range(3)} == SMALL
    assert where["proxy-0"] != where["proxy-1"]
    assert where["quiet"] != where["noise"]
