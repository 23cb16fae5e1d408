"""Decisions as Terraform configuration in JSON syntax, one resource for each node group."""
