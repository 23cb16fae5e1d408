"""The KubeSchedulerConfiguration that makes kube-scheduler call the extender."""

from __future__ import annotations

from typing import Any

HTTP_TIMEOUT_S = 5
"""kube-scheduler's own default, spelt out; the extender answers, right or with an error, before."""

SCHEDULER_KUBECONFIG = "/etc/kubernetes/scheduler.conf"
"""Where kubeadm puts kube-scheduler's own kubeconfig."""

WEIGHT = 10
"""kube-scheduler's own plugins have weights of 1 to 3 over scores of 0 to 100, and an extender's score is
brought to the same range: ten outweighs them together, so that placement follows the plan."""


def scheduler_configuration(
    url: str,
    ca_file: str | None = None,
    *,
    cert_file: str | None = None,
    key_file: str | None = None,
    binds: bool = False,
    kubeconfig: str = SCHEDULER_KUBECONFIG,
) -> dict[str, Any]:
    """The configuration, to be written as YAML.

    Parameters
    ----------
    url
        Where kube-scheduler reaches the extender, such as ``http://127.0.0.1:8888``.
    ca_file
        File, on kube-scheduler's machine, with the authorities that sign the extender's certificate.
    cert_file, key_file
        Files there with kube-scheduler's own certificate, where the extender asks for one.
    binds
        Whether the extender binds pods, too (``--bind``).
    kubeconfig
        File there by which kube-scheduler reaches the API server: with ``--config`` it ignores its flag
        ``--kubeconfig``. Empty for the service account of the pod that it runs in.

    Notes
    -----
    ``ignorable`` lets pods be scheduled while the extender is away. The profile packs (MostAllocated,
    GPUs counting most), so that kube-scheduler pulls in the same direction wherever the extender leaves
    a choice. kube-scheduler calls an extender for every pod unless ``managedResources`` says otherwise.
    """
    extender: dict[str, Any] = {
        "urlPrefix": url.rstrip("/"),
        "filterVerb": "filter",
        "prioritizeVerb": "prioritize",
        "preemptVerb": "preempt",
        "weight": WEIGHT,
        "nodeCacheCapable": True,
        "ignorable": True,
        "httpTimeout": f"{HTTP_TIMEOUT_S}s",
    }
    if binds:
        extender["bindVerb"] = "bind"
    if url.startswith("https://"):
        extender["enableHTTPS"] = True
        files = {"caFile": ca_file, "certFile": cert_file, "keyFile": key_file}
        if any(files.values()):
            extender["tlsConfig"] = {key: file for key, file in files.items() if file}
    resources = [
        {"name": "cpu", "weight": 1},
        {"name": "memory", "weight": 1},
        {"name": "nvidia.com/gpu", "weight": 5},
    ]
    packing = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "NodeResourcesFitArgs",
        "scoringStrategy": {"type": "MostAllocated", "resources": resources},
    }
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        **({"clientConnection": {"kubeconfig": kubeconfig}} if kubeconfig else {}),
        "profiles": [
            {
                "schedulerName": "default-scheduler",
                "pluginConfig": [{"name": "NodeResourcesFit", "args": packing}],
            }
        ],
        "extenders": [extender],
    }
