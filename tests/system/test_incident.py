"""One incident from the alert to the case on the disk, in a real terminal, on the real kernel, by keys alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sentinel_engine.session import read_session
from tests.system.conftest import COMMAND
from tests.system.terminal import Terminal
from tests.system.test_console import _left, _rule

# What breaks in: it reads what it should not, again and again as it is told, and keeps a child.
INTRUDER = """
import subprocess, sys
child = subprocess.Popen(["sleep", "300"])
print(child.pid, flush=True)
for line in sys.stdin:
    open(line.strip(), "rb").close()
"""


class Intruder:
    """A process that opens what it is told to, and has a child."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["python3", "-c", INTRUDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.pid, self.child = self._process.pid, int(self._process.stdout.readline())

    def opens(self, path: Path) -> None:
        """Let it open this."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()

    def end(self) -> int:
        """Its exit code; ends it when it has not ended."""
        if psutil.pid_exists(self.child):
            os.kill(self.child, 9)
        self._process.kill()
        return self._process.wait(10)


@pytest.fixture
def intruder() -> Iterator[Intruder]:
    one = Intruder()
    yield one
    one.end()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A console with two rules, `mine` about needle-a and `noise` about needle-b, and an editor.

    What the editor saves makes the rule look for needle-c in place of needle-a.
    """
    rules, editor = tmp_path / "rules", tmp_path / "editor"
    rules.mkdir()
    for name in ("needle-a", "needle-b", "needle-c"):
        (tmp_path / name).write_text("x")  # before anybody looks
    (rules / "mine.wat").write_text(_rule("needle-a"))
    (rules / "noise.wat").write_text(_rule("needle-b"))
    before, after = (int.from_bytes(name.encode()[-8:], "little") for name in ("needle-a", "needle-c"))
    editor.write_text(f"#!/bin/sh\nsed -i s/{before}/{after}/ $1\n")
    editor.chmod(0o755)
    command = ["env", f"EDITOR={editor}", COMMAND, "--no-builtin-rules", "--rules", rules]
    running = Terminal(tmp_path, [str(part) for part in (*command, "--session-dir", tmp_path / "sessions")])
    try:
        running.until_text("● LIVE")
        yield running
    finally:
        running.close()


@pytest.mark.kernel
def test_an_incident_is_worked_from_the_alert_to_the_case(
    tmp_path: Path, terminal: Terminal, intruder: Intruder
) -> None:
    for name in ("needle-c", "needle-a", "needle-b"):  # of the first nothing looks for yet
        intruder.opens(tmp_path / name)
    look_at_the_alert(terminal, intruder)
    hide_the_noise(terminal)
    hunt_for_what_was_missed(terminal)
    end_the_intruder(terminal, intruder)
    terminal.type("e")
    terminal.until_text("exported 3 alerts")
    terminal.type("q")
    assert _left(terminal) == 0
    (session,) = (tmp_path / "sessions").iterdir()
    check_the_case(session, tmp_path)


def look_at_the_alert(terminal: Terminal, intruder: Intruder) -> None:
    """Its tree, what its process did, a note; the stream narrowed to it."""
    terminal.until_text(f"◀ alert {intruder.pid}")
    terminal.type("3", "i", "rule=mine", "Enter")
    terminal.until_text("Alerts ─ filter: rule=mine")
    terminal.type("Enter")
    terminal.until_text("What the process did around it")
    terminal.type("BSpace")
    terminal.until_text("Alerts ─ filter: rule=mine")
    terminal.type("n", "seen by me", "Enter")
    terminal.until_text("noted: seen by me")
    terminal.type("f", f"pid={intruder.pid} kind=open", "Enter")
    terminal.until("its last open", lambda screen: "needle-b" in screen and "filter: pid=" in screen)


def hide_the_noise(terminal: Terminal) -> None:
    """It is seen beforehand what would be hidden, and afterwards how much is."""
    terminal.type("3", "i", *["BSpace"] * len("rule=mine"), "rule=noise", "Enter")
    terminal.until_text("Alerts ─ filter: rule=noise")
    terminal.type("x")
    terminal.until_text("would have hidden 1 of the last 2 alerts")
    terminal.type("Enter")
    terminal.until_text("1 suppressed")
    terminal.type("i", *["BSpace"] * len("rule=noise"), "Enter")
    terminal.until("the other alert alone", lambda screen: "filter: rule" not in screen and "mine" in screen)


def hunt_for_what_was_missed(terminal: Terminal) -> None:
    """The rule is edited, taken in by itself, and run over the past."""
    terminal.type("2", "Home", "E")
    terminal.until_text("mine is reloaded: generation 2")
    terminal.type("h")
    terminal.until_text("mine over the past: 1 match")
    terminal.type("3", "Home")
    terminal.until_text("past: ")


def end_the_intruder(terminal: Terminal, intruder: Intruder) -> None:
    """It and what it started, after two questions that name them."""
    terminal.type("K")
    terminal.until_text(f"sleep ({intruder.child})")
    terminal.type("K")
    terminal.until_text("yes, kill")
    terminal.type("y")
    terminal.until_text("and 1 that it started")
    assert intruder.end() == -9
    terminal.until("its child has ended", lambda _: not psutil.pid_exists(intruder.child))


def check_the_case(session: Path, folder: Path) -> None:
    """All that was seen and done is in the export, and the journal is whole."""
    (exported,) = session.glob("export-*.json")
    document = json.loads(exported.read_bytes())
    found = {(one["rule"]["id"], one["past"]): one for one in document["alerts"]}
    assert set(found) == {("mine", False), ("noise", False), ("mine", True)}
    assert found["mine", False]["triage"]["note"] == "seen by me"
    assert found["noise", False]["triage"]["suppressed"].startswith("rule=noise")
    assert found["mine", True]["event"]["path"] == str(folder / "needle-c")
    wanted = ["note", "suppress", "reload", "hunt", "hunted", "kill-tree", "export"]
    assert [one["action"] for one in document["actions"] if one["action"] in wanted] == wanted
    assert read_session(session).complete
