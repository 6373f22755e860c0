"""The session on disk: a journal of alerts and actions."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from sentinel_engine.describe import rfc3339
from sentinel_engine.files import atomic_file, create_private, private_folder
from sentinel_engine.journal import JournalReader, JournalWriter
from sentinel_engine.records import Clock
from sentinel_engine.segments import Keep, segments_in
from sentinel_engine.snapshot import Action, Alert, RuleView, Severity, Summary

JOURNAL: Final = "journal.jsonl"


class SessionError(Exception):
    """A session cannot be written or read; the text is a sentence for people."""


class Host(msgspec.Struct, frozen=True):
    """The host the events came from. ``clock_offset_ns``: wall time minus boot time."""

    hostname: str
    kernel: str
    machine: str
    distribution: str
    boot_id: str
    clock_offset_ns: int


class SessionFacts(msgspec.Struct, frozen=True, tag="session", tag_field="type"):
    """The journal's first line."""

    id: str
    started: str
    version: str
    source: str
    host: Host
    operator: str


class SessionContents(msgspec.Struct, frozen=True):
    """One session, whole. ``complete`` is false for a session that did not end in order."""

    session: SessionFacts
    rules: tuple[RuleView, ...]
    alerts: tuple[Alert, ...]
    actions: tuple[Action, ...]
    summary: Summary | None
    complete: bool


class KeptRule(msgspec.Struct, frozen=True, tag="rule", tag_field="type"):
    """A rule as it was loaded; its module is in the session's folder by its SHA-256.

    ``seq``: how many events had been seen by then. The rest is as in its rule.yaml.
    """

    id: str
    sha256: str
    seq: int
    title: str
    version: str
    severity: Severity
    attack: tuple[str, ...]
    kinds: tuple[str, ...]
    capabilities: tuple[str, ...]
    memory_bytes: int
    deadline_ms: int
    message: str
    config: bytes
    enabled: bool


class Ended(msgspec.Struct, frozen=True, tag="end", tag_field="type"):
    """The journal's last line, when the session ended in order."""

    time: str


JournalLine = SessionFacts | Alert | Action | Summary | KeptRule | Ended
_DECODER: Final[msgspec.json.Decoder[JournalLine]] = msgspec.json.Decoder(JournalLine)


def now() -> str:
    """This moment, RFC 3339 with nanoseconds."""
    return rfc3339(time.time_ns())


def host_facts(clock: Clock) -> Host:
    """This host, as the export names it."""
    uname = os.uname()
    try:
        distribution = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        distribution = ""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return Host(uname.nodename, uname.release, uname.machine, distribution, boot_id, clock.offset_ns)


def operator() -> str:
    """Who is at the keyboard: the user behind sudo, when there is one."""
    return os.environ.get("SUDO_USER") or str(os.getuid())


def default_root() -> Path:
    """Where sessions live: /var/lib/sentinel-tui for root, the user's state folder otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/sentinel-tui")
    return platformdirs.user_state_path("sentinel-tui")


class Session:
    """The journal of a running session: one JSON object a line, written before it is shown.

    What the disk does not take is counted in ``lost`` and waits in memory until it does; the session goes on. ``keep``:
    how much of the raw events is to be in its folder, too; None for none.
    """

    def __init__(self, root: Path, source: str, version: str, host: Host, keep: Keep | None = None) -> None:
        self.keep = keep
        seconds, rest = divmod(time.time_ns(), 1_000_000_000)
        self.id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest // 1_000_000:03d}Z-{os.getpid()}"
        self.path = root / self.id
        try:
            private_folder(root)
            private_folder(self.path)
            file = create_private(self.path / JOURNAL)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is ours while we run: see is_running
            self._journal = JournalWriter(file)
        except OSError as error:
            raise _unwritable(root, str(error.strerror)) from error
        self._modules: dict[str, bytes] = {}  # by SHA-256: those that the disk did not take
        if not self.write(SessionFacts(self.id, now(), version, source, host, operator())):
            file.close()
            shutil.rmtree(self.path, ignore_errors=True)  # a session without a first line is none
            raise _unwritable(root, self.problem)

    @property
    def lost(self) -> int:
        """Entries and rules' modules that are not on the disk."""
        return self._journal.lost + len(self._modules)

    @property
    def problem(self) -> str:
        """Why the disk does not take more now, as the system says it; empty when it does."""
        return self._journal.problem

    @property
    def head(self) -> str:
        """SHA-256 of the whole journal until now: see sentinel_engine.journal."""
        return self._journal.head

    def write(self, entry: JournalLine) -> bool:
        """Append this entry; False, and counted, while the disk does not take it."""
        return self._journal.write(entry)

    def sync(self) -> None:
        """Have all of it on the disk itself, before it is on the screen."""
        self._journal.sync()

    def keep_rule(self, kept: KeptRule, code: bytes) -> None:
        """Keep a rule's module, once for each SHA-256, and note that it was loaded."""
        self._modules[kept.sha256] = code
        self.keep_modules()
        self.write(kept)

    def keep_modules(self) -> None:
        """Write the modules that are not on the disk yet."""
        for sha256 in list(self._modules):
            path = module_path(self.path, sha256)
            try:
                private_folder(path.parent)
                if not path.exists():
                    with atomic_file(path) as file:
                        file.write(self._modules[sha256])
            except OSError:
                return  # counted in ``lost``, and tried again with the next
            del self._modules[sha256]

    def act(self, action: str, target: str = "", detail: str = "") -> None:
        """Append what the operator did."""
        self.write(Action(now(), action, target, detail, operator()))

    def close(self) -> None:
        """Mark the session as ended in order."""
        self.keep_modules()
        self.write(Ended(now()))
        self._journal.close()


def _unwritable(root: Path, problem: str) -> SessionError:
    return SessionError(
        f"cannot write the session folder {root}: {problem}; name another with --session-dir (/run/sentinel-tui is in "
        "memory)"
    )


def module_path(session: Path, sha256: str) -> Path:
    """Where a session keeps the module of this hash."""
    return session / "rules" / f"{sha256}.wasm"


def read_entries(path: Path) -> Iterator[JournalLine]:
    """Every entry of a session's journal, in order. Raises SessionError."""
    try:
        yield from JournalReader(path / JOURNAL, _DECODER)
    except OSError as error:
        raise SessionError(f"cannot read the session {path}: {error.strerror}") from error


def read_session(path: Path) -> SessionContents:
    """What a session folder's journal holds, all in memory; :mod:`sentinel_engine.export` streams it.

    Raises SessionError when it is no session; a line that was cut short, at the end or by a full disk, is left
    out and the contents say that they are not complete.
    """
    try:
        journal = JournalReader(path / JOURNAL, _DECODER)
    except OSError as error:
        raise SessionError(f"cannot read the session {path}: {error.strerror}") from error
    facts: SessionFacts | None = None
    alerts: dict[str, Alert] = {}
    actions: list[Action] = []
    summary: Summary | None = None
    ended = False
    for entry in journal:
        match entry:
            case SessionFacts():
                facts = entry
            case Alert():
                alerts[entry.id] = entry
            case Action():
                actions.append(entry)
            case Summary():
                summary = entry
            case Ended():
                ended = True
    if facts is None:
        raise SessionError(f"{path} holds no session")
    rules = summary.rules if summary else ()
    return SessionContents(
        facts,
        rules,
        tuple(alerts.values()),
        tuple(actions),
        summary,
        ended and not journal.seal.torn and not journal.seal.broken,
    )


def list_sessions(root: Path) -> list[Path]:
    """The session folders below this root, oldest first."""
    if not root.is_dir():
        return []
    return sorted(folder for folder in root.iterdir() if (folder / JOURNAL).is_file())


@dataclass(slots=True)
class Digest:
    """What a session holds, in short. Sizes in bytes; ``broken``: where the journal is not what was written."""

    started: str = ""
    host: str = ""
    operator: str = ""
    alerts: int = 0
    actions: int = 0
    entries: int = 0
    torn: int = 0
    segments: int = 0
    raw_bytes: int = 0
    size: int = 0
    lost: dict[str, dict[str, int]] = field(default_factory=dict)  # as the last summary has it
    evicted: int = 0
    ended: bool = False
    head: str = ""
    broken: str = ""


def digest(path: Path) -> Digest:
    """Read a session through, in bounded memory but for the ids of its alerts. Raises SessionError."""
    found, ids = Digest(), set()
    try:
        journal = JournalReader(path / JOURNAL, _DECODER)
    except OSError as error:
        raise SessionError(f"cannot read the session {path}: {error.strerror}") from error
    for entry in journal:
        match entry:
            case SessionFacts():
                found.started, found.host, found.operator = entry.started, entry.host.hostname, entry.operator
            case Alert():
                ids.add(entry.id)
            case Action():
                found.actions += 1
            case Summary():
                found.lost, found.evicted = entry.lost, sum(entry.evicted.values())
            case Ended():
                found.ended = True
    segments = segments_in(path)
    found.alerts, found.segments = len(ids), len(segments)
    found.entries, found.torn = journal.seal.entries, journal.seal.torn
    found.head, found.broken = journal.seal.head, journal.seal.broken
    found.raw_bytes = sum(segment.stat().st_size for segment in segments)
    found.size = journal.size + found.raw_bytes
    return found


def is_running(path: Path) -> bool:
    """Whether a process writes to this session now."""
    try:
        with (path / JOURNAL).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def remove_session(path: Path) -> None:
    """Delete a session's folder. Raises SessionError."""
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise SessionError(f"cannot delete {path}: {error.strerror}; do it as its owner") from error


def find_session(name: str, root: Path) -> Path:
    """The folder of a session given by path or id. Raises SessionError, naming the newest ones there are."""
    for candidate in (root / name, Path(name)):
        if (candidate / JOURNAL).is_file():
            return candidate
    known = ", ".join(one.name for one in list_sessions(root)[-3:]) or "none"
    raise SessionError(f"there is no session {name} here; the newest in {root}: {known}")
