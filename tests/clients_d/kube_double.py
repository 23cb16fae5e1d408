"""An API server as far as our clients see one: lists by page, exact versions, watches, conflicts.

It keeps every change with its version, so that a list at an old version and a watch from one are
answered as etcd would. What it does not do: admission, garbage collection, status rules.
"""

from __future__ import annotations

import copy
import datetime
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Json = dict[str, Any]

KINDS = {
    "nodes": ("v1", "Node"),
    "pods": ("v1", "Pod"),
    "namespaces": ("v1", "Namespace"),
    "persistentvolumes": ("v1", "PersistentVolume"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "events": ("v1", "Event"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "priorityclasses": ("scheduling.k8s.io/v1", "PriorityClass"),
    "storageclasses": ("storage.k8s.io/v1", "StorageClass"),
    "csinodes": ("storage.k8s.io/v1", "CSINode"),
    "deviceclasses": ("resource.k8s.io/v1", "DeviceClass"),
    "resourceclaims": ("resource.k8s.io/v1", "ResourceClaim"),
    "resourceslices": ("resource.k8s.io/v1", "ResourceSlice"),
    "resourceclaimtemplates": ("resource.k8s.io/v1", "ResourceClaimTemplate"),
    "podgroups": ("scheduling.x-k8s.io/v1alpha1", "PodGroup"),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
    "nodepools": ("karpenter.sh/v1", "NodePool"),
    "nodeclaims": ("karpenter.sh/v1", "NodeClaim"),
    "nodeoverlays": ("karpenter.sh/v1alpha1", "NodeOverlay"),
    "ec2nodeclasses": ("karpenter.k8s.aws/v1", "EC2NodeClass"),
}
KARPENTER = frozenset({"nodepools", "nodeclaims", "nodeoverlays", "ec2nodeclasses"})

_PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/status)?$"
)
Key = tuple[str, str, str]


@dataclass
class KubeDouble:
    """The store, and what goes wrong on purpose.

    ``token`` is the only bearer token accepted; ``forbidden`` resources answer 403; ``missing`` ones
    404; ``expire_pages`` continue tokens fail with 410 before one works; ``too_new`` resources do not
    know other resources' versions; ``gone_watches`` watches end with 410;
    ``clock_ahead_s`` is how far its clock is ahead of ours;
    ``fail_next`` statuses are answered to the next writes, in order.
    """

    url: str = ""
    token: str = "right"
    forbidden: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    too_new: set[str] = field(default_factory=set)
    expire_pages: int = 0
    compacted: int = 0
    gone_watches: int = 0
    clock_ahead_s: float = 0.0
    is_chunked: bool = True
    fail_next: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    version: int = 100
    history: list[tuple[int, str, Key, Json]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    is_closing: bool = False

    def state(self, at: int | None = None) -> dict[Key, Json]:
        """Objects by key as they were at a version."""
        objects: dict[Key, Json] = {}
        for version, change, key, body in self.history:
            if at is not None and version > at:
                break
            if change == "DELETED":
                objects.pop(key, None)
            else:
                objects[key] = body
        return objects

    def put(self, resource: str, body: Json) -> Json:
        """Create or replace an object, as kubectl apply would."""
        with self.changed:
            metadata = body.setdefault("metadata", {})
            key = (resource, metadata.get("namespace", ""), metadata["name"])
            existing = self.state().get(key)
            return self._commit("MODIFIED" if existing else "ADDED", key, body)

    def remove(self, resource: str, name: str, namespace: str = "") -> None:
        """Delete an object."""
        with self.changed:
            key = (resource, namespace, name)
            self._commit("DELETED", key, self.state()[key])

    def all(self, resource: str) -> list[Json]:
        """The objects of a resource, by namespace and name."""
        with self.changed:
            return [body for key, body in sorted(self.state().items()) if key[0] == resource]

    def _commit(self, change: str, key: Key, body: Json) -> Json:
        self.version += 1
        kept = copy.deepcopy(body)
        kept["apiVersion"], kept["kind"] = KINDS[key[0]]
        metadata = kept["metadata"]
        metadata["resourceVersion"] = str(self.version)
        metadata.setdefault("uid", str(uuid.uuid4()))
        now = datetime.datetime.fromtimestamp(time.time() + self.clock_ahead_s, datetime.UTC)
        metadata.setdefault("creationTimestamp", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.history.append((self.version, change, key, kept))
        self.changed.notify_all()
        return kept


class RefusedError(Exception):
    def __init__(self, status: int, message: str, **metadata: str) -> None:
        self.status, self.message, self.metadata = status, message, metadata


class _Handler(BaseHTTPRequestHandler):
    double: KubeDouble
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date of answers."""
        return super().date_time_string(
            time.time() + self.double.clock_ahead_s if timestamp is None else timestamp
        )

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        with self.double.changed:
            self.double.requests.append((self.command, parts.path, query))
        try:
            if self.headers.get("Authorization") != f"Bearer {self.double.token}":
                raise RefusedError(401, "Unauthorized")
            match = _PATH.match(parts.path)
            if match is None or match["resource"] not in KINDS:
                raise RefusedError(404, "the server could not find the requested resource")
            resource = match["resource"]
            if resource in self.double.missing:
                raise RefusedError(404, "the server could not find the requested resource")
            if resource in self.double.forbidden:
                raise RefusedError(403, f'{resource} is forbidden: User "test" cannot do this')
            if query.get("watch"):
                self._watch(resource, query)
                return
            self._answer(200, self._do(resource, match["namespace"] or "", match["name"], query, body))
        except RefusedError as refusal:
            status = {"kind": "Status", "code": refusal.status, "message": refusal.message}
            self._answer(refusal.status, {**status, "metadata": refusal.metadata})

    do_GET = _handle  # noqa: N815  (names that http.server looks for)
    do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _do(self, resource: str, namespace: str, name: str | None, query: dict[str, str], body: Json) -> Json:
        double = self.double
        with double.changed:
            if self.command == "GET" and name is None:
                return self._list(resource, namespace, query)
            if self.command != "GET" and double.fail_next:
                raise RefusedError(double.fail_next.pop(0), "as the test says")
            if self.command == "POST":
                name = body["metadata"].get("name") or body["metadata"]["generateName"] + uuid.uuid4().hex[:5]
                body["metadata"]["name"] = name
            key = (resource, namespace, name or "")
            found = double.state().get(key)
            if self.command == "POST":
                if found:
                    raise RefusedError(409, f'{resource} "{name}" already exists')
                return double._commit("ADDED", key, body)
            if found is None:
                raise RefusedError(404, f'{resource} "{name}" not found')
            if self.command == "PUT":
                sent = body["metadata"].get("resourceVersion")
                if sent and sent != found["metadata"]["resourceVersion"]:
                    raise RefusedError(409, "the object has been modified")
                return double._commit("MODIFIED", key, body)
            if self.command == "PATCH":
                return double._commit("MODIFIED", key, merged(found, body))
            if self.command == "DELETE":
                return double._commit("DELETED", key, found)
            return found

    def _list(self, resource: str, namespace: str, query: dict[str, str]) -> Json:
        double = self.double
        start, at = 0, double.version
        if "continue" in query:
            if double.expire_pages:
                double.expire_pages -= 1
                raise RefusedError(410, "The provided continue parameter is too old", **{"continue": "x"})
            at, start = map(int, query["continue"].split(":"))
        elif query.get("resourceVersionMatch") == "Exact":
            if resource in double.too_new:
                raise RefusedError(504, "Too large resource version: 99, current: 1")
            at = int(query["resourceVersion"])
        if at < double.compacted:
            raise RefusedError(410, "The resourceVersion for the provided list is too old.")
        found = [
            body
            for key, body in sorted(double.state(at).items())
            if key[0] == resource and (not namespace or key[1] == namespace) and selected(body, query)
        ]
        limit = int(query.get("limit", 0)) or len(found) or 1
        page = found[start : start + limit]
        api_version, kind = KINDS[resource]
        metadata = {"resourceVersion": str(at)}
        if start + limit < len(found):
            metadata["continue"] = f"{at}:{start + limit}"
        items = [{k: v for k, v in body.items() if k not in ("apiVersion", "kind")} for body in page]
        return {"apiVersion": api_version, "kind": f"{kind}List", "metadata": metadata, "items": items}

    def _watch(self, resource: str, query: dict[str, str]) -> None:
        double, since = self.double, int(query["resourceVersion"])
        self.send_response(200)
        if double.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        try:
            self._send_events(resource, query, since)
        finally:
            if double.is_chunked:
                self.wfile.write(b"0\r\n\r\n")

    def _send_events(self, resource: str, query: dict[str, str], since: int) -> None:
        double = self.double
        ends = time.monotonic() + min(5.0, float(query.get("timeoutSeconds", 5)))
        if since < double.compacted or double.gone_watches:
            double.gone_watches = max(0, double.gone_watches - 1)
            gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
            self._send_line({"type": "ERROR", "object": gone})
            return
        while not double.is_closing:
            with double.changed:
                fresh = [each for each in double.history if each[0] > since and each[2][0] == resource]
                if not fresh and not double.changed.wait(timeout=max(0.0, min(0.2, ends - time.monotonic()))):
                    if time.monotonic() >= ends:
                        return
                    continue
            for version, change, _, body in fresh:
                since = version
                # An object that no longer fits the selector leaves the watch.
                self._send_line({"type": change if selected(body, query) else "DELETED", "object": body})

    def _send_line(self, event: Json) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line) if self.double.is_chunked else line)
        self.wfile.flush()

    def _answer(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def merged(body: Json, patch: Json) -> Json:
    """RFC 7386."""
    result = dict(body)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key) or {}, value)
        else:
            result[key] = value
    return result


def selected(body: Json, query: dict[str, str]) -> bool:
    """Whether the object passes a field selector of ``path=value`` and ``path!=value`` terms."""
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, value = re.split("!?=", term)
        at: Any = body
        for step in path.split("."):
            at = (at or {}).get(step)
        if ((at or "") == value) == ("!=" in term):
            return False
    return True


@contextmanager
def kube_double(port: int = 0) -> Iterator[KubeDouble]:
    """The double on a port of this machine, a free one by default, while the block runs."""
    double = KubeDouble()
    handler = type("Handler", (_Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.is_closing = True
        server.shutdown()
        server.server_close()
        thread.join()


def write_kubeconfig(double: KubeDouble, path: Path, *, token: str = "right", url: str = "") -> Path:
    """A kubeconfig with one context, ``test``."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": url or double.url}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def node(
    name: str, *, cpu: str = "8", memory: str = "16Gi", region: str = "us-east-1", pool: str = ""
) -> Json:
    """A ready node as a kubelet and a cloud controller leave it."""
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name,
        "node.kubernetes.io/instance-type": "c5.2xlarge",
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": f"{region}a",
    }
    if pool:
        labels["karpenter.sh/nodepool"] = pool
    amounts = {"cpu": cpu, "memory": memory, "pods": "58", "ephemeral-storage": "17Gi"}
    return {
        "metadata": {"name": name, "labels": labels, "managedFields": [{"manager": "kubelet"}]},
        "spec": {"providerID": f"aws:///{region}a/i-{name}"},
        "status": {"allocatable": amounts, "capacity": amounts, "nodeInfo": {"kernelVersion": "6.1"}},
    }


def pod(
    name: str,
    *,
    cpu: str = "500m",
    memory: str = "512Mi",
    on: str = "",
    phase: str = "Pending",
    namespace: str = "default",
    **spec: Any,
) -> Json:
    """A pod; without ``on`` one that kube-scheduler found no node for."""
    body: Json = {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": "registry.example/app:1",
                    "env": [{"name": "PASSWORD", "value": "hunter2"}],
                    "resources": {"requests": {"cpu": cpu, "memory": memory}},
                }
            ],
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
            ],
            **spec,
        },
        "status": {"phase": phase},
    }
    if on:
        body["spec"]["nodeName"] = on
        body["status"] = {"phase": "Running" if phase == "Pending" else phase}
    else:
        body["status"]["conditions"] = [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        ]
    return body


def node_class(name: str = "default") -> Json:
    """The EC2NodeClass that NodePools name."""
    return {"metadata": {"name": name}, "spec": {"amiSelectorTerms": [{"alias": "al2023@latest"}]}}


def node_pool(name: str = "general", **spec: Any) -> Json:
    """A NodePool of c5.2xlarge on demand."""
    requirements = [
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["c5.2xlarge"]},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    ]
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    template = {"spec": {"requirements": requirements, "nodeClassRef": reference, "expireAfter": "Never"}}
    return {"metadata": {"name": name}, "spec": {"template": template, **spec}}
