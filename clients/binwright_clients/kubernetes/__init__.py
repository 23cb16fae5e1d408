"""Kubernetes and Karpenter manifests to wire messages."""
