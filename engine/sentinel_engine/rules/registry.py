"""The rules of a session: on, off, failed or in quarantine, their generations and shadows, and their run over batches.

Engine thread only, so a change takes effect between two batches and needs no lock. What takes time was done before,
in the workshop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from sentinel_engine.records import Batch, Clock
from sentinel_engine.rules.entry import Entry
from sentinel_engine.rules.policy import Policy
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.shadow import Shadow
from sentinel_engine.rules.verdict import LOST, RECOVERED, Verdict, coverage, verdict_of
from sentinel_engine.rules.workshop import Finding, Workshop, taken
from sentinel_engine.snapshot import RuleState, RuleView
from sentinel_engine.wasm.rule import Failure, LoadedRule, Match
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selection, Selector
from sentinel_engine.wasm.workers import Workers

_NO_RULE_FIX: Final = "reload all rules to look for new ones"


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a rule, in one sentence, and its module's SHA-256 before and after.

    ``ok``: False when it was refused. ``fresh``: the rule that runs now knows nothing of what was before it.
    """

    action: str
    target: str
    said: str
    before: str = ""
    after: str = ""
    ok: bool = True
    fresh: bool = False


class _Task(NamedTuple):
    """One enabled rule's part of a batch. ``selection``: None when nothing in it is for this rule."""

    entry: Entry
    rule: LoadedRule
    selection: Selection | None
    patience: int


class Registry:
    """Holds and runs the rules of these folders; each folder comes with whether it is the built-in pack.

    ``policy`` says what rules may have, by default all that they ask for; ``monotonic`` gives seconds for quarantine
    and its back-off; ``workers``: the threads for rules, one by default.
    """

    def __init__(
        self,
        folders: Sequence[tuple[Path, bool]],
        *,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        workers: Workers | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self.sandbox = Sandbox()
        self.workshop = Workshop(folders, self.sandbox, clock, policy or Policy())
        self._selector = Selector(self.sandbox)
        self._workers = workers or Workers(1)
        self._entries: dict[str, Entry] = {}
        self._recovered: list[Entry] = []
        self._notices: list[str] = []
        self._lookups = False  # whether a rule may look processes up; from then on they are kept

    def load(self) -> None:
        """Find and load all rules; one that cannot be loaded is kept as failed. Raises RulesFolderError."""
        for finding in self.workshop.look_everywhere(tested=False):
            self.apply(finding)

    def close(self) -> None:
        """Free every rule and stop the deadline ticker."""
        self._workers.close()
        for entry in self._entries.values():
            entry.close()
        self._entries.clear()
        self.sandbox.close()

    # The run.

    def run(self, batch: Batch) -> list[Verdict]:
        """The verdicts of all enabled rules over the batch, by event, then in the order of the rules."""
        self._selector.load(batch, processes=self._lookups)
        tasks = self._tasks(batch)
        found: list[tuple[int, int, Verdict]] = [
            (0, -1, coverage(RECOVERED, rule.spec, rule.sha256, said, 0)) for rule, said in self._take_recovered()
        ]
        for order, (task, (matches, failures)) in enumerate(zip(tasks, self._workers.run(tasks, _run), strict=True)):
            found += [(match.index, order, verdict_of(task.rule, match)) for match in matches]
            if failures and (said := self._note_failures(task.entry, failures, batch.base)):
                index = failures[-1].index
                found.append((index, order, coverage(LOST, task.rule.spec, task.rule.sha256, said, index)))
            if task.entry.shadow:
                self._compare(task.entry, task.entry.shadow, task.rule, matches, batch)
        found.sort(key=lambda one: one[:2])
        return [verdict for _, _, verdict in found]

    def begin_anew(self) -> None:
        """Let each rule begin as if nothing had happened; what is off stays off."""
        self._recovered.clear()
        self._selector.forget_processes()
        for entry in self._entries.values():
            try:
                entry.begin_anew(self._clock)
            except RuleError as error:
                self._notices.append(f"{entry.id} does not run any more, it did not start again: {error.reason}")

    def introduce(self, rule_id: str, batch: Batch) -> None:
        """Show this rule, or its shadow when that is new, what was there before it. Nothing comes of that."""
        entry = self._running(rule_id)
        shadow = entry.shadow.rule if entry.shadow else None
        rule = shadow if shadow and not shadow.figures.calls else entry.loaded
        self._selector.load(batch, processes=self._lookups)
        if rule and (selection := self._selector.select(rule.abi.mask)):
            rule.run(selection, entry.quarantine.patience(self._monotonic()))

    def _tasks(self, batch: Batch) -> list[_Task]:
        now = self._monotonic()
        tasks = []
        for entry in self._entries.values():
            if entry.state is RuleState.QUARANTINED and not entry.quarantine.left(now):
                self._release(entry)
            if entry.state is RuleState.QUARANTINED and entry.loaded:
                entry.loaded.figures.skipped += batch.count(entry.loaded.abi.mask)
            if entry.state is RuleState.ENABLED and entry.loaded:
                selection = self._selector.select(entry.loaded.abi.mask)
                if selection or entry.shadow:
                    tasks.append(_Task(entry, entry.loaded, selection, entry.quarantine.patience(now)))
        return tasks

    def _compare(self, entry: Entry, shadow: Shadow, live: LoadedRule, matches: Sequence[Match], batch: Batch) -> None:
        before = shadow.reason
        shadow.compare(live, matches, batch, self._selector.select(shadow.rule.abi.mask), self._monotonic())
        if shadow.reason != before:
            self._notices.append(f"the shadow of {entry.id} ended: {shadow.reason}")

    def _note_failures(self, entry: Entry, failures: list[Failure], base: int) -> str:
        """Count them; what to say when that was one too many."""
        last = failures[-1]
        entry.last_failure = f"event {base + last.index}: {last.reason}"
        entry.reason = f"failed at {entry.last_failure}"
        if not entry.quarantine.note(len(failures), self._monotonic()):
            return ""
        entry.state = RuleState.QUARANTINED
        entry.reason = f"{'deadline' if last.timeout else 'trap'} ×{entry.quarantine.failures}: {last.reason}"
        said = f"{entry.id} is in quarantine for {entry.quarantine.backoff:.0f} s ({entry.reason})"
        self._notices.append(f"{LOST}: {said}")
        return said

    def _release(self, entry: Entry) -> None:
        entry.state, entry.reason = RuleState.ENABLED, ""
        entry.quarantine.release()
        self._recovered.append(entry)
        self._notices.append(f"{RECOVERED}: {entry.id} runs again after its quarantine")

    def _take_recovered(self) -> list[tuple[LoadedRule, str]]:
        recovered, self._recovered = self._recovered, []
        said = "{} runs again; {:,} events were not looked at so far"
        return [
            (entry.loaded, said.format(entry.id, entry.loaded.figures.skipped)) for entry in recovered if entry.loaded
        ]

    # Changes.

    def enable(self, rule_id: str) -> Change:
        """Switch a rule on, also out of quarantine. Raises RuleError when it is not loaded."""
        entry = self._running(rule_id)
        if entry.state is RuleState.QUARANTINED:
            self._release(entry)
        entry.state, entry.reason = RuleState.ENABLED, ""
        return Change("enable", rule_id, f"{rule_id} is on", entry.sha256, entry.sha256)

    def disable(self, rule_id: str) -> Change:
        """Switch a rule off; what it has in memory stays for when it is on again. Raises RuleError."""
        entry = self._running(rule_id)
        entry.state, entry.reason = RuleState.DISABLED, ""
        return Change("disable", rule_id, f"{rule_id} is off", entry.sha256, entry.sha256)

    def apply(self, finding: Finding) -> Change:
        """Do what was found: take a new generation or a new rule, refuse it, or drop a rule whose files are gone."""
        entry = self._entries.get(finding.id)
        if entry is not None and entry.path != finding.path and entry.path.exists():
            finding.close()
            finding, entry = taken(finding.id, finding.path, entry.path), None
        if finding.problem:
            return self._refuse(entry, finding, finding.problem)
        if finding.rule:
            return self._take(entry, finding, finding.rule)
        return self._drop(finding)

    def _take(self, entry: Entry | None, finding: Finding, rule: LoadedRule) -> Change:
        before = entry.sha256 if entry else ""
        if entry is None:
            entry = self._entries[finding.id] = Entry(finding.id, finding.path)
            if not rule.spec.enabled:
                entry.state = RuleState.LOADED
        entry.path = finding.path
        problem = entry.take(rule)
        said = f"{entry.id} is {'reloaded' if before else 'loaded'}: generation {entry.generation}, {rule.sha256[:12]}"
        if entry.state is RuleState.LOADED:
            said += ", off as its rule.yaml says"
        said += f"; {problem}" if problem else "; it keeps its state" if rule.keeps_state else ""
        fresh = self._begins_to_look_up(rule) or not rule.keeps_state
        return Change("reload" if before else "load", entry.id, said, before, rule.sha256, fresh=fresh)

    def _begins_to_look_up(self, rule: LoadedRule) -> bool:
        before, self._lookups = self._lookups, self._lookups or "process" in rule.abi.uses
        return self._lookups and not before

    def _refuse(self, entry: Entry | None, finding: Finding, problem: RuleError) -> Change:
        if entry is None:
            entry = self._entries[finding.id] = Entry(finding.id, finding.path)
        sha256 = entry.sha256
        if entry.loaded is None:
            entry.reason = str(problem)
            return Change("load", entry.id, f"{entry.id} was not loaded: {problem}", ok=False)
        entry.reason = f"reload refused: {problem.reason}"
        said = f"{entry.id} was not reloaded: {problem.reason}; generation {entry.generation} goes on; {problem.fix}"
        return Change("reload", entry.id, said, sha256, sha256, ok=False)

    def _drop(self, finding: Finding) -> Change:
        entry = self._entries.pop(finding.id)
        entry.close()
        return Change("drop", entry.id, f"{entry.id} is gone with its files", entry.sha256)

    def before(self, rule_id: str) -> Finding:
        """The generation before this one, ready to run again. Raises RuleError when there is none. Any thread."""
        entry = self._entry(rule_id)
        if entry.previous is None:
            raise RuleError(f"{rule_id} has no generation to go back to", "there is one after its first reload")
        return Finding(rule_id, entry.path, entry.previous.again())

    def roll_back(self, finding: Finding) -> Change:
        """Let the generation before run again; the one that ran until now is kept for the way back."""
        change = self.apply(finding)
        return replace(change, action="rollback", said=change.said.replace("is reloaded", "is rolled back", 1))

    # Shadows.

    def start_shadow(self, finding: Finding) -> Change:
        """Run what was found beside the rule of this id, in place of an earlier shadow. Raises RuleError."""
        entry = self._running(finding.id)
        if finding.rule is None:
            reason = finding.problem.reason if finding.problem else "its files are gone"
            said = f"{entry.id} gets no new shadow: {reason}"
            return Change("shadow", entry.id, said, entry.sha256, entry.sha256, ok=False)
        if old := entry.end_shadow():
            old.rule.close()
        entry.shadow = Shadow(finding.rule, self._clock)
        self._begins_to_look_up(finding.rule)
        said = f"{entry.id} has a shadow: {finding.rule.sha256[:12]} sees the same events, without a voice"
        return Change("shadow", entry.id, said, entry.sha256, finding.rule.sha256, fresh=True)

    def promote(self, rule_id: str) -> Change:
        """Let the shadow be the rule. Raises RuleError when there is none that runs."""
        entry = self._running(rule_id)
        if entry.shadow is None or entry.shadow.reason:
            raise RuleError(f"{rule_id} has no shadow that runs", "start one with s")
        shadow = entry.shadow
        entry.shadow = None
        change = self._take(entry, Finding(rule_id, entry.path), shadow.rule)
        said = change.said.replace("is reloaded", "is replaced by its shadow", 1)
        return replace(change, action="promote", said=f"{said} ({shadow.summary()})", fresh=False)

    def drop_shadow(self, rule_id: str) -> Change:
        """End the shadow; the rule goes on. Raises RuleError when there is none."""
        entry = self._entry(rule_id)
        shadow = entry.end_shadow()
        if shadow is None:
            raise RuleError(f"{rule_id} has no shadow", "start one with s")
        shadow.rule.close()
        said = f"{rule_id} has no shadow any more ({shadow.summary()})"
        return Change("drop-shadow", rule_id, said, shadow.rule.sha256)

    # What front ends and the watch of the folders ask. Any thread.

    def views(self) -> tuple[RuleView, ...]:
        """Every rule as it stands, in the order in which they were found. Engine thread only."""
        now = self._monotonic()
        return tuple(entry.view(now) for entry in self._entries.values())

    def path_of(self, rule_id: str) -> Path:
        """Where this rule's files are. Raises RuleError."""
        return self._entry(rule_id).path

    def running(self, rule_id: str) -> LoadedRule | None:
        """The generation that runs, if any does."""
        entry = self._entries.get(rule_id)
        return entry.loaded if entry else None

    def ids_at(self, path: Path) -> list[str]:
        """The rules that were found at this path."""
        return [entry.id for entry in list(self._entries.values()) if entry.path == path]

    def shadowed(self, rule_id: str) -> bool:
        """Whether a shadow was started, and not promoted or dropped."""
        entry = self._entries.get(rule_id)
        return entry is not None and entry.shadow is not None

    def ids(self) -> list[str]:
        """All rules."""
        return list(self._entries)

    def subscribed(self) -> int:
        """The mask of kinds that the enabled rules and their shadows want. Engine thread only."""
        mask = 0
        for entry in self._entries.values():
            if entry.state is RuleState.ENABLED and entry.loaded:
                mask |= entry.loaded.abi.mask | (entry.shadow.rule.abi.mask if entry.shadow else 0)
        return mask

    def notices(self) -> list[str]:
        """Sentences about what happened to rules by itself since the last call. Engine thread only."""
        notices, self._notices = self._notices, []
        return notices

    def _entry(self, rule_id: str) -> Entry:
        if rule_id not in self._entries:
            raise RuleError(f"there is no rule {rule_id}", _NO_RULE_FIX)
        return self._entries[rule_id]

    def _running(self, rule_id: str) -> Entry:
        entry = self._entry(rule_id)
        if entry.loaded is None:
            raise RuleError(f"{rule_id} is not running: {entry.reason}", "correct it and reload it")
        return entry


def _run(task: _Task) -> tuple[list[Match], list[Failure]]:
    return task.rule.run(task.selection, task.patience) if task.selection else ([], [])
