"""Reads what decides what root's console does: bounded, through no link, and nothing that others can change."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml


class RuleError(Exception):
    """One rule that cannot be used: ``reason`` says why, ``fix`` what to do; both are sentences without a stop."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason}; {fix}")
        self.reason = reason
        self.fix = fix


@contextmanager
def noting(problems: list[RuleError]) -> Iterator[None]:
    """Add a RuleError to these and go on."""
    try:
        yield
    except RuleError as error:
        problems.append(error)


def check_ours(path: Path, *, builtin: bool = False) -> None:
    """Raises RuleError for no file or folder, a symbolic link, or, when running as root, what others can change."""
    try:
        found = path.lstat()
    except OSError as error:
        raise RuleError(f"{path} cannot be opened: {error.strerror}", "create it or correct its name") from None
    if stat.S_ISLNK(found.st_mode):
        raise RuleError(f"{path} is a symbolic link", "put there what it points to")
    if not stat.S_ISDIR(found.st_mode) and not stat.S_ISREG(found.st_mode):
        raise RuleError(f"{path} is not a regular file", "put a plain file there")
    refuse_writable(path, found, builtin=builtin)


class _Loader(yaml.SafeLoader):
    """Plain YAML only: no aliases (a few lines of them grow into gigabytes), no key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # types-PyYAML leaves it bare
            raise yaml.constructor.ConstructorError(None, None, "an alias is not allowed", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: bytes, path: Path) -> Any:
    """Plain YAML without aliases. Raises RuleError naming the line."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RuleError(f"{path}{line}: {error.problem or 'broken YAML'}", "correct the YAML there") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RuleError(f"{path}: holds bytes that YAML does not allow", "save it as plain UTF-8") from None
    except (RecursionError, ValueError, OverflowError):
        raise RuleError(f"{path}: holds a value that is too deep or out of range", "write it plainly") from None


def read_file(path: Path, limit: int, *, builtin: bool = False) -> bytes:
    """This file, at most ``limit`` bytes; ``builtin``: it came with this code. Raises RuleError."""
    with open(open_ours(path, builtin=builtin), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise RuleError(f"{path} is larger than {limit >> 10} KiB", "make it smaller")
    return data


def open_ours(path: Path, *, builtin: bool) -> int:
    """A descriptor of this regular file, never through a symbolic link and never waiting for a pipe's writer.

    Raises RuleError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise RuleError(f"{path} is a symbolic link", "put the file itself there") from None
        hint = "rename rule.yml to rule.yaml" if path.with_suffix(".yml").exists() else "create it or correct its name"
        raise RuleError(f"{path} cannot be opened: {error.strerror}", hint) from None
    try:
        _refuse_unsafe(path, os.fstat(fd), builtin=builtin)
    except RuleError:
        os.close(fd)
        raise
    return fd


def _refuse_unsafe(path: Path, found: os.stat_result, *, builtin: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise RuleError(f"{path} is not a regular file", "put a plain file there")
    refuse_writable(path, found, builtin=builtin)


def refuse_writable(path: Path, found: os.stat_result, *, builtin: bool) -> None:
    """As root, refuse what anyone else can change: it decides what root's console says. Raises RuleError.

    The built-in pack comes with this code, so whoever owns the code, and their group, may own it too.
    """
    if os.geteuid() != 0:
        return
    owners, bits = ({0, Path(__file__).stat().st_uid}, stat.S_IWOTH) if builtin else ({0}, stat.S_IWGRP | stat.S_IWOTH)
    if found.st_uid not in owners:
        raise RuleError(f"{path} belongs to user {found.st_uid}, not to root", f"run: chown -R root: {path}")
    if found.st_mode & bits:
        raise RuleError(f"{path} can be written by other users than root", f"run: chmod -R go-w {path}")
