"""The processes' screens in a real terminal: found, looked into, and who is around, on the real kernel."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine import held
from sentinel_engine.processes import ProcessKey
from tests.system.conftest import COMMAND
from tests.system.terminal import Terminal

# Holds what one looks for on a host where something is wrong; the word is for the search.
HOLDER = """
import os, socket, sys, time
gone = open(sys.argv[1] + "/gone\\x1b[2J", "w"); os.unlink(gone.name)
hidden = os.memfd_create("payload")
open_to_all = socket.create_server(("127.0.0.1", 0))
caller = socket.create_connection(open_to_all.getsockname())
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
abstract = socket.socket(socket.AF_UNIX); abstract.bind("\\0a name")
print(open_to_all.getsockname()[1], flush=True)
sys.stdin.read()
"""


class Holder:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder), "zebra-word"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "TOKEN": "of\x1bmine"},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def key(self) -> ProcessKey:
        stat = Path(f"/proc/{self.process.pid}/stat").read_bytes()
        return self.process.pid, int(stat.rpartition(b") ")[2].split()[19])


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    one = Holder(tmp_path)
    yield one
    one.process.kill()
    one.process.communicate()


@pytest.mark.kernel
@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24)])
def test_a_process_is_found_and_looked_into(tmp_path: Path, holder: Holder, width: int, height: int) -> None:
    console = Terminal(tmp_path, [COMMAND, "--session-dir", str(tmp_path / "sessions")], width, height)
    try:
        console.until("it runs", lambda screen: "LIVE" in screen)
        console.type("5")
        console.until("the tree", lambda screen: "Processes ─" in screen)
        console.type("/", *"zebra", "Enter")
        console.until("only it and who is above", lambda screen: " of " in screen and str(holder.process.pid) in screen)
        console.type("End", "Enter")
        screen = console.until("its page", lambda screen: "Process: " in screen and "What it holds" in screen)
        assert str(holder.process.pid) in screen.splitlines()[0]
        for key, answer in (("s", "sha256"), ("v", "Its environment")):
            console.type("PageDown", key)
            console.until_text(answer)
        seen = _whole(console)
        flat = _flat(seen)
        for part in (
            rf"{tmp_path}/gone\x1b[2J (deleted)", "/memfd:payload (deleted)", f"tcp 127.0.0.1:{holder.port} listen",
            f" → 127.0.0.1:{holder.port} established", "packet sees what is on the wire", "unix @a name",
            r"TOKEN=of\x1bmine", f"sha256 {hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest()}",
            f"uid {os.getuid()} root", "Who started it, nearest first",
        ):  # fmt: skip
            assert _flat(part) in flat, seen
        console.type("Enter")
        console.until("its relatives", lambda screen: "Show which process?" in screen and "above" in screen)
        console.type("Enter")
        console.until("its parent's page", lambda screen: f" {os.getpid()} " in screen.splitlines()[0])
        console.type("BSpace")
        console.until("back to it", lambda screen: f" {holder.process.pid} " in screen.splitlines()[0])
        holder.process.kill()
        console.until_text("SIGKILL")
        console.type("BSpace")
        console.until("the tree again", lambda screen: "Processes ─" in screen)
        console.type("BSpace", "q")
    finally:
        console.close()


def _flat(text: str) -> str:
    """Without frame, scroll bar and blanks: long lines are folded anywhere."""
    return re.sub(r"[\s┃▁-█]", "", text)


def _whole(console: Terminal) -> str:
    """The page from its top to its end, once what was asked for is on it."""
    seen = ""

    def collect(screen: str) -> bool:
        nonlocal seen
        seen += screen
        console.type("PageDown")
        return "TOKEN" in seen and "sha256" in seen and "Beside it" in seen

    console.until("all of the page", collect)
    console.type("Home")
    return seen


def test_what_it_holds_is_of_this_process_or_of_none(holder: Holder) -> None:
    pid, tick = holder.key
    assert held.look((pid, tick)).threads == 1
    for ask in (held.look, held.program, held.environment):
        with pytest.raises(held.HeldError, match="it has ended"):
            ask((pid, tick + 1))  # another one, which had this number
    holder.process.kill()
    holder.process.wait()
    with pytest.raises(held.HeldError, match="it has ended"):
        held.look((pid, tick))


def test_many_descriptors_are_counted_where_they_are_not_shown() -> None:
    many = "import os,sys\nfor _ in range(1500): os.dup(0)\nprint('x', flush=True); sys.stdin.read()"
    command = ["sh", "-c", 'ulimit -n 2000; exec "$0" -c "$1"', sys.executable, many]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tick = int(Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b") ")[2].split()[19])
        found = held.look((process.pid, tick))
        assert len(found.files) == 1024
        assert found.unseen == len(os.listdir(f"/proc/{process.pid}/fd")) - 1024  # noqa: PTH208 - names are enough
        process.communicate(b"")


@pytest.mark.kernel
def test_its_sockets_are_those_of_its_own_network(tmp_path: Path) -> None:
    """A process in a network namespace of its own: our tables do not have its sockets."""
    server = "import socket,sys; s=socket.create_server(('',4242)); print('x',flush=True); sys.stdin.read()"
    command = ["unshare", "--net", sys.executable, "-c", server]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tick = int(Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b") ")[2].split()[19])
        told = [file.socket for file in held.look((process.pid, tick)).files if file.socket]
        process.communicate(b"")
    assert told == [b"tcp 0.0.0.0:4242 listen"]
