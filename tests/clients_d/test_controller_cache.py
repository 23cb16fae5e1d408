"""The controller's picture of a cluster: listed once, kept by watches, in part read anew for every look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from binwright_clients.cluster import follow as follow_module
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import ClusterError, ForbiddenError, UnauthorizedError
from binwright_clients.cluster.kinds import NODE_POOLS, NODES, PODS, SNAPSHOT_KINDS, Kind
from binwright_clients.controller.cache import ClusterCache
from binwright_clients.controller.cluster_port import LiveCluster
from kube_double import KubeDouble, kube_double, node, node_pool, pod, write_kubeconfig

PATIENCE_S = 60.0


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    with kube_double() as running:
        running.put("nodes", node("n1"))
        running.put("pods", pod("web-1", on="n1", cpu="4"))
        running.put("nodepools", node_pool())
        yield running


@pytest.fixture
def api(double: KubeDouble, tmp_path: Path) -> ClusterApi:
    return open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))


@contextmanager
def following(api: ClusterApi, *kinds: Kind) -> Iterator[ClusterCache]:
    cache = ClusterCache(api, kinds or (NODES, PODS, NODE_POOLS))
    cache.start()
    try:
        yield cache
    finally:
        cache.stop()


def names(objects: tuple[Json, ...]) -> list[str]:
    return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in objects)


def eventually(cache: ClusterCache, condition: Callable[[], bool]) -> None:
    with cache.changed:
        assert cache.changed.wait_for(condition, PATIENCE_S), "did not happen in time"


def lists(double: KubeDouble, path: str) -> int:
    return sum(1 for method, asked, query in double.requests if asked == path and "watch" not in query)


def test_objects_are_listed_once_and_changes_come_by_watch(double: KubeDouble, api: ClusterApi) -> None:
    with following(api) as cache:
        assert names(cache.objects()) == ["Node/n1", "NodePool/general", "Pod/web-1"]
        double.put("nodes", node("n2"))
        double.put("pods", pod("web-2", on="n2"))
        double.remove("pods", "web-1", "default")
        wanted = ["Node/n1", "Node/n2", "NodePool/general", "Pod/web-2"]
        eventually(cache, lambda: names(cache.objects()) == wanted)
        changed = node("n1")
        changed["metadata"]["labels"]["new"] = "label"
        double.put("nodes", changed)
        eventually(cache, lambda: cache.objects()[0]["metadata"]["labels"].get("new") == "label")
    assert [lists(double, kind.path) for kind in (NODES, PODS)] == [1, 1]


def test_pods_that_end_leave_the_picture(double: KubeDouble, api: ClusterApi) -> None:
    with following(api) as cache:
        assert "Pod/web-1" in names(cache.objects())
        done = pod("web-1", on="n1", cpu="4")
        done["status"]["phase"] = "Succeeded"
        double.put("pods", done)
        eventually(cache, lambda: "Pod/web-1" not in names(cache.objects()))


def test_watch_that_is_too_old_is_followed_by_a_list(double: KubeDouble, api: ClusterApi) -> None:
    double.gone_watches = 3
    with following(api) as cache:
        cache.objects()
        double.put("nodes", node("n2"))
        eventually(cache, lambda: "Node/n2" in names(cache.objects()))
    assert double.gone_watches == 0


def test_everything_is_listed_anew_after_a_while(
    double: KubeDouble, api: ClusterApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_module, "RESYNC_S", 0.0)
    monkeypatch.setattr(follow_module, "WATCH_S", 1)
    with following(api, NODES) as cache:
        cache.objects()
        eventually(cache, lambda: lists(double, NODES.path) >= 3)


def test_kind_that_is_not_installed_is_absent_and_a_core_kind_is_an_error(
    double: KubeDouble, api: ClusterApi
) -> None:
    double.missing = {"nodepools"}
    with following(api) as cache:
        assert names(cache.objects()) == ["Node/n1", "Pod/web-1"]
    double.missing = {"nodes"}
    with following(api) as cache, pytest.raises(ClusterError, match="nodes"):
        cache.objects()


def test_every_kind_that_may_not_be_read_is_named(double: KubeDouble, api: ClusterApi) -> None:
    double.forbidden = {"nodes", "pods"}
    with following(api) as cache:
        eventually(cache, lambda: all(each.error is not None for each in cache._caches[:2]))
        with pytest.raises(ForbiddenError, match="no permission to list and watch nodes, pods"):
            cache.objects()


def test_picture_that_broke_is_refused_until_it_is_whole_again(double: KubeDouble, api: ClusterApi) -> None:
    double.token = "wrong"
    with following(api) as cache:
        with pytest.raises(UnauthorizedError):
            cache.objects()
        double.token = "right"
        eventually(cache, lambda: all(each.is_synced for each in cache._caches))
        assert "Node/n1" in names(cache.objects())


# --- a look ---------------------------------------------------------------------------------------


class Told(ClusterCache):
    """A cache that tells what the test wants, whatever the cluster holds."""

    def __init__(self, api: ClusterApi, *objects: Json) -> None:
        super().__init__(api, ())
        self.told = objects

    def objects(self, timeout_s: float = 0.0) -> tuple[Json, ...]:  # noqa: ARG002
        return self.told


def look(api: ClusterApi, cache: ClusterCache, catch_up_s: float = PATIENCE_S) -> LiveCluster:
    return LiveCluster(api, cache, frozenset, lambda: True, catch_up_s)


def test_a_look_sees_the_whole_cluster_as_a_snapshot_does(double: KubeDouble, api: ClusterApi) -> None:
    double.put("pods", pod("waiting"))
    double.put("priorityclasses", {"metadata": {"name": "high"}, "value": 5})
    with following(api, *SNAPSHOT_KINDS) as cache:
        seen = look(api, cache).observe()
    assert names(seen.objects) == [
        "Node/n1",
        "NodePool/general",
        "Pod/waiting",
        "Pod/web-1",
        "PriorityClass/high",
    ]
    assert [p.name for p in seen.pending.values()] == ["waiting"]


def test_pods_and_claims_are_of_this_moment_even_where_the_watch_sleeps(
    double: KubeDouble, api: ClusterApi
) -> None:
    waiting = double.put("pods", pod("waiting"))
    double.put("nodeclaims", {"metadata": {"name": "general-x", "labels": {}}, "spec": {}, "status": {}})
    seen = look(api, Told(api)).observe()
    assert list(seen.pending) == [waiting["metadata"]["uid"]]
    assert [claim.name for claim in seen.claims] == ["general-x"]
    assert lists(double, NODES.path) == 0, "nodes are the watch's business"


def test_pod_that_the_watch_has_seen_bound_is_not_bought_for(double: KubeDouble, api: ClusterApi) -> None:
    waiting = double.put("pods", pod("waiting"))
    bound = {**waiting, "spec": {**waiting["spec"], "nodeName": "n1"}}
    seen = look(api, Told(api, bound)).observe()
    assert seen.pending == {}
    assert [item["spec"]["nodeName"] for item in seen.objects] == ["n1"]


def test_look_waits_until_the_watch_knows_of_a_binding(double: KubeDouble, api: ClusterApi) -> None:
    """Else the pod would be in neither list, and its room on n1 would be taken for free."""
    waiting = double.put("pods", pod("waiting"))
    stale = Told(api, waiting)
    double.put("pods", pod("waiting", on="n1"))
    with pytest.raises(ClusterError, match=r"the watch of pods is 1 pod\(s\) behind"):
        look(api, stale, catch_up_s=0.0).observe()
    with following(api) as cache:
        seen = look(api, cache).observe()
    assert [i["spec"]["nodeName"] for i in seen.objects if i["metadata"]["name"] == "waiting"] == ["n1"]


def test_pod_that_is_made_anew_under_its_name_is_not_seen_twice(double: KubeDouble, api: ClusterApi) -> None:
    """web-0 ran on n1 and waits again with another UID: the watch, a moment behind, still has the first.

    Two pods of one name would be a mistake in the question, and the one that waits would be left out.
    """
    ran = double.put("pods", pod("web-0", on="n1"))
    stale = Told(api, ran)
    double.remove("pods", "web-0", "default")
    again = pod("web-0")
    again["metadata"]["uid"] = "uid-again"
    double.put("pods", again)
    with pytest.raises(ClusterError, match=r"the watch of pods is 1 pod\(s\) behind"):
        look(api, stale, catch_up_s=0.0).observe()
    later = {**ran, "metadata": {**ran["metadata"], "resourceVersion": str(double.version + 1_000)}}
    for cache in (Told(api), Told(api, later)):  # the watch is behind, or ahead
        seen = look(api, cache).observe()
        assert [item["metadata"]["uid"] for item in seen.objects] == ["uid-again"]


def test_pod_that_came_after_the_look_is_left_to_the_next(double: KubeDouble, api: ClusterApi) -> None:
    later = pod("later")
    later["metadata"] |= {"uid": "uid-later", "resourceVersion": str(double.version + 1_000)}
    seen = look(api, Told(api, {"kind": "Pod", **later})).observe()
    assert seen.pending == {}
    assert [item["metadata"]["name"] for item in seen.objects] == []
