"""Cluster Autoscaler for the node groups of a decision: Deployment, permissions, flags."""
