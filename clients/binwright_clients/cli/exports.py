"""Decisions in the formats of other programs: ``-o karpenter``, ``eksctl``, ``terraform`` ..."""

from __future__ import annotations

import json
from collections.abc import Container

import click
from binwright.v1 import catalog_pb2, decision_pb2, problem_pb2

from binwright_clients.cli.output import print_yaml, stderr_console
from binwright_clients.cli.question import DEFAULT_CLOUD, Question
from binwright_clients.cli.render.text import counted
from binwright_clients.clusterautoscaler.deployment import autoscaler_manifests
from binwright_clients.eksctl import cluster_config
from binwright_clients.errors import InputError
from binwright_clients.karpenter.nodeclaims import node_claim_manifests
from binwright_clients.node_groups import node_class_settings, node_groups
from binwright_clients.terraform.configuration import terraform_configuration

FORMATS = ("karpenter", "eksctl", "terraform", "clusterautoscaler")

_SHOWN_PODS = 3

DEFAULT_CLUSTER_NAME = "binwright"


def check_export(output: str, question: Question) -> None:
    """Fail before the solve where the format cannot hold what will be bought.

    Raises
    ------
    InputError
        If the format is of another cloud than the catalogue.
    """
    cloud = cloud_of(question.request.problem.catalog)
    if output == "eksctl" and cloud != "aws":
        raise InputError.of("-o eksctl", f"is for EKS, but the catalogue is of {cloud}; try -o terraform")
    if output == "clusterautoscaler" and cloud != "aws":
        raise InputError.of(
            "-o clusterautoscaler",
            f"is for EKS, but the catalogue is of {cloud}, which runs Cluster Autoscaler itself, "
            "set up by its node pools; try -o terraform",
        )


def print_export(
    output: str,
    decision: decision_pb2.Decision,
    question: Question,
    *,
    cluster_name: str,
    expander_url: str,
) -> None:
    """The decision to standard output in one of `FORMATS`; its warnings, old prices above all, as comments.

    Raises
    ------
    InputError
        If the format cannot hold the decision, such as nodes in several regions.
    """
    problem = question.request.problem
    cloud = cloud_of(problem.catalog)
    comments = [f"warning: {line}" for line in decision.warnings]
    if output == "karpenter":
        manifests = node_claim_manifests(
            decision, problem.node_pools, question.node_classes, cloud, lifetimes=question.node_lifetimes
        )
        print_yaml(*manifests, comments=comments)
        return
    groups = node_groups(decision, problem)
    if cloud == "aws":
        comments += _left_out(output, problem, {group.node_pool for group in groups})
    if not groups:
        stderr_console().print("the decision buys no node, so there is no node group to write", markup=False)
        return
    if output == "eksctl":
        zones = _zones_of(cloud, groups[0].region)
        print_yaml(cluster_config(groups, cluster_name, zones), comments=comments)
    elif output == "terraform":
        # Terraform ignores a property of this name: JSON has no comments of its own.
        remarks = {"//": comments} if comments else {}
        click.echo(json.dumps(remarks | terraform_configuration(groups, cloud, cluster_name), indent=2))
    else:
        print_yaml(*autoscaler_manifests(groups, cluster_name, expander_url), comments=comments)


_ALREADY_SAID = {"eksctl": frozenset({"kubelet.maxPods"})}
"""Settings of EC2NodeClasses that a format with node groups has a field for."""


def _left_out(output: str, problem: problem_pb2.Problem, pools: Container[str]) -> list[str]:
    """Settings of EC2NodeClasses that the decision counted on and a format with node groups cannot say."""
    if output == "clusterautoscaler":  # scales groups that somebody else has set up
        return []
    said = _ALREADY_SAID.get(output, frozenset())
    lines = []
    for pool in problem.node_pools:
        fields = [field for field in node_class_settings(pool) if field not in said]
        if pool.name in pools and fields:
            lines.append(
                f"warning: {', '.join(fields)} of NodePool {pool.name}'s EC2NodeClass is counted on and not "
                "in this file: set it in a launch template, or nodes hold other amounts"
            )
    return lines


def warn_of_unplaced(decision: decision_pb2.Decision) -> None:
    """Pods without a place to standard error, asked to be quiet or not: no export has a line for them."""
    pods = decision.unschedulable_pods
    if not pods:
        return
    console = stderr_console()
    console.print(f"warning: no place on what this buys for {counted(len(pods), 'pod')}:", markup=False)
    for pod in pods[:_SHOWN_PODS]:
        reasons = "; ".join(reason.message for reason in pod.reasons) or pod.nearest_miss
        console.print(f"  {pod.pod}: {reasons}", markup=False)
    if len(pods) > _SHOWN_PODS:
        console.print(f"  ... and {len(pods) - _SHOWN_PODS} more: see -o table or -o json", markup=False)


def cloud_of(catalog: catalog_pb2.CatalogSource) -> str:
    """Whose catalogue it is; a custom one that does not say counts as AWS, as NodeClaims always did."""
    if catalog.WhichOneof("source") == "inline":
        return next((sold.cloud for sold in catalog.inline.instance_types if sold.cloud), DEFAULT_CLOUD)
    return catalog.embedded.cloud or DEFAULT_CLOUD


def _zones_of(cloud: str, region: str) -> tuple[str, ...]:
    """Every zone of a region as the embedded catalogue knows it; none for a region of one's own."""
    # Imported on first use, as everything of the optimizer but its model.
    from binwright_optimizer.catalog.zones import zones_of

    try:
        return zones_of(cloud, region)
    except KeyError:
        return ()
