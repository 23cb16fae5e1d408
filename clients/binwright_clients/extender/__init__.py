"""The webhook that kube-scheduler calls, in front of a Binwright server.

``arguments`` reads what kube-scheduler sends, ``objects`` its pods and nodes, ``backend`` asks the server,
``answers`` writes what kube-scheduler reads, ``app`` ties them together over HTTP. ``feed`` keeps the
server's picture of the cluster current.
"""
