"""All that is wrong with a rule, before anything of it runs; only when nothing is, it is started once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentinel_engine.records import Clock
from sentinel_engine.rules.manifest import RuleError, RuleSpec, id_of, noting, read_module, survey
from sentinel_engine.rules.testfile import read_tests
from sentinel_engine.wasm.linking import faults
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox

_SOURCES = ("src/lib.rs", "src/rule.c", "Cargo.toml")


@dataclass(frozen=True, slots=True)
class Report:
    """One rule and what is wrong with it."""

    path: Path
    id: str
    problems: list[RuleError]


def check(folders: Sequence[Path], sandbox: Sandbox) -> list[Report]:
    """Look at every rule in these folders. Raises RulesFolderError for a folder that cannot be used."""
    reports = []
    for found in survey(folders, builtin=False):
        problems = list(found.problems)
        if found.spec:
            problems += _about_module(found.spec, sandbox, start=not problems)
        reports.append(Report(found.path, found.spec.id if found.spec else id_of(found.path), problems))
    return reports


def _about_module(spec: RuleSpec, sandbox: Sandbox, *, start: bool) -> list[RuleError]:
    problems: list[RuleError] = []
    with noting(problems):
        code = read_module(spec)
        module, _ = sandbox.compile(code)
        problems += faults(module, spec)
        problems += read_tests(spec)[1]
        problems += _stale(spec)
        if start and not problems:
            LoadedRule(sandbox, spec, code, Clock(0)).close()
    return problems


def _stale(spec: RuleSpec) -> list[RuleError]:
    """A module that is older than its source is not what its author thinks it is."""
    built = spec.path.stat().st_mtime
    for name in _SOURCES:
        source = (spec.folder or spec.path.parent) / name
        if spec.folder and source.is_file() and source.stat().st_mtime > built:
            return [RuleError(f"{spec.path} is older than {source}", f"run: sentinel-tui rules build {spec.folder}")]
    return []
