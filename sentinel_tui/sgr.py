"""Styles on the wire: a change of colour is sent as what changes.

Textual sends every style whole and takes it back after each piece of a line: two thirds of a frame's bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_SGR: Final = re.compile(r"\x1b\[([\d;]*)m")
# What moves the cursor or asks where it is paints nothing, whatever the style.
_PAINTS_NOTHING: Final = re.compile(r"(?:\r\n|\x1b\[\d+;\d+H|\x1b\[6n)*")
# What else is no text may change the terminal's style by itself, such as going to the other screen.
_UNKNOWN: Final = re.compile(r"\x1b(?!\[\d+;\d+H|\[6n)")
_ON: Final = frozenset({"1", "2", "3", "4", "7", "9"})


class Style(NamedTuple):
    """As SGR codes; an empty one is the terminal's own."""

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()


_OWN: Final = Style()


class Styles:
    """What was sent so far decides what has to be: every byte for the terminal goes through here."""

    def __init__(self) -> None:
        self._shown: Style | None = None  # None: not known
        self._wanted = _OWN

    def shorten(self, text: str) -> str:
        """The same for the eye, in fewer bytes. What holds codes that are not known here stays as it is."""
        wanted, shown = self._wanted, self._shown
        out: list[str] = []
        at = 0
        for found in _SGR.finditer(text):
            shown = _put(out, text[at : found.start()], shown, wanted)
            after = _after(wanted, found[1])
            if after is None:
                before = _change(self._shown, self._wanted)
                self._shown, self._wanted = None, _OWN
                return before + text
            wanted, at = after, found.end()
        self._shown, self._wanted = _put(out, text[at:], shown, wanted), wanted
        return "".join(out)


def _put(out: list[str], piece: str, shown: Style | None, wanted: Style) -> Style | None:
    """Add this piece in this style; the style that the terminal has then."""
    if _PAINTS_NOTHING.fullmatch(piece):
        out.append(piece)
        return shown
    out += (_change(shown, wanted), piece)
    return None if _UNKNOWN.search(piece) else wanted


@lru_cache(4096)
def _change(shown: Style | None, wanted: Style) -> str:
    if shown == wanted:
        return ""
    if shown is None or shown.attributes - wanted.attributes or wanted == _OWN:
        shown = _OWN
        codes = ["0"]
    else:
        codes = []
    if shown.foreground != wanted.foreground:
        codes.append(wanted.foreground or "39")
    if shown.background != wanted.background:
        codes.append(wanted.background or "49")
    codes += sorted(wanted.attributes - shown.attributes)
    return f"\x1b[{';'.join(codes)}m"


@lru_cache(4096)
def _after(style: Style, codes: str) -> Style | None:
    """The style after these codes; None when one of them is not known."""
    left = codes.split(";")
    while left:
        code = left.pop(0)
        if code in {"", "0"}:
            style = _OWN
        elif code in _ON:
            style = style._replace(attributes=style.attributes | {code})
        elif code in {"38", "48"}:
            size = {"5": 2, "2": 4}.get(left[0] if left else "", 0)
            if not size or len(left) < size:
                return None
            color = ";".join([code, *left[:size]])
            del left[:size]
            style = style._replace(foreground=color) if code == "38" else style._replace(background=color)
        elif re.fullmatch(r"3[0-79]|9[0-7]", code):
            style = style._replace(foreground="" if code == "39" else code)
        elif re.fullmatch(r"4[0-79]|10[0-7]", code):
            style = style._replace(background="" if code == "49" else code)
        else:
            return None
    return style
