"""What every command shares: options, exit codes, and errors as one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
import msgspec

from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.source import CollectorError
from sentinel_tui.config import ConfigError

BAD, USAGE, HOST, INTERRUPTED = 1, 2, 3, 130
_DEMO_HINT = "`sentinel-tui demo` shows the console without it"

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """One sentence for stderr, and the exit code."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def failing_plainly() -> Iterator[None]:
    """Turn the engine's errors into failures with the exit code of their kind."""
    try:
        yield
    except ConfigError as error:
        raise Failure(str(error), USAGE) from error
    except CollectorError as error:
        raise Failure(f"{error}; {_DEMO_HINT}", HOST) from error
    except FileNotFoundError as error:
        raise Failure(str(error), HOST) from error
    except Exception as error:
        # Only now: whoever raised one of these has imported it, and nobody else should wait for it.
        from sentinel_engine.collector.place import PlaceError  # noqa: PLC0415
        from sentinel_engine.collector.scope import ScopeError  # noqa: PLC0415
        from sentinel_engine.recording import RecordingError  # noqa: PLC0415
        from sentinel_engine.rules.manifest import RulesFolderError  # noqa: PLC0415
        from sentinel_engine.rules.policy import PolicyError  # noqa: PLC0415
        from sentinel_engine.session import SessionError  # noqa: PLC0415

        if isinstance(error, RulesFolderError | PolicyError | SessionError | RecordingError | ScopeError | PlaceError):
            raise Failure(str(error), USAGE) from error
        raise


def common(command: F) -> F:
    """The options every running command has."""
    for option in (
        click.option(
            "--config", type=click.Path(path_type=Path), help="A config file (YAML) instead of the usual ones."
        ),
        click.option("--keep-hours", type=click.FloatRange(min=0), help="Keep raw events no longer than this."),
        click.option(
            "--keep", type=click.IntRange(min=4), metavar="MB", help="Keep at most so many MB of raw events (256)."
        ),
        click.option("--no-record", is_flag=True, help="Keep no raw events; alerts and actions are kept."),
        click.option("--session-dir", type=click.Path(path_type=Path), help="Where sessions are kept."),
        click.option("--no-builtin-rules", is_flag=True, help="Leave the built-in rule pack out."),
        click.option(
            "--workers",
            type=click.IntRange(min=1, max=64),
            help="Threads that rules may use when they have much to do; by default half the cores.",
        ),
        click.option(
            "--policy",
            type=click.Path(path_type=Path),
            help="YAML file that grants rules their capabilities; /etc/sentinel-tui/policy.yaml, if there is one.",
        ),
        click.option(
            "--rules", multiple=True, type=click.Path(path_type=Path), help="A folder of rules to add; repeatable."
        ),
    ):
        command = option(command)
    return command


def live(command: F) -> F:
    """The option of every command that looks at the running kernel."""
    names = click.Choice([loader.value for loader in Loader])
    description = (
        "How eBPF gets in: compiled ahead (core), by BCC, or the first that this host can (auto, the default)."
    )
    return click.option("--loader", type=names, help=description)(command)


def scoped(command: F) -> F:
    """The options that say whose events are reported, and how many."""
    for option in (
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N",
            help="Report at most N events a second of each process and bulk kind (opens, connects, …). What is over it "
            "is counted and told in `suppressed` events, but not seen: a process can hide in its own noise.",
        ),
        click.option(
            "--ignore", multiple=True, metavar="FIELD=VALUE",
            help="Leave these out; written as with --only, repeatable.",
        ),
        click.option(
            "--only", multiple=True, metavar="FIELD=VALUE",
            help="Report only uid=1000 or uid=NAME, pid=N (with all that descends from it), cgroup=PATH (with those "
            "below it); repeatable. Values of one field add up; each field that is named must fit.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def raw_stdout() -> BinaryIO:
    """Standard output without a buffer of Python's: a line is out, or the error says that it is not."""
    return open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)


def echo_json(value: Any) -> None:
    """Print this value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
