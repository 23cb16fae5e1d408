"""Files, folders and standard input to one Problem message."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from binwright.v1 import problem_pb2

from binwright_clients.assembly import Assembly
from binwright_clients.catalogs import read_catalog
from binwright_clients.errors import InputError
from binwright_clients.karpenter.lifetimes import NodeLifetime
from binwright_clients.karpenter.nodeclasses import NodeClassRef
from binwright_clients.kubernetes.reader import ManifestReader
from binwright_clients.origins import Origins
from binwright_clients.pod_names import separate_pod_names
from binwright_clients.sources import STDIN, Format, Source, expand, read_source
from binwright_clients.tables.rows import read_table
from binwright_clients.tables.workloads import add_workload_table

__all__ = ["Inputs", "read_catalog", "read_inputs"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the files say.

    Parameters
    ----------
    problem
        Workloads, NodePools, nodes and DaemonSets; the catalogue is not set.
    notes
        What was skipped, and what was read but is not enforced.
    origins
        Which file and document each part comes from.
    node_classes
        Node class by NodePool name, where the manifest names one.
    node_lifetimes
        How long its nodes live, by NodePool name.
    live_node_pools
        NodePools that were taken from a cluster, rather than written for this question.
    """

    problem: problem_pb2.Problem
    notes: tuple[str, ...]
    origins: Origins
    node_classes: Mapping[str, NodeClassRef]
    node_lifetimes: Mapping[str, NodeLifetime]
    live_node_pools: frozenset[str] = frozenset()

    def locate(self, field_path: str) -> str:
        """The place in the files that a field path such as ``workloads[3].replicas`` means."""
        return self.origins.locate(field_path)


def read_inputs(
    paths: Sequence[str],
    *,
    nodepools: Sequence[str] = (),
    snapshot: Source | None = None,
    without_node_pools: Container[str] = (),
) -> Inputs:
    """Everything that manifests and tables ask for.

    Parameters
    ----------
    paths
        Files, folders (read recursively) and ``-`` for standard input: Kubernetes manifests
        in YAML or JSON, workload tables in CSV or Parquet.
    nodepools
        Manifests of which only the NodePools are taken; each path must hold one at least.
    snapshot
        Manifests of a live cluster, read as if they were another file.
    without_node_pools
        Names of NodePools that are passed over.

    Raises
    ------
    InputError
        If anything in them is wrong, or there is nothing to place; it lists every mistake
        that was found.
    """
    assembly = Assembly()
    manifests = ManifestReader(assembly, without_node_pools)
    files: dict[str, str] = {}
    if snapshot is not None:
        manifests.read(snapshot)
    for source in _sources(paths, files, assembly):
        if source.format in (Format.CSV, Format.PARQUET):
            try:
                add_workload_table(read_table(source, assembly.problems), assembly)
            except InputError as error:
                assembly.problems.extend(error)
        else:
            manifests.read(source)
    for path in nodepools:
        _read_node_pools(path, manifests, files, assembly)
    manifests.finish()
    assembly.problems.raise_if_any()
    if not assembly.problem.workloads:
        skipped = "".join(f"\n{line}" for line in assembly.notes.lines())
        where = ", ".join([*([snapshot.name] if snapshot is not None else []), *paths])
        raise InputError.of(where, f"there are no pods to place{skipped}")
    separate_pod_names(assembly.problem)
    return Inputs(
        assembly.problem,
        assembly.notes.lines(),
        assembly.origins,
        assembly.node_classes,
        assembly.node_lifetimes,
        manifests.live_node_pools(),
    )


def _read_node_pools(path: str, manifests: ManifestReader, files: dict[str, str], assembly: Assembly) -> None:
    """Take the NodePools of a file or folder; that there is none is a mistake."""
    before = len(assembly.problems)
    for source in _sources((path,), files, assembly, skip_known=True):
        if source.format in (Format.CSV, Format.PARQUET):
            assembly.problems.add(source.name, f"is a table; {_NODE_POOLS_COME_FROM}")
        else:
            manifests.read(source, only_node_pools=True)
    if len(assembly.problems) > before:
        return
    # Files that were read among the other inputs count under the name they had there.
    if not any(manifests.has_node_pool(files[_real(name)]) for name in expand(path)):
        assembly.problems.add(path, f"holds no NodePool; {_NODE_POOLS_COME_FROM}")


_NODE_POOLS_COME_FROM = "NodePools are read from YAML or JSON manifests of kind NodePool"


def _real(name: str) -> str:
    """What tells files apart, whatever they are called."""
    return name if name == STDIN else os.path.realpath(name)


def _sources(
    paths: Sequence[str], files: dict[str, str], assembly: Assembly, *, skip_known: bool = False
) -> Iterator[Source]:
    """Files of all paths, one at a time; those that cannot be read become problems.

    Parameters
    ----------
    files
        Names under which files were first read, by their real path; grows.
    skip_known
        Pass over files that were read before instead of reporting them.
    """
    for path in paths:
        try:
            names = tuple(expand(path))
        except InputError as error:
            assembly.problems.extend(error)
            continue
        for name in names:
            real = _real(name)
            if real in files:
                if not skip_known:
                    assembly.problems.add(name, "the file is given twice")
                continue
            files[real] = name
            try:
                yield read_source(name)
            except InputError as error:
                assembly.problems.extend(error)
