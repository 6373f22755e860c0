"""The command line: parses, asks the engine, and turns every failure into one sentence and an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from sentinel_engine.collector import preflight
from sentinel_engine.collector.loader import Loading, fields
from sentinel_engine.files import create_private
from sentinel_tui.command import (
    BAD,
    HOST,
    INTERRUPTED,
    USAGE,
    Failure,
    common,
    echo_json,
    failing_plainly,
    live,
    raw_stdout,
    scoped,
)
from sentinel_tui.config import Options, command_line, merge
from sentinel_tui.terminal import need_terminal

# Python's default of 5 ms delays the loader behind the imports, and later the deadline ticker and the console behind a
# busy engine.
_SWITCH_SECONDS: Final = 0.0005


# Commands in modules of their own.
_ELSEWHERE: Final = {name: f"{name}_cli" for name in ("export", "replay", "rules", "sessions")}


class _Commands(click.Group):
    """Imports the commands over rules and sessions only when one is named: they take longer than all the rest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module(f"sentinel_tui.{_ELSEWHERE[cmd_name]}"), cmd_name)
        return found


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples:  sudo sentinel-tui   |   sudo sentinel-tui --read-only   |   sentinel-tui demo",
)
@click.version_option(package_name="sentinel-tui", prog_name="sentinel-tui")
@click.option("--read-only", is_flag=True, help="No key changes this host: nothing is killed, no rule is edited.")
@live
@scoped
@common
@click.pass_context
def cli(context: click.Context, /, **given: Any) -> None:
    """Interactive incident response: live kernel events, sandboxed rules, alerts with process trees.

    Without a command: the console on this host. It needs root (or CAP_BPF and CAP_PERFMON) and a terminal.
    """
    with failing_plainly():
        if context.invoked_subcommand:
            context.obj = command_line(given)  # the command merges, once it is known whether it names a config file
        else:
            context.obj = merge(given)
            need_terminal("`sentinel-tui watch`")
            loading = Loading(context.obj.loader)
            from sentinel_tui.run import console  # noqa: PLC0415 - takes 0.1 s, while the kernel checks the programs

            console(loading, context.obj)


@cli.command(epilog="Example:  sentinel-tui demo")
@common
@click.pass_obj
def demo(outer: Options, /, **given: Any) -> None:
    """Play a recorded attack in the console; no root needed."""
    with failing_plainly():
        need_terminal("`sentinel-tui watch`")
        from sentinel_tui.run import console, demo_source  # noqa: PLC0415 - as above

        console(demo_source(), merge(given, outer))


@cli.command(epilog="Example:  sudo sentinel-tui watch --duration 10 | jq 'select(.type == \"alert\") | .message'")
@click.option("--events", is_flag=True, help="Print every event too, not only alerts.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="Stop after this many seconds.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this new file instead of stdout.")
@click.option("--record", type=click.Path(path_type=Path), help="Also keep the raw events in this new file.")
@live
@scoped
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
        loading = Loading(options.loader)
        from sentinel_tui.run import Limits, headless  # noqa: PLC0415 - as above
        from sentinel_tui.watch import Watch  # noqa: PLC0415

        headless(loading, options, Watch(stream, events), Limits(duration, record))


@cli.command(epilog="Example:  sudo sentinel-tui doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@live
@common
@click.pass_obj
def doctor(outer: Options, /, *, as_json: bool, loader: str | None, **given: Any) -> None:
    """Say what this host can do, and the exact fix for what it cannot; and what the rules may do."""
    with failing_plainly():
        options = merge(given, outer)
    read = ", ".join(options.config_files) or "no config file: all as it is by default"
    host = [*preflight.checks(preflight.Loader(loader or options.loader)), fields(), preflight.after_start()]
    host.append(preflight.Check("config", True, read))
    rules = _rule_checks(options)
    if as_json:
        echo_json([*host, *rules])
    else:
        for check in (*host, *rules):
            click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.check:<13} {check.detail}")
            if not check.ok:
                click.echo(f"      fix: {check.fix}")
    if not all(check.ok for check in host):
        sys.exit(HOST)
    if not all(check.ok for check in rules):
        sys.exit(BAD)


def _rule_checks(options: Options) -> list[preflight.Check]:
    """The policy, and each rule with what it has."""
    from sentinel_engine.records import Clock  # noqa: PLC0415 - as above
    from sentinel_engine.rules.manifest import RulesFolderError  # noqa: PLC0415
    from sentinel_engine.rules.policy import PolicyError  # noqa: PLC0415
    from sentinel_engine.rules.registry import Registry  # noqa: PLC0415
    from sentinel_engine.snapshot import RuleState  # noqa: PLC0415
    from sentinel_engine.text import inert  # noqa: PLC0415

    try:
        policy = options.read_policy()
        registry = Registry(options.rule_folders(), clock=Clock(0), policy=policy)
        registry.load()
    except PolicyError as error:
        return [preflight.Check("policy", False, str(error), "correct it; nothing starts with a policy that is wrong")]
    except RulesFolderError as error:
        return [preflight.Check("rules", False, str(error), "name a folder of rules that is there with --rules")]
    found = [preflight.Check("policy", True, str(policy))]
    for view in registry.views():
        ok = view.state is not RuleState.FAILED
        said = f"{inert(view.id)} may use {view.permissions}" if ok else f"{inert(view.id)}: {inert(view.reason)}"
        fix = "" if ok else "`sentinel-tui rules check` says all that is wrong with it"
        found.append(preflight.Check("rule", ok, said, fix))
    registry.close()
    return found


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield raw_stdout()
        return
    try:
        stream = create_private(path)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", USAGE) from error
    with stream:
        yield stream


def main() -> None:
    """Run the command line; a failure is one sentence on stderr, with SENTINEL_DEBUG=1 a traceback."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.disable()  # what a start makes stays; a run that lasts switches it on again
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
        import traceback  # noqa: PLC0415 - costs every start 10 ms

        traceback.print_exc()
    click.echo(f"sentinel-tui: {sentence}", err=True)
    sys.exit(code)
