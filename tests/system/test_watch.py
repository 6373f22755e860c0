"""The whole street on the real kernel, headless: an attack goes in, JSON lines come out."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.collector.recorded import RecordedSource
from tests.system.conftest import COMMAND, Run

pytestmark = pytest.mark.kernel
MODULES = Path(__file__).parents[1] / "engine" / "modules"


@contextmanager
def _watching(tmp_path: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [COMMAND, "watch", "--session-dir", tmp_path / "sessions", *arguments]
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.startswith("watching live"), first
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def _lines(process: subprocess.Popen[str], kind: str) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        entry = json.loads(line)
        if entry["type"] == kind:
            yield entry


def _example(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "example.wasm").write_bytes((MODULES / "example_abi0.wasm").read_bytes())
    return folder


def test_the_original_rule_alerts_with_a_tree_and_a_summary(tmp_path: Path) -> None:
    with _watching(tmp_path, "--rules", _example(tmp_path), "--no-builtin-rules") as process:
        cat = subprocess.Popen(["cat", "/etc/shadow"], stdout=subprocess.DEVNULL)
        cat.wait()
        alert = next(
            a for a in _lines(process, "alert") if a["event"]["pid"] == cat.pid and "shadow" in a["event"]["path"]
        )
        process.send_signal(signal.SIGINT)
        (summary,) = _lines(process, "summary")
        assert process.wait(10) == 130
    assert alert["rule"]["id"] == "example"
    assert alert["event"]["path"] == "/etc/shadow"
    tree = alert["process_tree"]
    assert tree[0]["pid"] == 1
    assert [entry["pid"] for entry in tree[-2:]] == [os.getpid(), cat.pid]
    assert tree[-1]["argv"] == ["cat", "/etc/shadow"]
    (rule,) = summary["rules"]
    assert rule["calls"] > 0
    assert rule["latency_ns"]["mean"] > 0
    assert rule["memory_bytes"]["current"] >= 65536
    assert summary["events"]["exec"] >= 1
    assert set(summary["lost"]) == {"kernel", "ring", "history", "journal"}


def test_duration_ends_in_order_and_the_session_exports(tmp_path: Path, run: Run) -> None:
    with _watching(tmp_path, "--rules", _example(tmp_path), "--duration", "1.5") as process:
        subprocess.run(["cat", "/etc/shadow"], stdout=subprocess.DEVNULL, check=True)
        alerts = list(_lines(process, "alert"))
        assert process.wait(15) == 0
    (session,) = (tmp_path / "sessions").iterdir()
    result = run("export", session.name, "--session-dir", tmp_path / "sessions")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["complete"] is True
    assert {a["id"] for a in alerts} == {a["id"] for a in document["alerts"]} != set()


def test_events_carry_the_contract_fields(tmp_path: Path) -> None:
    with _watching(tmp_path, "--events") as process:
        true = subprocess.Popen(["/bin/true", "an", "argument"])
        true.wait()
        event = next(e for e in _lines(process, "event") if e["kind"] == "exec" and e["pid"] == true.pid)
    assert event["argv"] == ["/bin/true", "an", "argument"]
    assert event["exe"].endswith("/true")
    assert event["cwd"] == str(Path.cwd())
    assert event["ppid"] == os.getpid()
    wanted = {
        "seq",
        "time",
        "kind",
        "pid",
        "tid",
        "ppid",
        "uid",
        "euid",
        "gid",
        "comm",
        "exe",
        "cwd",
        "argv",
        "ret",
        "cgroup",
    }
    assert wanted <= set(event)


def test_a_recording_holds_what_was_seen(tmp_path: Path) -> None:
    path = tmp_path / "take.rec"
    with _watching(tmp_path, "--record", path) as process:
        true = subprocess.Popen(["/bin/true"])
        true.wait()
        process.terminate()
        (summary,) = _lines(process, "summary")
        assert process.wait(10) == 0
    source = RecordedSource(path, speed=None)
    records = []
    while not source.ended():
        records += [record for batch in source.read(0) for record in batch]
    assert source.problem == ""
    assert len(records) == sum(summary["events"].values())
    assert any(r.kind.name == "exec" and r.tgid == true.pid for r in records)
    source.close()


def test_nobody_reads_any_more(tmp_path: Path) -> None:
    with _watching(tmp_path, "--events") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        subprocess.run(["/bin/true"], check=True)
        assert process.wait(10) == 0


def test_it_stays_small_also_after_a_storm_and_says_its_size_as_ps_does(tmp_path: Path) -> None:
    with _watching(tmp_path) as process:
        for _ in range(200_000):
            os.close(os.open("/etc/hostname", os.O_RDONLY))
        process.send_signal(signal.SIGSTOP)  # as it is now, so that both look at the same
        ps = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        (summary,) = _lines(process, "summary")
    assert sum(summary["events"].values()) >= 200_000
    assert summary["lost"] == {"kernel": {}, "ring": {}, "history": {}, "journal": {}}
    assert summary["rss_bytes"] == pytest.approx(int(ps.stdout) * 1024, rel=0.05)
    assert summary["rss_bytes"] < 65e6


def test_a_reader_that_lags_while_we_are_stopped_and_go_on_gets_every_line_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")  # stdout then takes part of a line when a signal comes
    with _watching(tmp_path, "--events") as process:
        assert process.stdout is not None
        for _ in range(5000):  # far more than the pipe takes, so that watch is left in the middle of a line
            os.close(os.open("/etc/hostname", os.O_RDONLY))
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        assert poll.poll(30_000)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        lines = [json.loads(line) for line in process.stdout]
    seen = [line["seq"] for line in lines if line["type"] == "event"]
    assert seen == list(range(sum(lines[-1]["events"].values())))
