"""After the start no thread holds more than it needs, says the kernel; and all that a responder does still works."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine import privileges
from sentinel_engine.collector import preflight
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.privileges import WATCHING, Capability
from sentinel_engine.recording import RecordingReader
from sentinel_engine.session import read_session
from tests.system.conftest import COMMAND
from tests.system.kernel_objects import family, held_by
from tests.system.terminal import Terminal

pytestmark = pytest.mark.kernel

DEADLINE = 20.0
NOBODY = 65534
READING_MASK = 1 << 2 | 1 << 19  # CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
WATCHING_MASK = 1 << 2 | 1 << 5 | 1 << 19  # CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SYS_PTRACE of linux/capability.h
MATCH = """(module (memory (export "memory") 1)
  (func (export "check_file_access") (param $path i32) (param $len i32) (result i32)
    (if (i32.lt_u (local.get $len) (i32.const 8)) (then (return (i32.const 0))))
    (i64.eq (i64.load (i32.sub (i32.add (local.get $path) (local.get $len)) (i32.const 8)))
            (i64.const {name}))){more})"""
# Enough code to be compiled in a child process.
BULK = "\n(func (result i32) " + "(i32.add (i32.const 1) " * 40 + "(i32.const 1)" + ")" * 40 + ")"


def rule(name: str, more: str = "") -> str:
    """A module that alerts when a path is opened that ends in these eight characters."""
    return MATCH.format(name=int.from_bytes(name.encode(), "little"), more=more)


def statuses(pid: int) -> dict[int, dict[str, int]]:
    """The capability sets and NoNewPrivs of each thread, by its id."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        pairs = re.findall(r"^(Cap\w+|NoNewPrivs):\s*(\w+)$", (task / "status").read_text(), re.MULTILINE)
        found[int(task.name)] = {name: int(value, 16) for name, value in pairs}
    return found


def assert_dropped(pid: int, mask: int) -> None:
    """The process holds just this, and no thread of it any more."""
    found = statuses(pid)
    assert len(found) >= 4  # main, deadline, collector, engine
    assert found[pid] == {
        "CapInh": 0, "CapPrm": mask, "CapEff": mask, "CapBnd": mask, "CapAmb": 0, "NoNewPrivs": 1,
    }  # fmt: skip
    for sets in found.values():
        assert sets["NoNewPrivs"] == 1
        assert [name for name, value in sets.items() if name.startswith("Cap") and value & ~mask] == []


def as_nobody(*command: str | Path) -> subprocess.Popen[bytes]:
    """This program run by another user."""
    return subprocess.Popen(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *map(str, command)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder that only another user may look into, with a folder of ours in it."""
    folder = tmp_path / "theirs"
    (folder / "rules").mkdir(parents=True)
    folder.chmod(0o700)
    os.chown(folder, NOBODY, NOBODY)
    return folder


def cat(path: Path) -> int:
    """Have another user look into this file; the process id."""
    child = as_nobody("cat", path)
    child.wait(DEADLINE)
    return child.pid


@pytest.fixture
def console(loader: Loader, theirs: Path, tmp_path: Path) -> Iterator[tuple[Terminal, int, Path]]:
    """A console on a terminal with one rule, `mine`, about `needle-a`; its process id and session."""
    (theirs / "rules" / "mine.wat").write_text(rule("needle-a"))
    sessions = theirs / "sessions"
    options = ["--loader", loader, "--session-dir", sessions, "--no-builtin-rules", "--rules", theirs / "rules"]
    terminal = Terminal(tmp_path, [COMMAND, *map(str, options)])
    try:
        terminal.until_text("● LIVE")
        (session,) = sessions.iterdir()
        yield terminal, int(session.name.rpartition("-")[2]), session
    finally:
        terminal.close()


def test_the_console_works_on_with_three_capabilities(console: tuple[Terminal, int, Path], theirs: Path) -> None:
    terminal, pid, session = console
    assert_dropped(pid, WATCHING_MASK)
    terminal.until_text(f"◀ alert {cat(theirs / 'needle-a')}")

    (theirs / "rules" / "mine.wat").write_text(rule("needle-b"))
    terminal.type("R")
    terminal.until_text("reloaded")
    second = cat(theirs / "needle-b")
    terminal.until_text(f"◀ alert {second}")

    attached = len(links(pid))
    terminal.type("f", "kind=exec", "Enter")
    until(lambda: len(links(pid)) == attached - 1)  # nobody asks for argument_race: no call's beginning is looked at
    terminal.type("f", *["BSpace"] * len("kind=exec"), "Enter")
    until(lambda: len(links(pid)) == attached)

    terminal.type("o", "--only uid=4242", "Enter")
    terminal.until_text("reported from now on: --only uid=4242")
    kept_out = cat(theirs / "needle-b")
    terminal.type("o", *["BSpace"] * len("--only uid=4242"), "Enter")
    terminal.until_text("reported from now on: everybody")
    last = cat(theirs / "needle-b")
    terminal.until_text(f"◀ alert {last}")

    terminal.type("?", "End")
    terminal.until("the same on the help screen", lambda screen: all(one.name in screen for one in WATCHING))
    terminal.type("Enter")
    terminal.until("the main screen", lambda screen: "CAP_KILL" not in screen)
    terminal.type("e")
    terminal.until_text("exported")
    assert_dropped(pid, WATCHING_MASK)
    terminal.type("q")
    terminal.until("the exit code", lambda _: terminal.exit_code.exists() and terminal.exit_code.read_text() != "")
    assert terminal.exit_code.read_text() == "0\n"
    assert held_by(pid) == set()
    document = read_session(session)
    assert document.complete
    alerts = {alert.event["pid"]: alert for alert in document.alerts}
    assert kept_out not in alerts
    assert alerts[last].process_tree[-1].uid == NOBODY
    assert len(list(session.glob("export-*.json"))) == 1


def test_what_compiles_a_module_holds_no_more(console: tuple[Terminal, int, Path], theirs: Path) -> None:
    terminal, pid, _ = console
    (theirs / "rules" / "mine.wat").write_text(rule("needle-b", BULK * 600))  # taken in as it is saved
    seen: list[dict[str, int]] = []

    def given_up() -> bool:
        for child in family(pid)[1:]:
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                seen.extend(statuses(child).values())
        return any(sets["CapPrm"] == 0 for sets in seen)

    until(given_up)
    for sets in seen:
        assert sets["NoNewPrivs"] == 1
        assert [name for name, value in sets.items() if name.startswith("Cap") and value & ~WATCHING_MASK] == []
    terminal.until_text("reloaded")
    terminal.until_text(f"◀ alert {cat(theirs / 'needle-b')}")


def links(pid: int) -> set[tuple[str, int]]:
    """What this process has attached."""
    return {(field, number) for field, number in held_by(pid) if field == "link_id"}


def until(condition: Callable[[], bool]) -> None:
    """Wait until this holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)  # between two looks


class Watch:
    """``watch`` with its lines."""

    def __init__(self, *arguments: str | Path, under: tuple[str, ...] = ()) -> None:
        command = [*under, COMMAND, "watch", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        self.first = self.process.stderr.readline()
        assert self.first.startswith("watching live"), self.first + self.process.stderr.read()

    def alert(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def end(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=DEADLINE)
        assert (self.process.returncode, err[:17], err.count("\n")) == (130, "evidence: sha256 ", 1)
        return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def test_watch_and_its_recording(loader: Loader, theirs: Path, tmp_path: Path) -> None:
    (theirs / "rules" / "mine.wat").write_text(rule("needle-a"))
    watch = Watch(
        "--loader", loader, "--record", tmp_path / "w.rec", "--session-dir", theirs / "sessions",
        "--no-builtin-rules", "--rules", theirs / "rules",
    )  # fmt: skip
    try:
        assert_dropped(watch.process.pid, READING_MASK)
        culprit = cat(theirs / "needle-a")
        assert watch.alert()["event"]["pid"] == culprit
        assert watch.end()["type"] == "summary"
    finally:
        watch.process.kill()
    reader = RecordingReader(tmp_path / "w.rec")
    assert sum(1 for _ in reader.batches()) > 0
    assert reader.trailer is not None
    reader.close()


def test_who_is_not_root_keeps_only_what_they_have(theirs: Path, tmp_path: Path) -> None:
    granted = "+bpf,+perfmon,+dac_read_search"
    under = (
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", f"--inh-caps={granted}",
        f"--ambient-caps={granted}",
    )  # fmt: skip
    tmp_path.chmod(0o755)
    watch = Watch("--session-dir", theirs / "sessions", "--no-builtin-rules", under=under)
    try:
        for sets in statuses(watch.process.pid).values():
            bound = sets.pop("CapBnd")  # lowering it takes CAP_SETPCAP; no_new_privs does as much
            assert bound
            held = sets.pop("CapPrm")
            assert held in {0, 1 << 2}
            assert sets == {"CapInh": 0, "CapEff": held, "CapAmb": 0, "NoNewPrivs": 1}
        subprocess.run(["true"], check=True)
        assert watch.end()["events"]["exec"] > 0
    finally:
        watch.process.kill()


def test_the_demo_of_a_plain_user_holds_nothing(tmp_path: Path) -> None:
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    terminal = Terminal(tmp_path, [*drop, COMMAND, "demo", "--session-dir", str(tmp_path / "sessions")])
    try:
        terminal.until_text("▶ REPLAY")
        (session,) = (tmp_path / "sessions").iterdir()
        assert_dropped(int(session.name.rpartition("-")[2]), 0)
        terminal.type("q")
        terminal.until_text("session: ")
    finally:
        terminal.close()


AFTER = """
import json, os, signal, subprocess, sys
from pathlib import Path
from sentinel_engine import privileges
from sentinel_engine.collector.cgroupfs import CgroupFiles
pid, group, secret = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
held = privileges.drop_everywhere(privileges.WATCHING)
def refused(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
print(json.dumps({
    "held": [sorted(held.capabilities), sorted(held.bounding), held.no_new],
    "exe": os.readlink(f"/proc/{pid}/exe"),
    "cwd": os.readlink(f"/proc/{pid}/cwd"),
    "environ": len(Path(f"/proc/{pid}/environ").read_bytes()) > 0,
    "cgroup": CgroupFiles().path_of(group).decode(),
    "secret": Path(secret).read_text(),
    "write": refused(lambda: Path(secret).write_text("x")),
    "chown": refused(lambda: os.chown(secret, 0, 0)),
    "setuid": refused(lambda: os.setuid(1)),
    "child": subprocess.run(["grep", "CapPrm", "/proc/self/status"], capture_output=True, text=True).stdout.split()[1],
}))
os.kill(pid, signal.SIGTERM)
"""


def test_it_can_read_and_end_another_users_process_and_nothing_else(theirs: Path, cgroup: Path) -> None:
    (theirs / "secret").write_text("hidden")
    os.chown(theirs / "secret", NOBODY, NOBODY)
    (theirs / "secret").chmod(0o600)
    (cgroup / "inside").mkdir()
    other = as_nobody("sleep", "60")
    try:
        until(lambda: Path(f"/proc/{other.pid}/comm").read_text() == "sleep\n")
        group = (cgroup / "inside").stat().st_ino
        command = [sys.executable, "-c", AFTER, str(other.pid), str(group), str(theirs / "secret")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
        assert other.wait(DEADLINE) == -signal.SIGTERM
    finally:
        other.kill()
    found = json.loads(done.stdout)
    assert Path(found.pop("exe")).name == "sleep"
    assert found == {
        "held": [[2, 5, 19], [2, 5, 19], True], "cwd": "/", "environ": True, "cgroup": f"/{cgroup.name}/inside",
        "secret": "hidden", "write": "PermissionError", "chown": "PermissionError", "setuid": "PermissionError",
        "child": f"{WATCHING_MASK:016x}",
    }  # fmt: skip


def isolated(code: str) -> str:
    """What this code prints in a process of its own, which it may take everything from."""
    begin = "from sentinel_engine import privileges\nfrom sentinel_engine.privileges import *\n"
    command = [sys.executable, "-c", begin + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True).stdout.strip()


def test_a_thread_that_keeps_more_is_found() -> None:
    code = """
import threading
over = threading.Event()
thread = threading.Thread(target=over.wait)
thread.start()
try:
    privileges.drop_everywhere(privileges.WATCHING)
except privileges.PrivilegeError as error:
    print(error)
over.set()
thread.join()
print(sorted(privileges.drop_everywhere(privileges.WATCHING).capabilities))
"""
    complaint, after = isolated(code).splitlines()
    assert complaint.startswith("a thread still holds more than it should: capability 0, capability 1, capability 3")
    assert "CAP_SYS_ADMIN" in complaint
    assert after == "[2, 5, 19]"


def test_ebpfs_own_capability_is_kept_for_kernels_that_want_it_and_the_session_says_so(tmp_path: Path) -> None:
    code = f"""
from sentinel_engine.records import Clock
from sentinel_engine.session import Session, host_facts
from sentinel_tui.run import _drop_privileges
session = Session(Path({str(tmp_path / "sessions")!r}), "live", "0", host_facts(Clock.of_this_host()))
_drop_privileges(session, WATCHING | {{Capability.CAP_BPF}})
session.close()
print(sorted(privileges.held().capabilities), session.path)
"""
    held, _, session = isolated(code).rpartition(" ")
    assert held == "[2, 5, 19, 39]"
    (notice,) = read_session(Path(session)).actions
    assert (notice.action, "CAP_BPF" in notice.detail) == ("notice", True)


def test_what_is_tried_without_privilege_leaves_the_rest_as_it_was() -> None:
    before = privileges.effective()
    assert Capability.CAP_BPF in before
    inside: list[frozenset[int]] = []

    def look() -> None:
        with privileges.none_effective():
            inside.append(privileges.effective())
        inside.append(privileges.effective())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert inside == [frozenset(), before]


def test_doctor_says_what_is_kept_and_it_is_what_this_kernel_wants(run: Callable[..., Any]) -> None:
    release = tuple(map(int, os.uname().release.split(".")[:2]))
    wanted = Path("/proc/sys/kernel/unprivileged_bpf_disabled").read_text().strip() != "0" and release < (5, 19)
    assert preflight.kept() == (WATCHING | {Capability.CAP_BPF} if wanted else WATCHING)
    (check,) = [one for one in json.loads(run("doctor", "--json").stdout) if one["check"] == "after start"]
    assert check["ok"]
    for capability in preflight.kept():
        assert capability.name in check["detail"]
    plain = run("doctor", "--json", under=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    (check,) = [one for one in json.loads(plain.stdout) if one["check"] == "after start"]
    assert check["detail"] == "goes on with no capability; no_new_privs"
