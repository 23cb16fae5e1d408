"""Wire messages in files: read as untrusted, written whole or not at all.

The suffix decides the encoding: ``.pb`` is binary protobuf, everything else is the JSON that
``-o json`` prints, with proto field names.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from binwright.v1 import decision_pb2, provisioning_service_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from binwright_clients.cli.render.text import printable
from binwright_clients.errors import InputError

MAX_FILE_BYTES = 2**30
"""Largest message file read, 1 GiB: a decision for a million pods is about 100 MiB."""

MAX_INDENTED_BYTES = 2**18
"""Largest message, as binary protobuf, whose JSON is indented throughout: 256 KiB."""

_BINARY_SUFFIX = ".pb"
_M = TypeVar("_M", bound=Message)


def read_request(path: Path) -> provisioning_service_pb2.SolveRequest:
    """The request in a file that ``solve --save-problem`` wrote; a bare Problem in JSON is taken too.

    Raises
    ------
    InputError
        If the file cannot be read, is too large or truncated, or holds something else.
    """
    content = _read(path)
    if path.suffix == _BINARY_SUFFIX:
        return _from_binary(path, content, provisioning_service_pb2.SolveRequest())
    document = _json_object(path, content)
    if "workloads" in document and "problem" not in document:
        document = {"problem": document}
    request = _from_document(path, document, provisioning_service_pb2.SolveRequest())
    if not request.HasField("problem"):
        raise InputError.of(str(path), "holds no problem; is this the PROBLEM file?", field="problem")
    return request


def read_decision(path: Path) -> decision_pb2.Decision:
    """The decision in a file that ``solve --save-decision`` or ``-o json`` wrote.

    Raises
    ------
    InputError
        If the file cannot be read, is too large or truncated, or holds something else.
    """
    content = _read(path)
    if path.suffix == _BINARY_SUFFIX:
        decision = _from_binary(path, content, decision_pb2.Decision())
    else:
        decision = _from_document(path, _json_object(path, content), decision_pb2.Decision())
    if decision.status == decision_pb2.SOLUTION_STATUS_UNSPECIFIED:
        raise InputError.of(
            str(path), "is missing or unspecified; is this the DECISION file?", field="status"
        )
    return decision


def to_document(message: Message, *, with_defaults: bool = True) -> dict[str, Any]:
    """A message as mappings, lists and scalars, its own fields in the order of the proto."""
    document: dict[str, Any] = json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=with_defaults,
    )
    # The library appends unset fields after the others.
    return {field.name: document[field.name] for field in message.DESCRIPTOR.fields if field.name in document}


def to_json(message: Message, *, with_defaults: bool = True) -> str:
    """JSON with proto field names; ``with_defaults`` keeps empty lists and zeros.

    Indented, but above `MAX_INDENTED_BYTES` with one element of a top-level list per line:
    Python indents some 7 MB a second, and an answer should not wait for its white space.
    """
    document = to_document(message, with_defaults=with_defaults)
    if message.ByteSize() <= MAX_INDENTED_BYTES:
        return json.dumps(document, indent=2, ensure_ascii=False)
    return "{\n" + ",\n".join(_line_by_line(key, value) for key, value in document.items()) + "\n}"


def _line_by_line(key: str, value: object) -> str:
    name = json.dumps(key)
    if not isinstance(value, list) or not value:
        return f"  {name}: {json.dumps(value, ensure_ascii=False)}"
    elements = ",\n".join(f"    {json.dumps(element, ensure_ascii=False)}" for element in value)
    return f"  {name}: [\n{elements}\n  ]"


def check_writable(path: Path) -> None:
    """Fail now rather than after the solve if ``path`` cannot be written.

    Raises
    ------
    InputError
        If the path is a directory or its folder is missing or read-only.
    """
    if path.is_dir():
        raise InputError.of(str(path), "is a directory, not a file to write")
    if not path.parent.is_dir():
        raise InputError.of(str(path), f"cannot be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise InputError.of(str(path), f"cannot be written: no permission to write in {path.parent}")


def write_message(path: Path, message: Message, *, with_defaults: bool = True) -> None:
    """Write a message so that a reader sees the old file or the whole of the new one.

    Raises
    ------
    InputError
        If the file cannot be written; nothing is left behind.
    """
    if path.suffix == _BINARY_SUFFIX:
        content = message.SerializeToString(deterministic=True)
    else:
        content = (to_json(message, with_defaults=with_defaults) + "\n").encode()
    try:
        _replace(path, content)
    except OSError as error:
        raise InputError.of(str(path), f"cannot be written: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    # The temporary file lies beside its target because a rename is atomic within a file system only.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
        try:
            temporary.write(content)
            temporary.flush()
            os.fsync(temporary.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(temporary.fileno(), 0o666 & ~umask)
            Path(temporary.name).replace(path)
        except BaseException:
            Path(temporary.name).unlink(missing_ok=True)
            raise


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError.of(str(path), "is a directory, not a file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError.of(
                str(path), f"is too large: {size:,} bytes, at most {MAX_FILE_BYTES:,} are read"
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError.of(str(path), f"cannot be read: {error.strerror}") from error
    if not content.strip():
        raise InputError.of(str(path), "is empty")
    return content


def _from_binary(path: Path, content: bytes, message: _M) -> _M:
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise InputError.of(
            str(path), f"is no {message.DESCRIPTOR.name} in binary protobuf, or it is truncated"
        ) from error
    # Almost any bytes parse as some message; fields nobody declared betray another one.
    if len(UnknownFieldSet(message)):
        raise InputError.of(str(path), f"holds fields that {message.DESCRIPTOR.name} does not have")
    return message


def _json_object(path: Path, content: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        document = json.loads(content, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InputError.of(
            str(path), f"is no JSON, or it is truncated: {error.msg}", place=f"line {error.lineno}"
        ) from error
    except RecursionError as error:
        raise InputError.of(str(path), "is nested too deeply") from error
    except ValueError as error:  # also undecodable text and absurdly long numbers
        raise InputError.of(str(path), f"is no JSON: {printable(str(error))}") from error
    if not isinstance(document, dict):
        raise InputError.of(str(path), "must hold a JSON object")
    return document


def _from_document(path: Path, document: dict[str, Any], message: _M) -> _M:
    name = message.DESCRIPTOR.name
    try:
        json_format.ParseDict(document, message)
    except (json_format.ParseError, RecursionError) as error:
        hint = ""
        if name == "SolveRequest" and "node_claims" in document:
            hint = "; this looks like a decision, the problem comes first"
        elif name == "Decision" and ("problem" in document or "workloads" in document):
            hint = "; this looks like a problem, the decision comes second"
        reason = " ".join(printable(str(error).replace("\n", " ")).split())
        raise InputError.of(str(path), f"is no {name}: {reason[:400]}{hint}") from error
    return message
