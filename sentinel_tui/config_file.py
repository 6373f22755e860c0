"""Reads config files: what is wrong with one is said with its file, line and key, and with what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec
import yaml

from sentinel_engine.rules.reading import RuleError, parse_yaml, read_file
from sentinel_engine.text import inert
from sentinel_tui.config import ConfigError, ConfigFile

MAX_CONFIG: Final = 64 << 10
_TYPES: Final = {
    name: kind for name, kind in get_type_hints(ConfigFile, include_extras=True).items() if name != "files"
}


def read_files(paths: Sequence[Path]) -> ConfigFile:
    """What these files say: later ones win, their ``keys`` add up. Raises ConfigError."""
    found: dict[str, Any] = {}
    for path in paths:
        said = _read(path)
        found |= said | {"keys": found.get("keys", {}) | said.get("keys", {})}
    return msgspec.convert(found | {"files": [str(path) for path in paths]}, ConfigFile)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_file(path, MAX_CONFIG)
        document = parse_yaml(text, path)
    except RuleError as error:
        raise ConfigError(f"the config file cannot be used: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path} line 1: a config file is 'key: value' lines; README.md has an example")
    lines = _lines(yaml.compose(text, yaml.SafeLoader))
    for key, value in document.items():
        try:
            _check(key, value)
        except ValueError as error:
            raise ConfigError(f"{path} line {lines[str(key)]}: {error}") from None
    if keys := document.get("keys"):
        _check_keys(keys, path, lines)
    return document


def _lines(document: yaml.Node | None) -> dict[str, int]:
    """The line of each key, those of ``keys`` as ``keys.NAME``."""
    found = {}
    for key, value in document.value if isinstance(document, yaml.MappingNode) else ():
        found[str(key.value)] = key.start_mark.line + 1
        if key.value == "keys":
            found |= {f"keys.{name}": line for name, line in _lines(value).items()}
    return found


def _check(key: Any, value: Any) -> None:
    """Raises ValueError with what is wrong and what is allowed."""
    if key not in _TYPES:
        near = difflib.get_close_matches(str(key), _TYPES, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_TYPES)}"
        raise ValueError(f"{inert(str(key), 40)} is no key; {hint}")
    try:
        msgspec.convert(value, _TYPES[key])
    except msgspec.ValidationError:
        allowed = next(meta.description for meta in _TYPES[key].__metadata__)
        raise ValueError(f"{key} must be {allowed}, not {inert(repr(value), 60)}") from None


def _check_keys(keys: Mapping[str, Any], path: Path, lines: Mapping[str, int]) -> None:
    from sentinel_tui.keymap import KeymapError, with_keys  # noqa: PLC0415 - imports Textual: only for those who need it

    try:
        with_keys(keys)
    except KeymapError as error:
        raise ConfigError(f"{path} line {lines[f'keys.{error.action}']}: {error}") from None
