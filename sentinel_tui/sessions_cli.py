"""`sentinel-tui sessions`: what was recorded here; one of them in full; and away with the old."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from sentinel_engine.session import (
    Digest,
    digest,
    find_session,
    is_running,
    list_sessions,
    remove_session,
)
from sentinel_engine.text import inert
from sentinel_tui.command import BAD, USAGE, Failure, common, failing_plainly
from sentinel_tui.config import Options, merge
from sentinel_tui.widgets import figures

_DAY = 86_400


@click.group(
    "sessions", invoke_without_command=True, epilog="Example:  sentinel-tui sessions show 20261123T043148.120Z-812"
)
@common
@click.pass_context
def sessions(context: click.Context, /, **given: Any) -> None:
    """List what was recorded here, oldest first; `show` one of them, or `prune` the old."""
    with failing_plainly():
        context.obj = merge(given, context.obj)
        if context.invoked_subcommand is None:
            for folder in list_sessions(context.obj.session_root()):
                found = digest(folder)
                click.echo(
                    f"{folder.name}  {found.started[:19]}  {found.alerts:>6} alerts  {figures.size(found.size):>6}"
                    f"  {_state(folder, found)}"
                )


def _state(folder: Path, found: Digest) -> str:
    if found.broken:
        return "ALTERED"
    if not found.started:
        return "nothing was written"
    if found.ended:
        return "ended in order" if not found.torn else f"{found.torn} lines cut"
    return "running" if is_running(folder) else "did not end in order"


@sessions.command("show", epilog="Example:  sentinel-tui sessions show 20261123T043148.120Z-812")
@click.argument("session")
@click.pass_obj
def sessions_show(options: Options, /, *, session: str) -> None:
    """Say what a session holds, what is missing, and whether its journal is as it was written."""
    with failing_plainly():
        folder = find_session(session, options.session_root())
        found = digest(folder)
    raw = f"{figures.size(found.raw_bytes)} in {found.segments} segments" if found.segments else "none kept"
    facts = {
        "session": folder,
        "host": f"{found.host}  by {found.operator}  from {found.started}",
        "state": _state(folder, found),
        "alerts": f"{found.alerts:,}",
        "actions": f"{found.actions:,}",
        "raw events": raw,
        "missing": f"{figures.lost(found.lost)}; {found.evicted:,} raw events had to leave for newer ones",
        "journal": f"{found.entries:,} entries, {found.torn} cut",
        "evidence": found.broken or f"sha256 {found.head}",
    }
    for name, value in facts.items():
        click.echo(f"{name:<11} {inert(str(value), 2000)}")
    if found.broken:
        sys.exit(BAD)


@sessions.command("prune", epilog="Example:  sudo sentinel-tui sessions prune --older 30")
@click.option("--older", type=click.FloatRange(min=0), metavar="DAYS", help="Those that began longer ago than this.")
@click.option("--keep", "newest", type=click.IntRange(min=0), metavar="N", help="All but the newest N.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def sessions_prune(options: Options, /, *, older: float | None, newest: int | None, yes: bool) -> None:
    """Delete sessions for good. Those that run are left alone; without --yes it asks first."""
    if older is None and newest is None:
        raise Failure("say which sessions: --older DAYS, --keep N, or both", USAGE)
    with failing_plainly():
        found = list_sessions(options.session_root())
        old = found[: max(0, len(found) - newest)] if newest is not None else found
        limit = time.time() - (older or 0) * _DAY
        chosen = [one for one in old if one.stat().st_mtime <= limit and not is_running(one)]
        if not chosen:
            click.echo("no session is that old")
            return
        for folder in chosen:
            click.echo(folder.name)
        if not yes and not click.confirm(f"delete for good: {len(chosen)} of {len(found)} sessions?"):
            return
        for folder in chosen:
            remove_session(folder)
    click.echo(f"deleted {len(chosen)} sessions")
