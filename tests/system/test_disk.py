"""Disks that are full, read-only or become so: one sentence, nothing shown is lost, and it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.resources import data_dir
from sentinel_engine.session import module_path, read_session
from tests.system.conftest import COMMAND
from tests.system.terminal import Terminal

pytestmark = pytest.mark.kernel
DEMO = data_dir("rules") / "demo.rec"
READ_ONLY, FULL = "Read-only file system", "No space left on device"


def _until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at files


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _read_a_secret() -> None:
    subprocess.run(["cat", "/etc/shadow"], capture_output=True, check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    """A disk with ext4, which goes read-only when it meets an error."""
    image, folder = tmp_path / "image", tmp_path / "ext4"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, check=False).returncode:
        pytest.skip("no loop devices here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _fill(disk: Path) -> Path:
    """Leave no room; returns the file to delete."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 16
    return filler


class Watching:
    """A `watch` whose lines go to files, so that it never waits for us."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._out, self._err = folder / "out", folder / "err"

    def said(self) -> str:
        return self._err.read_text()

    def lines(self, kind: str) -> list[dict[str, Any]]:
        text = self._out.read_text()
        entries = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]
        return [entry for entry in entries if entry["type"] == kind]

    def alert(self) -> None:
        """Do what is an alert, until it was printed."""
        before = len(self.lines("alert"))
        _read_a_secret()
        _until(lambda: len(self.lines("alert")) > before)

    def until_said(self, text: str) -> None:
        _until(lambda: text in self.said())

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@contextmanager
def _watch(folder: Path, sessions: Path, *arguments: object) -> Iterator[Watching]:
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [COMMAND, "watch", "--session-dir", *map(str, (sessions, *arguments))], stdout=out, stderr=err
        )
    watching = Watching(folder, process)
    try:
        watching.until_said("watching live")
        yield watching
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def _console(folder: Path, sessions: Path) -> Iterator[Terminal]:
    terminal = Terminal(folder, [COMMAND, "--session-dir", str(sessions)], 120, 40)
    try:
        terminal.until_text("● LIVE")
        yield terminal
    finally:
        terminal.close()


def test_a_start_on_a_disk_that_takes_nothing_is_one_sentence_and_leaves_nothing(disk: Path) -> None:
    filler = _fill(disk)
    full = _run("watch", "--duration", 1, "--session-dir", disk / "s")
    assert (full.returncode, full.stdout) == (2, "")
    assert full.stderr.count("\n") == 1
    assert f"{FULL}; name another with --session-dir" in full.stderr
    assert not (disk / "s").exists() or not list((disk / "s").iterdir())
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for command in (["watch", "--duration", 1], ["replay", "--headless", DEMO]):
        done = _run(*command, "--session-dir", disk / "s")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert f"{READ_ONLY}; name another with --session-dir" in done.stderr
    for option in ("--output", "--record"):
        done = _run("watch", "--duration", 1, "--session-dir", "/run/sentinel-test", option, disk / "file")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"{disk / 'file'}: {READ_ONLY}" in done.stderr
    assert not Path("/run/sentinel-test").exists()


def test_a_disk_that_becomes_read_only_stops_neither_collection_nor_alerts(ext4: Path, tmp_path: Path) -> None:
    with _watch(tmp_path, ext4 / "s") as watching:
        watching.alert()
        subprocess.run(["mount", "-o", "remount,abort", ext4], check=True)
        watching.alert()
        watching.until_said(f"warning: alerts and actions are in memory only ({READ_ONLY})")
        watching.alert()
        assert watching.end() == 0
        (summary,) = watching.lines("summary")
        shown = {alert["id"] for alert in watching.lines("alert")}
        said = watching.said()
    assert summary["lost"]["journal"]["alert"] >= 2
    assert "NOT in the session: " in said
    assert "Traceback" not in said
    (folder,) = (ext4 / "s").iterdir()
    kept = {alert.id for alert in read_session(folder).alerts}
    assert kept
    assert kept < shown
    found = _run("sessions", "--session-dir", ext4 / "s", "show", folder.name)
    assert (found.returncode, "did not end in order" in found.stdout) == (0, True)


def test_a_disk_that_was_full_for_a_while_costs_only_raw_events(disk: Path, tmp_path: Path) -> None:
    with _watch(tmp_path, disk / "s") as watching:
        watching.alert()
        filler = _fill(disk)
        watching.until_said("warning: raw events are not kept")
        for _ in range(40):  # until also the room that the journal's last page had is used
            watching.alert()
        watching.until_said(f"warning: alerts and actions are in memory only ({FULL})")
        watching.alert()
        filler.unlink()
        watching.alert()
        (folder,) = (disk / "s").iterdir()
        _until(lambda: len(list(folder.glob("events-*.rec"))) > 1 or watching.alert())  # it records again
        watching.alert()
        assert watching.end() == 0
        shown = {alert["id"]: alert for alert in watching.lines("alert")}
        (summary,) = watching.lines("summary")
        assert "NOT in the session" not in watching.said()
    session = read_session(folder)
    assert session.complete
    assert {alert.id for alert in session.alerts} == set(shown)
    assert "alert" not in summary["lost"]["journal"]
    assert summary["lost"]["journal"]["open"] > 0
    assert all(module_path(folder, rule["sha256"]).is_file() for rule in summary["rules"])
    verified = _run("replay", folder.name, "--verify", "--session-dir", disk / "s")
    assert verified.returncode == 0, verified.stdout
    assert "events in between are missing" in verified.stdout
    again = _run("replay", folder.name, "--headless", "--session-dir", disk / "s")
    assert again.returncode == 0
    assert "events in between are missing" in again.stderr


def test_output_and_recording_on_a_full_disk_end_neither_the_run_nor_the_session(disk: Path, tmp_path: Path) -> None:
    output, record = disk / "lines", disk / "all.rec"
    options = ("--output", output, "--record", record, "--events", "--only", f"pid={os.getpid()}")
    with _watch(tmp_path, tmp_path / "s", *options) as watching:
        _until(lambda: output.stat().st_size)
        filler = _fill(disk)
        for _ in range(3):
            _read_a_secret()
        watching.until_said(f"warning: the output takes no more ({FULL})")
        watching.until_said(f"warning: the recording has ended early ({FULL})")
        filler.unlink()
        before = output.stat().st_size
        _read_a_secret()
        _until(lambda: output.stat().st_size > before)
        assert watching.end() == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    (folder,) = (tmp_path / "s").iterdir()
    assert {alert.id for alert in read_session(folder).alerts} == {
        line["id"] for line in lines if line["type"] == "alert"
    }
    seqs = [line["seq"] for line in lines if line["type"] == "event"]
    assert sorted(seqs) == list(range(len(seqs)))  # what waited has come, once
    assert lines[-1]["type"] == "summary"
    again = _run("replay", record, "--headless", "--session-dir", tmp_path / "again")
    assert again.returncode == 0
    assert "ends early" in again.stderr


def test_an_output_that_stays_full_is_said_at_the_end(disk: Path, tmp_path: Path) -> None:
    with _watch(tmp_path, tmp_path / "s", "--output", disk / "lines") as watching:
        _fill(disk)
        for _ in range(3):
            _read_a_secret()
        watching.until_said("warning: the output takes no more")
        assert watching.end() == 2
        assert "lines are not in the output; the session has the alerts of them" in watching.said()
        assert "Traceback" not in watching.said()


def test_the_console_goes_on_with_a_warning_for_as_long_as_the_disk_is_full(disk: Path, tmp_path: Path) -> None:
    with _console(tmp_path, disk / "s") as terminal:
        filler = _fill(disk)
        _read_a_secret()
        terminal.until_text(" NOT SAVED ")
        terminal.type("2", "End", "h")  # a rule over the past
        terminal.until_text("over the past: ")
        terminal.type("e")
        terminal.until_text(f"{FULL}: cannot write {disk}")
        (folder,) = (disk / "s").iterdir()
        assert not [path for path in folder.iterdir() if "export" in path.name]
        terminal.type("l")
        terminal.until_text("make room on the session's disk")
        terminal.type("Escape")
        assert " NOT SAVED " in terminal.until_text("● LIVE")
        filler.unlink()
        terminal.until("no warning", lambda screen: "NOT SAVED" not in screen and "● LIVE" in screen)
        terminal.type("e")
        terminal.until_text("exported ")
        terminal.type("q")
        terminal.until("the end", lambda _: terminal.exit_code.exists())
    assert read_session(folder).complete


def test_the_console_on_a_disk_that_becomes_read_only(ext4: Path, tmp_path: Path) -> None:
    with _console(tmp_path, ext4 / "s") as terminal:
        subprocess.run(["mount", "-o", "remount,abort", ext4], check=True)
        _read_a_secret()
        terminal.until_text(" NOT SAVED ")
        terminal.until_text("cat opened /etc/shadow")
        terminal.type("e")
        terminal.until_text(f"{READ_ONLY}: cannot write {ext4}")
        terminal.type("q")
        screen = terminal.until_text("NOT in the session: ")
        assert "evidence: sha256" in screen
        _until(lambda: terminal.exit_code.exists() and terminal.exit_code.read_text())
        assert terminal.exit_code.read_text().strip() == "0"


def test_an_export_onto_a_full_disk_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    assert _run("replay", DEMO, "--headless", "--session-dir", tmp_path / "s").returncode == 0
    (folder,) = (tmp_path / "s").iterdir()
    _fill(disk)
    before = sorted(path.name for path in disk.iterdir())
    for form in ("json", "jsonl", "ecs", "ocsf", "csv", "html"):
        done = _run("export", folder, "--format", form, "-o", disk / "case")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"{FULL}: cannot write {disk / 'case'}; nothing was left there" in done.stderr
    assert sorted(path.name for path in disk.iterdir()) == before


def test_two_at_once_have_a_session_each_and_a_running_one_can_be_read_but_not_pruned(tmp_path: Path) -> None:
    sessions = tmp_path / "s"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with _watch(tmp_path / "one", sessions) as one, _console(tmp_path / "two", sessions) as two:
        one.alert()
        two.until_text("cat opened /etc/shadow")
        first, second = sorted(sessions.iterdir())
        listed = _run("sessions", "--session-dir", sessions).stdout.splitlines()
        assert [line.rpartition("  ")[2] for line in listed] == ["running", "running"]
        for folder in (first, second):
            assert "running" in _run("sessions", "--session-dir", sessions, "show", folder.name).stdout
            document = tmp_path / f"{folder.name}.json"
            assert _run("export", folder, "-o", document).returncode == 0
            assert json.loads(document.read_bytes())["complete"] is False
            assert _run("export", "--check", document).returncode == 0
            verified = _run("replay", folder, "--verify", "--session-dir", tmp_path / "again")
            assert verified.returncode == 0, verified.stdout
            replayed = _run("replay", folder, "--headless", "--session-dir", tmp_path / "again")
            assert (replayed.returncode, "ends early" in replayed.stderr) == (0, True)
        pruned = _run("sessions", "--session-dir", sessions, "prune", "--keep", 0, "--yes")
        assert (pruned.returncode, pruned.stdout) == (0, "no session is that old\n")
        one.alert()
        one.end()
        assert "deleted 1 sessions" in _run("sessions", "--session-dir", sessions, "prune", "--keep", 0, "--yes").stdout
        assert list(sessions.iterdir()) == [second]
        _read_a_secret()
        two.type("e")
        two.until_text("exported ")
    assert read_session(second).alerts
