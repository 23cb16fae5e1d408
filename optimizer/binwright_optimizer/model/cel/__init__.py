"""The part of CEL that device selectors are read in: an expression as text, and as a tree.

CEL is the Common Expression Language (https://github.com/google/cel-spec); what a selector may look at is in
https://kubernetes.io/docs/reference/kubernetes-api/resource/resource-claim-v1/ (CELDeviceSelector). Read are
``device.driver``, ``device.attributes["domain"].name`` and ``device.capacity["domain"].name`` (in brackets,
too), ``has()``, ``"name" in device.attributes["domain"]``, ``cel.bind()``, ``&& || ! ?:``, comparisons,
``in [...]``, texts (``startsWith``, ``endsWith``, ``contains``, ``matches``, ``lowerAscii``,
``upperAscii``), ``quantity()`` and ``semver()`` (``compareTo``, ``isGreaterThan``, ``isLessThan``) and
constants. Whatever else an expression says is an error that names it. What an expression means is read
twice, by the solver (`instance.device_selectors`) and by the verifier (`verify.device_selectors`).

No library reads it for us: the model is standard library only, none knows Kubernetes' quantities and
versions, and one that evaluates everything could not say what a catalogue cannot answer.
"""

from binwright_optimizer.model.cel.selector import DeviceSelector
from binwright_optimizer.model.cel.tree import Constant, Expression, Op, Type, Version

__all__ = ["Constant", "DeviceSelector", "Expression", "Op", "Type", "Version"]
