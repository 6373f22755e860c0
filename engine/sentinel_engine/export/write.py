"""From a session's folder to a file that is whole or not there."""

from __future__ import annotations

import enum
import importlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from sentinel_engine.export.case import Case
from sentinel_engine.export.document import Selection
from sentinel_engine.export.reading import Progress, silent
from sentinel_engine.files import atomic_file, write_all
from sentinel_engine.session import SessionError


class Format(enum.StrEnum):
    """What a case can be written as."""

    JSON = "json"
    JSONL = "jsonl"
    ECS = "ecs"
    OCSF = "ocsf"
    CSV = "csv"
    HTML = "html"


# Imported when asked for: the console, which exports JSON, need not wait for the rest.
_WRITERS: Final = {
    Format.JSON: ("json_document", "document"),
    Format.JSONL: ("json_document", "lines"),
    Format.ECS: ("ecs", "lines"),
    Format.OCSF: ("ocsf", "lines"),
    Format.CSV: ("csv_table", "rows"),
    Format.HTML: ("html_report", "report"),
}


class Request(msgspec.Struct, frozen=True):
    """What to export, and how."""

    format: Format = Format.JSON
    selection: Selection = Selection()
    redact: bool = False


def export_session(
    session: Path,
    output: Path | BinaryIO,
    request: Request = Request(),  # noqa: B008 - frozen
    *,
    force: bool = False,
    progress: Progress = silent,
) -> int:
    """Write the case to this file, whole or not at all, or to this stream; returns the number of alerts.

    Raises SessionError: not readable, not writable, or the name is taken and ``force`` is not given.
    """
    if isinstance(output, Path):
        _refuse(output, force)  # before the work, not after it; atomic_file asks again when it counts
    module, name = _WRITERS[request.format]
    chunks: Callable[[Case], Iterator[bytes]] = getattr(
        importlib.import_module(f"sentinel_engine.export.{module}"), name
    )
    try:
        case = Case(session, request.selection, redacted=request.redact, progress=progress)
    except OSError as error:
        said = f"no room for the events around alerts: {error.strerror}; TMPDIR names another folder for them"
        raise SessionError(said) from error
    try:
        if not isinstance(output, Path):
            for chunk in chunks(case):
                write_all(output, chunk)
            return len(case)
        with atomic_file(output, force=force) as file:
            file.writelines(chunks(case))
    except FileExistsError as error:
        raise _taken(output) from error
    except OSError as error:
        if not isinstance(output, Path):
            raise
        raise SessionError(f"{error.strerror}: cannot write {output}; nothing was left there") from error
    finally:
        case.close()
    return len(case)


def _refuse(output: Path, force: bool) -> None:
    if not force and (output.is_symlink() or output.exists()):
        raise _taken(output)
    try:
        mode = output.parent.stat().st_mode
    except OSError:
        return  # atomic_file says it
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        said = (
            f"everybody can write to {output.parent} and put another file in place of the case; choose another folder"
        )
        raise SessionError(said)


def _taken(output: Path | BinaryIO) -> SessionError:
    return SessionError(f"{output} exists; choose another name, or --force to replace it")
