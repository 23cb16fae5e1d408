"""A live cluster over its HTTP API: requests, lists, watches. Only plain JSON passes."""
