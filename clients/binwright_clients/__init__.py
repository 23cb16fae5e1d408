"""Binwright's clients: the gRPC client, readers of Kubernetes manifests, and the command line."""
