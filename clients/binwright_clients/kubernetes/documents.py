"""YAML and JSON text to plain values, as strict as `kubectl --validate=strict`.

YAML is built straight from libyaml's events. That is faster than PyYAML's own constructor,
never recurses (nested brackets cannot exhaust the stack), and lets duplicate keys, alias bombs
and depth be refused while reading. Plain scalars mean what they mean to kubectl (YAML 1.1
without times and base-60 numbers; ``y`` and ``n`` are booleans).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

MAX_DEPTH = 100
"""Deepest nesting of a document; a pod needs about fifteen levels."""

MAX_NODES = 5_000_000
"""Most values of a document; bounds the memory of a file of the largest size."""

MAX_ALIASED_NODES = 1_000_000
"""Most nodes that the aliases of a document may stand for, copies counted."""

_Loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"^[+-]?(?:0|[1-9][0-9_]*)$", re.ASCII)
_PREFIXED = re.compile(r"^([+-]?)(?:0x([0-9a-fA-F_]+)|0o?([0-7_]+)|0b([01_]+))$", re.ASCII)
_FLOAT = re.compile(r"^[+-]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]+)?$", re.ASCII)
_NOT_FINITE = re.compile(r"^(?:[+-]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$")
_TAG = "tag:yaml.org,2002:"
_TAGGED_TYPES: dict[str, tuple[type, ...]] = {
    _TAG + "null": (type(None),),
    _TAG + "bool": (bool,),
    _TAG + "int": (int,),
    _TAG + "float": (int, float),
}
_MERGE = object()


class DocumentError(ValueError):
    """The text is no YAML or JSON, or not one we read."""


def load_yaml(text: str) -> Iterator[Any]:
    """Documents of a YAML stream, one after the other; an empty document is None.

    Raises
    ------
    DocumentError
        On the first mistake; documents before it have been yielded.
    """
    try:
        loader = _Loader(text)
        try:
            yield from _Builder(loader).documents()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise DocumentError(f"{where}is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(f"is not YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:
        if isinstance(error, DocumentError):
            raise
        # libyaml refuses characters that UTF-8 cannot hold, such as lone surrogates
        raise DocumentError(f"is not YAML: {error}") from None


class _Builder:
    """Turns the events of one stream into values."""

    def __init__(self, loader: Any) -> None:
        self._next = loader.get_event

    def documents(self) -> Iterator[Any]:
        """One value for each document of the stream."""
        while True:
            event = self._next()
            kind = type(event)
            if kind is yaml.StreamEndEvent:
                return
            if kind is yaml.DocumentStartEvent:
                yield self._document()

    def _document(self) -> Any:
        next_event = self._next
        anchors: dict[str, tuple[Any, int]] = {}
        open_anchors: set[str] = set()
        aliased = 0
        nodes = 0
        stack: list[_Frame] = []
        frame: _Frame | None = None
        root: Any = None
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                nodes += 1
                text = event.value
                tag = event.tag
                if nodes > MAX_NODES:
                    _fail(event, f"has more than {MAX_NODES} values")
                if frame is not None and frame.expects_key:
                    is_text = tag is None and text[:1] not in _NUMBER_STARTS and text not in _CONSTANTS
                    frame.set_key(text if is_text and text != "<<" else _key(event), event)
                    if event.anchor is not None:
                        anchors[event.anchor] = (text, 1)
                    continue
                if tag is None and (
                    not event.implicit[0] or (text[:1] not in _NUMBER_STARTS and text not in _CONSTANTS)
                ):
                    value: Any = text
                else:
                    value = _scalar(event)
                if event.anchor is not None:
                    anchors[event.anchor] = (value, 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                nodes += 1
                if frame is not None and frame.expects_key:
                    _fail(event, "a mapping key must be a plain value")
                if len(stack) >= MAX_DEPTH:
                    _fail(event, f"is nested more than {MAX_DEPTH} levels deep")
                if event.tag not in (None, "!", _TAG + "map", _TAG + "seq"):
                    _fail(event, f"tag {event.tag!r} is not supported")
                if event.anchor is not None:
                    open_anchors.add(event.anchor)
                    anchors.pop(event.anchor, None)
                frame = _Frame(kind is yaml.MappingStartEvent, event.anchor, nodes)
                stack.append(frame)
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                done = stack.pop()
                value = done.close()
                if done.anchor is not None:
                    open_anchors.discard(done.anchor)
                    anchors[done.anchor] = (value, nodes - done.nodes_before + 1)
                frame = stack[-1] if stack else None
            elif kind is yaml.AliasEvent:
                if event.anchor in open_anchors:
                    _fail(event, f"alias *{event.anchor} contains itself")
                if event.anchor not in anchors:
                    _fail(event, f"alias *{event.anchor} has no anchor")
                value, size = anchors[event.anchor]
                aliased += size
                nodes += size
                if aliased > MAX_ALIASED_NODES:
                    _fail(event, f"aliases stand for more than {MAX_ALIASED_NODES} nodes")
                if frame is not None and frame.expects_key:
                    if not isinstance(value, str):
                        _fail(event, "a mapping key must be a plain value")
                    frame.set_key(value, event)
                    continue
            else:  # DocumentEndEvent
                return root
            if frame is None:
                root = value
            else:
                frame.add(value, event)


class _Frame:
    """A mapping or sequence that is still open."""

    __slots__ = ("anchor", "expects_key", "is_mapping", "key", "merged", "nodes_before", "values")

    def __init__(self, is_mapping: bool, anchor: str | None, nodes_before: int) -> None:
        self.values: Any = {} if is_mapping else []
        self.is_mapping = is_mapping
        self.expects_key = is_mapping
        self.key: Any = None
        self.merged: list[dict[str, Any]] = []
        self.anchor = anchor
        self.nodes_before = nodes_before

    def set_key(self, key: Any, event: Any) -> None:
        """Take the key of the next value; refuses one that is there already."""
        if key in self.values:
            _fail(event, f"duplicate key {key!r}")
        self.key = key
        self.expects_key = False

    def add(self, value: Any, event: Any) -> None:
        """Take the next value."""
        if not self.is_mapping:
            self.values.append(value)
            return
        self.expects_key = True
        if self.key is not _MERGE:
            self.values[self.key] = value
            return
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in merged):
            _fail(event, "the merge key << takes a mapping or a list of mappings")
        self.merged.extend(merged)

    def close(self) -> Any:
        """The finished value; keys of merged mappings give way to its own and to earlier ones."""
        for mapping in self.merged:
            for key, value in mapping.items():
                self.values.setdefault(key, value)
        return self.values


def _key(event: Any) -> Any:
    """Key of a mapping as JSON spells it: kubectl turns YAML into JSON before it reads it."""
    if event.tag is None and event.implicit[0] and event.value == "<<":
        return _MERGE
    value = _scalar(event)
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    return json.dumps(value)


def _scalar(event: Any) -> Any:
    """Value of a scalar that may be other than text."""
    text, tag = event.value, event.tag
    if tag is None and not event.implicit[0]:
        return text
    if tag in (_TAG + "str", "!"):
        return text
    value = _resolve(event)
    if tag is None:
        return value
    allowed = _TAGGED_TYPES.get(tag)
    if allowed is None:
        _fail(event, f"tag {tag!r} is not supported")
    if not isinstance(value, allowed):
        _fail(event, f"{text[:40]!r} is not of the type that its tag {tag!r} says")
    return value


def _resolve(event: Any) -> Any:
    text: str = event.value
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[:1] not in _NUMBER_STARTS:
        return text
    if _NOT_FINITE.match(text):
        _fail(event, f"{text} is not a number that JSON can hold")
    if _INTEGER.match(text):
        digits = text.replace("_", "")
        if len(digits.lstrip("+-")) <= 19:
            return int(digits)
    elif match := _PREFIXED.match(text):
        sign, *parts = match.groups()
        for digits, base in zip(parts, (16, 8, 2), strict=True):
            if digits is not None and (digits := digits.replace("_", "")) and len(digits) <= 64:
                return int(sign + digits, base)
    if _FLOAT.match(text):
        value = float(text)
        # Out of range it is text, such as the commit hash 12e4567.
        return text if math.isinf(value) else value
    return text


def _fail(event: Any, description: str) -> NoReturn:
    raise DocumentError(f"line {event.start_mark.line + 1}: {description}")


def load_json(text: str) -> Iterator[Any]:
    """Documents of a text that holds one JSON value after the other.

    Raises
    ------
    DocumentError
        On the first mistake; documents before it have been yielded.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite
    )
    # JSON can spell characters that UTF-8, and so a message, cannot hold.
    has_escapes = "\\ud" in text or "\\uD" in text
    at = 0
    while True:
        at = _skip_space(text, at)
        if at == len(text):
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise DocumentError(f"line {error.lineno}: is not JSON: {error.msg}") from None
        except RecursionError:
            raise DocumentError(f"is nested more than {MAX_DEPTH} levels deep") from None
        except ValueError as error:
            raise DocumentError(f"is not JSON: {error}") from None
        if not _is_shallow(value):
            raise DocumentError(f"is nested more than {MAX_DEPTH} levels deep")
        if has_escapes:
            _refuse_surrogates(value)
        yield value


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        character = ord(error.object[error.start])
        raise DocumentError(f"holds half a character, \\u{character:04x}") from None


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {key!r}")
            seen.add(key)
    return values


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that JSON can hold")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _is_shallow(value: Any) -> bool:
    """Whether the value is nested at most `MAX_DEPTH` levels."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return True
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
    return False
