"""The operator's editor, over the suspended console."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

_USUAL: Final = ("vi", "nano")
_SOURCES: Final = (".yaml", ".wat", ".rs", ".c", ".h", ".toml")


class EditorError(Exception):
    """Nothing was edited; the text is a sentence for people."""


def sources(path: Path) -> list[Path]:
    """What can be edited of a rule: the file itself, or the sources in its folder, ``rule.yaml`` first."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    found = [one for one in files if one.suffix in _SOURCES and "target" not in one.parts]
    return sorted(found, key=lambda one: one.name != "rule.yaml")


def edit(path: Path) -> None:
    """Run $VISUAL, $EDITOR, vi or nano on this file until it is left. Raises EditorError."""
    command = _editor()
    try:
        code = subprocess.run([*command, str(path)], check=False).returncode
    except OSError as error:
        raise EditorError(f"{command[0]} cannot be started: {error.strerror}; set EDITOR to another editor") from error
    if code:
        raise EditorError(f"{command[0]} ended with code {code}; look whether {path} is what you want")


def _editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        if chosen := os.environ.get(name):
            try:
                return shlex.split(chosen)
            except ValueError as error:
                raise EditorError(f"{name} is no command line: {chosen}; set it to the name of an editor") from error
    found = next(filter(shutil.which, _USUAL), None)
    if found is None:
        raise EditorError(f"there is no editor: set EDITOR, or install one of {', '.join(_USUAL)}")
    return [found]
