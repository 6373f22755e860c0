"""What the pipeline asks of a source of events, live or recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sentinel_engine.cgroups import Cgroups
from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.scope import Scope
from sentinel_engine.records import UNSET_ID, Batch, Clock


class CollectorError(Exception):
    """Events cannot be had from this source; one sentence with what to do next."""


@dataclass(frozen=True, slots=True)
class BootProcess:
    """A process that was there when collection began, as /proc shows it.

    ``start_ns``: ns since boot, in steps of 10 ms. ``tty``: its name without /dev/, empty for none.
    ``exe``: without the kernel's " (deleted)", which is a bit of ``exe_flags``, as in an exec record.
    ``cgroup``: the path that says most, of any hierarchy; ``cgroup_id``: of cgroup v2. What older recordings
    lack is 0, empty or unset.
    """

    pid: int
    ppid: int
    start_ns: int
    comm: bytes
    exe: bytes
    argv: tuple[bytes, ...]
    cwd: bytes
    uid: int
    tty: bytes
    exe_flags: int = 0
    cgroup: bytes = b""
    cgroup_id: int = 0
    mntns: int = 0
    pidns: int = 0
    loginuid: int = UNSET_ID


class Source(Protocol):
    """A stream of batches. Everything is called from one thread, except ``close``."""

    name: str
    live: bool
    clock: Clock
    processes: list[BootProcess]
    scope: Scope
    cgroups: Cgroups
    problem: str  # what is missing from it, of a recording that is damaged, as soon as that is known

    @property
    def playback(self) -> Playback | None:
        """How a recording is played; None for what happens now."""

    def read(self, timeout: float) -> list[Batch]:
        """What has come since; waits at most ``timeout`` seconds, then is empty.

        Lifecycle events come before the bulk events of the same round, so that the process of a bulk event is known.
        """

    def ended(self) -> bool:
        """Whether nothing more will come. For a live source only after ``stop``."""

    def set_mask(self, mask: int) -> None:
        """Give only these kinds from now on; what is not asked for costs almost nothing."""

    def set_scope(self, scope: Scope) -> None:
        """Give only events of whom this scope lets through. Raises ScopeError when that cannot be."""

    def filtered(self) -> dict[str, int]:
        """Kind -> events that mask and scope kept out so far: never a loss; kinds without any are left out."""

    def suppressed(self) -> dict[str, int]:
        """Kind -> events of processes over their limit so far; kinds without any are left out."""

    def lost(self) -> dict[str, int]:
        """Kind -> events that the kernel dropped so far, exactly; kinds without loss are left out."""

    def refused(self) -> dict[str, int]:
        """Kind -> records that came but could not be framed; ``malformed`` when they do not even name a kind."""

    def gaps(self) -> int | None:
        """Events missing in the records' sequence numbers so far: the same loss, seen from the other side.

        A gap shows when a later record of its CPU comes, so this may be behind ``lost`` and ``refused`` together,
        never before them; once a live source has ended it is the same number. None when the numbers tell nothing.
        """

    def now(self) -> int:
        """The boot time in ns that has been reached: what is lost from here on was lost after it."""

    def stop(self) -> None:
        """Let nothing new in; what came before can still be read, then the source has ended."""

    def close(self) -> None:
        """Detach and free everything. Safe to call twice."""
