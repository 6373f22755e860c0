"""`replay --from` through the command line, and in a real terminal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from sentinel_engine.resources import data_dir
from tests.system.conftest import COMMAND
from tests.system.terminal import Terminal

DEMO = data_dir("rules") / "demo.rec"


def _replay(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "replay", DEMO, "--session-dir", folder, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=60)


def test_what_was_before_is_played_too_so_the_alerts_are_the_same(tmp_path: Path) -> None:
    def alerts(*arguments: object) -> dict[str, object]:
        done = _replay(tmp_path, "--headless", *arguments)
        assert done.returncode == 0, done.stderr
        lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
        return {line["id"]: line for line in lines if line["type"] == "alert"}

    whole = alerts()
    assert len(whole) > 5
    # At this pace the second half alone would take a tenth of a second, and the whole two.
    assert alerts("--from", "50%", "--speed", "200") == whole


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--headless", "--from", "soon"], "soon is no place in a recording: write +90s"),
        (["--headless", "--from", "01:02:03"], "01:02:03 is not in this recording, which goes from 06:36:13 to"),
        (["--verify", "--from", "50%"], "--verify looks at the whole session: leave --from out"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = _replay(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_console_begins_there_and_goes_back_by_keys(tmp_path: Path) -> None:
    command = [COMMAND, "replay", DEMO, "--from", "50%", "--session-dir", tmp_path / "s"]
    terminal = Terminal(tmp_path, [str(part) for part in command], 80, 24)
    try:
        terminal.until("half of it played", lambda screen: 50 <= _share(screen) < 60)
        terminal.type("P")
        terminal.until_text("■ STOPPED")
        terminal.type("0")
        terminal.until("the beginning", lambda screen: _share(screen) == 0)
        terminal.type("g", "75%", "Enter")
        terminal.until("three quarters", lambda screen: _share(screen) == 75)
        terminal.type("q")
        terminal.until("the end", lambda _: terminal.exit_code.exists() and terminal.exit_code.read_text() == "0\n")
    finally:
        terminal.close()


def _share(screen: str) -> int:
    found = re.search(r"\d\d:\d\d:\d\d (\d+)%", screen.partition("\n")[0])
    return int(found[1]) if found else -1
