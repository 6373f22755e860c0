"""A rule run over what has already happened, while what happens now goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Protocol

from sentinel_engine.collector.framer import Framer
from sentinel_engine.history import History
from sentinel_engine.processes import ProcessTable
from sentinel_engine.promise import promise
from sentinel_engine.recording import RecordingError, RecordingReader, Resume
from sentinel_engine.records import Batch, Clock
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.registry import Registry
from sentinel_engine.rules.verdict import Verdict, verdict_of
from sentinel_engine.segments import segments_in
from sentinel_engine.snapshot import HuntView
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selector

_MOST: Final = 1000  # matches that become alerts; the others are counted
_PATIENCE: Final = 5


class Past:
    """What is known of what happened: the session's raw events, then what only the history in memory has yet."""

    def __init__(self, clock: Clock, history: History, folder: Path | None) -> None:
        self._clock = clock
        self._history = history
        self._paths = segments_in(folder) if folder else []
        self._total = sum(path.stat().st_size for path in self._paths) or 1
        self._read = 0
        self.there: Batch | None = None

    @property
    def progress(self) -> float:
        """How much of it was read, from 0 to 1."""
        return min(1.0, self._read / self._total)

    def batches(self) -> Iterator[Batch]:
        """All of it in order. ``there`` is set before the first: the processes of that time. Raises RecordingError."""
        last = -1
        for path in self._paths:
            for batch in self._segment(path):
                last = batch.base + len(batch) - 1
                yield batch
        yield from self._history.since(last)

    def _segment(self, path: Path) -> Iterator[Batch]:
        try:
            reader = RecordingReader(path)
        except RecordingError:
            return  # it has left for newer ones meanwhile
        if self.there is None:
            self.there = ProcessTable(self._clock, reader.header.processes).snapshot()
        framer, before = Framer(reader.header.first), self._read
        for block in reader.batches():
            if isinstance(block, bytes):
                self._read = before + reader.read_bytes
                yield framer.split(block)
            elif isinstance(block, Resume):
                framer.resume(block.resume)
        reader.close()


class Hunt:
    """One rule over the past, in a thread of its own. ``found`` is called with what it matched, batch by batch.

    The result of ``answer`` is one sentence.
    """

    def __init__(
        self, rule: LoadedRule, sandbox: Sandbox, past: Past, found: Callable[[Batch, list[Verdict]], None]
    ) -> None:
        self._rule_id = rule.spec.id
        self._live = rule
        self._sandbox = sandbox
        self._past = past
        self._found = found
        self._cancelled = threading.Event()
        self._began = time.monotonic()
        self._events = self._matches = 0
        self.answer: Future[str] = promise()
        self._thread = threading.Thread(target=self._run, name="hunt", daemon=True)
        self._thread.start()

    def view(self) -> HuntView:
        """How far it is. Any thread."""
        return HuntView(self._rule_id, self._past.progress, self._events, self._matches, not self.answer.done())

    def cancel(self) -> None:
        """Stop; what was found until now stays."""
        self._cancelled.set()

    def close(self) -> None:
        """Stop, and wait until it has."""
        self.cancel()
        self._thread.join()

    def _run(self) -> None:
        try:
            problem = self._over_all()
        except (RuleError, RecordingError) as error:
            problem = f"; it ends there: {error}"
        except Exception as error:  # noqa: BLE001 - whatever ended it, whoever asked must be told
            problem = f"; it ends there: {type(error).__name__}: {error}"
        seconds = time.monotonic() - self._began
        kept = "" if self._matches <= _MOST else f", the first {_MOST:,} as alerts"
        self.answer.set_result(
            f"{self._rule_id} over the past: {self._matches:,} matches{kept} in {self._events:,} events, "
            f"{seconds:.1f} s{problem}"
        )

    def _over_all(self) -> str:
        rule, selector = self._live.again(self._sandbox), Selector(self._sandbox)
        looks_up = "process" in rule.abi.uses
        introduced = False
        try:
            for batch in self._past.batches():
                if self._cancelled.is_set():
                    return "; cancelled"
                if not introduced and self._past.there:
                    introduced = True
                    self._look(rule, selector, self._past.there, looks_up)
                verdicts, problem = self._look(rule, selector, batch, looks_up)
                self._events += len(batch)
                left = max(0, _MOST - self._matches)
                self._matches += len(verdicts)
                if verdicts[:left]:
                    self._found(batch, verdicts[:left])
                if problem:
                    return f"; it failed there: {problem}"
        finally:
            rule.close()
        return ""

    def _look(self, rule: LoadedRule, selector: Selector, batch: Batch, looks_up: bool) -> tuple[list[Verdict], str]:
        selector.load(batch, processes=looks_up)
        selection = selector.select(rule.abi.mask)
        if selection is None:
            return [], ""
        matches, failures = rule.run(selection, _PATIENCE)
        enough = len(failures) >= _PATIENCE or (failures and failures[-1].timeout)
        return [verdict_of(rule, match) for match in matches], failures[-1].reason if enough else ""


class Host(Protocol):
    """The pipeline, as far as hunts are concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def take_past(self, batch: Batch, verdicts: list[Verdict]) -> None:
        """Make alerts of what was found. Engine thread."""

    def record_action(self, action: str, target: str, detail: str) -> None:
        """Write it to the session. Engine thread."""


class Hunter:
    """Runs rules over the past, one at a time; what they match becomes alerts marked ``past``. Any thread."""

    def __init__(self, registry: Registry, past: Callable[[], Past], host: Host) -> None:
        self._registry = registry
        self._past = past
        self._host = host
        self._hunt: Hunt | None = None

    def start(self, rule_id: str) -> Future[str]:
        """Begin; the result, one sentence, comes at once, and another one into the session at the end."""
        return self._host.at_rest(lambda: self._start(rule_id))

    def cancel(self) -> None:
        """Stop the one that runs, if any does; what it has found stays."""
        if self._hunt:
            self._hunt.cancel()

    def view(self) -> HuntView | None:
        """How far the last one is."""
        return self._hunt.view() if self._hunt else None

    def close(self) -> None:
        """Stop, and wait until it has."""
        if self._hunt:
            self._hunt.close()

    def forget(self) -> None:
        """Stop, and let nothing come of what was found: the past is to be played again."""
        self.close()
        self._hunt = None

    def _start(self, rule_id: str) -> str:
        if self._hunt and self._hunt.view().running:
            raise RuntimeError(f"{self._hunt.view().rule} is not through with the past yet; wait, or stop it with h")
        rule = self._registry.running(rule_id)
        if rule is None:
            raise RuntimeError(f"{rule_id} is not running, so it cannot look at the past; switch it on, or correct it")
        self._hunt = Hunt(rule, self._registry.sandbox.apart(), self._past(), self._found)
        self._hunt.answer.add_done_callback(lambda done: self._tell("hunted", rule_id, done.result()))
        said = f"{rule_id} looks at the past"
        self._host.record_action("hunt", rule_id, said)
        return said

    def _found(self, batch: Batch, verdicts: list[Verdict]) -> None:
        def take() -> str:
            if self._hunt:
                self._host.take_past(batch, verdicts)
            return ""

        self._host.at_rest(take)

    def _tell(self, action: str, rule_id: str, said: str) -> None:
        def tell() -> str:
            self._host.record_action(action, rule_id, said)
            return said

        self._host.at_rest(tell)
