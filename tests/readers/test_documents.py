"""YAML as kubectl reads it (YAML 1.1 turned into JSON), and JSON without its extensions."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from binwright_clients.kubernetes.documents import DocumentError, load_json, load_yaml
from hypothesis import given
from hypothesis import strategies as st


def only(text: str) -> Any:
    [document] = load_yaml(text)
    return document


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("text", "text"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("5", 5),
        ("-5", -5),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("0b101", 5),
        ("1_000", 1000),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("08", 8.0),
        ("12e4567", "12e4567"),
        ("99999999999999999999", 1e20),
        ("y", True),
        ("true", True),
        ("Yes", True),
        ("off", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("500m", "500m"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("- 5", [5]),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5),
        ("! 5", "5"),
        ("|\n  two\n  lines", "two\nlines"),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubectl(scalar: str, value: object) -> None:
    read = only(f"k: {scalar}" if not scalar.startswith("-") or scalar == "-5" else f"k:\n{scalar}")["k"]
    assert read == value
    assert type(read) is type(value)


def test_keys_become_text_as_in_json() -> None:
    assert only("{1: a, true: b, null: c, 0.5: d}") == {"1": "a", "true": "b", "null": "c", "0.5": "d"}


def test_documents_are_separate_and_may_be_empty() -> None:
    assert list(load_yaml("a: 1\n---\n---\nb: 2\n...\n")) == [{"a": 1}, None, {"b": 2}]


def test_anchors_aliases_and_merge_keys_are_resolved() -> None:
    text = "base: &b {x: 1, w: 2}\none: {<<: *b, w: 3}\ntwo: {<<: [{w: 5}, *b]}\nthree: *b\n"
    assert only(text) == {
        "base": {"x": 1, "w": 2},
        "one": {"x": 1, "w": 3},
        "two": {"x": 1, "w": 5},
        "three": {"x": 1, "w": 2},
    }


def alias_bomb() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "line 2: duplicate key 'a'"),
        ("a: {1: x, '1': y}", "duplicate key '1'"),
        ("a: [1, 2", "line 2: is not YAML"),
        ("a: 'open", "is not YAML: found unexpected end of stream"),
        ("a: b: c", "mapping values are not allowed"),
        ("\tx: 1", "cannot start any token"),
        ("a: *nowhere", "alias *nowhere has no anchor"),
        ("a: &x [*x]", "alias *x contains itself"),
        ("a: .nan", "line 1: .nan is not a number that JSON can hold"),
        ("a: -.inf", "-.inf is not a number that JSON can hold"),
        ("a: !!python/object:os.system x", "is not supported"),
        ("a: !custom {b: 1}", "tag '!custom' is not supported"),
        ("a: !!int x", "is not of the type"),
        ("? [a, b]\n: c", "a mapping key must be a plain value"),
        ("a: {<<: 5}", "the merge key << takes a mapping"),
        ("[" * 101, "nested more than 100 levels"),
        ("a: " + "[" * 100_000, "nested more than 100 levels"),
        ("\x00", "is not YAML"),
        ("a: \ud800", "is not YAML"),
        ('a: "\\ud800"', "is not YAML"),
        (alias_bomb(), "aliases stand for more than 1000000 nodes"),
    ],
)
def test_yaml_that_kubectl_would_refuse_is_refused_with_the_line(text: str, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        list(load_yaml(text))
    assert reason in str(caught.value)


def test_documents_before_a_mistake_are_read() -> None:
    documents = load_yaml("a: 1\n---\nb: [")
    assert next(documents) == {"a": 1}
    with pytest.raises(DocumentError):
        next(documents)


def test_json_values_may_follow_one_another() -> None:
    assert list(load_json('{"a": 1}\n {"b": [0.5, null]} ')) == [{"a": 1}, {"b": [0.5, None]}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": 1e999}', "1e999 is too large"),
        ('{"a": [1, 2', "line 1: is not JSON"),
        ('{"a": 1} x', "is not JSON"),
        ("[" * 101 + "]" * 101, "nested more than 100 levels"),
        ("[" * 200_000, "nested more than 100 levels"),
        ("9" * 5000, "is not JSON"),
        ('{"a": "\\ud800"}', "holds half a character, \\ud800"),
    ],
)
def test_json_with_mistakes_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        list(load_json(text))
    assert reason in str(caught.value)


# Line breaks of Unicode are left out: PyYAML writes U+0085 as a fold.
PRINTABLE = st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp"))
# PyYAML writes y and n without quotes; to kubectl, and to us, they are booleans.
TEXTS = st.text(PRINTABLE, max_size=8).filter(lambda text: text not in ("y", "Y", "n", "N"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<=", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_whatever_pyyaml_writes_is_read_back(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert list(load_yaml(text)) == [value]
