"""From spans of text to a line on the screen: inert, of an exact width, coloured by the theme.

Text of the host reaches the screen only through here. It becomes segments, never markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from sentinel_engine.schema import KINDS
from sentinel_engine.snapshot import Severity
from sentinel_engine.text import inert

# A piece of a line: its text, and names of styles, later ones on top; "@name" is what a click on it does.
Span = tuple[str, str]

_COLORS: Final = {
    "text": "$base-text",
    "muted": "$base-muted",
    "accent": "$base-accent",
    "good": "$state-good",
    "warn": "$state-warn",
    "bad": "$state-bad",
    **{f"severity-{name}": f"$severity-{name}" for name in Severity},
    **{f"kind-{kind.name}": f"$kind-{kind.name}" for kind in KINDS},
}
_TEXT_STYLES: Final = {"strong": "bold", "loud": "bold reverse"}
_LEAST_PATH: Final = 12  # cells, below which two pieces of a path say less than its beginning
SEVERITY_MARKS: Final = {
    Severity.CRITICAL: "▲",
    Severity.HIGH: "▲",
    Severity.MEDIUM: "◆",
    Severity.LOW: "●",
    Severity.INFO: "·",
}


class Painted(Widget):
    """A widget that draws its own lines in the theme's colours."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*_COLORS, *_TEXT_STYLES, "cursor"}
    DEFAULT_CSS = "\n".join(
        [f"Painted > .{name} {{ color: {color}; }}" for name, color in _COLORS.items()]
        + [f"Painted > .{name} {{ text-style: {style}; }}" for name, style in _TEXT_STYLES.items()]
        + ["Painted > .cursor { background: $base-cursor; }"]
    )
    ALLOW_SELECT = False

    def paint(self, spans: Iterable[Span], width: int, under: str = "") -> Strip:
        """One line of exactly ``width`` cells; ``under`` names a style below all spans."""
        base = self.rich_style + self._style(under) if under else self.rich_style
        segments: list[Segment] = []
        for text, names in spans:
            style = base + self._style(names)
            # A blank has no colour of its own; each change of style costs 40 bytes on the wire.
            if text.isspace() and segments and _plain(segments[-1].style) and _plain(style):
                style = segments[-1].style or style
            segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, base).simplify()

    def _style(self, names: str) -> Style:
        return Style.combine(
            Style.from_meta({"@click": name[1:]})
            if name.startswith("@")
            else self.get_component_rich_style(name, partial=True)
            for name in names.split()
        )


def _plain(style: Style | None) -> bool:
    return style is None or not (style.reverse or style.underline or style.meta)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Host text made inert and exactly ``width`` cells wide; what is cut ends in an ellipsis."""
    # What is far past the width is not even looked at: a path may have 4 KiB.
    text = inert(text, 2 * width + 2)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return " " * (width - cells) + text if right else text + " " * (width - cells)


def fit_path(text: str, width: int) -> str:
    """As :func:`fit`, but a path is cut in its middle: what it is, is at its end. ``text`` may be 4 KiB long."""
    text = inert(text)
    if not text.startswith("/") or cell_len(text) <= width or width < _LEAST_PATH:
        return fit(text, width)
    head = set_cell_size(text, width // 3)
    tail = text[-width:]
    while cell_len(tail) > width - width // 3 - 1:
        tail = tail[1:]
    return fit(f"{head}…{tail}", width)


def fold(text: str, width: int, limit: int) -> list[str]:
    """Host text made inert and cut into lines of at most ``width`` cells, at most ``limit`` lines."""
    text = inert(text)
    lines: list[str] = []
    while text and len(lines) < limit:
        taken = len(text)
        while cell_len(text[:taken]) > width:
            taken = taken * width // cell_len(text[:taken]) or 1
            if taken == 1:
                break
        lines.append(text[:taken])
        text = text[taken:]
    if text:
        lines[-1] = fit(lines[-1] + text, width)
    return lines


def spread(columns: Sequence[Span], gap: str = " ") -> list[Span]:
    """Columns side by side with a gap between them."""
    return [span for column in columns for span in (column, (gap, "text"))][:-1]
