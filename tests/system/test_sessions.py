"""Sessions on the disk, through the command line: listed, shown, checked, pruned; and what a kill leaves of them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_engine.resources import data_dir
from sentinel_engine.session import JOURNAL, digest, read_session
from tests.system.conftest import COMMAND

DEMO = data_dir("rules") / "demo.rec"


def _run(*arguments: object, give: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, input=give, check=False)


def _replayed(root: Path) -> Path:
    before = set(root.iterdir())
    done = _run("replay", DEMO, "--headless", "--session-dir", root)
    assert done.returncode == 0, done.stderr
    (folder,) = set(root.iterdir()) - before
    return folder


def test_a_session_is_listed_shown_and_its_evidence_is_what_the_run_said(tmp_path: Path) -> None:
    done = _run("replay", DEMO, "--headless", "--session-dir", tmp_path)
    (folder,) = tmp_path.iterdir()
    listed = _run("sessions", "--session-dir", tmp_path).stdout
    assert folder.name in listed
    assert "ended in order" in listed
    shown = _run("sessions", "--session-dir", tmp_path, "show", folder.name)
    assert shown.returncode == 0
    head = done.stderr.rpartition("evidence: sha256 ")[2].strip()
    assert len(head) == 64
    assert f"sha256 {head}" in shown.stdout


def test_an_altered_session_is_named_with_the_first_broken_entry(tmp_path: Path) -> None:
    folder = _replayed(tmp_path)
    journal = folder / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if line.startswith(b'{"type":"alert"'))
    lines[at] = lines[at].replace(b'"uid":', b'"uld":', 1)
    journal.write_bytes(b"".join(lines))
    shown = _run("sessions", "--session-dir", tmp_path, "show", folder.name)
    assert shown.returncode == 1
    assert "ALTERED" in shown.stdout
    assert f"line {at + 1} is not what was written there" in shown.stdout
    assert "ALTERED" in _run("sessions", "--session-dir", tmp_path).stdout


def test_prune_asks_leaves_the_newest_and_needs_to_be_told_which(tmp_path: Path) -> None:
    folders = [_replayed(tmp_path) for _ in range(3)]
    assert _run("sessions", "--session-dir", tmp_path, "prune").returncode == 2
    said = _run("sessions", "--session-dir", tmp_path, "prune", "--keep", 1, give="n\n")
    assert "2 of 3 sessions?" in said.stdout
    assert all(folder.exists() for folder in folders)
    assert "deleted 2 sessions" in _run("sessions", "--session-dir", tmp_path, "prune", "--keep", 1, "--yes").stdout
    assert [folder.exists() for folder in sorted(folders)] == [False, False, True]
    assert (
        "no session is that old" in _run("sessions", "--session-dir", tmp_path, "prune", "--older", 1, "--yes").stdout
    )


@pytest.mark.kernel
def test_a_live_session_and_its_replay_give_the_same_lines_and_it_is_reproduced(tmp_path: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "watch", "--session-dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as live:
        assert live.stderr
        assert live.stderr.readline().startswith("watching")
        (folder,) = tmp_path.iterdir()
        assert "running" in _run("sessions", "--session-dir", tmp_path).stdout
        for _ in range(3):
            subprocess.run(["cat", "/etc/shadow"], capture_output=True, check=True)
        _until(lambda: digest(folder).alerts >= 3)
        live.send_signal(signal.SIGTERM)
        shown = _alerts(live.communicate()[0])
    assert len(shown) >= 3
    again = _run("replay", folder.name, "--headless", "--session-dir", tmp_path)
    assert _alerts(again.stdout) == shown
    verified = _run("replay", folder.name, "--verify", "--session-dir", tmp_path)
    assert (verified.returncode, verified.stdout.splitlines()[-1]) == (0, f"reproduced: {len(shown)} alerts")


@pytest.mark.kernel
def test_whatever_moment_it_is_killed_at_what_was_shown_is_there(tmp_path: Path) -> None:
    dice = random.Random(7)
    for _ in range(6):
        root = tmp_path / str(dice.random())
        with subprocess.Popen(
            [COMMAND, "watch", "--session-dir", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as live:
            assert live.stderr
            assert live.stdout
            assert live.stderr.readline().startswith("watching")
            end = time.monotonic() + dice.uniform(0.05, 0.6)
            while time.monotonic() < end:
                subprocess.run(["cat", "/etc/shadow"], capture_output=True, check=True)
            live.kill()
            shown = _alerts(live.communicate()[0])
        (folder,) = root.iterdir()
        document, found = read_session(folder), digest(folder)
        assert {json.loads(line)["id"] for line in shown.values()} <= {alert.id for alert in document.alerts}
        assert (found.broken, found.ended, document.complete) == ("", False, False)
        assert "did not end in order" in _run("sessions", "--session-dir", root).stdout
        assert _run("replay", folder.name, "--headless", "--session-dir", root).returncode in {0, 3}


def _alerts(lines: str) -> dict[str, str]:
    """Id -> the last line about this alert; a line that was cut by a kill is none."""
    whole = [line for line in lines.splitlines(keepends=True) if line.endswith("}\n") and '"type":"alert"' in line]
    return {json.loads(line)["id"]: line for line in whole}


def _until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks
