"""Schemas that other projects publish, trimmed (tests/data/schemas), as strict validators."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

_SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"


@cache
def _schema(file: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((_SCHEMAS / file).read_text())
    return schema


def expect_valid(value: object, file: str, definition: str = "") -> None:
    """Fail with the place of the first mistake unless the value fits the schema or one definition of it."""
    schema = _schema(file)
    if definition:
        schema = {"definitions": schema["definitions"], "$ref": f"#/definitions/{definition}"}
    jsonschema.Draft7Validator(_closed(schema)).validate(value)


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused, as the API server's strict field validation does."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


_KUBERNETES = {
    ("apps/v1", "Deployment"): "io.k8s.api.apps.v1.Deployment",
    ("v1", "ServiceAccount"): "io.k8s.api.core.v1.ServiceAccount",
    ("v1", "Event"): "io.k8s.api.core.v1.Event",
    ("coordination.k8s.io/v1", "Lease"): "io.k8s.api.coordination.v1.Lease",
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): "io.k8s.api.rbac.v1.ClusterRole",
    ("rbac.authorization.k8s.io/v1", "Role"): "io.k8s.api.rbac.v1.Role",
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): "io.k8s.api.rbac.v1.ClusterRoleBinding",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "io.k8s.api.rbac.v1.RoleBinding",
}


def expect_kubernetes(manifest: Any) -> None:
    """Fail unless the manifest is a valid object of its kind in Kubernetes 1.36."""
    expect_valid(manifest, "kubernetes_v1_36.json", _KUBERNETES[manifest["apiVersion"], manifest["kind"]])


def expect_node_claim(manifest: Any) -> None:
    """Fail unless the manifest fits Karpenter's NodeClaim CRD; metadata is the API server's own."""
    body = {**manifest, "metadata": {}}
    expect_valid(body, "karpenter_nodeclaims_v1.json")
