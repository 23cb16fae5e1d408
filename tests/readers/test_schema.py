"""The schema of built-in kinds: nothing valid is refused, in all spellings of the client's models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from binwright_clients.inputs import Inputs
from binwright_clients.kubernetes import schema
from binwright_clients.kubernetes.documents import load_yaml

LIVE_POD = """
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1"}
  creationTimestamp: 2025-01-31T10:00:00Z
  deletionGracePeriodSeconds: 30
  finalizers: [example.com/protect]
  generateName: web-
  generation: 3
  labels: {app.kubernetes.io/name: web, pod-template-hash: 7f9c}
  managedFields:
  - apiVersion: v1
    fieldsType: FieldsV1
    fieldsV1: {f:metadata: {f:labels: {".": {}, f:app: {}}}}
    manager: kube-controller-manager
    operation: Update
    time: "2025-01-31T10:00:00Z"
  name: web-7f9c-x
  namespace: shop
  ownerReferences:
  - {apiVersion: apps/v1, blockOwnerDeletion: true, controller: true, kind: ReplicaSet, name: w, uid: a-b}
  resourceVersion: "123"
  uid: c-d
spec:
  automountServiceAccountToken: true
  containers:
  - args: ["--port=1:30"]
    command: [/bin/server]
    env:
    - name: NODE
      valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}
    - name: CPUS
      valueFrom: {resourceFieldRef: {containerName: web, divisor: 0, resource: limits.cpu}}
    - name: KEY
      valueFrom: {secretKeyRef: {key: k, name: s, optional: false}}
    envFrom: [{configMapRef: {name: c}, prefix: P_}]
    image: web:1
    imagePullPolicy: IfNotPresent
    lifecycle: {preStop: {exec: {command: [sleep, "5"]}}, postStart: {httpGet: {path: /, port: http}}}
    livenessProbe: {exec: {command: [ls]}, failureThreshold: 3, timeoutSeconds: 1}
    readinessProbe: {grpc: {port: 9, service: ""}, successThreshold: 1}
    startupProbe: {tcpSocket: {port: 80}, terminationGracePeriodSeconds: 5}
    name: web
    ports: [{containerPort: 80, name: http, protocol: TCP}]
    resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]
    resources: {limits: {memory: 1Gi}, requests: {cpu: 100m}}
    securityContext:
      {capabilities: {drop: [ALL]}, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
    stdin: true
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
    tty: true
    volumeDevices: [{devicePath: /dev/x, name: raw}]
    volumeMounts: [{mountPath: /data, name: data, readOnly: true, subPathExpr: $(NODE)}]
    workingDir: /
  dnsConfig: {nameservers: [1.1.1.1], options: [{name: ndots, value: "2"}]}
  dnsPolicy: ClusterFirst
  enableServiceLinks: true
  ephemeralContainers: [{name: debug, image: busybox, targetContainerName: web}]
  hostAliases: [{ip: 127.0.0.1, hostnames: [a]}]
  hostIPC: false
  hostPID: false
  hostNetwork: false
  imagePullSecrets: [{name: r}]
  preemptionPolicy: PreemptLowerPriority
  readinessGates: [{conditionType: example.com/ready}]
  restartPolicy: Always
  schedulerName: default-scheduler
  securityContext: {fsGroup: 1000, sysctls: [{name: net.core.somaxconn, value: "1024"}]}
  serviceAccount: default
  serviceAccountName: default
  setHostnameAsFQDN: false
  shareProcessNamespace: true
  subdomain: web
  terminationGracePeriodSeconds: 30
  tolerations:
  - {effect: NoExecute, key: node.kubernetes.io/not-ready, operator: Exists, tolerationSeconds: 300}
  volumes:
  - {name: data, emptyDir: {medium: Memory, sizeLimit: 1Gi}}
  - {name: raw, hostPath: {path: /x, type: Directory}}
  - name: token
    projected:
      defaultMode: 0644
      sources:
      - serviceAccountToken: {expirationSeconds: 3607, path: token}
      - configMap: {items: [{key: ca.crt, path: ca.crt, mode: 0600}], name: kube-root-ca.crt}
      - downwardAPI: {items: [{path: ns, fieldRef: {fieldPath: metadata.namespace}}]}
  - {name: csi, csi: {driver: x, volumeAttributes: {a: b}}}
status:
  conditions: [{lastProbeTime: null, status: "True", type: Ready, anUnknownField: 5}]
  phase: Pending
"""

OTHERS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, annotations: {deployment.kubernetes.io/revision: "1"}}
spec:
  minReadySeconds: 5
  paused: false
  progressDeadlineSeconds: 600
  revisionHistoryLimit: 10
  selector: {matchExpressions: [{key: app, operator: In, values: [a]}]}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}
  template: {metadata: {creationTimestamp: null}, spec: {containers: [{name: c}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}
  serviceName: s
  template: {spec: {containers: [{name: c}]}}
  updateStrategy: {type: OnDelete}
  volumeClaimTemplates:
  - {metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c}
spec:
  concurrencyPolicy: Forbid
  failedJobsHistoryLimit: 1
  schedule: "* * * * *"
  timeZone: Etc/UTC
  jobTemplate:
    spec:
      activeDeadlineSeconds: 5
      backoffLimit: 3
      completionMode: Indexed
      completions: 3
      podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}
      ttlSecondsAfterFinished: 5
      template: {spec: {restartPolicy: Never, containers: [{name: c}]}}
"""


def test_a_pod_as_a_cluster_returns_it_is_read_without_complaint(read: Callable[..., Inputs]) -> None:
    inputs = read(LIVE_POD)
    assert inputs.notes == ()
    assert inputs.problem.workloads[0].template.priority == 0


def test_every_part_of_the_usual_workloads_is_known(read: Callable[..., Inputs]) -> None:
    inputs = read(OTHERS)
    assert [workload.replicas for workload in inputs.problem.workloads] == [1, 1, 1]


@pytest.mark.parametrize(
    ("openapi_type", "field", "expected"),
    [
        ("str", "name", schema.STRING),
        ("str", "sizeLimit", schema.QUANTITY),
        ("dict(str, str)", "labels", schema.MapOf(schema.STRING)),
        ("Dict[str, str]", "limits", schema.MapOf(schema.QUANTITY)),
        ("list[V1Pod]", "items", schema.ListOf(schema.Model("V1Pod"))),
        ("List[V1Pod]", "items", schema.ListOf(schema.Model("V1Pod"))),
        ("dict(str, list[str])", "extra", schema.MapOf(schema.ListOf(schema.STRING))),
        ("object", "port", schema.ANY),
        ("datetime", "creationTimestamp", schema.STRING),
    ],
)
def test_types_of_old_and_new_clients_mean_the_same(
    openapi_type: str, field: str, expected: schema.Schema
) -> None:
    assert schema._schema_of(openapi_type, field) == expected


def test_every_model_that_a_pod_can_hold_is_understood() -> None:
    """Walks the models from Pod down, so that a new type name in the client cannot go unnoticed."""
    seen: set[str] = set()
    waiting: list[schema.Schema] = [schema.Model("V1Pod"), schema.Model("V1Node"), schema.Model("V1CronJob")]
    while waiting:
        current = waiting.pop()
        if isinstance(current, schema.ListOf):
            waiting.append(current.item)
        elif isinstance(current, schema.MapOf):
            waiting.append(current.value)
        elif isinstance(current, schema.Model) and current.name not in seen:
            seen.add(current.name)
            waiting.extend(schema._fields_of_model(current.name).values())
    assert {"V1Container", "V1Affinity", "V1JobTemplateSpec", "V1Taint"} <= seen


def test_a_timestamp_stays_text() -> None:
    [document] = load_yaml(LIVE_POD)
    assert document["metadata"]["creationTimestamp"] == "2025-01-31T10:00:00Z"
