"""Begins a rule: a folder with a manifest, a source and tests that pass, copied from ``rules/sdk/templates``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import is_rule_id
from sentinel_engine.rules.reading import RuleError, check_ours

LANGUAGES: Final = ("rust", "wat", "c")
_FILES: Final = {"rust": "src/lib.rs", "wat": "rule.wat", "c": "src/rule.c"}


def new_rule(name: str, language: str, into: Path) -> list[Path]:
    """Make the rule folder ``into``/``name`` and return its files; ``into`` is made when it is missing.

    Nothing that is there is touched. Raises RuleError, and KeyError for a language that is not in LANGUAGES.
    """
    names = ("rule.yaml", _FILES[language], "tests.yaml")
    if not is_rule_id(name):
        raise RuleError(
            f"{name!r} is no rule id", "use a-z, 0-9 and '-', at most 64 characters, and not `sdk` or `target`"
        )
    template = data_dir("rules") / "sdk" / "templates" / language
    folder = into / name
    try:
        if not os.path.lexists(into):
            _make_folder(into)
        check_ours(into)
        _make_folder(folder)
        for parent in {(folder / file).parent for file in names} - {folder}:
            _make_folder(parent)
        return [_copy(template / file, folder / file) for file in names]
    except RuleError as error:
        raise RuleError(error.reason, "name another folder with --into") from None
    except FileExistsError:
        raise RuleError(f"{folder} is already there", "give the rule another name, or remove that one first") from None
    except OSError as error:
        raise RuleError(f"{error.filename} cannot be made: {error.strerror}", "choose another folder") from None


def _make_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)  # whatever the umask: others may read, and only the owner writes


def _copy(source: Path, target: Path) -> Path:
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with source.open("rb") as template, os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o644)
        shutil.copyfileobj(template, file)
    return target
