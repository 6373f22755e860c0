"""Runs the console, or watch without one. Imported late: it takes longer than anything before it."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from sentinel_engine import session as sessions
from sentinel_engine.collector import preflight
from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.collector.scope import parse_scope
from sentinel_engine.collector.source import Source
from sentinel_engine.pipeline import Listener, Pipeline
from sentinel_engine.privileges import READING, WATCHING, Capability, PrivilegeError, drop_everywhere, names
from sentinel_engine.recording import Header, RecordingWriter
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.snapshot import Summary
from sentinel_engine.wasm.workers import Workers, usual
from sentinel_tui import state
from sentinel_tui.command import BAD, HOST, INTERRUPTED, USAGE, Failure
from sentinel_tui.config import Options
from sentinel_tui.watch import Watch
from sentinel_tui.widgets import figures

_PATIENCE: Final = 0.3  # seconds for the terminal to have room for the last line


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a headless run, in seconds, and where its raw events go."""

    duration: float | None
    record: Path | None


def demo_source() -> Source:
    """The bundled recording of an attack."""
    return RecordedSource(data_dir("rules") / "demo.rec", name="demo")


def console(loading: Loading | Source, options: Options) -> None:
    """Run the Textual app over this source until the user leaves, then say what the session was."""
    from sentinel_tui.app import SentinelApp  # noqa: PLC0415 - Textual takes 0.3 s to import; other commands do without

    responds = isinstance(loading, Loading) and not options.read_only
    with running(loading, options, may=WATCHING if responds else READING) as pipeline:
        if responds:
            pipeline.respond()
        # A run whose session goes elsewhere leaves nothing else on this host.
        kept = None if options.session_dir else options.session_root() / "view.json"
        view, notice = state.load(kept) if kept else (None, "")
        app = SentinelApp(pipeline, options, view, notice)
        app.run()
        summary = pipeline.close()
        problem = _keep(app.view, kept) if kept else ""
    with suppress(OSError):  # the terminal may be gone, or take nothing any more
        if select.select([], [sys.stdout], [], _PATIENCE)[1]:
            click.echo(_farewell(summary, pipeline) + problem)
    if app.return_code:
        raise Failure("the console ended on an error; SENTINEL_DEBUG=1 shows where", BAD)


def _keep(view: state.ViewState, path: Path) -> str:
    """Keep how the console was left; what is said when that cannot be."""
    try:
        state.save(view, path)
    except OSError as error:
        return f"\nthe view is not kept for the next run: {path}: {error.strerror}"
    return ""


def headless(loading: Loading | Source, options: Options, printer: Watch, limits: Limits) -> None:
    """Print alerts until the duration is over, the source ends, a signal comes or nobody reads any more."""
    caught: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: caught.append(number))
    with running(loading, options, printer, limits.record) as pipeline:
        view = pipeline.snapshot()
        click.echo(f"watching {view.source.name}; ctrl+c ends; session: {view.session}", err=True)
        warned: tuple[str, ...] = ()
        deadline = time.monotonic() + (limits.duration or float("inf"))
        while not (caught or printer.broken.is_set() or pipeline.finished()) and time.monotonic() < deadline:
            # Signals end this wait at once only on the main thread's next bytecode: keep it short.
            printer.broken.wait(0.05)
            warned = _warn(warned, (*pipeline.snapshot().warnings, *printer.warnings()))
        summary = pipeline.close()
        printer.end(summary)
        _warn((), tuple(filter(None, [pipeline.snapshot().source.cut])))
        click.echo(_evidence(summary, pipeline), err=True)
    if problem := pipeline.snapshot().source.problem:
        raise Failure(problem, HOST)
    if printer.broken.is_set():
        if printer.error and not isinstance(printer.error, BrokenPipeError):
            raise Failure(f"cannot write the output: {printer.error.strerror}", USAGE)
    elif printer.lost:
        raise Failure(f"{printer.lost:,} lines are not in the output; the session has the alerts of them", USAGE)
    if signal.SIGINT in caught:
        sys.exit(INTERRUPTED)


def _warn(before: tuple[str, ...], warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Print those that were not there before."""
    with suppress(OSError):  # whoever read them may be gone
        for warning in warnings:
            if warning not in before:
                click.echo(f"warning: {warning}", err=True)
    return warnings


@contextmanager
def running(
    loading: Loading | Source,
    options: Options,
    listener: Listener | None = None,
    record: Path | None = None,
    may: frozenset[Capability] = READING,
) -> Iterator[Pipeline]:
    """A started pipeline over this source; closed on the way out, whatever happened. ``may``: what it goes on with."""
    registry = Registry(
        options.rule_folders(),
        clock=loading.clock,
        # A recording's own time, so that a rule that fails is left out over the same events each time.
        monotonic=time.monotonic if isinstance(loading, Loading) else lambda: loading.now() / 1e9,
        workers=Workers(options.workers or usual()),
        policy=options.read_policy(),
    )
    registry.load()  # while the kernel checks the programs
    scope = parse_scope(options.only, options.ignore)
    source = LiveSource.open(loading, scope=scope, limit=options.limit) if isinstance(loading, Loading) else loading
    try:
        recorder = _recorder(record, source) if record else None
        host = sessions.host_facts(source.clock)
        keep = options.keep() if source.live else None  # a recording is on the disk already
        session = sessions.Session(options.session_root(), source.name, version("sentinel-tui"), host, keep)
    except BaseException:
        source.close()
        raise
    pipeline = Pipeline(source, registry, session, listener, recorder)
    # What is there by now stays until the end: it is not looked through again and again.
    gc.freeze()
    gc.enable()
    try:
        _drop_privileges(session, preflight.kept(may) if source.live else may)
        pipeline.start()
        yield pipeline
    finally:
        pipeline.close()


def _drop_privileges(session: sessions.Session, keep: Set[Capability]) -> None:
    """Give up what only loading and opening needed; what the kernel makes us keep beyond that is in the session."""
    try:
        kept = drop_everywhere(keep).capabilities
    except (OSError, PrivilegeError) as error:
        raise Failure(f"privileges cannot be given up ({error}); please report this", HOST) from error
    if kept - WATCHING:
        session.act("notice", "", f"this kernel wants more for each use of a map: goes on with {names(kept)}")


def _recorder(path: Path, source: Source) -> RecordingWriter:
    uname = os.uname()
    try:
        return RecordingWriter(path, Header(source.clock.offset_ns, uname.release, uname.nodename, source.processes))
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", USAGE) from error


def _farewell(summary: Summary, pipeline: Pipeline) -> str:
    return (
        f"{sum(summary.events.values())} events, {figures.lost(summary.lost)}, {sum(summary.alerts.values())} alerts "
        f"in {summary.duration:.0f} s; session: {pipeline.snapshot().session}\n{_evidence(summary, pipeline)}"
    )


def _evidence(summary: Summary, pipeline: Pipeline) -> str:
    """What is missing from the session, and what holds it to what it says: who has this sees any later change."""
    missing = summary.lost["journal"].get("alert", 0)
    said = f"NOT in the session: {missing:,} alerts and actions, which its disk did not take\n" if missing else ""
    return f"{said}evidence: sha256 {pipeline.evidence}"
