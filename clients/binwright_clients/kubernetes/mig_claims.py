"""MIG devices in claims: planned as requests for ``nvidia.com/mig-<profile>``, which are cut from GPUs.

Of what a selector may say about a MIG device, driver, type and profile are read: the profile decides which
GPUs can be cut for it, and where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from binwright_optimizer.model.cel import DeviceSelector, Expression, Op
from binwright_optimizer.model.mig import RESOURCE_PREFIX, mig_models_with

_TYPE, _PROFILE, _DRIVER = "gpu.nvidia.com/type", "gpu.nvidia.com/profile", "gpu.nvidia.com"


def asks_for_mig(selectors: Iterable[str]) -> bool:
    """Whether selectors want MIG devices."""
    return ("mig", _TYPE) in set(_stated(selectors))


def mig_resource(selectors: Iterable[str]) -> str:
    """The resource that a request with these selectors comes to.

    Raises
    ------
    ValueError
        If they say anything but driver, type and one profile.

    Examples
    --------
    >>> d = 'device.attributes["gpu.nvidia.com"]'
    >>> mig_resource([f'{d}.type == "mig"', f'{d}.profile == "1g.5gb"'])
    'nvidia.com/mig-1g.5gb'
    """
    stated = set(_stated(selectors))
    profiles = {value for value, name in stated if name == _PROFILE}
    if len(profiles) != 1 or not stated <= {
        ("mig", _TYPE),
        (_DRIVER, ""),
        *((p, _PROFILE) for p in profiles),
    }:
        raise ValueError("of MIG devices, driver, type and one profile may be asked for, joined by &&")
    [profile] = profiles
    if not mig_models_with(str(profile)):
        raise ValueError(f"no GPU offers the MIG profile {profile}")
    return RESOURCE_PREFIX + str(profile).replace("+", ".")


def _stated(selectors: Iterable[str]) -> Iterator[tuple[object, str]]:
    """What is compared with ``==`` in a conjunction, with the constant; anything else as itself."""
    for text in selectors:
        yield from _conjuncts(DeviceSelector(text).expression)


def _conjuncts(expression: Expression) -> Iterator[tuple[object, str]]:
    if expression.op is Op.AND:
        for arg in expression.args:
            yield from _conjuncts(arg)
        return
    if expression.op is Op.EQUAL:
        left, right = expression.args
        if left.op is Op.CONSTANT:
            left, right = right, left
        if right.op is Op.CONSTANT and left.op in (Op.ATTRIBUTE, Op.DRIVER):
            yield right.value, str(left.value)
            return
    yield expression.op, "?"
