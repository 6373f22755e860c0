"""The first start and the second, in a real terminal; and terminals of few colours."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from tests.system.conftest import COMMAND, in_mounts
from tests.system.terminal import Terminal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the user's config and state are."""
    for name in ("state", "config"):
        (tmp_path / name).mkdir()
    return tmp_path


def demo(home: Path, *settings: str) -> Terminal:
    """The demo at 80x24. Root's state is always in /var/lib, so that is another folder for it."""
    under = in_mounts(f"mount --bind {home}/state /var/lib") if os.geteuid() == 0 else ()
    places = [f"XDG_STATE_HOME={home}/state", f"XDG_CONFIG_HOME={home}/config"]
    return Terminal(home, [*under, "env", *places, *settings, COMMAND, "demo"], width=80, height=24)


def leave(terminal: Terminal, key: str = "q") -> None:
    terminal.type(key)
    terminal.until_text("evidence: sha256")
    terminal.close()


def test_the_first_start_says_what_is_where_and_the_second_is_as_it_was_left(home: Path) -> None:
    terminal = demo(home)
    try:
        assert "process tree" in terminal.until_text("enter closes · shown once")
        terminal.type("Enter")
        terminal.until("the page is closed", lambda screen: "shown once" not in screen)
        terminal.type("2")
        terminal.until_text("━ Rules")
        terminal.type("T")
        terminal.until_text("▸midnight")
        terminal.type("Down")
        terminal.until_text("▸daylight")
        terminal.type("Enter")
        terminal.until_text("theme: daylight")
    finally:
        leave(terminal)
    kept = home / "state" / "sentinel-tui" / "view.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["theme"] == "daylight"
    config = home / "config" / "sentinel-tui"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text("keys: {quit: f10}\n")
    terminal = demo(home)
    try:
        screen = terminal.until_text("f10 quit")
        assert "━ Rules" in screen
        assert "shown once" not in screen
    finally:
        leave(terminal, "F10")


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        (["TERM=linux"], r"\x1b\[(0|1|7|3[0-79]|4[0-79]|9[0-7]|10[0-7]|;)+m"),
        (["TERM=vt100"], r"\x1b\[(0|1|7|39|49|;)+m"),
        (["NO_COLOR=1"], r"\x1b\[(0|1|7|39|49|;)+m"),
    ],
)
def test_a_terminal_is_given_no_more_colours_than_it_has(home: Path, settings: list[str], allowed: str) -> None:
    terminal = demo(home, *settings)
    try:
        terminal.type("Enter", "1", "}")  # at once to the first alert
        terminal.until("an alert", lambda screen: "▲" in screen)
        styles = set(re.findall(r"\x1b\[[0-9;]*m", terminal.styled()))
        assert len(styles) > 3
        assert not [style for style in styles if not re.fullmatch(allowed, style)]
    finally:
        leave(terminal)
