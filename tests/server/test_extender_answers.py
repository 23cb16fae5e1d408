"""Answers about nodes by name: whatever the order and spelling of the list, they say the same."""

from __future__ import annotations

import json
import random

import pytest
from binwright.v1 import scheduling_service_pb2 as api
from binwright_clients.extender.answers import filter_result, priorities
from binwright_clients.extender.arguments import ArgumentsReader
from binwright_clients.extender.node_names import NodeNames
from binwright_clients.extender.ratings import UNKNOWN_NODE, Ratings

KNOWN = sorted(f"ip-10-0-{k}.internal" for k in range(120))
NODES = NodeNames(b"v", KNOWN)
COMPACT, SPACED = (",", ":"), (", ", ": ")

_shuffled = random.Random(7).sample(KNOWN, len(KNOWN))


def rated() -> Ratings:
    """Every third node is too small, the next has a taint, and scores differ."""
    message = api.NodeRatings(version=b"1", scores=bytes(k % 101 for k in range(len(KNOWN))))
    message.refused.add(constraint="cpu", message='Insufficient "cpu"', positions=range(0, len(KNOWN), 3))
    message.refused.add(
        constraint="taint", message="tainted", is_unresolvable=True, positions=range(1, len(KNOWN), 3)
    )
    return Ratings.of(message, NODES)


@pytest.mark.parametrize("separators", [COMPACT, SPACED], ids=["as-go-writes-it", "with-spaces"])
@pytest.mark.parametrize(
    ("asked", "is_a_set"),
    [
        (KNOWN, True),
        (_shuffled, True),
        (_shuffled[:70], True),
        ([*_shuffled[:70], "nowhere"], False),
        ([*_shuffled[:70], _shuffled[0]], False),
        ([*_shuffled[:35], "we]ird", 'quo"ted', "nö", *_shuffled[35:70]], False),
    ],
    ids=["all", "shuffled", "some", "unknown", "twice", "odd-spelling"],
)
def test_answers_say_of_each_node_what_its_rating_says(
    asked: list[str], is_a_set: bool, separators: tuple[str, str]
) -> None:
    body = json.dumps({"Pod": {"metadata": {}}, "NodeNames": asked}, separators=separators).encode()
    reader, ratings = ArgumentsReader(), rated()
    position = {name: k for k, name in enumerate(KNOWN)}
    for _ in range(2):  # a list that comes again is remembered
        candidates = reader.read(body).candidates
        assert candidates is not None
        assert (candidates.chosen(NODES) is not None) == is_a_set
        found = json.loads(filter_result(candidates, ratings))
        scored = json.loads(priorities(candidates, ratings))
        ranks = {name: position.get(name, 0) % 3 if name in position else 3 for name in asked}
        assert sorted(found["NodeNames"]) == sorted(name for name in asked if ranks[name] == 2)
        assert found["FailedAndUnresolvableNodes"] == {n: "tainted" for n in asked if ranks[n] == 1}
        told = {0: 'Insufficient "cpu"', 3: UNKNOWN_NODE}
        assert found["FailedNodes"] == {name: told[rank] for name, rank in ranks.items() if rank in told}
        expected = [(name, (position[name] % 101 + 5) // 10 if name in position else 0) for name in asked]
        assert sorted((entry["Host"], entry["Score"]) for entry in scored) == sorted(expected)


def test_lists_of_the_same_nodes_in_another_order_get_the_same_bytes() -> None:
    reader, ratings = ArgumentsReader(), rated()
    answers = set()
    for names in (KNOWN, _shuffled):
        body = json.dumps({"Pod": {}, "NodeNames": names}, separators=COMPACT).encode()
        candidates = reader.read(body).candidates
        assert candidates is not None
        answers.add(
            (candidates.chosen(NODES), filter_result(candidates, ratings), priorities(candidates, ratings))
        )
    assert len(answers) == 1
