"""The console over a link: how many bytes it sends, and that a slow one shows what is now, not what was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.conftest import COMMAND
from tests.system.link import Link

# Opens ten thousand files a second, for at most twelve minutes.
LOAD = """
import os, time
began = time.monotonic()
done = 0
while (passed := time.monotonic() - began) < 700:
    while done < passed * 10_000:
        os.close(os.open("/etc/hostname", os.O_RDONLY))
        done += 1
    time.sleep(0.002)
"""
Open = Callable[..., Link]


@pytest.fixture
def busy() -> Iterator[None]:
    """A host that opens some 10,000 files a second."""
    load = subprocess.Popen([sys.executable, "-c", LOAD])
    yield
    load.kill()
    load.wait()


@pytest.fixture
def open_link(tmp_path: Path) -> Iterator[Open]:
    """``open_link(width, height, rate=)``: a live console at the other end."""
    opened: list[Link] = []

    def one(*size: int, **options: object) -> Link:
        opened.append(Link([COMMAND, "--session-dir", str(tmp_path)], *size, **options))  # type: ignore[arg-type]
        opened[-1].until(lambda screen: b"LIVE" in screen)
        return opened[-1]

    yield one
    for link in opened:
        link.close()


@pytest.mark.kernel
@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(("width", "height", "budget"), [(120, 40, 20_000), (80, 24, 12_000)])
def test_a_busy_host_takes_no_more_than_its_bytes(open_link: Open, width: int, height: int, budget: int) -> None:
    link = open_link(width, height)
    link.measure(2)  # the first frames draw everything
    assert link.measure(4) / 4 <= budget


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.usefixtures("busy")
def test_no_screen_takes_more_than_its_bytes(open_link: Open) -> None:
    link = open_link(120, 40)
    sent = {}
    for keys in ("?", "l", "5", "5\r", "2\r", "1\x1b[A\r", "1\x1b[A", "2 ", "T"):
        link.type(keys)
        link.measure(1)  # to draw it takes what it takes
        sent[keys] = link.measure(2) / 2
        for _ in range(2):
            link.type("\x1b")
            link.measure(0.3)  # a key right after an escape would be one with Alt
    assert {keys: count for keys, count in sent.items() if count > 20_000} == {}


@pytest.mark.kernel
@pytest.mark.usefixtures("busy")
def test_a_slow_link_is_marked_and_never_a_second_behind(open_link: Open) -> None:
    link = open_link(120, 40)
    link.rate = 20_000
    link.measure(4)
    link.measure(6)
    assert link.behind < 1.0
    link.rate = 5_000
    link.until(lambda screen: b"slow link" in screen)
    link.rate = None
    link.forget()
    link.type("q")
    assert link.left() == 0


@pytest.mark.kernel
def test_a_terminal_that_answers_nothing_is_drawn_all_the_same(open_link: Open) -> None:
    link = open_link(80, 24, answers=False)
    link.forget()
    link.until(lambda screen: b"00:00:04" in screen or b"00:00:05" in screen)
    link.forget()
    link.type("?")
    link.until(lambda screen: b"Keys" in screen)
    link.forget()
    link.type("q")
    link.until(lambda screen: b"Rules" in screen)
    link.type("q")
    assert link.left() == 0


def test_a_terminal_without_a_cursor_is_refused_in_a_sentence(tmp_path: Path) -> None:
    link = Link([COMMAND, "demo", "--session-dir", str(tmp_path)], 80, 24, environment={"TERM": "dumb"})
    try:
        link.until(lambda screen: b"cannot move the cursor of a terminal of type dumb; set TERM" in screen)
        assert link.left() == 2
        assert b"\x1b" not in link.screen
    finally:
        link.close()


@pytest.mark.parametrize("term", ["xterm", "screen", "tmux-256color", "linux", "vt100"])
def test_every_usual_terminal_is_drawn_on_and_given_back(tmp_path: Path, term: str) -> None:
    link = Link([COMMAND, "demo", "--session-dir", str(tmp_path)], 80, 24, environment={"TERM": term, "COLORTERM": ""})
    try:
        link.until(lambda screen: b"REPLAY" in screen)
        for size in ((20, 5), (200, 60), (1, 1), (120, 40), (80, 24)):
            link.forget()
            link.resize(*size)
            link.until(bool)
        link.forget()
        link.type("3")
        link.until(lambda screen: b"Alerts" in screen)
        link.type("q")
        link.until(lambda screen: b"\x1b[?1049l" in screen and b"evidence: sha256" in screen)
        assert link.left() == 0
    finally:
        link.close()
