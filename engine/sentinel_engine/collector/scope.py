"""Whose events are reported: by user, by process tree, by cgroup. Checked in the kernel, before a record is made.

An event is kept when, for each field that ``only`` names, one of its values is the process's own, and none that
``ignore`` names is. A process tree is a process and all that descends from it, also what is not born yet. A cgroup is
that cgroup and those that were below it when the scope was set.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentinel_engine.collector.cgroupfs import cgroup2_mount, cgroup_folders

# Bits of config.only and config.ignore, and values in the scope maps; see bpf/maps.h.
FIELDS: Final = {"uid": 1, "pid": 2, "cgroup": 4}
ONLY, IGNORE = 1, 2

_MAX_TERMS: Final = 256
_MAX_ID: Final = 0xFFFFFFFE
_MAX_CGROUPS, _MAX_PROCESSES = 4096, 16384 // 2  # TRACKED and half of MEMBERS in bpf/maps.h: processes have children
_PROC: Final = Path("/proc")
_WORD: Final = re.compile(r"--(only|ignore)(?:=|\s+)(\S+)")


class ScopeError(ValueError):
    """A scope that cannot be; one sentence with what to do."""


@dataclass(frozen=True, slots=True)
class Term:
    """One ``field=value``: its value as the kernel compares it, and as it was written."""

    field: str
    value: int
    text: str

    def __str__(self) -> str:
        return f"{self.field}={self.text}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is reported. Without a term everybody is."""

    only: tuple[Term, ...] = ()
    ignore: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.only or self.ignore)

    def __str__(self) -> str:
        """As on the command line: ``--only uid=1000 --ignore pid=42``."""
        return " ".join([*(f"--only {term}" for term in self.only), *(f"--ignore {term}" for term in self.ignore)])

    def sides(self, field: str) -> dict[int, int]:
        """Value -> ONLY and IGNORE bits, of this field's terms."""
        found: dict[int, int] = {}
        for terms, side in ((self.only, ONLY), (self.ignore, IGNORE)):
            for term in terms:
                if term.field == field:
                    found[term.value] = found.get(term.value, 0) | side
        return found


EVERYBODY: Final = Scope()


def mask_of_fields(terms: Iterable[Term]) -> int:
    """The bits of the fields that these terms name."""
    mask = 0
    for term in terms:
        mask |= FIELDS[term.field]
    return mask


def parse_scope(only: Sequence[str], ignore: Sequence[str]) -> Scope:
    """The scope of these ``field=value`` texts. Raises ScopeError."""
    if len(only) + len(ignore) > _MAX_TERMS:
        raise ScopeError(f"a scope has at most {_MAX_TERMS} terms")
    return Scope(tuple(map(_term, only)), tuple(map(_term, ignore)))


def parse_scope_line(line: str) -> Scope:
    """The scope of one line, as str(scope) writes it; an empty line is everybody. Raises ScopeError."""
    words = _WORD.findall(line)
    if rest := _WORD.sub("", line).strip():
        raise ScopeError(f"{rest.split()[0]} is neither --only FIELD=VALUE nor --ignore FIELD=VALUE")
    return parse_scope(*([text for side, text in words if side == wanted] for wanted in ("only", "ignore")))


def _term(text: str) -> Term:
    field, _, value = text.partition("=")
    if field not in FIELDS or not value:
        raise ScopeError(f"{text} is no scope: write uid=NUMBER or uid=NAME, pid=NUMBER, or cgroup=PATH")
    return Term(field, {"uid": _uid, "pid": _pid, "cgroup": _cgroup}[field](value), value)


def _uid(value: str) -> int:
    if value.isascii() and value.isdecimal():
        if int(value) > _MAX_ID:
            raise ScopeError(f"uid={value}: a user id is at most {_MAX_ID}")
        return int(value)
    try:
        return pwd.getpwnam(value).pw_uid
    except KeyError:
        raise ScopeError(f"uid={value}: there is no user of that name here; give its number") from None


def _pid(value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or not (_PROC / value / "stat").exists():
        raise ScopeError(f"pid={value}: there is no such process")
    if (_PROC / value / "task" / value).exists():
        return int(value)
    raise ScopeError(f"pid={value}: that is a thread; give the number of its process")


def _cgroup(value: str) -> int:
    if value.isascii() and value.isdecimal():
        return int(value)
    mount = cgroup_mount()
    if mount is None:
        raise ScopeError("this host has no cgroup v2 hierarchy mounted: leave cgroup= out")
    for path in (Path(value), mount / value.lstrip("/")):
        if path.is_relative_to(mount) and path.is_dir():
            return path.stat().st_ino
    raise ScopeError(f"cgroup={value}: there is no such cgroup below {mount}; systemd-cgls lists them")


def cgroup_mount() -> Path | None:
    """The folder of the cgroup v2 hierarchy; None where it is not mounted."""
    mount = cgroup2_mount()
    return Path(os.fsdecode(mount)) if mount else None


def cgroups_below(roots: dict[int, int]) -> dict[int, int]:
    """These cgroups and those below them now, with the sides of the roots."""
    mount = cgroup2_mount()
    found = dict(roots)
    if not roots or mount is None:
        return found
    sides = {b"": roots.get(Path(os.fsdecode(mount)).stat().st_ino, 0)}  # of each folder, by its path
    for cgroup, path in cgroup_folders(mount):
        sides[path] = roots.get(cgroup, 0) | sides[path.rpartition(b"/")[0]]
        if sides[path]:
            found[cgroup] = sides[path]
    return _limited(found, _MAX_CGROUPS, "cgroups")


def descendants(roots: dict[int, int]) -> dict[int, int]:
    """These processes and what descends from them now, with the sides of the roots."""
    if not roots:
        return {}
    parents = {int(path.name): _parent(path) for path in _PROC.iterdir() if path.name.isdecimal()}
    found = dict(roots)
    for pid in parents:
        at, steps = pid, 0
        while at and steps < len(parents):
            if at in roots:
                found[pid] = found.get(pid, 0) | roots[at]
            at, steps = parents.get(at, 0), steps + 1
    return _limited(found, _MAX_PROCESSES, "processes")


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_bytes().rpartition(b") ")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _limited(found: dict[int, int], limit: int, what: str) -> dict[int, int]:
    if len(found) > limit:
        raise ScopeError(f"the scope would have {len(found)} {what}, and at most {limit} can be told apart: narrow it")
    return found
