"""Themes: one YAML file each, checked strictly, turned into Textual themes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import yaml
from textual.theme import Theme

from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.snapshot import Severity
from sentinel_engine.text import inert

MAX_THEME: Final = 64 << 10
FIRST: Final = "midnight"

Color = Annotated[str, msgspec.Meta(pattern=r"^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class ThemeError(Exception):
    """A theme that cannot be used; the text is one sentence for the user."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Base(_Strict, frozen=True):
    """The ground: ``bar`` is behind the header and the keys, ``cursor`` behind the selected line."""

    background: Color
    bar: Color
    cursor: Color
    text: Color
    muted: Color
    accent: Color


class _Panes(_Strict, frozen=True):
    events: Color
    rules: Color
    alerts: Color
    tree: Color


class _Severities(_Strict, frozen=True):
    critical: Color
    high: Color
    medium: Color
    low: Color
    info: Color


class _States(_Strict, frozen=True):
    """``good``: enabled and live; ``warn``: paused or behind; ``bad``: failed, quarantined, lost."""

    good: Color
    warn: Color
    bad: Color


class ThemeFile(_Strict, frozen=True):
    """What themes/README.md describes. A kind that is not named has the text's colour."""

    name: Name
    dark: bool
    base: _Base
    panes: _Panes
    severities: _Severities
    states: _States
    kinds: dict[str, Color] = {}


def load_themes(folder: Path) -> tuple[list[Theme], list[str]]:
    """The themes of this folder, midnight first, and a sentence for each file that is not one.

    Raises ThemeError when there is no usable theme at all.
    """
    themes, problems = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            themes.append(load_theme(path))
        except ThemeError as error:
            problems.append(str(error))
    if not themes:
        raise ThemeError(problems[0] if problems else f"there is no theme in {folder}; install sentinel-tui again")
    return sorted(themes, key=lambda theme: (theme.name != FIRST, theme.name)), problems


def load_theme(path: Path) -> Theme:
    """The theme in this file. Raises ThemeError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_THEME + 1)
        if len(raw) > MAX_THEME:
            raise ThemeError(f"the theme {path.name} is larger than {MAX_THEME >> 10} KiB")
        theme = msgspec.convert(yaml.safe_load(raw), ThemeFile)
    except OSError as error:
        raise ThemeError(f"the theme {path.name} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise ThemeError(f"the theme {path.name} is not YAML: {_one_line(error)}") from error
    except msgspec.ValidationError as error:
        raise ThemeError(f"the theme {path.name} is wrong: {_one_line(error)}; see themes/README.md") from error
    if unknown := sorted(theme.kinds.keys() - KIND_BY_NAME.keys()):
        raise ThemeError(f"the theme {path.name} colours {inert(unknown[0], 40)}, which is no event kind")
    return _textual(theme)


def _one_line(error: Exception) -> str:
    return inert(" ".join(str(error).split()), 200)


def _textual(theme: ThemeFile) -> Theme:
    base = theme.base
    return Theme(
        name=theme.name,
        dark=theme.dark,
        primary=base.accent,
        accent=base.accent,
        foreground=base.text,
        background=base.background,
        surface=base.background,
        panel=base.bar,
        success=theme.states.good,
        warning=theme.states.warn,
        error=theme.states.bad,
        variables=_variables(theme),
    )


def _variables(theme: ThemeFile) -> dict[str, str]:
    groups: dict[str, Any] = {"base": theme.base, "pane": theme.panes, "severity": theme.severities}
    groups["state"] = theme.states
    found = {
        f"{group}-{name}": color for group, of in groups.items() for name, color in msgspec.structs.asdict(of).items()
    }
    return found | {f"kind-{name}": theme.kinds.get(name, theme.base.text) for name in KIND_BY_NAME}


def variable_defaults() -> dict[str, str]:
    """A value for each variable our style sheets use, for the moment before the first theme is set."""
    names = [f"base-{name}" for name in _Base.__struct_fields__]
    names += [f"pane-{name}" for name in _Panes.__struct_fields__]
    names += [f"state-{name}" for name in _States.__struct_fields__]
    names += [f"severity-{name}" for name in Severity]
    names += [f"kind-{name}" for name in KIND_BY_NAME]
    return dict.fromkeys(names, "#808080")
