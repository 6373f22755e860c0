"""What goes to the terminal's clipboard: inert, cut to what terminals take, wrapped for tmux and screen."""

from __future__ import annotations

import base64
import re

import pytest

from sentinel_tui import clipboard

OSC = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


def taken(sequence: str) -> list[str]:
    return [base64.b64decode(found).decode() for found in OSC.findall(sequence)]


def test_plain() -> None:
    assert taken(clipboard.sequence("cat /etc/shadow — 日本", {})) == ["cat /etc/shadow — 日本"]


def test_tmux_gets_it_for_itself_and_for_the_terminal_around_it() -> None:
    sequence = clipboard.sequence("x" * 300, {"TMUX": "/tmp/tmux-0/default,1,0", "STY": "of an outer screen"})
    wrapped = re.search(r"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\$", sequence)
    assert wrapped
    assert taken(sequence[: wrapped.start()]) == ["x" * 300]
    assert taken(wrapped[1].replace("\x1b\x1b", "\x1b")) == ["x" * 300]


def test_screen_gets_it_in_pieces_that_it_passes_on() -> None:
    text = "".join(map(str, range(2000)))
    sequence = clipboard.sequence(text, {"STY": "1.pts-0"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sequence)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == sequence
    assert max(map(len, pieces)) <= 768
    assert taken("".join(pieces)) == [text]


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "a\u202eb", "\x9b31m", "\x00"])
def test_only_what_is_inert_is_copied(text: str) -> None:
    copied, _ = clipboard.cut(text)
    assert copied.isprintable()
    assert copied != text


def test_what_is_too_long_is_cut_between_characters_and_said() -> None:
    copied, said = clipboard.cut("語" * 30_000)
    assert copied == "語" * (clipboard.MAX_BYTES // 3)
    assert said == f"copied {len(copied.encode()):,} of 90,000 bytes: the terminal's limit"
    assert len(clipboard.sequence(copied, {})) <= 100_000
    assert clipboard.cut("short")[1].startswith("copied 5 bytes, if your terminal")


def test_sudo_does_not_hand_tmux_on_but_has_it_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "STY", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    assert clipboard.multiplexer() == {}
    monkeypatch.setenv("STY", "1.pts-0")
    assert clipboard.multiplexer() == {"STY": "1.pts-0"}
