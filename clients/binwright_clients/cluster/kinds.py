"""Kinds that are read from clusters: where the API server keeps them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects.

    Parameters
    ----------
    group
        API group; empty for the core.
    resource
        Plural, as in paths and permissions.
    is_core
        Whether every cluster has it; others may not be installed.
    field_selector
        Which objects are read.
    """

    name: str
    group: str
    version: str
    resource: str
    is_core: bool = True
    field_selector: str = ""

    @property
    def path(self) -> str:
        """Path of the list over all namespaces.

        >>> Kind("NodePool", "karpenter.sh", "v1", "nodepools").path
        '/apis/karpenter.sh/v1/nodepools'
        """
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/{self.resource}"

    def object_path(self, name: str, namespace: str = "") -> str:
        """Path of one object; without ``namespace`` of a cluster-scoped one."""
        root = f"/apis/{self.group}" if self.group else "/api"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}/{self.version}{scope}/{self.resource}/{name}"


NODES = Kind("Node", "", "v1", "nodes")
PODS = Kind("Pod", "", "v1", "pods", field_selector="status.phase!=Succeeded,status.phase!=Failed")
DAEMON_SETS = Kind("DaemonSet", "apps", "v1", "daemonsets")
PRIORITY_CLASSES = Kind("PriorityClass", "scheduling.k8s.io", "v1", "priorityclasses")
NAMESPACES = Kind("Namespace", "", "v1", "namespaces")
VOLUMES = Kind("PersistentVolume", "", "v1", "persistentvolumes")
VOLUME_CLAIMS = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
STORAGE_CLASSES = Kind("StorageClass", "storage.k8s.io", "v1", "storageclasses")
DISRUPTION_BUDGETS = Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")
CSI_NODES = Kind("CSINode", "storage.k8s.io", "v1", "csinodes")
DEVICE_CLASSES = Kind("DeviceClass", "resource.k8s.io", "v1", "deviceclasses", is_core=False)
RESOURCE_CLAIMS = Kind("ResourceClaim", "resource.k8s.io", "v1", "resourceclaims", is_core=False)
RESOURCE_CLAIM_TEMPLATES = Kind(
    "ResourceClaimTemplate", "resource.k8s.io", "v1", "resourceclaimtemplates", is_core=False
)
RESOURCE_SLICES = Kind("ResourceSlice", "resource.k8s.io", "v1", "resourceslices", is_core=False)
POD_GROUPS = (
    Kind("PodGroup", "scheduling.x-k8s.io", "v1alpha1", "podgroups", is_core=False),
    Kind("PodGroup", "scheduling.volcano.sh", "v1beta1", "podgroups", is_core=False),
)
"""Gangs of the coscheduling plugin and of Volcano."""
NODE_POOLS = Kind("NodePool", "karpenter.sh", "v1", "nodepools", is_core=False)
NODE_OVERLAYS = Kind("NodeOverlay", "karpenter.sh", "v1alpha1", "nodeoverlays", is_core=False)
EC2_NODE_CLASSES = Kind("EC2NodeClass", "karpenter.k8s.aws", "v1", "ec2nodeclasses", is_core=False)
NODE_CLAIMS = Kind("NodeClaim", "karpenter.sh", "v1", "nodeclaims", is_core=False)

WATCHED_KINDS = (
    NODES,
    PODS,
    DAEMON_SETS,
    PRIORITY_CLASSES,
    NAMESPACES,
    VOLUMES,
    VOLUME_CLAIMS,
    STORAGE_CLASSES,
    CSI_NODES,
    DISRUPTION_BUDGETS,
    DEVICE_CLASSES,
    RESOURCE_CLAIMS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_SLICES,
    *POD_GROUPS,
    NODE_POOLS,
    NODE_OVERLAYS,
    EC2_NODE_CLASSES,
)
"""What scheduling depends on, but for the NodeClaims, which the controller reads anew each time."""

SNAPSHOT_KINDS = (*WATCHED_KINDS, NODE_CLAIMS)
"""What scheduling depends on."""
