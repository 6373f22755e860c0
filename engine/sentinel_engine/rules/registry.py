"""The rules of a session: loaded, on, off, failed or in quarantine, and run over each batch.

Engine thread only, so a change takes effect between two batches and needs no lock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sentinel_engine.records import Batch, Clock
from sentinel_engine.rules.manifest import RuleError, RuleProblem, RuleSpec, discover, load_spec, read_module
from sentinel_engine.schema import KINDS
from sentinel_engine.snapshot import RuleState, RuleView
from sentinel_engine.text import lossless
from sentinel_engine.wasm.rule import Failure, LoadedRule, Match
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selector

MAX_FAILURES: Final = 5
FAILURE_WINDOW: Final = 60.0
FIRST_BACKOFF, LONGEST_BACKOFF = 30.0, 900.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's match of the event at ``index`` in the batch."""

    spec: RuleSpec
    sha256: str
    index: int
    score: int
    logs: tuple[str, ...]


@dataclass(slots=True)
class _Entry:
    """One rule by id, whether or not it could be loaded. ``reason`` is what the screen says about it."""

    id: str
    path: Path
    builtin: bool
    loaded: LoadedRule | None = None
    state: RuleState = RuleState.FAILED
    reason: str = ""
    generation: int = 0
    failures: deque[float] = field(default_factory=deque)
    retry_at: float = 0.0
    backoff: float = 0.0


class Registry:
    """Loads and runs the rules of these folders; each folder comes with whether it is the built-in pack.

    ``monotonic`` gives seconds for quarantine and its back-off.
    """

    def __init__(
        self,
        folders: Sequence[tuple[Path, bool]],
        *,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = list(folders)
        self._clock = clock
        self._monotonic = monotonic
        self._sandbox = Sandbox()
        self._selector = Selector(self._sandbox)
        self._entries: dict[str, _Entry] = {}
        self._notices: list[str] = []

    def load(self) -> None:
        """Find and load all rules; one that cannot be loaded is kept as failed. Raises RulesFolderError."""
        specs, problems = self._discover()
        for spec in specs:
            self._add(spec)
        for problem in problems:
            self._fail(problem)

    def close(self) -> None:
        """Free every rule and stop the deadline ticker."""
        for entry in self._entries.values():
            if entry.loaded:
                entry.loaded.close()
        self._entries.clear()
        self._sandbox.close()

    def run(self, batch: Batch, only: str | None = None) -> list[Verdict]:
        """The verdicts of all enabled rules (or this one) over the batch, by event, then in the order of the rules."""
        self._selector.load(batch)
        found: list[tuple[int, int, Verdict]] = []
        for mask, group in self._by_mask(only).items():
            selection = self._selector.select(mask)
            if selection is None:
                continue
            for order, entry, rule in group:
                matches, failures = rule.run(selection, MAX_FAILURES - len(entry.failures))
                found += [(match.index, order, _verdict(rule, match)) for match in matches]
                if failures:
                    self._note_failures(entry, failures, batch.base)
        found.sort(key=lambda one: one[:2])
        return [verdict for _, _, verdict in found]

    def _by_mask(self, only: str | None) -> dict[int, list[tuple[int, _Entry, LoadedRule]]]:
        now = self._monotonic()
        groups: dict[int, list[tuple[int, _Entry, LoadedRule]]] = {}
        for order, entry in enumerate(self._entries.values()):
            if entry.state is RuleState.QUARANTINED and now >= entry.retry_at:
                self._release(entry, f"{entry.id} runs again after its quarantine")
            if entry.state is RuleState.ENABLED and entry.loaded and only in (None, entry.id):
                while entry.failures and entry.failures[0] < now - FAILURE_WINDOW:
                    entry.failures.popleft()
                groups.setdefault(entry.loaded.abi.mask, []).append((order, entry, entry.loaded))
        return groups

    # What the operator does.

    def enable(self, rule_id: str) -> str:
        """Switch a rule on, also out of quarantine; a failed one is loaded anew. Raises RuleError."""
        entry = self._entry(rule_id)
        if entry.loaded is None:
            return self.reload(rule_id)
        self._release(entry)
        return f"{rule_id} is on"

    def disable(self, rule_id: str) -> str:
        """Switch a rule off; what it has in memory stays for when it is on again. Raises RuleError."""
        entry = self._entry(rule_id)
        if entry.loaded is None:
            raise RuleError(f"{rule_id} is not running: {entry.reason}", "correct it and reload it")
        entry.state, entry.reason = RuleState.DISABLED, ""
        return f"{rule_id} is off"

    def reload(self, rule_id: str) -> str:
        """Load a rule's files again. Raises RuleError, and the running generation goes on, when they are refused."""
        entry = self._entry(rule_id)
        try:
            self._swap(entry, _same(rule_id, load_spec(entry.path, builtin=entry.builtin)))
        except RuleError as error:
            running = f"; generation {entry.generation} goes on" if entry.loaded else ""
            entry.reason = f"reload refused: {error.reason}"
            raise RuleError(f"{rule_id} was not reloaded: {error.reason}{running}", error.fix) from error
        assert entry.loaded is not None
        return f"{rule_id} is reloaded: generation {entry.generation}, {entry.loaded.sha256[:12]}"

    def reload_all(self) -> str:
        """Look through the folders again: reload what is there, take in what is new, drop what is gone.

        Raises RulesFolderError, with nothing changed, when a folder has gone.
        """
        specs, problems = self._discover()
        there = {spec.id for spec in specs} | {problem.id for problem in problems}
        gone = [rule_id for rule_id in self._entries if rule_id not in there]
        for rule_id in gone:
            entry = self._entries.pop(rule_id)
            if entry.loaded:
                entry.loaded.close()
        new = [spec.id for spec in specs if spec.id not in self._entries]
        refused = []
        for spec in specs:
            if spec.id in self._entries:
                try:
                    self._swap(self._entries[spec.id], spec)
                except RuleError as error:
                    self._entries[spec.id].reason = f"reload refused: {error.reason}"
                    refused.append(f"{spec.id}: {error.reason}")
            else:
                self._add(spec)
        for problem in problems:
            self._fail(problem)
            refused.append(f"{problem.id}: {problem.reason}")
        parts = [f"{len(new)} new" if new else "", f"{len(gone)} gone" if gone else "",
                 f"{len(refused)} refused ({'; '.join(refused)})" if refused else ""]  # fmt: skip
        return ", ".join([f"{len(specs)} rules reloaded", *filter(None, parts)])

    # What front ends show.

    def views(self) -> tuple[RuleView, ...]:
        """Every rule as it stands, in the order in which they were found."""
        now = self._monotonic()
        return tuple(_view(entry, now) for entry in self._entries.values())

    def subscribed(self) -> int:
        """The mask of kinds that the enabled rules want."""
        mask = 0
        for entry in self._entries.values():
            if entry.state is RuleState.ENABLED and entry.loaded:
                mask |= entry.loaded.abi.mask
        return mask

    def notices(self) -> list[str]:
        """Sentences about what happened to rules by itself since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def _entry(self, rule_id: str) -> _Entry:
        if rule_id not in self._entries:
            raise RuleError(f"there is no rule {rule_id}", "reload all rules to look for new ones")
        return self._entries[rule_id]

    def _discover(self) -> tuple[list[RuleSpec], list[RuleProblem]]:
        specs: dict[str, RuleSpec] = {}
        problems: list[RuleProblem] = []
        for builtin in (True, False):
            chosen = [folder for folder, is_builtin in self._folders if is_builtin is builtin]
            found, bad = discover(chosen, builtin=builtin)
            problems += bad
            for spec in found:
                first = specs.setdefault(spec.id, spec)
                if first is not spec:
                    reason = f"the id {spec.id} is already taken by a built-in rule"
                    problems.append(RuleProblem(spec.path, f"{spec.id} (yours)", reason, "give it another id"))
        return list(specs.values()), problems

    def _add(self, spec: RuleSpec) -> None:
        entry = self._entries[spec.id] = _Entry(spec.id, spec.folder or spec.path, spec.builtin)
        try:
            self._swap(entry, spec)
        except RuleError as error:
            entry.reason = str(error)
            return
        if not spec.enabled:
            entry.state = RuleState.DISABLED

    def _fail(self, problem: RuleProblem) -> None:
        entry = self._entries.setdefault(problem.id, _Entry(problem.id, problem.path, builtin=False))
        entry.reason = f"{problem.reason}; {problem.fix}"

    def _swap(self, entry: _Entry, spec: RuleSpec) -> None:
        candidate = LoadedRule(self._sandbox, spec, read_module(spec), self._clock)
        previous, entry.loaded = entry.loaded, candidate
        entry.generation += 1
        if previous:
            previous.close()
        if entry.state is not RuleState.DISABLED:
            self._release(entry)
        entry.reason = ""

    def _release(self, entry: _Entry, notice: str = "") -> None:
        entry.state, entry.reason = RuleState.ENABLED, ""
        entry.failures.clear()
        if notice:
            self._notices.append(notice)

    def _note_failures(self, entry: _Entry, failures: list[Failure], base: int) -> None:
        now = self._monotonic()
        last = failures[-1]
        entry.failures.extend([now] * len(failures))
        entry.reason = f"failed at event {base + last.index}: {last.reason}"
        if len(entry.failures) < MAX_FAILURES:
            return
        # A rule that has behaved for as long as the longest back-off starts again from the first one.
        forgiven = now - entry.retry_at > LONGEST_BACKOFF
        entry.backoff = FIRST_BACKOFF if forgiven else min(max(FIRST_BACKOFF, 2 * entry.backoff), LONGEST_BACKOFF)
        entry.retry_at = now + entry.backoff
        entry.state = RuleState.QUARANTINED
        entry.reason = f"{'deadline' if last.timeout else 'trap'} ×{len(entry.failures)}: {last.reason}"
        self._notices.append(f"coverage lost: {entry.id} is in quarantine for {entry.backoff:.0f} s ({entry.reason})")


def _same(rule_id: str, spec: RuleSpec) -> RuleSpec:
    if spec.id != rule_id:
        raise RuleError(f"its id is now {spec.id}", "reload all rules to take it in under its new id")
    return spec


def _verdict(rule: LoadedRule, match: Match) -> Verdict:
    return Verdict(rule.spec, rule.sha256, match.index, match.score, tuple(map(lossless, match.logs)))


def _view(entry: _Entry, now: float) -> RuleView:
    rule = entry.loaded
    if rule is None:
        return RuleView(id=entry.id, state=entry.state, reason=entry.reason, path=str(entry.path))
    spec, figures = rule.spec, rule.figures
    return RuleView(
        id=entry.id, state=entry.state, version=spec.version, title=spec.title, severity=spec.severity,
        attack=spec.attack, kinds=tuple(kind.name for kind in KINDS if kind.bit & rule.abi.mask), reason=entry.reason,
        path=str(entry.path), calls=figures.calls, matches=figures.matches, traps=figures.traps,
        timeouts=figures.timeouts, errors=figures.errors, dropped_matches=figures.dropped_matches, logs=figures.logs,
        dropped_logs=figures.dropped_logs, latency_ns=rule.latency(), memory_bytes=rule.memory(),
        instantiate_ns=rule.instantiate_ns, sha256=rule.sha256, generation=entry.generation,
        retry_seconds=max(0.0, entry.retry_at - now) if entry.state is RuleState.QUARANTINED else 0.0,
    )  # fmt: skip
