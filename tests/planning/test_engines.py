"""Engines, checkpoints and their tasks: the same plan, whoever makes it and however often it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest
from binwright_benchmarks.large_plan import large_forecast
from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.errors import PlanningError, UnservedError
from binwright_optimizer.model import CapacityType, Certificate, Split
from binwright_optimizer.model.mixes import NodePattern, PackedMix
from binwright_optimizer.planning.checkpoint import Checkpoint
from binwright_optimizer.planning.digest import digest
from binwright_optimizer.planning.engine import Check, EngineError, LocalEngine
from binwright_optimizer.planning.family import together
from binwright_optimizer.planning.lessons import pivots
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.records import mixes_from_record, mixes_to_record
from binwright_optimizer.planning.tasks import Task
from hypothesis import given
from hypothesis import strategies as st
from planning_parts import small_forecast, two_types

FORECAST = small_forecast()
PARAMS = PlanParams(600.0)


class Backwards:
    """An engine that does tasks in this process, the last one first."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def run(self, tasks: Sequence[Task], check: Check) -> Iterator[tuple[int, dict[str, Any]]]:
        for at in reversed(range(len(tasks))):
            check()
            self.keys.append(tasks[at].key)
            yield at, json.loads(json.dumps(tasks[at].run()))

    def close(self) -> None:
        pass


def planned(**options: Any) -> Plan:
    return make_plan(FORECAST, PARAMS, catalogs=two_types(), **options)


def as_text(plan: Plan) -> str:
    return json.dumps(plan_document(plan), sort_keys=True)


# --- content digests --------------------------------------------------------------------------------


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.fractions() | st.dates(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_digests_are_equal_exactly_where_values_and_their_types_are(one: object, other: object) -> None:
    is_same = repr(_ordered(one)) == repr(_ordered(other))
    assert (digest(one) == digest(other)) == is_same


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return tuple(map(_ordered, value)) if isinstance(value, tuple) else value


def test_digest_of_a_catalogue_changes_with_one_price() -> None:
    catalog = two_types()["r"]
    kind = catalog.instance_types[0]
    dearer = tuple(replace(o, price_microusd_per_hour=o.price_microusd_per_hour + 1) for o in kind.offerings)
    other = replace(catalog, instance_types=(replace(kind, offerings=dearer), *catalog.instance_types[1:]))
    assert digest(catalog) == digest(two_types()["r"])
    assert digest(catalog) != digest(other)


def test_what_has_no_canonical_spelling_has_no_digest() -> None:
    with pytest.raises(TypeError, match="object has no canonical spelling"):
        digest((1, object()))
    assert digest(date(2027, 1, 1)) != digest("2027-01-01")


# --- families and pivots ----------------------------------------------------------------------------


def test_questions_that_share_a_workload_are_one_family() -> None:
    assert together([{0: 5, 1: 1}, {3: 2}, {2: 1, 1: 7}, {3: 9}]) == [[0, 2], [1, 3]]


def test_pivots_are_the_largest_demand_and_the_one_least_like_it() -> None:
    """30 of a kind: 10 : 1 in sizes 1 to 29, and one of 1 : 10."""
    demands = [(10 * size, size) for size in range(1, 30)] + [(1, 10)]
    assert pivots(demands) == [28, 29]


# --- records ----------------------------------------------------------------------------------------


def test_mixes_read_back_as_they_were_written() -> None:
    leaf = Certificate(20, (5, 7), level_prices=((100, -3),))
    split = Certificate(20, (), split=Split(100, 2, leaf, replace(leaf, pod_prices=(6, 6))))
    node = NodePattern("steady", "m5.large", "r", "ra", CapacityType.ON_DEMAND, 96_000, ((0, 3), (1, 1)))
    mixes = [
        PackedMix(((node, 4),), 384_000, 380_000, leaf),
        PackedMix(((node, 1), (replace(node, pods=((1, 2),)), 2)), 288_000, 1, split),
    ]
    assert mixes_from_record(json.loads(json.dumps(mixes_to_record(mixes)))) == mixes


def test_a_record_that_names_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="not there"):
        mixes_from_record({"patterns": [], "certificates": [], "mixes": [["0:1", 1, 1, 0]]})


# --- the same plan ----------------------------------------------------------------------------------


def test_order_of_the_tasks_and_a_passage_through_text_change_nothing() -> None:
    assert as_text(planned(engine=Backwards())) == as_text(planned())


def test_a_plan_resumed_from_its_checkpoint_solves_nothing_again(tmp_path: Path) -> None:
    first, second = Backwards(), Backwards()
    whole = planned(engine=first, checkpoint=Checkpoint(tmp_path))
    again = planned(engine=second, checkpoint=Checkpoint(tmp_path))
    assert first.keys
    assert not second.keys
    assert as_text(again) == as_text(whole)


def test_a_checkpoint_of_another_forecast_is_of_no_use(tmp_path: Path) -> None:
    planned(engine=Backwards(), checkpoint=Checkpoint(tmp_path))
    other, engine = small_forecast(most=31), Backwards()
    make_plan(other, PARAMS, catalogs=two_types(), engine=engine, checkpoint=Checkpoint(tmp_path))
    assert engine.keys


def test_damaged_and_exchanged_results_are_found_out_and_done_again(tmp_path: Path) -> None:
    engine = Backwards()
    whole = planned(engine=engine, checkpoint=Checkpoint(tmp_path))
    files = sorted(tmp_path.glob("*.task.json"))
    assert len(files) == len(set(engine.keys)) >= 2
    content = [file.read_bytes() for file in files]
    files[0].write_bytes(content[1])  # another task's result, whole in itself
    files[1].write_bytes(content[1][:-9])  # cut short
    again = Backwards()
    assert as_text(planned(engine=again, checkpoint=Checkpoint(tmp_path))) == as_text(whole)
    assert sorted(again.keys) == sorted(file.name.removesuffix(".task.json") for file in files[:2])
    assert [file.read_bytes() for file in files] == content


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_solved(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanningError, match=r"checkpoint .*file"):
        Checkpoint(tmp_path / "file")


def test_a_plan_that_is_given_up_says_how_far_it_came_and_gives_nothing() -> None:
    left = iter(range(2))

    def check() -> None:
        if next(left, None) is None:
            raise PlanningError("time is up")

    with pytest.raises(PlanningError, match=r"time is up: \d+ of \d+ problems are solved"):
        planned(check=check)


def test_progress_ends_with_all_problems_solved() -> None:
    steps: list[tuple[int, int]] = []
    planned(on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] > 1
    assert steps == sorted(steps)


def test_pods_that_fit_nothing_are_an_error_with_reasons_on_every_engine() -> None:
    asked = small_forecast(cpus=(900, 64_000))
    with pytest.raises(UnservedError, match=r"the largest sold in r, c16, has .* pods of w1 are wanted in r"):
        make_plan(asked, PARAMS, catalogs=two_types(), engine=Backwards())


# --- processes --------------------------------------------------------------------------------------


ALL = {"name": "all", "years": 1, "upfront": "none", "discount": 0.27}
SCOPED = {"name": "c6", "years": 1, "upfront": "none", "discount": 0.45, "instanceTypes": ["c6a.xlarge"]}


class Sleeper:
    """A task that takes a while, for workers to be killed in."""

    problems = 1

    def __init__(self, number: int, seconds: float, folder: Path) -> None:
        self.key = str(number)
        self.seconds = seconds
        self.folder = folder

    def run(self) -> dict[str, Any]:
        with (self.folder / f"{self.key}.pid").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return {"number": int(self.key)}


@pytest.mark.slow
def test_tasks_of_a_killed_worker_are_done_by_another(tmp_path: Path) -> None:
    def nothing() -> None:
        pass

    with LocalEngine(2) as engine:
        tasks = [Sleeper(number, 0.3, tmp_path) for number in range(12)]
        killed = False
        found = {}
        for at, result in engine.run(tasks, nothing):
            found[at] = result["number"]
            if not killed:
                killed = True
                os.kill(_children()[0].pid, signal.SIGKILL)
    assert found == {number: number for number in range(12)}
    assert not _children()


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_an_error(tmp_path: Path) -> None:
    with LocalEngine(2) as engine, pytest.raises(EngineError, match="over the same task"):
        for _ in engine.run([Suicide(0, 0.0, tmp_path), Suicide(1, 0.0, tmp_path)], lambda: None):
            pass


class Suicide(Sleeper):
    """A task that ends the process that does it."""

    def run(self) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


@pytest.mark.slow
def test_local_processes_and_dask_give_the_plan_of_one_process() -> None:
    pytest.importorskip("distributed")
    from binwright_optimizer.planning.engine.dask import DaskEngine

    alone = as_text(planned())
    with LocalEngine(2) as local:
        assert as_text(planned(engine=local)) == alone
    with DaskEngine(None, 2) as cluster:
        assert as_text(planned(engine=cluster)) == alone


@pytest.mark.slow
def test_dask_repeats_tasks_of_killed_workers(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    from binwright_optimizer.planning.engine.dask import DaskEngine

    with DaskEngine(None, 2) as engine:
        tasks = [Sleeper(number, 0.5, tmp_path) for number in range(10)]
        with ThreadPoolExecutor(1) as beside:
            killing = beside.submit(_kill_first, tmp_path)
            found = {at: result["number"] for at, result in engine.run(tasks, lambda: None)}
            killing.result()
    assert found == {number: number for number in range(10)}


@pytest.mark.slow
@pytest.mark.parametrize("offers", [None, [ALL, SCOPED]], ids=["usual offers", "an offer for one type"])
def test_a_plan_goes_on_after_its_driver_and_a_worker_are_killed(
    tmp_path: Path, offers: list[dict[str, Any]] | None
) -> None:
    """Killed once two results are kept, begun again, a worker killed: the answer is the undisturbed one.

    Where an offer pays for some nodes only, rounds at its prices follow, which must be the same rounds.
    """
    forecast = tmp_path / "forecast.json"
    document = large_forecast(2, 1, 8, 6)
    if offers is not None:
        document["commitments"] = {"offers": offers}
    forecast.write_text(json.dumps(document), encoding="utf-8")
    kept, log = tmp_path / "kept", tmp_path / "log"
    command = [
        sys.executable, "-m", "binwright_clients.cli.main", "plan", "forecast", str(forecast),
        "-q", "-o", "json", "--workers", "2", "--deadline", "600s", "--checkpoint",
    ]  # fmt: skip
    with log.open("wb") as errors:
        driver = subprocess.Popen([*command, str(kept)], stdout=subprocess.DEVNULL, stderr=errors)
        while len(list(kept.glob("*.task.json"))) < 2:
            assert driver.poll() is None, log.read_text()
            time.sleep(0.05)
        workers = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
        driver.wait()
        psutil.wait_procs(workers, timeout=60)
        assert not [worker for worker in workers if worker.is_running()], "workers outlive their driver"
        first = len(list(kept.glob("*.task.json")))
        again = subprocess.Popen([*command, str(kept)], stdout=subprocess.PIPE, stderr=errors)
        while len(list(kept.glob("*.task.json"))) <= first:
            assert again.poll() is None, log.read_text()
            time.sleep(0.05)
        _children(again.pid)[0].kill()
        resumed, _ = again.communicate()
    assert again.returncode == 0, log.read_text()
    undisturbed = subprocess.run([*command, str(tmp_path / "new")], capture_output=True, check=True)
    assert json.loads(resumed) == json.loads(undisturbed.stdout)
    if offers is not None:
        assert any(family["ppm"] for family in json.loads(resumed)["certificate"]["families"])


def test_a_scheduler_that_is_not_there_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from binwright_optimizer.planning.engine import dask

    monkeypatch.setattr(dask, "CONNECT_S", 0.5)
    with pytest.raises(EngineError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        dask.DaskEngine("tcp://127.0.0.1:9")


def test_an_address_without_a_port_is_refused_before_a_client_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed")
    from binwright_optimizer.planning.engine import dask

    made: list[object] = []
    monkeypatch.setattr(distributed, "Client", lambda *given, **_: made.append(given))
    with pytest.raises(EngineError, match="no Dask scheduler at foo: missing port number in address 'foo'"):
        dask.DaskEngine("foo")
    assert made == []


def _children(driver: int | None = None) -> list[psutil.Process]:
    """Worker processes of a driver, by default this one."""
    return [
        child
        for child in psutil.Process(driver).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


def _kill_first(folder: Path) -> None:
    """Kill the process that began a task first, as soon as one has said so in full.

    A file is there a moment before its line is in it.
    """
    while not (
        told := [text for file in sorted(folder.glob("*.pid")) if (text := file.read_text()).endswith("\n")]
    ):
        time.sleep(0.05)
    os.kill(int(told[0].split()[0]), signal.SIGKILL)
