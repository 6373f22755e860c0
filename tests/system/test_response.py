"""What a responder does to processes: exactly those that were meant, on the real kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import cast

import psutil
import pytest

from sentinel_engine.describe import rfc3339
from sentinel_engine.records import Clock
from sentinel_engine.response import Deed, Identity, Response, ResponseError, Target

Tree = tuple[subprocess.Popen[str], list[int]]
CLOCK = Clock.of_this_host()
DEADLINE = 10
# Starts a child that starts another one, says their numbers, and waits.
TREE = "sleep 300 & echo $!; (sleep 301 & echo $!; wait) & echo $!; echo ready; wait"


class Host:
    """The part of the pipeline that a response needs, with a table that knows of ``daemons`` only."""

    def __init__(self) -> None:
        self.actions: list[tuple[str, str, str]] = []
        self.daemons: list[Identity] = []

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        done: Future[str] = Future()
        done.set_result(command())
        return done

    def started_by(self, _: Identity) -> list[Identity]:
        return self.daemons

    def record_action(self, action: str, target: str, detail: str) -> None:
        self.actions.append((action, target, detail))


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def response(host: Host) -> Response:
    return Response(CLOCK, host)


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A shell and the numbers of all it started."""
    shell = subprocess.Popen(["sh", "-c", TREE], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert shell.stdout is not None
    pids = []
    while (line := shell.stdout.readline()) != "ready\n":
        pids.append(int(line))
    yield shell, pids
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait(DEADLINE)


def start_ns(pid: int) -> int:
    fields = open(f"/proc/{pid}/stat", "rb").read().rpartition(b") ")[2].split()  # noqa: SIM115, PTH123 - one line
    return int(fields[19]) * 10_000_000


def target(pid: int, comm: str = "sleep", later_ns: int = 0) -> Target:
    return Target(pid, rfc3339(CLOCK.epoch_ns(start_ns(pid) + later_ns)), comm)


def state(pid: int) -> str:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return "gone"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks at a process there is no event to wait for


def test_one_process_ends_and_no_other(response: Response, host: Host, tree: Tree) -> None:
    _, (first, *others) = tree
    who = target(first)
    assert response.do(Deed.KILL, who, tree=False).result(DEADLINE) == f"killed sleep ({first})"
    until(lambda: state(first) in {"gone", "zombie"})
    assert {state(pid) for pid in others} <= {"sleeping", "running"}
    assert host.actions == [("kill", f"{first} {who.start_time} sleep", f"killed sleep ({first})")]


def test_the_whole_tree_ends(response: Response, tree: Tree) -> None:
    shell, pids = tree
    said = response.do(Deed.KILL, target(shell.pid, "sh"), tree=True).result(DEADLINE)
    assert said == f"killed sh ({shell.pid}) and 3 that it started"
    assert shell.wait(DEADLINE) == -signal.SIGKILL
    until(lambda: all(state(pid) in {"gone", "zombie"} for pid in pids))


def test_a_tree_is_stopped_and_goes_on(response: Response, tree: Tree) -> None:
    shell, pids = tree
    everybody = [shell.pid, *pids]
    assert response.do(Deed.STOP, target(shell.pid, "sh"), tree=True).result(DEADLINE).startswith("stopped sh")
    until(lambda: {state(pid) for pid in everybody} == {"stopped"})
    assert response.do(Deed.CONTINUE, target(shell.pid, "sh"), tree=True).result(DEADLINE).startswith("continued sh")
    until(lambda: all(state(pid) == "sleeping" for pid in everybody))


def test_what_was_given_to_another_parent_belongs_to_the_tree(response: Response, host: Host) -> None:
    """The kernel has forgotten who started it; the table has not."""
    daemon = subprocess.Popen(["sleep", "300"])
    root = subprocess.Popen(["sleep", "300"])
    try:
        host.daemons = [(daemon.pid, start_ns(daemon.pid))]
        assert response.look(target(root.pid)).result(DEADLINE).descendants == (f"sleep ({daemon.pid})",)
        response.do(Deed.KILL, target(root.pid), tree=True).result(DEADLINE)
        assert [root.wait(DEADLINE), daemon.wait(DEADLINE)] == [-signal.SIGKILL] * 2
    finally:
        for process in (daemon, root):
            process.kill()
            process.wait(DEADLINE)


def test_a_number_that_another_process_has_now_is_not_hit(response: Response, tree: Tree) -> None:
    _, (first, *_) = tree
    for ask in (response.look, lambda who: response.do(Deed.KILL, who, tree=False)):
        with pytest.raises(ResponseError, match="another one has its number now"):
            ask(target(first, later_ns=-20_000_000)).result(DEADLINE)
    assert state(first) in {"sleeping", "running"}


def test_a_table_that_names_a_recycled_number_does_not_reach_it(response: Response, host: Host, tree: Tree) -> None:
    shell, (first, *_) = tree
    host.daemons = [(os.getppid(), 1), (first, start_ns(first))]
    root = subprocess.Popen(["sleep", "300"])
    assert response.look(target(root.pid)).result(DEADLINE).descendants == (f"sleep ({first})",)
    response.do(Deed.KILL, target(root.pid), tree=True).result(DEADLINE)
    root.wait(DEADLINE)
    assert state(shell.pid) in {"sleeping", "running"}


def test_what_has_ended_is_said(response: Response, host: Host) -> None:
    child = subprocess.Popen(["sleep", "300"])
    who = target(child.pid)
    child.kill()
    child.wait(DEADLINE)
    with pytest.raises(ResponseError, match="has ended already"):
        response.do(Deed.KILL, who, tree=True).result(DEADLINE)
    assert host.actions[-1][2].startswith("refused: ")


@pytest.mark.parametrize(
    ("pid", "said"), [(1, "the first process"), (2, "thread of the kernel"), (os.getpid(), "this console")]
)
def test_the_host_and_the_console_are_not_ended(response: Response, pid: int, said: str) -> None:
    if pid == 2 and psutil.Process(2).name() != "kthreadd":
        pytest.skip("this is a container: its process 2 is no thread of the kernel")
    with pytest.raises(ResponseError, match=said):
        response.do(Deed.KILL, target(pid, "x"), tree=False).result(DEADLINE)


def test_a_tree_that_holds_the_console_is_not_touched() -> None:
    script = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from tests.system.test_response import *
response = Response(CLOCK, Host())
said = response.look(target(os.getppid(), "sh")).result(10).warning
try:
    response.do(Deed.STOP, target(os.getppid(), "sh"), tree=True).result(10)
except ResponseError as error:
    print(said, "|", error)
"""
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1"; exit', sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == (
        "this console runs below it: its connection would end too | "
        "this console is in that tree: choose single processes of it instead\n"
    ), done.stderr


def test_who_forks_on_and_on_ends_as_a_whole(response: Response) -> None:
    """Each of them starts the next one: whoever looks at all processes first is always behind."""
    body = '[ "$1" -gt 0 ] && { sleep 0.002; sh -c "$BODY" sh $(($1 - 1)) & }; sleep 30'
    root = subprocess.Popen(
        ["sh", "-c", '(sh -c "$BODY" sh 3000 &); sleep 30'], env={**os.environ, "BODY": body}, start_new_session=True
    )
    try:
        until(lambda: len(_session(root.pid)) > 20)
        # The first of the chain was given to another parent: only the table knows whose it is.
        (chain,) = [pid for pid, arguments in _session(root.pid).items() if arguments[-1:] == ["3000"]]
        cast(Host, response._host).daemons = [(chain, start_ns(chain))]
        response.do(Deed.KILL, target(root.pid, "sh"), tree=True).result(30)
        root.wait(DEADLINE)
        assert _session(root.pid) == {}
    finally:
        while pids := _session(root.pid):
            for pid in pids:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, signal.SIGKILL)


def _session(leader: int) -> dict[int, list[str]]:
    """Who is alive in this session, with their arguments."""
    found = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process.cmdline()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found
