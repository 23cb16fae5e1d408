"""Snapshots of a cluster over HTTP, and what solve makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
import yaml
from binwright_clients.cli.main import main
from binwright_clients.cluster import api as api_module
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.errors import (
    ClusterError,
    ForbiddenError,
    GoneError,
    UnauthorizedError,
    UnreachableError,
)
from binwright_clients.errors import InputError
from binwright_clients.inputs import read_inputs
from binwright_clients.snapshot.files import snapshot_bytes, write_snapshot
from binwright_clients.snapshot.permissions import snapshot_permissions
from binwright_clients.snapshot.take import take_snapshot
from binwright_clients.sources import Format, Source
from click.testing import CliRunner, Result
from kube_double import KARPENTER, KubeDouble, kube_double, node, node_pool, pod, write_kubeconfig
from published_schemas import expect_kubernetes


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    """Two nodes with a pod each, two pending pods of 6 CPU, a finished pod and a NodePool."""
    with kube_double() as running:
        running.put("nodes", node("n1"))
        running.put("nodes", node("n2"))
        running.put("pods", pod("web-1", on="n1", cpu="4"))
        running.put("pods", pod("web-2", on="n2", cpu="4"))
        running.put("pods", pod("big-1", cpu="6"))
        running.put("pods", pod("big-2", cpu="6"))
        running.put("pods", pod("done", on="n1", phase="Succeeded"))
        running.put("nodepools", node_pool())
        yield running


@pytest.fixture
def cluster(double: KubeDouble, tmp_path: Path) -> ClusterApi:
    return open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))


def test_a_snapshot_holds_what_runs_and_what_waits(cluster: ClusterApi) -> None:
    taken = take_snapshot(cluster)
    assert taken.counts["Node"] == 2
    assert taken.counts["Pod"] == 4  # without the one that has ended
    assert taken.counts["NodePool"] == 1
    assert {item["kind"] for item in taken.objects} == {"Node", "Pod", "NodePool"}
    assert taken.cluster == "test"


def test_secrets_in_environments_stay_in_the_cluster(cluster: ClusterApi) -> None:
    text = json.dumps(take_snapshot(cluster).manifest())
    assert "hunter2" not in text
    assert "managedFields" not in text
    assert "kernelVersion" not in text


def test_every_kind_is_of_one_moment(
    cluster: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod is bound to a new node while the lists are read: neither shows."""

    def meanwhile(resource: str) -> None:
        if resource == "pods":
            double.put("nodes", node("n3"))
            double.put("pods", pod("big-1", cpu="6", on="n3"))

    taken = take_snapshot(cluster, on_step=meanwhile)
    pending = [
        item["metadata"]["name"]
        for item in taken.objects
        if item["kind"] == "Pod" and "nodeName" not in item["spec"]
    ]
    assert pending == ["big-1", "big-2"]
    assert taken.counts["Node"] == 2


def test_lists_are_read_page_by_page(
    cluster: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "PAGE_SIZE", 10)
    for k in range(35):
        double.put("pods", pod(f"p-{k:02d}"))
    assert take_snapshot(cluster).counts["Pod"] == 39
    pages = [query for _, path, query in double.requests if path == "/api/v1/pods"]
    assert len(pages) == 4
    assert all(query["limit"] == "10" for query in pages)
    assert all("resourceVersion" not in query for query in pages if "continue" in query)


def test_pages_that_expire_are_read_anew(
    cluster: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "PAGE_SIZE", 1)
    double.expire_pages = 2
    assert take_snapshot(cluster).counts["Node"] == 2


def test_pages_that_always_expire_are_given_up(
    cluster: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "PAGE_SIZE", 1)
    double.expire_pages = 1_000
    with pytest.raises(GoneError, match="HTTP 410"):
        take_snapshot(cluster)


def test_a_version_compacted_meanwhile_begins_the_snapshot_anew(
    cluster: ClusterApi, double: KubeDouble
) -> None:
    compactions = []

    def meanwhile(resource: str) -> None:
        if resource == "daemonsets" and not compactions:
            double.put("nodes", node("n3"))
            double.compacted = double.version
            compactions.append(1)

    assert take_snapshot(cluster, on_step=meanwhile).counts["Node"] == 3


def test_a_kind_with_a_store_of_its_own_is_taken_at_its_latest_with_a_note(
    cluster: ClusterApi, double: KubeDouble
) -> None:
    double.too_new = {"nodepools"}
    taken = take_snapshot(cluster)
    assert taken.counts["NodePool"] == 1
    assert taken.notes == ("nodepools are of another moment than nodes",)


def test_a_cluster_without_karpenter_has_no_node_pools(cluster: ClusterApi, double: KubeDouble) -> None:
    double.missing = set(KARPENTER)
    taken = take_snapshot(cluster)
    assert "NodePool" not in taken.counts
    assert taken.counts["Pod"] == 4


def test_a_live_cluster_is_solved_with_its_node_classes_and_machines_on_the_way(
    cluster: ClusterApi, double: KubeDouble, tmp_path: Path
) -> None:
    """What start-up scripts hold stays in the cluster; kubelet settings, zones and a coming node do not."""
    spec = {"amiFamily": "AL2023", "userData": "echo hunter2", "kubelet": {"maxPods": 110}}
    subnets = [{"id": "subnet-1", "zone": "us-east-1a"}]
    double.put(
        "ec2nodeclasses",
        {"metadata": {"name": "default"}, "spec": spec, "status": {"subnets": subnets, "amis": []}},
    )
    amounts = {"cpu": "7910m", "memory": "14Gi", "pods": "110"}
    double.put(
        "nodeclaims",
        {
            "metadata": {"name": "on-its-way", "labels": {"karpenter.sh/nodepool": "general"}},
            "spec": {"requirements": []},
            "status": {"providerID": "aws:///us-east-1a/i-9", "allocatable": amounts, "capacity": amounts},
        },
    )
    taken = take_snapshot(cluster)
    assert "hunter2" not in json.dumps(taken.manifest())
    problem = read_inputs((), snapshot=Source("cluster", Format.JSON, snapshot_bytes(taken))).problem
    [pool] = problem.node_pools
    assert pool.node_class.max_pods == 110
    assert list(pool.requirements[-1].values) == ["us-east-1a"]
    assert [node.name for node in problem.existing_nodes] == ["n1", "n2", "nodeclaim-on-its-way"]


def test_all_missing_permissions_are_named_at_once(cluster: ClusterApi, double: KubeDouble) -> None:
    double.forbidden = {"persistentvolumes", "nodepools"}
    with pytest.raises(ForbiddenError, match=r"list persistentvolumes, nodepools; .*--print-rbac"):
        take_snapshot(cluster)


def test_wrong_credentials_are_told(double: KubeDouble, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(double, tmp_path / "kubeconfig", token="wrong")
    with pytest.raises(UnauthorizedError, match=r"test: GET /api/v1/nodes: HTTP 401: .*not accepted"):
        take_snapshot(open_cluster(kubeconfig))


def test_an_unreachable_server_is_one_clear_error(double: KubeDouble, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(double, tmp_path / "kubeconfig", url="http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match=r"test: http://127.0.0.1:9 does not answer: .*refused"):
        take_snapshot(open_cluster(kubeconfig))


def test_an_answer_that_is_no_kubernetes_is_refused(tmp_path: Path) -> None:
    from json_server import json_server

    with json_server(lambda _query, _server: (200, b"<html>login</html>")) as server:
        kubeconfig = write_kubeconfig(
            KubeDouble(), tmp_path / "kubeconfig", url=server.url.removesuffix("/api")
        )
        with pytest.raises(ClusterError, match="did not answer with a JSON object"):
            take_snapshot(open_cluster(kubeconfig))


@pytest.mark.parametrize(
    "text", ["", "not: [valid", "apiVersion: v1\nkind: Config\ncurrent-context: gone\ncontexts: []\n"]
)
def test_an_unusable_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text)
    with pytest.raises(InputError, match="kubeconfig: gives no access to a cluster"):
        open_cluster(kubeconfig)


def test_without_any_configuration_both_places_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match="neither a kubeconfig nor a pod's service account"):
        open_cluster()


def test_in_a_pod_its_service_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is read from where the kubelet puts it, and sent as a bearer token."""
    from kubernetes.config import incluster_config

    token = tmp_path / "token"
    token.write_text("of-the-pod")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "9")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", certifi.where())
    api = open_cluster()
    with pytest.raises(UnreachableError, match=r"in-cluster: https://127.0.0.1:9 does not answer"):
        take_snapshot(api)
    assert api._transport._credentials() == {"authorization": "bearer of-the-pod"}


def test_an_unknown_context_is_named(double: KubeDouble, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="prod"):
        open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"), "prod")


def test_the_file_says_what_the_cluster_says(cluster: ClusterApi, tmp_path: Path) -> None:
    taken = take_snapshot(cluster)
    file, folder = tmp_path / "cluster.json", tmp_path / "folder"
    folder.mkdir()
    write_snapshot(taken, file)
    write_snapshot(taken, folder)
    live = read_inputs((), snapshot=Source("cluster", Format.JSON, snapshot_bytes(taken))).problem
    assert read_inputs([str(file)]).problem == live
    parts = read_inputs([str(folder)]).problem
    assert sorted(w.name for w in parts.workloads) == sorted(w.name for w in live.workloads)
    assert sorted(n.name for n in parts.existing_nodes) == ["n1", "n2"]
    assert [n.free["cpu"] for n in live.existing_nodes] == ["4", "4"]


def test_a_folder_loses_what_an_earlier_snapshot_left(cluster: ClusterApi, tmp_path: Path) -> None:
    (tmp_path / "snapshot-daemonset-0000.json").write_text("{}")
    (tmp_path / "mine.json").write_text("{}")
    write_snapshot(take_snapshot(cluster), tmp_path)
    assert not (tmp_path / "snapshot-daemonset-0000.json").exists()
    assert (tmp_path / "mine.json").exists()


def solved(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(main, ["solve", *arguments, "-o", "json", "--deadline", "2s", "--quiet"])
    assert result.exit_code == 0, result.output
    decision: dict[str, object] = json.loads(result.stdout)
    for changing in ("timings", "stop_reason"):
        decision.pop(changing)
    return decision


def test_a_live_cluster_and_its_snapshot_give_the_same_answer(double: KubeDouble, tmp_path: Path) -> None:
    """Two pods of 6 CPU, 4 CPU free on each node: two c5.2xlarge on demand, in the nodes' own region."""
    double.put("nodes", node("n1", region="eu-west-1"))
    double.put("nodes", node("n2", region="eu-west-1"))
    kubeconfig, file = str(write_kubeconfig(double, tmp_path / "kubeconfig")), tmp_path / "cluster.json"
    result = CliRunner().invoke(main, ["snapshot", "--kubeconfig", kubeconfig, "--save", str(file), "-q"])
    assert result.exit_code == 0, result.output
    live = solved("--cluster", "--kubeconfig", kubeconfig)
    assert solved("-f", str(file)) == live
    claims = live["node_claims"]
    assert isinstance(claims, list)
    assert [(claim["instance_type"], claim["region"]) for claim in claims] == [
        ("c5.2xlarge", "eu-west-1")
    ] * 2


def test_one_bad_node_and_one_bad_node_pool_do_not_stop_a_live_cluster(
    double: KubeDouble, tmp_path: Path
) -> None:
    """Two pods of 6 CPU get two c5.2xlarge of NodePool general; the others are named and left out."""
    bad_node = node("bad", region="us-east-1")
    bad_node["status"]["allocatable"]["cpu"] = "x"
    double.put("nodes", bad_node)
    bad_pool = node_pool("misspelt")
    bad_pool["spec"]["template"]["spec"]["requirements"][0]["values"] = ["c5.gigantic"]
    double.put("nodepools", bad_pool)
    arguments = ["--kubeconfig", str(write_kubeconfig(double, tmp_path / "kubeconfig"))]
    command = ["solve", "--cluster", *arguments, "-o", "json", "--deadline", "2s"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    claims = json.loads(result.stdout)["node_claims"]
    assert [claim["instance_type"] for claim in claims] == ["c5.2xlarge"] * 2
    told = " ".join(result.stderr.split())
    assert "warning: left out: cluster" in told
    assert "(Node bad): status.allocatable" in told
    assert "warning: NodePool misspelt is left out" in told
    assert "c5.gigantic" in told
    file = tmp_path / "cluster.json"
    double.remove("nodes", "bad")
    assert CliRunner().invoke(main, ["snapshot", *arguments, "--save", str(file), "-q"]).exit_code == 0
    again = CliRunner().invoke(main, ["solve", "-f", str(file), "-o", "json", "--deadline", "2s"])
    assert again.exit_code == 0, again.output
    assert "warning: NodePool misspelt is left out" in again.stderr


def cluster_command(double: KubeDouble, tmp_path: Path, *further: str) -> Result:
    arguments = ["--kubeconfig", str(write_kubeconfig(double, tmp_path / "kubeconfig"))]
    command = ["solve", "--cluster", *arguments, "-o", "json", "--deadline", "2s", *further]
    return CliRunner().invoke(main, command)


def test_odd_pods_of_a_live_cluster_are_named_and_the_others_solved(
    double: KubeDouble, tmp_path: Path
) -> None:
    """One pod that waits cannot be read, one has a port of no protocol: the two of 6 CPU get their nodes."""
    lots, ported = pod("lots"), pod("ported")
    lots["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "lots"
    ported["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80, "protocol": "FTP"}]
    double.put("pods", lots)
    double.put("pods", ported)
    result = cluster_command(double, tmp_path, "--fail-unschedulable")
    assert result.exit_code == 3, result.output
    decision = json.loads(result.stdout)
    assert [claim["instance_type"] for claim in decision["node_claims"]] == ["c5.2xlarge"] * 2
    told = " ".join(warning for warning in decision["warnings"] if warning.startswith("left out: "))
    assert "(Pod default/lots): spec.containers[0].resources.requests[cpu]" in told
    assert "(Pod default/ported)" in told
    assert "warning: left out: cluster" in " ".join(result.stderr.split())
    file = tmp_path / "cluster.json"
    arguments = ["--kubeconfig", str(tmp_path / "kubeconfig"), "--save", str(file), "-q"]
    assert CliRunner().invoke(main, ["snapshot", *arguments]).exit_code == 0
    elsewhere = CliRunner().invoke(main, ["solve", "-f", str(file), "-o", "json", "--deadline", "2s"])
    assert elsewhere.exit_code == 0, elsewhere.output
    again = json.loads(elsewhere.stdout)
    assert again["node_claims"] == decision["node_claims"]
    left_out = [warning for warning in again["warnings"] if warning.startswith(f"left out: {file}")]
    assert len(left_out) == 2
    written = json.loads(file.read_text())["items"]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": written}))
    by_hand = CliRunner().invoke(main, ["solve", "-f", str(file)])
    assert by_hand.exit_code == 2  # a list that somebody wrote is to be put right
    assert "(Pod default/lots): spec.containers[0].resources.requests[cpu]" in " ".join(
        by_hand.stderr.split()
    )


def test_a_running_pod_that_cannot_be_read_keeps_its_room_or_else_its_node(
    double: KubeDouble, tmp_path: Path
) -> None:
    """Of 8 CPU on n1 and n2 pods have 4; two pods of 6 wait for nodes of their own, one of 3 fits any.

    The pod of n1 with a wrong port takes 4 CPU more, and its port is not held. What that of n2 takes is
    unknown.
    """
    ported = pod("ported", on="n1", cpu="4")
    ported["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80, "protocol": "FTP"}]
    unknown = pod("unknown", on="n2")
    unknown["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "lots"
    double.put("pods", ported)
    double.put("pods", unknown)
    double.put("pods", pod("small", cpu="3"))
    result = cluster_command(double, tmp_path)
    assert result.exit_code == 0, result.output
    decision = json.loads(result.stdout)
    assert decision["existing_placements"] == []
    told = " ".join(decision["warnings"])
    assert "hostPort" in told or "protocol" in told
    assert "; the room that it takes counts, its rules do not" in told
    assert "; nothing is placed on its node n2" in told


def test_a_cluster_of_which_no_pod_can_be_read_says_so(double: KubeDouble, tmp_path: Path) -> None:
    for each in double.all("pods"):
        if not each["spec"].get("nodeName"):
            each["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "lots"
            double.put("pods", each)
    result = cluster_command(double, tmp_path)
    assert result.exit_code == 2
    assert "resources.requests[cpu]" in result.stderr
    assert "there are no pods to place" in result.stderr


def test_a_cluster_whose_only_node_pool_is_wrong_is_an_error(double: KubeDouble, tmp_path: Path) -> None:
    """Without it, nodes would be bought without any NodePool's limits."""
    pool = node_pool()
    pool["spec"]["template"]["spec"]["requirements"][0]["values"] = ["c5.gigantic"]
    double.put("nodepools", pool)
    kubeconfig = str(write_kubeconfig(double, tmp_path / "kubeconfig"))
    result = CliRunner().invoke(main, ["solve", "--cluster", "--kubeconfig", kubeconfig])
    assert result.exit_code == 2
    assert "NodePool general: catalogue" in " ".join(result.stderr.split())


def test_the_command_prints_manifests_or_counts(double: KubeDouble, tmp_path: Path) -> None:
    kubeconfig = str(write_kubeconfig(double, tmp_path / "kubeconfig"))
    runner = CliRunner()
    as_yaml = runner.invoke(main, ["snapshot", "--kubeconfig", kubeconfig, "-o", "yaml", "-q"])
    as_json = runner.invoke(main, ["snapshot", "--kubeconfig", kubeconfig, "-o", "json", "-q"])
    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)
    table = runner.invoke(main, ["snapshot", "--context", "test", "--kubeconfig", kubeconfig]).stdout
    assert "NodePool" in table


def test_the_shipped_permissions_are_those_that_are_printed() -> None:
    printed = CliRunner().invoke(main, ["snapshot", "--print-rbac"]).stdout
    shipped = (Path(__file__).parents[2] / "examples" / "snapshot-rbac.yaml").read_text()
    assert list(yaml.safe_load_all(shipped)) == list(yaml.safe_load_all(printed))
    for manifest in snapshot_permissions():
        expect_kubernetes(manifest)


def test_a_snapshot_uses_no_permission_beyond_those_shipped(cluster: ClusterApi, double: KubeDouble) -> None:
    take_snapshot(cluster)
    assert {method for method, _, _ in double.requests} == {"GET"}
    role = next(m for m in snapshot_permissions() if m["kind"] == "ClusterRole")
    rules = role["rules"]
    assert isinstance(rules, list)
    allowed = {resource for rule in rules for resource in rule["resources"]}
    assert {path.rsplit("/", 1)[1] for _, path, _ in double.requests} == allowed


def test_solve_without_pods_or_cluster_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["solve"])
    assert result.exit_code == 2
    assert "'-f' / '--filename', or --cluster" in result.stderr


def test_a_context_without_cluster_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["solve", "-f", "x.yaml", "--context", "prod"])
    assert result.exit_code == 2
    assert "need --cluster" in result.stderr


def test_a_cluster_without_nodes_is_solved_where_its_node_classes_have_subnets(
    double: KubeDouble, tmp_path: Path
) -> None:
    """Karpenter has scaled it to nothing: what tells its region is where nodes may be launched."""
    for name in ("n1", "n2"):
        double.remove("nodes", name)
    subnets = [{"id": "subnet-1", "zone": "eu-west-1a"}, {"id": "subnet-2", "zone": "eu-west-1b"}]
    double.put(
        "ec2nodeclasses",
        {"metadata": {"name": "default"}, "spec": {"amiFamily": "AL2023"}, "status": {"subnets": subnets}},
    )
    kubeconfig = write_kubeconfig(double, tmp_path / "kubeconfig")
    arguments = ["solve", "--cluster", "--kubeconfig", str(kubeconfig), "-o", "json", "--deadline", "1s"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "catalogue aws, eu-west-1 (where the NodePools buy" in result.stderr
    claims = json.loads(result.stdout)["node_claims"]
    assert {claim["zone"] for claim in claims} <= {"eu-west-1a", "eu-west-1b"}
    assert claims
