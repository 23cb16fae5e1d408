"""Which workloads a rule speaks of, and which pods may share a class."""

from __future__ import annotations

from dataclasses import replace

from binwright_optimizer.instance import build_instance
from binwright_optimizer.instance.stated import rules_of
from binwright_optimizer.model import Operator, Problem, Requirement, Workload, labels
from binwright_optimizer.model.affinity import PodAffinity, PodAffinityTerm
from binwright_optimizer.model.namespaces import Namespace
from binwright_optimizer.model.selectors import LabelSelector
from builders import instance_type, pod
from builders import problem as problem_of

WEB = LabelSelector.of_labels({"app": "web"})


def workload(name: str, app: str, namespace: str = "default", away: PodAffinity | None = None) -> Workload:
    made = pod(name, cpu=1, namespace=namespace)
    template = replace(
        made.template, labels=(("app", app),), pod_anti_affinity=PodAffinity() if away is None else away
    )
    return replace(made, template=template)


def away_from(selector: LabelSelector, namespaces: LabelSelector | None = None) -> PodAffinity:
    return PodAffinity((PodAffinityTerm(labels.HOSTNAME, selector, namespace_selector=namespaces),))


def problem(*workloads: Workload, namespaces: tuple[Namespace, ...] = ()) -> Problem:
    made = problem_of(list(workloads), [instance_type("m", cpu=4, price=0.1)])
    return replace(made, namespaces=namespaces)


def test_a_term_selects_its_own_namespace_unless_it_names_others() -> None:
    """`a` keeps away from web pods of its namespace, `b` from those of all namespaces of team x."""
    team = LabelSelector.of_labels({"team": "x"})
    rules = rules_of(
        problem(
            workload("a", "api", away=away_from(WEB)),
            workload("b", "api", away=away_from(WEB, namespaces=team)),
            workload("c", "web"),
            workload("d", "web", namespace="shop"),
            namespaces=(Namespace("shop", (("team", "x"),)),),
        )
    )
    own, theirs = (rules.stated[w].away[0].selection for w in (0, 1))
    assert rules.selections.workloads(own).tolist() == [2]
    assert rules.selections.workloads(theirs).tolist() == [3]
    assert rules.selected == [(), (), (own,), (theirs,)]


def test_selectors_without_a_single_value_look_at_every_workload() -> None:
    either = LabelSelector((Requirement("app", Operator.IN, ("api", "web")),))
    rules = rules_of(
        problem(workload("a", "x", away=away_from(either)), workload("b", "web"), workload("c", "db"))
    )
    assert rules.selected == [(), (0,), ()]


def test_pods_that_no_rule_tells_apart_share_a_class() -> None:
    """Labels alone do not matter: web and db pods are one class until somebody keeps away from web."""
    plain = build_instance(problem(workload("a", "web"), workload("b", "db")))
    assert plain.n_classes == 1
    ruled = build_instance(
        problem(workload("a", "web"), workload("b", "db"), workload("c", "api", away=away_from(WEB)))
    )
    assert ruled.n_classes == 3


def test_numbers_of_selections_do_not_show_in_the_order_of_classes() -> None:
    parts = [
        workload("a", "web", away=away_from(WEB)),
        workload("b", "db"),
        workload("c", "api", away=away_from(LabelSelector.of_labels({"app": "db"}))),
    ]
    one, other = problem(*parts), problem(*reversed(parts))
    classes, reverse = build_instance(one).class_of, build_instance(other).class_of
    assert classes.tolist() == reverse.tolist()[::-1]
