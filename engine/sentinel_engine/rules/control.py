"""What is done to rules while they run: by the operator's keys, and by saved files. Any thread may ask.

What takes time is done in the workshop's thread; the change itself between two batches; and each is in the session.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from sentinel_engine.promise import promise
from sentinel_engine.rules.folderwatch import FolderWatch
from sentinel_engine.rules.manifest import RulesFolderError
from sentinel_engine.rules.policy import PolicyError
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.registry import Change, Registry
from sentinel_engine.rules.workshop import Finding

BY_FILE: Final = "saved file"


class Host(Protocol):
    """The pipeline, as far as rules are concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def record_change(self, change: Change, by: str) -> None:
        """Write the change to the session, and tell the front end. ``by``: empty for the operator. Engine thread."""

    def introduce(self, rule_id: str) -> None:
        """Show a new generation the processes that are there. Engine thread."""


class ChangeError(Exception):
    """A change that was refused; the text is one sentence that says what goes on instead."""


class RuleControl:
    """Switch rules on and off, reload them, go back, try shadows. The result of each is one sentence."""

    def __init__(self, registry: Registry, host: Host) -> None:
        self._registry = registry
        self._host = host
        self._watch: FolderWatch | None = None
        self._workshop = ThreadPoolExecutor(1, thread_name_prefix="workshop")

    def watch(self) -> None:
        """From now on take in what is saved in the rule folders."""
        folders = [folder for folder, _ in self._registry.workshop.folders]
        if folders:
            self._watch = FolderWatch(folders, self._registry.workshop.read_at, self._saved, self._unwatched)

    def close(self) -> None:
        """Stop watching, and wait for what is being prepared."""
        if self._watch:
            self._watch.close()
        self._workshop.shutdown(cancel_futures=True)

    def set_enabled(self, rule_id: str, enabled: bool) -> Future[str]:
        """Switch a rule on or off. One that could not be loaded is loaded anew."""
        registry = self._registry
        if not enabled:
            return self._now("disable", rule_id, lambda: registry.disable(rule_id))
        if registry.running(rule_id) is None:
            return self.reload(rule_id)
        return self._now("enable", rule_id, lambda: registry.enable(rule_id))

    def reload(self, rule_id: str) -> Future[str]:
        """Load a rule's files again; the running generation goes on when they are refused, also by their own tests."""
        return self._prepared("reload", rule_id, lambda: self._look(rule_id), self._registry.apply)

    def roll_back(self, rule_id: str) -> Future[str]:
        """Let the generation before run again."""
        return self._prepared("rollback", rule_id, lambda: self._registry.before(rule_id), self._registry.roll_back)

    def start_shadow(self, rule_id: str) -> Future[str]:
        """Let what is on disk run beside the rule, and whatever is saved there from now on in its place."""
        return self._prepared("shadow", rule_id, lambda: self._look(rule_id), self._registry.start_shadow)

    def promote(self, rule_id: str) -> Future[str]:
        """Let the shadow be the rule."""
        return self._now("promote", rule_id, lambda: self._registry.promote(rule_id))

    def drop_shadow(self, rule_id: str) -> Future[str]:
        """End the shadow."""
        return self._now("drop-shadow", rule_id, lambda: self._registry.drop_shadow(rule_id))

    def reload_all(self) -> Future[str]:
        """Look through the folders again: reload what is there, take in what is new, drop what is gone."""
        answer: Future[str] = promise()

        def work() -> None:
            try:
                findings = self._registry.workshop.look_everywhere(tested=True)
            except (RulesFolderError, PolicyError) as error:
                answer.set_exception(error)
                return
            _pass_on(self._host.at_rest(lambda: self._take_all(findings)), answer)

        self._workshop.submit(work)
        return answer

    def _look(self, rule_id: str) -> Finding:
        finding = self._registry.workshop.look(self._registry.path_of(rule_id))
        if finding.id != rule_id:
            finding.close()
            raise RuleError(f"its id is now {finding.id}", "reload all rules to take it in under its new id")
        return finding

    def _now(self, action: str, rule_id: str, change: Callable[[], Change]) -> Future[str]:
        return self._host.at_rest(lambda: self._carry_out(action, rule_id, change, ""))

    def _prepared(
        self, action: str, rule_id: str, look: Callable[[], Finding], change: Callable[[Finding], Change]
    ) -> Future[str]:
        answer: Future[str] = promise()

        def work() -> None:
            try:
                finding = look()
            except RuleError as error:
                refusal = error
                _pass_on(self._now(action, rule_id, lambda: _refused(action, rule_id, refusal)), answer)
            else:
                _pass_on(self._now(action, rule_id, lambda: change(finding)), answer)

        self._workshop.submit(work)
        return answer

    def _carry_out(self, action: str, rule_id: str, change: Callable[[], Change], by: str) -> str:
        try:
            done = change()
        except RuleError as error:
            done = _refused(action, rule_id, error)
        self._host.record_change(done, by)
        if not done.ok:
            raise ChangeError(done.said)
        if done.fresh:
            self._host.introduce(done.target)
        return done.said

    def _take_all(self, findings: list[Finding]) -> str:
        there = {finding.id for finding in findings}
        known = self._registry.ids()
        gone = [Finding(rule_id, self._registry.path_of(rule_id)) for rule_id in known if rule_id not in there]
        changes = [self._registry.apply(finding) for finding in (*gone, *findings)]
        for change in changes:
            self._host.record_change(change, "")
            if change.fresh and change.ok:
                self._host.introduce(change.target)
        refused = [change.said for change in changes if not change.ok]
        new = sum(change.ok and change.target not in known for change in changes)
        loaded = sum(change.ok for change in changes) - len(gone)
        parts = [f"{new} new" if new else "", f"{len(gone)} gone" if gone else "",
                 f"{len(refused)} refused ({'; '.join(refused)})" if refused else ""]  # fmt: skip
        return ", ".join([f"{loaded} rules reloaded", *filter(None, parts)])

    # Saved files.

    def _saved(self, paths: set[Path]) -> None:
        self._workshop.submit(self._look_again, sorted(paths))

    def _unwatched(self, problem: str) -> None:
        self._host.at_rest(lambda: self._carry_out("watch", "", lambda: Change("watch", "", problem), BY_FILE))

    def _look_again(self, paths: list[Path]) -> None:
        for path in paths:
            before = self._registry.ids_at(path)
            finding = self._registry.workshop.look(path) if path.exists() else None
            for rule_id in before:
                if finding is None or rule_id != finding.id:
                    self._take(Finding(rule_id, path))
            # Editors save what is as it was; and what was rolled back is not to come again by itself.
            if finding and finding.news:
                self._take(finding)
            elif finding:
                finding.close()

    def _take(self, finding: Finding) -> None:
        shadowed = finding.rule and self._registry.shadowed(finding.id)
        change = self._registry.start_shadow if shadowed else self._registry.apply
        self._host.at_rest(lambda: self._carry_out("reload", finding.id, lambda: change(finding), BY_FILE))


def _refused(action: str, rule_id: str, error: RuleError) -> Change:
    return Change(action, rule_id, f"{rule_id}: {action} refused: {error}", ok=False)


def _pass_on(done: Future[str], answer: Future[str]) -> None:
    def pass_on(done: Future[str]) -> None:
        if error := done.exception():
            answer.set_exception(error)
        else:
            answer.set_result(done.result())

    done.add_done_callback(pass_on)
