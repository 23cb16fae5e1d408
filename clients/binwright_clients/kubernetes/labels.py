"""Labels and node selectors: pairs that obey Kubernetes' syntax.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from binwright_clients.kubernetes.schema import Report

_NAME = re.compile(r"^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z", re.ASCII)
_PREFIX = re.compile(r"^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z", re.ASCII)
_LONGEST_PREFIX = 253


def is_label_key(key: str) -> bool:
    """Whether a key obeys the syntax of labels."""
    prefix, slash, name = key.rpartition("/")
    is_prefix_sound = not slash or (len(prefix) <= _LONGEST_PREFIX and bool(_PREFIX.match(prefix)))
    return bool(_NAME.match(name)) and is_prefix_sound


def read_labels(labels: Mapping[str, str] | None, path: str, report: Report) -> dict[str, str]:
    """The pairs whose key and value are well formed; others are reported and left out."""
    read = {}
    for key, value in (labels or {}).items():
        if not is_label_key(key):
            report(f"{path}[{key}]", key, "is no label key such as team or example.com/team")
        elif value and not _NAME.match(value):
            report(
                f"{path}[{key}]",
                value,
                "is no label value: at most 63 letters, digits, '-', '_' or '.', the first and last "
                "a letter or digit",
            )
        else:
            read[key] = value
    return read
