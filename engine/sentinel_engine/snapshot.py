"""The immutable view of a running pipeline that front ends poll, and the JSON shapes they print.

These structs are the contract of the alert, event and summary lines and of the export
document; ``export.schema.json`` is generated from them. Text fields hold host bytes
decoded losslessly by :func:`sentinel_engine.text.lossless`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec


class RuleState(enum.StrEnum):
    """Where a rule is in its life. LOADED: its rule.yaml says that it does not start switched on."""

    LOADED = "loaded"
    ENABLED = "enabled"
    DISABLED = "disabled"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Severity(enum.StrEnum):
    """How urgent an alert is, most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class RuleRef(msgspec.Struct, frozen=True):
    """Which rule an alert came from."""

    id: str
    version: str
    severity: Severity
    sha256: str
    attack: tuple[str, ...] = ()


class ProcessEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One process in a tree. ``start_time`` and ``exited`` are RFC 3339 with nanoseconds.

    ``exe_flags``: ``memfd``, ``deleted``. ``unit``: of systemd, for a process outside of containers.
    """

    pid: int
    start_time: str
    comm: str
    exe: str | None = None
    argv: tuple[str, ...] = ()
    uid: int | None = None
    tty: str | None = None
    cwd: str | None = None
    container: str | None = None  # docker:0123456789ab, lxc:web
    container_id: str | None = None  # whole
    unit: str | None = None
    exe_flags: tuple[str, ...] = ()
    loginuid: int | None = None
    mntns: int | None = None
    pidns: int | None = None
    exited: str | None = None
    exit_code: int | None = None
    signal: str | None = None  # that ended it, instead of an exit code
    raw_b64: dict[str, Any] = {}  # the exact bytes of each field that is not plain UTF-8


class Triage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the operator made of an alert. ``suppressed``: the expression that hides it from the screen."""

    acknowledged: bool = False
    bookmarked: bool = False
    note: str = ""
    suppressed: str = ""


class Alert(msgspec.Struct, frozen=True, tag="alert", tag_field="type"):
    """One alert: a rule's verdict about an event, with everything needed to judge it."""

    id: str
    time: str
    rule: RuleRef
    message: str
    event: dict[str, Any]
    process_tree: tuple[ProcessEntry, ...]
    count: int
    first_time: str
    last_time: str
    logs: tuple[str, ...] = ()
    loss: int = 0  # events lost in its window, from 10 s before the first event to the last: the tree may be incomplete
    score: int = 1
    past: bool = False  # found afterwards, by a rule that was run over what had already happened
    triage: Triage = Triage()


class Latency(msgspec.Struct, frozen=True):
    """Per-call latency in nanoseconds, from 1 call in 64 (after 65,536 calls 1 in 256); the mean is over all calls.

    ``histogram``: (at most so many nanoseconds, sampled calls) of each step that has any; 16 steps to a power of two.
    """

    p50: int = 0
    p99: int = 0
    max: int = 0
    mean: float = 0.0
    histogram: tuple[tuple[int, int], ...] = ()


class Memory(msgspec.Struct, frozen=True):
    """A rule's linear memory in bytes."""

    current: int = 0
    peak: int = 0
    limit: int = 0


class Difference(msgspec.Struct, frozen=True):
    """One event that only one of two generations matched: ``live`` or ``shadow``."""

    time: str
    only: str
    message: str


class ShadowView(msgspec.Struct, frozen=True):
    """A candidate that looks at the same events as its rule, without a voice: how their verdicts differ.

    ``reason``: why it does not run any more. ``differences``: the newest, oldest first.
    """

    sha256: str
    version: str
    calls: int
    both: int
    only_live: int
    only_shadow: int
    latency_ns: Latency
    reason: str = ""
    differences: tuple[Difference, ...] = ()


class Generation(msgspec.Struct, frozen=True):
    """A module that a rule ran: its number, and since when, by the wall clock."""

    number: int
    sha256: str
    version: str
    since: str


class RuleView(msgspec.Struct, frozen=True):
    """One rule as it stands now: the row on the screen and in the summary."""

    id: str
    state: RuleState
    version: str = "0"
    title: str = ""
    severity: Severity = Severity.MEDIUM
    attack: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()  # that it uses, and has
    denied: tuple[str, ...] = ()  # that it asks for, and the operator's policy does not grant
    reason: str = ""  # why it is failed, quarantined or disabled, in one sentence
    path: str = ""
    calls: int = 0
    matches: int = 0
    alerts: int = 0
    traps: int = 0
    timeouts: int = 0
    errors: int = 0  # negative return values
    skipped: int = 0  # events it was not asked about: in quarantine, or for the rest of a batch after it was stuck
    dropped_matches: int = 0  # matches past the alert rate limit: counted, not kept
    logs: int = 0
    dropped_logs: int = 0
    latency_ns: Latency = Latency()
    memory_bytes: Memory = Memory()
    instantiate_ns: int = 0
    compile_ns: int = 0  # near 0 when it was compiled before
    sha256: str = ""
    generation: int = 0
    previous_sha256: str = ""  # of the generation that a roll-back brings back
    traps_by_kind: dict[str, int] = {}
    shadow: ShadowView | None = None
    retry_seconds: float = 0.0  # until a quarantined rule is tried again
    last_failure: str = ""  # the newest trap or missed deadline, and at which event
    log_lines: tuple[str, ...] = ()  # the newest, oldest first
    generations: tuple[Generation, ...] = ()  # the newest, oldest first

    @property
    def permissions(self) -> str:
        """What it may use beside its event: ``log, process``; and what it asks for in vain."""
        denied = f"; not granted: {', '.join(self.denied)}" if self.denied else ""
        return f"{', '.join(self.capabilities) or 'nothing'}{denied}"


def total_lost(lost: Mapping[str, Mapping[str, int]]) -> int:
    """How many events and alerts nobody will ever see, of those lost by stage and kind.

    What has left the history is not among them: the rules have seen it, only the stream shows it no more.
    """
    return sum(sum(kinds.values()) for stage, kinds in lost.items() if stage != "history")


class Gaps(msgspec.Struct, frozen=True):
    """Lost events from both sides: as kernel and framer counted them, and as the records' sequence numbers show them.

    A gap shows when a later record of its CPU comes, so ``seen`` may be behind until the source has ended.
    """

    counted: int
    seen: int


class Summary(msgspec.Struct, frozen=True, tag="summary", tag_field="type"):
    """What was seen, what was lost and what it cost. ``duration`` in seconds."""

    events: dict[str, int]
    lost: dict[str, dict[str, int]]  # stage (kernel, ring, history, journal) -> kind -> events
    alerts: dict[str, int]
    rules: tuple[RuleView, ...]
    duration: float
    cpu_percent: float
    rss_bytes: int
    filtered: dict[str, int] = {}  # kind -> events that nobody asked for, or of processes out of scope: never a loss
    suppressed: dict[str, int] = {}  # kind -> events of processes over their limit
    scope: str = ""  # who was reported, as on the command line; empty for everybody
    evicted: dict[str, int] = {}  # kind -> raw events that left the session's folder for newer ones
    gaps: Gaps | None = None  # None for a recording
    hidden: dict[str, int] = {}  # rule -> alerts that the operator's suppressions kept from the screen

    @property
    def total_lost(self) -> int:
        """See :func:`total_lost`."""
        return total_lost(self.lost)


class Action(msgspec.Struct, frozen=True, tag="action", tag_field="type"):
    """Something the operator did, or that happened by itself: ``operator`` says who."""

    time: str
    action: str
    target: str = ""
    detail: str = ""
    operator: str = ""
    before: str = ""  # a rule's SHA-256 before this, when it changed its module
    after: str = ""
    seq: int = 0  # how many events had been seen by then


class HuntView(msgspec.Struct, frozen=True):
    """A rule that is run over the past: how far it is, from 0 to 1, and what it has seen and matched."""

    rule: str
    progress: float
    events: int
    matches: int
    running: bool


class SuppressionView(msgspec.Struct, frozen=True):
    """What keeps alerts from the screen: an expression, how many it has hidden, and until when (RFC 3339, or empty)."""

    number: int
    text: str
    hidden: int
    until: str = ""


class SourceView(msgspec.Struct, frozen=True):
    """Where events come from: ``live`` or the name of a recording, and whether it has ended."""

    name: str
    live: bool
    ended: bool = False
    problem: str = ""  # why it has stopped
    cut: str = ""  # what is missing from a recording
    playing: bool = True  # of a recording: whether it goes on, and how many times as fast as it happened; 0 unpaced
    speed: float = 1.0
    time: str = ""  # of a recording: where it is, RFC 3339, and as a share of the whole, from 0 to 1
    share: float = 0.0
    goal: str = ""  # where it rushes to, and how much of the way is done, from 0 to 1; empty while it does not
    progress: float = 1.0
    arrivals: int = 0  # how many times it has come to its goal
    runs: int = 0  # how many times it has begun anew


class Snapshot(msgspec.Struct, frozen=True):
    """Everything a front end needs to draw one frame. Cheap to make, never changed afterwards.

    ``events_per_second`` holds one count per second, oldest first, at most 60.
    """

    source: SourceView
    elapsed: float
    events: dict[str, int]
    total_events: int
    events_per_second: tuple[int, ...]
    lost: dict[str, dict[str, int]]
    rules: tuple[RuleView, ...]
    alerts: tuple[Alert, ...]  # the newest, oldest first
    total_alerts: int
    severities: dict[Severity, int]  # the same, by severity, without those that are hidden
    cpu_percent: float
    rss_bytes: int
    session: str
    off: tuple[str, ...] = ()  # kinds that are not collected, since nobody asks for them
    filtered: dict[str, int] = {}  # as in the summary
    suppressed: dict[str, int] = {}
    scope: str = ""  # who is reported, as on the command line; empty for everybody
    notices: tuple[str, ...] = ()  # newest last: reloads, failures, things to know
    warnings: tuple[str, ...] = ()  # what is wrong as long as it is: the disk takes nothing
    gaps: Gaps | None = None
    hunt: HuntView | None = None
    hidden: int = 0  # alerts that suppressions keep from the screen; they are in the journal
    suppressions: tuple[SuppressionView, ...] = ()

    @property
    def total_lost(self) -> int:
        """See :func:`total_lost`."""
        return total_lost(self.lost)
