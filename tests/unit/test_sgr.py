"""Fewer bytes for styles: each character looks as it did, whatever came before and wherever a write is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_tui.sgr import Styles

RED, BLUE, DARK = "38;2;200;0;0", "38;5;21", "48;2;18;18;18"
PIECE = re.compile(r"\x1b\[(?P<codes>[\d;]*)m|(?P<other>\x1b\[[\d;?]*[A-Za-z]|\r\n)|(?P<char>.)", re.DOTALL)


def seen(text: str) -> list[tuple[str, ...]]:
    """Each character with its colours and attributes, and what else a terminal is told, in order."""
    foreground = background = ""
    attributes: set[str] = set()
    found: list[tuple[str, ...]] = []
    for piece in PIECE.finditer(text):
        if piece["char"]:
            found.append((piece["char"], foreground, background, *sorted(attributes)))
        elif piece["other"]:
            found.append((piece["other"],))
        else:
            codes = re.findall(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|\d+", piece["codes"]) or ["0"]
            for code in codes:
                if code == "0":
                    foreground, background, attributes = "", "", set()
                elif code.startswith("38;") or re.fullmatch(r"3[0-7]|9[0-7]", code):
                    foreground = code
                elif code.startswith("48;") or re.fullmatch(r"4[0-7]|10[0-7]", code):
                    background = code
                elif code in {"39", "49"}:
                    foreground, background = ("", background) if code == "39" else (foreground, "")
                else:
                    attributes.add(code)
    return found


codes = st.sampled_from(
    ["0", "", RED, BLUE, DARK, "1", "7", "2", "31", "97", "44", "39", "49", f"1;{RED};{DARK}", "0;1;4"]
)
pieces = st.one_of(
    codes.map(lambda code: f"\x1b[{code}m"),
    st.sampled_from(["a", " ", "日", "\r\n", "\x1b[3;1H", "\x1b[6n", "\x1b[2J", "\x1b[?25l"]),
)


@given(st.lists(st.lists(pieces, max_size=12).map("".join), max_size=5))
def test_everything_looks_as_before(writes: list[str]) -> None:
    styles = Styles()
    assert seen("".join(map(styles.shorten, writes))) == seen("".join(writes))


def test_only_what_changes_is_sent() -> None:
    styles = Styles()
    row = f"\x1b[{RED};{DARK}ma\x1b[0m\x1b[{BLUE};{DARK}mb\x1b[0m\r\n\x1b[2;1H\x1b[{BLUE};{DARK}mc\x1b[0m"
    assert styles.shorten(row) == f"\x1b[0;{RED};{DARK}ma\x1b[{BLUE}mb\r\n\x1b[2;1Hc"
    assert styles.shorten(f"\x1b[{BLUE};{DARK}md\x1b[0m") == "d"
    assert styles.shorten("e") == "\x1b[0me"


def test_after_another_screen_nothing_is_taken_for_known() -> None:
    styles = Styles()
    styles.shorten(f"\x1b[{RED}ma")
    assert styles.shorten(f"\x1b[?1049h\x1b[{RED}mb") == f"\x1b[?1049h\x1b[0;{RED}mb"


@pytest.mark.parametrize("text", ["\x1b[58;2;1;2;3ma", "\x1b[38;7ma", "\x1b[38;2;1ma", "\x1b[53ma\x1b[0m"])
def test_codes_that_are_not_known_stay_as_they_are(text: str) -> None:
    styles = Styles()
    assert styles.shorten("x\x1b[31m") == "\x1b[0mx"
    assert styles.shorten(text) == f"\x1b[31m{text}"
    assert styles.shorten("b") == "\x1b[0mb"
