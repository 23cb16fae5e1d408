"""The Terraform configuration of a decision, by cloud.

JSON syntax (https://developer.hashicorp.com/terraform/language/syntax/json): save it as
``nodes.tf.json`` beside the cluster's own configuration. What a decision cannot know (roles, subnets,
the cluster) is a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from binwright_clients.errors import InputError
from binwright_clients.node_groups import NodeGroup
from binwright_clients.terraform import aws, azure, gcp

Configuration = dict[str, object]

_CLOUDS: Mapping[str, Callable[[Sequence[NodeGroup], str], Configuration]] = {
    "aws": aws.configuration,
    "azure": azure.configuration,
    "gcp": gcp.configuration,
}


def terraform_configuration(groups: Sequence[NodeGroup], cloud: str, cluster_name: str) -> Configuration:
    """The configuration that creates these groups.

    Parameters
    ----------
    cluster_name
        Default of the variable ``cluster_name``; the cluster itself is not created.

    Raises
    ------
    InputError
        If nothing is known of the cloud, or the groups lie in several regions.
    """
    build = _CLOUDS.get(cloud)
    if build is None:
        raise InputError.of("-o terraform", f"writes node groups of {', '.join(_CLOUDS)}, not of {cloud!r}")
    return build(groups, cluster_name)
