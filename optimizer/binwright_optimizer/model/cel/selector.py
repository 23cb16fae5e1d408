"""A selector of devices: an expression kept as text, whose tree is at hand."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.cel.parser import parse
from binwright_optimizer.model.cel.tree import Expression


@dataclass(frozen=True, slots=True)
class DeviceSelector:
    """A CEL expression that a device must pass; compared by its text.

    Raises
    ------
    ValueError
        If the text is beyond what is read; it says which part.

    Examples
    --------
    >>> DeviceSelector('device.attributes["gpu.nvidia.com"].type == "gpu"').expression.names()
    frozenset({'gpu.nvidia.com/type'})
    >>> DeviceSelector("device.driver.size() > 3")
    Traceback (most recent call last):
    ValueError: 'size' is not understood at character 15
    """

    text: str

    def __post_init__(self) -> None:
        parse(self.text)

    @property
    def expression(self) -> Expression:
        """The tree."""
        return parse(self.text)
