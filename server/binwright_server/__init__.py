"""Binwright's gRPC server."""
