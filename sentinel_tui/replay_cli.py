"""`sentinel-tui replay`: a session or a recording once more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sentinel_engine.collector.place import parse_place
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.seeking import goal_at
from sentinel_engine.segments import segments_in
from sentinel_engine.session import SessionError, find_session
from sentinel_engine.text import inert
from sentinel_engine.verify import verify
from sentinel_tui.command import BAD, USAGE, Failure, common, failing_plainly, raw_stdout
from sentinel_tui.config import Options, merge
from sentinel_tui.terminal import need_terminal


@click.command(
    "replay",
    epilog="Examples:  sentinel-tui replay 20261123T043148.120Z-812 --from 10:22:31   |   "
    "sentinel-tui replay take.rec --headless",
)
@click.argument("session")
@click.option("--headless", is_flag=True, help="Print the same lines as `watch`, as fast as can be.")
@click.option("--verify", "verifying", is_flag=True, help="Run the recorded rules: are the alerts the same?")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Times as fast as it happened.")
@click.option(
    "--from",
    "start",
    metavar="PLACE",
    help="Begin there: 10:22:31 (UTC), 50% or +90s. What was before is played too, as fast as can be.",
)
@common
@click.pass_obj
def replay(  # noqa: PLR0913 - one for each option
    outer: Options, /, *, session: str, headless: bool, verifying: bool, speed: float | None, start: str | None,
    **given: Any,
) -> None:  # fmt: skip
    """Play a session's events again through the rules of today, in the console or as lines.

    SESSION is an id from `sentinel-tui sessions`, a session's folder, or a file of `watch --record`.
    """
    with failing_plainly():
        options = merge(given, outer)
        if verifying:
            if start:
                raise Failure("--verify looks at the whole session: leave --from out", USAGE)
            _verify(find_session(session, options.session_root()))
            return
        source = RecordedSource(
            _paths(session, options), speed or (None if headless else 1.0), f"replay of {Path(session).name}"
        )
        if start:
            source.playback.rush(goal_at(parse_place(start), source))
        from sentinel_tui.run import Limits, console  # noqa: PLC0415 - the console takes longer than all the rest
        from sentinel_tui.run import headless as run_headless  # noqa: PLC0415
        from sentinel_tui.watch import Watch  # noqa: PLC0415

        if headless:
            run_headless(source, options, Watch(raw_stdout(), events=False), Limits(None, None))
        else:
            need_terminal("--headless")
            console(source, options)


def _paths(session: str, options: Options) -> Path | list[Path]:
    if Path(session).is_file():
        return Path(session)
    folder = find_session(session, options.session_root())
    if paths := segments_in(folder):
        return paths
    raise SessionError(f"{session} has no raw events to play; it was made with --no-record")


def _verify(folder: Path) -> None:
    found = verify(folder)
    for said in (*found.notes, *found.differences):
        click.echo(inert(said, 500))
    if not found.reproduced:
        click.echo(f"NOT reproduced: {len(found.differences)} differences in {found.alerts} alerts")
        sys.exit(BAD)
    click.echo(f"reproduced: {found.alerts} alerts")
