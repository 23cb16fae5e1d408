"""Our annotations on pods and workloads: what Kubernetes has no field for.

An annotation of the pod template takes precedence over one of the workload around it. The table of
all of them is in README.md; a misspelt one is refused, because it would lose a rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from binwright.v1 import policies_pb2, problem_pb2
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.gpu_sharing import GpuShare
from binwright_optimizer.model.quantity import parse_price, parse_quantity
from binwright_optimizer.model.resources import MEMORY
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.spot import LossBound, Share

from binwright_clients.kubernetes.durations import parse_duration
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.schema import Report, shown
from binwright_clients.kubernetes.selectors import build, read_label_selector, selector_message
from binwright_clients.spelling import suggestion

PREFIX = "binwright.dev/"
MAX_PER_NODE = "binwright.dev/max-per-node"
NODE_CAPS = "binwright.dev/node-caps"
GANG = "binwright.dev/gang"
GANG_MIN_MEMBERS = "binwright.dev/gang-min-members"
GANG_TOPOLOGY = "binwright.dev/gang-topology"
GANG_PREFERRED_TOPOLOGY = "binwright.dev/gang-preferred-topology"
GPU_MILLI = "binwright.dev/gpu-milli"
GPU_MEMORY = "binwright.dev/gpu-memory"
MIN_ON_DEMAND = "binwright.dev/min-on-demand"
MAX_PER_SPOT_POOL = "binwright.dev/max-per-spot-pool"
MAX_LOSS = "binwright.dev/max-loss"
MAX_LOSS_PROBABILITY = "binwright.dev/max-loss-probability"
MAX_LOSS_WINDOW = "binwright.dev/max-loss-window"
RESTART_COST = "binwright.dev/restart-cost"

POD_ANNOTATIONS = (
    MAX_PER_NODE,
    NODE_CAPS,
    GANG,
    GANG_MIN_MEMBERS,
    GANG_TOPOLOGY,
    GANG_PREFERRED_TOPOLOGY,
    GPU_MILLI,
    GPU_MEMORY,
    MIN_ON_DEMAND,
    MAX_PER_SPOT_POOL,
    MAX_LOSS,
    MAX_LOSS_PROBABILITY,
    MAX_LOSS_WINDOW,
    RESTART_COST,
)

_MOST_CAPS = 1_000
_HOUR_S = 3_600


class Annotations:
    """Annotations of one workload and its pod template, with the place of each."""

    def __init__(self, workload: ManifestObject, template: Mapping[str, Any], path: str) -> None:
        self._report = workload.problem
        self._texts: dict[str, tuple[str, str]] = {}
        places = {"metadata": workload.metadata}
        if path:
            places[f"{path}.metadata"] = template.get("metadata") or {}
        for place, metadata in places.items():
            for key, text in (metadata.get("annotations") or {}).items():
                self._texts[key] = (text, f"{place}.annotations[{key}]")

    def get(self, key: str) -> str:
        """Text of an annotation; empty if it is not there."""
        return self._texts.get(key, ("", ""))[0]

    def fail(self, key: str, description: str) -> None:
        """Report a wrong annotation."""
        text, path = self._texts.get(key, ("", f"metadata.annotations[{key}]"))
        self._report(path, text, description)

    def count(self, key: str, least: int, most: int = 2**31 - 1) -> int | None:
        """The whole number of an annotation; None if it is not there or wrong."""
        text = self.get(key).strip()
        if not text:
            if key in self._texts:
                self.fail(key, "must not be empty")
            return None
        if text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most:
            return int(text)
        self.fail(key, f"must be a whole number from {least} to {most}")
        return None

    def report_at(self, key: str) -> Report:
        """A report for what is wrong within the value of an annotation."""
        _, path = self._texts[key]
        return lambda field, value, description: self._report(
            f"{path}{field}" if field.startswith("[") else path, value, description
        )

    def refuse_unknown(self) -> None:
        """Report annotations of ours that do not exist."""
        for key, (_, path) in self._texts.items():
            if key.lower().startswith(PREFIX) and key not in POD_ANNOTATIONS:
                self._report(path, "", f"unknown annotation{suggestion(key, POD_ANNOTATIONS)}")


def read_template_annotations(annotations: Annotations, message: problem_pb2.PodTemplate) -> None:
    """Add caps per node, GPU shares and restart cost to a template whose labels and requests are known."""
    annotations.refuse_unknown()
    _read_caps(annotations, message)
    _read_gpu_share(annotations, message)
    if text := annotations.get(RESTART_COST):
        try:
            message.restart_cost_microusd = parse_price(text)
        except ValueError as error:
            annotations.fail(RESTART_COST, str(error))


def _read_caps(annotations: Annotations, message: problem_pb2.PodTemplate) -> None:
    labels = dict(message.labels)
    most = annotations.count(MAX_PER_NODE, 1)
    if most is not None:
        if labels:
            message.node_caps.add(
                label_selector=selector_message(LabelSelector.of_labels(labels)), max_pods=most
            )
        else:
            annotations.fail(MAX_PER_NODE, "needs pods with labels, which tell them from others")
    text = annotations.get(NODE_CAPS)
    if not text:
        return
    report = annotations.report_at(NODE_CAPS)
    try:
        caps = json.loads(text)
    except (ValueError, RecursionError):
        caps = None
    if not isinstance(caps, list) or not all(isinstance(cap, dict) for cap in caps) or len(caps) > _MOST_CAPS:
        annotations.fail(NODE_CAPS, 'must be JSON such as [{"labelSelector": {"matchLabels": {}}, "max": 2}]')
        return
    for index, cap in enumerate(caps):
        _read_cap(cap, labels, message, f"[{index}]", report)


def _read_cap(
    cap: dict[str, Any], labels: dict[str, str], message: problem_pb2.PodTemplate, at: str, report: Report
) -> None:
    unknown = [key for key in cap if key not in ("labelSelector", "max")]
    most = cap.get("max")
    if unknown:
        report(at, unknown[0], f"unknown field{suggestion(unknown[0], ('labelSelector', 'max'))}")
    elif not isinstance(most, int) or isinstance(most, bool) or abs(most) >= 2**31:
        report(f"{at}.max", shown(most), "must be a whole number")
    elif not _is_selector(cap.get("labelSelector")):
        report(f"{at}.labelSelector", shown(cap.get("labelSelector")), "must be a label selector")
    else:
        selector = read_label_selector(cap["labelSelector"], f"{at}.labelSelector", report)
        if selector is None:
            return

        def make() -> NodeCap:
            found = NodeCap(selector, most)
            found.check_admits_itself(labels)
            return found

        if build(make, at, report) is not None:
            message.node_caps.add(label_selector=selector_message(selector), max_pods=most)


def _is_selector(value: Any) -> bool:
    """Whether a JSON value has the form of a label selector."""
    if not isinstance(value, dict) or not set(value) <= {"matchLabels", "matchExpressions"}:
        return False
    labels, expressions = value.get("matchLabels", {}), value.get("matchExpressions", [])
    return (
        isinstance(labels, dict)
        and all(isinstance(text, str) for text in labels.values())
        and isinstance(expressions, list)
        and all(
            isinstance(e, dict)
            and isinstance(e.get("key", ""), str)
            and isinstance(e.get("operator", ""), str)
            and isinstance(e.get("values", []), list)
            and all(isinstance(text, str) for text in e.get("values", []))
            for e in expressions
        )
    )


def _read_gpu_share(annotations: Annotations, message: problem_pb2.PodTemplate) -> None:
    milli = annotations.count(GPU_MILLI, 1, 1_000)
    memory = 0
    if text := annotations.get(GPU_MEMORY):
        try:
            memory = parse_quantity(text, MEMORY)
        except ValueError as error:
            annotations.fail(GPU_MEMORY, str(error))
    if milli is None and not memory:
        return
    key = GPU_MILLI if milli is not None else GPU_MEMORY
    report = annotations.report_at(key)
    share = build(lambda: GpuShare(milli or 1_000, memory), "", report)
    if share is not None:
        message.gpu_share.milli = milli or 0
        message.gpu_share.memory_bytes = memory


def read_spot_policy(annotations: Annotations) -> policies_pb2.SpotPolicy | None:
    """How much of a workload may be on spot capacity; None if nothing is said."""
    policy = policies_pb2.SpotPolicy(
        min_on_demand=_share(annotations, MIN_ON_DEMAND), max_per_pool=_share(annotations, MAX_PER_SPOT_POOL)
    )
    most = _share(annotations, MAX_LOSS)
    probability = _probability(annotations)
    window_s = _HOUR_S
    if text := annotations.get(MAX_LOSS_WINDOW):
        try:
            window_s = parse_duration(text)
        except ValueError as error:
            annotations.fail(MAX_LOSS_WINDOW, str(error))
    if bool(most) is not bool(annotations.get(MAX_LOSS_PROBABILITY)):
        given = MAX_LOSS if most else MAX_LOSS_PROBABILITY
        annotations.fail(given, f"{MAX_LOSS} and {MAX_LOSS_PROBABILITY} go together")
    elif most and probability is not None:
        bound = build(
            lambda: LossBound(Share.parse(most), probability, window_s), "", annotations.report_at(MAX_LOSS)
        )
        if bound is not None:
            policy.loss.share = most
            policy.loss.probability_ppm = probability
            policy.loss.window_seconds = window_s
    return policy if policy.ByteSize() else None


def _share(annotations: Annotations, key: str) -> str:
    text = annotations.get(key).strip()
    if not text:
        return ""
    try:
        return str(Share.parse(text))
    except ValueError as error:
        annotations.fail(key, getattr(error, "description", str(error)))
        return ""


def _probability(annotations: Annotations) -> int | None:
    """Parts per million of a percentage such as ``0.1%``."""
    text = annotations.get(MAX_LOSS_PROBABILITY).strip()
    if not text:
        return None
    try:
        share = Share.parse(text)
    except ValueError:
        share = Share()
    if not 0 < share.ppm < 1_000_000:
        annotations.fail(MAX_LOSS_PROBABILITY, "must be a percentage above 0% and below 100%, such as 1%")
        return None
    return share.ppm
