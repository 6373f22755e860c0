"""Copying, as far as the terminal: tmux takes what the console sends; and the plain view leaves the mouse to it."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import COMMAND
from tests.system.link import Link
from tests.system.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The demo in tmux, which lets programs set its clipboard."""
    running = Terminal(tmp_path, [COMMAND, "--session-dir", str(tmp_path / "sessions"), "demo"])
    subprocess.run(["tmux", "-S", str(tmp_path / "tmux-0"), "set-option", "-s", "set-clipboard", "on"], check=True)
    running.until("events", lambda screen: " exec " in screen)
    yield running
    running.close()


def test_what_is_copied_is_in_the_clipboard_of_tmux(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("p", "Up", "c")
    screen = terminal.until_text("copied ")
    (line,) = [line for line in screen.splitlines() if line.startswith("┃▸")]
    shown = line[4:].split()  # time, kind, pid, program
    deadline = time.monotonic() + 5
    while not (buffer := _buffer(tmp_path)):
        assert time.monotonic() < deadline, "tmux has no buffer"
        time.sleep(0.05)  # between two looks at a terminal there is no event to wait for
    assert buffer.split()[1:4] == shown[1:4]
    assert buffer.startswith(shown[0])


def test_what_is_copied_goes_through_screen_to_the_terminal_around_it(tmp_path: Path) -> None:
    sockets = tmp_path / "screen"
    sockets.mkdir(mode=0o700)
    run = [COMMAND, "--session-dir", str(tmp_path / "sessions"), "demo"]
    # The folder as SCREENDIR: a server of its own, which ends with the command that it runs, or when it is told to.
    environment = {"SCREENDIR": str(sockets)}
    link = Link(["screen", "-U", "-c", os.devnull, *run], environment=environment)
    try:
        link.until(lambda screen: b"ENDED" in screen or b"exec" in screen)
        link.type("p")
        link.until(lambda screen: b"PAUSED" in screen)
        link.type("\x1b[A")
        link.until(lambda screen: "▸".encode() in screen)
        link.type("c")
        link.until(lambda screen: b"copied " in screen and b"\x1b]52;c;" in screen)
        found = re.search(rb"\x1b\]52;c;([\w+/=]+)\x07", link.screen)
        assert found
        assert re.match(rb"\d\d:\d\d:\d\d\.\d{3} ", base64.b64decode(found[1]))
        link.type("q")
        assert link.left() == 0
    finally:
        link.close()
        quit_it = ["screen", "-X", "quit"]
        subprocess.run(quit_it, env={**os.environ, **environment}, check=False, capture_output=True)


def _buffer(folder: Path) -> str:
    show = ["tmux", "-S", str(folder / "tmux-0"), "show-buffer"]
    return subprocess.run(show, check=False, capture_output=True, text=True).stdout


def test_the_plain_view_leaves_the_mouse_to_the_terminal(terminal: Terminal) -> None:
    assert terminal.modes() == "1 0 1"
    terminal.type("z")
    screen = terminal.until_text("z goes back")
    assert not set("┃│╭━") & set(screen)
    assert terminal.modes() == "1 0 0"
    terminal.type("z")
    terminal.until("the frames", lambda screen: "┃" in screen)
    assert terminal.modes() == "1 0 1"
