"""Finds rules in folders and reads their ``rule.yaml``. Rules are untrusted: each file is bounded and checked.

A rule is a folder with ``rule.yaml`` and a module, or a bare ``.wasm``/``.wat`` file, which gets defaults.
One bad rule is a :class:`RuleProblem` beside the good ones, never the end of the search.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from sentinel_engine.rules.form import checked, suggest
from sentinel_engine.rules.reading import (
    RuleError,
    check_ours,
    noting,
    open_ours,
    parse_yaml,
    read_file,
    refuse_writable,
)
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.snapshot import Severity

MANIFEST: Final = "rule.yaml"
MAX_MODULE: Final = 1 << 20
MAX_MANIFEST: Final = 64 << 10
MAX_CONFIG: Final = 16 << 10  # the SDK's input buffer
MAX_ENTRIES: Final = 4096
DEFAULT_MEMORY: Final = 16 << 20
DEFAULT_DEADLINE_MS: Final = 100
CAPABILITIES: Final = frozenset({"log", "clock", "process", "config", "state"})
MODULE_SUFFIXES: Final = (".wasm", ".wat")
DEFAULT_MESSAGE: Final = "{comm}: {kind} {path}"
# What a Rust project and the SDK put beside the rules; no rules are looked for there.
_NOT_RULES: Final = frozenset({"sdk", "target"})
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# A bare module is named by cargo or by hand, so its name may hold more.
_BARE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# In the place of what is missing or wrong, so that the rest of a manifest can be looked at too; nothing runs with them.
_PLACEHOLDERS: Final = {"version": "0", "title": "-", "severity": Severity.INFO}


class RulesFolderError(Exception):
    """A rules folder that cannot be used at all; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rule may use: linear memory in bytes, and milliseconds per event."""

    memory_bytes: int = DEFAULT_MEMORY
    deadline_ms: int = DEFAULT_DEADLINE_MS


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule as its author described it. Empty ``kinds`` means the default of the module's ABI.

    ``message`` is a template over the event's fields, such as ``{comm} read {path}``; ``config`` is
    JSON for the module, empty when it has none; ``folder`` is None for a bare module. ``denied``: what it asks for and
    the operator's policy does not grant, with a ``grant_hint`` of what to write there.
    """

    id: str
    path: Path
    folder: Path | None
    title: str
    version: str
    severity: Severity
    attack: tuple[str, ...]
    kinds: tuple[str, ...]
    capabilities: frozenset[str]
    limits: Limits
    message: str
    config: bytes
    enabled: bool = True
    builtin: bool = False
    denied: frozenset[str] = frozenset()
    grant_hint: str = ""

    @property
    def home(self) -> Path:
        """The rule's folder, or its bare module."""
        return self.folder or self.path


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """A rule that was found but cannot be used."""

    path: Path
    id: str
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What claims to be a rule, and all that is wrong with it; without a problem it can be loaded.

    ``spec`` is None when too little could be understood, and of no use for running while there are problems.
    """

    path: Path
    spec: RuleSpec | None
    problems: list[RuleError]


class _LimitsYaml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    memory_bytes: Annotated[int, msgspec.Meta(ge=64 << 10, le=256 << 20)] = DEFAULT_MEMORY
    deadline_ms: Annotated[int, msgspec.Meta(ge=10, le=1000)] = DEFAULT_DEADLINE_MS


_Line = Annotated[str, msgspec.Meta(max_length=500)]


class _RuleYaml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of ``rule.yaml``; rules/README.md is their reference."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    severity: Severity
    id: str | None = None
    description: Annotated[str, msgspec.Meta(max_length=8000)] = ""
    attack: Annotated[tuple[_Line, ...], msgspec.Meta(max_length=32)] = ()
    kinds: Annotated[tuple[_Line, ...], msgspec.Meta(max_length=64)] = ()
    capabilities: Annotated[tuple[_Line, ...], msgspec.Meta(max_length=8)] = ()
    limits: _LimitsYaml = _LimitsYaml()
    message: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] = DEFAULT_MESSAGE
    config: Any = None
    module: _Line | None = None
    enabled: bool = True


def discover(folders: Sequence[Path], *, builtin: bool) -> tuple[list[RuleSpec], list[RuleProblem]]:
    """All rules in these folders, in the order of folders and names, and those that cannot be used.

    A folder may be one rule itself, or hold rule folders and bare modules. Raises RulesFolderError
    for a folder that is missing, unreadable, or, when running as root, writable by others.
    """
    specs: list[RuleSpec] = []
    problems: list[RuleProblem] = []
    for found in survey(folders, builtin=builtin):
        if found.spec and not found.problems:
            specs.append(found.spec)
        else:
            first = found.problems[0]
            problems.append(RuleProblem(found.path, id_of(found.path), first.reason, first.fix))
    return specs, problems


def survey(folders: Sequence[Path], *, builtin: bool) -> list[Candidate]:
    """What ``discover`` goes by: each candidate in these folders with all of its problems. Raises RulesFolderError."""
    found: list[Candidate] = []
    holders: dict[str, Path] = {}
    for path in [path for folder in folders for path in _candidates(folder, builtin=builtin)]:
        candidate = inspect(path, builtin=builtin)
        found.append(candidate)
        if candidate.spec and not candidate.problems:
            holder = holders.setdefault(candidate.spec.id, candidate.spec.path)
            if holder != candidate.spec.path:
                reason = f"the id {candidate.spec.id} is already taken by {holder}"
                candidate.problems.append(RuleError(reason, "give one of the two another id"))
    return found


def load_spec(path: Path, *, builtin: bool) -> RuleSpec:
    """The rule at this path: a folder with ``rule.yaml``, or a bare module. Raises RuleError, the first of them."""
    found = inspect(path, builtin=builtin)
    if found.spec is None or found.problems:
        raise found.problems[0]
    return found.spec


def inspect(path: Path, *, builtin: bool) -> Candidate:
    """The rule at this path, a folder with ``rule.yaml`` or a bare module, and all that is wrong with it."""
    found = Candidate(path, None, [])
    with noting(found.problems):
        bare = path.suffix in MODULE_SUFFIXES and not path.is_dir()
        spec = _bare(path, builtin=builtin) if bare else _from_folder(path, found.problems, builtin=builtin)
        found = replace(found, spec=spec)
        os.close(open_ours(spec.path, builtin=builtin))  # refuse now what could not be read later
    return found


def read_module(spec: RuleSpec) -> bytes:
    """The bytes of this rule's module, at most MAX_MODULE. Raises RuleError."""
    return read_file(spec.path, MAX_MODULE, builtin=spec.builtin)


def read_beside(spec: RuleSpec, name: str, limit: int) -> bytes:
    """Another file of the rule's folder, at most ``limit`` bytes, as carefully opened. Raises RuleError."""
    return read_file((spec.folder or spec.path.parent) / name, limit, builtin=spec.builtin)


def _candidates(folder: Path, *, builtin: bool) -> list[Path]:
    """What in this folder claims to be a rule."""
    try:
        folder_stat = folder.stat()
        if not stat.S_ISDIR(folder_stat.st_mode):
            raise RulesFolderError(f"the rules folder {folder} is not a folder; name the folder that holds the rules.")
        refuse_writable(folder, folder_stat, builtin=builtin)
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        raise RulesFolderError(f"the rules folder {folder} does not exist; create it or correct its name.") from None
    except OSError as error:
        raise RulesFolderError(f"the rules folder {folder} cannot be read: {error.strerror}.") from None
    except RuleError as error:
        raise RulesFolderError(f"{error}.") from None
    if len(names) > MAX_ENTRIES:
        raise RulesFolderError(
            f"the rules folder {folder} holds more than {MAX_ENTRIES} files; use one made for rules."
        )
    if MANIFEST in names:
        return [folder]
    return [path for name in names if not is_ignored(name) and is_candidate(path := folder / name)]


def is_rule_id(name: str) -> bool:
    """Whether a rule's folder may have this name, and the rule get its id from it."""
    return _ID.fullmatch(name) is not None and not is_ignored(name)


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is never a rule: hidden, an editor's copy, the SDK."""
    return name.startswith((".", "#", "__")) or name.endswith("~") or name in _NOT_RULES


def is_candidate(path: Path) -> bool:
    """Whether what is at this path claims to be a rule."""
    return path.suffix in MODULE_SUFFIXES or path.is_dir()


def id_of(path: Path) -> str:
    """What a rule at this path is called while its manifest is not understood."""
    return path.stem if path.suffix in MODULE_SUFFIXES else path.name


def _bare(path: Path, *, builtin: bool) -> RuleSpec:
    if not _BARE_ID.fullmatch(path.stem):
        raise RuleError("the file name makes no rule id", "name it with letters, digits, '-', '_' and '.' (at most 64)")
    return RuleSpec(
        id=path.stem, path=path, folder=None, title=path.stem, version="0", severity=Severity.MEDIUM, attack=(),
        kinds=(), capabilities=CAPABILITIES, limits=Limits(), message=DEFAULT_MESSAGE, config=b"", builtin=builtin,
    )  # fmt: skip


def _from_folder(folder: Path, problems: list[RuleError], *, builtin: bool) -> RuleSpec:
    with noting(problems):
        check_ours(folder, builtin=builtin)
    manifest = folder / MANIFEST
    document = parse_yaml(read_file(manifest, MAX_MANIFEST, builtin=builtin), manifest)
    if not isinstance(document, dict):
        raise RuleError(f"{manifest}: is not a list of 'key: value' lines", "see rules/README.md for the keys")
    good, wrong = checked(document, _RuleYaml)
    problems += [RuleError(f"{manifest}: {reason}", fix) for reason, fix in wrong]
    return _spec(folder, _RuleYaml(**(_PLACEHOLDERS | good)), problems, builtin=builtin)


def _spec(folder: Path, form: _RuleYaml, problems: list[RuleError], *, builtin: bool) -> RuleSpec:
    manifest = folder / MANIFEST
    rule_id = folder.resolve().name if form.id is None else form.id
    if not _ID.fullmatch(rule_id):
        problems.append(
            RuleError(f"{manifest}: {rule_id!r} is no rule id", "use a-z, 0-9 and '-', at most 64 characters")
        )
    for key, values, known in (
        ("kinds", form.kinds, list(KIND_BY_NAME)),
        ("capabilities", form.capabilities, sorted(CAPABILITIES)),
    ):
        problems += [
            RuleError(f"{manifest}: {key}: unknown {value!r}", suggest(value, known))
            for value in values
            if value not in known
        ]
    config = b""
    with noting(problems):
        config = _config(form.config, manifest)
    asked = {*form.capabilities, *(["config"] if config else [])}
    return RuleSpec(
        id=rule_id, path=folder / _module_name(folder, form.module), folder=folder, title=form.title,
        version=form.version, severity=form.severity, attack=form.attack,
        kinds=tuple(filter(KIND_BY_NAME.__contains__, form.kinds)),
        capabilities=CAPABILITIES & asked, message=form.message, config=config,
        limits=Limits(form.limits.memory_bytes, form.limits.deadline_ms), enabled=form.enabled, builtin=builtin,
    )  # fmt: skip


def _module_name(folder: Path, named: str | None) -> str:
    if named is None:
        names = [f"rule{suffix}" for suffix in MODULE_SUFFIXES if os.path.lexists(folder / f"rule{suffix}")]
        if not names:
            raise RuleError(f"{folder} has no rule.wasm and no rule.wat", "build the rule (sentinel-tui rules build)")
        return names[0]
    if Path(named).name != named or not named.endswith(MODULE_SUFFIXES):
        reason = f"{folder / MANIFEST}: module: {named!r} is not the name of a .wasm or .wat file"
        raise RuleError(reason, "name a file in the rule's folder")
    return named


def _config(value: Any, manifest: Path) -> bytes:
    if value is None:
        return b""
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        raise RuleError(
            f"{manifest}: config: holds a value JSON has no form for", "use text, numbers and lists"
        ) from None
    if len(encoded) > MAX_CONFIG:
        raise RuleError(f"{manifest}: config: is {len(encoded)} bytes as JSON", f"keep it within {MAX_CONFIG}")
    return encoded
