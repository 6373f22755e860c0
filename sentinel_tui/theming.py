"""Themes: one YAML file each, checked strictly, turned into Textual themes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import yaml
from rich.console import Console
from textual.theme import Theme

from sentinel_engine.rules.reading import RuleError, read_file
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.snapshot import Severity
from sentinel_engine.text import inert

MAX_THEME: Final = 64 << 10
FIRST: Final = "midnight"
FEW_COLORS: Final = "sixteen"
_ORDER: Final = (FIRST, "daylight")  # the others come after them, by name
# In C, where libyaml is there: at each start all themes are read.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_HUES: Final = "black|red|green|yellow|blue|magenta|cyan|white"
Color = Annotated[str, msgspec.Meta(pattern=rf"^(#[0-9a-fA-F]{{6}}|(bright_)?({_HUES}))\Z")]
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


def load_themes(shipped: Path, own: Sequence[Path] = ()) -> tuple[list[Theme], list[str]]:
    """The shipped themes and those of the user's ``own`` folders, which win; and a sentence for each file that is none.

    Raises ThemeError when there is no usable theme at all.
    """
    themes: dict[str, Theme] = {}
    problems = []
    for folder in (shipped, *own):
        for path in sorted(folder.glob("*.yaml")):
            try:
                theme = load_theme(path, shipped=folder is shipped)
                themes[theme.name] = theme
            except ThemeError as error:
                problems.append(str(error))
    if not themes:
        raise ThemeError(problems[0] if problems else f"there is no theme in {shipped}; install sentinel-tui again")
    names = sorted(themes, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    return [themes[name] for name in names], problems


def load_theme(path: Path, *, shipped: bool = False) -> Theme:
    """The theme in this file; as root, one of the user's is refused when others can write it. Raises ThemeError."""
    try:
        raw = path.read_bytes() if shipped else read_file(path, MAX_THEME)
        theme = msgspec.convert(yaml.load(raw, _Loader), ThemeFile)  # noqa: S506 - _Loader is a safe one
    except RuleError as error:
        raise ThemeError(f"the theme {inert(path.name, 40)} cannot be used: {error}") from error
    except OSError as error:
        raise ThemeError(
            f"the theme {path.name} cannot be read: {error.strerror}; install sentinel-tui again"
        ) from error
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        kind = "wrong" if isinstance(error, msgspec.ValidationError) else "not YAML"
        reason = inert(" ".join(str(error).split()), 200)
        raise ThemeError(f"the theme {inert(path.name, 40)} is {kind}: {reason}; see themes/README.md") from error
    if unknown := sorted(theme.kinds.keys() - KIND_BY_NAME.keys()):
        raise ThemeError(f"the theme {inert(path.name, 40)} colours {inert(unknown[0], 40)}, which is no event kind")
    colors = _colors(theme)
    if len({color.startswith("#") for color in colors.values()}) > 1:
        raise ThemeError(f"the theme {inert(path.name, 40)} mixes #rrggbb with names of colours; use one kind")
    return _textual(theme, colors)


def start_theme(names: Collection[str], asked: str, kept: str, environ: Mapping[str, str]) -> str:
    """The theme to begin with: the one the config asks for, what few colours can show, or the one of the last run."""
    if asked in names:
        return asked
    colors = Console(force_terminal=True, _environ=environ).color_system
    if colors not in {"256", "truecolor"} and FEW_COLORS in names:
        return FEW_COLORS
    return kept if kept in names else next(iter(names))


def _colors(theme: ThemeFile) -> dict[str, str]:
    groups: dict[str, Any] = {"base": theme.base, "pane": theme.panes, "severity": theme.severities}
    groups["state"] = theme.states
    found = {
        f"{group}-{name}": color for group, of in groups.items() for name, color in msgspec.structs.asdict(of).items()
    }
    return found | {f"kind-{name}": theme.kinds.get(name, theme.base.text) for name in KIND_BY_NAME}


def _textual(theme: ThemeFile, colors: Mapping[str, str]) -> Theme:
    ansi = not theme.base.text.startswith("#")
    variables = {name: f"ansi_{color}" if ansi else color for name, color in colors.items()}
    if ansi:  # Textual's own widgets ask for these of such a theme
        variables |= {
            "ansi-background": variables["base-background"],
            "ansi-foreground": variables["base-text"],
            "block-cursor-background": variables["base-cursor"],
            "block-cursor-foreground": variables["base-text"],
        }
    return Theme(
        name=theme.name,
        dark=theme.dark,
        ansi=ansi,
        primary=variables["base-accent"],
        accent=variables["base-accent"],
        foreground=variables["base-text"],
        background=variables["base-background"],
        surface=variables["base-background"],
        panel=variables["base-bar"],
        success=variables["state-good"],
        warning=variables["state-warn"],
        error=variables["state-bad"],
        variables=variables,
    )


def variable_defaults() -> dict[str, str]:
    """A value for each variable our style sheets use, for the moment before the first theme is set."""
    names = [f"base-{name}" for name in _Base.__struct_fields__]
    names += [f"pane-{name}" for name in _Panes.__struct_fields__]
    names += [f"state-{name}" for name in _States.__struct_fields__]
    names += [f"severity-{name}" for name in Severity]
    names += [f"kind-{name}" for name in KIND_BY_NAME]
    return dict.fromkeys(names, "#808080")
