"""Files that hold one YAML or JSON document, such as a catalogue or a forecast."""

from __future__ import annotations

from typing import Any

from binwright_clients.errors import InputError
from binwright_clients.kubernetes.documents import DocumentError, load_json, load_yaml
from binwright_clients.sources import Format, Source, text_of


def only_document(source: Source) -> Any:
    """The document of a file; empty documents beside it do not count.

    Raises
    ------
    InputError
        If it cannot be parsed, or holds none or several.
    """
    load = load_json if source.format is Format.JSON else load_yaml
    try:
        documents = [document for document in load(text_of(source)) if document is not None]
    except DocumentError as error:
        raise InputError.of(source.name, str(error)) from None
    if len(documents) != 1:
        what = "is empty" if not documents else "holds more than one document"
        raise InputError.of(source.name, what)
    return documents[0]
