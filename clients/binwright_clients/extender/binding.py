"""Binds pods to nodes through the API server, where kube-scheduler leaves that to us.

A binding whose answer was lost is asked for again. The API server refuses the second of two bindings, so that
what it then says of the pod decides: bound to the node that was meant is a success.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.errors import ConflictError, UnreachableError
from binwright_clients.cluster.kinds import PODS
from binwright_clients.extender.arguments import BindingArguments

PAUSE_S = 0.2


class Binder:
    """Creates Bindings; used from several threads.

    Parameters
    ----------
    budget_s
        Longest time in which a call that got no answer is made again.
    """

    def __init__(
        self,
        api: ClusterApi,
        budget_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._budget_s = budget_s
        self._clock = clock
        self._sleep = sleep

    def bind(self, arguments: BindingArguments) -> None:
        """Bind the pod, unless another of its name has taken its place meanwhile.

        Raises
        ------
        ClusterError
            If it is not bound, or nobody can tell.
        """
        path = PODS.object_path(arguments.name, arguments.namespace)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            # The API server binds the pod of this uid only.
            "metadata": {"name": arguments.name, "namespace": arguments.namespace, "uid": arguments.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": arguments.node},
        }
        ends_at = self._clock() + self._budget_s
        while True:
            try:
                self._api.create(f"{path}/binding", binding)
                return
            except ConflictError:
                pod = self._api.get(path)
                uid, node = (pod.get("metadata") or {}).get("uid"), (pod.get("spec") or {}).get("nodeName")
                if (uid, node) != (arguments.uid, arguments.node):
                    raise
                return
            except UnreachableError:
                if self._clock() + PAUSE_S >= ends_at:
                    raise
            self._sleep(PAUSE_S)
