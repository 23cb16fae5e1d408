"""Capacity plans to messages, and how to make them from messages."""

from __future__ import annotations

import datetime
import json
from fractions import Fraction
from typing import TYPE_CHECKING

from binwright.v1 import planning_service_pb2
from binwright_optimizer.model.forecast import PPM

from binwright_server.convert.catalogs import price_source_to_message
from binwright_server.convert.search import MAX_SEED
from binwright_server.convert.violations import Violations
from binwright_server.limits import RequestLimits

if TYPE_CHECKING:  # the planner loads the compiled kernels, which reading needs not
    from binwright_optimizer.planning.accounts import Account
    from binwright_optimizer.planning.plan import BlockMix, Plan, Purchase
    from binwright_optimizer.planning.planner import PlanParams

DEADLINE_S = 50.0
TAIL_PPM = 950_000
"""Meant where the message is silent."""
_NANOS = 10**9


def plan_params_from_message(message: planning_service_pb2.PlanParams, limits: RequestLimits) -> PlanParams:
    """How to plan.

    Raises
    ------
    InvalidProblemError
        With every wrong field.
    """
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.commit import Risk
    from binwright_optimizer.planning.planner import PlanParams

    out = Violations()
    seconds = DEADLINE_S
    if message.HasField("deadline"):
        seconds = message.deadline.seconds + message.deadline.nanos / _NANOS
        if not 0 < seconds <= limits.max_deadline_s:
            wanted = f"must be above 0 s and at most {limits.max_deadline_s:g} s"
            out.add("params.deadline", f"{seconds:g}s", wanted)
    tail = message.tail_ppm if message.HasField("tail_ppm") else TAIL_PPM
    if not 0 <= message.risk_aversion_ppm <= PPM:
        out.add("params.risk_aversion_ppm", message.risk_aversion_ppm, f"must be in 0..{PPM}")
    if not 0 <= tail < PPM:
        out.add("params.tail_ppm", tail, f"must be at least 0 and below {PPM}")
    if not 0 <= message.seed <= MAX_SEED:
        out.add("params.seed", message.seed, f"must be in 0..{MAX_SEED}")
    out.check()
    risk = Risk(Fraction(message.risk_aversion_ppm, PPM), Fraction(tail, PPM))
    return PlanParams(seconds, risk, message.seed, message.charge_whole_term)


def plan_to_message(found: Plan) -> planning_service_pb2.CapacityPlan:
    """The plan."""
    from binwright_optimizer.planning.certificate import certificate_document

    certificate = certificate_document(found)
    return planning_service_pb2.CapacityPlan(
        total_microusd=found.total,
        lower_bound_microusd=found.bound,
        gap=found.gap,
        warnings=found.warnings(datetime.datetime.now(datetime.UTC).date()),
        expected_microusd=found.expected,
        without_commitments_microusd=found.without_commitments,
        sizing_rule_microusd=found.sizing_rule,
        scenarios=[
            planning_service_pb2.PlanScenario(name=s.name, permille=s.permille, cost_microusd=cost)
            for s, cost in zip(found.scenarios, found.by_scenario, strict=True)
        ],
        periods=[
            _period(period.name, account)
            for period, account in zip(found.forecast.periods, found.accounts, strict=True)
        ],
        commitments=[_commitment(bought) for bought in found.commitments],
        mixes=[_mix(found, mix) for mix in found.mixes],
        price_sources=[price_source_to_message(source) for source in found.price_sources],
        sizing_rule_note=found.sizing_note,
        churn_microusd=found.churn,
        splits=[
            planning_service_pb2.PlannedSplit(
                workload=found.forecast.workloads[item.workload].name,
                wanted_in=item.home,
                region=found.sites[site].region,
                zone=found.sites[site].zone,
                period=found.forecast.periods[period].name,
                scenario=found.scenarios[scenario].name,
                block=block,
                pods_held=pods,
                pods_running=cell.split.running.get((i, site), 0),
            )
            for ((period, scenario, block), _), cell in sorted(found.spread.items())
            for (i, site), pods in sorted(cell.split.pods.items())
            for item in (cell.split.proof.question.items[i],)
        ],
        certificate_json="" if certificate is None else json.dumps(certificate, separators=(",", ":")),
    )


def _period(name: str, account: Account) -> planning_service_pb2.PlannedPeriod:
    return planning_service_pb2.PlannedPeriod(
        name=name,
        committed_microusd=account.committed,
        on_demand_microusd=account.on_demand,
        other_microusd=account.other,
        uses=[
            planning_service_pb2.PlannedUse(name=c.name, worth_microusd=c.worth, used_microusd=c.used)
            for c in account.coverage
        ],
    )


def _commitment(bought: Purchase) -> planning_service_pb2.PlannedCommitment:
    return planning_service_pb2.PlannedCommitment(
        offer=bought.offer.name,
        start=bought.start.isoformat(),
        end=bought.end.isoformat(),
        nodes=bought.nodes,
        microusd_per_hour=bought.microusd_per_hour,
        counted_microusd=bought.cost_microusd,
        obligation_microusd=bought.obligation_microusd,
        upfront_microusd=bought.upfront_microusd,
        is_estimate=bought.offer.is_estimate,
    )


def _mix(found: Plan, mix: BlockMix) -> planning_service_pb2.PlannedMix:
    from binwright_optimizer.planning.certificate import is_proven

    bound = mix.on_demand.bound_microusd_per_hour if is_proven(mix.on_demand) else None
    return planning_service_pb2.PlannedMix(
        region=mix.region,
        zone=mix.zone,
        period=found.forecast.periods[mix.period].name,
        scenario=found.scenarios[mix.scenario].name,
        hours=found.blocks[mix.block].members,
        nodes=[
            planning_service_pb2.PlannedNodes(
                instance_type=p.instance_type,
                capacity_type=str(p.capacity_type),
                zone=p.zone,
                count=p.nodes,
                price_microusd_per_hour=p.price_microusd_per_hour,
                source=price_source_to_message(p.source),
            )
            for part in (mix.on_demand, mix.spot)
            for p in part.purchases
        ],
        on_demand_bound_microusd_per_hour=bound,
        spot_bound_microusd_per_hour=mix.spot.bound_microusd_per_hour,
    )
