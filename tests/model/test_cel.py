"""Selectors of devices: what is read of CEL, and what it means, in both readings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from binwright_optimizer.instance.device_selectors import admits
from binwright_optimizer.model import Device, DeviceSelector
from binwright_optimizer.model.cel import Version
from binwright_optimizer.model.cel.patterns import checked_pattern
from binwright_optimizer.verify.device_selectors import passes
from hypothesis import given
from hypothesis import strategies as st

D = 'device.attributes["gpu.nvidia.com"]'
C = 'device.capacity["gpu.nvidia.com"]'
A100 = Device(
    "gpu.nvidia.com",
    {
        "gpu.nvidia.com/type": "gpu",
        "gpu.nvidia.com/productName": "NVIDIA A100-SXM4-40GB",
        "gpu.nvidia.com/cudaComputeCapability": Version(8, 0, 0),
        "gpu.nvidia.com/ecc": True,
        "gpu.nvidia.com/index": 3,
    },
    {"gpu.nvidia.com/memory": 40 * 2**30},
)


def holds(text: str, device: Device = A100) -> bool:
    selector = DeviceSelector(text)
    found = admits((selector,), device)
    assert passes(device, selector) is found, "the two readings differ"
    return found


@pytest.mark.parametrize(
    "text",
    [
        'device.driver == "gpu.nvidia.com"',
        f"{D}.type != 'mig'",
        f'{D}["type"] == "gpu"',
        f'{D}.productName.lowerAscii().matches("^.*a100.*$")',
        f'{D}.productName.upperAscii().startsWith("NVIDIA")',
        f'{D}.productName.endsWith("40GB") && {D}.productName.contains("SXM")',
        f'{D}.type in ["gpu", "mig"]',
        f"{D}.index in [1, 2, 3] && {D}.index > 2 && {D}.index <= 3",
        f"{D}.ecc && !(!{D}.ecc)",
        f'{C}.memory.compareTo(quantity("40Gi")) >= 0',
        f'{C}.memory == quantity("40960Mi")',
        f'{C}.memory.isGreaterThan(quantity("39.5Gi")) && {C}.memory.isLessThan(quantity("1Ti"))',
        f'{D}.cudaComputeCapability.compareTo(semver("7.10.0")) > 0',
        f'{D}.cudaComputeCapability.isLessThan(semver("8.0.1"))',
        f'{D}.cudaComputeCapability == semver("8.0.0")',
        f'has({D}.index) && !has({D}.uuid) && "index" in {D} && !("x" in device.capacity["y"])',
        f"cel.bind(gpu, {D}, gpu.index == 3 && gpu.ecc)",
        f'{D}.ecc ? {D}.index == 3 : {D}.uuid == "x"',
        f'{D}.uuid == "x" || {D}.index == 3',
        f'{D}.index == 3 || {D}.uuid == "x"',
        f'!({D}.uuid == "x" && {D}.index == 4)',
        "-1 < 0 && true != false",
        r"""'a\'b' == "a'b" && r'\d' == '\\d'""",
        f'{D}.index != "3"',
        'has(device.attributes["other"].x) == false',
    ],
)
def test_expressions_that_hold(text: str) -> None:
    assert holds(text)
    assert not holds(f"!({text})")


@pytest.mark.parametrize(
    "text",
    [
        f'{D}.uuid == "x"',
        f'{D}.uuid != "x"',
        f'!({D}.uuid == "x")',
        f'{D}.uuid == "x" && {D}.index == 3',
        f'{D}.uuid == "x" || {D}.index == 4',
        f"{D}.index",
        f"!{D}.index",
        f'{D}.index < "4"',
        f'{D}.index.startsWith("3")',
        f'{D}.type.compareTo(semver("1.0.0")) == 0',
        'device.attributes["other"].ecc',
        f"{D}.index ? true : true",
        f'{D}.productName.matches("a100")',
    ],
)
def test_errors_and_missing_attributes_are_not_true(text: str) -> None:
    """CEL raises an error: nothing that depends on it holds, and its negation no more."""
    assert not holds(text)


DOUBLED = "".join(f"cel.bind(v{n + 1}, v{n} && v{n}, " for n in range(40))
DOUBLED = f"cel.bind(v0, true, {DOUBLED}v40{')' * 41}"


def test_long_conjunctions_are_read() -> None:
    assert holds(" && ".join(["device.driver == 'gpu.nvidia.com'"] * 200))
    assert holds(" || ".join(["false"] * 1_000 + ["true"]))


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("", "is empty"),
        ("device.driver ==", "ends too early"),
        ("device.driver = 'a'", "is not understood at character 15"),
        ("device.driver", "text is no truth value"),
        ("device", "device is not understood without the name of a part of it"),
        ("device.name == 'a'", "'name' is not understood at character 8"),
        ("device.attributes['a'] == 'b'", "is not understood without the name of a part"),
        ("device.attributes.a.b == 'b'", "'a' is not understood at character 19"),
        ("device.driver.size() > 1", "'size' is not understood at character 15"),
        ("other == 'a'", "'other' is not understood at character 1"),
        ("1.5 < 2", "'1.5 < 2' is not understood at character 1"),
        ("99999999999999999999 > 1", "99999999999999999999 is too large"),
        (f"{C}.memory > 5", "a quantity is compared with a number"),
        (f"{C}.memory > quantity('1Gi')", "> does not compare a quantity: use compareTo()"),
        (f"{C}.memory == quantity('lots')", "quantity('lots') is not a quantity"),
        (f"{D}.v.compareTo(semver('v1')) > 0", "semver('v1') is no version such as 8.6.0"),
        (f"{D}.v.compareTo('1') > 0", "compareTo() compares quantities or versions, not an attribute"),
        (f"{D}.name.matches('(a+)+$')", "a repetition of repetitions or alternatives is not"),
        (f"{D}.name.matches('(?=a)')", "'(?=' is not understood"),
        (f"{D}.name.matches({D}.type)", "matches() takes a constant pattern"),
        ("'aaa'.matches('a')", "matches() is for an attribute or the driver"),
        (DOUBLED, "is too large once cel.bind is written out"),
        ("device.driver in ['a', 1]", "a list must hold constants of one type"),
        ("device.driver in 'a'", "in needs a list of constants"),
        ("has(device.driver)", "has() takes an attribute or a capacity"),
        ("(" * 60 + "true" + ")" * 60, "is nested more than 50 deep"),
        ("!" * 60 + "true", "is nested more than 50 deep"),
        (f"{D}.x == 1" + " " * 20_000, "is longer than 10240 characters"),
        ("true true", "'true' is not understood at character 6"),
        ("(true", "lacks ')' at character 6"),
        (r"'\q' == 'a'", r"the escape \q is not understood"),
    ],
)
def test_what_is_not_understood_is_named(text: str, description: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        DeviceSelector(text)
    assert description in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    ["(", "a{1000}", "a**", "a*?", "a{2}+", r"\1", "(?<n>a)", "[", "a" * 300, "a*" * 5, "a{,2}", "(a|a)*"],
)
def test_patterns_that_engines_read_differently_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^matches\("):
        checked_pattern(pattern)


WORDS = [
    *("device.driver", f"{D}.type", f"{D}.index", f"{C}.memory", "true", "'gpu'", "3", "quantity('1Gi')"),
    *("x", "&&", "||", "!", "==", "<", "in", "(", ")", "[", "]", "?", ":", ",", ".", "has(", "cel.bind(x, "),
    *("-", ".compareTo(", ".matches('g+')", ".lowerAscii()", ".startsWith('g')", "'g\\'", "\u00e9"),
]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_words_are_understood_alike_or_refused(text: str) -> None:
    with suppress(ValueError):
        holds(text)


@given(st.text(max_size=60) | st.text("()[]&|!<>='\"d.evicatrubs 10?:,", max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(ValueError):
        holds(text)


@given(st.text("ab(|)*+?.[]{}1,2\\^$d", max_size=14), st.text("ab1", max_size=8))
def test_any_pattern_is_matched_or_refused_at_once(pattern: str, text: str) -> None:
    with suppress(ValueError):
        checked_pattern(pattern).search(text * 5)


MISSING = object()


def meaning() -> Any:
    """Expressions with what they mean of `A100`, an error being `MISSING`: worked out as they are drawn."""
    atoms = st.sampled_from(
        [
            ("true", True),
            ("false", False),
            (f"{D}.ecc", True),
            (f"{D}.uuid == 'x'", MISSING),
            (f"{D}.index >= 4", False),
            (f"{D}.index < 'x'", MISSING),
            (f"{D}.type == 'gpu'", True),
            (f'{C}.memory.compareTo(quantity("1Ti")) < 0', True),
        ]
    )

    def grown(inner: Any) -> Any:
        return st.one_of(
            inner.map(lambda e: (f"!({e[0]})", MISSING if e[1] is MISSING else not e[1])),
            st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) && ({p[1][0]})", _both(p[0][1], p[1][1]))),
            st.tuples(inner, inner).map(
                lambda p: (f"({p[0][0]}) || ({p[1][0]})", _flip(_both(_flip(p[0][1]), _flip(p[1][1]))))
            ),
            st.tuples(inner, inner, inner).map(
                lambda p: (
                    f"({p[0][0]}) ? ({p[1][0]}) : ({p[2][0]})",
                    MISSING if p[0][1] is MISSING else p[1][1] if p[0][1] else p[2][1],
                )
            ),
        )

    return st.recursive(atoms, grown, max_leaves=8)


def _flip(value: Any) -> Any:
    return value if value is MISSING else not value


def _both(first: Any, second: Any) -> Any:
    if first is False or second is False:
        return False
    return MISSING if MISSING in (first, second) else True


@given(meaning())
def test_joined_expressions_mean_what_their_parts_do(drawn: tuple[str, Any]) -> None:
    text, expected = drawn
    assert holds(text) is (expected is True)
