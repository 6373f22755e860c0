"""The command line: parses, asks the engine, and turns every failure into one sentence and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import click

from sentinel_engine import session as sessions
from sentinel_engine.collector import preflight
from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.collector.source import Source
from sentinel_engine.files import create_private
from sentinel_engine.pipeline import Listener, Pipeline
from sentinel_engine.recording import Header, RecordingWriter
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.snapshot import Summary
from sentinel_tui.command import BAD, HOST, INTERRUPTED, USAGE, Failure, common, echo_json, failing_plainly, live
from sentinel_tui.config import Options, merge
from sentinel_tui.rules_cli import rules
from sentinel_tui.watch import Watch


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a headless run, in seconds, and where its raw events go."""

    duration: float | None
    record: Path | None


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples:  sudo sentinel-tui   |   sudo sentinel-tui watch --duration 10   |   sentinel-tui demo",
)
@click.version_option(version("sentinel-tui"), prog_name="sentinel-tui")
@live
@common
@click.pass_context
def cli(context: click.Context, /, **given: Any) -> None:
    """Interactive incident response: live kernel events, sandboxed rules, alerts with process trees.

    Without a command: the console on this host. It needs root (or CAP_BPF and CAP_PERFMON) and a terminal.
    """
    with failing_plainly():
        context.obj = merge(given)
        if context.invoked_subcommand is None:
            console(lambda: _live_source(context.obj), context.obj)


@cli.command(epilog="Example:  sentinel-tui demo")
@common
@click.pass_obj
def demo(outer: Options, /, **given: Any) -> None:
    """Play a recorded attack in the console; no root needed."""
    with failing_plainly():
        console(_demo_source, merge(given, outer))


@cli.command(epilog="Example:  sudo sentinel-tui watch --duration 10 | jq 'select(.type == \"alert\") | .message'")
@click.option("--events", is_flag=True, help="Print every event too, not only alerts.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="Stop after this many seconds.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this new file instead of stdout.")
@click.option("--record", type=click.Path(path_type=Path), help="Also keep the raw events in this new file.")
@live
@common
@click.pass_obj
def watch(
    outer: Options, /, *, events: bool, duration: float | None, output: Path | None, record: Path | None, **given: Any
) -> None:
    """Run without a console: JSON lines, an alert at once, a summary last.

    An alert that repeats within ten seconds is printed again under the same id with its new count.
    """
    with failing_plainly(), _output(output) as stream:
        options = merge(given, outer)
        headless(_live_source(options), options, Watch(stream, events), Limits(duration, record))


@cli.command(epilog="Example:  sentinel-tui export 20261123T043148Z-812 -o case.json")
@click.argument("session")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
@click.option("--force", is_flag=True, help="Replace the file when it exists.")
@common
@click.pass_obj
def export(outer: Options, /, session: str, *, output: Path | None, force: bool, **given: Any) -> None:
    """Write a session as one JSON document. SESSION is a folder or an id from `sentinel-tui sessions`."""
    with failing_plainly():
        folder = sessions.find_session(session, merge(given, outer).session_root())
        if output is None:
            sys.stdout.buffer.write(sessions.encode_document(sessions.read_session(folder)))
            return
        alerts = sessions.export_session(folder, output, force=force)
        click.echo(f"exported {alerts} alerts to {output}", err=True)


@cli.command("sessions", epilog="Example:  sentinel-tui sessions")
@common
@click.pass_obj
def list_sessions(outer: Options, /, **given: Any) -> None:
    """List what was recorded here, oldest first."""
    with failing_plainly():
        root = merge(given, outer).session_root()
        for folder in sessions.list_sessions(root):
            document = sessions.read_session(folder)
            state = "" if document.complete else "  (did not end in order)"
            click.echo(f"{folder.name}  {document.session.started}  {len(document.alerts):>6} alerts{state}")


@cli.command(epilog="Example:  sudo sentinel-tui doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@live
def doctor(*, as_json: bool, loader: str | None) -> None:
    """Say what this host can do, and the exact fix for what it cannot."""
    checks = preflight.checks(preflight.Loader(loader or preflight.Loader.AUTO))
    if as_json:
        echo_json(checks)
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.check:<12} {check.detail}")
            if not check.ok:
                click.echo(f"      fix: {check.fix}")
    if not all(check.ok for check in checks):
        sys.exit(HOST)


cli.add_command(rules)


def console(open_source: Callable[[], Source], options: Options) -> None:
    """Run the Textual app over this source until the user leaves, then say what the session was."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("the console needs a terminal; `sentinel-tui watch` prints JSON lines without one", USAGE)
    from sentinel_tui.app import SentinelApp  # noqa: PLC0415 - Textual takes 0.3 s to import; other commands do without

    with running(open_source(), options) as pipeline:
        app = SentinelApp(pipeline)
        app.run()
        summary = pipeline.close()
    with suppress(OSError):  # the terminal may be gone
        click.echo(_farewell(summary, pipeline.snapshot().session))
    if app.return_code:
        raise Failure("the console ended on an error; SENTINEL_DEBUG=1 shows where", BAD)


def headless(source: Source, options: Options, printer: Watch, limits: Limits) -> None:
    """Print alerts until the duration is over, the source ends, a signal comes or nobody reads any more."""
    caught: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: caught.append(number))
    recorder = _recorder(limits.record, source) if limits.record else None
    with running(source, options, printer, recorder) as pipeline:
        click.echo(f"watching {source.name}; ctrl+c ends; session: {pipeline.snapshot().session}", err=True)
        deadline = time.monotonic() + (limits.duration or float("inf"))
        while not (caught or printer.broken.is_set() or pipeline.finished()) and time.monotonic() < deadline:
            # Signals end this wait at once only on the main thread's next bytecode: keep it short.
            printer.broken.wait(0.05)
        printer.end(pipeline.close())
    if problem := pipeline.snapshot().source.problem:
        raise Failure(problem, HOST)
    if printer.error and not isinstance(printer.error, BrokenPipeError):
        raise Failure(f"cannot write the output: {printer.error.strerror}", USAGE)
    if signal.SIGINT in caught:
        sys.exit(INTERRUPTED)


@contextmanager
def running(
    source: Source, options: Options, listener: Listener | None = None, recorder: RecordingWriter | None = None
) -> Iterator[Pipeline]:
    """A started pipeline over this source; closed on the way out, whatever happened."""
    try:
        registry = Registry(options.rule_folders(), clock=source.clock)
        registry.load()
        host = sessions.host_facts(source.clock)
        session = sessions.Session(options.session_root(), source.name, version("sentinel-tui"), host)
    except BaseException:
        source.close()
        raise
    pipeline = Pipeline(source, registry, session, listener, recorder)
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.close()


def _live_source(options: Options) -> Source:
    return LiveSource.open(loader=options.loader)


def _demo_source() -> Source:
    return RecordedSource(data_dir("rules") / "demo.rec", name="demo")


def _recorder(path: Path, source: Source) -> RecordingWriter:
    uname = os.uname()
    try:
        return RecordingWriter(path, Header(source.clock.offset_ns, uname.release, uname.nodename, source.processes))
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", USAGE) from error


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        stream = create_private(path)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", USAGE) from error
    with stream:
        yield stream


def _farewell(summary: Summary, session: str) -> str:
    lost = sum(sum(kinds.values()) for stage, kinds in summary.lost.items() if stage != "history")
    return (
        f"{sum(summary.events.values())} events, {lost} lost, {sum(summary.alerts.values())} alerts "
        f"in {summary.duration:.0f} s; session: {session}"
    )


def main() -> None:
    """Run the command line; a failure is one sentence on stderr, with SENTINEL_DEBUG=1 a traceback."""
    try:
        sys.exit(cli(standalone_mode=False))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "sentinel-tui"
        _fail(f"{error.format_message().rstrip('.')}; see `{command} --help`", error.exit_code)
    except Failure as error:
        _fail(error.message, error.code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left; the interpreter's own flush at exit must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the last net: a sentence, never a traceback
        _fail(f"unexpected {type(error).__name__}: {error}; SENTINEL_DEBUG=1 shows where", BAD)


def _fail(sentence: str, code: int) -> None:
    if os.environ.get("SENTINEL_DEBUG") == "1":
        traceback.print_exc()
    click.echo(f"sentinel-tui: {sentence}", err=True)
    sys.exit(code)
