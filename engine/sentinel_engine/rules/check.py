"""All that is wrong with a rule, before anything of it runs; only when nothing is, it is started once."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import wasmtime

from sentinel_engine.records import Clock
from sentinel_engine.rules.manifest import (
    MANIFEST,
    MODULE_SUFFIXES,
    Candidate,
    RuleSpec,
    id_of,
    is_candidate,
    is_ignored,
    read_module,
    survey,
)
from sentinel_engine.rules.reading import RuleError, noting
from sentinel_engine.rules.testfile import TESTS, RecordingCase, read_tests, recording_of
from sentinel_engine.wasm.instance import TABLE_ELEMENTS, TABLES
from sentinel_engine.wasm.linking import faults
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.tables import table_sizes

_BATCH: Final = 1024
_SOURCES: Final = (".rs", ".c", ".h", ".toml", ".wat")
_LIKE_A_RULE: Final = frozenset({".wasm", ".wat", ".yaml", ".yml", ".rs", ".c"})
_MAKE_FOLDER: Final = f"end its name in .wasm or .wat, or put it into a folder with {MANIFEST} (sentinel-tui rules new)"
_MAX_FILES: Final = 1000  # of one rule that are looked at
_CHECKOUT_SECONDS: Final = 5  # a checkout writes a module and its source in any order, a moment apart


@dataclass(frozen=True, slots=True)
class Report:
    """One rule, what keeps it from being loaded, and what its author may not have meant."""

    path: Path
    id: str
    problems: list[RuleError] = field(default_factory=list)
    warnings: list[RuleError] = field(default_factory=list)


def check(folders: Sequence[Path], sandbox: Sandbox) -> list[Report]:
    """Look at every rule in these folders, and at what looks like one. Raises RulesFolderError."""
    reports = [_report(found, sandbox) for found in survey(folders, builtin=False)]
    return reports + [report for folder in folders for report in _not_loaded(folder)]


def _report(found: Candidate, sandbox: Sandbox) -> Report:
    problems, spec = list(found.problems), found.spec
    if spec is None:
        return Report(found.path, id_of(found.path), problems)
    code = b""
    with noting(problems):
        code = read_module(spec)
        problems += _about_module(spec, code, sandbox)
    problems += _about_tests(spec)
    if not problems:
        with noting(problems):
            LoadedRule(sandbox, spec, code, Clock(0)).close()
    once = {str(problem): problem for problem in problems}  # a module that cannot be opened is found out twice
    warnings = _stale(spec) + (_misnamed(spec.folder, spec.path) if spec.folder else [])
    return Report(found.path, spec.id, list(once.values()), warnings)


def _about_module(spec: RuleSpec, code: bytes, sandbox: Sandbox) -> Iterator[RuleError]:
    module, _ = sandbox.compile(code)
    yield from faults(module, spec)
    sizes = table_sizes(code if code.startswith(b"\0asm") else bytes(wasmtime.wat2wasm(code.decode())))
    if max(sizes, default=0) > TABLE_ELEMENTS:
        yield RuleError(f"a table begins with {max(sizes)} elements, the most is {TABLE_ELEMENTS}", "declare less")
    if len(sizes) > TABLES:
        yield RuleError(f"it has {len(sizes)} tables, the most is {TABLES}", "use fewer")


def _about_tests(spec: RuleSpec) -> list[RuleError]:
    cases, problems = read_tests(spec)
    for recording in sorted({case.recording for case in cases if isinstance(case, RecordingCase)}):
        with noting(problems):
            for _ in recording_of(spec, recording).batches(_BATCH):
                pass  # it is read to its end, which finds out all that can be wrong with it
    return problems


def _stale(spec: RuleSpec) -> list[RuleError]:
    """A module that is older than its source is not what its author thinks it is."""
    newest = max(_sources(spec), key=_changed_at, default=spec.path)
    if not _changed_at(newest) > _changed_at(spec.path) + _CHECKOUT_SECONDS > _CHECKOUT_SECONDS:
        return []
    return [RuleError(f"{spec.path} is older than {newest}", f"build it again: sentinel-tui rules build {spec.home}")]


def _sources(spec: RuleSpec) -> list[Path]:
    """What the module may have been made of: in a bare module's case the files of its name."""
    if spec.folder is None:
        return [spec.path.with_suffix(suffix) for suffix in _SOURCES if suffix != spec.path.suffix]
    files = islice(_files(spec.folder), _MAX_FILES)
    return [path for path in files if path.suffix in _SOURCES and path != spec.path]


def _files(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_ignored(name)]
        yield from (Path(at, name) for name in names if not is_ignored(name))


def _changed_at(path: Path) -> float:
    """When this file was last written; 0 for what is no file, or not there."""
    try:
        found = path.lstat()
    except OSError:
        return 0.0
    return found.st_mtime if stat.S_ISREG(found.st_mode) else 0.0


def _misnamed(folder: Path, module: Path) -> list[RuleError]:
    """Files of a rule's folder that look as if they were read, and are not."""
    _, _, files = next(os.walk(folder), ("", [], []))
    names = sorted(name for name in files if not is_ignored(name))
    warnings = [
        RuleError(f"{folder / name} is not read", f"rename it to {TESTS}")
        for name in names
        if TESTS not in names and difflib.get_close_matches(name.lower(), [TESTS], cutoff=0.8)
    ]
    return warnings + [
        RuleError(
            f"{folder / name} is not used: the rule's module is {module.name}",
            f"remove it, or name it in {MANIFEST} (module: {name})",
        )
        for name in names
        if name.endswith(MODULE_SUFFIXES) and Path(name).stem != module.stem
    ]


def _not_loaded(folder: Path) -> list[Report]:
    """Files among rules that look like one, and are passed over."""
    entries = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
    if any(path.name == MANIFEST for path in entries):
        return []  # the folder is one rule
    rules = {path.stem for path in entries if is_candidate(path)}
    return [
        Report(path, path.name, warnings=[RuleError(f"{path} looks like a rule, but is not loaded", _MAKE_FOLDER)])
        for path in entries
        if not is_candidate(path)
        and path.stem not in rules
        and _LIKE_A_RULE.intersection(map(str.lower, path.suffixes))
    ]
