"""Node rules drawn at random, and a plain reading of what they allow."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.instance.set_rules import ALWAYS, FREE, SetRule, Start
from hypothesis import strategies as st


@dataclass(frozen=True)
class Ruleset:
    """Rules and starts as they were drawn."""

    n_classes: int
    n_candidates: int
    rules: tuple[SetRule, ...] = ()
    starts: tuple[Start, ...] = ()

    def arrays(self) -> NodeRules:
        return NodeRules.of(self.n_classes, self.n_candidates, self.rules, self.starts)

    def allows(self, candidate: int, pattern) -> bool:
        """Rule by rule: what is counted with those running must stay within the cap.

        Running pods alone may exceed a cap that nobody new is counted in.
        """
        begun = {start.members: start for start in self.starts if start.candidate == candidate}
        for rule in self.rules:
            added = sum(int(pattern[i]) for i in rule.members)
            running = begun[rule.members].load if rule.members in begun else 0
            if rule.trigger == ALWAYS and added and running + added > rule.most:
                return False
            if rule.trigger != ALWAYS and pattern[rule.trigger] and running + added > rule.most:
                return False
        for start in begun.values():
            added = sum(int(pattern[i]) for i in start.members)
            if added and start.load + added > start.most:
                return False
        return True


@st.composite
def rulesets(draw: st.DrawFn, n_classes: int, n_candidates: int) -> Ruleset:
    """Up to five rules, and up to three starts; often none."""
    if draw(st.booleans()):
        return Ruleset(n_classes, n_candidates)
    classes = st.integers(0, n_classes - 1)
    sets = st.sets(classes, min_size=1, max_size=n_classes).map(lambda found: tuple(sorted(found)))
    rules = draw(
        st.lists(st.builds(SetRule, sets, st.integers(0, 4), st.one_of(st.just(ALWAYS), classes)), max_size=5)
    )
    starts = {
        (start.candidate, start.members): start
        for start in draw(
            st.lists(
                st.builds(
                    Start,
                    st.integers(0, n_candidates - 1),
                    st.sampled_from([rule.members for rule in rules]) if rules else sets,
                    st.integers(0, 3),
                    st.sampled_from([FREE, FREE, 2, 4]),
                ),
                max_size=3,
            )
        )
    }
    return Ruleset(n_classes, n_candidates, tuple(rules), tuple(starts.values()))
