"""`sentinel-tui export` as a user runs it: where it cannot write, what is in its way, and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
from pathlib import Path

import pytest

from sentinel_engine.snapshot import Severity
from tests.engine.export_kit import S, alert, opened, record, session, time_at
from tests.system.conftest import COMMAND, Run, in_mounts

USAGE = 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = session(tmp_path, *(alert(n * S) for n in range(10, 60)), alert(70 * S, severity=Severity.LOW))
    record(made / "events-000001.rec", *([opened(b"/x" * 100, n * S)] for n in range(10, 60)))
    return made


def _refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == USAGE, result.stderr
    (line,) = result.stderr.strip().splitlines()
    for word in ("sentinel-tui: ", *words):
        assert word in line


def _names(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir())


@pytest.mark.parametrize("form", ["json", "jsonl", "ecs", "ocsf", "csv", "html"])
def test_each_format_to_a_private_file_and_the_same_to_stdout(
    run: Run, folder: Path, tmp_path: Path, form: str
) -> None:
    output = tmp_path / "case"
    result = run("export", folder, "--format", form, "-o", output)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"exported 51 alerts to {output}\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert run("export", folder, "--format", form).stdout == output.read_text()  # both with line ends made the same


def test_options_select(run: Run, folder: Path) -> None:
    def ids(*options: str) -> list[str]:
        result = run("export", folder, *options)
        assert result.returncode == 0, result.stderr
        return [one["id"] for one in json.loads(result.stdout)["alerts"]]

    assert len(ids("--severity", "high")) == 50
    assert ids("--alert", f"{70 * S}-shadow-read") == [f"{70 * S}-shadow-read"]
    assert len(ids("--since", time_at(50 * S), "--until", time_at(52 * S))) == 3
    assert len(ids("--since", "2023-11-14T22:14:10Z", "--until", "2023-11-14T23:14:12.0+01:00")) == 3
    assert ids("--since", "1h") == []
    assert len(ids("--since", "2023-11-14", "--rule", "shadow-read")) == 51


def test_wrong_options_are_one_sentence(run: Run, folder: Path) -> None:
    _refused(run("export", folder, "--since", "yesterday"), "yesterday", "2h")
    _refused(run("export", folder, "--until", "99999-01-01"), "99999-01-01")
    _refused(run("export", folder, "--format", "xml"), "xml", "--help")
    _refused(run("export", folder, "--alert", "77-nothing"), "77-nothing")


@pytest.mark.kernel
def test_a_full_disk_is_one_sentence_and_leaves_nothing(run: Run, folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    before = (folder / "journal.jsonl").read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", small], check=True)
    try:
        (small / "case.json").write_text("precious")
        result = run("export", folder, "--force", "-o", small / "case.json")
        _refused(result, "No space left", str(small / "case.json"))
        assert (small / "case.json").read_text() == "precious"
        assert _names(small) == ["case.json"]
    finally:
        subprocess.run(["umount", small], check=True)
    assert (folder / "journal.jsonl").read_bytes() == before


@pytest.mark.kernel
def test_a_full_temporary_folder_is_one_sentence(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    under = (*in_mounts(f"mount -t tmpfs -o size=4k none {tmp_path}/tmp"), "env", f"TMPDIR={tmp_path}/tmp")
    result = run("export", folder, "-o", tmp_path / "case.json", under=under)
    _refused(result, "No space left", "TMPDIR")
    assert "case.json" not in _names(tmp_path)


@pytest.mark.kernel
def test_a_folder_that_is_read_only_is_one_sentence(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "fixed").mkdir()
    result = run("export", folder, "-o", tmp_path / "fixed" / "case.json", under=in_mounts(
        f"mount --bind {tmp_path}/fixed {tmp_path}/fixed", f"mount -o remount,bind,ro {tmp_path}/fixed"
    ))  # fmt: skip
    _refused(result, "Read-only file system")
    _refused(run("export", folder, "-o", tmp_path / "nowhere" / "case.json"), "No such file")


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_link_in_place_of_the_file_is_refused_and_never_followed(
    run: Run, folder: Path, tmp_path: Path, form: str
) -> None:
    victim, link, dangling = tmp_path / "victim", tmp_path / "link", tmp_path / "dangling"
    victim.write_text("untouched")
    link.symlink_to(victim)
    dangling.symlink_to(tmp_path / "not-there")
    for name in (link, dangling, victim):
        _refused(run("export", folder, "--format", form, "-o", name), "exists", "--force")
    assert run("export", folder, "--format", form, "--force", "-o", link).returncode == 0
    assert victim.read_text() == "untouched"
    assert not link.is_symlink()
    assert not (tmp_path / "not-there").exists()


def test_a_folder_that_everybody_can_write_is_refused_but_for_a_sticky_one(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for force in ((), ("--force",)):
        _refused(run("export", folder, "-o", shared / "case.json", *force), "everybody can write", "another folder")
    assert _names(shared) == []
    shared.chmod(0o1777)
    assert run("export", folder, "-o", shared / "case.json").returncode == 0


@pytest.mark.kernel
def test_what_a_real_process_did_before_and_after_its_alert(run: Run, tmp_path: Path) -> None:
    taken = tmp_path / "taken.rec"
    command = [COMMAND, "watch", "--record", str(taken), "--session-dir", str(tmp_path / "sessions")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("watching live")
        cat = subprocess.Popen(
            ["cat", "/etc/hostname", "/etc/shadow", "/etc/hosts"], stdout=subprocess.DEVNULL,
            env={"LC_ALL": "C", "PATH": os.defpath},  # with a locale it opens more files than fit
        )  # fmt: skip
        assert cat.wait(10) == 0
        alert_id = next(one["id"] for one in map(json.loads, process.stdout) if one["event"]["pid"] == cat.pid)
        process.terminate()
        process.stdout.read()
    (made,) = (tmp_path / "sessions").iterdir()
    taken.rename(made / "events-000001.rec")
    (found,) = json.loads(run("export", made, "--alert", alert_id).stdout)["alerts"]
    before, after = found["surroundings"]["before"], found["surroundings"]["after"]
    assert {event["pid"] for event in (*before, *after)} == {cat.pid}
    assert [event["kind"] for event in before][:2] == ["exec", "open"]
    assert before[-1]["path"] == "/etc/hostname"
    assert after[0]["path"] == "/etc/hosts"
    assert after[-1]["kind"] == "exit"


def test_redact_holds_on_the_command_line(run: Run, tmp_path: Path) -> None:
    made = session(tmp_path, alert(10 * S, argv=("mysql", "-phunter2", "-h", "db"), cwd="/home/alice"))
    assert "hunter2" in run("export", made).stdout
    redacted = run("export", made, "--redact").stdout
    assert "hunter2" not in redacted
    assert "alice" not in redacted


def test_progress_is_shown_on_a_terminal_when_it_takes_long(tmp_path: Path) -> None:
    many = (alert(n * S, path="/srv/" + "x" * 2000) for n in range(10, 20_010))
    made = session(tmp_path, *many)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "export", str(made), "--redact", "--format", "html", "-o", str(tmp_path / "case.html")], stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(60) == 0
    os.close(ours)
    text = shown.decode()
    assert "writing the alerts [" in text
    assert "%" in text
    # The line is cleared before the last word.
    assert text.replace("\r\n", "\n").endswith(f"\r\x1b[Kexported 20000 alerts to {tmp_path / 'case.html'}\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # EIO: nobody holds the other end any more
        return b""
