"""Which node group Cluster Autoscaler should grow: its question, the joint optimum, and the answer."""
