"""Tables of workloads: one row is one workload, such as a line of a cluster trace.

Columns: ``name``; ``replicas`` (1), ``namespace`` (default); requests ``cpu_milli``,
``memory_mib`` (decimals round up to milli-CPU and bytes), ``gpu_count`` (whole
``nvidia.com/gpu``) and ``resource:<name>``; ``gpu_milli`` (thousandths of each GPU, or whole GPUs in
thousands) and ``gpu_memory_mib`` (of each GPU); placement ``gpu_models``, ``arch``, ``zone``,
``capacity_type`` (alternatives between ``|`` or ``;``), ``node_selector``
(``key=value|key=value``), ``tolerations`` (``key=value:Effect|key:Effect|*``); ``priority``; on the row's
own pods, which ``labels`` (``key=value|key=value``) tell from others, ``topology_spread``
(``key:maxSkew|key:maxSkew:ScheduleAnyway``), ``anti_affinity`` (``key|key``) and ``max_per_node``;
``gang`` (a name), ``gang_min_members`` and ``gang_topology`` (``key|key``); ``min_on_demand`` and
``max_per_spot_pool`` (``3`` or ``30%``) and ``restart_cost_usd``.
An empty cell of an optional column means that nothing is said.

The columns of the Alibaba GPU traces are read as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeVar

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import labels
from binwright_optimizer.model.gpus import canonical_gpu_models
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.quantity import format_quantity, parse_price, parse_quantity
from binwright_optimizer.model.requirements import Operator, Requirement, contradiction
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU
from binwright_optimizer.model.taints import TaintEffect

from binwright_clients.assembly import Assembly
from binwright_clients.errors import InputError
from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.selectors import selector_message
from binwright_clients.origins import Origin
from binwright_clients.tables import cells
from binwright_clients.tables.columns import RESOURCE_PREFIX, Columns, find_columns
from binwright_clients.tables.members import WORKLOAD_COLUMNS, WorkloadCells
from binwright_clients.tables.rows import Table
from binwright_clients.tables.rules import (
    RULE_COLUMNS,
    add_anti_affinity,
    add_spread,
    parse_anti_affinity,
    parse_max_per_node,
    parse_spread,
)

_T = TypeVar("_T")
_D = TypeVar("_D")

_REQUESTS = frozenset({"cpu_milli", "memory_mib", "gpu_count"})
_PLACEMENT = frozenset({"gpu_models", "arch", "zone", "capacity_type", "node_selector", "tolerations"})
_SHAPE = _REQUESTS | _PLACEMENT | RULE_COLUMNS | {"priority", "gpu_milli", "gpu_memory_mib"}
_KNOWN = _SHAPE | WORKLOAD_COLUMNS | {"name", "replicas", "namespace"}
_ALIASES = {"num_gpu": "gpu_count", "gpu_spec": "gpu_models"}
_UNUSED = frozenset({"qos", "pod_phase", "creation_time", "deletion_time", "scheduled_time"})

_WHOLE_GPU_MILLI = 1000


class _BadCellsError(Exception):
    """Cells of one row that are wrong, as triples (column, value, description)."""

    def __init__(self, bad: list[tuple[str, str, str]]) -> None:
        self.bad = bad


def add_workload_table(table: Table, assembly: Assembly) -> None:
    """Add every row of a table as a workload; wrong rows go to the assembly's problems.

    Raises
    ------
    InputError
        If columns are missing or unknown, or there is no row.
    """
    columns = find_columns(table, _KNOWN, _ALIASES, _UNUSED)
    _check_columns(table, columns)
    shapes = _Shapes(table, columns)
    problems = assembly.problems
    name_of = itemgetter(columns.index["name"])
    replicas_at = columns.index.get("replicas")
    namespace_at = columns.index.get("namespace")
    beside = WorkloadCells(columns, assembly) if WORKLOAD_COLUMNS & columns.index.keys() else None
    for line, row in table.rows:
        name = name_of(row).strip()
        origin = Origin(table.file, 0, 0, line, name)
        bad: list[tuple[str, str, str]] = []
        if not name:
            bad.append(("name", "", "must not be empty"))
        replicas = 1
        if replicas_at is not None and row[replicas_at]:
            try:
                replicas = cells.parse_count(row[replicas_at].strip(), cells.MAX_REPLICAS)
            except ValueError as error:
                bad.append(("replicas", row[replicas_at], str(error)))
        try:
            template = shapes.template(row)
        except _BadCellsError as error:
            bad.extend(error.bad)
        if bad:
            for column, value, description in bad:
                problems.add(table.file, description, place=origin.place, field=column, value=value)
            continue
        namespace = "" if namespace_at is None else row[namespace_at].strip()
        if not assembly.claim_name("Pod", namespace or "default", name, origin):
            continue
        workload = assembly.add_workload(origin)
        workload.name = name
        workload.replicas = replicas
        if namespace:
            workload.namespace = namespace
        workload.template.CopyFrom(template)
        if beside is not None:
            beside.add(row, origin, workload)
    if beside is not None:
        beside.finish()


def _check_columns(table: Table, columns: Columns) -> None:
    missing = [] if "name" in columns.index else ["name"]
    if not columns.resources:
        missing.extend(sorted({"cpu_milli", "memory_mib"} - columns.index.keys()))
    if missing:
        without = (
            "" if columns.resources else f" (a table of {RESOURCE_PREFIX}<name> columns needs only name)"
        )
        raise InputError.of(
            table.file, f"the header lacks the column {', '.join(missing)}{without}", place=table.header_place
        )
    if not table.rows and not table.left_out:
        raise InputError.of(table.file, "the table has no rows")


class _Shapes:
    """Pod templates by the cells they come from; rows of one shape share the work."""

    def __init__(self, table: Table, columns: Columns) -> None:
        self._columns = columns
        self._file = table.file
        positions = [at for name, at in columns.index.items() if name in _SHAPE]
        positions.extend(at for _, at in columns.resources)
        self._key: Callable[[Sequence[str]], object] = itemgetter(*positions) if positions else lambda _: ()
        self._templates: dict[object, problem_pb2.PodTemplate] = {}

    def template(self, row: Sequence[str]) -> problem_pb2.PodTemplate:
        """The template of a row; raises _BadCellsError."""
        key = self._key(row)
        known = self._templates.get(key)
        if known is None:
            known = self._templates[key] = _Shape(self._columns, row).build()
        return known


class _Shape:
    """One distinct combination of cells while it becomes a template."""

    def __init__(self, columns: Columns, row: Sequence[str]) -> None:
        self._columns = columns
        self._row = row
        self._bad: list[tuple[str, str, str]] = []

    def build(self) -> problem_pb2.PodTemplate:
        """The template; raises _BadCellsError."""
        template = problem_pb2.PodTemplate()
        self._add_requests(template)
        self._add_placement(template)
        self._add_rules(template)
        template.priority = self._parse("priority", cells.parse_integer, 0)
        for toleration in self._parse("tolerations", parse_tolerations, ()):
            template.tolerations.append(toleration)
        if self._bad:
            raise _BadCellsError(self._bad)
        return template

    def _cell(self, column: str) -> str:
        at = self._columns.index.get(column)
        return "" if at is None else self._row[at].strip()

    def _fail(self, column: str, value: str, description: str) -> None:
        self._bad.append((self._columns.written.get(column, column), value, description))

    def _parse(self, column: str, parse: Callable[[str], _T], default: _D, required: bool = False) -> _T | _D:
        text = self._cell(column)
        if not text:
            if required and column in self._columns.index:
                self._fail(column, "", "must not be empty; write 0 for no request")
            return default
        try:
            return parse(text)
        except WrongFieldError as error:
            self._fail(column, text, error.description)
        except ValueError as error:
            self._fail(column, text, str(error))
        return default

    def _add_requests(self, template: problem_pb2.PodTemplate) -> None:
        gpus, milli = self._gpus()
        amounts = {
            CPU: self._parse("cpu_milli", cells.parse_amount, 0, required=True),
            MEMORY: self._parse(
                "memory_mib", lambda text: cells.parse_amount(text, cells.MIB), 0, required=True
            ),
            NVIDIA_GPU: gpus,
        }
        for resource, at in self._columns.resources:
            if text := self._row[at].strip():
                try:
                    amounts[resource] = parse_quantity(text, resource)
                except ValueError as error:
                    self._fail(RESOURCE_PREFIX + resource, text, str(error))
        container = template.containers.add()
        for resource, amount in amounts.items():
            if amount:
                container.requests[resource] = format_quantity(amount, resource)
        gpus = amounts[NVIDIA_GPU]
        memory = self._parse("gpu_memory_mib", lambda text: cells.parse_amount(text, cells.MIB), 0)
        for column, is_asked in (("gpu_models", self._cell("gpu_models")), ("gpu_memory_mib", memory)):
            if is_asked and not gpus:
                what = "names GPU models" if column == "gpu_models" else "asks for GPU memory"
                self._fail(column, self._cell(column), f"{what} where gpu_count is 0")
        if gpus and (milli < _WHOLE_GPU_MILLI or memory):
            template.gpu_share.milli = milli if milli < _WHOLE_GPU_MILLI else 0
            template.gpu_share.memory_bytes = memory

    def _gpus(self) -> tuple[int, int]:
        """GPUs requested, and thousandths needed of each.

        ``gpu_milli`` is what is needed of each GPU, or a whole multiple of 1,000 for all of them; without
        ``gpu_count`` it says how many there are.
        """
        count = self._parse("gpu_count", cells.parse_count, None)
        milli = self._parse("gpu_milli", cells.parse_count, None)
        if not milli:
            return count or 0, _WHOLE_GPU_MILLI
        if count == 0:
            self._fail("gpu_milli", self._cell("gpu_milli"), "asks for a share of a GPU where gpu_count is 0")
        if milli <= _WHOLE_GPU_MILLI:
            return 1 if count is None else count, milli
        whole, rest = divmod(milli, _WHOLE_GPU_MILLI)
        if rest:
            self._fail("gpu_milli", self._cell("gpu_milli"), "must be at most 1000, or a multiple of 1000")
        elif count and whole != count:
            self._fail("gpu_milli", self._cell("gpu_milli"), f"contradicts gpu_count, {count}")
        return whole, _WHOLE_GPU_MILLI

    def _add_rules(self, template: problem_pb2.PodTemplate) -> None:
        labels = dict(self._parse("labels", parse_labels, ()))
        for key, value in labels.items():
            template.labels[key] = value
        add_spread(self._parse("topology_spread", lambda text: parse_spread(text, labels), ()), template)
        terms = self._parse("anti_affinity", lambda text: parse_anti_affinity(text, labels), ())
        add_anti_affinity(terms, template)
        cap = self._parse("max_per_node", lambda text: parse_max_per_node(text, labels), None)
        if cap is not None:
            template.node_caps.add(label_selector=selector_message(cap.selector), max_pods=cap.max_pods)
        template.restart_cost_microusd = self._parse("restart_cost_usd", parse_price, 0)

    def _add_placement(self, template: problem_pb2.PodTemplate) -> None:
        requirements = [
            Requirement(key, Operator.IN, (value,))
            for key, value in self._parse("node_selector", parse_node_selector, ())
        ]
        by_column = (
            ("gpu_models", labels.GPU_MODEL, _parse_gpu_models),
            ("arch", labels.ARCH, cells.parse_choices),
            ("zone", labels.ZONE, cells.parse_choices),
            ("capacity_type", labels.CAPACITY_TYPE, parse_capacity_types),
        )
        for column, key, parse in by_column:
            if values := self._parse(column, parse, ()):
                requirement = Requirement(key, Operator.IN, values)
                if contradiction((*requirements, requirement)):
                    self._fail(column, self._cell(column), "contradicts the row's node_selector")
                requirements.append(requirement)
        for requirement in requirements:
            if len(requirement.values) == 1:
                template.node_selector[requirement.key] = requirement.values[0]
            else:
                _required_term(template).match_expressions.add(
                    key=requirement.key, operator=str(requirement.operator), values=requirement.values
                )


def _required_term(template: problem_pb2.PodTemplate) -> problem_pb2.NodeSelectorTerm:
    """The one term that holds the alternatives of a row."""
    required = template.node_affinity.required
    return required[0] if required else required.add()


def _parse_gpu_models(text: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(model for name in cells.parse_choices(text) for model in canonical_gpu_models(name))
    )


def parse_capacity_types(text: str) -> tuple[str, ...]:
    """Capacity types of a cell."""
    values = cells.parse_choices(text)
    known = [str(capacity_type) for capacity_type in CapacityType]
    for value in values:
        if value not in known:
            raise ValueError(f"{value!r} is no capacity type; known are {', '.join(known)}")
    return values


def parse_node_selector(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs (label, value) of ``key=value|key=value``.

    Examples
    --------
    >>> parse_node_selector("workload=gpu | team=ml")
    (('workload', 'gpu'), ('team', 'ml'))
    """
    pairs: dict[str, str] = {}
    for entry in text.split("|"):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not key or not equals:
            raise ValueError("must look like key=value|key=value")
        if pairs.setdefault(key, value) != value:
            raise ValueError(f"gives {key} two values")
    return tuple(pairs.items())


def parse_labels(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs of ``key=value|key=value`` that obey the syntax of labels."""
    pairs = parse_node_selector(text)
    wrong: list[str] = []
    read_labels(dict(pairs), "", lambda _, value, description: wrong.append(f"{value!r} {description}"))
    if wrong:
        raise ValueError(wrong[0])
    return pairs


def parse_tolerations(text: str) -> list[problem_pb2.Toleration]:
    """Tolerations of ``key=value:Effect|key:Effect|key|*``.

    Without a value any value is tolerated, without an effect any effect; ``*`` tolerates
    every taint.

    Examples
    --------
    >>> [t.operator for t in parse_tolerations("workload=gpu:NoSchedule|spot:NoSchedule")]
    ['Equal', 'Exists']
    """
    tolerations = []
    effects = [str(effect) for effect in TaintEffect]
    for entry in (part.strip() for part in text.split("|")):
        if entry == "*":
            tolerations.append(problem_pb2.Toleration(operator="Exists"))
            continue
        left, colon, effect = entry.partition(":")
        key, equals, value = (part.strip() for part in left.partition("="))
        if not key or (colon and effect not in effects):
            raise ValueError(
                f"must look like key=value:Effect|key:Effect|* with an effect of {', '.join(effects)}"
            )
        operator = "Equal" if equals else "Exists"
        tolerations.append(problem_pb2.Toleration(key=key, operator=operator, value=value, effect=effect))
    return tolerations
