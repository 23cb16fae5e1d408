"""Decisions as Karpenter manifests."""
