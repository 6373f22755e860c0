"""What comes out of a rule: a verdict about an event, or about the rule's own coverage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sentinel_engine.rules.manifest import RuleSpec
from sentinel_engine.snapshot import Severity
from sentinel_engine.text import lossless
from sentinel_engine.wasm.rule import LoadedRule, Match

LOST: Final = "coverage lost"
RECOVERED: Final = "coverage recovered"
SUPPRESSED: Final = "alerts suppressed"
SHOWN_AGAIN: Final = "alerts shown again"
_COVERAGE: Final = frozenset(what.replace(" ", "-") for what in (LOST, RECOVERED, SUPPRESSED, SHOWN_AGAIN))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's match of the event at ``index`` in the batch; or that the rule's own coverage has changed there."""

    spec: RuleSpec
    sha256: str
    index: int
    score: int
    logs: tuple[str, ...] = ()


def verdict_of(rule: LoadedRule, match: Match) -> Verdict:
    """The verdict of a rule's match."""
    return Verdict(rule.spec, rule.sha256, match.index, match.score, tuple(map(lossless, match.logs)))


def is_coverage(rule_id: str) -> bool:
    """Whether this id is of an alert about a rule's own coverage, see :func:`coverage`."""
    return rule_id.partition(":")[0] in _COVERAGE


def coverage(what: str, spec: RuleSpec, sha256: str, said: str, index: int) -> Verdict:
    """A verdict about the rule itself, on the event at which that was noticed; its id is ``coverage-lost:RULE`` …"""
    about = replace(
        spec, id=f"{what.replace(' ', '-')}:{spec.id}", title=what, severity=Severity.HIGH, attack=(),
        message=f"{what}: {said}",
    )  # fmt: skip
    return Verdict(about, sha256, index, 1)
