"""`sentinel-tui export`: a case as one file, in the form that its reader wants."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from sentinel_engine.describe import rfc3339
from sentinel_engine.export.document import Selection
from sentinel_engine.export.evidence import check
from sentinel_engine.export.reading import silent
from sentinel_engine.export.write import Format, Request, export_session
from sentinel_engine.session import find_session
from sentinel_engine.snapshot import Severity
from sentinel_engine.text import inert
from sentinel_tui.command import BAD, common, failing_plainly
from sentinel_tui.config import Options, merge

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_QUIET_SECONDS: Final = 1.0
_REDRAW_SECONDS: Final = 0.2
_EXAMPLES: Final = """\b
Examples:
  sentinel-tui export 20261123T043148Z-812 -o case.json
  sentinel-tui export 20261123T043148Z-812 --format html --redact -o report.html
  sentinel-tui export 20261123T043148Z-812 --since 2h --severity high --format csv
  sentinel-tui export 20261123T043148Z-812 --format ecs | gzip >alerts.ndjson.gz
  sentinel-tui export --check case.json
"""


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """A time as RFC 3339 in UTC with nanoseconds, from an ISO 8601 text or from so long ago; empty for none."""
    if value is None:
        return ""
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", value):
        return rfc3339(max(0, time.time_ns() - int(ago[1]) * _UNITS[ago[2]] * 1_000_000_000))
    # The fraction apart: datetime has microseconds, our times have nanoseconds.
    parts = re.fullmatch(r"(.*?:\d\d:\d\d)\.(\d{1,9})(.*)", value)
    whole, fraction = (parts[1] + parts[3], parts[2].ljust(9, "0")) if parts else (value, "0")
    try:
        moment = datetime.fromisoformat(whole)
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        said = f"{value!r} is no time; write 2026-11-23T04:31:48Z, 2026-11-23, or 30m, 2h, 3d for so long ago"
        raise click.BadParameter(said) from error
    return rfc3339(max(0, seconds * 1_000_000_000 + int(fraction)))


class _Bar:
    """Progress on a terminal's last line, from the second second on."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _QUIET_SECONDS
        self._shown = False

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next and total:
            self._next = now + _REDRAW_SECONDS
            self._shown = True
            filled = 30 * min(done, total) // total
            click.echo(
                f"\r\x1b[K{what} [{'#' * filled}{'.' * (30 - filled)}] {100 * done // total} %", nl=False, err=True
            )

    def clear(self) -> None:
        """Leave the line as it was before."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@click.command(epilog=_EXAMPLES)
@click.argument("session", required=False)
@click.option(
    "--check",
    "document",
    type=click.Path(path_type=Path),
    help="Say whether this exported JSON document is whole and unaltered.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
@click.option("--force", is_flag=True, help="Replace the file when it exists; a link is replaced, never followed.")
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in Format]),
    default=Format.JSON.value,
    show_default=True,
    help="json: one document with all there is. jsonl: the same, a line each. ecs, ocsf: a line for each alert, for a "
    "SIEM (Elastic Common Schema, OCSF Detection Finding). csv: a row for each alert. html: a report to print.",
)
@click.option(
    "--since", metavar="TIME", callback=_moment, help="Only what was not over before; a time (UTC), or 30m, 2h, 3d ago."
)
@click.option("--until", metavar="TIME", callback=_moment, help="Only what had begun by then.")
@click.option("--alert", "alerts", multiple=True, metavar="ID", help="Only this alert; repeatable.")
@click.option("--rule", "only_rules", multiple=True, metavar="ID", help="Only alerts of this rule; repeatable.")
@click.option("--severity", type=click.Choice([one.value for one in Severity]), help="Only alerts so urgent, or more.")
@click.option("--redact", is_flag=True, help="Blot out home folders and what looks like a secret.")
@common
@click.pass_obj
def export(  # noqa: PLR0913 - one parameter for each option
    outer: Options, /, session: str | None, *, document: Path | None, output: Path | None, force: bool, form: str,
    since: str, until: str, alerts: tuple[str, ...], only_rules: tuple[str, ...], severity: str | None, redact: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Write a session as one file. SESSION is a folder or an id from `sentinel-tui sessions`.

    The file appears when it is whole, or not at all, and replaces none without --force.
    """
    if document:
        _check(document)
        return
    if session is None:
        raise click.UsageError("name a session, or a document with --check")
    selection = Selection(
        since, until, alerts, only_rules, Severity(severity) if severity else None
    )  # fmt: skip
    bar = _Bar() if sys.stderr.isatty() else None
    with failing_plainly():
        folder = find_session(session, merge(given, outer).session_root())
        try:
            count = export_session(
                folder, output or sys.stdout.buffer, Request(Format(form), selection, redact), force=force,
                progress=bar or silent,
            )  # fmt: skip
        finally:
            if bar:
                bar.clear()
    if output:
        click.echo(f"exported {count} alert{'' if count == 1 else 's'} to {output}", err=True)


def _check(document: Path) -> None:
    with failing_plainly():
        found = check(document)
    if found.broken:
        click.echo(f"{document} is NOT what was written: {inert(found.broken, 500)}")
        sys.exit(BAD)
    click.echo(f"{document} is whole and unaltered: {found.entries:,} alerts and actions")
    click.echo(f"the session's evidence when it was exported: sha256 {found.journal}")
