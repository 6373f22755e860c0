"""Random keys, text, clicks and resizes on a busy host: nothing may raise, and the console answers afterwards."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sentinel_tui.keymap import ACTIONS
from tests.system.conftest import COMMAND
from tests.system.link import Link
from tests.system.test_links import busy

__all__ = ["busy"]  # a fixture

# How a terminal sends the keys that are no characters.
SEQUENCES = {
    "enter": "\r", "tab": "\t", "space": " ", "escape": "\x1b", "backspace": "\x7f", "up": "\x1b[A", "down": "\x1b[B",
    "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~", "pagedown": "\x1b[6~",
    "shift+tab": "\x1b[Z", "ctrl+p": "\x10", "ctrl+u": "\x15",
}  # fmt: skip
NAMES = {"↑ k": "k", "↓ j": "j", "pgup": "pageup", "pgdn": "pagedown"}
_DEEPEST = 60  # pages over one another, as many as chance opens, and some more
LEAVING = {"q", "ctrl+z", "ctrl+q", "ctrl+c"}
TEXTS = (
    "kind=exec",
    "comm=cat",
    "[red]",
    "\u202e",
    "path!=/etc",
    '"',
    "rule=x for 1h",
    "--only uid=0",
    "(",
    "50%",
    "日本",
)


def keys() -> list[str]:
    """What all bound keys send, but those that leave."""
    shown = {NAMES.get(action.shown, action.shown) for action in ACTIONS} - LEAVING
    return [SEQUENCES.get(name, name) for name in sorted(shown | SEQUENCES.keys())]


def strokes(chance: random.Random) -> Iterator[str | tuple[int, int]]:
    """One after the other: what is typed, or a new size. Without end."""
    bound = keys()
    while True:
        what = chance.random()
        if what < 0.80:
            yield chance.choice(bound)
        elif what < 0.90:
            yield chance.choice(TEXTS) + chance.choice(("\r", "\x1b", ""))
        elif what < 0.97:
            at = f"{chance.randint(1, 120)};{chance.randint(1, 40)}"
            yield f"\x1b[<{chance.choice((0, 64, 65))};{at}M\x1b[<0;{at}m"
        else:
            yield chance.choice(((120, 40), (80, 24), (200, 60), (40, 10), (20, 5)))


def play(folder: Path, seed: int, seconds: float) -> int:
    """Play on one console after the other, since some strokes leave; how many strokes there were."""
    chance = random.Random(seed)
    given = strokes(chance)
    deadline = time.monotonic() + seconds
    done = 0
    while time.monotonic() < deadline:
        # Read-only: what is killed by chance would be this machine's.
        # With it a crash of native code says where it was.
        environment = {"PYTHONFAULTHANDLER": "1"}
        link = Link([COMMAND, "--read-only", "--session-dir", str(folder)], environment=environment)
        try:
            link.until(lambda screen: b"LIVE" in screen)
            while time.monotonic() < deadline and not os.waitid(
                os.P_PID, link.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
            ):
                stroke = next(given)
                if isinstance(stroke, str):
                    link.type(stroke)
                else:
                    link.resize(*stroke)
                done += 1
                time.sleep(chance.choice((0.0, 0.0, 0.01, 0.1)))  # bursts, and as people type
            _leave(link)
        finally:
            link.close()
        assert b"Traceback" not in link.screen, (seed, done, link.screen[-5000:])
    return done


def _leave(link: Link) -> None:
    """Out of whatever is open, show that keys are answered, and leave."""
    if not os.waitid(os.P_PID, link.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        link.resize(120, 40)
        _ask_for_help(link)
        link.type("q")  # closes the help
        link.type("q")
    assert link.left() == 0, link.screen[-30_000:].decode(errors="replace")


def _ask_for_help(link: Link) -> None:
    """Until it is there: pages lie as deep as they were opened, and each escape closes one."""
    for _ in range(_DEEPEST):
        link.type("\x1b")
        time.sleep(0.3)  # a key that follows an escape at once would be taken for one with Alt
        link.forget()
        link.type("?")
        with suppress(AssertionError):
            link.until(lambda screen: b"Keys" in screen, 0.5)
            return
    raise AssertionError(f"no answer to any key: {link.screen[-3000:]!r}")


@pytest.mark.kernel
@pytest.mark.usefixtures("busy")
def test_random_keys_do_no_harm(tmp_path: Path) -> None:
    assert play(tmp_path, seed=20261123, seconds=12) > 100


@pytest.mark.fuzz
@pytest.mark.kernel
@pytest.mark.usefixtures("busy")
def test_random_keys_for_ten_minutes_do_no_harm(tmp_path: Path) -> None:
    seed = int(os.environ.get("SENTINEL_SEED", time.time()))
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when it fails: with it, it fails again
    assert play(tmp_path, seed, seconds=600) > 1000
