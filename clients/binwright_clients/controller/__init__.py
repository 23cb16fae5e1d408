"""Creates Karpenter NodeClaims for pods that wait for a node.

``cycle`` decides what happens next and touches neither network nor clock; ``cluster_port`` and
``feed`` are the thin side that does.
"""
