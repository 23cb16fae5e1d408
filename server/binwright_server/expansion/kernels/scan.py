"""Pods of a BestOptionsRequest, told apart on the wire.

A question of 100 options over 10,000 pods carries a million serialized pods, nearly all of them
repetitions. Making an object of each takes most of a second in Python; here each is compared in place,
without the interpreter lock, and only distinct ones are decoded afterwards. Options tell the same pods in
the same order, so that each is compared first with the one that followed its predecessor last time; only
where that is another one it is hashed and looked up.

Wire format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OPTIONS_FIELD = 1
POD_FIELD = 4
POD_BYTES_FIELD = 5

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@njit(cache=True, nogil=True)
def _varint(data, at, end):
    """Value of the varint at ``at`` and where it ends; (0, -1) if there is none."""
    value = np.uint64(0)
    shift = np.uint64(0)
    for k in range(10):
        if at + k >= end:
            return np.uint64(0), -1
        byte = data[at + k]
        value |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + k + 1
        shift += np.uint64(7)
    return np.uint64(0), -1


@njit(cache=True, nogil=True)
def _field(data, at, end):
    """Number, wire type, content and end of the field at ``at``; number 0 if it is malformed."""
    tag, at = _varint(data, at, end)
    number = np.int64(tag >> np.uint64(3))
    wire = np.int64(tag & np.uint64(7))
    if at < 0 or number < 1 or number >= 1 << 29:
        return 0, 0, 0, 0
    if wire == _LENGTH:
        length, start = _varint(data, at, end)
        if start < 0 or length > np.uint64(end - start):
            return 0, 0, 0, 0
        return number, wire, start, start + np.int64(length)
    stop = -1
    if wire == _VARINT:
        stop = _varint(data, at, end)[1]
    elif wire == _FIXED64:
        stop = at + 8
    elif wire == _FIXED32:
        stop = at + 4
    if stop < 0 or stop > end:
        return 0, 0, 0, 0
    return number, wire, at, stop


@njit(cache=True, nogil=True)
def _hash(data, start, stop):
    """64 bits of the bytes, eight at a time; equal bytes have equal hashes.

    Indices are unsigned: numba then leaves out the check for negative ones, which took most of the time.
    """
    value = np.uint64(stop - start)
    at = np.uint64(start)
    last = np.uint64(stop)
    one = np.uint64(1)
    eight = np.uint64(8)
    while at + eight <= last:
        word = np.uint64(data[at])
        word |= np.uint64(data[at + one]) << np.uint64(8)
        word |= np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        word |= np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        word |= np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        word |= np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        word |= np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        word |= np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
        value = (value ^ word) * _MULTIPLIER
        value ^= value >> _SHIFT
        at += eight
    while at < last:
        value = (value ^ np.uint64(data[at])) * _MULTIPLIER
        value ^= value >> _SHIFT
        at += one
    return value


@njit(cache=True, nogil=True)
def _are_equal(data, a, b, length):
    """Whether two stretches are alike.

    Without an early exit: equal ones are by far the most, and this compiles to vector instructions.
    """
    first = data[a : a + length]
    second = data[b : b + length]
    different = np.uint8(0)
    for k in range(length):
        different |= first[k] ^ second[k]
    return different == 0


@njit(cache=True, nogil=True)
def count(data):
    """Options, pods in them, bytes of the options' other fields, and bytes of fields that are no options.

    The first is -1 if the bytes are no message.
    """
    options = 0
    pods = 0
    rest = 0
    others = 0
    at = 0
    while at < len(data):
        number, wire, start, stop = _field(data, at, len(data))
        if number == 0:
            return -1, 0, 0, 0
        if number == OPTIONS_FIELD and wire == _LENGTH:
            options += 1
            inner = start
            while inner < stop:
                inner_number, inner_wire, _, inner_stop = _field(data, inner, stop)
                if inner_number == 0:
                    return -1, 0, 0, 0
                if inner_wire == _LENGTH and inner_number in (POD_FIELD, POD_BYTES_FIELD):
                    pods += 1
                else:
                    rest += inner_stop - inner
                inner = inner_stop
        else:
            others += stop - at
        at = stop
    return options, pods, rest, others


@njit(cache=True, nogil=True)
def tell_apart(data, n_options, n_pods, rest_bytes, other_bytes):
    """Pods of each option, and everything of the message that is no pod.

    Parameters
    ----------
    data
        uint8 array; a message that `count` accepts.
    n_options, n_pods, rest_bytes, other_bytes
        What `count` says.

    Returns
    -------
    offsets
        int64 array (option + 1,): option ``o`` has the pods ``offsets[o]`` to ``offsets[o + 1]``.
    pod
        int64 array (pod,): index among the distinct pods, in order of first appearance.
    field
        uint8 array (pod,): the field it stands in, 4 or 5.
    starts, stops
        int64 arrays (distinct pod,): where it stands first.
    rest
        uint8 array: fields of the options that are no pods, one option after the other.
    rest_offsets
        int64 array (option + 1,): as ``offsets``, in ``rest``.
    others
        uint8 array: fields of the message that are no options.
    """
    offsets = np.zeros(n_options + 1, dtype=np.int64)
    pod = np.zeros(n_pods, dtype=np.int64)
    field = np.zeros(n_pods, dtype=np.uint8)
    starts = np.zeros(n_pods, dtype=np.int64)
    stops = np.zeros(n_pods, dtype=np.int64)
    hashes = np.zeros(n_pods, dtype=np.uint64)
    rest = np.zeros(rest_bytes, dtype=np.uint8)
    rest_offsets = np.zeros(n_options + 1, dtype=np.int64)
    others = np.zeros(other_bytes, dtype=np.uint8)
    slots = 16
    while slots < 2 * n_pods:
        slots *= 2
    table = np.full(slots, -1, dtype=np.int64)
    follower = np.full(n_pods + 1, -1, dtype=np.int64)  # of each distinct pod, and last of none
    before = n_pods
    n_rest = 0
    n_others = 0
    n_distinct = 0
    option = 0
    position = 0
    at = 0
    while at < len(data):
        number, wire, start, stop = _field(data, at, len(data))
        if number != OPTIONS_FIELD or wire != _LENGTH:
            others[n_others : n_others + stop - at] = data[at:stop]
            n_others += stop - at
            at = stop
            continue
        inner = start
        while inner < stop:
            inner_number, inner_wire, begin, end = _field(data, inner, stop)
            if inner_wire == _LENGTH and inner_number in (POD_FIELD, POD_BYTES_FIELD):
                found = follower[before]
                is_found = (
                    found >= 0
                    and stops[found] - starts[found] == end - begin
                    and _are_equal(data, starts[found], begin, end - begin)
                )
                value = np.uint64(0)
                slot = 0
                if not is_found:
                    value = _hash(data, begin, end)
                    slot = np.int64(value & np.uint64(slots - 1))
                while not is_found:
                    found = table[slot]
                    if found < 0:
                        found = n_distinct
                        table[slot] = found
                        starts[found] = begin
                        stops[found] = end
                        hashes[found] = value
                        n_distinct += 1
                        break
                    if (
                        hashes[found] == value
                        and stops[found] - starts[found] == end - begin
                        and _are_equal(data, starts[found], begin, end - begin)
                    ):
                        break
                    slot = (slot + 1) & (slots - 1)
                follower[before] = found
                before = found
                pod[position] = found
                field[position] = inner_number
                position += 1
            else:
                rest[n_rest : n_rest + end - inner] = data[inner:end]
                n_rest += end - inner
            inner = end
        option += 1
        before = n_pods
        offsets[option] = position
        rest_offsets[option] = n_rest
        at = stop
    return (
        offsets,
        pod,
        field,
        starts[:n_distinct].copy(),
        stops[:n_distinct].copy(),
        rest,
        rest_offsets,
        others,
    )
