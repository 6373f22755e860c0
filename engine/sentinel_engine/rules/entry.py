"""One rule of a session: what runs, what ran before, what runs beside it, and how it behaves."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sentinel_engine.describe import rfc3339
from sentinel_engine.records import Clock
from sentinel_engine.rules.quarantine import Quarantine
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.shadow import Shadow
from sentinel_engine.schema import KINDS
from sentinel_engine.snapshot import Generation, RuleState, RuleView
from sentinel_engine.text import lossless
from sentinel_engine.wasm.rule import LoadedRule

_GENERATIONS_KEPT: Final = 12


@dataclass(slots=True)
class Entry:
    """One rule by id, whether or not it could be loaded. ``reason`` is what the screen says about it.

    ``previous`` is the generation before, closed: its module is kept, and with it the way back.
    """

    id: str
    path: Path
    loaded: LoadedRule | None = None
    previous: LoadedRule | None = None
    shadow: Shadow | None = None
    state: RuleState = RuleState.FAILED
    reason: str = ""
    generation: int = 0
    quarantine: Quarantine = field(default_factory=Quarantine)
    last_failure: str = ""
    generations: deque[Generation] = field(default_factory=lambda: deque(maxlen=_GENERATIONS_KEPT))

    @property
    def sha256(self) -> str:
        """Of the module that runs; empty when none does."""
        return self.loaded.sha256 if self.loaded else ""

    def take(self, rule: LoadedRule) -> str:
        """Make this the next generation. It takes the state over when both can; what of that failed is returned."""
        before, self.loaded = self.loaded, rule
        self.generation += 1
        since = rfc3339(time.time_ns())
        self.generations.append(Generation(self.generation, rule.sha256, rule.spec.version, since))
        problem = ""
        if before:
            problem = _hand_over(before, rule)
            before.close()
            self.previous = before
        if self.state not in {RuleState.DISABLED, RuleState.LOADED}:
            self.state = RuleState.ENABLED
        self.quarantine.release()
        self.reason = ""
        return problem

    def end_shadow(self) -> Shadow | None:
        """Take the shadow away; its rule is the caller's to run or to close."""
        shadow, self.shadow = self.shadow, None
        return shadow

    def begin_anew(self, clock: Clock) -> None:
        """Run the same generation, and the same shadow, from a fresh start. Raises RuleError; then nothing runs."""
        self.close()
        self.quarantine, self.last_failure = Quarantine(), ""
        if self.state is RuleState.QUARANTINED:
            self.state, self.reason = RuleState.ENABLED, ""
        loaded, shadow = self.loaded, self.end_shadow()
        self.loaded = None
        try:
            self.loaded = loaded.again() if loaded else None
            self.shadow = Shadow(shadow.rule.again(), clock) if shadow else None
        except RuleError as error:
            self.state, self.reason = RuleState.FAILED, error.reason
            self.close()
            self.loaded = None
            raise

    def close(self) -> None:
        """Free what runs."""
        for rule in (self.loaded, self.shadow.rule if self.shadow else None):
            if rule:
                rule.close()

    def view(self, now: float) -> RuleView:
        """How it stands."""
        rule = self.loaded
        if rule is None:
            return RuleView(id=self.id, state=self.state, reason=self.reason, path=str(self.path))
        spec, figures, uses = rule.spec, rule.figures, rule.abi.uses
        denied = spec.denied if spec.folder else spec.denied & uses  # a bare module asks for all there is
        return RuleView(
            id=self.id, state=self.state, version=spec.version, title=spec.title, severity=spec.severity,
            attack=spec.attack, capabilities=tuple(sorted(spec.capabilities & uses)), denied=tuple(sorted(denied)),
            kinds=tuple(kind.name for kind in KINDS if kind.bit & rule.abi.mask),
            reason=self.reason, path=str(self.path), calls=figures.calls, matches=figures.matches,
            traps=figures.traps, traps_by_kind=dict(figures.traps_by_kind), timeouts=figures.timeouts,
            errors=figures.errors, skipped=figures.skipped, dropped_matches=figures.dropped_matches, logs=figures.logs,
            dropped_logs=figures.dropped_logs, latency_ns=rule.latency(), memory_bytes=rule.memory(),
            instantiate_ns=rule.instantiate_ns, compile_ns=rule.compile_ns, sha256=rule.sha256,
            generation=self.generation, previous_sha256=self.previous.sha256 if self.previous else "",
            retry_seconds=self.quarantine.left(now) if self.state is RuleState.QUARANTINED else 0.0,
            shadow=self.shadow.view() if self.shadow else None,
            last_failure=self.last_failure, log_lines=tuple(map(lossless, figures.last_logs)),
            generations=tuple(self.generations),
        )  # fmt: skip


def _hand_over(before: LoadedRule, after: LoadedRule) -> str:
    try:
        state = before.state()
        if state is not None:
            after.keeps_state = after.restore(state)
    except RuleError as error:
        return f"its state was not taken over: {error.reason}"
    return ""
